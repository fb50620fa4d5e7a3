"""Counts over a data set: what there is, how often, and how much the class of a thing says about
its relations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vidsgg.datasets.base import VideoDataset
from vidsgg.errors import DataError
from vidsgg.structures.schema import Schema

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DatasetStatistics:
    """Counts of one split.

    frames_per_video, pairs_per_frame: one entry per video or frame. objects (O,): nodes per class.
    pairs (O,): pairs per class of
    their object. predicates: per group (O, C), how many of these pairs carry the predicate.
    """

    schema: Schema
    videos: int
    frames_per_video: Counts
    pairs_per_frame: Counts
    objects: Counts
    pairs: Counts
    predicates: Mapping[str, Counts]

    def given_class(self, group: str) -> npt.NDArray[np.float64]:
        """(O, C): share of a class's pairs that carry the predicate; zeros for classes without
        pairs."""
        return self.predicates[group] / np.maximum(self.pairs, 1)[:, None]


def dataset_statistics(dataset: VideoDataset) -> DatasetStatistics:
    """Counts of all videos of ``dataset``, one after the other. Raises DataError if it has none."""
    if not len(dataset):
        raise DataError(f"{dataset.root}: the {dataset.split} split has no video to count.")
    vocabulary = dataset.schema.vocabulary
    classes = len(vocabulary.objects)
    objects, pairs = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
    predicates = {group.name: np.zeros((classes, len(group)), np.int64) for group in vocabulary.groups}
    frames, per_frame = [], []
    for annotation in dataset:
        frames.append(annotation.frames)
        per_frame.append(np.bincount(annotation.pair_frame, minlength=annotation.frames))
        objects += np.bincount(annotation.node_class, minlength=classes)
        thing = annotation.node_class[annotation.pair_object]
        pairs += np.bincount(thing, minlength=classes)
        for name, table in predicates.items():
            np.add.at(table, thing, annotation.labels[name])
    return DatasetStatistics(
        dataset.schema,
        len(frames),
        np.array(frames, np.int64),
        np.concatenate(per_frame).astype(np.int64),
        objects,
        pairs,
        predicates,
    )
