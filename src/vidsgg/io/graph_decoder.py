"""The content of a graph file that is as it should be, decoded by type, straight from its bytes.

What does not pass is not explained here: ``vidsgg.io.graphs`` then reads the file value by value,
which takes several times as long, and says what is wrong. So this may refuse a sound file, but must
not take one that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from vidsgg.errors import DataError
from vidsgg.io.collector import without_collector
from vidsgg.io.untrusted import parse_json
from vidsgg.structures.graph import GraphFrame, RelationInterval

_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FRAMES = msgspec.json.Decoder(tuple[GraphFrame, ...])
_RELATIONS = msgspec.json.Decoder(tuple[RelationInterval, ...])
# As the schema of graph files has them; what else it asks for, the types and their checks ask for.
_PIXELS, _NUMBER, _TRACK, _REAL = 1_000_000, 1_000_000_000, 2**53 - 1, 1e300


@dataclass(frozen=True, eq=False)
class DecodedGraph:
    """rest: plain values of everything else in the file, unchecked, with empty frames and relations."""

    frames: tuple[GraphFrame, ...]
    relations: tuple[RelationInterval, ...]
    rest: dict[str, Any]


def decode_graph(content: bytes) -> DecodedGraph | None:
    """None unless the file holds frames and relations, and these all that they should and nothing else."""
    if b"\\" in content:  # with which a quotation mark need not end a text
        return None
    try:
        with without_collector():  # which would look through a million objects again and again
            parts = _PARTS.decode(content)
            frames, relations = _FRAMES.decode(parts["frames"]), _RELATIONS.decode(parts.get("relations", b"[]"))
        others = {name: bytes(part) for name, part in parts.items() if name not in ("frames", "relations")}
        rest = parse_json(_table({**others, "frames": b"[]", "relations": b"[]"}))
    except (msgspec.MsgspecError, DataError, KeyError, ValueError, RecursionError):
        return None
    # Decoding leaves out unknown entries and takes the last of two with one name. Each has a name in
    # quotation marks, of which there may be no more than what was decoded has.
    marks = sum(part.count(b'"') for part in others.values())
    expected = 2 * (len(parts) + _texts(frames, relations))
    within = all(map(_frame_within_bounds, frames)) and all(map(_relation_within_bounds, relations))
    return DecodedGraph(frames, relations, rest) if within and content.count(b'"') == marks + expected else None


def _table(parts: Mapping[str, bytes]) -> bytes:
    return b"{" + b",".join(b'"' + name.encode() + b'":' + part for name, part in parts.items()) + b"}"


def _texts(frames: tuple[GraphFrame, ...], relations: tuple[RelationInterval, ...]) -> int:
    """Names of entries and other texts in a file that leaves out what is not known."""
    count = 0
    for frame in frames:
        count += 7 + (frame.time is not None) + 3 * len(frame.nodes) + 7 * len(frame.edges)
        for node in frame.nodes:
            count += (node.box is not None) + (node.track is not None)
        for edge in frame.edges:
            count += edge.uncertain is not None
    return count + sum(13 + 2 * (relation.begin is not None) for relation in relations)


def _frame_within_bounds(frame: GraphFrame) -> bool:
    return (
        frame.width <= _PIXELS
        and frame.height <= _PIXELS
        and frame.number <= _NUMBER
        and _real(frame.time)
        and all(
            (node.track is None or node.track <= _TRACK)
            and (
                node.box is None
                or (node.box[0] > -_REAL and node.box[1] > -_REAL and node.box[2] < _REAL > node.box[3])
            )
            for node in frame.nodes
        )
    )


def _relation_within_bounds(relation: RelationInterval) -> bool:
    return (
        relation.subject_track <= _TRACK
        and relation.object_track <= _TRACK
        and relation.begin_frame <= _NUMBER
        and relation.end_frame <= _NUMBER
        and _real(relation.begin)
        and _real(relation.end)
    )


def _real(number: float | None) -> bool:
    return number is None or -_REAL < number < _REAL
