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
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || !keys[event.key]) return;
  const own = event.target.closest("input, select, summary, button"); // these have keys of their own
  if (event.key === " " && own) return;
  if (own?.matches("select, input:not([type=checkbox]):not(#seek)") && event.key !== "Escape" && event.key !== "?") return;
  event.preventDefault();
  keys[event.key](event);
});

byId("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).getPropertyValue("color-scheme").trim() === "dark";
  const seen = document.documentElement.dataset.theme ? dark : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = seen ? "light" : "dark";
});
