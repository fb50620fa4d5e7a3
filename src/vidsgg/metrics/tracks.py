"""Relation detection and tagging over tracks: the metrics of ImageNet-VidVRD, VidOR and the VRU
challenge.

A relation instance is a triplet, the frames in which it holds, and a box of its subject and of its
object in each of them. Everything here is a function of instances: ground truth by video,
predictions by video.

Sources: Shang et al., ACM MM 2017 and ICMR 2019, as xdshang/VidVRD-helper computes them
(``evaluation/``); for errors Chen, Mettes and Snoek, "Diagnosing Errors in Video Relation
Detectors", BMVC 2021 (shanshuo/DiagnoseVRD). Where their code raises, ours says: no prediction at
all gives 0, and nothing to be found gives NaN.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vidsgg.errors import DataError
from vidsgg.structures.checks import Array
from vidsgg.structures.instances import RelationInstance, Triplet, volume

DETECTION_KS, TAGGING_KS = (50, 100), (1, 5, 10)
THRESHOLD = 0.5  # least overlap of a hit, inclusive
# Kinds of predictions that ``errors`` tells apart, by their number. The false ones are
# TRACK_ERRORS[1:-1].
TRACK_ERRORS = (
    "true positive",
    "classification",
    "localisation",
    "confusion",
    "double detection",
    "background",
    "missed",
)
ERROR_LIMIT = 200  # predictions of a video that ``errors`` looks at: the best
_WEAK = 0.1  # an overlap below it is background


InstancesOf = Mapping[str, Sequence[RelationInstance]]  # by video


def viou(one: Array, one_begin: int, one_end: int, other: Array, other_begin: int, other_end: int) -> float:
    """Overlap of two trajectories in space and time: their boxes' shared volume by their joint
    volume.

    one, other (T, 4): inclusive xyxy boxes from the frame ``begin`` on. Only frames within both
    durations [begin, end) share volume, while all boxes of a list count in its own volume, also
    those beyond its end. 0 where no frame is shared. Raises DataError if a shared frame has no box.
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    begin, end = max(one_begin, other_begin), min(one_end, other_end)
    if end <= begin:
        return 0.0
    if end - one_begin > len(one) or end - other_begin > len(other):
        raise DataError(
            f"trajectories of {len(one)} and {len(other)} boxes have none for frame {end - 1}, which both should cover."
        )
    shared = _shared(one[begin - one_begin : end - one_begin], other[begin - other_begin : end - other_begin])
    return shared / (volume(one) + volume(other) - shared)


def relation_overlap(one: RelationInstance, other: RelationInstance) -> float:
    """The lesser of the overlaps of the subjects and of the objects."""
    begin, end = max(one.begin, other.begin), min(one.end, other.end)
    if end <= begin:
        return 0.0
    mine, theirs = slice(begin - one.begin, end - one.begin), slice(begin - other.begin, end - other.begin)
    overlaps = []
    for a, b, mine_in_all, theirs_in_all in (
        (one.subject_box, other.subject_box, one.volumes[0], other.volumes[0]),
        (one.object_box, other.object_box, one.volumes[1], other.volumes[1]),
    ):
        shared = _shared(a[mine], b[theirs])
        overlaps.append(shared / (mine_in_all + theirs_in_all - shared))
    return min(overlaps)


def ranked(predictions: Sequence[RelationInstance]) -> list[RelationInstance]:
    """Best score first; equal scores keep their order."""
    return sorted(predictions, key=lambda prediction: prediction.score, reverse=True)


def match(
    truth: Sequence[RelationInstance], predictions: Sequence[RelationInstance], threshold: float = THRESHOLD
) -> list[int | None]:
    """The instance that each prediction finds, by its place in ``truth``; None for a false
    positive.

    predictions: in the order in which they choose, see ``ranked``. Each takes, of the instances of
    its triplet that are not yet taken and that it overlaps by ``threshold`` or more, the one with
    the largest overlap, of equal ones the first.
    """
    free: dict[Triplet, list[int]] = defaultdict(list)
    for place, instance in enumerate(truth):
        free[instance.triplet].append(place)
    found: list[int | None] = []
    for prediction in predictions:
        best, chosen = threshold, None
        for place in free.get(prediction.triplet, ()):
            overlap = relation_overlap(truth[place], prediction)
            if overlap > best or (chosen is None and overlap >= threshold):
                best, chosen = overlap, place
        if chosen is not None:
            free[prediction.triplet].remove(chosen)
        found.append(chosen)
    return found


def area_under_envelope(
    hits: Sequence[bool] | Array, relations: int, kept: Sequence[bool] | Array | None = None
) -> float:
    """Area under the envelope of precision over recall, of predictions that are ranked. No
    interpolation at fixed recalls.

    hits: whether each prediction is right. relations: how many could be found. kept: leave out the
    others.
    """
    right = np.asarray(hits, dtype=np.bool_)
    if kept is not None:
        right = right[np.asarray(kept, dtype=np.bool_)]
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[right].sum() / relations) if relations else float("nan")


@dataclass(frozen=True)
class DetectedVideo:
    """Relation detection in one video. hits: of the predictions, ranked, whether each found an
    instance.
    """

    relations: int
    hits: tuple[bool, ...]
    found: tuple[int | None, ...]  # the instance that each prediction found

    @property
    def average_precision(self) -> float:
        """NaN without a relation."""
        return area_under_envelope(self.hits, self.relations)


@dataclass(frozen=True)
class RelationDetection:
    """mAP over the videos with a relation, and recall pooled over videos; NaN if there is no
    relation at all.
    """

    videos: Mapping[str, DetectedVideo]
    ks: tuple[int, ...] = DETECTION_KS
    threshold: float = THRESHOLD

    @property
    def relations(self) -> int:
        return sum(video.relations for video in self.videos.values())

    @property
    def mean_ap(self) -> float:
        return _mean(video.average_precision for video in self.videos.values() if video.relations)

    @property
    def recall(self) -> tuple[float, ...]:
        """R@K of every K: instances found by the first K predictions of each video, by all
        instances.
        """
        found = [sum(sum(video.hits[:k]) for video in self.videos.values()) for k in self.ks]
        return tuple(hits / self.relations if self.relations else float("nan") for hits in found)


def relation_detection(
    truth: InstancesOf, predictions: InstancesOf, ks: Sequence[int] = DETECTION_KS, threshold: float = THRESHOLD
) -> RelationDetection:
    """Relation detection of the videos in ``truth``; predictions for others are passed over, and
    lacking ones count as none.
    """
    videos = {}
    for video, instances in truth.items():
        found = match(instances, ranked(predictions.get(video, ())), threshold) if instances else []
        videos[video] = DetectedVideo(len(instances), tuple(place is not None for place in found), tuple(found))
    return RelationDetection(videos, tuple(ks), threshold)


@dataclass(frozen=True)
class RelationTagging:
    """P@k, of each video with a relation and on average; NaN if there is no such video."""

    videos: Mapping[str, tuple[float, ...]]
    ks: tuple[int, ...] = TAGGING_KS

    @property
    def precision(self) -> tuple[float, ...]:
        return tuple(_mean(values[i] for values in self.videos.values()) for i in range(len(self.ks)))


def relation_tagging(truth: InstancesOf, predictions: InstancesOf, ks: Sequence[int] = TAGGING_KS) -> RelationTagging:
    """P@k of every k: right ones among a video's first min(k, n) of n distinct triplets, by that
    number; 0 without a prediction.

    Boxes and frames are not looked at. A single right guess gives 1 at every k: the code of others
    divides by k instead.
    """
    videos = {}
    for video, instances in truth.items():
        if instances:
            true = {instance.triplet for instance in instances}
            said = list(dict.fromkeys(prediction.triplet for prediction in ranked(predictions.get(video, ()))))
            firsts = [said[:k] for k in ks]
            videos[video] = tuple(sum(t in true for t in first) / len(first) if first else 0.0 for first in firsts)
    return RelationTagging(videos, tuple(ks))


def triplets_of(instances: InstancesOf) -> set[Triplet]:
    """Every triplet that occurs."""
    return {instance.triplet for listed in instances.values() for instance in listed}


def unseen(truth: InstancesOf, predictions: InstancesOf, seen: Iterable[Triplet]) -> tuple[InstancesOf, InstancesOf]:
    """What zero-shot scores are computed from (rule "filtered"): the truth and the predictions
    whose triplet is not ``seen``.

    seen: the triplets of the training part. Triplets that the test part lacks are dropped from the
    predictions, and videos without an unseen instance from both.
    """
    new = triplets_of(truth) - set(seen)
    kept = {video: [r for r in instances if r.triplet in new] for video, instances in truth.items()}
    kept = {video: instances for video, instances in kept.items() if instances}
    return kept, {video: [r for r in predictions.get(video, ()) if r.triplet in new] for video in kept}


@dataclass(frozen=True, eq=False)
class TrackErrors:
    """What kinds of mistakes there are, and what each costs. V videos with a relation.

    kinds: for each video the kind of its ranked predictions, a number into TRACK_ERRORS. ap (V,):
    average precision as it is. cured (V, 6): as it were without the false positives of a kind,
    which are removed and not put right, and last as if no missed instance counted; in the order of
    TRACK_ERRORS[1:]. missed (V,): instances that no prediction found.
    """

    kinds: Mapping[str, Array]
    ap: Array
    cured: Array
    missed: Array
    relations: Array = field(default_factory=lambda: np.zeros(0, np.int64))  # (V,) instances

    @staticmethod
    def cat(parts: Sequence[TrackErrors]) -> TrackErrors:
        """The mistakes of several sets of videos as those of one."""
        arrays = [
            np.concatenate([empty, *(getattr(part, name) for part in parts)])
            for name, empty in (
                ("ap", np.zeros(0)),
                ("cured", np.zeros((0, 6))),
                ("missed", np.zeros(0, np.int64)),
                ("relations", np.zeros(0, np.int64)),
            )
        ]
        return TrackErrors({video: kinds for part in parts for video, kinds in part.kinds.items()}, *arrays)

    @property
    def counts(self) -> Array:
        """(6,) predictions of every kind, in the order of TRACK_ERRORS[:6]."""
        kinds = np.concatenate([np.zeros(0, np.int64), *self.kinds.values()])
        return np.bincount(kinds, minlength=6)

    @property
    def gain(self) -> Array:
        """(6,) what mAP gains by curing each kind; NaN if there is no video."""
        return (self.cured - self.ap[:, None]).mean(0) if len(self.ap) else np.full(6, np.nan)


def errors(
    truth: InstancesOf, predictions: InstancesOf, threshold: float = THRESHOLD, limit: int = ERROR_LIMIT
) -> TrackErrors:
    """Sort the false positives among the best ``limit`` predictions of each video by what is wrong
    with them.

    For one with the largest overlap m with any instance of the video, taken or not, of equal ones
    the first: a double detection if m reaches the threshold and the triplet is right, a wrong
    classification if only m does; from 0.1 on a wrong localisation if the triplet is right, else a
    confusion; below 0.1 background.
    """
    kinds, ap, cured, missed, relations = {}, [], [], [], []
    for video, instances in truth.items():
        if not instances:
            continue
        said = ranked(predictions.get(video, ()))[:limit]
        found = match(instances, said, threshold)
        kind = np.array([_kind(p, instances, place, threshold) for p, place in zip(said, found, strict=True)], np.int64)
        hits, count = kind == 0, len(instances)
        as_is, right = area_under_envelope(hits, count), int(hits.sum())
        kinds[video] = kind
        ap.append(as_is)
        without_missed = area_under_envelope(hits, right) if right else 0.0
        cured.append([*(area_under_envelope(hits, count, kind != k) for k in range(1, 6)), without_missed])
        missed.append(count - right)
        relations.append(count)
    return TrackErrors(
        kinds, np.array(ap), np.array(cured).reshape(-1, 6), np.array(missed, np.int64), np.array(relations, np.int64)
    )


def _kind(
    prediction: RelationInstance, instances: Sequence[RelationInstance], found: int | None, threshold: float
) -> int:
    if found is not None:
        return 0
    overlaps = [relation_overlap(instance, prediction) for instance in instances]
    best = int(np.argmax(overlaps))
    if overlaps[best] < _WEAK:
        return 5
    same = instances[best].triplet == prediction.triplet
    if overlaps[best] >= threshold:
        return 4 if same else 1
    return 2 if same else 3


def _shared(one: Array, other: Array) -> float:
    """Pixels that the boxes of each frame share, summed up."""
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    return float(np.maximum(high - low + 1, 0).prod(1).sum())


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else float("nan")
