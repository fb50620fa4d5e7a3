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


THING_CLASSES = ("cup", "dog", "box", "man")
THING_PREDICATES = ("on", "in", "behind", "holds", "eats")
THINGS = Schema(
    "things",
    Vocabulary((BACKGROUND, *THING_CLASSES), THING_CLASSES, (PredicateGroup("relation", THING_PREDICATES),)),
    "entity",
    pairing="ordered",
    overlap="plain",
)


def drawn_video(seed: int, frames: int = 4, *, given: bool = False) -> tuple[VideoAnnotation, VideoPrediction]:
    """Boxes on a small field, predictions near them; distinct scores. given: the true boxes and
    classes are predicted."""
    rng = np.random.default_rng(seed)
    truth: dict[str, list] = {name: [] for name in ("box", "class", "frame", "subject", "object", "pair_frame", "hot")}
    said: dict[str, list] = {name: [] for name in (*truth, "score", "table")}
    for f in range(frames):
        count, first, offset = int(rng.integers(2, 6)), len(truth["box"]), len(said["box"])
        corner = rng.integers(0, 60, (count, 2))
        box = np.concatenate([corner, corner + rng.integers(15, 40, (count, 2))], 1).astype(np.float64)
        klass = rng.integers(1, len(THING_CLASSES) + 1, count)
        truth["box"] += box.tolist()
        truth["class"] += klass.tolist()
        truth["frame"] += [f] * count
        for s, o in np.argwhere((rng.random((count, count)) < 0.5) & ~np.eye(count, dtype=bool)):
            truth["subject"].append(first + s)
            truth["object"].append(first + o)
            truth["pair_frame"].append(f)
            truth["hot"].append(np.isin(np.arange(len(THING_PREDICATES)), rng.integers(0, len(THING_PREDICATES), 2)))
        seen = np.arange(count) if given else np.flatnonzero(rng.random(count) < 0.85)
        moved = box[seen] + (0 if given else rng.integers(-5, 6, (len(seen), 4)))
        guess = klass[seen] if given else np.where(rng.random(len(seen)) < 0.8, klass[seen], 1)
        said["box"] += moved.tolist()
        said["class"] += guess.tolist()
        said["frame"] += [f] * len(seen)
        said["score"] += (np.ones(len(seen)) if given else rng.random(len(seen))).tolist()
        for s, o in np.argwhere(~np.eye(len(seen), dtype=bool)):
            if rng.random() < 0.9:
                said["subject"].append(offset + s)
                said["object"].append(offset + o)
                said["pair_frame"].append(f)
                said["table"].append(rng.random(len(THING_PREDICATES)))
    columns = {"video_id": f"v{seed}", "frame_unit": np.arange(frames), "action_class": np.zeros(0), "schema": THINGS}
    annotation = VideoAnnotation(
        **columns,
        source_id="",
        split="test",
        fps=None,
        frame_key=tuple(map(str, range(frames))),
        frame_number=np.arange(1, frames + 1),
        frame_slot=np.zeros(frames),
        frame_size=np.full((frames, 2), 100),
        node_box=np.array(truth["box"]),
        node_class=np.array(truth["class"]),
        node_frame=np.array(truth["frame"]),
        node_identity=np.full(len(truth["box"]), -1),
        pair_subject=np.array(truth["subject"], np.int64),
        pair_object=np.array(truth["object"], np.int64),
        pair_frame=np.array(truth["pair_frame"], np.int64),
        labels={"relation": np.array(truth["hot"], np.bool_).reshape(-1, len(THING_PREDICATES))},
    )
    prediction = VideoPrediction(
        **columns,
        node_box=np.array(said["box"]).reshape(-1, 4),
        node_class=np.array(said["class"], np.int64),
        node_score=np.array(said["score"]),
        node_frame=np.array(said["frame"], np.int64),
        node_identity=np.full(len(said["box"]), -1),
        pair_subject=np.array(said["subject"], np.int64),
        pair_object=np.array(said["object"], np.int64),
        pair_frame=np.array(said["pair_frame"], np.int64),
        scores={"relation": np.array(said["table"]).reshape(-1, len(THING_PREDICATES))},
    )
    return annotation, prediction


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
