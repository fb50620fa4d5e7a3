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

Everything runs over all frames of all given videos at once. Scores are sorted as float32, in tables
with a row for each frame, of "no" only the best; a float32 product misjudges the float64 order by a
few units in the last place at most, so only frames in which a true relation has such a close
neighbour are ordered again by the full rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """node_score (N,) float32. probability (C, P) float32: of all predicates by global id, in [0, 1];
    pairs lie along the rows because numpy is fast at long rows."""

    node_score: Array
    probability: Array


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
        pool = protocol.pool if constraint == "no" else None
        candidates, best_first = of.candidates(constraint, protocol)
        found = None if candidates is None else np.flatnonzero(candidates.ravel()[hit])
        mine, row = (hit, relation) if found is None else (hit[found], relation[found])
        matched = np.zeros(len(pair), np.bool_)
        matched[row] = True
        offered.append(matched)
        if constraint in protocol.unordered or protocol.suppress is not None:
            ordered = constraint not in protocol.unordered
            rank = _walked_rank(of, scored, candidates, pool, ordered, protocol.suppress)[mine]
        else:
            rank = _rank(of, candidates, best_first, pool, mine)
        ranks.append(first(rank, row, len(pair)))
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
    # Most scored pairs have classes that no true pair of the frame has; equal keys have equal last bits.
    last = (1 << (8 * len(wanted)).bit_length()) - 1
    asked = np.zeros(last + 1, dtype=np.bool_)
    asked[wanted & last] = True
    some = np.flatnonzero(asked[offered & last])
    order = some[np.argsort(offered[some], kind="stable")]
    offered = offered[order]
    low = np.searchsorted(offered, wanted, side="left")
    mine, nth = spread(np.searchsorted(offered, wanted, side="right") - low)
    other = order[low[mine] + nth]
    for end in ("object", "subject"):  # objects differ more
        a, b = getattr(truth, end)[mine], getattr(scored, end)[other]
        good = aligned_iou(truth.node_box[a], scored.node_box[b], inclusive=inclusive) >= iou
        mine, other = mine[good], other[good]
    return mine, other


@dataclass(frozen=True, eq=False)
class _BestFirst:
    """key (K,): those of candidates, ascending, see ``_keys``. start (F + 1,): where every frame
    begins in it, and the end."""

    key: Array
    start: Array


class _Cells:
    """Every predicate of every scored pair.

    probability (C, P) float32: as in ScoredPairs. box_score (P,) float32: subject * object. A cell's
    number is its place in the flattened table of probabilities. What only some constraints need is
    computed when one asks for it.
    """

    def __init__(self, scored: ScoredPairs, groups: Sequence[PredicateGroup]) -> None:
        self.groups = groups
        self.rows = group_rows(groups)
        self.frame = scored.frame
        self.pairs_of = np.bincount(scored.frame)  # (F,)
        self.subject_score, self.object_score = (scored.node_score[n] for n in (scored.subject, scored.object))
        self.box_score = self.subject_score * self.object_score
        self.probability = scored.probability

    @cached_property
    def most_likely(self) -> Array:
        """(G, P) the greatest probability of every pair in each group."""
        return np.stack([self.probability[rows].max(0) for rows in self.rows])

    @cached_property
    def best(self) -> Array:
        """(C, P) bool: the best predicate of every pair in each group, the first among equals."""
        best = np.empty(self.probability.shape, dtype=np.bool_)
        for rows, most in zip(self.rows, self.most_likely, strict=True):
            table = np.equal(self.probability[rows], most, out=best[rows])
            if np.count_nonzero(table) != len(most):
                table[:] = False
                table[self.probability[rows].argmax(0), np.arange(len(most))] = True
        return best

    def key(self, cell: Array) -> Array:
        """The keys of some cells, by their numbers."""
        pair = cell - cell // len(self.frame) * len(self.frame)  # faster than %
        return _keys(self.box_score[pair] * self.probability.ravel()[cell], self.frame[pair])

    def score(self, cell: Array) -> Array:
        """The products of some cells in float64."""
        pair = cell % len(self.frame)
        subject, obj = (score[pair].astype(np.float64) for score in (self.subject_score, self.object_score))
        product: Array = subject * obj * self.probability.ravel()[cell]
        return product

    def candidates(self, constraint: Constraint, protocol: Protocol) -> tuple[Array | None, _BestFirst]:
        """(C, P) bool: which cells are candidates, None for "no", where all are; and they in order,
        for "no" the ``pool`` best of every frame and the next one."""
        if constraint == "with":
            return self.best, _best_first(self.most_likely, self.box_score, self.pairs_of)
        if constraint == "no":
            return None, _best_first(self.probability, self.box_score, self.pairs_of, protocol.pool + 1)
        chosen = self.probability > np.float32(protocol.semi_threshold)
        keys = []
        for group, rows, most in zip(self.groups, self.rows, self.most_likely, strict=True):
            if group.kind == "single":
                chosen[rows] = self.best[rows]
                keys.append(_keys(self.box_score * most, self.frame))
            else:
                keys.append(self.key(rows.start * len(self.frame) + np.flatnonzero(chosen[rows])))
        key = np.concatenate(keys)
        key.sort()
        frames = np.arange(len(self.pairs_of) + 1, dtype=np.uint64)
        return chosen, _BestFirst(key, np.searchsorted(key, frames << _FRAME_BITS))

    def generated(self, pair: Array) -> Array:
        """The cells of some pairs, ascending, in the order in which candidates are made: groups,
        pairs, predicates."""
        pairs = len(self.frame)
        return np.concatenate(
            [(np.arange(rows.start, rows.stop) * pairs + pair[:, None]).ravel() for rows in self.rows]
        )


def group_rows(groups: Sequence[PredicateGroup]) -> list[slice]:
    """The global ids of the predicates of every group."""
    return [slice(a, b) for a, b in pairwise(np.cumsum([0, *(len(group) for group in groups)]).tolist())]


def _bits(product: Array) -> Array:
    """float32 that are not negative, descending, as ascending uint32; overwrites them."""
    bits = product.view(np.uint32)
    # Bits of such floats ascend like the floats; the sign is set so that -0 is 0.
    return np.bitwise_or(np.invert(bits, out=bits), _SIGN, out=bits)


def _keys(product: Array, frame: Array) -> Array:
    """Frames and scores as one uint64 each: the best of the first frame is the least. Overwrites the
    scores."""
    keys: Array = _bits(product) | (frame.astype(np.uint64) << _FRAME_BITS)
    return keys


def _best_first(probability: Array, box_score: Array, pairs_of: Array, most: int | None = None) -> _BestFirst:
    """Every cell of probability (R, P) by its product with the boxes', or the ``most`` best of each
    frame.

    Frames of about one size are rows of a table: short rows of small numbers are sorted fastest.
    """
    sizes = len(probability) * pairs_of if most is None else np.minimum(len(probability) * pairs_of, most)
    start = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    key = np.empty(start[-1], dtype=np.uint64)
    first_pair = np.cumsum(pairs_of) - pairs_of
    for frames in _of_like_size(pairs_of):
        pairs, size = pairs_of[frames], sizes[frames]
        longest, even = int(pairs.max()), bool((pairs == pairs[0]).all())
        if even and len(frames) == len(pairs_of):
            said, box = probability.reshape(len(probability), -1, longest), box_score.reshape(-1, longest)
        else:
            nth = np.arange(longest)
            pair = first_pair[frames][:, None] + nth
            said, box = probability.take(pair, axis=1, mode="clip"), box_score.take(pair, mode="clip")
            box *= nth < pairs[:, None]  # what is beyond a frame's pairs comes last
        product = np.empty((len(frames), len(probability), longest), dtype=np.float32)
        np.multiply(said.swapaxes(0, 1), box[:, None], out=product)
        rows = _bits(product).reshape(len(frames), -1)
        kept = int(size.max())
        if kept < rows.shape[1]:
            rows.partition(kept - 1, axis=1)
        rows = np.sort(rows[:, :kept], axis=1) | (frames.astype(np.uint64) << _FRAME_BITS)[:, None]
        if even and len(frames) == len(pairs_of):
            return _BestFirst(rows.ravel(), start)
        nth = np.arange(kept)
        real = nth < size[:, None]
        key[(start[frames][:, None] + nth)[real]] = rows[real]
    return _BestFirst(key, start)


def _of_like_size(pairs_of: Array) -> Iterator[Array]:
    """Frames (k,) in groups: the largest has at most half as many pairs again as the smallest. Frames
    without pairs are in none."""
    _, digits = np.frexp(pairs_of)  # binary ones
    step = 1 << np.maximum(digits - 2, 0)
    like = -(-pairs_of // step) * step
    for size in np.unique(like[like > 0]):
        yield np.flatnonzero(like == size)


def _rank(cells: _Cells, candidates: Array | None, best_first: _BestFirst, pool: int | None, hit: Array) -> Array:
    """Ranks of the cells ``hit``, all candidates, in their frames; NOT_FOUND beyond the ``pool``
    best. candidates (C, P) bool; None for all."""
    key, start = best_first.key, best_first.start
    mine = cells.key(hit)
    frame = (mine >> _FRAME_BITS).astype(np.int64)
    rank = np.full(len(hit), NOT_FOUND, dtype=np.int64)
    if pool is None:
        order = np.argsort(mine)  # what is searched for in order stays in the processor's cache
    else:
        least = key[start[1:] - 1]  # of those that are kept of a frame
        kept = np.flatnonzero(mine <= least[frame])
        order = kept[np.argsort(mine[kept])]
    mine, frame = mine[order], frame[order]
    position = np.searchsorted(key, mine)
    rank[order] = position - start[frame]
    last = len(key) - 1
    close = (position > 0) & (mine - key[np.maximum(position - 1, 0)] <= _CLOSE)
    close |= (position < last) & (key[np.minimum(position + 1, last)] - mine <= _CLOSE)
    if pool is not None:
        beyond = rank >= pool  # so many are better, whatever stands close
        rank[beyond] = NOT_FOUND
        close &= ~beyond[order]
    if close.any():
        unsettled = np.zeros(len(start) - 1, dtype=np.bool_)
        unsettled[frame[close]] = True
        cell = cells.generated(np.flatnonzero(unsettled[cells.frame]))
        redo = order[unsettled[frame]]
        if candidates is not None:
            cell = cell[candidates.ravel()[cell]]
        if pool is not None:
            cell = cell[cells.key(cell) <= least[cells.frame[cell % len(cells.frame)]]]
        rank[redo] = _exact_rank(cells, cell, pool, hit[redo])
    return rank


def _walked_rank(
    cells: _Cells,
    scored: ScoredPairs,
    candidates: Array | None,
    pool: int | None,
    ordered: bool,
    suppress: float | None,
) -> Array:
    """(C * P,) rank of every cell in its frame, frame by frame; NOT_FOUND for one that is no
    candidate, beyond the ``pool`` first, or suppressed. ordered: by score, else as they are made.
    """
    rank = np.full(cells.probability.size, NOT_FOUND, dtype=np.int64)
    pairs = len(scored.frame)
    for pair in np.split(np.arange(pairs), np.flatnonzero(np.diff(scored.frame)) + 1) if pairs else ():
        cell = cells.generated(pair)
        if candidates is not None:
            cell = cell[candidates.ravel()[cell]]
        if ordered:
            cell = cell[np.argsort(-cells.score(cell), kind="stable")]
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
    probability = scored.probability.copy()
    for group, rows in zip(groups, group_rows(groups), strict=True):
        if group.kind == "single":
            table = probability[rows].T.copy()
            power = np.exp(table - table.max(1, keepdims=True))
            probability[rows] = (power / power.sum(1, keepdims=True)).T
    return replace(scored, probability=probability)


def _exact_rank(cells: _Cells, cell: Array, pool: int | None, hit: Array) -> Array:
    """Rank of the cells ``hit`` among the candidates ``cell`` (as generated) by the full rule,
    NOT_FOUND for those cut off."""
    frame = cells.frame[cell % len(cells.frame)]
    order = np.arange(len(cell), dtype=np.int64)
    if pool is not None:
        order = np.argsort(cells.key(cell), kind="stable")
        order = order[_position(frame[order]) < pool]
    score = cells.score(cell)
    order = order[np.lexsort((-score[order], frame[order]))]
    rank = np.full(len(cell), NOT_FOUND, dtype=np.int64)
    rank[order] = _position(frame[order])
    ascending = np.argsort(cell)
    chosen: Array = rank[ascending[np.searchsorted(cell, hit, sorter=ascending)]]
    return chosen


def _position(ordered: Array) -> Array:
    """Position of every row inside its run of equal values."""
    return spread(np.bincount(ordered))[1]
