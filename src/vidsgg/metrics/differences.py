"""Recall of several models on the same videos, with intervals, and how it differs from that of the
first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vidsgg.metrics.bootstrap import LEVEL, RESAMPLES, Interval, correction, resample
from vidsgg.metrics.long_tail import PARTS, LongTail
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.recall import ZERO_SHOT, RecallCounts, averages, harmonic_means, predicate_recall
from vidsgg.metrics.result import AVERAGES, CONSTRAINT, K, aligned, percent
from vidsgg.structures.checks import Array


@dataclass(frozen=True, eq=False)
class _Measured:
    """Everything that is compared, of one model. By name of the measure, (X, K) for averages and
    (X, K, C) for the recall of predicates;
    samples: the same of every resample, (S, ...).
    """

    value: Mapping[str, Array]
    samples: Mapping[str, Array]

    @staticmethod
    def of(counts: RecallCounts, drawn: Array, tail: LongTail) -> _Measured:
        whole = counts.total()
        value, samples = (_measures(rows, whole.relations[0], tail) for rows in (whole, counts.weighted(drawn)))
        return _Measured({name: table[0] for name, table in value.items()}, samples)


def _measures(rows: RecallCounts, whole: Array, tail: LongTail) -> dict[str, Array]:
    """By name (S, X, K) or (S, X, K, C), of every row. whole (C,): relations of every predicate in
    all videos."""

    def corrected(mean: Array, chosen: Array) -> Array:
        scaled: Array = mean * correction(rows.relations[:, chosen], whole[chosen])[:, None, None]
        return scaled

    found, single = averages(rows), predicate_recall(rows)
    found |= {name: corrected(found[name], np.ones_like(tail.part, dtype=np.bool_)) for name in ("mR", "mR_frame")}
    found |= harmonic_means(found)
    found |= {
        part: corrected(means, tail.part == i)
        for i, (part, means) in enumerate(zip(PARTS, np.moveaxis(tail.means(single), -1, 0), strict=True))
    }
    return {**found, "recall": single}


@dataclass(frozen=True, eq=False)
class Differences:
    """predicates: names by global id."""

    protocol: Protocol
    predicates: tuple[str, ...]
    tail: LongTail
    models: Mapping[str, _Measured]

    @staticmethod
    def of(
        protocol: Protocol, predicates: tuple[str, ...], tail: LongTail, counts: Mapping[str, RecallCounts]
    ) -> Differences:
        """counts: of every model, the same videos in the same order."""
        drawn = resample(len(next(iter(counts.values()))))
        return Differences(
            protocol, predicates, tail, {name: _Measured.of(each, drawn, tail) for name, each in counts.items()}
        )

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of the averages; of zero-shot recall only where there is something to find."""
        nothing = any(np.isnan(model.value[ZERO_SHOT]).any() for model in self.models.values())
        return AVERAGES if nothing else (*AVERAGES, ZERO_SHOT)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the models; differences are to the first."""
        return tuple(self.models)

    def value(self, model: str, measure: str) -> tuple[Array, Interval]:
        """The measure of a model over all videos, (X, K) or (X, K, C), and its interval."""
        measured = self.models[model]
        return measured.value[measure], Interval.of(measured.samples[measure])

    def difference(self, model: str, measure: str) -> tuple[Array, Interval]:
        """The same for how it differs from the first model's: resample by resample, of the same
        videos."""
        mine, first = self.models[model], self.models[self.names[0]]
        return mine.value[measure] - first.value[measure], Interval.of(mine.samples[measure] - first.samples[measure])

    def of_predicates(self, constraint: str, k: int) -> dict[str, tuple[Array, Interval]]:
        """Difference of the recall of every predicate (C,), by model."""
        at = self._place(constraint, k)
        found = {}
        for name in self.names[1:]:
            value, interval = self.difference(name, "recall")
            found[name] = value[at], Interval(interval.low[at], interval.high[at])
        return found

    def text(self) -> str:
        """Two tables: values, and differences to the first model."""
        shown = [
            ("R", CONSTRAINT, K),
            ("R", "no", 50),
            ("mR", CONSTRAINT, K),
            ("mR", "no", 50),
            ("F", CONSTRAINT, K),
            *((name, CONSTRAINT, K) for name in self.measures[len(AVERAGES) :]),
            *((part, CONSTRAINT, K) for part in PARTS),
        ]
        head = [f"{measure}@{k} ({constraint})" for measure, constraint, k in shown]
        lines = [["recall", *head]]
        for name in self.names:
            lines.append([name, *(_cell(*self.value(name, m), self._place(c, k)) for m, c, k in shown)])
        lines.append([f"difference to {self.names[0]}", *head])
        for name in self.names[1:]:
            lines.append(
                [name, *(_cell(*self.difference(name, m), self._place(c, k), signed=True) for m, c, k in shown)]
            )
        table = [line.rstrip() for line in aligned(lines)]
        said = (
            f"in percent, with the middle {LEVEL:.0%} of {RESAMPLES:,} resamples of the videos; * where zero lies"
            " outside"
        )
        return "\n".join(
            [self.protocol.describe(), said, *table[: len(self.names) + 1], "", *table[len(self.names) + 1 :]]
        )

    def rows(self) -> list[dict[str, str | int | float]]:
        """One row per number, for CSV, as fractions: averages, means of head, body and tail, recall
        of single predicates."""
        found = list[dict[str, str | int | float]]()
        for model in self.names:
            for measure in (*self.measures, *PARTS, "recall"):
                columns = [*_columns(*self.value(model, measure)), *_columns(*self.difference(model, measure))]
                for at in np.ndindex(columns[0].shape):
                    row: dict[str, str | int | float] = {
                        "run": model,
                        "constraint": self.protocol.constraints[at[0]],
                        "measure": measure,
                        "predicate": self.predicates[at[2]] if measure == "recall" else "",
                        "k": self.protocol.ks[at[1]],
                    }
                    found.append(
                        row | {name: float(column[at]) for name, column in zip(_NUMBERS, columns, strict=True)}
                    )
        return found

    def _place(self, constraint: str, k: int) -> tuple[int, int]:
        constraints: list[str] = list(self.protocol.constraints)
        return constraints.index(constraint), self.protocol.ks.index(k)


_NUMBERS = ("value", "low", "high", "difference", "difference_low", "difference_high")


def _columns(value: Array, interval: Interval) -> tuple[Array, Array, Array]:
    return value, interval.low, interval.high


def _cell(value: Array, interval: Interval, at: tuple[int, int], *, signed: bool = False) -> str:
    """``12.34 [11.20, 13.50]``; of a difference ``+1.20 [0.20, 2.10] *``."""
    text = (
        f"{'+' if signed and value[at] >= 0 else ''}{percent(value[at])} [{percent(interval.low[at])},"
        f" {percent(interval.high[at])}]"
    )
    return f"{text} {'*' if interval.excludes_zero[at] else ' '}" if signed else f"{text}  "
