"""Recall of scene graphs of images and its relatives, as the code bases for Visual Genome and PSG
compute it.

Sources: KaihuaTang/Scene-Graph-Benchmark.pytorch and Maelic/SGG-Benchmark (``sgg_metrics.py``,
``sgg_eval.py``: R, ngR, zR, mR, F, relative, weighted recall, pair accuracy), lorjul/sgbench (arXiv
2404.09616: instance recall, pair recall, predicate rank). Images without a relation are left out
everywhere. Candidates are taken in the order in which pairs are given: sort them as the model
would. An overlap is told by its rule: "plain" (sides are x2 - x1), "plus_one" (x2 - x1 + 1) or
"mixed" (SGG-Benchmark's: + 1 in the intersection only, so that equal boxes overlap by more than 1
and boxes of two pixels never match).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vidsgg.errors import ConfigError, DataError
from vidsgg.ops.boxes import pairwise_iou
from vidsgg.structures.checks import Array

OverlapRule = Literal["plain", "plus_one", "mixed"]
IMAGE_KS = (20, 50, 100)
POOL = 100  # candidates of an image without graph constraint
_OVERLAP = 0.5


@dataclass(frozen=True, eq=False)
class ImageGraph:
    """The truth of one image and what was predicted. N true boxes, G relations, M boxes, P pairs, C
    predicates.

    true_box (N, 4), box (M, 4): xyxy. true_class (N,), klass (M,). relations (G, 3): rows of
    subject and object, predicate 0..C-1. score (M,). pairs (P, 2): rows of subject and object, best
    first. probability (P, C): without the column for "no relation".
    """

    true_box: Array
    true_class: Array
    relations: Array
    box: Array
    klass: Array
    score: Array
    pairs: Array
    probability: Array

    def __post_init__(self) -> None:
        if self.relations.ndim != 2 or self.relations.shape[1] != 3:
            raise DataError(f"relations have the shape {self.relations.shape}; each is subject, object, predicate.")
        if self.probability.ndim != 2 or len(self.probability) != len(self.pairs):
            raise DataError(
                f"{len(self.pairs)} pairs have probabilities of shape {self.probability.shape}; give a row for each pair."
            )


@dataclass(frozen=True, eq=False)
class Candidates:
    """Triplets in order of rank. hit (L, G) bool: which relations each of them matches."""

    pair: Array
    predicate: Array
    hit: Array

    def found(self, k: int) -> Array:
        """(G,) bool: relations that one of the first k matches."""
        found: Array = np.any(self.hit[:k], axis=0)
        return found


def image_overlaps(one: Array, other: Array, rule: OverlapRule) -> Array:
    """(N, 4) and (M, 4) xyxy boxes -> (N, M) float64 overlaps by one of the three rules. Raises
    ConfigError for another.
    """
    if rule == "plain":
        return pairwise_iou(one, other, inclusive=False)
    if rule == "plus_one":
        return pairwise_iou(one, other, inclusive=True)
    if rule != "mixed":
        raise ConfigError(f"overlap rule {rule!r}: there are 'plain', 'plus_one' and 'mixed'.")
    a, b = np.asarray(one, np.float64)[:, None], np.asarray(other, np.float64)[None]
    shared = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1, 0).prod(-1)
    area = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1)
    overlap: Array = np.divide(shared, area - shared, out=np.zeros_like(shared), where=area != shared)
    return overlap


def graph_constrained(image: ImageGraph, overlap: OverlapRule) -> Candidates:
    """One candidate for each pair, its best predicate, in the given order of pairs; of equal
    predicates the first.
    """
    predicate = image.probability.argmax(1) if len(image.pairs) else np.zeros(0, np.int64)
    return _matched(image, np.arange(len(image.pairs)), predicate, overlap)


def unconstrained(image: ImageGraph, overlap: OverlapRule, pool: int | None = POOL) -> Candidates:
    """Every predicate of every pair by score of subject * score of object * probability; the best
    ``pool``, or all.
    """
    order = _by_product(image)[:pool]
    classes = image.probability.shape[1]
    return _matched(image, order // classes, order % classes, overlap)


@dataclass(frozen=True, eq=False)
class ImageRecall:
    """Recall of I images at K cut-offs. image_recall (I, K); recall (K,): its mean over images, NaN
    if there is none.
    """

    ks: tuple[int, ...]
    image_recall: Array
    relations: int

    @property
    def recall(self) -> Array:
        return self.image_recall.mean(0) if len(self.image_recall) else np.full(len(self.ks), np.nan)


def image_recall(
    images: Iterable[ImageGraph],
    ks: Sequence[int] = IMAGE_KS,
    *,
    constrained: bool = True,
    overlap: OverlapRule = "plain",
    seen: Collection[tuple[int, int, int]] | None = None,
) -> ImageRecall:
    """R@K, without ``constrained`` ngR@K; with ``seen`` zero-shot recall (rule "recall"): of
    relations whose triplet is not among them.

    seen: (class of subject, class of object, predicate) of the training part. Predictions of seen
    triplets stay in the list.
    """
    rows, relations = [], 0
    for image in images:
        wanted = np.ones(len(image.relations), np.bool_) if seen is None else ~_is_seen(image, seen)
        if not wanted.any():
            continue
        candidates = graph_constrained(image, overlap) if constrained else unconstrained(image, overlap)
        rows.append([candidates.found(k)[wanted].mean() for k in ks])
        relations += int(wanted.sum())
    return ImageRecall(tuple(ks), np.array(rows).reshape(-1, len(ks)), relations)


def predicate_recall_of_images(
    images: Iterable[ImageGraph],
    predicates: int,
    ks: Sequence[int] = IMAGE_KS,
    *,
    constrained: bool = True,
    overlap: OverlapRule = "plain",
) -> Array:
    """(K, C) per predicate the mean over the images that have it of the share that is found; 0 for
    one that does not occur.

    Its mean over all C is mR (``mR_frame`` with images for frames). KaihuaTang's and
    SGG-Benchmark's mean recall.
    """
    total, there = np.zeros((len(ks), predicates)), np.zeros(predicates)
    for image in images:
        if not len(image.relations):
            continue
        candidates = graph_constrained(image, overlap) if constrained else unconstrained(image, overlap)
        for i, k in enumerate(ks):
            share, count = _shares(image, candidates.found(k), predicates)
            total[i] += np.where(count > 0, share, 0)
        there += count > 0
    recall: Array = np.divide(total, there, out=np.zeros_like(total), where=there > 0)
    return recall


def f_score(recall: float | Array, mean_recall: float | Array) -> Array:
    """F@K: the harmonic mean of a whole data set's R@K and mR@K, 0 where both are 0 (first in
    IETrans; hR@K elsewhere).
    """
    recall, mean_recall = np.asarray(recall, np.float64), np.asarray(mean_recall, np.float64)
    total = recall + mean_recall
    score: Array = np.divide(2 * recall * mean_recall, total, out=np.zeros_like(total), where=total != 0)
    return score


def relative_recall(
    images: Iterable[ImageGraph], predicates: int, overlap: OverlapRule = "plain"
) -> tuple[float, float]:
    """Recall and mean recall where K is the number of an image's relations (RR; SGG-Benchmark's
    relative recall).
    """
    rows, total, there = list[float](), np.zeros(predicates), np.zeros(predicates)
    for image in images:
        if not len(image.relations):
            continue
        found = graph_constrained(image, overlap).found(len(image.relations))
        share, count = _shares(image, found, predicates)
        rows.append(float(found.mean()))
        total += np.where(count > 0, share, 0)
        there += count > 0
    mean = np.divide(total, there, out=np.zeros_like(total), where=there > 0).mean()
    return (sum(rows) / len(rows), float(mean)) if rows else (float("nan"), float("nan"))


def weighted_recall(
    images: Iterable[ImageGraph], ks: Sequence[int] = IMAGE_KS, overlap: OverlapRule = "plain"
) -> Array:
    """(K,) SGG-Benchmark's weighted recall: a candidate with a hit weighs (K - q) / K after q
    misses. It may exceed 1.
    """
    rows = []
    for image in images:
        if not len(image.relations):
            continue
        hit = np.asarray(graph_constrained(image, overlap).hit.any(1))
        misses = np.cumsum(~hit)
        rows.append([((k - misses[:k]) / k)[hit[:k]].sum() / len(image.relations) for k in ks])
    return np.array(rows).mean(0) if rows else np.full(len(ks), np.nan)


def pair_accuracy(
    images: Iterable[ImageGraph],
    ks: Sequence[int] = IMAGE_KS,
    *,
    filter_first: bool = True,
    overlap: OverlapRule = "plain",
) -> Array:
    """(K,) A@K: recall, pooled over images, of candidates whose boxes are those of a true pair;
    boxes must be the true ones (PredCLS, SGCLS).

    filter_first: keep true pairs, then take K (KaihuaTang); else take K, then keep true pairs
    (SGG-Benchmark).
    """
    found, relations = np.zeros(len(ks)), 0
    for image in images:
        if not len(image.relations):
            continue
        candidates = graph_constrained(image, overlap)
        true = {(int(s), int(o)) for s, o in image.relations[:, :2]}
        is_true = np.array([(int(s), int(o)) in true for s, o in image.pairs], np.bool_)
        for i, k in enumerate(ks):
            kept = candidates.hit[is_true][:k] if filter_first else candidates.hit[:k][is_true[:k]]
            found[i] += kept.any(0).sum()
        relations += len(image.relations)
    return found / relations if relations else np.full(len(ks), np.nan)


@dataclass(frozen=True, eq=False)
class InstanceRecall:
    """sgbench's metrics, where each predicted box stands for one true instance. I images, K
    cut-offs, C predicates.

    recall, pair_recall (K,). predicate_recall (K, C): NaN for one that does not occur.
    instance_recall: share of true boxes that are found. image_predicate_rank (I, C): NaN where
    nothing is found; predicate_rank: its mean over all entries.
    """

    ks: tuple[int, ...]
    recall: Array
    predicate_recall: Array
    pair_recall: Array
    instance_recall: float
    image_predicate_rank: Array

    @property
    def predicate_rank(self) -> float:
        return nan_mean(self.image_predicate_rank)


def instance_matched(images: Iterable[ImageGraph], predicates: int, ks: Sequence[int] = IMAGE_KS) -> InstanceRecall:
    """Recall where boxes are matched first: each predicted box to the true box of its class that it
    overlaps most, by 0.5 or more.
    """
    recall, shares, pair_recall, instances, ranks = [], [], [], [], []
    for image in images:
        if not len(image.relations):
            continue
        instance = match_instances(image)
        truth = [(int(s), int(o), int(p)) for s, o, p in image.relations]
        first = graph_constrained(image, "plain")
        said = _renamed(image, first, instance)
        recall.append([len({*said[:k]} & {*truth}) / len({*truth}) for k in ks])
        by_predicate = []
        for k in ks:
            hit = np.array([row in {*said[:k]} for row in truth])
            share, count = _shares(image, hit, predicates)
            by_predicate.append(np.where(count > 0, share, np.nan))
        shares.append(by_predicate)
        # The reference also cuts the true relations to their first K, once they are sorted by
        # subject, object, predicate.
        true_pairs = [{(s, o) for s, o, _ in sorted(truth)[:k]} for k in ks]
        pair_recall.append(
            [len({(s, o) for s, o, _ in said[:k]} & true) / len(true) for k, true in zip(ks, true_pairs, strict=True)]
        )
        instances.append(len({*instance.tolist()} - {-1}) / len(image.true_box))
        ranks.append(_predicate_ranks(image, instance, truth, predicates))
    if not recall:
        none = np.full(len(ks), np.nan)
        return InstanceRecall(
            tuple(ks), none, np.full((len(ks), predicates), np.nan), none, float("nan"), np.zeros((0, predicates))
        )
    return InstanceRecall(
        tuple(ks),
        np.mean(recall, 0),
        _column_means(np.array(shares)),
        np.mean(pair_recall, 0),
        float(np.mean(instances)),
        np.array(ranks),
    )


def match_instances(image: ImageGraph) -> Array:
    """(M,) the true box that each predicted box stands for, -1 for none; of equal overlaps the
    first.
    """
    if not len(image.true_box):
        return np.full(len(image.box), -1)
    overlap = np.where(
        image.klass[:, None] == image.true_class[None], image_overlaps(image.box, image.true_box, "plain"), -1.0
    )
    best = overlap.argmax(1)
    return np.where(overlap[np.arange(len(best)), best] >= _OVERLAP, best, -1)


def nan_mean(values: Array) -> float:
    """The mean of what is not NaN; NaN if nothing is left."""
    kept = values[~np.isnan(values)]
    return float(kept.mean()) if len(kept) else float("nan")


def _by_product(image: ImageGraph) -> Array:
    """Cells (pair, predicate) by the product of scores, best first; equal ones by pair, then
    predicate.
    """
    subject, obj = image.pairs.reshape(-1, 2).T
    product = (image.score[subject] * image.score[obj])[:, None] * image.probability
    return np.argsort(-product.ravel(), kind="stable")


def _matched(image: ImageGraph, pair: Array, predicate: Array, rule: OverlapRule) -> Candidates:
    agree = (image.klass[:, None] == image.true_class[None]) & (
        image_overlaps(image.box, image.true_box, rule) >= _OVERLAP
    )
    subject, obj = image.pairs[pair].reshape(-1, 2).T
    true_subject, true_object, true_predicate = image.relations.T
    hit = agree[subject][:, true_subject] & agree[obj][:, true_object] & (predicate[:, None] == true_predicate[None])
    return Candidates(pair, predicate, hit)


def _renamed(image: ImageGraph, candidates: Candidates, instance: Array) -> list[tuple[int, int, int]]:
    ends = instance[image.pairs[candidates.pair].reshape(-1, 2)]
    return [(int(s), int(o), int(p)) for (s, o), p in zip(ends, candidates.predicate, strict=True)]


def _predicate_ranks(image: ImageGraph, instance: Array, truth: list[tuple[int, int, int]], predicates: int) -> Array:
    """(C,) the mean place of a predicate's relations among the distinct predicates that are said of
    their pair; NaN if none is found.
    """
    said: dict[tuple[int, int], dict[int, int]] = {}
    for s, o, p in _renamed(image, unconstrained(image, "plain", None), instance):
        places = said.setdefault((s, o), {})
        places.setdefault(p, len(places))
    ranks: list[list[int]] = [[] for _ in range(predicates)]
    for s, o, p in truth:
        if p in said.get((s, o), {}):
            ranks[p].append(said[s, o][p])
    return np.array([np.mean(listed) if listed else np.nan for listed in ranks])


def _shares(image: ImageGraph, found: Array, predicates: int) -> tuple[Array, Array]:
    """(C,) the share of every predicate's relations that is found, and how many there are."""
    count = np.bincount(image.relations[:, 2], minlength=predicates)
    hits = np.bincount(image.relations[:, 2], weights=found, minlength=predicates)
    return np.divide(hits, count, out=np.zeros(predicates), where=count > 0), count


def _is_seen(image: ImageGraph, seen: Collection[tuple[int, int, int]]) -> Array:
    known = seen if isinstance(seen, (set, frozenset)) else set(seen)
    classes = image.true_class
    return np.array([(int(classes[s]), int(classes[o]), int(p)) in known for s, o, p in image.relations], np.bool_)


def _column_means(table: Array) -> Array:
    """Means over the first axis of what is not NaN."""
    there = ~np.isnan(table)
    count = there.sum(0)
    total = np.where(there, table, 0).sum(0)
    mean: Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean
