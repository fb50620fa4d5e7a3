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
      if (!node || (name === "prediction" && node.score < state.least)) continue;
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
    if (mark.text.textContent !== text) mark.text.textContent = text;
    tags.push({ mark, text, x: x1, y: y1 });
  }
  placeTags(tags, picture.clientWidth, height * scale);
  for (const mark of boxMarks.values()) mark.group.style.display = mark.tag.style.display = used.has(mark) ? "" : "none";
};

// Names stand above their boxes, moved down until they cover no other.
const placeTags = (tags, width, height) => {
  const taken = [];
  for (const { mark, text, x: left, y: top } of tags) {
    const wide = widthOf(text) + 10;
    const x = Math.max(0, Math.min(left - 1, width - wide));
    let y = Math.max(0, Math.min(top - 19, height - 18));
    const hit = (t) => x < t.x + t.wide && t.x < x + wide && y < t.y + 18 && t.y < y + 18;
    for (let other = taken.find(hit); other && other.y + 36 <= height; other = taken.find(hit)) y = other.y + 18;
    taken.push({ x, y, wide });
    mark.tag.setAttribute("transform", `translate(${x} ${y})`);
    mark.back.setAttribute("width", wide);
    mark.back.setAttribute("height", 18);
    mark.text.setAttribute("x", 5);
  }
};

on("time", drawBoxes);
on("filters", drawBoxes);
on("frame", fit);
new ResizeObserver(() => { fit(); drawBoxes(); }).observe(screen);
byId("boxes").addEventListener("change", drawBoxes);
