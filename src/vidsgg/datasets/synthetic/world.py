"""A drawn world: the videos that it tells, and the files that its annotations are written in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from vidsgg.datasets.synthetic.backdrop import Picture


@dataclass(frozen=True)
class DrawnVideo:
    """pictures: every frame, RGB. entries: what the world keeps for its annotation files."""

    pictures: Iterator[Picture]
    entries: bytes


class World(ABC):
    """What is different between worlds; ``generate`` makes the rest."""

    name: ClassVar[str]  # of the option
    title: ClassVar[str]  # for people
    made: ClassVar[Mapping[str, tuple[str, ...]]]  # what is in a set, by its folders ("" is the set's own), as patterns
    needed: ClassVar[tuple[str, ...]]  # files of a complete set, which are written last

    @abstractmethod
    def video(self, rng: np.random.Generator, index: int, width: int, height: int) -> DrawnVideo:
        """Video ``index``. All that is random comes from ``rng``, before the first picture is drawn."""

    @abstractmethod
    def write(self, root: Path, seed: int, videos: Iterable[bytes]) -> None:
        """Write the annotations of all videos, from the entries that ``video`` gave, in order."""
