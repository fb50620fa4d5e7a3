"""What an evaluation says, as numbers, as a table, and as rows for files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vidsgg.errors import DataError, counted
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.recall import ZERO_SHOT, RecallCounts, averages, predicate_recall
from vidsgg.structures.checks import Array

# Name of every average, in the order of tables and files; vidsgg.metrics.recall defines them.
AVERAGES = ("R", "mR", "mR_frame", "mR_frame_all", "F", "hR")
CONSTRAINT, K = "with", 20  # of the recall by which single predicates are shown


@dataclass(frozen=True, eq=False)
class RecallResult:
    """Recall (0..1) over a data set; ``print(result.table())`` prints it in percent.

    Letters: X constraints and K cut-offs in the protocol's order, C predicates. docs/recall.md
    defines the averages.
    """

    protocol: Protocol  #: constraints, cut-offs and rules
    predicates: tuple[str, ...]  #: C names
    R: Array  #: (X, K) recall, mean over frames or events
    mR: Array  #: (X, K) mean recall, pooled over the data set
    mR_frame: Array  #: (X, K) mean recall, mean over the frames with the predicate
    mR_frame_all: Array  #: (X, K) mean recall, mean over all frames
    F: Array  #: (X, K) harmonic mean of R and mR
    hR: Array  #: (X, K) harmonic mean of R and mR_frame
    predicate_recall: Array  #: (X, K, C) pooled over the data set; 0 for predicates that do not occur
    hits: Array  #: (X, K, C) relations that were found
    relations: Array  #: (C,) annotated relations
    videos: int  #: number of videos
    units: int  #: number of frames or events with a relation
    zR: Array | None = None  #: (X, K) zero-shot recall; NaN if there is nothing to find, None if not measured
    unseen_triplets: int = 0  #: triplets of the split that training lacks
    unseen_relations: int = 0  #: relations with such a triplet
    unseen_units: int = 0  #: frames or events with such a relation

    @staticmethod
    def of(
        protocol: Protocol, predicates: tuple[str, ...], counts: RecallCounts, unseen: int | None = None
    ) -> RecallResult:
        """The averages over all videos. unseen: number of triplets that training lacks; None if
        zero-shot recall is not measured. Raises DataError if no video has a relation."""
        total = counts.total()
        if not total.units[0]:
            raise DataError(
                f"recall of no {protocol.unit} at all: no evaluated video has a true relation; check the split."
            )
        found = {name: table[0] for name, table in averages(total).items()}
        zero_shot = found.pop(ZERO_SHOT)
        return RecallResult(
            protocol=protocol,
            predicates=predicates,
            **found,
            predicate_recall=predicate_recall(total)[0],
            hits=total.hits[0],
            relations=total.relations[0],
            videos=len(counts),
            units=int(total.units[0]),
            zR=None if unseen is None else zero_shot,
            unseen_triplets=unseen or 0,
            unseen_relations=int(total.unseen_relations[0]),
            unseen_units=int(total.unseen_units[0]),
        )

    @property
    def measured(self) -> tuple[str, ...]:
        """The names of the measured averages."""
        return AVERAGES if self.zR is None or not self.unseen_units else (*AVERAGES, ZERO_SHOT)

    def value(self, constraint: str, k: int, average: str = "R") -> float:
        """Return one score, such as ``value("with", 20)``.

        Args:
            constraint: ``with``, ``semi`` or ``no``.
            k: cut-off, such as 20.
            average: name of the average, such as ``R`` or ``mR``.

        Raises:
            KeyError: the protocol does not measure it.
        """
        if average not in self.measured:
            raise KeyError(f"no average {average!r}; there are {self.measured}")
        table: Array = getattr(self, average)
        return float(table[self._place(constraint, k)])

    def of_predicates(self, constraint: str, k: int) -> Array:
        """Return the recall of every predicate, (C,). Raises KeyError as ``value``."""
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
        """All constraints, cut-offs and averages in percent, under a line that names the protocol."""
        lines = []
        for first in range(0, len(AVERAGES), 2):
            columns = [(average, k) for average in AVERAGES[first : first + 2] for k in self.protocol.ks]
            lines.append(["constraint", *(f"{average}@{k}" for average, k in columns)])
            for constraint in self.protocol.constraints:
                lines.append([constraint, *(percent(self.value(constraint, k, average)) for average, k in columns)])
        unit = self.protocol.unit
        summary = f"{counted(self.videos, 'video')}, {counted(self.units, unit)} with {counted(int(self.relations.sum()), 'relation')}; in percent"
        summary += "; F: harmonic mean of R and mR, hR: of R and mR_frame"
        return "\n".join([self.protocol.describe(), summary, *aligned(lines), *self._zero_shot()])

    def _zero_shot(self) -> list[str]:
        """Lines about zero-shot recall."""
        if self.zR is None:
            return []
        unit, triplets = self.protocol.unit, counted(self.unseen_triplets, "triplet")
        lines = [
            "",
            f"zero-shot (zR): recall of relations whose triplet (class, predicate, class) training lacks, averaged over"
            f" {unit}s with one; predictions of other triplets stay in the list",
        ]
        if not self.unseen_units:
            return [*lines, f"{triplets} of this kind among the annotations, no relation to find"]
        table = [["constraint", *(f"{ZERO_SHOT}@{k}" for k in self.protocol.ks)]]
        table += [
            [constraint, *(percent(value) for value in row)]
            for constraint, row in zip(self.protocol.constraints, self.zR, strict=True)
        ]
        relations, units = counted(self.unseen_relations, "relation"), counted(self.unseen_units, unit)
        return [*lines, f"{triplets}, {relations} in {units}; in percent", *aligned(table)]

    def rows(self) -> list[dict[str, str | int | float]]:
        """One row per number, for CSV: averages first, then the recall of single predicates, as
        fractions."""
        keys = [(constraint, k) for constraint in self.protocol.constraints for k in self.protocol.ks]
        averages = [(c, a, "", k, self.value(c, k, a)) for c, k in keys for a in self.measured]
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
            averages = {a: dict(zip(ks, getattr(self, a)[x].tolist(), strict=True)) for a in self.measured}
            single = {
                name: dict(zip(ks, self.predicate_recall[x, :, c].tolist(), strict=True))
                for c, name in enumerate(self.predicates)
            }
            measured[constraint] = {**averages, "predicates": single}
        new = {
            "rule": "recall",
            "triplets": self.unseen_triplets,
            "relations": self.unseen_relations,
            f"{self.protocol.unit}s": self.unseen_units,
        }
        return {
            "protocol": self.protocol.name,
            "description": self.protocol.describe(),
            "videos": self.videos,
            f"{self.protocol.unit}s": self.units,
            "relations": dict(zip(self.predicates, self.relations.tolist(), strict=True)),
            **({} if self.zR is None else {"zero_shot": new}),
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
