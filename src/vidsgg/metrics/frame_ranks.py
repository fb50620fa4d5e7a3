"""Ranks of true relations when pairs of boxes are matched (Action Genome's evaluator as STTran publishes it).

Per frame, with P scored pairs:

* A cell is (pair, predicate). Candidates are cells: for "with" the best predicate of every pair and group, for "semi" the best of
  single-label groups and every one above the threshold (strictly) of multi-label groups, for "no" all cells, of which the best
  ``pool`` by the float32 product stay.
* Candidates are ordered by subject score * object score * predicate score in float64, best first. Equal ones keep the order in
  which they were made: groups in order, then pairs, then predicates (for "no": the order of its cut, whose own ties go by the same
  rule). The authors' sort is not stable, so tied scores have no reproducible order there.
* A candidate matches a true relation when predicate, both classes and both boxes agree; one candidate may match several relations
  and none is used up.

A predicate group has one direction, for truth and prediction alike, so it does not change what matches. The authors' tables also
hold zeros for predicates outside a row's group; no model says them, so they are no candidates here.

Everything runs over all frames of all given videos at once. Sorting is by one 64-bit key (frame, float32 score); a float32 product
misjudges the float64 order by a few units in the last place at most, so only frames in which a true relation has such a close
neighbour are ordered again by the full rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidsgg.metrics.protocol import Constraint, Protocol
from vidsgg.metrics.ranks import NOT_FOUND, RelationRanks, first, spread
from vidsgg.ops.boxes import aligned_iou
from vidsgg.structures.checks import Array
from vidsgg.structures.vocabulary import PredicateGroup

# Two roundings to float32 err by 2 ulp at most, so two products within 4 ulp may stand in either order; 8 leaves a margin.
_CLOSE = np.uint64(8)
_SIGN = np.uint32(0x80000000)


@dataclass(frozen=True, eq=False)
class PairTable:
    """Pairs of boxes of many frames. N nodes, P pairs.

    node_box (N, 4): xyxy pixels, float32 or float64. node_class (N,). subject, object (P,): nodes. frame (P,): never decreasing.
    """

    node_box: Array
    node_class: Array
    subject: Array
    object: Array
    frame: Array


@dataclass(frozen=True, eq=False)
class TruePairs(PairTable):
    """labels (P, C) bool: multi-hot over all predicates by global id."""

    labels: Array


@dataclass(frozen=True, eq=False)
class ScoredPairs(PairTable):
    """node_score (N,) float32; scores: probabilities (P, C) float32 of every predicate group, in [0, 1]."""

    node_score: Array
    scores: Mapping[str, Array]


def frame_ranks(truth: TruePairs, scored: ScoredPairs, groups: Sequence[PredicateGroup], protocol: Protocol) -> RelationRanks:
    """Rank of every true relation, per constraint of the protocol; relations in order of true pair, then predicate."""
    if protocol.iou is None:
        raise ValueError(f"protocol {protocol.name!r} does not match boxes")
    pair, predicate = np.nonzero(truth.labels)
    relations_of = np.bincount(pair, minlength=len(truth.frame))
    start_of = np.cumsum(relations_of) - relations_of
    true_pair, scored_pair = match_pairs(truth, scored, protocol.iou)
    match, nth = spread(relations_of[true_pair])
    relation = start_of[true_pair][match] + nth

    cells = _Cells(scored, groups)
    hit_pair = scored_pair[match]
    hit = cells.at(hit_pair, predicate[relation])
    ranks = []
    for constraint in protocol.constraints:
        found, rank = _rank_hits(cells, constraint, protocol, hit, hit_pair)
        ranks.append(first(rank, relation[found], len(pair)))
    return RelationRanks(unit=truth.frame[pair], predicate=predicate, rank=np.stack(ranks))


def match_pairs(truth: TruePairs, scored: ScoredPairs, iou: float) -> tuple[Array, Array]:
    """All (true pair, scored pair) of a frame with equal classes whose boxes overlap by ``iou`` or more; ordered by true pair."""
    classes = 1 + max(truth.node_class.max(initial=0), scored.node_class.max(initial=0))

    def key(table: PairTable) -> Array:
        joint: Array = (table.frame * classes + table.node_class[table.subject]) * classes + table.node_class[table.object]
        return joint

    wanted, offered = key(truth), key(scored)
    order = np.argsort(offered)
    offered = offered[order]
    low = np.searchsorted(offered, wanted, side="left")
    mine, nth = spread(np.searchsorted(offered, wanted, side="right") - low)
    other = order[low[mine] + nth]
    good = np.ones(len(mine), dtype=np.bool_)
    for end in ("subject", "object"):
        a, b = getattr(truth, end)[mine], getattr(scored, end)[other]
        good &= aligned_iou(truth.node_box[a], scored.node_box[b], inclusive=True) >= iou
    return mine[good], other[good]


class _Cells:
    """Every (pair, predicate) of the scored pairs as one flat table: groups in order, pairs in order, predicates in order.

    So within a frame a smaller cell number is an earlier candidate. probability, score: (P * C,) float32, score being
    (subject * object) * predicate. best (G, P): cell of the best predicate of every group and pair, the first among equals.
    """

    def __init__(self, scored: ScoredPairs, groups: Sequence[PredicateGroup]) -> None:
        self.groups = groups
        self.frame = scored.frame
        self.pairs_of = np.bincount(scored.frame)
        width = np.array([len(group) for group in groups], dtype=np.int64)
        offset = np.cumsum(width) - width
        self.start = len(scored.frame) * offset  # first cell of every group
        self.group_of = np.repeat(np.arange(len(groups), dtype=np.int64), width)
        self.width_of = width[self.group_of]
        self.local = np.arange(len(self.group_of), dtype=np.int64) - offset[self.group_of]

        self.box_score = scored.node_score[scored.subject], scored.node_score[scored.object]
        scale = (self.box_score[0] * self.box_score[1])[:, None]
        self.probability = np.concatenate([scored.scores[group.name].ravel() for group in groups])
        self.score = np.empty_like(self.probability)
        for g in range(len(groups)):
            np.multiply(self.table(self.probability, g), scale, out=self.table(self.score, g))
        pair = np.arange(len(scored.frame), dtype=np.int64)
        self.best = np.stack([self.start[g] + pair * width[g] + self.table(self.probability, g).argmax(1) for g in range(len(groups))])

    def table(self, flat: Array, group: int) -> Array:
        """(P, predicates of the group): the group's part of a flat table, as a view."""
        rows, columns = len(self.frame), len(self.groups[group])
        return flat[self.start[group] : self.start[group] + rows * columns].reshape(rows, columns)

    def at(self, pair: Array, predicate: Array) -> Array:
        """Cell of a pair and a global predicate."""
        cell: Array = self.start[self.group_of[predicate]] + pair * self.width_of[predicate] + self.local[predicate]
        return cell

    def key(self, cell: Array, pair: Array) -> Array:
        """(frame, descending float32 score) as one ascending integer; the bits of non-negative floats ascend like the floats."""
        descending = ~(self.score[cell].view(np.uint32)) | _SIGN
        key: Array = (self.frame[pair].astype(np.uint64) << np.uint64(32)) | descending
        return key

    def exact_score(self, cell: Array, pair: Array) -> Array:
        """(subject * object) * predicate in float64."""
        subject, obj = (score.astype(np.float64)[pair] for score in self.box_score)
        score: Array = subject * obj * self.probability[cell]
        return score

    def candidates(self, constraint: Constraint, protocol: Protocol) -> tuple[Array, Array]:
        """(cell, pair) of the candidates, cells ascending; for "no" at least those among the ``pool`` best of a frame."""
        everyone = np.arange(len(self.frame), dtype=np.int64)
        floor = self._floor(protocol.pool)[:, None] if constraint == "no" else None
        cells, pairs = [], []
        for g, group in enumerate(self.groups):
            if floor is not None:
                chosen = self.table(self.score, g) >= floor
            elif constraint == "semi" and group.kind == "multi":
                chosen = self.table(self.probability, g) > np.float32(protocol.semi_threshold)
            else:
                cells.append(self.best[g])
                pairs.append(everyone)
                continue
            cell = np.flatnonzero(chosen)
            cells.append(self.start[g] + cell)
            pairs.append(cell // len(group))
        return np.concatenate(cells), np.concatenate(pairs)

    def _floor(self, pool: int) -> Array:
        """(P,) a score which at least ``pool`` cells of the pair's frame reach, 0 if the frame is too small to tell.

        It is the pool-th best among the best cells of every pair and group, so it costs little and spares sorting the rest.
        """
        count = len(self.groups) * self.pairs_of
        floor = np.zeros(len(count), dtype=np.float32)
        large = count >= pool
        if large.any():
            key = np.sort(self.key(self.best.ravel(), np.tile(np.arange(len(self.frame), dtype=np.int64), len(self.groups))))
            nth = (np.cumsum(count) - count)[large] + pool - 1
            floor[large] = (~(key[nth].astype(np.uint32)) & ~_SIGN).view(np.float32)
        return floor[self.frame]


def _rank_hits(cells: _Cells, constraint: Constraint, protocol: Protocol, hit: Array, hit_pair: Array) -> tuple[Array, Array]:
    """Which of the cells ``hit`` are candidates (indices), and their ranks."""
    cell, pair = cells.candidates(constraint, protocol)
    candidate = np.zeros(len(cells.score), dtype=np.bool_)
    candidate[cell] = True
    found = np.flatnonzero(candidate[hit])
    hit, hit_pair = hit[found], hit_pair[found]
    pool = protocol.pool if constraint == "no" else None

    key = np.sort(cells.key(cell, pair))
    count = np.bincount(cells.frame[pair], minlength=len(cells.pairs_of))
    position = np.searchsorted(key, cells.key(hit, hit_pair))
    frame = cells.frame[hit_pair]
    rank = position - (np.cumsum(count) - count)[frame]
    close = np.diff(key) <= _CLOSE
    crowded = np.concatenate([close, [False]]) | np.concatenate([[False], close])
    unsettled = np.zeros(len(count), dtype=np.bool_)
    unsettled[frame[crowded[position]]] = True
    if unsettled.any():
        again = unsettled[cells.frame[pair]]
        redo = unsettled[frame]
        rank[redo] = _exact_rank(cells, cell[again], pair[again], pool, hit[redo])
    if pool is not None:
        rank[rank >= pool] = NOT_FOUND
    return found, rank


def _exact_rank(cells: _Cells, cell: Array, pair: Array, pool: int | None, hit: Array) -> Array:
    """Rank of the cells ``hit`` among the candidates (cells ascending) by the full rule, NOT_FOUND for those cut off."""
    frame = cells.frame[pair]
    if pool is not None:
        order = np.lexsort((-cells.score[cell], frame))
        order = order[_position(frame[order]) < pool]
        cell, pair, frame = cell[order], pair[order], frame[order]
    order = np.lexsort((-cells.exact_score(cell, pair), frame))
    rank = np.full(len(cells.score), NOT_FOUND, dtype=np.int64)
    rank[cell[order]] = _position(frame[order])
    chosen: Array = rank[hit]
    return chosen


def _position(ordered: Array) -> Array:
    """Position of every row inside its run of equal values."""
    return spread(np.bincount(ordered))[1]
