"""Fixed parts of a data set, chosen by a hash of the videos' names: the same videos on every
machine and in every order.

SHA-256 and not a checksum: checksums such as CRC-32 are linear, so the choices for two purposes
would depend on each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from vidsgg.datasets.base import Subset, VideoDataset
from vidsgg.errors import ConfigError, DataError
from vidsgg.options import closest

DATASIZES = ("large", "small", "mini")
_TENTH = 2**64 // 10


def take_datasize(dataset: VideoDataset, datasize: str) -> VideoDataset:
    """ "large": all videos. "small" (or "mini"): a fixed tenth, at least one video. Raises
    ConfigError for another word."""
    if datasize not in DATASIZES:
        raise ConfigError(f"unknown datasize {datasize!r}, only {', '.join(DATASIZES)}{closest(datasize, DATASIZES)}")
    return dataset if datasize == "large" else Subset(dataset, sorted(_tenth(dataset.video_ids, "datasize")))


def hold_out_validation(dataset: VideoDataset) -> tuple[Subset, Subset]:
    """(training videos, validation videos): a fixed tenth is held out, at least one video and never
    all.

    Raises DataError for a data set of a single video.
    """
    if len(dataset) < 2:
        raise DataError(
            f"{dataset.root}: one video of split {dataset.split!r} cannot be shared between training and"
            " validation; add videos, or validate on the test split with -val test."
        )
    held = set(held_out(dataset.video_ids))
    return Subset(dataset, [i for i in range(len(dataset)) if i not in held]), Subset(dataset, sorted(held))


def held_out(names: Sequence[str]) -> list[int]:
    """Positions of the training videos that are held out for validation, of two names or more."""
    return _tenth(names, "validation")[: len(names) - 1]


def _tenth(names: Sequence[str], purpose: str) -> list[int]:
    """Positions of the names whose hash falls into the lowest tenth, at least one; lowest first."""
    marks = [int.from_bytes(hashlib.sha256(f"{purpose}\n{name}".encode()).digest()[:8], "big") for name in names]
    order = sorted(range(len(names)), key=marks.__getitem__)
    return [i for i in order if marks[i] < _TENTH] or order[:1]
