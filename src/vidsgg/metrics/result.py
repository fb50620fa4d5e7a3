"""What an evaluation says, as numbers, as a table, and as rows for files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vidsgg.errors import DataError, counted
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.recall import RecallCounts, averages, predicate_recall
from vidsgg.structures.checks import Array

# Name of every average, in the order of tables and files; vidsgg.metrics.recall defines them.
AVERAGES = ("R", "mR", "mR_frame", "mR_frame_all")
CONSTRAINT, K = "with", 20  # of the recall by which single predicates are shown


@dataclass(frozen=True, eq=False)
class RecallResult:
    """Recall over a data set, as fractions of 1. X constraints and K cut-offs in the protocol's
    order, C predicates.

    R, mR, mR_frame, mR_frame_all (X, K): see vidsgg.metrics.recall. predicate_recall (X, K, C):
    pooled over the data set, 0 for a predicate that does not occur. hits (X, K, C) and relations
    (C,): the counts behind it. videos; units: those with a relation.
    """

    protocol: Protocol
    predicates: tuple[str, ...]
    R: Array
    mR: Array
    mR_frame: Array
    mR_frame_all: Array
    predicate_recall: Array
    hits: Array
    relations: Array
    videos: int
    units: int

    @staticmethod
    def of(protocol: Protocol, predicates: tuple[str, ...], counts: RecallCounts) -> RecallResult:
        """The averages over all videos. Raises DataError when none of them has a relation."""
        total = counts.total()
        if not total.units[0]:
            raise DataError(
                f"recall of no {protocol.unit} at all: no evaluated video has a true relation; check the split."
            )
        return RecallResult(
            protocol=protocol,
            predicates=predicates,
            **{name: table[0] for name, table in averages(total).items()},
            predicate_recall=predicate_recall(total)[0],
            hits=total.hits[0],
            relations=total.relations[0],
            videos=len(counts),
            units=int(total.units[0]),
        )

    def value(self, constraint: str, k: int, average: str = "R") -> float:
        """One number, such as ``value("with", 20)``. Raises KeyError for what the protocol does not
        measure."""
        if average not in AVERAGES:
            raise KeyError(f"no average {average!r}; there are {AVERAGES}")
        table: Array = getattr(self, average)
        return float(table[self._place(constraint, k)])

    def of_predicates(self, constraint: str, k: int) -> Array:
        """(C,) recall of every predicate. Raises KeyError as ``value``."""
        recall: Array = self.predicate_recall[self._place(constraint, k)]
        return recall

    def _place(self, constraint: str, k: int) -> tuple[int, int]:
        if constraint not in self.protocol.constraints or k not in self.protocol.ks:
            raise KeyError(
                f"no recall@{k} under constraint {constraint!r}; there are {self.protocol.constraints},"
                f" {self.protocol.ks}"
            )
        return list(self.protocol.constraints).index(constraint), self.protocol.ks.index(k)

    def table(self) -> str:
        """All constraints, K and averages in percent, under a line that names the protocol."""
        lines = []
        for left, right in (AVERAGES[:2], AVERAGES[2:]):
            columns = [(average, k) for average in (left, right) for k in self.protocol.ks]
            lines.append(["constraint", *(f"{average}@{k}" for average, k in columns)])
            for constraint in self.protocol.constraints:
                lines.append([constraint, *(percent(self.value(constraint, k, average)) for average, k in columns)])
        unit = self.protocol.unit
        summary = f"{counted(self.videos, 'video')}, {counted(self.units, unit)} with {counted(int(self.relations.sum()), 'relation')}; in percent"
        return "\n".join([self.protocol.describe(), summary, *aligned(lines)])

    def rows(self) -> list[dict[str, str | int | float]]:
        """One row per number, for CSV: averages first, then the recall of single predicates, as
        fractions."""
        keys = [(constraint, k) for constraint in self.protocol.constraints for k in self.protocol.ks]
        averages = [(c, a, "", k, self.value(c, k, a)) for c, k in keys for a in AVERAGES]
        flat = self.predicate_recall.reshape(len(keys), -1)
        single = [
            (c, "recall", name, k, float(v))
            for (c, k), row in zip(keys, flat, strict=True)
            for name, v in zip(self.predicates, row, strict=True)
        ]
        return [
            {
                "protocol": self.protocol.name,
                "constraint": constraint,
                "measure": measure,
                "predicate": predicate,
                "k": k,
                "value": value,
            }
            for constraint, measure, predicate, k, value in [*averages, *single]
        ]

    def to_json(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        ks = [str(k) for k in self.protocol.ks]
        measured = {}
        for x, constraint in enumerate(self.protocol.constraints):
            averages = {a: dict(zip(ks, getattr(self, a)[x].tolist(), strict=True)) for a in AVERAGES}
            single = {
                name: dict(zip(ks, self.predicate_recall[x, :, c].tolist(), strict=True))
                for c, name in enumerate(self.predicates)
            }
            measured[constraint] = {**averages, "predicates": single}
        return {
            "protocol": self.protocol.name,
            "description": self.protocol.describe(),
            "videos": self.videos,
            f"{self.protocol.unit}s": self.units,
            "relations": dict(zip(self.predicates, self.relations.tolist(), strict=True)),
            "recall": measured,
        }


def percent(value: float) -> str:
    """A fraction of 1 as tables show it: ``12.34``."""
    return f"{100 * value:.2f}"


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text in columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    ]
