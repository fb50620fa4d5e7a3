// The graph of the moment.

const graphPanel = byId("graph");
const graphSheet = make(graphPanel, "div", { class: "sheet" });
const links = draw(graphSheet, "svg", { class: "links", "aria-hidden": "true" });
const nothingHere = make(graphSheet, "p", { class: "empty" });
const nodeMarks = new Map(); // by thing
let plan = null;
let chipsDrawn = "";
const THUMB = 88; // pixels of a small picture, twice what it takes on the screen

const nodeMark = (thing) => {
  if (!nodeMarks.has(thing)) {
    const element = stands(make(graphSheet, "button", { type: "button", class: `node${isHub(thing) ? " hub" : ""}` }), [thing]);
    element.style.setProperty("--own", labelOf(thing).colour);
    const face = make(element, "span", { class: "face" });
    const thumb = make(face, "canvas", { width: THUMB, height: THUMB });
    const mark = make(face, "span", { class: "mark" });
    const name = make(element, "span", { class: "name" });
    for (const part of nameOf(thing).split(/(?<=[/-])/)) name.append(part, document.createElement("wbr"));
    face.dataset.initial = nameOf(thing)[0] ?? "";
    element.addEventListener("click", () => seekNext(thing));
    nodeMarks.set(thing, { element, thumb, mark });
  }
  return nodeMarks.get(thing);
};

// A click on a thing goes to where it is next seen, from the end to its first sighting.
const seekNext = (thing) => {
  const seen = [...new Set(["prediction", "truth"].flatMap((name) => (sightings[name]?.[thing] ?? []).map(([frame]) => frame)))].sort((a, b) => a - b);
  const begins = seen.filter((frame, i) => i === 0 || seen[i - 1] !== frame - 1);
  const next = begins.find((frame) => times[frame] > state.time + 1e-3) ?? begins[0];
  if (next !== undefined) media.seek(times[next]);
};

// How wide and high the things of the plan are drawn, by thing: names may take several lines.
const measured = (shown, dense) => {
  graphSheet.classList.toggle("dense", dense);
  const elements = shown.map((thing) => nodeMark(thing).element);
  for (const element of elements) element.hidden = false;
  return { width: Math.max(0, ...elements.map((element) => element.offsetWidth)), heights: new Map(elements.map((element, i) => [shown[i], element.offsetHeight])) };
};

const planGraph = () => {
  const room = graphPanel.getBoundingClientRect();
  plan = layOut(graphPanel.clientWidth, room.height - 2, measured);
  graphSheet.style.height = `${plan.height}px`;
  for (const [thing, { x, y, side }] of plan.places) {
    const { element } = nodeMark(thing);
    element.style.left = `${x}px`;
    element.style.top = `${y}px`;
    element.dataset.side = side;
  }
  for (const [thing, { element }] of nodeMarks) element.hidden = !plan.places.has(thing);
  chipsDrawn = "";
  drawGraph();
  tellMore();
};

// The panel says what of it is out of sight. Where it does not scroll by itself, on a phone, it is folded and can be unfolded.
const [moreAbove, moreBelow] = ["above", "below"].map((side) => make(graphPanel, "button", { type: "button", class: `more ${side}` }));
graphPanel.prepend(moreAbove);
const scrollGraph = (part) => graphPanel.scrollBy({ top: part * graphPanel.clientHeight, behavior: "smooth" });
const folds = () => getComputedStyle(graphPanel).overflowY === "hidden";
moreAbove.addEventListener("click", () => scrollGraph(-0.8));
moreBelow.addEventListener("click", () => { if (folds()) graphPanel.classList.toggle("open"); else scrollGraph(0.8); });
const tellMore = () => {
  const [top, bottom] = [graphPanel.scrollTop, graphPanel.scrollTop + graphPanel.clientHeight];
  const at = [...new Map([...plan.places.values()].map(({ place, y }) => [place, y])).values()];
  const say = (mark, shown, arrow, count) => {
    mark.hidden = !shown;
    mark.textContent = `${arrow} ${count ? `${count} more` : "more"}`;
  };
  say(moreAbove, top > 4, "↑", at.filter((y) => y < top).length);
  say(moreBelow, plan.height - bottom > 4, "↓", at.filter((y) => y > bottom).length);
  if (folds() && graphPanel.classList.contains("open")) { moreBelow.hidden = false; moreBelow.textContent = "↑ fold"; }
};
graphPanel.addEventListener("scroll", () => { if (plan) tellMore(); }, { passive: true });

// Of things that share a place, the one that is there, else the one that is there next or was last.
const facesOf = (there) => {
  const faces = new Map();
  const distance = (thing) => {
    const seen = [...(sightings.prediction?.[thing] ?? []), ...(sightings.truth?.[thing] ?? [])].map(([frame]) => Math.abs(frame - state.frame));
    return there.has(thing) ? -1 : Math.min(...seen);
  };
  for (const [thing, { place }] of plan.places) {
    const away = place.things.length > 1 ? distance(thing) : 0;
    if (!faces.has(place) || away < faces.get(place).away) faces.set(place, { thing, away });
  }
  return new Set([...faces.values()].map((face) => face.thing));
};

const drawGraph = () => {
  if (!plan) return;
  const nodes = shownNodes(state.frame);
  const there = new Map(nodes.map((node) => [node.thing, node]));
  const faces = facesOf(there);
  for (const [thing, { element, thumb, mark }] of nodeMarks) {
    if (!plan.places.has(thing)) continue;
    const node = there.get(thing);
    element.hidden = !faces.has(thing);
    element.classList.toggle("away", !node);
    element.dataset.verdict = node?.verdict ?? "plain";
    mark.textContent = node ? MARKS[node.verdict] : "";
    const told = node ? (node.layer === "prediction" && node.score < 1 ? `, ${node.score.toFixed(2)}` : "") : ", not seen now";
    const verdict = node && node.verdict !== "plain" ? `, ${node.verdict}` : "";
    element.title = `${nameOf(thing)}${told}${verdict}`;
    element.setAttribute("aria-label", element.title);
    if (node?.box) drawThumb(thumb, node.box);
  }
  const edges = shownEdges(state.frame, nodes);
  const hubs = nodes.filter((node) => isHub(node.thing)).length;
  const key = JSON.stringify(edges.map((edge) => [relationOf(edge), edge.verdict, edge.score.toFixed(2), edge.uncertain]));
  if (key !== chipsDrawn) {
    chipsDrawn = key;
    drawEdges(edges, hubs);
  }
  nothingHere.textContent = nodes.length ? "" : plan.places.size ? "nothing is seen at this moment" : nothingShown;
};

const drawThumb = (canvas, box) => {
  if (!isPictured) return;
  const [width, height] = sizeOf(state.frame);
  const side = Math.max(box[2] - box[0], box[3] - box[1], 8) * 1.08;
  const [x, y] = [(box[0] + box[2]) / 2, box[3] - box[1] > 1.6 * (box[2] - box[0]) ? box[1] + 0.3 * (box[3] - box[1]) : (box[1] + box[3]) / 2];
  const reach = Math.min(side, Math.max(box[2] - box[0], (box[3] - box[1]) * 0.6) * 1.1) / 2; // of tall things, the upper part
  const [cx, cy] = [Math.min(Math.max(x, reach), width - reach), Math.min(Math.max(y, reach), height - reach)];
  const drawn = media.draw(canvas.getContext("2d"), [cx - reach, cy - reach, cx + reach, cy + reach], THUMB);
  if (drawn) canvas.parentElement.classList.add("pictured");
};

const drawEdges = (edges, hubs) => {
  for (const old of graphSheet.querySelectorAll(".chips")) old.remove();
  links.replaceChildren();
  const pairs = new Map(); // relations by the two things that they join
  for (const edge of edges) {
    const key = `${ownerOf(edge)}-${otherOf(edge)}`;
    if (!pairs.has(key)) pairs.set(key, []);
    pairs.get(key).push(edge);
  }
  const stacks = new Map();
  for (const found of pairs.values()) {
    const [owner, other] = [ownerOf(found[0]), otherOf(found[0])];
    const [from, to] = [plan.places.get(other), plan.places.get(owner)];
    drawLink(owner, other, from, to, found);
    if (!stacks.has(owner)) stacks.set(owner, chipStack(to));
    for (const edge of found) drawChip(stacks.get(owner), edge, to.side, hubs > 1 || (!isHub(edge.subject) && !isHub(edge.object)));
  }
};

const drawLink = (owner, other, from, to, edges) => {
  const middle = plan.middle[to.side];
  const far = to.side === 0 ? 0 : Math.sign(to.x - middle) * 24;
  const path = from.side === to.side && to.side === 0
    ? `M ${from.x} ${from.y} Q ${from.x + 90} ${(from.y + to.y) / 2} ${to.x} ${to.y}`
    : from.side === to.side
    ? `M ${from.x} ${from.y} C ${middle} ${from.y} ${middle} ${(from.y + to.y) / 2} ${middle} ${to.y} L ${to.x} ${to.y}`
    : `M ${from.x} ${from.y} C ${(from.x + middle) / 2 + far} ${from.y} ${(from.x + middle) / 2} ${to.y} ${middle} ${to.y} L ${to.x} ${to.y}`;
  const missed = edges.every((edge) => edge.verdict === "missed");
  const line = draw(links, "path", { d: path, class: missed ? "missed" : "" });
  named(line, [owner, other]);
  line.style.setProperty("--own", labelOf(isHub(owner) ? other : owner).colour);
};

const chipStack = ({ x, y, half, side }) => {
  const stack = make(graphSheet, "div", { class: side === 0 ? "chips under" : "chips" });
  stack.style.left = `${side === 0 ? Math.max(x, 86) : plan.middle[side]}px`;
  stack.style.top = `${side === 0 ? y + half + 2 : y}px`;
  stack.style.maxWidth = `${side === 0 ? 160 : plan.room}px`;
  return stack;
};

const drawChip = (stack, edge, side, named) => {
  const chip = stands(make(stack, "button", { type: "button", class: `chip ${edge.verdict}` }), [edge.subject, edge.object], relationOf(edge));
  chip.style.setProperty("--group", `var(--group-${predicates[edge.predicate].group % 6})`);
  if (MARKS[edge.verdict]) make(chip, "span", { class: "mark" }, MARKS[edge.verdict]);
  const outward = ownerOf(edge) === edge.object; // reads from the middle to the thing
  const right = side >= 0 ? outward : !outward;
  const arrow = make(null, "span", { class: "arrow" }, right ? "→" : "←");
  const text = make(null, "span", { class: "text" });
  if (named) { writeName(text, otherOf(edge)); text.append(": "); }
  make(text, "span", { class: "said" }, predicates[edge.predicate].text);
  chip.append(...(right ? [text, arrow] : [arrow, text]));
  if (edge.score < 1) make(chip, "span", { class: "score" }, edge.score.toFixed(2).replace(/^0/, ""));
  if (edge.uncertain) make(chip, "span", { class: "unsure" }, "?");
  const verdict = edge.verdict === "plain" ? "" : ` (${edge.verdict})`;
  chip.title = `${sentence(edge)}${edge.score < 1 ? `, ${edge.score.toFixed(2)}` : ""}${verdict}${edge.uncertain ? "; the model is unsure" : ""}`;
  chip.setAttribute("aria-label", chip.title);
  chip.addEventListener("click", () => showRow(relationOf(edge)));
};

on("frame", drawGraph);
on("filters", planGraph);
new ResizeObserver(planGraph).observe(graphPanel);
