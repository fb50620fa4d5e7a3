// What the reader leaves out.

const leastInput = byId("least");
const byGroup = byId("by-group");
const tellLeast = () => {
  byId("least-value").textContent = state.least === null ? "by group" : state.least.toFixed(2);
  byGroup.hidden = !content.least || state.least === null;
};
leastInput.addEventListener("input", () => {
  state.least = Number(leastInput.value);
  tellLeast();
  filtersChanged();
});
byGroup.addEventListener("click", () => {
  state.least = null;
  leastInput.value = Math.min(...content.least);
  tellLeast();
  filtersChanged();
});
if (content.least) byGroup.title = content.least.map((least, i) => `${groups[i]} ${least.toFixed(2)}`).join(", ");
leastInput.value = state.least ?? Math.min(...content.least);
tellLeast();
if (!layers.prediction) leastInput.closest("label").hidden = true;

byId("layers").hidden = !compared;
for (const input of document.querySelectorAll('input[name="layer"]')) {
  input.checked = input.value === state.layer;
  input.addEventListener("change", () => { state.layer = input.value; filtersChanged(); });
}
const nextLayer = () => {
  if (!compared) return;
  const all = [...document.querySelectorAll('input[name="layer"]')];
  all[(all.findIndex((input) => input.checked) + 1) % all.length].click();
};

const LONG_LIST = 10; // names, from where on a list can be searched
// A list to choose from, with all or none of it at one stroke.
const fillChoices = (details, items, hidden) => {
  const list = details.querySelector(".choices");
  const summary = details.querySelector("summary");
  const word = summary.textContent;
  const boxes = [];
  const showCount = () => {
    const left = items.filter(({ id }) => !hidden.has(id)).length;
    summary.textContent = left < items.length ? `${word} ${left} of ${items.length}` : word;
    details.classList.toggle("filtered", left < items.length);
  };
  const tellCount = () => { showCount(); filtersChanged(); };
  const whole = make(list, "p");
  for (const [text, checked] of [["all", true], ["none", false]]) {
    make(whole, "button", { type: "button" }, text).addEventListener("click", () => {
      for (const [input, { id }] of boxes) {
        if (input.parentElement.hidden) continue; // searched for others
        input.checked = checked; checked ? hidden.delete(id) : hidden.add(id);
      }
      tellCount();
    });
  }
  if (items.length > LONG_LIST) {
    const search = make(list, "input", { type: "search", placeholder: `find in ${items.length} ${word}`, "aria-label": `find in ${word}`, autocomplete: "off", spellcheck: "false" });
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      for (const [input, { text }] of boxes) input.parentElement.hidden = !text.toLowerCase().includes(wanted);
    });
  }
  for (const item of items) {
    const label = make(list, "label");
    const input = make(label, "input", { type: "checkbox" });
    input.checked = !hidden.has(item.id);
    const swatch = make(label, "span", { class: "dot" });
    swatch.style.background = item.colour;
    make(label, "span", {}, item.text);
    input.addEventListener("change", () => { input.checked ? hidden.delete(item.id) : hidden.add(item.id); tellCount(); });
    boxes.push([input, item]);
  }
  showCount();
};
const byText = (a, b) => a.text.localeCompare(b.text, "en");
const used = new Set(things);
fillChoices(byId("objects"), labels.map((label, id) => ({ ...label, id })).filter(({ id }) => used.has(id)).sort(byText), state.hiddenLabels);
const relationItems = predicates.map((predicate, id) => ({ ...predicate, id, colour: `var(--group-${predicate.group % 6})` }));
fillChoices(byId("relations"), relationItems.sort((a, b) => a.group - b.group || byText(a, b)), state.hiddenPredicates);
document.addEventListener("pointerdown", (event) => {
  for (const details of document.querySelectorAll("#filters details[open]")) if (!details.contains(event.target)) details.open = false;
});

const legend = byId("legend");
const drawLegend = () => {
  legend.replaceChildren();
  if (groups.length > 1) {
    groups.forEach((group, i) => {
      const item = make(legend, "span", {});
      make(item, "i", { class: "swatch" }).style.setProperty("--group", `var(--group-${i % 6})`);
      item.append(group);
    });
  }
  if (!compared || state.layer !== "both") return;
  for (const verdict of ["right", "wrong", "missed"]) {
    const item = make(legend, "span", {});
    make(item, "i", { class: `swatch bar ${verdict}` });
    item.append(`${MARKS[verdict]} ${verdict}`);
  }
};
on("filters", drawLegend);
drawLegend();
