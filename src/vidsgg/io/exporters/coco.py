"""COCO-video with relations: COCO's JSON with what it lacks for graphs, videos, tracks, predicates
and relations. The format is that of ``docs/own_data.md``, so that what is written can be trained
on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from vidsgg.errors import DataError
from vidsgg.structures.graph import VideoGraph
from vidsgg.structures.vocabulary import PredicateGroup, Vocabulary


def coco(graphs: Sequence[VideoGraph], masks: Sequence[Iterator[dict[str, Any]]] | None = None) -> bytes:
    """``images`` are frames (with ``video_id``, ``frame_id``, ``time``), ``annotations`` nodes
    (with ``score``, ``track_id``), ``relations`` edges and, after them, relations over time.

    A relation's subject is the subject of the pair, also where the group of its predicate reads
    from the object to the subject. Ids count from 1, those of categories as in the vocabulary.
    Boxes are x, y, width, height. masks: of every graph those of its nodes in order, as COCO's run
    lengths, which become ``segmentation``. Raises DataError for actions, which have no box.
    """
    vocabulary = shared_vocabulary(graphs)
    categories, predicates = _numbered(graphs, vocabulary)
    turned = (
        {group.name for group in vocabulary.groups if group.direction == "object->subject"} if vocabulary else set()
    )
    images, annotations, relations = list[Any](), list[Any](), list[Any]()
    for v, graph in enumerate(graphs, 1):
        for frame in graph.frames:
            image = len(images) + 1
            images.append(
                {"id": image, "file_name": frame.key, "width": round(frame.width), "height": round(frame.height), "video_id": v,
                 "frame_id": frame.number, "time": frame.time}
            )  # fmt: skip
            first = len(annotations) + 1
            for node in frame.nodes:
                if node.box is None:
                    raise DataError(
                        f"video {graph.video_id!r}: {node.label!r} is an action without a box, which COCO cannot represent."
                    )
                x1, y1, x2, y2 = node.box
                box = [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)]
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": image, "category_id": categories[node.label], "bbox": box,
                     "area": round(box[2] * box[3], 3), "iscrowd": 0, "score": node.score, "track_id": node.track}
                )  # fmt: skip
                if masks is not None:
                    annotations[-1]["segmentation"] = next(masks[v - 1])
            for edge in frame.edges:
                ends = (edge.object, edge.subject) if edge.group in turned else (edge.subject, edge.object)
                relations.append(
                    {"id": len(relations) + 1, "image_id": image, "subject_id": first + ends[0], "object_id": first + ends[1],
                     "predicate_id": predicates[edge.predicate, edge.group], "score": edge.score}
                )  # fmt: skip
        for relation in graph.relations:
            tracks = (relation.subject_track, relation.object_track)
            subject, obj = reversed(tracks) if relation.group in turned else tracks
            relations.append(
                {"id": len(relations) + 1, "video_id": v, "subject_track_id": subject, "object_track_id": obj,
                 "predicate_id": predicates[relation.predicate, relation.group], "begin_frame": relation.begin_frame,
                 "end_frame": relation.end_frame + 1, "score": relation.score}
            )  # fmt: skip
    document = {
        "info": {"description": "video graphs of vidsgg", "version": "1"},
        "videos": [_video(v, graph) for v, graph in enumerate(graphs, 1)],
        "images": images,
        "categories": [_category(number, name, vocabulary) for name, number in categories.items()],
        "annotations": annotations,
        "predicate_groups": _groups(vocabulary, predicates),
        "predicates": [{"id": number, "name": name, "group": group} for (name, group), number in predicates.items()],
        "relations": relations,
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _video(number: int, graph: VideoGraph) -> dict[str, Any]:
    """With the rate and the number of frames of its file, where these are known, and the notes of the
    graph, if it has any."""
    entry: dict[str, Any] = {"id": number, "name": graph.video_id}
    entry |= {"notes": list(graph.notes)} if graph.notes else {}
    if graph.video is not None:
        entry |= {"frame_count": graph.video.frame_count}
        entry |= {} if graph.video.fps is None else {"fps": graph.video.fps}
    return entry


def _category(number: int, name: str, vocabulary: Vocabulary | None) -> dict[str, Any]:
    """``subject`` is said where not every class may be one."""
    entry: dict[str, Any] = {"id": number, "name": name}
    if vocabulary is not None and set(vocabulary.subjects) < set(vocabulary.objects[1:]):
        entry |= {"subject": name in vocabulary.subjects}
    return entry


def _groups(vocabulary: Vocabulary | None, predicates: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """The groups as the vocabulary has them; of graphs without one, of kind "multi"."""
    if vocabulary is None:
        return [{"name": name, "kind": "multi"} for name in dict.fromkeys(group for _, group in predicates)]
    return [_group(group) for group in vocabulary.groups]


def _group(group: PredicateGroup) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": group.name, "kind": group.kind, "direction": group.direction}
    entry |= {"exclusive": list(group.exclusive)} if group.exclusive else {}
    return entry | ({"negative": group.negative} if group.negative is not None else {})


def _numbered(
    graphs: Sequence[VideoGraph], vocabulary: Vocabulary | None
) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """Ids of classes and predicates: those of the vocabulary, if all graphs have the same, else of
    what occurs, by name."""
    if vocabulary is not None:
        classes = list(vocabulary.objects[1:])
        pairs = [(name, group.name) for group in vocabulary.groups for name in group.predicates]
    else:
        frames = [frame for graph in graphs for frame in graph.frames]
        classes = sorted({node.label for frame in frames for node in frame.nodes})
        said = {(edge.predicate, edge.group) for frame in frames for edge in frame.edges}
        said |= {(relation.predicate, relation.group) for graph in graphs for relation in graph.relations}
        pairs = sorted(said, key=lambda pair: (pair[1], pair[0]))
    return {name: i for i, name in enumerate(classes, 1)}, {pair: i for i, pair in enumerate(pairs, 1)}


def shared_vocabulary(graphs: Sequence[VideoGraph]) -> Vocabulary | None:
    """The vocabulary of all graphs; None if one has another or none."""
    first = graphs[0].vocabulary
    return first if all(graph.vocabulary == first for graph in graphs) else None
