// All relations over time, grouped by thing: a bar from the begin of an interval's first frame to the end of its last.

const timeline = byId("timeline");
const board = make(timeline, "div", { class: "board" });
const head = make(board, "div", { class: "head" });
make(head, "div", { class: "corner" });
const axis = make(head, "div", { class: "axis" });
const playhead = make(make(board, "div", { class: "travel" }), "div", { class: "playhead", "aria-hidden": "true" });
const rowsPlace = make(board, "div", { class: "rows" });
const NARROW = matchMedia("(max-width: 860px)"); // as in style.css: there the timeline is as high as its rows
const FOLDED = 8; // things that it shows at first there
const unfold = make(timeline, "button", { type: "button", class: "unfold" });
let folded = true;
let rows = [];
let zoom = 1;

const share = (time) => (time - beginning) / (ending - beginning);
const percent = (value) => `${(100 * value).toFixed(4)}%`;
const place = (element, first, last) => {
  element.style.left = percent(share(frameBegin(first)));
  element.style.width = percent(share(frameEnd(last)) - share(frameBegin(first)));
};

const asEdge = ([subject, object, predicate]) => ({ subject, object, predicate });

// Intervals by thing and by what they say of it: {owner, others, predicate, outward, prediction: [...], truth: [...]}. Acting things that
// share a place in the graph, as those of a track that was torn, share a row.
const gathered = () => {
  const found = new Map();
  for (const name of ["prediction", "truth"]) {
    if (!layers[name] || !(name === "prediction" ? showsPrediction() : showsTruth())) continue;
    for (const interval of layers[name].intervals) {
      const edge = asEdge(interval);
      if (!edgeShown(edge) || (name === "prediction" && interval[5] < leastOfIntervals())) continue;
      const owner = ownerOf(edge);
      const other = otherOf(edge);
      if (!plan.places.has(owner) || !plan.places.has(other)) continue;
      const key = [owner, plan.places.get(other).side === 0 ? [...plan.places.get(other).place.things][0] : other, things[other], edge.predicate, owner === edge.object].join("-");
      if (!found.has(key)) found.set(key, { key, owner, others: new Set(), predicate: edge.predicate, outward: owner === edge.object, prediction: [], truth: [] });
      found.get(key).others.add(other);
      found.get(key)[name].push(interval);
    }
  }
  return [...found.values()];
};

// Pieces of a row that differ in nothing: {first, last, verdict, interval}. With both layers, what is said is compared frame by frame.
const pieces = (row) => {
  if (state.layer !== "both" || !compared) {
    return row[state.layer].map((interval) => ({ first: interval[3], last: interval[4], verdict: "plain", interval }));
  }
  const said = spread(row.prediction);
  const true_ = spread(row.truth);
  const found = [];
  for (const frame of [...new Set([...said.keys(), ...true_.keys()])].sort((a, b) => a - b)) {
    const interval = said.get(frame) ?? true_.get(frame);
    const verdict = !truthKnown(frame) ? "plain" : !said.has(frame) ? "missed" : true_.has(frame) ? "right" : "wrong";
    const before = found[found.length - 1];
    if (before && before.last === frame - 1 && before.verdict === verdict && before.interval === interval) before.last = frame;
    else found.push({ first: frame, last: frame, verdict, interval });
  }
  return found;
};
const spread = (intervals) => {
  const found = new Map();
  for (const interval of intervals) {
    for (let frame = interval[3]; frame <= interval[4]; frame++) {
      if (!found.has(frame) || found.get(frame)[5] < interval[5]) found.set(frame, interval);
    }
  }
  return found;
};

const drawTimeline = () => {
  if (!plan) return;
  rowsPlace.replaceChildren();
  rows = gathered();
  const byThing = new Map();
  for (const thing of plan.places.keys()) byThing.set(thing, []);
  for (const row of rows) byThing.get(row.owner).push(row);
  const order = [...byThing.keys()].sort((a, b) => isHub(b) - isHub(a) || shownTime(b) - shownTime(a) || a - b);
  const hubNames = new Set(order.filter(isHub).map(nameOf));
  const folds = NARROW.matches && order.length > FOLDED;
  unfold.hidden = !folds;
  unfold.textContent = folded ? `show all ${order.length} things` : `show ${FOLDED} things`;
  for (const thing of folds && folded ? order.slice(0, FOLDED) : order) {
    drawThingRow(thing);
    const own = byThing.get(thing);
    for (const row of own) { row.pieces = pieces(row); row.length = row.pieces.reduce((sum, p) => sum + frameEnd(p.last) - frameBegin(p.first), 0); }
    own.sort((a, b) => predicates[a.predicate].group - predicates[b.predicate].group || b.length - a.length || a.predicate - b.predicate);
    for (const row of own) drawRelationRow(row, hubNames.size > 1 || ![...row.others].every(isHub));
  }
  board.classList.toggle("none", !order.length);
  board.dataset.nothing = nothingShown;
  markNow();
  light();
};

const spans = (thing) => {
  const frames = new Set();
  if (showsPrediction()) {
    for (const [frame, index] of sightings.prediction[thing]) if (layers.prediction.score[index] >= leastOfThings()) frames.add(frame);
  }
  if (showsTruth()) for (const [frame] of sightings.truth[thing]) frames.add(frame);
  const found = [];
  for (const frame of [...frames].sort((a, b) => a - b)) {
    const before = found[found.length - 1];
    if (before && before[1] === frame - 1) before[1] = frame;
    else found.push([frame, frame]);
  }
  return found;
};
const shownTime = (thing) => spans(thing).reduce((sum, [first, last]) => sum + frameEnd(last) - frameBegin(first), 0);

const newRow = (kind) => {
  const row = make(rowsPlace, "div", { class: `row ${kind}` });
  return { row, label: make(row, "div", { class: "label" }), lane: make(row, "div", { class: "lane" }) };
};

const drawThingRow = (thing) => {
  const { label, lane, row } = newRow("thing");
  row.style.setProperty("--own", labelOf(thing).colour);
  const name = stands(make(label, "button", { type: "button", title: `${nameOf(thing)}: where it is next seen` }), [thing]);
  make(name, "span", { class: "dot" });
  writeName(make(name, "span", { class: "whole" }), thing);
  name.addEventListener("click", () => seekNext(thing));
  for (const [first, last] of spans(thing)) {
    const bar = stands(make(lane, "span", { class: "seen" }), [thing]);
    place(bar, first, last);
  }
};

const drawRelationRow = (row, named) => {
  const { label, lane, row: element } = newRow("relation");
  row.element = element;
  element.style.setProperty("--group", `var(--group-${predicates[row.predicate].group % 6})`);
  const text = predicates[row.predicate].text;
  const others = [...row.others].sort((a, b) => a - b);
  const other = labelOf(others[0]).text + others.map((thing) => numbers[thing]).filter(Boolean).join(",");
  if (named) {
    make(label, "span", { class: "class" }, labelOf(others[0]).text);
    make(label, "span", { class: "number" }, `${other.slice(labelOf(others[0]).text.length)} `);
  }
  make(label, "span", { class: "said" }, `${row.outward ? "→" : "←"} ${text}`);
  label.title = row.outward ? `${other} ${text} ${nameOf(row.owner)}` : `${nameOf(row.owner)} ${text} ${other}`;
  for (const piece of row.pieces) {
    const edge = asEdge(piece.interval);
    const bar = stands(make(lane, "button", { type: "button", class: `bar ${piece.verdict}` }), [edge.subject, edge.object], relationOf(edge));
    place(bar, piece.first, piece.last);
    const score = piece.interval[5];
    bar.style.setProperty("--strength", piece.verdict === "missed" ? 1 : (0.35 + 0.65 * score).toFixed(3));
    const verdict = piece.verdict === "plain" ? "" : `, ${piece.verdict}`;
    const told = piece.verdict !== "missed" && score < 1 ? `, ${score.toFixed(2)}` : "";
    bar.title = `${sentence(edge)}, ${clockText(frameBegin(piece.first))} – ${clockText(frameEnd(piece.last))}${told}${verdict}`;
    bar.setAttribute("aria-label", bar.title);
    bar.dataset.first = piece.first;
    bar.addEventListener("click", () => media.seek(frameBegin(piece.first)));
  }
};

const drawAxis = () => {
  axis.replaceChildren();
  const room = Math.max(80, board.clientWidth - labelWidth());
  const wanted = (ending - beginning) / Math.max(2, room / 84);
  const steps = content.clock === "frames" ? [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500] : [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const step = steps.find((size) => size >= wanted) ?? steps[steps.length - 1];
  for (let i = Math.ceil(beginning / step - 1e-9); i * step < ending - 0.02 * (ending - beginning); i++) {
    const tick = make(axis, "span", {}, content.clock === "frames" ? `${Math.round(2 * i * step) + 1}` : clockText(i * step).replace(/\.0$/, ""));
    tick.style.left = percent(share(i * step));
  }
};
const labelWidth = () => parseFloat(getComputedStyle(board).getPropertyValue("--label"));

// Which rows hold now.
const markNow = () => {
  for (const row of rows) row.element?.classList.toggle("now", row.pieces.some(({ first, last }) => first <= state.frame && state.frame <= last));
};
const movePlayhead = () => {
  playhead.style.setProperty("--at", share(state.time).toFixed(6)); // on the board it would restyle every bar
  if (zoom === 1 || !media.playing()) return;
  const label = labelWidth();
  const x = label + share(state.time) * (board.clientWidth - label);
  if (x < timeline.scrollLeft + label || x > timeline.scrollLeft + timeline.clientWidth - 30) timeline.scrollLeft = x - label - 40;
};
const showRow = (relation) => {
  const find = () => rowsPlace.querySelector(`.bar[data-relation="${relation}"]`);
  if (!find() && folded) { folded = false; drawTimeline(); }
  const bar = find();
  bar?.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (bar) { bar.closest(".row").classList.add("called"); setTimeout(() => bar.closest(".row")?.classList.remove("called"), 1200); }
};

const stretch = (factor) => {
  const most = Math.max(1, (ending - beginning) / 4); // no less than four seconds in sight
  zoom = Math.min(Math.max(zoom * factor, 1), most);
  board.style.width = `${100 * zoom}%`;
  const label = labelWidth();
  timeline.scrollLeft = label + share(state.time) * (board.clientWidth - label) - timeline.clientWidth / 2;
  drawAxis();
};

// Pressing on an empty place of the board goes there, and on as long as it is pressed.
const timeUnder = (event) => {
  const box = axis.getBoundingClientRect();
  return beginning + Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * (ending - beginning);
};
let dragged = false;
board.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || event.target.closest("button, .label") || (event.pointerType === "touch" && !event.target.closest(".axis"))) return;
  dragged = true;
  media.pause();
  board.setPointerCapture(event.pointerId);
  media.seek(timeUnder(event));
});
board.addEventListener("pointermove", (event) => { if (dragged) media.seek(timeUnder(event)); });
for (const name of ["pointerup", "pointercancel"]) board.addEventListener(name, () => { dragged = false; });
board.addEventListener("click", (event) => { // a touch that was no scrolling
  if (event.target.closest(".lane") && !event.target.closest("button")) media.seek(timeUnder(event));
});

unfold.addEventListener("click", () => { folded = !folded; drawTimeline(); });
NARROW.addEventListener("change", drawTimeline);
on("time", movePlayhead);
on("frame", markNow);
on("filters", drawTimeline);
new ResizeObserver(drawAxis).observe(timeline);
