"""COCO's JSON, with what it lacks for graphs: videos, tracks, predicates and relations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from vidsgg.errors import DataError
from vidsgg.structures.graph import VideoGraph
from vidsgg.structures.vocabulary import Vocabulary


def coco(graphs: Sequence[VideoGraph]) -> bytes:
    """``images`` are frames (with ``video_id``, ``frame_id``, ``time``), ``annotations`` nodes
    (with ``score``, ``track_id``), ``relations``
    edges: ``subject_id`` and ``object_id`` are ids of annotations, ``predicate_id`` one of
    ``predicates``. Ids count from 1, those of categories as in the vocabulary. Boxes are x, y,
    width, height. Raises DataError for actions, which have no box.
    """
    categories, predicates = _numbered(graphs)
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
                        f"video {graph.video_id!r}: {node.label!r} is an action without a box, which COCO has no place"
                        " for."
                    )
                x1, y1, x2, y2 = node.box
                box = [x1, y1, round(x2 - x1, 3), round(y2 - y1, 3)]
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": image, "category_id": categories[node.label], "bbox": box,
                     "area": round(box[2] * box[3], 3), "iscrowd": 0, "score": node.score, "track_id": node.track}
                )  # fmt: skip
            for edge in frame.edges:
                relations.append(
                    {"id": len(relations) + 1, "image_id": image, "subject_id": first + edge.subject, "object_id": first + edge.object,
                     "predicate_id": predicates[edge.predicate, edge.group], "score": edge.score}
                )  # fmt: skip
    document = {
        "info": {"description": "video graphs of vidsgg"},
        "videos": [{"id": v, "name": graph.video_id} for v, graph in enumerate(graphs, 1)],
        "images": images,
        "categories": [{"id": number, "name": name} for name, number in categories.items()],
        "annotations": annotations,
        "predicates": [{"id": number, "name": name, "group": group} for (name, group), number in predicates.items()],
        "relations": relations,
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _numbered(graphs: Sequence[VideoGraph]) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    """Ids of classes and predicates: those of the vocabulary, if all graphs have the same, else of
    what occurs, by name."""
    vocabulary = shared_vocabulary(graphs)
    if vocabulary is not None:
        classes = list(vocabulary.objects[1:])
        pairs = [(name, group.name) for group in vocabulary.groups for name in group.predicates]
    else:
        frames = [frame for graph in graphs for frame in graph.frames]
        classes = sorted({node.label for frame in frames for node in frame.nodes})
        pairs = sorted({(edge.predicate, edge.group) for frame in frames for edge in frame.edges})
    return {name: i for i, name in enumerate(classes, 1)}, {pair: i for i, pair in enumerate(pairs, 1)}


def shared_vocabulary(graphs: Sequence[VideoGraph]) -> Vocabulary | None:
    """The vocabulary of all graphs; None if one has another or none."""
    first = graphs[0].vocabulary
    return first if all(graph.vocabulary == first for graph in graphs) else None
