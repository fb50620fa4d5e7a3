"""How the synthetic data set is recognised: by the mark in its folder, and by the names of its
videos."""

from __future__ import annotations

from itertools import count, islice

from vidsgg.io.locations import Location

MARKER = "synthetic.json"
TEST_EVERY = 5  # every fifth video belongs to the test split


def is_synthetic(root: Location) -> bool:
    """Whether a folder holds a data set that was drawn here."""
    try:
        return (root / MARKER).is_file()
    except (OSError, ValueError):  # a path that cannot be
        return False


def name_of(index: int) -> str:
    """What the ``index``-th video is called, from 0."""
    return f"S{index:04d}"


def split_of(index: int) -> str:
    """Split of the ``index``-th video."""
    return "test" if index % TEST_EVERY == TEST_EVERY - 1 else "train"


def training_ids(number: int) -> list[str]:
    """The first training videos, as a data set calls them."""
    return list(islice((name_of(index) for index in count() if split_of(index) == "train"), number))
