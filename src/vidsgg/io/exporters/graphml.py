"""GraphML: the things of a video as nodes, its relations over time as edges."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from vidsgg.io.exporters.tracks import tracks_of
from vidsgg.structures.graph import VideoGraph

_NAMESPACE = "http://graphml.graphdrawing.org/xmlns"
_NODE_KEYS = {
    "label": "string",
    "track": "long",
    "begin_frame": "long",
    "end_frame": "long",
    "frames": "long",
    "score": "double",
}
_EDGE_KEYS = {
    "predicate": "string", "group": "string", "begin": "double", "end": "double", "begin_frame": "long", "end_frame": "long", "score": "double",
}  # fmt: skip
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def graphml(graph: VideoGraph) -> bytes:
    """One video as a directed graph, described by its notes; two things may be joined by many edges.
    Raises DataError if nodes have no tracks."""
    root = ElementTree.Element("graphml", xmlns=_NAMESPACE)
    for place, keys in (("node", _NODE_KEYS), ("edge", _EDGE_KEYS)):
        for name, kind in keys.items():
            ElementTree.SubElement(
                root, "key", {"id": f"{place}_{name}", "for": place, "attr.name": name, "attr.type": kind}
            )
    body = ElementTree.SubElement(root, "graph", {"id": _text(graph.video_id), "edgedefault": "directed"})
    if graph.notes:
        ElementTree.SubElement(body, "desc").text = _text(" ".join(graph.notes))
    for track in tracks_of(graph):
        numbers = [graph.frames[i].number for i in track.frames]
        values = (
            track.label,
            track.ident,
            numbers[0],
            numbers[-1],
            len(numbers),
            round(sum(track.scores) / len(numbers), 6),
        )
        _add(
            ElementTree.SubElement(body, "node", id=f"t{track.ident}"),
            "node",
            dict(zip(_NODE_KEYS, values, strict=True)),
        )
    for i, relation in enumerate(graph.relations):
        ends = {"id": f"r{i}", "source": f"t{relation.subject_track}", "target": f"t{relation.object_track}"}
        _add(ElementTree.SubElement(body, "edge", ends), "edge", {name: getattr(relation, name) for name in _EDGE_KEYS})
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def _add(element: ElementTree.Element, place: str, values: dict[str, object]) -> None:
    for name, value in values.items():
        if value is not None:
            ElementTree.SubElement(element, "data", key=f"{place}_{name}").text = _text(str(value))


def _text(text: str) -> str:
    """Without the characters that no XML can hold."""
    return _NOT_XML.sub("\ufffd", text)
