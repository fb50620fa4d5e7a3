"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const frames = data.frames;
  const groupColours = ["#7a4fbf", "#0b7285", "#b35309", "#3b6b1e", "#a61e4d", "#495057"];
  const colourOf = (group) => groupColours[data.groups.indexOf(group) % groupColours.length];
  const words = (name) => name.replaceAll("_", " ");
  const byId = (id) => document.getElementById(id);
  let now = 0;
  let timer = null;
  let pointed = null; // label of the thing under the pointer

  const make = (parent, name, attributes = {}, text = null) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== null) element.textContent = text;
    parent.appendChild(element);
    return element;
  };
  const clear = (element) => { while (element.firstChild) element.removeChild(element.firstChild); };

  const ruler = document.createElement("canvas").getContext("2d");
  const widthOf = (text, font) => { ruler.font = font; return ruler.measureText(text).width; };
  const FONT = 'system-ui, "Segoe UI", Roboto, sans-serif';

  // -- the picture ---------------------------------------------------------------------------------------------------------
  const far = (a, b) => !b || a.some((value, i) => Math.abs(value - b[i]) > 0.5);

  const drawPicture = (frame) => {
    const svg = byId("picture");
    clear(svg);
    svg.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
    if (frame.picture) make(svg, "image", { href: frame.picture, width: frame.width, height: frame.height, preserveAspectRatio: "none" });
    if (!byId("boxes").checked) return;
    const shown = frame.prediction || frame.truth;
    const unit = frame.width / 640; // lines and letters keep their size whatever the picture's
    if (frame.prediction && frame.truth) {
      for (const node of frame.truth.nodes) {
        const same = frame.prediction.nodes.some((other) => other.label === node.label && other.box && node.box && !far(node.box, other.box));
        if (node.box && !same) drawBox(svg, node, unit, true);
      }
    }
    for (const node of shown.nodes) if (node.box) drawBox(svg, node, unit, false);
    const taken = [];
    for (const node of shown.nodes) if (node.box) drawName(svg, node, unit, frame, taken);
  };

  const drawBox = (svg, node, unit, dashed) => {
    const [x1, y1, x2, y2] = node.box;
    const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1, fill: "none", rx: 2 * unit };
    const strong = pointed === null || pointed === node.label || node.subject ? 1 : 0.25;
    make(svg, "rect", { ...place, stroke: "#fff", "stroke-width": 5 * unit, opacity: 0.8 * strong });
    const line = { ...place, stroke: data.colours[node.label], "stroke-width": 2.5 * unit, opacity: strong };
    if (dashed) line["stroke-dasharray"] = `${7 * unit} ${5 * unit}`;
    make(svg, "rect", line);
  };

  const drawName = (svg, node, unit, frame, taken) => {
    const size = 13 * unit;
    const text = node.score < 1 ? `${node.text} ${node.score.toFixed(2)}` : node.text;
    const width = widthOf(text, `600 13px ${FONT}`) * unit + 9 * unit;
    const height = 19 * unit;
    const x = Math.max(0, Math.min(node.box[0], frame.width - width));
    let y = Math.max(0, node.box[1] - height);
    const hit = (t) => x < t.x + t.width && t.x < x + width && y < t.y + height && t.y < y + height;
    while (taken.some(hit) && y + 2 * height < frame.height) y += height;
    taken.push({ x, y, width });
    make(svg, "rect", { x, y, width, height, fill: data.colours[node.label], rx: 3 * unit });
    make(svg, "text", { x: x + 4.5 * unit, y: y + 14 * unit, fill: "#fff", "font-size": size }, text);
  };

  // -- the graph -----------------------------------------------------------------------------------------------------------
  const WIDTH = 640, LEFT = 16, NODE = 116, RIGHT = WIDTH - 16 - 136, GAP = 6, PILL = 24;

  // Relations of one thing with one subject, as labels that wrap between the two columns.
  const layLabels = (edges, thing) => {
    const room = RIGHT - (LEFT + NODE) - 64;
    const lines = [[]];
    let used = 0;
    for (const edge of edges) {
      const arrow = edge.subject === thing ? "← " : "";
      const text = arrow + edge.text + (edge.score < 1 ? ` ${edge.score.toFixed(2)}` : "") + (edge.uncertain ? " ?" : "");
      const mark = edge.right === true ? 16 : 0;
      const width = widthOf(text, `13px ${FONT}`) + 18 + mark;
      if (used + width > room && lines[lines.length - 1].length) { lines.push([]); used = 0; }
      lines[lines.length - 1].push({ edge, text, width, mark });
      used += width + GAP;
    }
    return lines;
  };

  const drawGraph = (svg, graph) => {
    clear(svg);
    const links = [];
    graph.nodes.forEach((node, i) => {
      if (node.subject) return;
      const bySubject = new Map();
      for (const edge of graph.edges) {
        if (edge.subject !== i && edge.object !== i) continue;
        const other = edge.subject === i ? edge.object : edge.subject;
        if (!bySubject.has(other)) bySubject.set(other, []);
        bySubject.get(other).push(edge);
      }
      for (const [subject, edges] of bySubject) {
        edges.sort((a, b) => data.groups.indexOf(a.group) - data.groups.indexOf(b.group));
        links.push({ thing: i, subject, lines: layLabels(edges, i) });
      }
      if (!bySubject.size) links.push({ thing: i, subject: null, lines: [] });
    });
    let y = 10;
    for (const link of links) {
      link.height = Math.max(44, link.lines.length * (PILL + GAP) + 8);
      link.middle = y + link.height / 2;
      y += link.height + 10;
    }
    const height = Math.max(y, 76);
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${height}`);
    const subjects = graph.nodes.map((node, i) => i).filter((i) => graph.nodes[i].subject);
    const places = new Map(subjects.map((i, k) => [i, (height * (k + 0.5)) / subjects.length]));
    const start = LEFT + NODE;
    for (const link of links) {
      if (link.subject === null) continue;
      const from = places.get(link.subject) ?? height / 2;
      const bend = start + 46;
      make(svg, "path", {
        d: `M ${start} ${from} C ${bend} ${from} ${start + 6} ${link.middle} ${start + 52} ${link.middle} L ${RIGHT} ${link.middle}`,
        fill: "none", stroke: data.colours[graph.nodes[link.thing].label], "stroke-width": 2.5, opacity: 0.55,
      });
    }
    for (const link of links) {
      const box = make(svg, "g", { class: "thing" });
      const label = graph.nodes[link.thing].label;
      box.addEventListener("pointerenter", () => { pointed = label; drawPicture(frames[now]); });
      box.addEventListener("pointerleave", () => { pointed = null; drawPicture(frames[now]); });
      drawNode(box, graph.nodes[link.thing], RIGHT, link.middle, 136);
      link.lines.forEach((line, row) => {
        let x = start + 40;
        const top = link.middle - (link.lines.length * (PILL + GAP) - GAP) / 2 + row * (PILL + GAP);
        for (const { edge, text, width, mark } of line) {
          const colour = colourOf(edge.group);
          const wrong = edge.right === false;
          make(box, "rect", {
            x, y: top, width, height: PILL, rx: 12, fill: wrong ? "#fff" : colour, stroke: wrong ? "#9aa0a9" : colour,
            "stroke-width": 1.5, "stroke-dasharray": wrong ? "4 3" : "none",
          });
          if (mark) make(box, "text", { x: x + 8, y: top + 16.5, "font-size": 13, "font-weight": 700, fill: "#fff" }, "✓");
          make(box, "text", { x: x + 9 + mark, y: top + 16.5, "font-size": 13, fill: wrong ? "#6d727b" : "#fff" }, text);
          x += width + GAP;
        }
      });
    }
    for (const i of subjects) drawNode(svg, graph.nodes[i], LEFT, places.get(i), NODE);
    if (!graph.nodes.length) make(svg, "text", { x: LEFT, y: 40, "font-size": 14, fill: "#6d727b" }, "nothing in this frame");
  };

  const drawNode = (parent, node, x, middle, width) => {
    const colour = data.colours[node.label];
    make(parent, "rect", { x, y: middle - 19, width, height: 38, rx: node.subject ? 19 : 8, fill: colour });
    let text = node.text;
    while (text.length > 3 && widthOf(text, `600 14px ${FONT}`) > width - 14) text = `${text.replace(/…$/, "").slice(0, -1)}…`;
    const label = make(parent, "text", {
      x: x + width / 2, y: middle + (node.score < 1 ? 0 : 5), "text-anchor": "middle", "font-size": 14, "font-weight": 600, fill: "#fff",
    }, text);
    make(label, "title", {}, node.text);
    if (node.score < 1) make(parent, "text", { x: x + width / 2, y: middle + 14, "text-anchor": "middle", "font-size": 11, fill: "#fff" }, node.score.toFixed(2));
  };

  // -- all frames at a glance ----------------------------------------------------------------------------------------------
  const lastGroup = data.groups[data.groups.length - 1];
  const strip = byId("strip");
  const labels = [...new Set(frames.flatMap((f) => (f.prediction || f.truth).nodes.filter((n) => !n.subject).map((n) => n.label)))].slice(0, 10);
  const NAME = 120, ROW = 18, STRIP = 640;
  const cell = (STRIP - NAME) / frames.length;

  const statesOf = (graph, label) => {
    const thing = graph.nodes.findIndex((node) => node.label === label);
    if (thing < 0) return null;
    const found = graph.edges.filter((e) => e.group === lastGroup && (e.subject === thing || e.object === thing));
    const best = Math.max(...found.map((e) => e.score)); // a row that told every likely predicate would change with every frame
    return found.filter((e) => e.score === best).map((e) => e.text).join(", ");
  };

  const drawStrip = () => {
    clear(strip);
    strip.setAttribute("viewBox", `0 0 ${STRIP} ${labels.length * ROW + 22}`);
    if (lastGroup) make(strip, "text", { x: 0, y: 12, "font-size": 12, fill: "#6d727b" }, `${words(lastGroup)}, over all frames`);
    labels.forEach((label, row) => {
      const y = 20 + row * ROW;
      make(strip, "text", { x: 0, y: y + 12, "font-size": 12, fill: data.colours[label] }, words(label));
      let begin = 0;
      const states = frames.map((frame) => statesOf(frame.prediction || frame.truth, label));
      for (let i = 1; i <= states.length; i++) {
        if (i < states.length && states[i] === states[begin]) continue;
        if (states[begin] !== null) {
          const idle = states[begin] === "not contacting" || states[begin] === "";
          const bar = make(strip, "rect", {
            x: NAME + begin * cell + 0.5, y: y + 1, width: Math.max((i - begin) * cell - 1, 1), height: ROW - 4, rx: 3,
            fill: idle ? "#d5d9df" : data.colours[label], opacity: idle ? 1 : 0.85,
          });
          make(bar, "title", {}, states[begin]);
          let text = states[begin];
          const room = (i - begin) * cell - 8;
          if (widthOf(text, `10px ${FONT}`) < room) {
            const note = make(strip, "text", { x: NAME + begin * cell + 5, y: y + 11.5, "font-size": 10, fill: idle ? "#4a4f57" : "#fff" }, text);
            note.setAttribute("pointer-events", "none");
          }
        }
        begin = i;
      }
    });
    make(strip, "line", { id: "cursor", x1: 0, x2: 0, y1: 17, y2: labels.length * ROW + 21, stroke: "#22252b", "stroke-width": 1.5 });
  };
  strip.addEventListener("click", (event) => {
    const box = strip.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * STRIP;
    if (x > NAME) { stop(); show(Math.min(frames.length - 1, Math.floor((x - NAME) / cell))); }
  });

  // -- the page ------------------------------------------------------------------------------------------------------------
  const panels = [];
  const both = frames[0].prediction && frames[0].truth;
  for (const [kind, title] of [["prediction", "Prediction"], ["truth", "Ground truth"]]) {
    if (!frames[0][kind]) continue;
    const card = document.createElement("div");
    card.className = "card";
    const heading = document.createElement("h2");
    heading.textContent = title;
    const note = document.createElement("p");
    note.className = "note";
    const doubts = frames.some((frame) => frame[kind].edges.some((edge) => edge.uncertain));
    note.textContent = kind === "prediction" && both ? "✓ filled: also in the ground truth; dashed: not." : "";
    if (doubts) note.append(document.createTextNode(" ?: the model is unsure."));
    for (const group of data.groups) {
      const swatch = document.createElement("span");
      swatch.className = "legend";
      swatch.style.background = colourOf(group);
      note.append(swatch, document.createTextNode(words(group)));
    }
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    card.append(heading, note, svg);
    byId("graphs").append(card);
    panels.push({ kind, svg });
  }

  const show = (index) => {
    now = index;
    const frame = frames[index];
    byId("slider").value = index;
    byId("slider").setAttribute("aria-valuetext", frame.key);
    byId("where").textContent = `${index + 1} / ${frames.length}` + (frame.time === null ? "" : ` · ${frame.time.toFixed(1)} s`);
    drawPicture(frame);
    for (const { kind, svg } of panels) drawGraph(svg, frame[kind]);
    const x = NAME + (index + 0.5) * cell;
    byId("cursor").setAttribute("x1", x);
    byId("cursor").setAttribute("x2", x);
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    byId("play").textContent = "▶";
    byId("play").setAttribute("aria-label", "play");
  };
  const play = () => {
    if (timer !== null) { stop(); return; }
    byId("play").textContent = "❚❚";
    byId("play").setAttribute("aria-label", "pause");
    timer = setInterval(() => show((now + 1) % frames.length), 450);
  };
  const step = (by) => { stop(); show((now + by + frames.length) % frames.length); };

  byId("count").textContent = `${frames.length} ${frames.length === 1 ? "frame" : "frames"}`;
  byId("slider").max = frames.length - 1;
  byId("slider").addEventListener("input", () => { stop(); show(Number(byId("slider").value)); });
  byId("play").addEventListener("click", play);
  byId("boxes").addEventListener("change", () => show(now));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") step(1);
    else if (event.key === "ArrowLeft") step(-1);
    else if (event.key === " " && event.target.tagName !== "BUTTON" && event.target.type !== "checkbox") play();
    else return;
    event.preventDefault();
  });
  drawStrip();
  const wanted = Number(location.hash.slice(1)); // page.html#5 opens the fifth frame
  show(Number.isInteger(wanted) && wanted >= 1 && wanted <= frames.length ? wanted - 1 : 0);
})();
