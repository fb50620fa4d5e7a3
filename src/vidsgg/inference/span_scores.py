"""Recall of relations over spans of frames, measured while a model scores the frames of videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from vidsgg.errors import counted
from vidsgg.inference.tracking import track_video
from vidsgg.metrics.accumulator import VideoAccumulator
from vidsgg.metrics.inputs import side_by_side
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.result import aligned, percent
from vidsgg.metrics.spans import SPAN_KS, SpanRecall, SpanRelation, SpanVideo, box_overlaps, span_recall
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.instances import TrackRelation
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.vocabulary import Vocabulary

MOST_PAIRS = 100  # of a video, the best, as the authors' pair proposer gives
HOLDS = 0.5  # probability above which a predicate is said to hold in a frame; the authors' logit 0


@dataclass(frozen=True)
class SpanResult:
    """PVSG's metric over all videos, see ``vidsgg.metrics.spans``; boxes stand in for masks."""

    counts: SpanRecall
    videos: int

    def describe(self) -> str:
        """The protocol in a line, and the numbers in percent."""
        counts = self.counts
        lines = [["", *(f"R@{k}" for k in counts.ks), *(f"mR@{k}" for k in counts.ks)]]
        for name, hits in (("overlap >= 0.5", "hit"), ("overlap >= 0.1 (weak)", "weak_hit")):
            values = [*counts.recall(hits), *counts.mean_recall(hits)]
            lines.append([name, *(percent(value) for value in values)])
        return "\n".join(
            [
                f"relations over spans (PVSG): a pair of tracks finds a relation if it holds, with both boxes at IoU >= 0.5"
                f" in place of masks, in half of the frames of its spans; frames outside are not looked at;"
                f" {counted(self.videos, 'video')} with {counted(int(counts.total.sum()), 'relation')}; in percent",
                *aligned(lines),
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """All numbers as fractions."""
        counts = self.counts
        return {
            "relations": int(counts.total.sum()),
            **{
                f"{prefix}{name}": dict(zip(map(str, counts.ks), of(hits).tolist(), strict=True))
                for prefix, hits in (("", "hit"), ("weak_", "weak_hit"), ("soft_", "soft_hit"))
                for name, of in (("R", counts.recall), ("mR", counts.mean_recall))
            },
        }


class SpanAccumulator(VideoAccumulator[SpanRecall]):
    """Compares the pairs of tracks of every video with its relations over time.

    Things are followed by their given ids where boxes are given, and otherwise by class and overlap.
    A predicate holds in the frames in which its probability is above 0.5; its rank is that of its
    largest probability among the best 100 pairs.
    """

    def __init__(
        self, protocol: Protocol, vocabulary: Vocabulary, truth: Mapping[str, Sequence[TrackRelation]]
    ) -> None:
        """truth: the relations over time of every video."""
        super().__init__(protocol, vocabulary)
        self.truth = truth

    def compute(self) -> SpanResult | None:
        """Over all videos so far; None where no relation holds in a scored frame."""
        counts = list(self.state().counts.values())
        tables = {f.name: sum(getattr(each, f.name) for each in counts) for f in fields(SpanRecall) if f.name != "ks"}
        if not counts or not tables["total"].sum():
            return None
        return SpanResult(SpanRecall(SPAN_KS, **tables), sum(bool(each.total.any()) for each in counts))

    def _count(
        self, annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction]
    ) -> Sequence[SpanRecall]:
        predicates = len(self.vocabulary.predicates)
        return [
            span_recall([self._video(annotation, prediction)], predicates)
            for annotation, prediction in zip(annotations, predictions, strict=True)
        ]

    def _video(self, annotation: VideoAnnotation, prediction: VideoPrediction) -> SpanVideo:
        relations = self.truth[annotation.video_id]
        things, true_class, true_box = paths(
            annotation.node_identity,
            annotation.node_class,
            annotation.node_box,
            annotation.node_frame,
            annotation.frames,
        )
        place = {int(thing): i for i, thing in enumerate(things)}
        # Things that are never seen have no class that anything could be taken for.
        for thing in sorted({end for r in relations for end in (r.subject, r.object)} - set(place)):
            place[thing] = len(place)
        unseen = len(place) - len(things)
        true_class = np.append(true_class, np.zeros(unseen, np.int64))
        true_box = np.concatenate([true_box, np.full((unseen, annotation.frames, 4), np.nan)])

        track = _tracks(annotation, prediction)
        tracks, track_class, box = paths(
            track, prediction.node_class, prediction.node_box, prediction.node_frame, annotation.frames
        )
        pairs, probability, holds = self._pairs(prediction, track, tracks)
        return SpanVideo(
            frames=annotation.frames,
            true_class=true_class,
            true_visible=~np.isnan(true_box[..., 0]),
            relations=_spans(relations, annotation.frame_number, place),
            track_class=track_class,
            track_visible=~np.isnan(box[..., 0]),
            overlap=box_overlaps(true_box, box),
            pairs=pairs,
            probability=probability,
            span=holds,
        )

    def _pairs(self, prediction: VideoPrediction, track: Array, tracks: Array) -> tuple[Array, Array, Array]:
        """(Q, 2) tracks of the best pairs, by their place, (Q, C) their probabilities, and (Q, F, C)
        bool in which frames they hold."""
        ends = np.stack([track[prediction.pair_subject], track[prediction.pair_object]], 1)
        kept = np.flatnonzero((ends >= 0).all(1) & (ends[:, 0] != ends[:, 1]))
        table = side_by_side([prediction.scores], self.vocabulary)[kept]
        node_score = prediction.node_score
        score = (node_score[prediction.pair_subject] * node_score[prediction.pair_object])[kept] * table.max(
            1, initial=0
        )
        pairs, row = np.unique(ends[kept].reshape(-1, 2), axis=0, return_inverse=True)
        row = row.reshape(-1)
        best = np.zeros(len(pairs))
        np.maximum.at(best, row, score)
        chosen = np.sort(np.argsort(-best, kind="stable")[:MOST_PAIRS])
        new = np.full(len(pairs), -1)
        new[chosen] = np.arange(len(chosen))
        inside = np.flatnonzero(new[row] >= 0)
        row, table, frame = new[row][inside], table[inside], prediction.pair_frame[kept][inside]
        probability = np.zeros((len(chosen), table.shape[1]), np.float32)
        np.maximum.at(probability, row, table)
        holds = np.zeros((len(chosen), prediction.frames, table.shape[1]), np.bool_)
        pair, predicate = np.nonzero(table > HOLDS)
        holds[row[pair], frame[pair], predicate] = True
        return np.searchsorted(tracks, pairs[chosen]), probability, holds


def paths(identity: Array, klass: Array, box: Array, frame: Array, frames: int) -> tuple[Array, Array, Array]:
    """The things of a video that have an id: (T,) their ids, ascending, (T,) the class that most of
    their boxes have, and (T, F, 4) their boxes, NaN where they are not seen. Rows with a negative id
    are passed over."""
    known = identity >= 0
    things, row = np.unique(identity[known], return_inverse=True)
    votes = np.zeros((len(things), int(klass.max(initial=0)) + 1), np.int64)
    np.add.at(votes, (row, klass[known]), 1)
    path = np.full((len(things), frames, 4), np.nan)
    path[row, frame[known]] = box[known]
    return things, votes.argmax(1), path


def _tracks(annotation: VideoAnnotation, prediction: VideoPrediction) -> Array:
    """(N,) ids of the predicted nodes, -1 for those that are nothing."""
    something = prediction.node_class > 0
    if (prediction.node_identity >= 0).all():
        return np.where(something, prediction.node_identity, -1)
    track = np.full(len(something), -1, np.int64)
    frame, box, klass = (c[something] for c in (prediction.node_frame, prediction.node_box, prediction.node_class))
    track[something] = track_video(frame, box, klass, annotation.frame_size)
    return track


def _spans(relations: Sequence[TrackRelation], number: Array, place: Mapping[int, int]) -> tuple[SpanRelation, ...]:
    """The relations of a video in terms of its frames' positions; those of one pair and predicate
    are one relation with several spans. What holds in no frame is left out."""
    spans: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
    for relation in relations:
        first, end = np.searchsorted(number, [relation.begin, relation.end]).tolist()
        if first < end:
            ends = place[relation.subject], place[relation.object], relation.predicate
            spans.setdefault(ends, []).append((first, end - 1))
    return tuple(SpanRelation(*key, tuple(listed)) for key, listed in spans.items())
