// The start page: choose a video and a checkpoint, send, and follow what becomes of it.

import { Refused, ask, byId, countText, make, roughSpanText, sizeText, spanText } from "./common.js";

const form = byId("new");
const input = byId("file");
let limits = { bytes: Infinity, minutes: Infinity };
let shown = ""; // the state that is on the page, as text
let sending = null;
const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

// The video

function choose(file) {
  const large = file && file.size > limits.bytes;
  tell(large ? `${file.name} has ${sizeText(file.size)}; this app takes ${sizeText(limits.bytes)} at most (-max_upload_mb).` : "");
  if (large) input.value = "";
  byId("chosen").textContent = file && !large ? file.name : "Drop a video here, or click to choose one";
  byId("drop").classList.toggle("full", Boolean(file && !large));
  tellLimits();
  ready();
}

function tellLimits() {
  const file = input.files[0];
  byId("limits").textContent = file ? sizeText(file.size) : `up to ${sizeText(limits.bytes)} and ${limits.minutes} minutes${local ? "; it stays on this machine" : ""}`;
}

function ready() {
  byId("make").disabled = Boolean(sending) || !input.files.length || !form.elements.checkpoint;
}

function tell(problem) {
  byId("problem").textContent = problem;
  byId("problem").hidden = !problem;
}

input.addEventListener("change", () => choose(input.files[0]));
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length && !sending) {
      input.files = event.dataTransfer.files;
      choose(input.files[0]);
    }
  });
}

// Sending it: a request of the older kind, as it is the one that tells how much has been sent.

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = input.files[0];
  const wishes = new URLSearchParams({ name: file.name, checkpoint: form.elements.checkpoint.value });
  for (const name of ["fps", "least_score", "threshold"]) wishes.set(name, form.elements[name].value);
  wishes.set("overlay", form.elements.overlay.checked);
  sending = new XMLHttpRequest();
  sending.open("POST", `/api/jobs?${wishes}`);
  sending.setRequestHeader("Content-Type", "application/octet-stream");
  sending.upload.addEventListener("progress", (sent) => { byId("sending").value = sent.loaded / (sent.total || 1); });
  sending.addEventListener("loadend", () => {
    const { status, responseText } = sending;
    sending = null;
    atWork(false);
    if (status === 201) {
      input.value = "";
      choose();
    } else if (status) {
      tell(messageOf(responseText) || `The app answered ${status}.`);
    }
    look();
  });
  sending.addEventListener("error", () => tell("The video could not be sent; is the app still running, and does it take videos of that size?"));
  tell("");
  atWork(true);
  sending.send(file);
});
byId("abort").addEventListener("click", () => sending?.abort());

function atWork(now) {
  byId("sending").value = 0;
  byId("sending").hidden = byId("abort").hidden = !now;
  input.disabled = now;
  ready();
}

function messageOf(text) {
  try {
    return JSON.parse(text).message;
  } catch {
    return "";
  }
}

// What there is

let timer = 0;

async function look() {
  clearTimeout(timer);
  let wait = 3000;
  try {
    const state = await ask("/api/state");
    show(state);
    document.body.classList.remove("away");
    if (state.jobs.some((job) => job.state === "running" || job.state === "waiting")) wait = 500;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    document.body.classList.add("away");
    tell(error.message);
    shown = "";
  }
  timer = setTimeout(look, document.hidden ? 3000 : wait);
}

function show(state) {
  const text = JSON.stringify(state);
  if (text === shown) return; // leave what is pointed at alone
  const before = shown ? JSON.parse(shown) : {};
  limits = state.limits;
  if (!shown) choose(input.files[0]); // it may have been chosen before the limits were known
  shown = text;
  tellLimits();
  if (JSON.stringify(before.checkpoints) !== JSON.stringify(state.checkpoints)) showCheckpoints(state.checkpoints);
  showJobs(state.jobs);
  ready();
}

function showCheckpoints(checkpoints) {
  const usable = checkpoints.filter((checkpoint) => !checkpoint.problem);
  const others = checkpoints.filter((checkpoint) => checkpoint.problem);
  const before = form.elements.checkpoint?.value;
  const chosen = usable.find((checkpoint) => checkpoint.id === before) || usable[0];
  const cards = usable.map((checkpoint) =>
    make("label", { class: "choice", title: checkpoint.file },
      make("input", { type: "radio", name: "checkpoint", value: checkpoint.id, checked: checkpoint === chosen }),
      make("b", {}, checkpoint.name),
      make("span", {}, [checkpoint.model, checkpoint.mode, checkpoint.detector, checkpoint.note].filter(Boolean).join(" · "))));
  const none = make("p", { class: "none" }, "None that finds things in plain videos itself. Train one with ", make("code", {}, "vidsgg train -mode sgdet"),
    ", or name its folder: ", make("code", {}, "vidsgg app FOLDER"), ".");
  document.querySelector("#checkpoints .choices").replaceChildren(...(cards.length ? cards : [none]));
  byId("unusable").hidden = !others.length;
  byId("unusable").querySelector("summary").textContent = `${countText(others.length, "other")} cannot be used here`;
  byId("unusable").querySelector("ul").replaceChildren(...others.map((checkpoint) =>
    make("li", { title: checkpoint.file }, make("b", {}, checkpoint.name), ` ${checkpoint.problem}`)));
}

const STEPS = { starting: "starting", reading: "reading the video", loading: "loading the model", frames: "looking at pictures", page: "drawing the page", overlay: "drawing the video", downloads: "writing downloads" };

function showJobs(jobs) {
  const waiting = jobs.filter((job) => job.state === "waiting").reverse();
  const list = document.querySelector("#jobs .list");
  const focus = document.activeElement?.dataset?.key;
  list.replaceChildren(...jobs.map((job) => row(job, waiting.indexOf(job))));
  for (const button of list.querySelectorAll("[data-key]")) if (focus && button.dataset.key === focus) button.focus();
  document.querySelector("#jobs .none").hidden = jobs.length > 0;
  byId("search").hidden = !jobs.some((job) => job.state === "done");
}

function row(job, place) {
  const lines = {
    waiting: () => [make("p", {}, place ? `waiting, number ${place + 1}` : "waiting, next"), doing(job, "cancel", "Cancel")],
    running: () => [progressOf(job), doing(job, "cancel", "Cancel")],
    done: () => [make("p", {}, `${countText(job.frames, "graph")}, ${countText(job.relations, "relation")} over time, in ${spanText(job.seconds)}`), opening(job), removing(job)],
    failed: () => [make("p", { class: "problem" }, job.message), job.again ? doing(job, "again", "Try again") : null, removing(job)],
    cancelled: () => [make("p", {}, "cancelled"), doing(job, "again", "Try again"), removing(job)],
    stopped: () => [make("p", {}, job.message), doing(job, "again", "Try again"), removing(job)],
    damaged: () => [make("p", { class: "problem" }, job.message), removing(job)],
  }[job.state]();
  const name = job.state === "done" ? make("a", { href: `/results/${job.id}`, "data-key": `open ${job.id}` }, job.name) : make("b", {}, job.name);
  const notes = job.notes.length ? make("p", { class: "notes" }, job.notes.join(" ")) : null;
  return make("li", { class: job.state, "data-job": job.id },
    make("div", { class: "name" }, name, make("span", {}, [job.model, new Date(job.created * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })].filter(Boolean).join(", "))),
    make("div", { class: "state" }, ...lines), notes);
}

function progressOf(job) {
  const known = job.total > 0;
  const text = [known ? `${STEPS[job.step]}, ${job.done} of ${job.total}` : STEPS[job.step] ?? job.step, job.left != null ? `about ${roughSpanText(job.left)} left for that` : ""];
  return make("p", { class: "progress" }, make("progress", { max: known ? job.total : null, value: known ? job.done : null, "aria-label": job.name }), make("span", {}, text.filter(Boolean).join("; ")));
}

const opening = (job) => make("a", { class: "button", href: `/results/${job.id}`, "data-key": `button ${job.id}`, "aria-label": `Open ${job.name}` }, "Open");

function doing(job, action, text) {
  const act = () => ask(`/api/jobs/${job.id}/${action}`, "POST").catch((error) => tell(error.message)).then(look);
  return make("button", { type: "button", "data-key": `${action} ${job.id}`, onclick: act }, text);
}

function removing(job) {
  const button = doing(job, "remove", "Remove");
  button.addEventListener("click", (event) => { if (!confirm(`Remove ${job.name} and all that was made of it?`)) event.stopImmediatePropagation(); }, true);
  return button;
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
look();
