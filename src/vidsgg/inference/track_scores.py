"""Relation detection over tracks, measured while a model scores the frames of videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vidsgg.inference.graphs import frame_graphs, moments_of, tracked
from vidsgg.io.exporters.vidvrd import graph_instances
from vidsgg.metrics.accumulator import VideoAccumulator
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.tracks import (
    DetectedVideo,
    RelationDetection,
    RelationTagging,
    relation_detection,
    relation_tagging,
)
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.graph import VideoGraph
from vidsgg.structures.instances import RelationInstance
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.vocabulary import Vocabulary


@dataclass(frozen=True)
class TrackScore:
    """What is counted of one video. precision: P@k, empty for a video without relations."""

    detected: DetectedVideo
    precision: tuple[float, ...]


@dataclass(frozen=True)
class TrackResult:
    """The metrics of VidVRD and VidOR over all videos, see ``vidsgg.metrics.tracks``."""

    detection: RelationDetection
    tagging: RelationTagging

    def describe(self) -> str:
        """The protocol in a line, and the numbers in percent."""
        detection, tagging = self.detection, self.tagging
        numbers = {"mAP": detection.mean_ap}
        numbers |= {f"R@{k}": value for k, value in zip(detection.ks, detection.recall, strict=True)}
        numbers |= {f"P@{k}": value for k, value in zip(tagging.ks, tagging.precision, strict=True)}
        told = ", ".join(f"{name} {100 * value:.2f}" for name, value in numbers.items())
        return (
            "relations over tracks (VidVRD and VidOR): detection, viou >= 0.5 of subject and object, inclusive pixels,"
            f" mAP over videos and R@K pooled; tagging, P@k; {len(tagging.videos)} videos with {detection.relations}"
            f" relations; in percent\n{told}"
        )

    def to_json(self) -> dict[str, Any]:
        """All numbers as fractions, also the average precision of every video."""
        detection, tagging = self.detection, self.tagging
        return {
            "mAP": detection.mean_ap,
            "R": dict(zip(map(str, detection.ks), detection.recall, strict=True)),
            "P": dict(zip(map(str, tagging.ks), tagging.precision, strict=True)),
            "relations": detection.relations,
            "videos": {name: v.average_precision for name, v in detection.videos.items() if v.relations},
        }


class TrackAccumulator(VideoAccumulator[TrackScore]):
    """Makes relations over time of a video's frames and compares them with the true ones.

    Things are followed by their given ids where boxes are given, and otherwise by a tracker.
    """

    def __init__(
        self, protocol: Protocol, vocabulary: Vocabulary, truth: Mapping[str, Sequence[RelationInstance]]
    ) -> None:
        """truth: the relations over time of every video."""
        super().__init__(protocol, vocabulary)
        self.truth = truth

    def compute(self) -> TrackResult:
        """The metrics over all videos so far."""
        counts = self.state().counts
        return TrackResult(
            RelationDetection({video: score.detected for video, score in counts.items()}),
            RelationTagging({video: score.precision for video, score in counts.items() if score.precision}),
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
            scores.append(TrackScore(detected, relation_tagging(truth, said).videos.get(video, ())))
        return scores


def _graph_over_time(annotation: VideoAnnotation, prediction: VideoPrediction) -> VideoGraph:
    """The graph of a video with its relations over time, by the rules of ``inference.intervals``."""
    given = prediction.node_identity if (prediction.node_identity >= 0).all() else None
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
