"""networkx graphs, for Python."""

from __future__ import annotations

from typing import Any

from vidsgg.errors import ConfigError
from vidsgg.io.exporters.tracks import tracks_of
from vidsgg.structures.graph import GraphFrame, VideoGraph


def to_networkx(graph: VideoGraph | GraphFrame) -> Any:
    """A ``networkx.MultiDiGraph``.

    Of a video: a node per track with ``label`` and ``frames`` (the numbers), an edge per relation
    over time with the fields of
    RelationInterval. Of a frame: a node per node with the fields of GraphNode, an edge per edge
    with those of GraphEdge. Edges of a frame have the predicate as their key. Raises ConfigError if
    networkx is not installed, DataError if a video's nodes have no tracks.
    """
    try:
        import networkx
    except ImportError as error:
        raise ConfigError("networkx is not installed; install it with: pip install networkx") from error
    made = networkx.MultiDiGraph()
    if isinstance(graph, GraphFrame):
        made.graph.update(key=graph.key, number=graph.number, time=graph.time, width=graph.width, height=graph.height)
        for i, node in enumerate(graph.nodes):
            made.add_node(i, label=node.label, score=node.score, box=node.box, track=node.track)
        for edge in graph.edges:
            about = {"predicate": edge.predicate, "group": edge.group, "score": edge.score, "uncertain": edge.uncertain}
            made.add_edge(edge.subject, edge.object, edge.predicate, **about)
        return made
    made.graph.update(video_id=graph.video_id, dataset=graph.dataset, notes=graph.notes)
    for track in tracks_of(graph):
        made.add_node(track.ident, label=track.label, frames=[graph.frames[i].number for i in track.frames])
    for relation in graph.relations:
        names = ("predicate", "group", "begin", "end", "begin_frame", "end_frame", "score")
        key = f"{relation.predicate} from frame {relation.begin_frame}"
        made.add_edge(
            relation.subject_track, relation.object_track, key, **{name: getattr(relation, name) for name in names}
        )
    return made
