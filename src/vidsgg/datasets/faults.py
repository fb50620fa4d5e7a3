"""What is wrong with annotation files, gathered while they are read: a check lists it, an opening
refuses it or leaves it out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vidsgg.datasets.findings import Book
from vidsgg.errors import DataError, counted

_KEPT = 1_000  # cases of one kind that are named; more are only counted


@dataclass
class Faults:
    """Cases by kind. fatal: kinds that nothing can be left out for; cut: kinds that are repaired."""

    cases: dict[str, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    fatal: set[str] = field(default_factory=set)

    def add(self, kind: str, text: str, *, fatal: bool = False) -> None:
        """One case. text: the file, the place in it, the value and what should stand there."""
        kept = self.cases.setdefault(kind, [])
        if len(kept) < _KEPT:
            kept.append(text)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if fatal:
            self.fatal.add(kind)

    def add_all(self, kind: str, texts: Iterable[str], *, fatal: bool = False) -> None:
        for text in texts:
            self.add(kind, text, fatal=fatal)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def refuse(self, *, skip_bad: bool) -> None:
        """Raises DataError with the first case, unless there is none or it may be left out."""
        kinds = [kind for kind in self.counts if not skip_bad or kind in self.fatal]
        if not kinds:
            return
        more = self.total - 1
        also = f" {counted(more, 'more entry', 'more entries')} cannot be used;" if more else ""
        skip = "" if self.fatal else ", -skip_bad True leaves it out"
        raise DataError(f"{self.cases[kinds[0]][0]}{also} 'vidsgg data check' lists what is wrong{skip}.")

    def tell(self, split: str, book: Book) -> None:
        """Everything as findings."""
        for kind, count in self.counts.items():
            book.error(f"{split}: {kind}", self.cases[kind], count)

    def to_header(self) -> dict[str, Any]:
        """A few cases of every kind, for a cache."""
        return {
            "cases": {kind: cases[:3] for kind, cases in self.cases.items()},
            "counts": self.counts,
            "fatal": sorted(self.fatal),
        }

    @staticmethod
    def from_header(header: Mapping[str, Any]) -> Faults:
        """What ``to_header`` gave. Raises KeyError, TypeError or ValueError for anything else."""
        return Faults(
            {str(kind): [str(case) for case in cases] for kind, cases in header["cases"].items()},
            {str(kind): int(count) for kind, count in header["counts"].items()},
            {str(kind) for kind in header["fatal"]},
        )
