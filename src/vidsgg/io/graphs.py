"""``VideoGraph`` as versioned JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vidsgg.errors import DataError
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph

FORMAT, VERSION = "vidsgg.video_graph", 1


def write_graph(path: Path, graph: VideoGraph) -> None:
    """Raises DataError if the file cannot be written."""
    text = json.dumps({"format": FORMAT, "version": VERSION, **asdict(graph)}, ensure_ascii=False, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}.") from error


def read_graph(path: Path) -> VideoGraph:
    """The graph that ``write_graph`` wrote, equal in every value. Raises DataError naming the file and what is wrong."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path} is not a video graph of vidsgg.")
    if content.get("version") != VERSION:
        raise DataError(f"{path} is of version {content.get('version')!r}; this program reads version {VERSION}.")
    try:
        return VideoGraph(content["video_id"], content["dataset"], tuple(_frame(frame) for frame in content["frames"]))
    except (KeyError, TypeError) as error:
        raise DataError(f"{path}: a field is missing or unknown: {error}") from error


def _frame(values: dict[str, Any]) -> GraphFrame:
    nodes = tuple(GraphNode(**{**node, "box": None if node["box"] is None else tuple(node["box"])}) for node in values["nodes"])
    return GraphFrame(**{**values, "nodes": nodes, "edges": tuple(GraphEdge(**edge) for edge in values["edges"])})
