// One place in the graph for every thing, kept over the whole video. Acting things (persons, actions) stand in the middle, the others
// beside them. Things that are never there at one time may share a place: else a long video would need too many.

const ROOMY = 6; // places for other things, before any is shared
const GAP = 8; // pixels between things
// Pixels that a relation takes, and the same where there is little room.
const CHIP = 23;
const DENSE_CHIP = 19;

// Under the filters: for every thing [first frame, last frame, most relations at a time], missing for those that are never shown.
const surveyed = () => {
  const found = new Map();
  for (let frame = 0; frame < frameCount; frame++) {
    const nodes = shownNodes(frame);
    const relations = new Map();
    for (const edge of shownEdges(frame, nodes)) {
      const owner = ownerOf(edge);
      relations.set(owner, (relations.get(owner) ?? 0) + 1);
    }
    for (const { thing } of nodes) {
      const span = found.get(thing) ?? found.set(thing, [frame, frame, 0]).get(thing);
      span[1] = frame;
      span[2] = Math.max(span[2], relations.get(thing) ?? 0);
    }
  }
  return found;
};

// The thing beside which a relation is written: the one that does not act.
const ownerOf = (edge) => (isHub(edge.object) && !isHub(edge.subject) ? edge.subject : edge.object);
const otherOf = (edge) => (ownerOf(edge) === edge.object ? edge.subject : edge.object);

const shared = (spans, roomy) => {
  const places = [];
  for (const [thing, [first, last, relations]] of spans) {
    const free = places.filter((place) => place.last < first);
    const like = free.find((place) => things[place.things[place.things.length - 1]] === things[thing]);
    let place = like ?? (places.length < roomy ? null : free.sort((a, b) => a.last - b.last)[0]);
    if (!place) places.push((place = { things: [], last: -1, relations: 0 }));
    place.things.push(thing);
    place.last = last;
    place.relations = Math.max(place.relations, relations);
  }
  return places;
};

// {places: Map thing -> {x, y, half (of its height), side, place}, height, middle (x of the relations by side), room (their width), dense}; in pixels of a panel.
// measure(things, dense): how wide a thing is drawn, and how high each of them.
const layOut = (width, height, measure) => {
  const wide = arranged(width, height, CHIP, (shown) => measure(shown, false));
  return wide.height <= height + 1 ? wide : { ...arranged(width, height, DENSE_CHIP, (shown) => measure(shown, true)), dense: true };
};

const arranged = (width, height, chip, measure) => {
  const spans = [...surveyed()].sort((a, b) => a[1][0] - b[1][0] || a[0] - b[0]);
  const hubs = shared(spans.filter(([thing]) => isHub(thing)), 1);
  const others = shared(spans.filter(([thing]) => !isHub(thing)), ROOMY);
  const drawn = measure(spans.map(([thing]) => thing));
  const highest = (place) => Math.max(...place.things.map((thing) => drawn.heights.get(thing))) + GAP;
  const twoSided = width >= 520 && others.length > 1;
  const sides = [{ places: [], used: 0 }, { places: [], used: 0 }];
  for (const place of others) {
    place.needs = Math.max(highest(place), place.relations * chip + 10);
    const side = twoSided && sides[1].used < sides[0].used ? sides[1] : sides[0];
    side.places.push(place);
    side.used += place.needs;
  }
  for (const hub of hubs) {
    hub.below = hub.relations * chip; // relations between acting things stand under one of them
    hub.needs = highest(hub) + GAP + hub.below;
  }
  const crowd = hubs.reduce((sum, hub) => sum + hub.needs, 0);
  const total = Math.max(height, sides[0].used, sides[1].used, crowd);
  const half = drawn.width / 2 + 4;
  const edge = Math.min(half, width * 0.14);
  const hubX = twoSided ? width / 2 : Math.min(64, width * 0.15);
  const found = new Map();
  const put = (places, x, side, used) => {
    const spare = (total - used) / places.length;
    let y = 0;
    for (const place of places) {
      const needs = place.needs + spare;
      const middle = y + (needs - (place.below ?? 0)) / 2;
      for (const thing of place.things) found.set(thing, { x, y: middle, half: drawn.heights.get(thing) / 2, side, place });
      y += needs;
    }
  };
  put(hubs, hubX, 0, crowd);
  put(sides[0].places, width - edge, 1, sides[0].used);
  put(sides[1].places, edge, -1, sides[1].used);
  const middle = { 1: (hubX + 40 + width - edge - half) / 2, [-1]: (hubX - 40 + edge + half) / 2, 0: hubX };
  const room = width - edge - half - (hubX + 40);
  return { places: found, height: total, middle, room, dense: false };
};
