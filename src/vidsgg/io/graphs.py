"""``VideoGraph`` as versioned JSON, described by ``video_graph.schema.json``: a line per frame,
then a line per relation."""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import cache
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.atomic import whole_file
from vidsgg.io.files import read_bytes
from vidsgg.io.graph_decoder import decode_graph
from vidsgg.io.json_schema import check_json
from vidsgg.io.locations import Location, RemotePath, is_storage, location
from vidsgg.io.untrusted import read_json
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, RelationInterval, VideoFile, VideoGraph
from vidsgg.structures.schema import Schema

FORMAT, VERSION = "vidsgg.video_graph", 4
SUFFIX = ".graph.json"
LARGEST = 2 << 30  # bytes of a graph file; three hours of video have some hundred million


class GraphWriter:
    """A graph file on its way to the disk, frame by frame, so that no more than one has to be
    held."""

    def __init__(
        self, file: BinaryIO, video_id: str, dataset: str, schema: Schema | None, video: VideoFile | None
    ) -> None:
        self._file, self._frames, self.finished = file, 0, False
        head: dict[str, Any] = {"format": FORMAT, "version": VERSION, "video_id": video_id, "dataset": dataset}
        head |= {
            "schema": None if schema is None else schema.to_dict(),
            "video": None if video is None else asdict(video),
        }
        self._write(_text(head)[:-1] + ',\n "frames": [')

    def add(self, frame: GraphFrame) -> None:
        self._write((",\n  " if self._frames else "\n  ") + _text(frame_json(frame)))
        self._frames += 1

    def finish(self, relations: Sequence[RelationInterval], made_by: Origin | None) -> None:
        """What is known when all frames have been added."""
        self._write('\n ],\n "relations": [')
        for i, relation in enumerate(relations):
            self._write((",\n  " if i else "\n  ") + _text(_known(relation, _RELATION)))
        self._write(f'\n ],\n "made_by": {_text(_origin_json(made_by))}}}\n')
        self.finished = True

    def _write(self, text: str) -> None:
        self._file.write(text.encode())


def frame_json(frame: GraphFrame) -> dict[str, Any]:
    """Plain values of a frame, as graph files have them."""
    known = _known(frame, _FRAME)
    known["nodes"] = [_known(node, _NODE) for node in frame.nodes]
    known["edges"] = [_known(edge, _EDGE) for edge in frame.edges]
    return known


class GraphExists(DataError):
    """Another process has written a graph file of this name meanwhile."""


@contextmanager
def graph_writer(
    path: Location,
    video_id: str,
    dataset: str,
    schema: Schema | None,
    video: VideoFile | None = None,
    *,
    new: bool = False,
) -> Iterator[GraphWriter]:
    """The file gets its name when the block has been left without an error, after ``finish``. new:
    no file is replaced. Raises DataError if it cannot be written, GraphExists if ``new`` and there is
    one by then."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, new=new) as file:
            writer = GraphWriter(file, video_id, dataset, schema, video)
            yield writer
            assert writer.finished, f"{path}: the relations are missing"
    except OSError as error:
        if isinstance(error, FileExistsError) and error.filename == str(path):
            raise GraphExists(
                f"another call has written {path} meanwhile. Run the command again: this video gets another name."
            ) from error
        raise DataError(f"cannot write {path}: {error.strerror}.") from error


def write_graph(path: Location, graph: VideoGraph) -> None:
    """The whole file or none, also if something goes wrong on the way. Raises DataError if it
    cannot be written."""
    with graph_writer(path, graph.video_id, graph.dataset, graph.schema, graph.video) as writer:
        _add_all(writer, graph)


def graph_text(graph: VideoGraph) -> bytes:
    """What ``write_graph`` writes, in UTF-8."""
    file = BytesIO()
    _add_all(GraphWriter(file, graph.video_id, graph.dataset, graph.schema, graph.video), graph)
    return file.getvalue()


def _add_all(writer: GraphWriter, graph: VideoGraph) -> None:
    for frame in graph.frames:
        writer.add(frame)
    writer.finish(graph.relations, graph.made_by)


def read_graph(path: Location) -> VideoGraph:
    """The graph that ``write_graph`` wrote, equal in every value, also by earlier versions.

    Versions 1 to 3 hold a vocabulary at most; the rest of their schema is then as by default.
    Raises DataError naming the file, the place in it, what stands there and what should.
    """
    decoded = decode_graph(read_bytes(path, LARGEST))
    content = read_json(path, Any, LARGEST) if decoded is None else decoded.rest
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path} is not a video graph of vidsgg, as 'vidsgg predict' writes them.")
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise DataError(
            f"{path} is of version {short(version)}; this program reads versions 1 to {VERSION}. Install a newer one."
        )
    try:
        graph = graph_from_json(content)
        return graph if decoded is None else replace(graph, frames=decoded.frames, relations=decoded.relations)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def graph_from_json(content: dict[str, Any]) -> VideoGraph:
    """The graph in the values of a graph file of this version or an earlier one.

    Raises DataError naming the place, what stands there and what should.
    """
    check_json(content, graph_schema())
    return VideoGraph(
        content["video_id"],
        content["dataset"],
        tuple(_frame(frame) for frame in content["frames"]),
        tuple(
            RelationInterval(**{"begin": None, "end": None, **relation}) for relation in content.get("relations", ())
        ),
        _origin(content.get("made_by")),
        _schema(content),
        VideoFile(**content["video"]) if content.get("video") else None,
    )


def stem_of(file: Location) -> str:
    """What a graph file is called, without its suffix."""
    return file.name.removesuffix(SUFFIX).removesuffix(".json")


def path_to(video: Location, file: Location) -> str:
    """Where a video is, for ``Origin.source`` of the graph in ``file``: both can then be moved
    together. An address if it is in another bucket than the graph."""
    if isinstance(video, RemotePath):
        near = isinstance(file, RemotePath) and file.bucket == video.bucket
        path = posixpath.relpath(video.key, file.parent.key) if near and isinstance(file, RemotePath) else str(video)
    elif isinstance(file, RemotePath):
        path = video.resolve().as_posix()
    else:
        try:
            path = Path(os.path.relpath(video.resolve(), file.resolve().parent)).as_posix()
        except ValueError:  # another drive of Windows
            path = video.resolve().as_posix()
    return path.encode("utf-8", "replace").decode("utf-8")


def from_path(said: str, folder: Location) -> Location:
    """The inverse of ``path_to``. folder: in which the graph's file lies. The text comes out of a
    file, so it can be anything."""
    if is_storage(said):
        with suppress(ConfigError):  # no address after all
            return location(said)
    if isinstance(folder, Path):
        return folder / said
    return Path(said) if Path(said).is_absolute() else (folder / said).resolve()


def moved_to(graph: VideoGraph, file: Location) -> VideoGraph:
    """A graph that knows where its video is from anywhere, as it stands in ``file``."""
    said = graph.made_by.source if graph.made_by else None
    if graph.made_by is None or said is None or not (is_storage(said) or Path(said).is_absolute()):
        return graph
    return replace(graph, made_by=replace(graph.made_by, source=path_to(location(said), file)))


def whole_path_to(said: str, folder: Location) -> str:
    """What ``path_to`` gave, as a path or an address that is the same seen from anywhere."""
    path = from_path(said, folder)
    return os.path.abspath(path) if isinstance(path, Path) else str(path)


@cache
def graph_schema() -> dict[str, Any]:
    """The JSON Schema of the files."""
    schema: dict[str, Any] = json.loads(
        (resources.files("vidsgg.io") / "video_graph.schema.json").read_text(encoding="utf-8")
    )
    return schema


_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
# What files hold of each, in this order; of frames further their nodes and edges.
_FRAME = ("key", "number", "time", "width", "height")
_NODE, _EDGE, _RELATION = (tuple(kind.__dataclass_fields__) for kind in (GraphNode, GraphEdge, RelationInterval))


def _known(thing: Any, names: Sequence[str]) -> dict[str, Any]:
    """The attributes of these names without those that are None. dataclasses.asdict copies every
    value, which takes longer than making JSON of them."""
    return {name: value for name in names if (value := getattr(thing, name)) is not None}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is None, also in the parts."""
    return {
        name: (
            [_plain(part) if isinstance(part, dict) else part for part in value]
            if isinstance(value, (list, tuple))
            else value
        )
        for name, value in values.items()
        if value is not None
    }


def _frame(values: dict[str, Any]) -> GraphFrame:
    nodes = tuple(
        GraphNode(**{**node, "box": None if node.get("box") is None else tuple(node["box"])})
        for node in values["nodes"]
    )
    return GraphFrame(
        **{"time": None, **values, "nodes": nodes, "edges": tuple(GraphEdge(**edge) for edge in values["edges"])}
    )


def _origin_json(origin: Origin | None) -> dict[str, Any] | None:
    if origin is None:
        return None
    plain = {**_plain(asdict(origin)), "settings": dict(origin.settings)}
    shown = {"shown_from": dict(origin.shown_from), "on_request": list(origin.on_request)}
    return plain | shown if origin.shown_from else {name: value for name, value in plain.items() if name not in shown}


def _origin(values: dict[str, Any] | None) -> Origin | None:
    if values is None:
        return None
    tables = {name: tuple(values.get(name, {}).items()) for name in ("settings", "shown_from")}
    lists = {name: tuple(values.get(name, ())) for name in ("notes", "on_request")}
    return Origin(**{**values, **tables, **lists})


def _schema(content: dict[str, Any]) -> Schema | None:
    """The schema of a file's content. Raises DataError naming what is wrong with it."""
    if content.get("schema") is not None:
        return Schema.from_dict(content["schema"])
    vocabulary = content.get("vocabulary")
    if vocabulary is None:
        return None
    kind = "entity" if set(vocabulary["subjects"]) <= set(vocabulary["objects"]) else "action"
    return Schema.from_dict({"name": content["dataset"], "subject_kind": kind, **vocabulary})
