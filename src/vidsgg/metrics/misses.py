"""Why true relations are missed: every relation that the first K candidates do not find has one
reason, and the reasons' shares add up to 1 - R@K.

Of frames, the first of these that holds, where a thing is found by a box of its class that overlaps
with its own by the protocol's IoU, and the worse end of a relation decides:

* not detected: no box overlaps with the thing by 0.1 or more.
* box off: the best overlap is from 0.1 to below the IoU.
* wrong class: a box overlaps enough, but none of its class.
* pair not proposed: both things are found, and no scored pair joins them.
* predicate not said: such a pair is there, but this predicate is none of its candidates. With
  constraint another predicate of the group won; semi: its probability is too low.
* ranked too low: it is a candidate, and K or more stand before it.

Of events, whose boxes are given: wrong action and wrong class, where the true one is not among those
that are tried for the event or for one of its objects, then the last two.

No published decomposition of frame recall was found; this is ours. Hoiem et al. (ECCV 2012) and TIDE
(Bolya et al., ECCV 2020) do the like for detection, Chen et al. (BMVC 2021) for relations over tracks
(vidsgg.metrics.tracks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from vidsgg.metrics.accumulator import VideoAccumulator, video_of_unit
from vidsgg.metrics.event_ranks import event_ranks, tried_classes
from vidsgg.metrics.frame_ranks import PairTable, ScoredPairs, TruePairs, frame_ranks, match_pairs
from vidsgg.metrics.inputs import event_objects, event_triples, frame_pairs, node_frames
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.ranks import RelationRanks, spread
from vidsgg.metrics.recall import ratio
from vidsgg.metrics.result import K, aligned, percent
from vidsgg.ops.boxes import aligned_iou
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.prediction import VideoPrediction

_NOT_SAID, _TOO_LOW = "predicate not said", "ranked too low"
FRAME_MISSES = ("not detected", "box off", "wrong class", "pair not proposed", _NOT_SAID, _TOO_LOW)
EVENT_MISSES = ("wrong action", "wrong class", _NOT_SAID, _TOO_LOW)
_WEAK = 0.1  # an overlap below it is none


def misses_of(protocol: Protocol) -> tuple[str, ...]:
    """The reasons that a protocol knows, in the order in which they are tried."""
    return EVENT_MISSES if protocol.match == "class" else FRAME_MISSES


@dataclass(frozen=True, eq=False)
class MissCounts:
    """Of V videos, X constraints, K cut-offs and M reasons. units (V,): with a relation. share (V,
    X, K, M): sums over units of the share of their relations that is missed for a reason. relations
    (V, X, K, M): how many these are."""

    units: Array
    share: Array
    relations: Array

    def video(self, index: int) -> MissCounts:
        """The counters of one video, as arrays of their own."""
        return MissCounts(*(getattr(self, f.name)[index : index + 1].copy() for f in fields(self)))

    def total(self) -> MissCounts:
        """All videos as one."""
        return MissCounts(*(getattr(self, f.name).sum(0, keepdims=True) for f in fields(self)))


@dataclass(frozen=True, eq=False)
class MissResult:
    """share (X, K, M): of recall, as fractions of 1, by reason; with R@K they add up to 1. relations
    (X, K, M): how many relations are missed."""

    protocol: Protocol
    share: Array
    relations: Array

    @property
    def reasons(self) -> tuple[str, ...]:
        return misses_of(self.protocol)

    @property
    def recall(self) -> Array:
        """(X, K) what is not missed, never below 0 by the rounding of sums."""
        found: Array = np.maximum(1 - self.share.sum(-1), 0)
        return found

    @property
    def cured(self) -> Array:
        """(X, K, M) recall if all relations that are missed for this reason, or one before it, were
        found."""
        recall: Array = self.recall[..., None] + np.cumsum(self.share, -1)
        return recall

    def describe(self) -> str:
        """A table in percent of recall at K = 20."""
        at = self.protocol.ks.index(K)
        lines = [["constraint", f"R@{K}", *self.reasons]]
        for x, constraint in enumerate(self.protocol.constraints):
            lines.append([constraint, *(percent(value) for value in (self.recall[x, at], *self.share[x, at]))])
        missed = self.relations[self.protocol.constraints.index("with"), at].tolist()
        counts = ", ".join(f"{count:,} {reason}" for reason, count in zip(self.reasons, missed, strict=True))
        about = f"why relations are missed: what each reason, the first that holds, costs of R@{K}, in percent; a row adds up to 100"
        return "\n".join([about, *aligned(lines), f"relations missed with constraint: {counts}"])

    def rows(self) -> list[dict[str, str | int | float]]:
        """One row per number, for CSV, of the form of ``RecallResult.rows``."""
        return [
            {
                "protocol": self.protocol.name,
                "constraint": constraint,
                "measure": f"missed: {reason}",
                "predicate": "",
                "k": k,
                "value": float(self.share[x, i, m]),
            }
            for x, constraint in enumerate(self.protocol.constraints)
            for i, k in enumerate(self.protocol.ks)
            for m, reason in enumerate(self.reasons)
        ]

    def to_json(self) -> dict[str, Any]:
        """Shares and numbers of relations by constraint, K and reason."""
        return {
            constraint: {
                str(k): {
                    reason: {"share": float(self.share[x, i, m]), "relations": int(self.relations[x, i, m])}
                    for m, reason in enumerate(self.reasons)
                }
                for i, k in enumerate(self.protocol.ks)
            }
            for x, constraint in enumerate(self.protocol.constraints)
        }


class MissAccumulator(VideoAccumulator[MissCounts]):
    """Counts why relations are missed."""

    def compute(self) -> MissResult:
        """Over all videos so far. All shares are 0 if none of them has a relation."""
        shape = len(self.protocol.constraints), len(self.protocol.ks), len(misses_of(self.protocol))
        units, share, relations = 0, np.zeros(shape), np.zeros(shape, np.int64)
        for counts in self.state().counts.values():
            units, share = units + int(counts.units[0]), share + counts.share[0]
            relations = relations + counts.relations[0]
        return MissResult(self.protocol, ratio(share, np.array(units)), relations)

    def _count(
        self, annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction]
    ) -> Sequence[MissCounts]:
        if self.protocol.match == "class":
            truth, objects = (
                event_triples(annotations, self.vocabulary),
                event_objects(predictions, self.vocabulary, self.protocol),
            )
            ranks = event_ranks(truth, objects, self.protocol)
            reason = event_reasons(ranks, *tried_classes(truth, objects, self.protocol))
        else:
            pairs, scored = frame_pairs(annotations, predictions, self.vocabulary)
            ranks = frame_ranks(pairs, scored, self.vocabulary.groups, self.protocol)
            reason = frame_reasons(
                ranks, pairs, scored, node_frames(annotations), node_frames(predictions), self.protocol
            )
        counts = count_misses(
            ranks, reason, video_of_unit(annotations), len(annotations), self.protocol.ks, len(misses_of(self.protocol))
        )
        return [counts.video(i) for i in range(len(annotations))]


def count_misses(
    ranks: RelationRanks, reason: Array, unit_video: Array, videos: int, ks: Sequence[int], reasons: int
) -> MissCounts:
    """Counters of every video. reason (X, R): why each relation would be missed. unit_video (U,):
    video of every unit."""
    in_unit = np.bincount(ranks.unit, minlength=len(unit_video))
    weight, video = 1 / in_unit[ranks.unit], unit_video[ranks.unit]
    share = np.zeros((videos, len(ranks.rank), len(ks), reasons))
    relations = np.zeros(share.shape, np.int64)
    for x, rank in enumerate(ranks.rank):
        cell = video * reasons + reason[x]
        for i, k in enumerate(ks):
            missed = np.flatnonzero(rank >= k)
            share[:, x, i] = np.bincount(cell[missed], weight[missed], videos * reasons).reshape(videos, reasons)
            relations[:, x, i] = np.bincount(cell[missed], minlength=videos * reasons).reshape(videos, reasons)
    return MissCounts(np.bincount(unit_video[in_unit > 0], minlength=videos), share, relations)


def event_reasons(ranks: RelationRanks, action_tried: Array, class_tried: Array) -> Array:
    """(X, R) index into EVENT_MISSES. action_tried, class_tried (X, R) bool: whether the true action
    is tried for the event, and the true class for one of its objects."""
    return np.select([~action_tried, ~class_tried, ~ranks.offered], [0, 1, 2], 3)


def frame_reasons(
    ranks: RelationRanks,
    truth: TruePairs,
    scored: ScoredPairs,
    true_frame: Array,
    scored_frame: Array,
    protocol: Protocol,
) -> Array:
    """(X, R) index into FRAME_MISSES. true_frame, scored_frame (N,): frames of the nodes, never
    decreasing."""
    assert protocol.iou is not None
    inclusive = protocol.overlap == "plus_one"
    found = things_found(truth, scored, true_frame, scored_frame, protocol.iou, inclusive=inclusive)
    joined = np.zeros(len(truth.frame), np.bool_)
    joined[match_pairs(truth, scored, protocol.iou, inclusive=inclusive)[0]] = True
    of_pair = np.minimum(found[truth.subject], found[truth.object])  # 3: both are found
    of_pair = np.where(joined, 4, of_pair)
    of_relation = of_pair[np.nonzero(truth.labels)[0]]
    return np.where(ranks.offered, 5, of_relation[None])


def things_found(
    truth: PairTable, scored: PairTable, true_frame: Array, scored_frame: Array, iou: float, *, inclusive: bool
) -> Array:
    """(N,) for every true thing 0 where no box of its frame overlaps with it, 1 where one does but
    by less than ``iou``, 2 where one does by ``iou`` or more, 3 where such a box has its class."""
    low, high = (np.searchsorted(scored_frame, true_frame, side=side) for side in ("left", "right"))
    mine, nth = spread(high - low)
    other = low[mine] + nth
    overlap = aligned_iou(truth.node_box[mine], scored.node_box[other], inclusive=inclusive)
    alike = truth.node_class[mine] == scored.node_class[other]
    state = np.select([overlap < _WEAK, overlap < iou, ~alike], [0, 1, 2], 3)
    best = np.zeros(len(true_frame), np.int64)
    np.maximum.at(best, mine, state)
    return best
