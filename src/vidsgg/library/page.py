"""A page with what a search found: a short clip for each of the surest hits, and how hits lie over
time."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from vidsgg.errors import DataError, counted
from vidsgg.io.locations import Location, RemotePath
from vidsgg.library.search import Hit, Hits, Library
from vidsgg.viewer.media import Media, media_of, times_of

CLIPS = 24  # hits with a clip; further ones are lines
_AROUND = 1.0  # seconds of the video before a hit and after it
_LONGEST = 8.0  # seconds of a clip
_WIDTH = 400  # pixels


@dataclass(frozen=True)
class HitsPage:
    """html: the page, whole. notes: hits without a clip, and why."""

    html: str
    notes: tuple[str, ...]


def hits_page(library: Library, hits: Hits, clips: int = CLIPS, videos: Location | None = None) -> HitsPage:
    """The page of a search; it needs no other file.

    clips: how many hits get one. videos: the folder of the videos, by default where the library says. A video that is not where it was costs its clip only.
    """
    notes: list[str] = []
    said = [_words(hit) + _paragraphs(hits.own_notes(hit)) for hit in hits]
    cards = [
        f"<article>{_clip_of(library, hit, videos, notes)}{words}</article>" if i < clips else f"<li>{words}</li>"
        for i, (hit, words) in enumerate(zip(hits, said, strict=True))
    ]
    body = [
        f"<h1>{escape(hits.query)}</h1>",
        f"<p>{_count(hits, library.path.name)}</p>",
        _paragraphs(hits.shared_notes()),
        _timeline(hits),
        f"<main>{''.join(cards[:clips])}</main>",
    ]
    if rest := cards[clips:]:
        body.append(f"<h2>Further hits</h2><ol start={clips + 1}>{''.join(rest)}</ol>")
    html = _PAGE.replace("{title}", escape(hits.query)).replace("{body}", "\n".join(body))
    return HitsPage(html, tuple(dict.fromkeys(notes)))


def _count(hits: Hits, library: str) -> str:
    number = counted(hits.total, "hit") if hits.total else "No hit"
    below = f"; the surest {len(hits):,} of them are below" if len(hits) < hits.total else ""
    return f"{number} in the library {escape(library)}{below}."


def _paragraphs(notes: Iterable[str]) -> str:
    return "".join(f'<p role="note">{escape(note)}</p>' for note in notes)


def _clip_of(library: Library, hit: Hit, videos: Location | None, notes: list[str]) -> str:
    """A hit's clip, or what stands in its place. notes: gets the reason."""
    try:
        media = _clip(library, hit, videos)
    except DataError as error:
        notes.append(str(error))
        media = Media()
    if media.video is not None:
        source = base64.b64encode(media.video).decode()
        return f'<video controls loop muted preload="metadata" src="data:video/mp4;base64,{source}"></video>'
    if shown := [picture for picture in media.pictures if picture]:
        source = base64.b64encode(shown[0]).decode()
        return f'<img alt="a frame of the hit" src="data:image/jpeg;base64,{source}">'
    return '<div class="none">no clip</div>'


def _clip(library: Library, hit: Hit, videos: Location | None) -> Media:
    path = library.video_path(hit.video)
    if path is not None and videos is not None:
        path = videos / path.name
    elif isinstance(path, RemotePath) and not (
        isinstance(library.path, RemotePath) and library.path.bucket == path.bucket
    ):
        raise DataError(
            f"{hit.video}: no clip; a page does not open addresses that only a library names ({path}); use -videos."
        )
    if path is None or hit.begin is None or hit.end is None or not path.exists():
        where = "unknown" if path is None else str(path)
        raise DataError(f"{hit.video}: no clip; its video ({where}) or the time of the hit is not known here.")
    graph = library.graph(hit.video)
    begin = max(0.0, hit.begin - _AROUND)
    return media_of(graph, times_of(graph, path), path, _WIDTH, begin, min(hit.end + _AROUND, begin + _LONGEST))


def _words(hit: Hit) -> str:
    found = "".join(
        f"<li><b>{escape(relation.subject)}</b> {escape(relation.predicate)} <b>{escape(relation.object)}</b>"
        f" <small>{_span(relation.begin, relation.end)}</small></li>"
        for relation in hit.relations
    )
    if hit.thing is not None:
        found = f"<li><b>{escape(hit.thing.label)}</b> in {counted(hit.thing.frames, 'graph')}</li>"
    return f"<h3>{escape(hit.video)}</h3><p>{_span(hit.begin, hit.end)}, score {hit.score:.2f}</p><ul>{found}</ul>"


def _span(begin: float | None, end: float | None) -> str:
    return "at an unknown time" if begin is None or end is None else f"{_clock(begin)} to {_clock(end)}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"


def _timeline(hits: Hits) -> str:
    """A bar for every stretch of time, as high as it has hits."""
    ends = [hit.begin for hit in hits if hit.begin is not None]
    if len(ends) < 2:
        return ""
    every = max(1.0, max(ends) / 60)
    counts = hits.counts(every)
    highest = max(count for _, count in counts)
    bars = "".join(_bars(counts, every, highest))
    width = int(max(ends) // every) + 1
    return (
        f'<figure><svg viewBox="0 0 {width * 10} 44" preserveAspectRatio="none" role="img"'
        f' aria-label="hits over time">{bars}</svg><figcaption>When hits begin in their videos:'
        f" 0:00 to {_clock(max(ends))}, at most {highest} in {every:.0f} s.</figcaption></figure>"
    )


def _bars(counts: list[tuple[float, int]], every: float, highest: int) -> Iterator[str]:
    for begin, count in counts:
        height = max(1.0, 44 * count / highest)
        x = round(begin / every) * 10
        title = f"{_clock(begin)}: {count}"
        yield f'<rect x="{x}" y="{44 - height:.1f}" width="9" height="{height:.1f}"><title>{title}</title></rect>'


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root { color-scheme: light dark; --ground: light-dark(#fff, #16181c); --text: light-dark(#1c1e21, #e4e6ea);
  --soft: light-dark(#5b616b, #9aa2ae); --line: light-dark(#dfe2e7, #2e333b); --mark: light-dark(#2563eb, #7aa5ff); }
body { margin: 2rem auto; max-width: 84rem; padding: 0 1rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font: 600 1.3rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
h3 { margin: .6rem 0 0; font-size: 1rem; overflow-wrap: anywhere; }
p { margin: 0 0 .4rem; color: var(--soft); }
[role=note] { padding-left: .6rem; border-left: 3px solid var(--mark); }
article > [role=note], li > [role=note] { margin: .4rem 0 0; font-size: .85rem; }
ul { margin: 0; padding-left: 1.1rem; } small { color: var(--soft); }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1.2rem; }
article { border: 1px solid var(--line); border-radius: .6rem; padding: .8rem; min-width: 0; }
video, img, .none { display: block; width: 100%; aspect-ratio: 16 / 9; object-fit: contain; background: #000; border-radius: .4rem; }
.none { display: grid; place-items: center; color: #9aa2ae; }
figure { margin: 1rem 0 1.5rem; } svg { display: block; width: 100%; height: 44px; fill: var(--mark); border-bottom: 1px solid var(--line); }
figcaption { color: var(--soft); font-size: .85rem; }
</style>
{body}
</html>
"""
