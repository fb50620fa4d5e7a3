// The search box: places in all videos, each a link that opens its page at that moment.

import { Refused, ask, byId, countText, make } from "./common.js";

const form = byId("search");
const problem = form.querySelector(".problem");
const found = byId("found");
let latest = 0; // number of the search that was asked for last

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const query = form.elements.query.value.trim();
  const mine = ++latest;
  problem.hidden = true;
  found.hidden = !query;
  if (!query) return;
  found.querySelector("[role=status]").textContent = "searching …";
  found.querySelector(".notes").textContent = "";
  found.querySelector("ol").replaceChildren();
  try {
    const answer = await ask(`/api/search?${new URLSearchParams({ query })}`);
    if (mine === latest) show(answer);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (mine !== latest) return;
    found.hidden = true;
    problem.hidden = false;
    problem.textContent = error.message;
  }
});

form.elements.query.addEventListener("input", () => {
  if (form.elements.query.value) return; // the cross of the field empties it
  latest += 1;
  found.hidden = problem.hidden = true;
});

function show({ total, notes, hits }) {
  found.querySelector(".notes").textContent = notes.join(" ");
  found.querySelector("[role=status]").textContent = total > hits.length ? `${countText(total, "hit")}, the surest ${hits.length} of them` : total ? countText(total, "hit") : "No hit";
  found.querySelector("ol").replaceChildren(...hits.map((hit) =>
    make("li", {}, make("a", { href: `/results/${hit.job}#${hit.graph}` },
      make("time", {}, span(hit)), make("b", {}, hit.name), make("small", {}, hit.score.toFixed(2)),
      make("small", {}, [hit.found.join("; "), ...hit.notes].join(" · "))))));
}

function span({ begin, end }) {
  return begin == null ? "unknown time" : `${clock(begin)} – ${clock(end ?? begin)}`;
}

function clock(seconds) {
  const rest = (seconds % 60).toFixed(1).padStart(4, "0");
  return `${Math.floor(seconds / 60)}:${rest}`;
}
