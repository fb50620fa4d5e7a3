// The picture with the boxes of the moment.

const screen = byId("screen");
const picture = byId("picture");
picture.append(media.element);
const overlay = draw(picture, "svg", { id: "overlay", role: "img", "aria-label": "boxes" });
const tagsPlace = draw(screen, "svg", { id: "tags", "aria-hidden": "true" }); // over all boxes, and beside the picture where there is room
const leaders = draw(tagsPlace, "g");
const boxMarks = new Map(); // by layer and thing

const fit = () => {
  const [width, height] = sizeOf(state.frame);
  const room = screen.getBoundingClientRect();
  const scale = Math.min(room.width / width, room.height / height);
  picture.style.width = `${Math.floor(width * scale)}px`;
  picture.style.height = `${Math.floor(height * scale)}px`;
};

const boxMark = (name, thing) => {
  const key = `${name}-${thing}`;
  if (!boxMarks.has(key)) {
    const group = stands(draw(overlay, "g", { class: "box", "data-layer": name, "data-thing": thing }), [thing]);
    group.style.setProperty("--own", labelOf(thing).colour);
    const mark = { group, halo: draw(group, "rect", { class: "halo" }), line: draw(group, "rect", { class: "line" }) };
    mark.tag = stands(draw(tagsPlace, "g", { class: "tag" }), [thing]);
    mark.tag.style.setProperty("--own", labelOf(thing).colour);
    mark.back = draw(mark.tag, "rect", { rx: 3 });
    mark.text = draw(mark.tag, "text", { x: 5, y: 13 });
    mark.name = draw(mark.text, "tspan");
    mark.score = draw(mark.text, "tspan", { class: "score" });
    mark.leader = stands(draw(leaders, "line", { class: "leader" }), [thing]);
    mark.leader.style.setProperty("--own", labelOf(thing).colour);
    boxMarks.set(key, mark);
  }
  return boxMarks.get(key);
};

const shownBoxes = () => {
  const found = [];
  const met = new Set();
  for (const name of ["prediction", "truth"]) {
    if (!layers[name] || !(name === "prediction" ? showsPrediction() : showsTruth())) continue;
    for (let thing = 0; thing < things.length; thing++) {
      if (!labelShown(thing)) continue;
      const node = boxAt(name, thing, state.time);
      if (!node || (name === "prediction" && node.score < leastOfThings())) continue;
      if (name === "truth" && met.has(thing)) continue;
      if (name === "prediction" && node.right !== 0) met.add(thing); // of a box in the wrong place, the right place is shown too
      const verdict = name === "prediction" ? verdictOf(node.right) : state.layer === "both" && truthKnown(state.frame) ? "missed" : "plain";
      found.push({ ...node, name, verdict });
    }
  }
  return found;
};

const NAME_FONT = "600 12px system-ui, sans-serif"; // as .tag text in style.css
const SCORE_FONT = "400 12px system-ui, sans-serif";
const ruler = document.createElement("canvas").getContext("2d");
const widths = new Map();
const widthOf = (text, font = NAME_FONT) => {
  const key = font + text;
  if (!widths.has(key)) { ruler.font = font; widths.set(key, ruler.measureText(text).width); }
  return widths.get(key);
};

const drawBoxes = () => {
  const wanted = byId("boxes").checked ? shownBoxes() : [];
  const scale = picture.clientWidth / sizeOf(state.frame)[0];
  const used = new Set();
  const tags = [];
  for (const node of wanted) {
    const mark = boxMark(node.name, node.thing);
    used.add(mark);
    const [x1, y1, x2, y2] = node.box.map((value) => value * scale);
    for (const rect of [mark.halo, mark.line]) {
      rect.setAttribute("x", x1);
      rect.setAttribute("y", y1);
      rect.setAttribute("width", Math.max(1, x2 - x1));
      rect.setAttribute("height", Math.max(1, y2 - y1));
    }
    mark.group.setAttribute("class", `box ${node.verdict}${node.bridged ? " bridged" : ""}${mark.group.classList.contains("hot") ? " hot" : ""}`);
    mark.tag.setAttribute("class", `tag ${node.verdict}${mark.group.classList.contains("hot") ? " hot" : ""}`);
    mark.group.dataset.box = node.box.map((value) => value.toFixed(2)).join(" ");
    const score = node.name === "prediction" && node.score < 1 ? ` · ${node.score.toFixed(2)}` : "";
    tags.push({ mark, thing: node.thing, sign: MARKS[node.verdict], scored: score, box: [x1, y1, x2, y2], hub: isHub(node.thing), score: node.score });
  }
  placeTags(tags);
  for (const mark of boxMarks.values()) {
    mark.group.style.display = mark.tag.style.display = used.has(mark) ? "" : "none";
    if (!used.has(mark)) mark.leader.style.display = "none";
  }
};

// Names stand above their boxes. One that would cover another is moved: into the box, below it, to its side, then step by step down and up,
// then beside the picture, from where a line leads to its box. Where there is no room at all it loses its score, is cut short, folded to
// its first letters and at last to a point; pointing at the box or at the thing elsewhere shows the whole name. Acting things come first,
// then the surer ones.
const TAG = 18; // pixels that a name is high
const LONGEST_TAG = 0.42; // of the room's width
const SHORT_TAG = 64; // pixels
const NEAR = 9; // steps that a name may go from its box
const POINT = 8; // pixels that the point of a folded name is wide and high

const shortened = (text, number, most) => {
  if (widthOf(text + number) <= most) return text + number;
  let end = text.length;
  while (end > 3 && widthOf(`${text.slice(0, end)}…${number}`) > most) end--;
  return `${text.slice(0, end).trimEnd()}…${number}`;
};
const initials = (text) => text.split(/[ /-]+/).map((word) => word[0]).join("").slice(0, 4);

// What a tag may say, the most telling first: [name, score].
const formsOf = ({ thing, sign, scored }, room) => {
  const [text, number] = [`${sign} ${labelOf(thing).text}`.trim(), numbers[thing]];
  const whole = shortened(text, number, room);
  return [[whole, scored], [whole, ""], [shortened(text, number, SHORT_TAG), ""], [initials(labelOf(thing).text) + number, ""], ["", ""]];
};

// Places for a tag of that width, near its box first. Coordinates of the screen, which is larger than the picture.
const spots = (box, wide, room) => {
  const [x1, y1, x2, y2] = box;
  const inX = (x) => Math.max(0, Math.min(x, room.width - wide));
  const inY = (y) => Math.max(0, Math.min(y, room.height - TAG));
  const found = [[inX(x1 - 1), inY(y1 - TAG - 1)], [inX(x1 + 2), inY(y1 + 2)], [inX(x2 - wide), inY(y1 - TAG - 1)], [inX(x1 - 1), inY(y2 + 1)], [inX(x2 + 1), inY(y1)]];
  for (let step = 1; step <= NEAR; step++) found.push([inX(x1 + 2), inY(y1 + 2 + step * TAG)], [inX(x1 - 1), inY(y1 - 1 - (step + 1) * TAG)]);
  return found;
};
const spotsBeside = ([x1, y1, x2, y2], wide, { left, right, width, height }) => {
  const found = [];
  for (let row = 0; (row + 1) * (TAG + 2) <= height; row++) {
    const y = row * (TAG + 2);
    const away = Math.abs(y + TAG / 2 - (y1 + y2) / 2);
    if (left >= wide + 8) found.push({ spot: [left - wide - 8, y], away: away + x1 - left });
    if (width - right >= wide + 8) found.push({ spot: [right + 8, y], away: away + right - x2 });
  }
  return found.sort((a, b) => a.away - b.away).map(({ spot }) => spot);
};

const placeTags = (tags) => {
  const [left, top] = [picture.offsetLeft, picture.offsetTop];
  const room = { width: screen.clientWidth, height: screen.clientHeight, left, right: left + picture.clientWidth };
  const taken = [];
  const free = ([x, y], wide, tall) => !taken.some((t) => x < t.x + t.wide && t.x < x + wide && y < t.y + t.tall && t.y < y + tall);
  const order = [...tags].sort((a, b) => b.hub - a.hub || b.score - a.score);
  for (const tag of order) {
    const { mark } = tag;
    const box = tag.box.map((value, i) => value + (i % 2 ? top : left));
    const forms = formsOf(tag, room.width * LONGEST_TAG);
    const kept = media.playing() && mark.at >= 0 ? [mark.at] : []; // names do not jump while it plays
    let chosen = null;
    for (const [name, score] of mark.tag.classList.contains("hot") ? forms.slice(0, 1) : forms) {
      const [wide, tall] = name ? [widthOf(name) + widthOf(score, SCORE_FONT) + 10, TAG] : [POINT, POINT];
      const near = spots(box, wide, room);
      mark.at = [...kept, ...near.keys()].find((i) => free(near[i], wide, tall)) ?? -1;
      const spot = near[mark.at] ?? (name ? spotsBeside(box, wide, room).find((place) => free(place, wide, tall)) : null);
      chosen = { name, score, wide, tall, spot: spot ?? near[0] };
      if (spot) break;
    }
    const { name, score, wide, tall, spot: [x, y] } = chosen;
    taken.push({ x, y, wide, tall });
    mark.tag.classList.toggle("point", !name);
    if (mark.name.textContent !== name) mark.name.textContent = name;
    if (mark.score.textContent !== score) mark.score.textContent = score;
    mark.tag.dataset.name = `${tag.sign} ${nameOf(tag.thing)}${tag.scored}`.trim();
    mark.tag.setAttribute("transform", `translate(${x} ${y})`);
    mark.back.setAttribute("width", wide);
    mark.back.setAttribute("height", tall);
    lead(mark.leader, [x, y, x + wide, y + tall], box);
  }
};

// A line from a tag to its box, if they do not touch: straight where one is above or beside the other.
const lead = (line, tag, box) => {
  const ends = [0, 1].map((side) => {
    const [low, high] = [Math.max(tag[side], box[side]), Math.min(tag[side + 2], box[side + 2])];
    return low <= high ? [(low + high) / 2, (low + high) / 2] : tag[side] > box[side] ? [low, high] : [high, low];
  });
  const apart = Math.max(...ends.map(([from, to]) => Math.abs(from - to)));
  line.style.display = apart > 4 ? "" : "none";
  const [[x1, x2], [y1, y2]] = ends;
  for (const [name, value] of Object.entries({ x1, y1, x2, y2 })) line.setAttribute(name, value);
};

on("time", drawBoxes);
on("filters", drawBoxes);
on("pointed", drawBoxes); // a folded name is shown whole
on("frame", fit);
new ResizeObserver(() => { fit(); drawBoxes(); }).observe(screen);
byId("boxes").addEventListener("change", drawBoxes);
