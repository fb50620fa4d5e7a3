// The page is put together.

const length = content.clock === "frames" ? `${frameCount} graphs` : `${frameCount} graphs in ${clockText(ending - beginning)}`;
byId("about").textContent = [content.about, frameCount === 1 ? "1 graph" : length].filter(Boolean).join(" · ");
byId("notes").textContent = content.notes.join(" ");
byId("notes").hidden = !content.notes.length;
byId("verdicts").hidden = !compared;
for (const element of document.querySelectorAll(".truth-key")) element.hidden = !compared;
byId("between").textContent = isVideo
  ? `Graphs were made ${frameCount > 1 ? `about every ${spacing.toFixed(2)} seconds` : "once"}; in between, boxes move evenly from one sighting to the next if these are at most ${BETWEEN} seconds apart, dashed where a graph in between did not see the thing.`
  : "Each graph has its own picture; boxes stay until the next.";
byId("picture").dataset.kind = content.media.kind;

tell("filters"); // lays out the graph, then the timeline
tell("frame");
tell("time");
tell("playing");
const opened = Number(location.hash.slice(1)); // page.html#5 opens the fifth graph
media.seek(times[Number.isInteger(opened) && opened >= 1 && opened <= frameCount ? opened - 1 : content.opens]);
