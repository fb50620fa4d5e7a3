"""Recall of relations over spans of frames: PVSG's metric (Yang et al., CVPR 2023), from the
overlap of things in each frame.

Source: LilyDaytoy/OpenPVSG ``tools/rel_test_full.py``, ``utils/rel_metrics.py``. Spans end
inclusively, as its evaluation reads them. Of a prediction only the frames of the true spans are
looked at: frames that it names besides cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vidsgg.errors import DataError
from vidsgg.ops.boxes import aligned_iou
from vidsgg.structures.checks import Array

SPAN_KS = (20, 50, 100)
HIT, WEAK_HIT = 0.5, 0.1  # least overlaps
_FRAME_OVERLAP = 0.5  # of a thing in a frame


@dataclass(frozen=True)
class SpanRelation:
    """subject and object: rows of the true things. spans: first and last frames, from 0, both
    inclusive.
    """

    subject: int
    object: int
    predicate: int
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class SpanVideo:
    """The truth of one video and what was predicted. F frames, N true things, M tracks, Q pairs, C
    predicates.

    true_class (N,), track_class (M,). visible (N, F), (M, F) bool: whether a thing or track can be
    seen in a frame. overlap (N, M, F): intersection over union in each frame, of masks or of boxes;
    0 where either cannot be seen. pairs (Q, 2): tracks of subject and object. probability (Q, C).
    span (Q, F or fewer, C): above 0 where the predicate is said to hold; frames beyond are not
    said.
    """

    frames: int
    true_class: Array
    true_visible: Array
    relations: tuple[SpanRelation, ...]
    track_class: Array
    track_visible: Array
    overlap: Array
    pairs: Array
    probability: Array
    span: Array


@dataclass(frozen=True, eq=False)
class SpanRecall:
    """Counts of every predicate. K cut-offs, C predicates.

    total (C,): true relations. hit, weak_hit (K, C): how many are found, and how many candidates
    found them weakly, which may be more than there are. soft_hit, soft_weak_hit (K, C): the
    overlaps of these in place of 1.
    """

    ks: tuple[int, ...]
    total: Array
    hit: Array
    weak_hit: Array
    soft_hit: Array
    soft_weak_hit: Array

    def recall(self, hits: str = "hit") -> Array:
        """(K,) hits by relations, pooled over videos; NaN without a relation. hits: the name of one
        of the counts.
        """
        total = self.total.sum()
        counted: Array = getattr(self, hits)
        return counted.sum(1) / total if total else np.full(len(self.ks), np.nan)

    def mean_recall(self, hits: str = "hit") -> Array:
        """(K,) the mean over the predicates that occur; NaN without a relation."""
        there = self.total > 0
        counted: Array = getattr(self, hits)
        return (counted[:, there] / self.total[there]).mean(1) if there.any() else np.full(len(self.ks), np.nan)


def span_recall(videos: Iterable[SpanVideo], predicates: int, ks: Sequence[int] = SPAN_KS) -> SpanRecall:
    """Recall of relations over spans of frames, pooled over videos.

    For each true relation the candidates, pairs with a predicate, are walked through from the
    largest probability on. Those of its classes and predicate whose tracks are seen somewhere are
    compared with it: the overlap is, of the frames of its spans, the share in which the candidate
    holds and both things overlap by 0.5, among those in which it does or both true things are
    visible. The walk ends with the first overlap of 0.5; overlaps of 0.1 on the way, and this one,
    are weak hits. A candidate may find several relations.
    """
    tables = {name: np.zeros((len(ks), predicates)) for name in ("hit", "weak_hit", "soft_hit", "soft_weak_hit")}
    total = np.zeros(predicates, np.int64)
    cuts = np.asarray(ks)
    for video in videos:
        pair, predicate = _candidates(video)
        subject, obj = video.pairs[pair].reshape(-1, 2).T
        seen = np.asarray(video.track_visible.any(1))
        usable = seen[subject] & seen[obj]
        for relation in video.relations:
            total[relation.predicate] += 1
            fits = usable & (predicate == relation.predicate)
            fits &= video.track_class[subject] == video.true_class[relation.subject]
            fits &= video.track_class[obj] == video.true_class[relation.object]
            for rank in np.flatnonzero(fits):
                overlap = _overlap(video, relation, int(pair[rank]))
                counted = np.where(rank < cuts, 1.0, 0.0)
                if overlap >= WEAK_HIT:
                    tables["weak_hit"][:, relation.predicate] += counted
                    tables["soft_weak_hit"][:, relation.predicate] += counted * overlap
                if overlap >= HIT:
                    tables["hit"][:, relation.predicate] += counted
                    tables["soft_hit"][:, relation.predicate] += counted * overlap
                    break
    return SpanRecall(tuple(ks), total, **tables)


def box_overlaps(true: Array, tracks: Array) -> Array:
    """(N, F, 4) and (M, F, 4) inclusive xyxy boxes, NaN where a thing is not seen -> (N, M, F)
    overlaps in each frame.
    """
    overlap = aligned_iou(true[:, None], tracks[None], inclusive=True)
    return np.nan_to_num(overlap, nan=0.0)


def mask_overlaps(true: Array, tracks: Array) -> Array:
    """(N, F, H, W) and (M, F, H, W) bool masks -> (N, M, F) overlaps in each frame."""
    overlap = np.zeros((len(true), len(tracks), true.shape[1]))
    for n, mine in enumerate(true):
        for m, theirs in enumerate(tracks):
            shared, joint = (mine & theirs).sum((1, 2)), (mine | theirs).sum((1, 2))
            overlap[n, m] = np.divide(shared, joint, out=np.zeros(len(joint)), where=joint > 0)
    return overlap


def _candidates(video: SpanVideo) -> tuple[Array, Array]:
    """Pair and predicate of every candidate, the largest probability first; equal ones by pair,
    then predicate.
    """
    if video.probability.shape[:1] != video.pairs.shape[:1]:
        raise DataError(
            f"{len(video.pairs)} pairs have probabilities of shape {video.probability.shape}; give a row for each pair."
        )
    order = np.argsort(-video.probability.ravel(), kind="stable")
    classes = video.probability.shape[1]
    return order // classes, order % classes


def _overlap(video: SpanVideo, relation: SpanRelation, pair: int) -> float:
    frames = np.zeros(video.frames, np.bool_)
    for first, last in relation.spans:
        frames[max(first, 0) : last + 1] = True
    visible = frames & video.true_visible[relation.subject] & video.true_visible[relation.object]
    subject, obj = video.pairs[pair]
    holds = np.zeros(video.frames, np.bool_)
    said = video.span[pair, : video.frames, relation.predicate] > 0
    holds[: len(said)] = said
    holds &= frames
    holds &= video.overlap[relation.subject, subject] >= _FRAME_OVERLAP
    holds &= video.overlap[relation.object, obj] >= _FRAME_OVERLAP
    joint = (visible | holds).sum()
    return float((visible & holds).sum() / joint) if joint else 0.0
