"""One HTML page to look at the graphs of a video: pictures, boxes and graphs in a single file that asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import os
from collections.abc import Collection, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

from vidsgg.errors import DataError
from vidsgg.inference.graphs import annotated_graph
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.graph import GraphEdge, GraphFrame, VideoGraph
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.viewer.graphs import Colour, Picture, colours, is_subject, predicted_graph, words

# A picture wider than this is reduced: the page holds every one of them.
_WIDEST = 960
_SAME_THING = 0.5  # IoU from which a predicted thing of the same class counts as the annotated one


def write_page(
    path: Path,
    *,
    images: Sequence[Picture] | None,
    annotation: VideoAnnotation | None = None,
    prediction: VideoPrediction | None = None,
    most: int = 10,
    unsure_above: float | None = None,
) -> None:
    """Write the page of one video.

    images: one RGB (H, W, 3) uint8 per frame, or None where a data set has no pictures. annotation, prediction: ground truth and
    result; with both, the page says which predicted relations are right. most: things shown per frame of a prediction. unsure_above: of
    uncertainty, see to_graph.
    Raises DataError if neither is given, their frames differ in number, or the file cannot be written.
    """
    given = annotation or prediction
    if given is None:
        raise DataError(f"{path}: there is nothing to show; give an annotation, a prediction, or both.")
    for what, count in (("pictures", None if images is None else len(images)), ("predicted frames", prediction and prediction.frames)):
        if count is not None and count != given.frames:
            raise DataError(f"video {given.video_id!r}: {count} {what} for {given.frames} frames.")
    truth = annotated_graph(annotation) if annotation else None
    sizes = [(image.shape[1], image.shape[0]) for image in images or ()]
    guess = predicted_graph(prediction, annotation, sizes, most, unsure_above) if prediction else None
    schema = given.schema
    subjects = schema.vocabulary.subjects if schema.subject_has_box else ()
    write_graph_page(path, images=images, truth=truth, prediction=guess, subjects=subjects)


def write_graph_page(
    path: Path,
    *,
    images: Sequence[Picture] | None,
    truth: VideoGraph | None = None,
    prediction: VideoGraph | None = None,
    subjects: Collection[str] = ("person",),
) -> None:
    """``write_page`` for graphs, such as those read from a file. subjects: classes whose relations are told."""
    graphs = [graph for graph in (prediction, truth) if graph is not None]
    if not graphs or not graphs[0].frames:
        raise DataError(f"{path}: there is no frame to show.")
    groups = list(dict.fromkeys(edge.group for graph in graphs for frame in graph.frames for edge in frame.edges))
    content = {
        "groups": groups,
        "frames": [
            {
                "key": frame.key,
                "time": frame.time,
                "width": frame.width,
                "height": frame.height,
                "picture": None if images is None else _data_uri(images[i]),
                "prediction": prediction and _graph(prediction.frames[i], truth and truth.frames[i], subjects),
                "truth": truth and _graph(truth.frames[i], None, subjects),
            }
            for i, frame in enumerate(graphs[0].frames)
        ],
        "colours": {label: _css(colour) for label, colour in colours(graphs, subjects).items()},
    }
    page = _page(graphs[0], content)
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page, encoding="utf-8", newline="\n")
        os.replace(partial, path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}.") from error


def _page(graph: VideoGraph, content: Mapping[str, Any]) -> str:
    parts = resources.files("vidsgg.viewer")
    style, script, frame = (parts.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js", "page.html"))
    # "<" would let a name close the element that holds the data.
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    filled = {
        "policy": f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'",
        "title": html.escape(graph.video_id),
        "dataset": html.escape(words(graph.dataset)),
        "style": style,
        "script": script,
        "data": data,
    }
    pieces = frame.split("%%")  # every second piece is the name of what goes there
    return "".join(filled[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def _hash(text: str) -> str:
    """The source expression by which a content security policy allows exactly this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data_uri(image: Picture) -> str:
    picture = Image.fromarray(image)
    if picture.width > _WIDEST:
        picture = picture.resize((_WIDEST, max(1, round(picture.height * _WIDEST / picture.width))), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _graph(frame: GraphFrame, truth: GraphFrame | None, subjects: Collection[str]) -> dict[str, Any]:
    """A frame's graph for the page; with ``truth``, every edge says whether it is right."""
    known = {_name(edge, truth, {i: i for i in range(len(truth.nodes))}) for edge in truth.edges} if truth else set()
    same = _matches(frame, truth) if truth else {}
    return {
        "nodes": [
            {"label": node.label, "text": words(node.label), "score": node.score, "box": node.box, "subject": is_subject(node, subjects)}
            for node in frame.nodes
        ],
        "edges": [
            {
                "subject": edge.subject,
                "object": edge.object,
                "text": words(edge.predicate),
                "group": edge.group,
                "score": edge.score,
                "uncertain": edge.uncertain,
                "right": None if truth is None else _name(edge, frame, same) in known,
            }
            for edge in frame.edges
        ],
    }


def _name(edge: GraphEdge, frame: GraphFrame, same: Mapping[int, int]) -> tuple[int | None, int | None, str, str, str]:
    """What two edges must share to be the same relation: ends (as nodes of the truth), their classes, and the predicate."""
    ends = (same.get(edge.subject), same.get(edge.object))
    return (
        (*ends, frame.nodes[edge.subject].label, frame.nodes[edge.object].label, edge.predicate)
        if None not in ends
        else (None, None, "", "", "")
    )


def _matches(frame: GraphFrame, truth: GraphFrame) -> dict[int, int]:
    """For nodes of ``frame``, the node of ``truth`` of the same class that overlaps it most, and enough."""
    found = {}
    for i, node in enumerate(frame.nodes):
        overlaps = {
            j: 1.0 if node.box is None and other.box is None else _iou(node.box, other.box)
            for j, other in enumerate(truth.nodes)
            if other.label == node.label
        }
        best = max(overlaps, key=lambda j: overlaps[j], default=None)
        if best is not None and overlaps[best] >= _SAME_THING:
            found[i] = best
    return found


def _iou(a: tuple[float, ...] | None, b: tuple[float, ...] | None) -> float:
    if a is None or b is None:
        return 0.0
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0.0) * max(height, 0.0)
    return inside / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inside)
