"""What pictures and pages show: the graphs of a video, and how their parts are coloured and told apart."""

from __future__ import annotations

import colorsys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from vidsgg.errors import DataError
from vidsgg.inference.graphs import to_graph
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph
from vidsgg.structures.prediction import VideoPrediction

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

SUBJECT_COLOUR: Colour = (38, 70, 140)
# Okabe and Ito's colours, which people with any colour vision can tell apart, darkened enough to carry white text.
_PALETTE: tuple[Colour, ...] = ((200, 80, 0), (0, 128, 96), (170, 70, 130), (0, 100, 170), (150, 110, 0), (110, 70, 190), (180, 40, 50))


def predicted_graph(
    prediction: VideoPrediction,
    annotation: VideoAnnotation | None,
    sizes: Sequence[tuple[int, int]],
    most: int,
    unsure_above: float | None = None,
) -> VideoGraph:
    """The prediction as graphs, at most ``most`` things a frame (subjects not counted), the surest ones.

    annotation: names and times of the frames; without it they are numbered. sizes: width and height of every frame, used then.
    unsure_above: see to_graph.
    """
    if annotation is None:
        annotation = _unnamed_frames(prediction, sizes)
    graph = to_graph(annotation, prediction, unsure_above=unsure_above)
    subjects = prediction.schema.vocabulary.subjects
    return replace(graph, frames=tuple(_surest(frame, subjects, most) for frame in graph.frames))


def _unnamed_frames(prediction: VideoPrediction, sizes: Sequence[tuple[int, int]]) -> VideoAnnotation:
    frames, none = prediction.frames, np.zeros(0, np.int64)
    if len(sizes) != frames:
        raise DataError(f"video {prediction.video_id!r}: {len(sizes)} pictures for {frames} frames; without annotation each needs one.")
    return VideoAnnotation(
        schema=prediction.schema, video_id=prediction.video_id, source_id=prediction.video_id, split="test", fps=None,
        frame_key=tuple(f"frame {f + 1}" for f in range(frames)), frame_number=np.arange(1, frames + 1),
        frame_unit=prediction.frame_unit, frame_slot=np.zeros(frames, np.int64), frame_size=np.array(sizes),
        node_box=np.zeros((0, 4)), node_class=none, node_frame=none, node_identity=none, action_class=prediction.action_class,
        pair_subject=none, pair_object=none, pair_frame=none,
        labels={group.name: np.zeros((0, len(group)), bool) for group in prediction.schema.vocabulary.groups},
    )  # fmt: skip


def _surest(frame: GraphFrame, subjects: Collection[str], most: int) -> GraphFrame:
    things = sorted((i for i, node in enumerate(frame.nodes) if not is_subject(node, subjects)), key=lambda i: -frame.nodes[i].score)
    kept = [i for i, node in enumerate(frame.nodes) if is_subject(node, subjects) or i in things[:most]]
    place = {old: new for new, old in enumerate(kept)}
    edges = (replace(e, subject=place[e.subject], object=place[e.object]) for e in frame.edges if e.subject in place and e.object in place)
    return replace(frame, nodes=tuple(frame.nodes[i] for i in kept), edges=tuple(edges))


def is_subject(node: GraphNode, subjects: Collection[str]) -> bool:
    """Whether relations are told from this node: an action, or a thing of a subject class such as the person."""
    return node.box is None or node.label in subjects


def relations_of(frame: GraphFrame, thing: int) -> list[GraphEdge]:
    """Edges of node ``thing``, in the order of the groups and by falling score as the graph has them."""
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


def words(name: str) -> str:
    """A class or predicate name for people: ``on_the_side_of`` reads "on the side of"."""
    return name.replace("_", " ")
