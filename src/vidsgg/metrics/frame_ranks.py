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

# Two roundings to float32 err by 2 ulp at most, so products within 4 ulp may stand in either order; 8 leaves a margin.
_CLOSE = np.uint64(8)
_SIGN = np.uint32(0x80000000)
_FRAME_BITS = np.uint64(32)  # where the frame begins in a key


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
    true = np.flatnonzero(truth.labels)
    pair = true // truth.labels.shape[1]
    predicate = true - pair * truth.labels.shape[1]
    relations_of = np.bincount(pair, minlength=len(truth.frame))
    start_of = np.cumsum(relations_of) - relations_of
    true_pair, scored_pair = match_pairs(truth, scored, protocol.iou)
    match, nth = spread(relations_of[true_pair])
    relation = start_of[true_pair][match] + nth

    cells = _Cells(scored, groups)
    hit = cells.at(scored_pair[match], predicate[relation])
    ranks = []
    for constraint in protocol.constraints:
        candidates = cells.candidates(constraint, protocol)
        found = np.flatnonzero(candidates[hit])
        rank = _rank(cells, candidates, protocol.pool if constraint == "no" else None, hit[found])
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

    So within a frame a smaller cell number is an earlier candidate. probability (P * C,) float32. key (P * C,) uint64: frame, then
    descending (subject * object) * predicate in float32, as one ascending integer. best (P * C,) bool: the best predicate of every
    pair and group, the first among equals.
    """

    def __init__(self, scored: ScoredPairs, groups: Sequence[PredicateGroup]) -> None:
        width = np.array([len(group) for group in groups], dtype=np.int64)
        offset = np.cumsum(width) - width
        self.groups = groups
        self.frame = scored.frame
        self.start = np.append(len(scored.frame) * offset, len(scored.frame) * width.sum())  # first cell of every group, and the end
        self.group_of = np.repeat(np.arange(len(groups), dtype=np.int64), width)
        self.local = np.arange(len(self.group_of), dtype=np.int64) - offset[self.group_of]
        self.width = width

        self.probability = np.concatenate([scored.scores[group.name].ravel() for group in groups])
        self.box_score = scored.node_score[scored.subject], scored.node_score[scored.object]
        scale, frame = (self.box_score[0] * self.box_score[1])[:, None], (scored.frame.astype(np.uint64) << _FRAME_BITS)[:, None]
        self.key = np.empty(len(self.probability), dtype=np.uint64)
        self.best = np.empty(len(self.probability), dtype=np.bool_)
        for g in range(len(groups)):
            probability = self.table(self.probability, g)
            # The bits of non-negative floats ascend like the floats; the sign is set so that -0 is 0.
            np.bitwise_or(~(scale * probability).view(np.uint32) | _SIGN, frame, out=self.table(self.key, g))
            self.table(self.best, g)[:] = _first_best(probability)

    def table(self, flat: Array, group: int) -> Array:
        """(P, predicates of the group): the group's part of a flat table, as a view."""
        return flat[self.start[group] : self.start[group + 1]].reshape(-1, self.width[group])

    def at(self, pair: Array, predicate: Array) -> Array:
        """Cell of a pair and a global predicate."""
        group = self.group_of[predicate]
        cell: Array = self.start[group] + pair * self.width[group] + self.local[predicate]
        return cell

    def of(self, pair: Array) -> tuple[Array, Array]:
        """All cells of some pairs, which ascend, in ascending order; and the pair of each."""
        cells = [(self.start[g] + pair[:, None] * width + np.arange(width)).ravel() for g, width in enumerate(self.width)]
        pairs = [np.repeat(pair, width) for width in self.width]
        return np.concatenate(cells), np.concatenate(pairs)

    def candidates(self, constraint: Constraint, protocol: Protocol) -> Array:
        """(P * C,) bool; for "no" at least those among the ``pool`` best of a frame."""
        if constraint == "with":
            return self.best
        chosen = np.empty_like(self.best)
        floor = self._floor(protocol.pool)[:, None] if constraint == "no" else None
        for g, group in enumerate(self.groups):
            if floor is not None:
                np.less_equal(self.table(self.key, g), floor, out=self.table(chosen, g))
            elif group.kind == "multi":
                np.greater(self.table(self.probability, g), np.float32(protocol.semi_threshold), out=self.table(chosen, g))
            else:
                self.table(chosen, g)[:] = self.table(self.best, g)
        return chosen

    def _floor(self, pool: int) -> Array:
        """(P,) a key that at least ``pool`` cells of the pair's frame do not exceed, beyond all keys if the frame is small.

        It is the pool-th among the best cells of every pair and group, which costs little and spares sorting most of the others.
        """
        key = np.sort(self.key[self.best])
        start = _frame_starts(key, self.frame)
        large = np.diff(start) >= pool
        floor = np.full(len(large), np.iinfo(np.uint64).max, dtype=np.uint64)
        floor[large] = key[start[:-1][large] + pool - 1]
        return floor[self.frame]


def _first_best(table: Array) -> Array:
    """(P, C) bool: the largest entry of every row, the first among equals."""
    # A loop over the few columns is several times faster than a reduction along such short rows.
    top = table[:, 0].copy()
    for column in table.T[1:]:
        np.maximum(top, column, out=top)
    best: Array = table == top[:, None]
    if np.count_nonzero(best) != len(table):
        best[:] = False
        best[np.arange(len(table)), table.argmax(1)] = True
    return best


def _frame_starts(key: Array, frame: Array) -> Array:
    """(F + 1,) where every frame begins in sorted keys, and the end."""
    frames = int(frame[-1]) + 1 if len(frame) else 0
    starts: Array = np.searchsorted(key, np.arange(frames + 1, dtype=np.uint64) << _FRAME_BITS)
    return starts


def _rank(cells: _Cells, candidates: Array, pool: int | None, hit: Array) -> Array:
    """Ranks of the cells ``hit``, all candidates, in their frames; NOT_FOUND beyond the ``pool`` best."""
    key, mine = np.sort(cells.key[candidates]), cells.key[hit]
    position = np.searchsorted(key, mine)
    frame = (mine >> _FRAME_BITS).astype(np.int64)
    rank = position - _frame_starts(key, cells.frame)[frame]
    last = len(key) - 1
    close = (position > 0) & (mine - key[np.maximum(position - 1, 0)] <= _CLOSE)
    close |= (position < last) & (key[np.minimum(position + 1, last)] - mine <= _CLOSE)
    if close.any():
        unsettled = np.zeros(int(cells.frame[-1]) + 1, dtype=np.bool_)
        unsettled[frame[close]] = True
        cell, pair = cells.of(np.flatnonzero(unsettled[cells.frame]))
        redo = unsettled[frame]
        rank[redo] = _exact_rank(cells, cell[candidates[cell]], pair[candidates[cell]], pool, hit[redo])
    if pool is not None:
        rank[rank >= pool] = NOT_FOUND
    return rank


def _exact_rank(cells: _Cells, cell: Array, pair: Array, pool: int | None, hit: Array) -> Array:
    """Rank of the cells ``hit`` among the candidates ``cell`` (ascending) by the full rule, NOT_FOUND for those cut off."""
    frame = cells.frame[pair]
    order = np.arange(len(cell), dtype=np.int64)
    if pool is not None:
        order = np.argsort(cells.key[cell], kind="stable")
        order = order[_position(frame[order]) < pool]
    subject, obj = (score.astype(np.float64)[pair] for score in cells.box_score)
    score = subject * obj * cells.probability[cell]
    order = order[np.lexsort((-score[order], frame[order]))]
    rank = np.full(len(cell), NOT_FOUND, dtype=np.int64)
    rank[order] = _position(frame[order])
    chosen: Array = rank[np.searchsorted(cell, hit)]
    return chosen


def _position(ordered: Array) -> Array:
    """Position of every row inside its run of equal values."""
    return spread(np.bincount(ordered))[1]
