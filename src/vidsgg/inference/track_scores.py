"""Relation detection over tracks, measured while a model scores the frames of videos."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vidsgg.errors import counted
from vidsgg.inference.graphs import frame_graphs, given_ids, moments_of, tracked
from vidsgg.io.exporters.vidvrd import graph_instances
from vidsgg.metrics.accumulator import VideoAccumulator
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.tracks import (
    TRACK_ERRORS,
    DetectedVideo,
    RelationDetection,
    RelationTagging,
    TrackErrors,
    errors,
    relation_detection,
    relation_tagging,
    triplets_of,
)
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.graph import VideoGraph
from vidsgg.structures.instances import RelationInstance, Triplet
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.vocabulary import Vocabulary


@dataclass(frozen=True)
class TrackScore:
    """What is counted of one video. precision: P@k, empty for a video without relations. unseen: of
    its relations with triplets that training lacks; None for a video without any."""

    detected: DetectedVideo
    precision: tuple[float, ...]
    mistakes: TrackErrors
    unseen: DetectedVideo | None


@dataclass(frozen=True)
class TrackResult:
    """The metrics of VidVRD and VidOR over all videos, see ``vidsgg.metrics.tracks``."""

    detection: RelationDetection
    tagging: RelationTagging
    mistakes: TrackErrors
    unseen: RelationDetection | None  # None without training annotations
    unseen_triplets: int  # that test has and training lacks

    def describe(self) -> str:
        """The protocol in a line, and the numbers in percent."""
        detection, tagging = self.detection, self.tagging
        numbers = {"mAP": detection.mean_ap}
        numbers |= {f"R@{k}": value for k, value in zip(detection.ks, detection.recall, strict=True)}
        numbers |= {f"P@{k}": value for k, value in zip(tagging.ks, tagging.precision, strict=True)}
        told = ", ".join(f"{name} {100 * value:.2f}" for name, value in numbers.items())
        counts = [*self.mistakes.counts[1:].tolist(), int(self.mistakes.missed.sum())]
        costs = ", ".join(
            f"{count} {name} ({100 * gain:+.2f})"
            for name, count, gain in zip(TRACK_ERRORS[1:], counts, self.mistakes.gain.tolist(), strict=True)
        )
        return (
            "relations over tracks (VidVRD and VidOR): detection, viou >= 0.5 of subject and object, inclusive pixels,"
            f" mAP over videos and R@K pooled; tagging, P@k; {counted(len(tagging.videos), 'video')} with"
            f" {counted(detection.relations, 'relation')}; in percent\n{told}"
            f"\nmistakes among the best 200 of a video, and what mAP gains without them (Chen et al. 2021): {costs}"
            f"{self._zero_shot()}"
        )

    def _zero_shot(self) -> str:
        """A line about relations that training lacks."""
        if self.unseen is None:
            return ""
        new = {"mAP": self.unseen.mean_ap}
        new |= {f"R@{k}": value for k, value in zip(self.unseen.ks, self.unseen.recall, strict=True)}
        numbers = ", ".join(f"{name} {100 * value:.2f}" for name, value in new.items())
        return (
            f"\nzero-shot, only what has one of the {self.unseen_triplets} triplets that training lacks"
            f" ({self.unseen.relations} relations): {numbers if self.unseen.relations else 'nothing to find'}"
        )

    def to_json(self) -> dict[str, Any]:
        """All numbers as fractions, also the average precision of every video."""
        detection, tagging = self.detection, self.tagging
        return {
            "mAP": detection.mean_ap,
            "R": dict(zip(map(str, detection.ks), detection.recall, strict=True)),
            "P": dict(zip(map(str, tagging.ks), tagging.precision, strict=True)),
            "relations": detection.relations,
            "mistakes": {
                name: {"count": count, "gain": gain}
                for name, count, gain in zip(
                    TRACK_ERRORS[1:],
                    [*self.mistakes.counts[1:].tolist(), int(self.mistakes.missed.sum())],
                    self.mistakes.gain.tolist(),
                    strict=True,
                )
            },
            "zero_shot": None
            if self.unseen is None
            else {
                "triplets": self.unseen_triplets,
                "relations": self.unseen.relations,
                "mAP": self.unseen.mean_ap if self.unseen.relations else None,
                "R": dict(zip(map(str, self.unseen.ks), self.unseen.recall, strict=True))
                if self.unseen.relations
                else None,
            },
            "videos": {name: v.average_precision for name, v in detection.videos.items() if v.relations},
        }


class TrackAccumulator(VideoAccumulator[TrackScore]):
    """Makes relations over time of a video's frames and compares them with the true ones.

    Things are followed by their given ids where boxes are given, and otherwise by a tracker.
    """

    def __init__(
        self,
        protocol: Protocol,
        vocabulary: Vocabulary,
        truth: Mapping[str, Sequence[RelationInstance]],
        seen: Collection[Triplet] | None = None,
    ) -> None:
        """truth: the relations over time of every video. seen: the triplets of the training part;
        None if that is not at hand."""
        super().__init__(protocol, vocabulary)
        self.truth = truth
        self.knows_training = seen is not None
        self.new = set[Triplet]() if seen is None else triplets_of(truth) - set(seen)

    def compute(self) -> TrackResult:
        """The metrics over all videos so far."""
        counts = self.state().counts
        new = {video: score.unseen for video, score in counts.items() if score.unseen is not None}
        return TrackResult(
            RelationDetection({video: score.detected for video, score in counts.items()}),
            RelationTagging({video: score.precision for video, score in counts.items() if score.precision}),
            TrackErrors.cat([score.mistakes for score in counts.values()]),
            RelationDetection(new) if self.knows_training else None,
            len(self.new),
        )

    def _count(
        self, annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction]
    ) -> Sequence[TrackScore]:
        scores = []
        for annotation, prediction in zip(annotations, predictions, strict=True):
            video = annotation.video_id
            truth = {video: self.truth[video]}
            said = {video: graph_instances(_graph_over_time(annotation, prediction))}
            detected = relation_detection(truth, said).videos[video]
            precision = relation_tagging(truth, said).videos.get(video, ())
            scores.append(TrackScore(detected, precision, errors(truth, said), self._unseen(video, said[video])))
        return scores

    def _unseen(self, video: str, said: Sequence[RelationInstance]) -> DetectedVideo | None:
        truth = [instance for instance in self.truth[video] if instance.triplet in self.new]
        if not truth:
            return None
        predictions = {video: [instance for instance in said if instance.triplet in self.new]}
        return relation_detection({video: truth}, predictions).videos[video]


def _graph_over_time(annotation: VideoAnnotation, prediction: VideoPrediction) -> VideoGraph:
    """The graph of a video with its relations over time, by the rules of ``inference.intervals``."""
    given = given_ids(prediction)
    if given is not None:
        prediction = replace(prediction, node_class=_class_of_tracks(prediction))
    frames = tuple(frame_graphs(prediction, moments_of(annotation), track=given))
    return tracked(VideoGraph(annotation.video_id, prediction.schema.name, frames, schema=prediction.schema))


def _class_of_tracks(prediction: VideoPrediction) -> Array:
    """(N,) for every node the class of its track: that with the largest sum of scores over the
    frames, of equal ones the first."""
    _, track = np.unique(prediction.node_identity, return_inverse=True)
    votes = np.zeros((track.max(initial=-1) + 1, len(prediction.schema.vocabulary.objects)))
    np.add.at(votes, (track, prediction.node_class), prediction.node_score)
    best: Array = votes.argmax(1)[track]
    return best
