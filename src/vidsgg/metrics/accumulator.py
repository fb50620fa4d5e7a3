"""Recall over a stream of videos: keeps counters per video, never predictions (but for a bounded buffer)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidsgg.errors import DataError
from vidsgg.metrics.event_ranks import event_ranks
from vidsgg.metrics.frame_ranks import frame_ranks
from vidsgg.metrics.inputs import check_pair, event_objects, event_triples, frame_pairs
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.ranks import RelationRanks
from vidsgg.metrics.recall import RecallCounts, count_recall
from vidsgg.metrics.result import RecallResult
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.vocabulary import Vocabulary

# Videos are counted together once they hold this many probabilities: enough to make calls cheap, few enough for the cache.
_BUFFER = 100_000


def video_ranks(
    annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction], vocabulary: Vocabulary, protocol: Protocol
) -> RelationRanks:
    """Ranks of all true relations of some videos, their label units counted through."""
    if protocol.match == "class":
        truth = event_triples(annotations, vocabulary)
        return event_ranks(truth, event_objects(predictions, vocabulary, protocol), protocol)
    return frame_ranks(*frame_pairs(annotations, predictions, vocabulary), vocabulary.groups, protocol)


@dataclass(frozen=True, eq=False)
class RecallState:
    """The counters of some videos, to be sent to another process: ids, and counters in the same order. It pickles."""

    protocol: Protocol
    predicates: tuple[str, ...]
    video_ids: tuple[str, ...]
    counts: RecallCounts


class RecallAccumulator:
    """Counts videos as they come and gives the recall of all of them.

    A video is known by its id: given again, by a sampler that fills up the last batch or by another process, it replaces the earlier
    one and counts once. The order of videos changes nothing, not even in the last bit.
    """

    def __init__(self, protocol: Protocol, vocabulary: Vocabulary) -> None:
        self.protocol = protocol
        self.vocabulary = vocabulary
        self.reset()

    def reset(self) -> None:
        """Forget every video."""
        self._counts: dict[str, RecallCounts] = {}
        self._waiting: dict[str, tuple[VideoAnnotation, VideoPrediction]] = {}
        self._size = 0

    def update(self, annotation: VideoAnnotation, prediction: VideoPrediction) -> None:
        """Count one video. Raises DataError if the two do not belong together or the prediction holds no probabilities."""
        check_pair(annotation, prediction, self.vocabulary, self.protocol)
        self._waiting[annotation.video_id] = annotation, prediction
        self._size += sum(table.size for table in prediction.scores.values())
        if self._size >= _BUFFER:
            self._count()

    def merge(self, state: RecallState) -> None:
        """Take over the videos that another accumulator has counted. Raises DataError if they were counted by another protocol or vocabulary."""
        if state.protocol != self.protocol or state.predicates != self.vocabulary.predicates:
            raise DataError(
                f"cannot merge recall of {state.protocol.name!r} over {len(state.predicates)} predicates into recall of"
                f" {self.protocol.name!r} over {len(self.vocabulary.predicates)}; evaluate all videos with one protocol and data set."
            )
        self._count()
        self._keep(state.video_ids, state.counts)

    def state(self) -> RecallState:
        """The counters so far."""
        self._count()
        ids = tuple(sorted(self._counts))
        empty = RecallCounts.empty(len(self.protocol.constraints), len(self.protocol.ks), len(self.vocabulary.predicates))
        return RecallState(self.protocol, self.vocabulary.predicates, ids, RecallCounts.cat([empty, *(self._counts[i] for i in ids)]))

    def compute(self) -> RecallResult:
        """The recall of all videos so far. Raises DataError when none of them has a relation."""
        counts = self.state().counts
        if not counts.units.any():
            raise DataError(f"recall of no {self.protocol.unit} at all: no evaluated video has a true relation; check the split.")
        return RecallResult.of(self.protocol, self.vocabulary, counts)

    def _count(self) -> None:
        """Count the waiting videos, all at once."""
        if not self._waiting:
            return
        annotations, predictions = zip(*self._waiting.values(), strict=True)
        units = [annotation.units for annotation in annotations]
        unit_video: Array = np.repeat(np.arange(len(units), dtype=np.int64), units)
        ranks = video_ranks(annotations, predictions, self.vocabulary, self.protocol)
        counts = count_recall(ranks, unit_video, len(units), len(self.vocabulary.predicates), self.protocol.ks)
        self._keep(tuple(self._waiting), counts)
        self._waiting, self._size = {}, 0

    def _keep(self, video_ids: Sequence[str], counts: RecallCounts) -> None:
        for i, video_id in enumerate(video_ids):
            self._counts[video_id] = counts.video(i)
