"""Graphs as rows of five tables, and back. The tables are described here and in docs/library.md."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vidsgg.io.graphs import graph_from_json, graph_text
from vidsgg.io.untrusted import parse_json
from vidsgg.library.packages import pa
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, RelationInterval, VideoGraph
from vidsgg.structures.vocabulary import Vocabulary

_WORDS_OF = ("schema", "vocabulary")  # what names the classes in a document, in all versions
_WORD = pa.dictionary(pa.int32(), pa.string())  # few distinct texts: a number each in the files


def _field(name: str, kind: pa.DataType, meaning: str, *, optional: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=optional, metadata={"meaning": meaning})


_VIDEO = _field("video", pa.int64(), "number of the video in this library")
_FRAME = _field("frame", pa.int32(), "position of the frame in the video's graph, from 0")
_NUMBER = _field("number", pa.int64(), "number of the frame in the video, from 1")
_TIME = _field("time", pa.float64(), "seconds from the start of the video", optional=True)
_SCORE = _field("score", pa.float64(), "0 to 1")

TABLES: Mapping[str, pa.Schema] = {
    "videos": pa.schema([
        _VIDEO,
        _field("name", pa.string(), "what the video is called, each name once in a library"),
        _field("video_id", pa.string(), "what the graph calls it"),
        _field("dataset", pa.string(), "the data set that the graph is of"),
        _field("frames", pa.int64(), "number of frames in the graph"),
        _field("relations", pa.int64(), "number of relations over time"),
        _field("seconds", pa.float64(), "time of the last frame", optional=True),
        _field("path", pa.string(), "where the video was when the graph came in", optional=True),
        _field("film", pa.string(), "digest of the video's content", optional=True),
        _field("digest", pa.string(), "SHA-256 of the graph file, in hexadecimal"),
        _field("document", pa.string(), "the graph file without its frames and relations"),
    ]),
    "frames": pa.schema([
        _VIDEO, _FRAME, _NUMBER, _TIME,
        _field("key", pa.string(), "the data set's name of the frame"),
        _field("width", pa.float64(), "pixels"),
        _field("height", pa.float64(), "pixels"),
    ]),
    "things": pa.schema([
        _VIDEO, _FRAME, _NUMBER, _TIME,
        _field("node", pa.int32(), "position of the thing in the frame, from 0"),
        _field("label", _WORD, "class"),
        _field("track", pa.int64(), "id over frames", optional=True),
        _SCORE,
        *(_field(name, pa.float64(), "corner of the box in pixels", optional=True) for name in ("x1", "y1", "x2", "y2")),
    ]),
    "edges": pa.schema([
        _VIDEO, _FRAME, _NUMBER, _TIME,
        _field("edge", pa.int32(), "position of the edge in the frame, from 0"),
        _field("subject_node", pa.int32(), "the subject's position in the frame"),
        _field("object_node", pa.int32(), "the object's position in the frame"),
        _field("subject_track", pa.int64(), "the subject's id over frames", optional=True),
        _field("object_track", pa.int64(), "the object's id over frames", optional=True),
        _field("subject", _WORD, "the subject's class"),
        _field("predicate", _WORD, "predicate"),
        _field("object", _WORD, "the object's class"),
        _field("group", _WORD, "the predicate's group"),
        _SCORE,
        _field("uncertain", pa.bool_(), "whether the model doubts it", optional=True),
    ]),
    "relations": pa.schema([
        _VIDEO,
        _field("relation", pa.int64(), "position of the relation in the video's graph, from 0"),
        _field("subject_track", pa.int64(), "the subject's id over frames"),
        _field("object_track", pa.int64(), "the object's id over frames"),
        _field("subject", _WORD, "the subject's class"),
        _field("predicate", _WORD, "predicate"),
        _field("object", _WORD, "the object's class"),
        _field("group", _WORD, "the predicate's group"),
        _field("begin", pa.float64(), "seconds", optional=True),
        _field("end", pa.float64(), "seconds", optional=True),
        _field("begin_frame", pa.int64(), "number of the first frame"),
        _field("end_frame", pa.int64(), "number of the last frame"),
        _SCORE,
    ]),
}  # fmt: skip

Rows = dict[str, dict[str, list[Any]]]  # table -> column -> values


@dataclass(frozen=True)
class Entry:
    """A graph on its way into a library. number, name: of the video there. path: where the video
    is, None if unknown. digest: SHA-256 of the graph's text."""

    number: int
    name: str
    path: str | None
    digest: str
    graph: VideoGraph


def rows_of(entries: Iterable[Entry]) -> Rows:
    """The rows of graphs in all tables."""
    rows: Rows = {name: {column: [] for column in schema.names} for name, schema in TABLES.items()}
    for entry in entries:
        _add(rows, entry)
    return rows


def tables_of(rows: Rows) -> dict[str, pa.Table]:
    """Arrow tables of rows, in the types of ``TABLES``."""
    return {name: pa.table(rows[name], schema=schema) for name, schema in TABLES.items()}


def graphs_of(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[int, VideoGraph]:
    """The graphs in rows of the five tables, by number of the video, equal to those that came in.

    tables: whole videos, in any order. Raises DataError if a document is damaged.
    """
    nodes: dict[tuple[int, int], list[tuple[int, GraphNode]]] = defaultdict(list)
    edges: dict[tuple[int, int], list[tuple[int, GraphEdge]]] = defaultdict(list)
    frames: dict[int, list[tuple[int, GraphFrame]]] = defaultdict(list)
    relations: dict[int, list[tuple[int, RelationInterval]]] = defaultdict(list)
    for row in tables["things"]:
        box = None if row["x1"] is None else (row["x1"], row["y1"], row["x2"], row["y2"])
        node = GraphNode(row["label"], row["score"], box, row["track"])
        nodes[row["video"], row["frame"]].append((row["node"], node))
    for row in tables["edges"]:
        ends = row["subject_node"], row["object_node"]
        edge = GraphEdge(*ends, row["predicate"], row["group"], row["score"], row["uncertain"])
        edges[row["video"], row["frame"]].append((row["edge"], edge))
    for row in tables["frames"]:
        at = row["video"], row["frame"]
        inside = _in_order(nodes[at]), _in_order(edges[at])
        frame = GraphFrame(row["key"], row["number"], row["time"], row["width"], row["height"], *inside)
        frames[row["video"]].append((row["frame"], frame))
    for row in tables["relations"]:
        values = {name: value for name, value in row.items() if name not in ("video", "relation")}
        relations[row["video"]].append((row["relation"], RelationInterval(**values)))
    found = {}
    for row in tables["videos"]:
        head = graph_from_json(parse_json(row["document"]))
        number = row["video"]
        found[number] = replace(head, frames=_in_order(frames[number]), relations=_in_order(relations[number]))
    return found


def notes_in(document: str) -> tuple[str, ...]:
    """The notes of a graph by its ``document``. Raises DataError if it is damaged."""
    content = parse_json(document)
    if isinstance(content, dict):  # checking the schema takes most of the time, and has no notes
        content = {name: value for name, value in content.items() if name not in _WORDS_OF}
    return graph_from_json(content).notes


def vocabularies_in(documents: Iterable[str]) -> list[Vocabulary]:
    """The vocabularies of graphs by their ``document``, each once. Raises DataError if one is
    damaged."""
    distinct: dict[str, Any] = {}
    for document in documents:
        content = parse_json(document)
        said = [content.get(name) for name in _WORDS_OF] if isinstance(content, dict) else content
        distinct.setdefault(json.dumps(said), content)
    found = [graph_from_json(content).vocabulary for content in distinct.values()]
    return [vocabulary for vocabulary in found if vocabulary is not None]


def _in_order(parts: list[tuple[int, Any]]) -> tuple[Any, ...]:
    return tuple(part for _, part in sorted(parts, key=lambda item: item[0]))


def _add(rows: Rows, entry: Entry) -> None:
    graph, number = entry.graph, entry.number

    def put(table: str, **values: Any) -> None:
        for name, column in rows[table].items():
            column.append(values[name])

    times = [frame.time for frame in graph.frames if frame.time is not None]
    put(
        "videos",
        video=number,
        name=entry.name,
        video_id=graph.video_id,
        dataset=graph.dataset,
        frames=len(graph.frames),
        relations=len(graph.relations),
        seconds=max(times, default=None),
        path=entry.path,
        film=graph.video.digest if graph.video else None,
        digest=entry.digest,
        document=_head(graph),
    )
    for position, frame in enumerate(graph.frames):
        at = {"video": number, "frame": position, "number": frame.number, "time": frame.time}
        put("frames", **at, key=frame.key, width=frame.width, height=frame.height)
        for i, node in enumerate(frame.nodes):
            corners = dict(zip(("x1", "y1", "x2", "y2"), node.box or [None] * 4, strict=True))
            put("things", **at, node=i, label=node.label, track=node.track, score=node.score, **corners)
        for i, edge in enumerate(frame.edges):
            subject, object_ = frame.nodes[edge.subject], frame.nodes[edge.object]
            put(
                "edges",
                **at,
                edge=i,
                subject_node=edge.subject,
                object_node=edge.object,
                subject_track=subject.track,
                object_track=object_.track,
                subject=subject.label,
                predicate=edge.predicate,
                object=object_.label,
                group=edge.group,
                score=edge.score,
                uncertain=edge.uncertain,
            )
    columns = [name for name in rows["relations"] if name not in ("video", "relation")]
    for i, relation in enumerate(graph.relations):
        values = {name: getattr(relation, name) for name in columns}
        put("relations", video=number, relation=i, **values)


def _head(graph: VideoGraph) -> str:
    """The text of a graph file without frames and relations, in one line."""
    content = json.loads(graph_text(replace(graph, frames=(), relations=())))
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
