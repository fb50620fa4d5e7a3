"""Structures for the tests of recall: the goldens' inputs as annotated videos and predictions, and
small videos drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary


def _names(prefix: str, count: int) -> tuple[str, ...]:
    return tuple(f"{prefix} {i}" for i in range(count))


def frame_schema(objects: int = 35, sizes: tuple[int, int, int] = (3, 6, 17)) -> Schema:
    """Action Genome's shape."""
    attention, spatial, contacting = sizes
    groups = (
        PredicateGroup("attention", _names("attention", attention), "single"),
        PredicateGroup("spatial", _names("spatial", spatial), "multi", "object->subject"),
        PredicateGroup("contacting", _names("contacting", contacting), "multi"),
    )
    return Schema(
        "frames", Vocabulary((BACKGROUND, "person", *_names("object", objects)), ("person",), groups), "entity"
    )


def event_schema(actions: int, objects: int, relations: int) -> Schema:
    """EASG's shape."""
    vocabulary = Vocabulary(
        (BACKGROUND, *_names("object", objects)),
        _names("action", actions),
        (PredicateGroup("relation", _names("relation", relations)),),
    )
    return Schema(
        "events",
        vocabulary,
        "action",
        unit="event",
        slots=("pre", "pnr", "post"),
        subject_given=("predcls", "sgcls"),
        has_frames=False,
    )


def hot(rows: list[Any], count: int) -> np.ndarray:
    """Lists of labels (or single labels) as multi-hot rows."""
    table = np.zeros((len(rows), count), dtype=np.bool_)
    for i, row in enumerate(rows):
        table[i, row] = True
    return table


def golden_video(video: dict[str, Any], schema: Schema, video_id: str) -> tuple[VideoAnnotation, VideoPrediction]:
    """One video of golden/recall/inputs.py."""
    frames = video["gt"]
    sizes = [len(frame["boxes"]) for frame in frames]
    first = np.cumsum([0] + [size + 1 for size in sizes[:-1]])
    annotation = VideoAnnotation(
        schema=schema,
        video_id=video_id,
        source_id=video_id,
        split="test",
        fps=None,
        frame_key=tuple(f"{video_id}/{t:06d}.png" for t in range(len(frames))),
        frame_number=np.arange(1, len(frames) + 1),
        frame_unit=np.arange(len(frames)),
        frame_slot=np.zeros(len(frames)),
        frame_size=np.tile([480, 270], (len(frames), 1)),
        node_box=np.concatenate([np.vstack([frame["person"], frame["boxes"]]) for frame in frames]),
        node_class=np.concatenate([np.append(1, frame["classes"]) for frame in frames]),
        node_frame=np.repeat(np.arange(len(frames)), np.add(sizes, 1)),
        node_identity=np.full(sum(sizes) + len(frames), -1),
        action_class=np.zeros(0),
        pair_subject=np.repeat(first, sizes),
        pair_object=np.concatenate([start + 1 + np.arange(size) for start, size in zip(first, sizes, strict=True)]),
        pair_frame=np.repeat(np.arange(len(frames)), sizes),
        labels={
            group.name: hot([label for frame in frames for label in frame[group.name]], len(group))
            for group in schema.vocabulary.groups
        },
    )
    pred = video["pred"]
    prediction = VideoPrediction(
        schema=schema,
        video_id=video_id,
        frame_unit=np.arange(len(frames)),
        node_box=pred["boxes"][:, 1:],
        node_class=pred["labels"],
        node_score=pred["scores"],
        node_frame=pred["boxes"][:, 0],
        node_identity=np.full(len(pred["labels"]), -1),
        action_class=np.zeros(0),
        pair_subject=pred["pair_idx"][:, 0],
        pair_object=pred["pair_idx"][:, 1],
        pair_frame=pred["im_idx"],
        scores={
            "attention": torch.softmax(torch.from_numpy(pred["attention"].reshape(-1, 3)), 1).numpy(),
            "spatial": pred["spatial"].reshape(-1, 6),
            "contacting": pred["contacting"].reshape(-1, 17),
        },
    )
    return annotation, prediction


def event_video(
    schema: Schema,
    graphs: list[dict[str, Any]],
    probabilities: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    *,
    video_id: str = "clip",
    seen: list[list[int]] | None = None,
) -> tuple[VideoAnnotation, VideoPrediction]:
    """A clip of events: graphs of golden/easg_recall/inputs.py, class ids without background, and
    (action, object, relation) scores.

    seen: for every graph in how many frames (1 to 3) each of its objects is boxed; once if not
    given.
    """
    if seen is None:
        seen = [[1] * len(graph["objs"]) for graph in graphs]
    frame_unit, frame_slot, rows = [], [], []  # rows: frame, graph, object
    for u, boxed in enumerate(seen):
        for slot in range(max(boxed)):
            rows += [(len(frame_unit), u, i) for i, times in enumerate(boxed) if slot < times]
            frame_unit.append(u)
            frame_slot.append(slot)
    frame, graph, node = np.array(rows).T
    count = len(rows)
    box = np.tile(np.array([10.0, 10.0, 50.0, 60.0]), (count, 1))
    classes = np.array([graphs[u]["objs"][i] + 1 for _, u, i in rows])
    actions = np.array([graph["verb"] for graph in graphs])
    annotation = VideoAnnotation(
        schema=schema,
        video_id=video_id,
        source_id=video_id,
        split="test",
        fps=30.0,
        frame_key=tuple(f"{video_id}/{f}" for f in range(len(frame_unit))),
        frame_number=np.arange(1, len(frame_unit) + 1),
        frame_unit=np.array(frame_unit),
        frame_slot=np.array(frame_slot),
        frame_size=np.full((len(frame_unit), 2), 100),
        node_box=box,
        node_class=classes,
        node_frame=frame,
        node_identity=node,
        action_class=actions,
        pair_subject=graph,
        pair_object=np.arange(count),
        pair_frame=frame,
        labels={"relation": np.array([graphs[u]["rels"][i] for _, u, i in rows]).astype(np.bool_)},
    )
    object_scores = np.array([probabilities[u][1][i] for _, u, i in rows])
    prediction = VideoPrediction(
        schema=schema,
        video_id=video_id,
        frame_unit=np.array(frame_unit),
        node_box=box,
        node_class=classes,
        node_score=np.ones(count),
        node_frame=frame,
        node_identity=node,
        action_class=actions,
        pair_subject=graph,
        pair_object=np.arange(count),
        pair_frame=frame,
        scores={"relation": np.array([probabilities[u][2][i] for _, u, i in rows])},
        object_scores=np.concatenate([np.zeros((count, 1)), object_scores], axis=1),
        action_scores=np.array([p[0] for p in probabilities]),
    )
    return annotation, prediction


def event_probabilities(
    logits: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """softmax, softmax, sigmoid in float32, as the published evaluation applies them."""
    return [
        (
            torch.softmax(torch.from_numpy(verb), 0).numpy(),
            torch.softmax(torch.from_numpy(obj), 1).numpy(),
            torch.sigmoid(torch.from_numpy(rel)).numpy(),
        )
        for verb, obj, rel in logits
    ]
