"""One HTML page to look at the graphs of a video: pictures, boxes, graph and timeline in a single
file that asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from vidsgg.errors import DataError
from vidsgg.inference.graphs import tracked
from vidsgg.io.atomic import whole_file
from vidsgg.structures.graph import Origin, VideoGraph
from vidsgg.viewer.content import page_content
from vidsgg.viewer.graphs import subjects_of, words
from vidsgg.viewer.media import Media

_COLUMNS = 3  # how deep they lie in the content: "layers", "prediction", "box"
_TRUTH = b'"truth":{'  # of the content; in a name the quotation marks would be escaped
# In this order they make one script.
SCRIPTS = (
    "content.js",
    "store.js",
    "layout.js",
    "media.js",
    "picture.js",
    "graph.js",
    "timeline.js",
    "filters.js",
    "controls.js",
    "start.js",
)


def write_page(
    path: Path,
    *,
    prediction: VideoGraph | None = None,
    truth: VideoGraph | None = None,
    media: Media | None = None,
    times: Sequence[float] | None = None,
    notes: Sequence[str] = (),
    opens: int | None = None,
) -> None:
    """Write the page of one video; see docs/view.md for what it shows.

    prediction, truth: with both, the page says what is right, wrong and missed; of the truth, the
    frames with the prediction's numbers are
    used. times: seconds of every frame, by default those of the graph. notes: what a reader should
    know besides the graph's own notes. opens: number of the frame that is shown first, by default the
    first one. Raises DataError if there is no frame to show, what is given
    does not fit together, or the file cannot be written.
    """
    shown, media = prediction or truth, media or Media()
    if shown is None or not shown.frames:
        raise DataError(
            f"{path}: there is nothing to show; give a graph with frames, a prediction, the truth, or both."
        )
    for what, given in (("pictures", media.pictures), ("times", times or ())):
        if given and len(given) != len(shown.frames):
            raise DataError(f"video {shown.video_id!r}: {len(given)} {what} for {len(shown.frames)} frames.")
    if (
        prediction
        and truth
        and not {frame.number for frame in prediction.frames} & {frame.number for frame in truth.frames}
    ):
        raise DataError(
            f"video {shown.video_id!r}: the ground truth ({truth.video_id!r}) has none of the predicted frames (numbers"
            f" {prediction.frames[0].number}..{prediction.frames[-1].number}); give the truth of the same frames of the"
            " same video."
        )
    if times is None and all(frame.time is not None for frame in shown.frames):
        times = [frame.time or 0.0 for frame in shown.frames]
    if times is not None and any(later <= time for time, later in pairwise(times)):
        times = None  # events of EASG overlap: their frames are shown one after another
    content = page_content(
        prediction and tracked(prediction), truth and tracked(truth), times, subjects_of(prediction, truth)
    )
    content["media"] = {"kind": media.kind, "begin": media.begin, "duration": media.duration}
    content["notes"] = [*shown.notes, *notes]
    content["about"] = _about(shown.dataset, shown.made_by)
    content["opens"] = 0 if opens is None else [frame.number for frame in shown.frames].index(opens)
    _write(path, _page(shown.video_id, content, media))


def has_truth(page: Path) -> bool:
    """Whether a page that ``write_page`` has written shows ground truth; False if there is none."""
    if not page.is_file() or not page.stat().st_size:
        return False
    with page.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(_TRUTH) >= 0


def _about(dataset: str, made_by: Origin | None) -> str:
    parts = [words(dataset)]
    if made_by:
        parts.append(f"{made_by.model}, {made_by.mode}")
    return " · ".join(part for part in parts if part)


def _page(title: str, content: dict[str, Any], media: Media) -> Iterator[str]:
    """The page in pieces: a long one is not put together in memory."""
    folder = resources.files("vidsgg.viewer") / "page"
    style = (folder / "style.css").read_text(encoding="utf-8")
    parts = "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'(() => {{\n"use strict";\n{parts}}})();\n'
    policy = {
        "default-src": "'none'",
        "img-src": "data:",
        "media-src": "blob:",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    filled: dict[str, Callable[[], Iterable[str]]] = {
        "policy": lambda: ["; ".join(f"{name} {value}" for name, value in policy.items())],
        "title": lambda: [html.escape(title)],
        "style": lambda: [style],
        "script": lambda: [script],
        "data": lambda: _json(content, _COLUMNS),
        "media": lambda: ["\n".join(media.encoded())],
    }
    # every second piece is the name of what goes there
    pieces = (folder / "frame.html").read_text(encoding="utf-8").split("%%")
    for i, piece in enumerate(pieces):
        yield from filled[piece]() if i % 2 else [piece]


def _json(value: Any, depth: int = 0) -> Iterator[str]:
    """JSON in pieces: the parts of tables one after another, down to that depth."""
    if isinstance(value, dict) and value and depth:
        for i, (name, part) in enumerate(value.items()):
            yield f"{',' if i else '{'}{json.dumps(name)}:"
            yield from _json(part, depth - 1)
        yield "}"
        return
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    yield text.replace("<", "\\u003c")  # which would let a name close the element that holds the data


def _hash(text: str) -> str:
    """The source expression by which a content security policy allows exactly this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _write(path: Path, pieces: Iterable[str]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            for piece in pieces:
                file.write(piece.encode("utf-8", "replace"))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}.") from error
