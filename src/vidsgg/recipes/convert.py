"""A data set in the files of another format, and what is lost on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.format import MissingSplit
from vidsgg.datasets.registry import has_validation, identify, open_whole_split
from vidsgg.errors import ConfigError, DataError
from vidsgg.inference.graphs import annotated_graph
from vidsgg.io.atomic import write_whole
from vidsgg.io.coco_masks import packed_mask
from vidsgg.io.exporters.coco import coco
from vidsgg.io.exporters.vidvrd import short_id, vidor, vidvrd
from vidsgg.io.locations import location
from vidsgg.options import option
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.graph import GraphNode, RelationInterval, VideoGraph

COCO_VIDEO = "coco_video"


@dataclass(frozen=True)
class ConvertOptions:
    data_path: str = option(help="folder of the data set", place="input", remote=True)
    out: Path = option(help="folder to write to; new, or without files of these names", place="new folder")
    format: Literal["coco_video", "vidvrd", "vidor"] = option(
        COCO_VIDEO, "COCO-video with relations, or the files that VidVRD's and VidOR's loaders read"
    )
    masks: bool = option(
        False, "keep the masks of objects as 'segmentation': for data with masks (PVSG), with -format coco_video"
    )


@dataclass(frozen=True)
class Conversion:
    """files: what was written. lost: lines about what the other format has no place for."""

    files: tuple[Path, ...]
    lost: tuple[str, ...]


def run_convert(options: ConvertOptions) -> Conversion:
    """Write every split of a data set in another format. Pictures and videos stay where they are.

    Raises DataError for data without boxes of subjects, or without tracks where the format needs
    them, and ConfigError if something is already there or nothing can be written.
    """
    if options.masks and options.format != COCO_VIDEO:
        raise ConfigError(f"option -masks: {options.format} cannot represent masks; use -format {COCO_VIDEO}.")
    root = identify(location(options.data_path))[1]
    lost: Counter[str] = Counter()
    contents: list[tuple[Path, Callable[[], bytes]]] = []
    parts = ("train", "val", "test") if has_validation(root) else ("train", "test")
    opened = 0
    for split in parts:
        try:
            dataset = open_whole_split(root, split, "predcls").every_frame()
        except MissingSplit:
            if opened or split != parts[-1]:  # without any part the last one says so
                continue
            raise
        opened += 1
        if not dataset.schema.subject_has_box:
            raise DataError(f"{root}: subjects of {dataset.schema.title} have no boxes, which these formats need.")
        graphs = [
            true_graph(dataset, index, lost, tracks=options.format != COCO_VIDEO) for index in range(len(dataset))
        ]
        masks = None
        if options.masks:
            if not dataset.has_masks:
                raise ConfigError(f"option -masks: {dataset.schema.title} has boxes and no masks.")
            masks = [map(packed_mask, dataset.masks(index)) for index in range(len(dataset))]
        elif dataset.has_masks:
            lost["the masks of things, which -masks True keeps"] += 1
        contents += _contents(options, split, graphs, masks)
    if options.format != COCO_VIDEO:
        lost["the groups of predicates, and which way they read"] += 1
        lost["fractions of pixels: boxes are whole pixels within the picture"] += 1
    for path, _ in contents:
        if path.exists():
            raise ConfigError(f"option -out: {path} is there already; name another folder.")
    for path, content in contents:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content())
        except OSError as error:
            raise ConfigError(f"option -out: cannot write {path}: {error.strerror}.") from error
    told = tuple(line if count == 1 else f"{line} ({count:,})" for line, count in lost.items() if count)
    return Conversion(tuple(path for path, _ in contents), told)


def _contents(
    options: ConvertOptions,
    split: str,
    graphs: Sequence[VideoGraph],
    masks: Sequence[Iterator[dict[str, Any]]] | None,
) -> list[tuple[Path, Callable[[], bytes]]]:
    """The files of a split, each with what makes its content."""
    if options.format == COCO_VIDEO:
        return [(options.out / f"{split}.json", lambda: coco(graphs, masks))]
    write: Callable[[VideoGraph], bytes] = vidvrd
    folder = options.out / split
    if options.format == "vidor":
        write, folder = vidor, options.out / "annotation" / ("training" if split == "train" else "validation") / "0000"
    return [(folder / f"{short_id(graph)}.json", lambda graph=graph: write(graph)) for graph in graphs]  # type: ignore[misc]  # bound per graph


def true_graph(dataset: VideoDataset, index: int, lost: Counter[str], *, tracks: bool) -> VideoGraph:
    """The annotations of a video as a graph with its relations over time.

    Labels of frames that such a relation implies are left out of the frames. tracks: labels that
    none implies become relations over time too, one for each run of frames; things without an id
    are refused.
    """
    annotation = dataset.annotation(index)
    graph = annotated_graph(annotation)
    identity = annotation.node_identity
    if tracks and (identity < 0).any():
        raise DataError(
            f"video {annotation.video_id!r}: its objects have no ids over frames, which this format needs; take"
            " -format coco_video."
        )
    nodes, more = iter(identity.tolist()), _pixel(dataset, tracks)
    frames = tuple(
        replace(frame, nodes=tuple(_node(node, next(nodes), more) for node in frame.nodes)) for frame in graph.frames
    )
    intervals = _intervals(dataset, index, annotation, lost)
    number = {frame.number: frame for frame in frames}
    implied = {
        (n, relation.subject_track, relation.object_track, relation.predicate)
        for relation in intervals
        for n in number
        if relation.begin_frame <= n <= relation.end_frame
    }
    kept, left = [], []
    for frame in frames:
        edges = []
        for edge in frame.edges:
            ends = frame.nodes[edge.subject].track, frame.nodes[edge.object].track
            if (frame.number, *ends, edge.predicate) not in implied:
                edges.append(edge)
                left.append((ends, edge, frame))
        kept.append(replace(frame, edges=tuple(edges)))
    if not tracks:
        return replace(graph, frames=tuple(kept), relations=tuple(intervals))
    lost["which labels were given for a frame and which over time"] += bool(left and intervals)
    position = {frame.number: i for i, frame in enumerate(frames)}
    left.sort(key=lambda item: (item[0], item[1].predicate, item[2].number))
    for (ends, predicate), same in groupby(left, key=lambda item: (item[0], item[1].predicate)):
        listed = [(position[frame.number], edge, frame) for _, edge, frame in same]
        for _, members in groupby(enumerate(listed), key=lambda pair: pair[1][0] - pair[0]):
            run_of = [member for _, member in members]
            first, last, edge = run_of[0][2], run_of[-1][2], run_of[0][1]
            subject, obj = (first.nodes[end] for end in (edge.subject, edge.object))
            assert ends[0] is not None and ends[1] is not None
            intervals.append(
                RelationInterval(
                    ends[0],
                    ends[1],
                    subject.label,
                    obj.label,
                    predicate,
                    edge.group,
                    first.time,
                    last.time,
                    first.number,
                    last.number,
                    1.0,
                )
            )
    return replace(graph, frames=frames, relations=tuple(intervals))


def _pixel(dataset: VideoDataset, inclusive: bool) -> int:
    """What to add to a box's right and lower side: in COCO's boxes they lie behind the last pixel, in
    those of VidVRD, VidOR and PVSG on it."""
    schema = dataset.schema
    was = schema.pairing == "ordered" and schema.overlap == "plus_one"
    return int(was and not inclusive) - int(inclusive and schema.overlap == "plain")


def _node(node: GraphNode, track: int, more: int) -> GraphNode:
    assert node.box is not None
    x1, y1, x2, y2 = node.box
    box = (x1, y1, max(x1, x2 + more), max(y1, y2 + more))
    return replace(node, track=None if track < 0 else track, box=box)


def _intervals(
    dataset: VideoDataset, index: int, annotation: VideoAnnotation, lost: Counter[str]
) -> list[RelationInterval]:
    """The listed relations over time, in the direction in which their predicates read."""
    vocabulary = dataset.schema.vocabulary
    groups = [group for group in vocabulary.groups for _ in group.predicates]
    label = {
        int(ident): vocabulary.objects[klass]
        for ident, klass in zip(annotation.node_identity, annotation.node_class, strict=True)
    }
    found = []
    for relation in dataset.intervals(index):
        numbers = annotation.frame_number
        within = numbers[(numbers >= relation.begin) & (numbers < relation.end)]
        if not len(within) or relation.subject not in label or relation.object not in label:
            lost["relations over time in frames whose relations are not labelled"] += 1
            continue
        group = groups[relation.predicate]
        ends = (relation.subject, relation.object)
        subject, obj = ends if group.direction == "subject->object" else ends[::-1]
        times = [
            None if annotation.fps is None else round((int(n) - 1) / annotation.fps, 6)
            for n in (relation.begin, relation.end - 1)
        ]
        found.append(
            RelationInterval(
                subject,
                obj,
                label[subject],
                label[obj],
                vocabulary.predicates[relation.predicate],
                group.name,
                times[0],
                times[1],
                relation.begin,
                relation.end - 1,
                1.0,
            )
        )
    return found
