// Buttons under the picture, and the keyboard.

const seekInput = byId("seek");
seekInput.min = beginning;
seekInput.max = ending;
seekInput.addEventListener("input", () => { media.pause(); media.seek(Number(seekInput.value)); });
byId("play").addEventListener("click", () => (media.playing() ? media.pause() : media.play()));
byId("previous").addEventListener("click", () => stepBy(-1));
byId("next").addEventListener("click", () => stepBy(1));
byId("rate").addEventListener("change", () => media.rate(Number(byId("rate").value)));
byId("narrower").addEventListener("click", () => stretch(0.5));
byId("wider").addEventListener("click", () => stretch(2));

on("playing", () => {
  const playing = media.playing();
  byId("play").classList.toggle("playing", playing);
  byId("play").setAttribute("aria-label", playing ? "pause" : "play");
});
on("time", () => {
  seekInput.value = state.time;
  seekInput.setAttribute("aria-valuetext", clockText(state.time));
  byId("clock").textContent = content.clock === "frames" ? "" : `${clockText(state.time)} / ${clockText(ending)}`;
});
on("frame", () => { byId("place").textContent = `graph ${state.frame + 1} of ${frameCount}`; });

const dialog = byId("explanation");
byId("help").addEventListener("click", () => dialog.showModal());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

const keys = {
  " ": () => (media.playing() ? media.pause() : media.play()),
  ArrowRight: (event) => stepBy(event.shiftKey ? 10 : 1),
  ArrowLeft: (event) => stepBy(event.shiftKey ? -10 : -1),
  Home: () => stepBy(-frameCount),
  End: () => stepBy(frameCount),
  b: () => byId("boxes").click(),
  t: nextLayer,
  "+": () => stretch(2),
  "-": () => stretch(0.5),
  "?": () => dialog.showModal(),
  Escape: () => { for (const details of document.querySelectorAll("#filters details[open]")) details.open = false; },
};
// An element that the keyboard has come to keeps the keys that it needs itself. One that was clicked keeps none, so that space plays
// after a click on a bar too; only text to write is never taken away.
let clicked = false;
document.addEventListener("pointerdown", () => { clicked = true; }, true);
document.addEventListener("keydown", (event) => { if (event.key === "Tab") clicked = false; }, true);
const ARROWS = ["ArrowLeft", "ArrowRight", "Home", "End"];
const OWN_KEYS = [
  ["select", [" ", ...ARROWS]],
  ["input[type=range]:not(#seek)", ARROWS],
  ["input[type=radio]", [" ", ...ARROWS]],
  ["button, summary, input[type=checkbox]", [" "]],
];
const keeps = (element, key) => {
  if (element.matches("input[type=search]")) return key !== "Escape";
  if (clicked && !element.matches("select")) return false;
  return OWN_KEYS.some(([selector, own]) => element.matches(selector) && own.includes(key));
};
byId("rate").addEventListener("change", () => { if (clicked) byId("rate").blur(); });
const press = (event) => {
  if (dialog.open || !Object.hasOwn(keys, event.key)) return false;
  keys[event.key](event);
  return true;
};
const isPlain = (event) => !event.ctrlKey && !event.metaKey && !event.altKey;
document.addEventListener("keydown", (event) => {
  if (isPlain(event) && !keeps(event.target, event.key) && press(event)) event.preventDefault();
});
document.addEventListener("keyup", (event) => { // some browsers press a button as space comes up
  if (event.key === " " && isPlain(event) && !dialog.open && event.target.matches("button, summary") && !keeps(event.target, " ")) event.preventDefault();
});
// The page around this one, that of 'vidsgg app', hands on the keys that are pressed there.
window.addEventListener("message", ({ source, data }) => {
  if (source === window.parent && source !== window && typeof data?.key === "string") press({ key: data.key, shiftKey: data.shiftKey === true });
});

byId("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).getPropertyValue("color-scheme").trim() === "dark";
  const seen = document.documentElement.dataset.theme ? dark : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = seen ? "light" : "dark";
});
