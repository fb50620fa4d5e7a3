"""How often every predicate is annotated: the same by whole columns and one by one, and objects of
events once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets.ag_files import small_set
from datasets.easg_files import write_easg
from toys import ToyVideos

from vidsgg.datasets.base import Subset
from vidsgg.datasets.registry import open_whole_split


@pytest.mark.parametrize("split", ["train", "test"])
def test_columns_give_what_annotations_give(tmp_path: Path, split: str) -> None:
    data = open_whole_split(small_set(tmp_path), split, "predcls")
    counts = data.predicate_counts()
    names = data.schema.vocabulary.predicates
    np.testing.assert_array_equal(counts, Subset(data, range(len(data))).predicate_counts())
    frames = 7 if split == "train" else 3  # a chair and a cup in each
    found = {name: int(count) for name, count in zip(names, counts, strict=True) if count}
    assert found == {
        "looking_at": 2 * frames, "in_front_of": frames, "above": frames, "behind": frames, "touching": 2 * frames, "holding": frames,
    }  # fmt: skip


def test_an_object_in_several_frames_of_its_event_counts_once() -> None:
    data = ToyVideos(4, "action")  # every object is boxed in three frames
    in_frames = sum(annotation.labels["relation"].sum(0) for annotation in data)
    np.testing.assert_array_equal(3 * data.predicate_counts(), in_frames)


def test_events_count_the_triples_that_are_scored(tmp_path: Path) -> None:
    data = open_whole_split(write_easg(tmp_path), "train", "predcls")
    triples = [0] * len(data.schema.vocabulary.predicates)
    for annotation in data:
        unit, thing = annotation.frame_unit[annotation.pair_frame], annotation.node_identity[annotation.pair_object]
        rows, labels = np.nonzero(annotation.labels["relation"])
        for _, _, label in {(int(unit[r]), int(thing[r]), int(label)) for r, label in zip(rows, labels, strict=True)}:
            triples[label] += 1
    assert data.predicate_counts().tolist() == triples
    assert sum(triples) > 20
