"""Priors are counted once for the same annotations, and again for any others."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from datasets.ag_files import small_set
from datasets.easg_files import write_easg

from vidsgg.datasets import prior_cache
from vidsgg.datasets.prior_cache import known_priors
from vidsgg.datasets.priors import PredicatePriors, count_priors
from vidsgg.datasets.registry import open_whole_split
from vidsgg.datasets.splits import hold_out_validation
from vidsgg.errors import ConfigError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small_set(tmp_path / "data")


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many videos were counted, each time."""
    seen: list[int] = []

    def counted(dataset):
        seen.append(len(dataset))
        return count_priors(dataset)

    monkeypatch.setattr(prior_cache, "count_priors", counted)
    return seen


def assert_equal(a: PredicatePriors, b: PredicatePriors) -> None:
    for name, table in vars(a).items():
        np.testing.assert_array_equal(table, getattr(b, name), err_msg=name)
        assert table.dtype == getattr(b, name).dtype


def kept(root: Path) -> list[Path]:
    return sorted((root / "annotations" / ".vidsgg").glob("*_priors_*.npz"))


def test_the_same_videos_are_counted_once(root: Path, counts: list[int]) -> None:
    first = known_priors(open_whole_split(root, "train", "predcls"))
    again = known_priors(open_whole_split(root, "train", "predcls"))
    assert len(counts) == 1
    assert_equal(again, first)
    assert_equal(first, count_priors(open_whole_split(root, "train", "predcls")))


def test_other_videos_modes_and_annotations_are_counted_by_themselves(root: Path, counts: list[int]) -> None:
    whole = open_whole_split(root, "train", "predcls")
    for videos in (whole, *hold_out_validation(whole), open_whole_split(root, "test", "predcls")):
        known_priors(videos)
    assert len(counts) == len(kept(root)) == 4
    file = root / "annotations" / "object_bbox_and_relationship.pkl"
    objects = pickle.loads(file.read_bytes())
    thing = next(
        things[0] for things in objects.values() if things[0]["visible"] and things[0]["metadata"]["set"] == "train"
    )
    thing["attention_relationship"] = ["unsure" if thing["attention_relationship"] != ["unsure"] else "looking_at"]
    file.write_bytes(pickle.dumps(objects))
    changed = open_whole_split(root, "train", "predcls")
    assert_equal(known_priors(changed), count_priors(changed))
    assert len(counts) == 5


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-200], lambda data: b"", lambda data: data[:300] + b"?" + data[301:]]
)
def test_a_damaged_file_is_made_again(root: Path, counts: list[int], damage) -> None:
    videos = open_whole_split(root, "train", "predcls")
    first = known_priors(videos)
    (file,) = kept(root)
    file.write_bytes(damage(file.read_bytes()))
    assert_equal(known_priors(videos), first)
    assert_equal(known_priors(videos), first)
    assert len(counts) == 2


def test_a_file_of_other_annotations_under_the_same_name_is_not_taken(root: Path, counts: list[int]) -> None:
    train, test = (open_whole_split(root, split, "predcls") for split in ("train", "test"))
    known_priors(train)
    (file,) = kept(root)
    known_priors(test)
    (other,) = set(kept(root)) - {file}
    file.write_bytes(other.read_bytes())
    assert_equal(known_priors(train), count_priors(train))
    assert len(counts) == 3


def test_a_folder_that_cannot_be_written_to_only_costs_time(
    root: Path, counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(prior_cache, "save_columns", refuse)
    videos = open_whole_split(root, "train", "predcls")
    assert_equal(known_priors(videos), known_priors(videos))
    assert (len(counts), kept(root)) == (2, [])


def test_data_without_contacts_is_refused_as_ever(tmp_path: Path) -> None:
    videos = open_whole_split(write_easg(tmp_path), "train", "predcls")
    assert videos.fingerprint() is None
    with pytest.raises(ConfigError, match="has 0 groups"):
        known_priors(videos)
