// What the page was told: columns of numbers by frame (see viewer/content.py), and questions to them.

const content = JSON.parse(document.getElementById("data").textContent);
const { labels, predicates, groups, things, times, layers } = content;
const frameCount = times.length;
const compared = Boolean(layers.prediction && layers.truth);

const BETWEEN = 1.5; // seconds: sightings further apart are not joined

const steps = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
const spacing = steps.length ? steps[Math.floor(steps.length / 2)] : 0.5;
const isVideo = content.media.kind === "video";
const beginning = isVideo ? Math.min(content.media.begin, times[0]) : times[0];
const ending = Math.max(times[frameCount - 1] + spacing, isVideo ? content.media.begin + content.media.duration : 0);

// The last frame that has begun, the first one before that.
const frameAt = (time) => {
  let low = 0;
  let high = frameCount - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= time + 1e-3) low = middle;
    else high = middle - 1;
  }
  return low;
};
const frameBegin = (frame) => (frame === 0 ? beginning : times[frame]);
const frameEnd = (frame) => (frame + 1 < frameCount ? times[frame + 1] : ending);
const sizeOf = (frame) => [content.sizes[2 * frame], content.sizes[2 * frame + 1]];

const labelOf = (thing) => labels[things[thing]];
const isHub = (thing) => labelOf(thing).subject;

const nodeAt = (layer, index) => ({
  thing: layer.thing[index],
  box: layer.box[4 * index] === null ? null : layer.box.slice(4 * index, 4 * index + 4),
  score: layer.score[index],
  right: layer.right?.length ? layer.right[index] : -1,
});
const nodesOf = (layer, frame) => {
  const found = [];
  for (let i = layer.node_start[frame]; i < layer.node_start[frame + 1]; i++) found.push(nodeAt(layer, i));
  return found;
};
const edgesOf = (layer, frame) => {
  const found = [];
  for (let i = layer.edge_start[frame]; i < layer.edge_start[frame + 1]; i++) {
    found.push({
      subject: layer.subject[i],
      object: layer.object[i],
      predicate: layer.predicate[i],
      score: layer.edge_score[i],
      uncertain: layer.uncertain.length ? layer.uncertain[i] === 1 : false,
      right: layer.edge_right?.length ? layer.edge_right[i] : -1,
      met: layer.met?.length ? layer.met[i] : null,
    });
  }
  return found;
};
const truthKnown = (frame) => Boolean(layers.truth && layers.truth.known[frame]);

// For every thing of a layer, its sightings as [frame, position of the node], in order.
const sightingsOf = (layer) => {
  const found = things.map(() => []);
  for (let frame = 0; frame < frameCount; frame++) {
    for (let i = layer.node_start[frame]; i < layer.node_start[frame + 1]; i++) found[layer.thing[i]].push([frame, i]);
  }
  return found;
};
const sightings = {};
for (const name of ["prediction", "truth"]) if (layers[name]) sightings[name] = sightingsOf(layers[name]);

// The box of a thing at a moment, null if it has none. Of a video, boxes move evenly between sightings at most BETWEEN seconds apart, and
// `bridged` says that graphs in between did not see the thing. Of single pictures, only what was seen in the picture that is shown has one.
const boxAt = (name, thing, time) => {
  const layer = layers[name];
  const seen = sightings[name][thing];
  const frame = frameAt(time);
  let last = -1;
  for (let low = 0, high = seen.length - 1; low <= high;) {
    const middle = (low + high) >> 1;
    if (seen[middle][0] <= frame) { last = middle; low = middle + 1; } else high = middle - 1;
  }
  if (last < 0) return null;
  const node = nodeAt(layer, seen[last][1]);
  if (!node.box) return null;
  const exact = { ...node, bridged: false };
  const from = times[seen[last][0]];
  if (!isVideo || time <= from) return seen[last][0] === frame ? exact : null;
  const next = seen[last + 1];
  if (next && times[next[0]] - from <= BETWEEN + 1e-6) {
    const target = nodeAt(layer, next[1]);
    if (!target.box) return null;
    const part = (time - from) / (times[next[0]] - from);
    return { ...node, box: node.box.map((value, i) => value + part * (target.box[i] - value)), bridged: next[0] - seen[last][0] > 1 };
  }
  return seen[last][0] === frame && time - from < Math.min(spacing, BETWEEN) - 1e-6 ? exact : null;
};

// Things of one label are numbered wherever they are named: they may stand beside each other at any time.
const tracksOf = new Map();
for (const label of things) tracksOf.set(label, (tracksOf.get(label) ?? 0) + 1);
const counted = new Map();
const numbers = things.map((label) => {
  counted.set(label, (counted.get(label) ?? 0) + 1);
  return tracksOf.get(label) > 1 ? ` ${counted.get(label)}` : "";
});
const nameOf = (thing) => labelOf(thing).text + numbers[thing];
const sentence = (edge) => `${nameOf(edge.subject)} ${predicates[edge.predicate].text} ${nameOf(edge.object)}`;
const relationOf = (edge) => `${edge.subject}-${edge.object}-${edge.predicate}`;

const clockText = (time) => {
  if (content.clock === "frames") return `${frameAt(time) + 1}`;
  const tenths = Math.max(0, Math.round(time * 10));
  const minutes = Math.floor(tenths / 600);
  const rest = `${Math.floor((tenths % 600) / 10).toString().padStart(2, "0")}.${tenths % 10}`;
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${(minutes % 60).toString().padStart(2, "0")}:${rest}`;
};
