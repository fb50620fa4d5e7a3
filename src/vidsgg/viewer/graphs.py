"""What pictures and pages show: the graphs of a video, and how their parts are coloured and told
apart."""

from __future__ import annotations

import colorsys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]
Names = Mapping[tuple[int | None, str], str]  # of things by track and label

SUBJECT_COLOUR: Colour = (38, 70, 140)
# Okabe and Ito's colours, which people with any colour vision can tell apart, darkened enough to
# carry white text.
_PALETTE: tuple[Colour, ...] = (
    (200, 80, 0),
    (0, 128, 96),
    (170, 70, 130),
    (0, 100, 170),
    (150, 110, 0),
    (110, 70, 190),
    (180, 40, 50),
)


def surest(graph: VideoGraph, most: int = 10) -> VideoGraph:
    """At most ``most`` things a frame (subjects not counted), the surest ones: a detector may find
    a hundred. With their relations."""
    subjects = subjects_of(graph) if graph.vocabulary else ()
    frames = tuple(_surest(frame, subjects, most) for frame in graph.frames)
    left = {(node.track, node.label) for frame in frames for node in frame.nodes}
    relations = (
        r for r in graph.relations if (r.subject_track, r.subject) in left and (r.object_track, r.object) in left
    )
    return replace(graph, frames=frames, relations=tuple(relations))


def _surest(frame: GraphFrame, subjects: Collection[str], most: int) -> GraphFrame:
    things = sorted(
        (i for i, node in enumerate(frame.nodes) if not is_subject(node, subjects)), key=lambda i: -frame.nodes[i].score
    )
    kept = [i for i, node in enumerate(frame.nodes) if is_subject(node, subjects) or i in things[:most]]
    return frame.only(kept)


def subjects_of(*graphs: VideoGraph | None) -> Collection[str]:
    """Classes that take the subject's part in relations; none where any thing may take it, so that
    nothing stands apart. Graphs without a vocabulary show them: the class that has a part in every
    relation, or, if there is no such class, those of the subjects of all edges.
    """
    there = [graph for graph in graphs if graph]
    known = [graph.vocabulary for graph in there if graph.vocabulary]
    if known:
        everything = len(known[0].objects) > 2 and set(known[0].objects[1:]) <= set(known[0].subjects)
        return () if everything else known[0].subjects
    ends = [
        (frame.nodes[edge.subject].label, frame.nodes[edge.object].label)
        for graph in there
        for frame in graph.frames
        for edge in frame.edges
    ]
    common = set.intersection(*map(set, ends)) if ends else set()
    return tuple(sorted(common)) if len(common) == 1 else tuple(dict.fromkeys(subject for subject, _ in ends))


def is_subject(node: GraphNode, subjects: Collection[str]) -> bool:
    """Whether relations are listed under this node: an action, or a thing of a subject class such
    as the person."""
    return node.box is None or node.label in subjects


def relations_of(frame: GraphFrame, thing: int) -> list[GraphEdge]:
    """Edges of node ``thing``, in the order of the groups and by falling score as the graph has
    them."""
    return [edge for edge in frame.edges if thing in (edge.subject, edge.object)]


def colours(graphs: Iterable[VideoGraph], subjects: Collection[str]) -> dict[str, Colour]:
    """One colour per label, the same in all graphs of a video."""
    nodes = [node for graph in graphs for frame in graph.frames for node in frame.nodes]
    found: dict[str, Colour] = {node.label: SUBJECT_COLOUR for node in nodes if is_subject(node, subjects)}
    for i, label in enumerate(sorted({node.label for node in nodes} - set(found))):
        if i < len(_PALETTE):
            found[label] = _PALETTE[i]
        else:  # the golden ratio spreads hues evenly, however many there are
            red, green, blue = colorsys.hsv_to_rgb((0.13 + i * 0.618034) % 1, 0.75, 0.62)
            found[label] = (int(255 * red), int(255 * green), int(255 * blue))
    return found


def thing_names(frames: Iterable[GraphFrame]) -> Names:
    """What to call the things by track and label: as on the page, those of a label of which there are
    several in the video are numbered."""
    found: dict[str, dict[int, None]] = {}  # as ordered sets
    for frame in frames:
        for node in frame.nodes:
            if node.track is not None:
                found.setdefault(node.label, {})[node.track] = None
    return {
        (track, label): f"{words(label)} {i}" if len(tracks) > 1 else words(label)
        for label, tracks in found.items()
        for i, track in enumerate(tracks, 1)
    }


def node_names(frame: GraphFrame, names: Names | None = None) -> list[str]:
    """What to call the nodes of a frame: the names that ``thing_names`` gives. Things without one are
    numbered in the frame, if there are several of a class."""
    counts, met, found = Counter(node.label for node in frame.nodes), Counter[str](), list[str]()
    for node in frame.nodes:
        met[node.label] += 1
        number = f" {met[node.label]}" if counts[node.label] > 1 else ""
        found.append((names or {}).get((node.track, node.label), words(node.label) + number))
    return found


def words(name: str) -> str:
    """A class or predicate name for people: ``on_the_side_of`` reads "on the side of"."""
    return name.replace("_", " ")
