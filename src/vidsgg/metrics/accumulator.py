"""Metrics over a stream of videos: counters are kept per video, never predictions (but for a
bounded buffer)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

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
from vidsgg.structures.triplets import triplet_codes
from vidsgg.structures.vocabulary import Vocabulary

# Videos are counted together once they hold this many probabilities: enough to make calls cheap,
# few enough for the cache.
_BUFFER = 200_000

Counts = TypeVar("Counts")  # of one video


@dataclass(frozen=True, eq=False)
class CountedVideos(Generic[Counts]):
    """The counters of some videos by id, in the order of ids, to be sent to another process. It
    pickles."""

    protocol: Protocol
    predicates: tuple[str, ...]
    counts: Mapping[str, Counts]


class VideoAccumulator(ABC, Generic[Counts]):
    """Counts videos as they come.

    A video is known by its id: given again, by a sampler that fills up the last batch or by another
    process, it replaces the earlier one and counts once. The order of videos changes nothing, not
    even in the last bit.
    """

    def __init__(self, protocol: Protocol, vocabulary: Vocabulary) -> None:
        self.protocol = protocol
        self.vocabulary = vocabulary
        self.reset()

    def reset(self) -> None:
        """Forget every video."""
        self._counts: dict[str, Counts] = {}
        self._waiting: dict[str, tuple[VideoAnnotation, VideoPrediction]] = {}
        self._size = 0

    def update(self, annotation: VideoAnnotation, prediction: VideoPrediction) -> None:
        """Count one video. Raises DataError if the two do not belong together or the prediction
        holds no probabilities."""
        check_pair(annotation, prediction, self.vocabulary, self.protocol)
        self._waiting[annotation.video_id] = annotation, prediction
        self._size += sum(table.size for table in prediction.scores.values())
        if self._size >= _BUFFER:
            self._count_waiting()

    def merge(self, state: CountedVideos[Counts]) -> None:
        """Take over the videos that another accumulator has counted. Raises DataError if they were
        counted by another protocol or vocabulary."""
        if state.protocol != self.protocol or state.predicates != self.vocabulary.predicates:
            raise DataError(
                f"cannot merge what was counted by {state.protocol.name!r} over {len(state.predicates)} predicates into"
                f" {self.protocol.name!r} over {len(self.vocabulary.predicates)}; evaluate all videos with one protocol"
                " and data set."
            )
        self._count_waiting()
        self._counts.update(state.counts)

    def state(self) -> CountedVideos[Counts]:
        """The counters so far."""
        self._count_waiting()
        return CountedVideos(
            self.protocol, self.vocabulary.predicates, {i: self._counts[i] for i in sorted(self._counts)}
        )

    @abstractmethod
    def _count(
        self, annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction]
    ) -> Sequence[Counts]:
        """The counters of every video."""

    def _count_waiting(self) -> None:
        if self._waiting:
            annotations, predictions = zip(*self._waiting.values(), strict=True)
            self._counts.update(zip(self._waiting, self._count(annotations, predictions), strict=True))
            self._waiting, self._size = {}, 0


class RecallAccumulator(VideoAccumulator[RecallCounts]):
    """Recall and mean recall, see vidsgg.metrics.recall; with ``unseen``, triplets that training
    lacks (``structures.triplets``), zero-shot recall too."""

    def __init__(self, protocol: Protocol, vocabulary: Vocabulary, unseen: Array | None = None) -> None:
        super().__init__(protocol, vocabulary)
        self.unseen = unseen

    def counts(self) -> RecallCounts:
        """The counters of all videos so far, in the order of their ids."""
        empty = RecallCounts.empty(
            len(self.protocol.constraints), len(self.protocol.ks), len(self.vocabulary.predicates)
        )
        return RecallCounts.cat([empty, *self.state().counts.values()])

    def compute(self) -> RecallResult:
        """The recall of all videos so far. Raises DataError when none of them has a relation."""
        unseen = None if self.unseen is None else len(self.unseen)
        return RecallResult.of(self.protocol, self.vocabulary.predicates, self.counts(), unseen)

    def _count(
        self, annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction]
    ) -> Sequence[RecallCounts]:
        ranks = video_ranks(annotations, predictions, self.vocabulary, self.protocol)
        new = None
        if self.unseen is not None:
            new = np.isin(triplet_codes(self.vocabulary, ranks.subject, ranks.object, ranks.predicate), self.unseen)
        sizes = len(annotations), len(self.vocabulary.predicates)
        counts = count_recall(ranks, video_of_unit(annotations), *sizes, self.protocol.ks, new)
        return [counts.video(i) for i in range(len(annotations))]


def video_ranks(
    annotations: Sequence[VideoAnnotation],
    predictions: Sequence[VideoPrediction],
    vocabulary: Vocabulary,
    protocol: Protocol,
) -> RelationRanks:
    """Ranks of all true relations of some videos, their label units counted through."""
    if protocol.match == "class":
        truth = event_triples(annotations, vocabulary)
        return event_ranks(truth, event_objects(predictions, vocabulary, protocol), protocol)
    return frame_ranks(*frame_pairs(annotations, predictions, vocabulary), vocabulary.groups, protocol)


def video_of_unit(annotations: Sequence[VideoAnnotation]) -> Array:
    """(U,) the video of every label unit, counted through."""
    return np.repeat(np.arange(len(annotations), dtype=np.int64), [annotation.units for annotation in annotations])
