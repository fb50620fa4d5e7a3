// Asks for the latest picture as long as the page is open.
"use strict";

const picture = document.getElementById("picture");
const state = document.getElementById("state");
const notes = document.getElementById("notes");
let shown = 0;

async function follow() {
  try {
    const now = await (await fetch("/state")).json();
    notes.textContent = now.notes;
    if (now.number && now.number !== shown) {
      shown = now.number;
      picture.src = "/picture?" + shown;
      picture.hidden = false;
      state.textContent = `${now.name}, ${now.time.toFixed(1)} s, picture ${now.number}: graph ${now.latency.toFixed(2)} s later, ${now.dropped} dropped`;
    }
    setTimeout(follow, 500); // no more than two pictures a second are drawn and sent
  } catch {
    state.textContent = "It has ended.";
    setTimeout(follow, 3000);
  }
}

follow();
