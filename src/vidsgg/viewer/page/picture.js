// The picture with the boxes of the moment.

const screen = byId("screen");
const picture = byId("picture");
picture.append(media.element);
const overlay = draw(picture, "svg", { id: "overlay", role: "img", "aria-label": "boxes" });
const tagsPlace = draw(picture, "svg", { id: "tags", "aria-hidden": "true" }); // over all boxes
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
    mark.text = draw(mark.tag, "text", { y: 13 });
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

const ruler = document.createElement("canvas").getContext("2d");
ruler.font = "600 12px system-ui, sans-serif";
const widths = new Map();
const widthOf = (text) => {
  if (!widths.has(text)) widths.set(text, ruler.measureText(text).width);
  return widths.get(text);
};

const drawBoxes = () => {
  const wanted = byId("boxes").checked ? shownBoxes() : [];
  const [width, height] = sizeOf(state.frame);
  const scale = picture.clientWidth / width;
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
    const score = node.name === "prediction" && node.score < 1 ? ` ${node.score.toFixed(2)}` : "";
    const text = `${MARKS[node.verdict]} ${nameOf(node.thing)}${score}`.trim();
    tags.push({ mark, text, box: [x1, y1, x2, y2], hub: isHub(node.thing), score: node.score });
  }
  placeTags(tags, picture.clientWidth, height * scale);
  for (const mark of boxMarks.values()) mark.group.style.display = mark.tag.style.display = used.has(mark) ? "" : "none";
};

// Names stand above their boxes. One that would cover another is moved: into the box, below it, to its side, then step by step down and up.
// Where there is no room near its box it is folded to its first letters, and where there is none for these to a point; pointing at the
// box or at the thing elsewhere shows the whole name. Acting things come first, then the surer ones.
const TAG = 18; // pixels that a name is high
const LONGEST_TAG = 0.42; // of the picture's width
const NEAR = 5; // steps that a name may go from its box

const shortened = (text, most) => {
  if (widthOf(text) <= most) return text;
  let end = text.length;
  while (end > 3 && widthOf(`${text.slice(0, end)}…`) > most) end--;
  return `${text.slice(0, end)}…`;
};
const bare = (text) => text.replace(/ [01]?\.\d+$/, ""); // without its score
const folded = (name) => name.split(/[ /]/).map((word) => word[0]).join("").slice(0, 3);

const spots = (box, wide, width, height) => {
  const [x1, y1, x2, y2] = box;
  const inX = (x) => Math.max(0, Math.min(x, width - wide));
  const inY = (y) => Math.max(0, Math.min(y, height - TAG));
  const found = [[inX(x1 - 1), inY(y1 - TAG - 1)], [inX(x1 + 2), inY(y1 + 2)], [inX(x2 - wide), inY(y1 - TAG - 1)], [inX(x1 - 1), inY(y2 + 1)], [inX(x2 + 1), inY(y1)]];
  for (let step = 1; step <= NEAR; step++) found.push([inX(x1 + 2), inY(y1 + 2 + step * TAG)], [inX(x1 - 1), inY(y1 - 1 - (step + 1) * TAG)]);
  return found;
};

const POINT = 8; // pixels that the point of a folded name is wide and high
const placeTags = (tags, width, height) => {
  const taken = [];
  const free = ([x, y], wide, tall) => !taken.some((t) => x < t.x + t.wide && t.x < x + wide && y < t.y + t.tall && t.y < y + tall);
  const order = [...tags].sort((a, b) => b.hub - a.hub || b.score - a.score);
  for (const { mark, text, box } of order) {
    const name = bare(text);
    const room = width * LONGEST_TAG;
    const whole = widthOf(text) <= room ? text : shortened(name, room);
    const hot = mark.tag.classList.contains("hot");
    const forms = hot ? [whole] : [whole, whole === text ? name : whole, folded(name), ""];
    let chosen = null;
    for (const shown of forms) {
      const [wide, tall] = shown ? [widthOf(shown) + 10, TAG] : [POINT, POINT];
      const all = spots(box, wide, width, height);
      const spot = all.find((place) => free(place, wide, tall));
      chosen = { shown, wide, tall, spot: spot ?? all[0] };
      if (spot) break;
    }
    const { shown, wide, tall, spot: [x, y] } = chosen;
    taken.push({ x, y, wide, tall });
    mark.tag.classList.toggle("point", !shown);
    if (mark.text.textContent !== shown) mark.text.textContent = shown;
    mark.tag.dataset.name = text;
    mark.tag.setAttribute("transform", `translate(${x} ${y})`);
    mark.back.setAttribute("width", wide);
    mark.back.setAttribute("height", tall);
    mark.text.setAttribute("x", 5);
  }
};

on("time", drawBoxes);
on("filters", drawBoxes);
on("pointed", drawBoxes); // a folded name is shown whole
on("frame", fit);
new ResizeObserver(() => { fit(); drawBoxes(); }).observe(screen);
byId("boxes").addEventListener("change", drawBoxes);
