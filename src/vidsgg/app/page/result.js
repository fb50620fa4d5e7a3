// The page of a result: a frame without rights around the page of 'vidsgg view', and what can be taken along.

import { Refused, ask, byId, countText, make } from "./common.js";

const number = location.pathname.split("/")[2];

try {
  const job = await ask(`/api/jobs/${number}`);
  document.title = `${job.name} – vidsgg`;
  byId("made").textContent = `${job.model} · ${countText(job.frames, "graph")} · ${countText(job.relations, "relation")} over time`;
  byId("downloads").hidden = !job.files.length;
  byId("downloads").querySelector("ul").replaceChildren(...job.files.map((file) =>
    make("li", {}, make("a", { href: `/results/${number}/files/${file.name}`, download: true }, make("b", {}, file.suffix.slice(1)), make("span", {}, file.summary)))));
  byId("place").replaceChildren(job.page
    ? make("iframe", { src: `/results/${number}/page${/^#\d+$/.test(location.hash) ? location.hash : ""}`, title: job.name, sandbox: "allow-scripts" })
    : make("div", { class: "missing" }, make("h1", {}, job.name), make("p", {}, job.state === "done" ? "There is no page of this video." : `This is ${job.state}.`),
        ...[job.message, ...job.notes].filter(Boolean).map((text) => make("p", {}, text))));
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  byId("downloads").hidden = true;
  byId("place").replaceChildren(make("p", { class: "missing problem" }, error.message));
}

const downloads = byId("downloads");
document.addEventListener("click", (event) => { if (!downloads.contains(event.target)) downloads.open = false; });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") downloads.open = false;
  if (event.ctrlKey || event.metaKey || event.altKey || (event.key === " " && event.target.closest("a, summary"))) return;
  // The frame is of no origin that could be named; its page takes names of keys only (controls.js there).
  document.querySelector("iframe")?.contentWindow.postMessage({ key: event.key, shiftKey: event.shiftKey }, "*");
});
window.addEventListener("blur", () => { downloads.open = false; }); // a click into the page below
