"""Ranks of true relations when pairs of boxes are matched (Action Genome's evaluator as STTran
publishes it).

Per frame, with P scored pairs:

* A cell is (pair, predicate). Candidates are cells: for "with" the best predicate of every pair and
  group, for "semi" the best of single-label groups and every one above the threshold (strictly) of
  multi-label groups, for "no" all cells, of which the best ``pool`` by the float32 product stay.
* Candidates are ordered by subject score * object score * predicate score in float64, best first.
  Equal ones keep the order in
  which they were made: groups in order, then pairs, then predicates (for "no": the order of its
  cut, whose own ties go by the same rule). The authors' sort is not stable, so tied scores have no
  reproducible order there.
* A candidate matches a true relation when predicate, both classes and both boxes agree; one
  candidate may match several relations and none is used up.

A predicate group has one direction, for truth and prediction alike, so it does not change what
matches. The authors' tables also hold zeros for predicates outside a row's group; no model says
them, so they are no candidates here.

Everything runs over all frames of all given videos at once. Sorting is by one 64-bit key (frame,
float32 score); a float32 product misjudges the float64 order by a few units in the last place at
most, so only frames in which a true relation has such a close neighbour are ordered again by the
full rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from vidsgg.metrics.protocol import Constraint, Protocol
from vidsgg.metrics.ranks import NOT_FOUND, RelationRanks, first, spread
from vidsgg.ops.boxes import aligned_iou
from vidsgg.structures.checks import Array
from vidsgg.structures.vocabulary import PredicateGroup

# Two roundings to float32 err by 2 ulp at most, so products within 4 ulp may stand in either order;
# 8 leaves a margin.
_CLOSE = np.uint64(8)
_SIGN = np.uint32(0x80000000)
_FRAME_BITS = np.uint64(32)  # where the frame begins in a key


@dataclass(frozen=True, eq=False)
class PairTable:
    """Pairs of boxes of many frames. N nodes, P pairs.

    node_box (N, 4): xyxy pixels, float32 or float64. node_class (N,). subject, object (P,): nodes.
    frame (P,): never decreasing.
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
    """node_score (N,) float32; scores: probabilities (P, C) float32 of every predicate group, in
    [0, 1]."""

    node_score: Array
    scores: Mapping[str, Array]


def frame_ranks(
    truth: TruePairs, scored: ScoredPairs, groups: Sequence[PredicateGroup], protocol: Protocol
) -> RelationRanks:
    """Rank of every true relation, per constraint of the protocol; relations in order of true pair,
    then predicate."""
    if protocol.iou is None:
        raise ValueError(f"protocol {protocol.name!r} does not match boxes")
    true = np.flatnonzero(truth.labels)
    pair = true // truth.labels.shape[1]
    predicate = true - pair * truth.labels.shape[1]
    relations_of = np.bincount(pair, minlength=len(truth.frame))
    start_of = np.cumsum(relations_of) - relations_of
    true_pair, scored_pair = match_pairs(truth, scored, protocol.iou, inclusive=protocol.overlap == "plus_one")
    match, nth = spread(relations_of[true_pair])
    relation = start_of[true_pair][match] + nth

    cells = _Cells(scored, groups)
    again = _Cells(_softmax_again(scored, groups), groups) if protocol.softmax_again else cells
    hit = predicate[relation] * len(scored.frame) + scored_pair[match]
    ranks, offered = [], []
    for constraint in protocol.constraints:
        of = again if constraint == "no" else cells
        candidates, key = of.candidates(constraint, protocol)
        found = np.flatnonzero(candidates.ravel()[hit])
        matched = np.zeros(len(pair), np.bool_)
        # Without constraint every cell is a candidate; the chosen ones are those that may be among the pool.
        matched[relation if constraint == "no" else relation[found]] = True
        offered.append(matched)
        pool = protocol.pool if constraint == "no" else None
        if constraint in protocol.unordered or protocol.suppress is not None:
            ordered = constraint not in protocol.unordered
            rank = _walked_rank(of, scored, candidates, pool, ordered, protocol.suppress)[hit[found]]
        else:
            rank = _rank(of, candidates, key, pool, hit[found])
        ranks.append(first(rank, relation[found], len(pair)))
    subject, obj = (truth.node_class[rows[pair]] for rows in (truth.subject, truth.object))
    return RelationRanks(truth.frame[pair], subject, obj, predicate, np.stack(ranks), np.stack(offered))


def match_pairs(truth: TruePairs, scored: ScoredPairs, iou: float, *, inclusive: bool = True) -> tuple[Array, Array]:
    """All (true pair, scored pair) of a frame with equal classes whose boxes overlap by ``iou`` or
    more; ordered by true pair."""
    classes = 1 + max(truth.node_class.max(initial=0), scored.node_class.max(initial=0))

    def key(table: PairTable) -> Array:
        joint: Array = (table.frame * classes + table.node_class[table.subject]) * classes + table.node_class[
            table.object
        ]
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
        good &= aligned_iou(truth.node_box[a], scored.node_box[b], inclusive=inclusive) >= iou
    return mine[good], other[good]


class _Cells:
    """Every predicate of every scored pair.

    probability (C, P) float32. bits (C, P) uint32: descending (subject * object) * predicate in
    float32, as an ascending integer. best (C, P) bool: the best predicate of every pair in each
    group, the first among equals. A key is a cell's frame and its bits as one uint64; ordered_best:
    those of all best cells, sorted. A cell's number is its place in the flattened table. Pairs lie
    along the rows because numpy is fast at long rows. What only some constraints need is computed
    when one asks for it.
    """

    def __init__(self, scored: ScoredPairs, groups: Sequence[PredicateGroup]) -> None:
        bounds = np.cumsum([0, *(len(group) for group in groups)])
        self.groups = groups
        self.rows = [slice(a, b) for a, b in pairwise(bounds)]
        self.frame = scored.frame
        self.pairs_of = np.bincount(scored.frame)  # (F,)
        self.frame_key = scored.frame.astype(np.uint64) << _FRAME_BITS
        self.box_score = scored.node_score[scored.subject], scored.node_score[scored.object]
        self.probability = np.empty((bounds[-1], len(scored.frame)), dtype=np.float32)
        for group, rows in zip(groups, self.rows, strict=True):
            self.probability[rows] = scored.scores[group.name].T
        # The bits of non-negative floats ascend like the floats; the sign is set so that -0 is 0.
        bits = ((self.box_score[0] * self.box_score[1]) * self.probability).view(np.uint32)
        self.bits = np.bitwise_or(np.invert(bits, out=bits), _SIGN, out=bits)

    @cached_property
    def best(self) -> Array:
        best = np.empty(self.probability.shape, dtype=np.bool_)
        for rows in self.rows:
            best[rows] = _first_best(self.probability[rows])
        return best

    @cached_property
    def best_key(self) -> list[Array]:
        """(P,) for every group: the keys of its best cells."""
        return [self.bits[rows].min(0) | self.frame_key for rows in self.rows]

    @cached_property
    def ordered_best(self) -> Array:
        return _ascending(np.concatenate(self.best_key))

    def key(self, cell: Array) -> Array:
        """The keys of some cells, by their numbers."""
        keys: Array = self.bits.ravel()[cell] | self.frame_key[cell % len(self.frame)]
        return keys

    def candidates(self, constraint: Constraint, protocol: Protocol) -> tuple[Array, Array]:
        """Which cells (C, P) bool are candidates, and their keys in order; for "no" at least the
        ``pool`` best of a frame."""
        if constraint == "with":
            return self.best, self.ordered_best
        if constraint == "no":
            chosen = self._pool(protocol.pool)
            return chosen, self._ordered(chosen)
        chosen = self.probability > np.float32(protocol.semi_threshold)
        keys = []
        for group, rows, best_key in zip(self.groups, self.rows, self.best_key, strict=True):
            if group.kind == "single":
                chosen[rows] = self.best[rows]
                keys.append(best_key)
            else:
                cell = rows.start * len(self.frame) + np.flatnonzero(chosen[rows])
                keys.append(self.key(cell))
        return chosen, _ascending(np.concatenate(keys))

    def _pool(self, pool: int) -> Array:
        """(C, P) bool: cells with at least the ``pool`` best of every frame among them.

        A frame's limit is the pool-th among the best cells of every pair and group, which costs
        little and spares sorting most of the others. Of a small frame all cells are chosen.
        """
        large = self.pairs_of * len(self.rows) >= pool
        if not large.any():
            return np.ones(self.bits.shape, dtype=np.bool_)
        start = np.cumsum(self.pairs_of * len(self.rows)) - self.pairs_of * len(self.rows)
        limit = np.full(len(large), np.iinfo(np.uint32).max, dtype=np.uint32)
        limit[large] = self.ordered_best[start[large] + pool - 1].astype(np.uint32)  # the frame is cut off
        chosen: Array = self.bits <= limit[self.frame]
        return chosen

    def _ordered(self, chosen: Array) -> Array:
        """The keys of the chosen cells (C, P) bool, ascending."""
        if not chosen.all():
            return _ascending(self.key(np.flatnonzero(chosen)))
        frames, longest = len(self.pairs_of), int(self.pairs_of.max(initial=0))
        if not frames or (self.pairs_of != longest).any():
            return _ascending((self.bits | self.frame_key).ravel())
        # Frames of one size are rows of a table, and short rows of small numbers are sorted fastest.
        table = self.bits.reshape(-1, frames, longest).swapaxes(0, 1).copy().reshape(frames, -1)
        table.sort(axis=1)
        keys: Array = (table | self.frame_key[::longest, None]).ravel()
        return keys

    def generated(self, pair: Array) -> Array:
        """The cells of some pairs, ascending, in the order in which candidates are made: groups,
        pairs, predicates."""
        pairs = len(self.frame)
        return np.concatenate(
            [(np.arange(rows.start, rows.stop) * pairs + pair[:, None]).ravel() for rows in self.rows]
        )


def _ascending(key: Array) -> Array:
    """The keys, sorted in their own memory."""
    key.sort()
    return key


def _first_best(table: Array) -> Array:
    """(C, P) bool: the largest entry of every column, the first among equals."""
    best: Array = table == table.max(0)
    if np.count_nonzero(best) != table.shape[1]:
        best[:] = False
        best[table.argmax(0), np.arange(table.shape[1])] = True
    return best


def _frame_starts(key: Array, frame: Array) -> Array:
    """(F + 1,) where every frame begins in sorted keys, and the end."""
    frames = int(frame[-1]) + 1 if len(frame) else 0
    starts: Array = np.searchsorted(key, np.arange(frames + 1, dtype=np.uint64) << _FRAME_BITS)
    return starts


def _rank(cells: _Cells, candidates: Array, key: Array, pool: int | None, hit: Array) -> Array:
    """Ranks of the cells ``hit``, all candidates, in their frames; NOT_FOUND beyond the ``pool``
    best.

    candidates (C, P) bool; key: those of the candidates, ascending.
    """
    mine = cells.key(hit)
    order = np.argsort(mine)  # what is searched for in order stays in the processor's cache
    position = np.empty(len(mine), dtype=np.int64)
    position[order] = np.searchsorted(key, mine[order])
    frame = (mine >> _FRAME_BITS).astype(np.int64)
    rank = position - _frame_starts(key, cells.frame)[frame]
    last = len(key) - 1
    close = (position > 0) & (mine - key[np.maximum(position - 1, 0)] <= _CLOSE)
    close |= (position < last) & (key[np.minimum(position + 1, last)] - mine <= _CLOSE)
    if close.any():
        unsettled = np.zeros(int(cells.frame[-1]) + 1, dtype=np.bool_)
        unsettled[frame[close]] = True
        cell = cells.generated(np.flatnonzero(unsettled[cells.frame]))
        redo = unsettled[frame]
        rank[redo] = _exact_rank(cells, cell[candidates.ravel()[cell]], pool, hit[redo])
    if pool is not None:
        rank[rank >= pool] = NOT_FOUND
    return rank


def _walked_rank(
    cells: _Cells, scored: ScoredPairs, candidates: Array, pool: int | None, ordered: bool, suppress: float | None
) -> Array:
    """(C * P,) rank of every cell in its frame, frame by frame; NOT_FOUND for one that is no
    candidate, beyond the ``pool`` first, or suppressed. ordered: by score, else as they are made.
    """
    rank = np.full(candidates.size, NOT_FOUND, dtype=np.int64)
    pairs = len(scored.frame)
    for pair in np.split(np.arange(pairs), np.flatnonzero(np.diff(scored.frame)) + 1) if pairs else ():
        cell = cells.generated(pair)
        cell = cell[candidates.ravel()[cell]]
        if ordered:
            subject, obj = (score.astype(np.float64)[cell % pairs] for score in cells.box_score)
            cell = cell[np.argsort(-(subject * obj * cells.probability.ravel()[cell]), kind="stable")]
        cell = cell[:pool]
        if suppress is not None:
            cell = cell[_unsuppressed(scored, cell // pairs, cell % pairs, suppress)]
        rank[cell] = np.arange(len(cell))
    return rank


def _unsuppressed(scored: ScoredPairs, predicate: Array, pair: Array, suppress: float) -> Array:
    """(R,) bool: the candidates of a frame that stay, of (R,) predicates and pairs, the best first."""
    subject, obj = scored.subject[pair], scored.object[pair]
    said = np.stack([predicate, scored.node_class[subject], scored.node_class[obj]], 1)
    stays = np.ones(len(pair), dtype=np.bool_)
    for i in range(len(pair)):
        if not stays[i]:
            continue
        later = i + 1 + np.flatnonzero((said[i + 1 :] == said[i]).all(1))
        both = np.ones(len(later))
        for node in (subject, obj):
            both *= aligned_iou(scored.node_box[node[i]], scored.node_box[node[later]], inclusive=True)
        stays[later[both > suppress]] = False
    return stays


def _softmax_again(scored: ScoredPairs, groups: Sequence[PredicateGroup]) -> ScoredPairs:
    def again(table: Array) -> Array:
        power = np.exp(table - table.max(1, keepdims=True))
        return np.asarray(power / power.sum(1, keepdims=True), dtype=np.float32)

    single = {group.name: again(scored.scores[group.name]) for group in groups if group.kind == "single"}
    return replace(scored, scores={**scored.scores, **single})


def _exact_rank(cells: _Cells, cell: Array, pool: int | None, hit: Array) -> Array:
    """Rank of the cells ``hit`` among the candidates ``cell`` (as generated) by the full rule,
    NOT_FOUND for those cut off."""
    pair = cell % len(cells.frame)
    frame = cells.frame[pair]
    order = np.arange(len(cell), dtype=np.int64)
    if pool is not None:
        order = np.argsort(cells.key(cell), kind="stable")
        order = order[_position(frame[order]) < pool]
    subject, obj = (score.astype(np.float64)[pair] for score in cells.box_score)
    score = subject * obj * cells.probability.ravel()[cell]
    order = order[np.lexsort((-score[order], frame[order]))]
    rank = np.full(len(cell), NOT_FOUND, dtype=np.int64)
    rank[order] = _position(frame[order])
    ascending = np.argsort(cell)
    chosen: Array = rank[ascending[np.searchsorted(cell, hit, sorter=ascending)]]
    return chosen


def _position(ordered: Array) -> Array:
    """Position of every row inside its run of equal values."""
    return spread(np.bincount(ordered))[1]
