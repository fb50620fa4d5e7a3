// What the reader has chosen, whoever wants to know of changes, and what the choice leaves to be shown.

const state = {
  time: times[0],
  frame: 0,
  layer: compared ? "both" : layers.prediction ? "prediction" : "truth",
  least: content.least ? null : layers.prediction ? 0.3 : 0, // null: by group, as the graph says
  hiddenLabels: new Set(),
  hiddenPredicates: new Set(content.on_request),
  pointed: null, // {things, relation}
};

const listeners = { time: [], frame: [], filters: [], pointed: [], playing: [] };
const on = (kind, listener) => listeners[kind].push(listener);
const tell = (kind) => { for (const listener of listeners[kind]) listener(); };

const moveTo = (time) => {
  state.time = Math.min(Math.max(time, beginning), ending);
  const frame = frameAt(state.time);
  const changed = frame !== state.frame;
  state.frame = frame;
  if (changed) tell("frame");
  tell("time");
};

let planned = false;
const filtersChanged = () => { // once for many steps of a slider
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => { planned = false; tell("filters"); });
};

// The least score of things, of relations in a frame, and of relations over time. Where the graph says what is shown, its things have been
// chosen by their tracks, and the slider is about relations.
const leastOfThings = () => (content.least ? 0 : state.least);
const leastOf = (predicate) => state.least ?? content.least[predicates[predicate].group];
const leastOfIntervals = () => state.least ?? 0;

const showsPrediction = () => layers.prediction && state.layer !== "truth";
const showsTruth = () => layers.truth && state.layer !== "prediction";
const nothingShown = things.length ? "the filters leave nothing to show" : "no object was found";
const labelShown = (thing) => !state.hiddenLabels.has(things[thing]);
const edgeShown = (edge) => !state.hiddenPredicates.has(edge.predicate) && labelShown(edge.subject) && labelShown(edge.object);

// Verdicts: "plain" (nobody can tell, or nobody asks), "right", "wrong", "missed".
const verdictOf = (right) => (!compared || right < 0 ? "plain" : right ? "right" : "wrong");

// The things of a frame as {thing, box, score, verdict, layer}: the predicted ones, then annotated ones that are not among them.
const shownNodes = (frame) => {
  const found = [];
  const met = new Set();
  if (showsPrediction()) {
    for (const node of nodesOf(layers.prediction, frame)) {
      // An action, which has no box, is the centre of its graph and stays, however unsure.
      if ((node.box && node.score < leastOfThings()) || !labelShown(node.thing)) continue;
      found.push({ ...node, verdict: verdictOf(node.right), layer: "prediction" });
      met.add(node.thing);
    }
  }
  if (showsTruth()) {
    for (const node of nodesOf(layers.truth, frame)) {
      if (met.has(node.thing) || !labelShown(node.thing)) continue;
      found.push({ ...node, verdict: state.layer === "both" && truthKnown(frame) ? "missed" : "plain", layer: "truth" });
    }
  }
  return found;
};

// The relations of a frame between things that are shown, with their verdicts.
const shownEdges = (frame, nodes = shownNodes(frame)) => {
  const there = new Set(nodes.map((node) => node.thing));
  const found = [];
  if (showsPrediction()) {
    for (const edge of edgesOf(layers.prediction, frame)) {
      if (edge.score < leastOf(edge.predicate) || !edgeShown(edge) || !there.has(edge.subject) || !there.has(edge.object)) continue;
      found.push({ ...edge, verdict: verdictOf(edge.right) });
    }
  }
  if (showsTruth()) {
    const said = new Set(found.map(relationOf));
    for (const edge of edgesOf(layers.truth, frame)) {
      if (!edgeShown(edge) || said.has(relationOf(edge))) continue;
      const hit = compared && edge.met > 0 && edge.met >= leastOf(edge.predicate);
      if (hit && state.layer === "both") continue; // said of another track of the same thing
      found.push({ ...edge, verdict: !compared ? "plain" : hit ? "right" : "missed" });
    }
  }
  return found.sort((a, b) => predicates[a.predicate].group - predicates[b.predicate].group || b.score - a.score || a.predicate - b.predicate);
};

const MARKS = { plain: "", right: "✓", wrong: "✕", missed: "○" };

// -- elements ----------------------------------------------------------------------------------------------------------------
const byId = (id) => document.getElementById(id);
const make = (parent, name, attributes = {}, text = null) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  parent?.append(element);
  return element;
};
const draw = (parent, name, attributes = {}, text = null) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== null) element.textContent = text;
  parent?.append(element);
  return element;
};

// A name in a place that may be too narrow: its class is cut short, its number never.
const writeName = (parent, thing) => {
  make(parent, "span", { class: "class" }, labelOf(thing).text);
  if (numbers[thing]) make(parent, "span", { class: "number" }, numbers[thing]);
};

const meanings = new WeakMap();
const named = (element, subjects, relation = null) => {
  const meaning = { things: subjects, relation };
  meanings.set(element, meaning);
  element.dataset.things = subjects.join(" ");
  if (relation !== null) element.dataset.relation = relation;
  return meaning;
};

// An element that stands for things, or for a relation between them: pointing at it lights up all that stand for the same.
const stands = (element, subjects, relation = null) => {
  const pointed = named(element, subjects, relation);
  const enter = () => { state.pointed = pointed; tell("pointed"); };
  const leave = () => { if (state.pointed === pointed) { state.pointed = null; tell("pointed"); } };
  element.addEventListener("pointerenter", enter);
  element.addEventListener("pointerleave", leave);
  element.addEventListener("focus", enter);
  element.addEventListener("blur", leave);
  return element;
};
const isPointed = (element) => {
  const { things: wanted, relation } = state.pointed;
  const own = meanings.get(element);
  if (relation === null) return own.things.includes(wanted[0]);
  return own.relation === null ? own.things.every((thing) => wanted.includes(thing)) : own.relation === relation;
};
const light = () => {
  document.body.classList.toggle("pointing", state.pointed !== null);
  for (const element of document.querySelectorAll("[data-things]")) element.classList.toggle("hot", state.pointed !== null && isPointed(element));
};
on("pointed", light);
