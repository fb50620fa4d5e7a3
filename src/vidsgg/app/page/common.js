// What both pages use. Text only ever becomes text: nothing is read as HTML.

export const byId = (id) => document.getElementById(id);

// make("a", {href: "/", class: "quiet"}, "text", child): an element.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

export class Refused extends Error {}

// The answer of the app as JSON. Throws Refused with a text for people.
export async function ask(path, method = "GET") {
  let answer;
  try {
    answer = await fetch(path, { method });
  } catch {
    throw new Refused("The app does not answer; is it still running in its terminal?");
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(content.message || `The app answered ${answer.status}.`);
  return content;
}

export function sizeText(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

export function spanText(seconds) {
  if (seconds < 1) return "less than a second";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// Of a guess: no more digits than it is worth.
export function roughSpanText(seconds) {
  return seconds < 5 ? "5 s" : spanText(seconds < 90 ? 5 * Math.round(seconds / 5) : seconds);
}

export const countText = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
