"""Small random annotations and clips for tests of everything that reads them."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import torch

from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary
from vidsgg.structures.widths import FeatureWidths

ENTITY = Schema(
    "toy_frames",
    Vocabulary(
        (BACKGROUND, "person", "cup", "chair", "door"),
        ("person",),
        (
            PredicateGroup("attention", ("looking", "not_looking", "unsure"), "single"),
            PredicateGroup("spatial", ("above", "behind"), "multi", "object->subject"),
            PredicateGroup("contacting", ("holding", "sitting", "wiping", "eating")),
        ),
    ),
    "entity",
    one_subject=True,
    often_wrong=("chair",),
    once_per_frame=("person",),
)
ACTION = Schema(
    "toy_events",
    Vocabulary(
        (BACKGROUND, "cup", "knife", "pan", "hand"),
        ("cut", "wash", "take"),
        (PredicateGroup("relation", ("dobj", "with", "in", "from"), exclusive=("dobj",)),),
    ),
    "action",
    unit="event",
    slots=("pre", "pnr", "post"),
    subject_given=("predcls", "sgcls"),
    box_unit="relative",
    has_frames=False,
)
WIDTHS = FeatureWidths(node=6, union=3)


def _boxes(rng: np.random.Generator, n: int) -> np.ndarray:
    low = rng.uniform(0, 60, (n, 2))
    return np.concatenate([low, low + rng.uniform(5, 40, (n, 2))], 1)


def _labels(schema: Schema, rng: np.random.Generator, pairs: int) -> dict[str, np.ndarray]:
    labels = {}
    for group in schema.vocabulary.groups:
        hot = np.zeros((pairs, len(group)), bool)
        hot[np.arange(pairs), rng.integers(0, len(group), pairs)] = True
        if group.kind == "multi":
            hot |= rng.random(hot.shape) < 0.2
        labels[group.name] = hot
    return labels


def entity_annotation(pairs_of: list[int], seed: int = 0, name: str = "video") -> VideoAnnotation:
    """A video whose frame t has a person and ``pairs_of[t]`` objects (0 is allowed)."""
    rng = np.random.default_rng(seed)
    frames = len(pairs_of)
    counts = np.array(pairs_of)
    node_frame = np.repeat(np.arange(frames), counts + 1)
    person = np.cumsum(counts + 1) - (counts + 1)
    node_class = rng.integers(2, 5, len(node_frame))
    node_class[person] = 1
    pair_frame = np.repeat(np.arange(frames), counts)
    objects = np.setdiff1d(np.arange(len(node_frame)), person)
    return VideoAnnotation(
        schema=ENTITY, video_id=name, source_id=name, split="train", fps=25.0,
        frame_key=tuple(f"{name}/{t:06d}.png" for t in range(frames)),
        frame_number=np.arange(frames) * 3 + 1, frame_unit=np.arange(frames), frame_slot=np.zeros(frames, int),
        frame_size=np.full((frames, 2), 100.0), node_box=_boxes(rng, len(node_frame)), node_class=node_class, node_frame=node_frame,
        node_identity=np.full(len(node_frame), -1), action_class=np.zeros(0, int),
        pair_subject=person[pair_frame], pair_object=objects, pair_frame=pair_frame, labels=_labels(ENTITY, rng, len(objects)),
    )  # fmt: skip


def action_annotation(objects_of: list[int], seed: int = 0, name: str = "clip") -> VideoAnnotation:
    """Events of three frames each; event u has ``objects_of[u]`` objects, seen in every frame, with
    one label per object."""
    rng = np.random.default_rng(seed)
    units = len(objects_of)
    node_frame, identity, classes = [], [], []
    for u, n in enumerate(objects_of):
        chosen = np.sort(rng.permutation(4)[:n]) + 1
        for slot in range(3):
            node_frame += [3 * u + slot] * n
            identity += range(n)
            classes += chosen.tolist()
    nodes = len(node_frame)
    per_object = {u: _labels(ACTION, rng, n)["relation"] for u, n in enumerate(objects_of)}
    relation = np.array([per_object[f // 3][i] for f, i in zip(node_frame, identity, strict=True)]).reshape(nodes, 4)
    return VideoAnnotation(
        schema=ACTION, video_id=name, source_id=name, split="train", fps=30.0,
        frame_key=tuple(f"{name}_{u}_{s}" for u in range(units) for s in ACTION.slots),
        frame_number=np.arange(3 * units) + 1, frame_unit=np.repeat(np.arange(units), 3), frame_slot=np.tile(np.arange(3), units),
        frame_size=np.full((3 * units, 2), 100.0), node_box=_boxes(rng, nodes), node_class=classes, node_frame=node_frame,
        node_identity=identity, action_class=rng.integers(0, 3, units),
        pair_subject=np.array(node_frame) // 3, pair_object=np.arange(nodes), pair_frame=node_frame, labels={"relation": relation},
    )  # fmt: skip


def entity_clip(pairs_of: list[int], seed: int = 0, name: str = "video") -> Clip:
    """The clip of ``entity_annotation`` with random features of widths WIDTHS."""
    annotation = entity_annotation(pairs_of, seed, name)
    generator = torch.Generator().manual_seed(seed)
    return Clip.from_annotation(
        annotation,
        node_feature=torch.randn(annotation.nodes, WIDTHS.node, generator=generator),
        pair_union=torch.randn(annotation.pairs, WIDTHS.union, 7, 7, generator=generator),
        pair_mask=torch.rand(annotation.pairs, 2, 27, 27, generator=generator) - 0.5,
    )


def action_clip(objects_of: list[int], seed: int = 0, name: str = "clip") -> Clip:
    return Clip.from_annotation(action_annotation(objects_of, seed, name))


def learning_clip(pairs_of: list[int], seed: int = 0, name: str = "video") -> Clip:
    """``entity_clip`` as models learn from it where classes are hidden."""
    clip = entity_clip(pairs_of, seed, name)
    logits = torch.randn(clip.nodes, len(ENTITY.vocabulary.objects) - 1, generator=torch.Generator().manual_seed(seed))
    distribution = torch.cat([torch.zeros(clip.nodes, 1), logits.softmax(1)], 1)
    return replace(
        clip, classes_given=False, node_class=torch.full_like(clip.node_class, -1), node_distribution=distribution
    )


def open_clip(pairs_of: list[int], seed: int = 0, name: str = "video") -> Clip:
    """``entity_clip`` as it is scored where classes are hidden."""
    return opened(learning_clip(pairs_of, seed, name))


def opened(clip: Clip) -> Clip:
    """The scoring form of a learning clip: every two nodes of a frame are a candidate.

    The union features of candidate (a, b) are all 1000 a + b, so that a test sees which one is
    taken.
    """
    frames = [torch.nonzero(clip.node_frame == frame).flatten().tolist() for frame in range(clip.frames)]
    subject, obj = (
        torch.tensor([pair for nodes in frames for pair in combinations(nodes, 2)], dtype=torch.int64).view(-1, 2).T
    )
    return replace(
        clip, pairs_open=True, labels=None, node_target=None, pair_subject=subject, pair_object=obj, pair_frame=clip.node_frame[subject],
        pair_union=(1000.0 * subject + obj).view(-1, 1, 1, 1).expand(-1, WIDTHS.union, 7, 7), pair_mask=None,
    )  # fmt: skip
