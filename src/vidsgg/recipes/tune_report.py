"""What ``vidsgg tune`` says: as it goes along, and in the table at the end."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidsgg.engine.report import Monitor
from vidsgg.errors import ConfigError
from vidsgg.io.atomic import write_whole
from vidsgg.methods.training_options import AUTO
from vidsgg.recipes.tables import columns, duration
from vidsgg.status import say
from vidsgg.tuning.results import TrialRow, best_of
from vidsgg.tuning.space import Space


def trials_table(rows: Sequence[TrialRow], space: Space, monitor: Monitor) -> str:
    """The trials, the best first."""
    lines = [("trial", "state", monitor.title, "epoch", "time", *space, "")]
    digits = 2 if monitor.rising else 4
    for row in rows:
        score = "" if row.score is None else f"{shown_score(row.score, monitor):.{digits}f}"
        time = "" if row.seconds is None else duration(row.seconds)
        values = (value_text(name, row.values[name]) if name in row.values else "" for name in space)
        lines.append(
            (str(row.number), row.state, score, str(row.epoch or ""), time, *values, _first_sentence(row.message))
        )
    return "\n".join(columns(lines))


class SearchProgress:
    """Says when a trial begins and ends, and how long the rest may take."""

    def __init__(self, limit: int, monitor: Monitor) -> None:
        self._limit, self._monitor = limit, monitor

    def begin(self, number: int, values: Mapping[str, Any]) -> None:
        say(f"trial {number}: {' '.join(f'{name}={value_text(name, value)}' for name, value in values.items())}")

    def watch(self, numbers: Sequence[int]) -> None:
        names = ", ".join(map(str, numbers))
        say(
            "no trial left to start; checking for up to a minute whether the processes of these trials are alive:"
            f" {names}"
        )

    def end(self, row: TrialRow, rows: Sequence[TrialRow]) -> None:
        """rows: all trials by now."""
        score = (
            ""
            if row.score is None
            else f", {self._monitor.text(self._monitor.upward(row.score))} after epoch {row.epoch}"
        )
        time = "" if row.seconds is None else f", {duration(row.seconds)}"
        why = f": {_first_sentence(row.message)}" if row.message else ""
        done = [other for other in rows if other.state in ("complete", "pruned", "failed")]
        running = sum(other.state == "running" for other in rows)
        best = best_of(rows)
        line = f"  {row.state}{score}{time}{why} [{len(done)} of {self._limit}"
        if best is not None and best.score is not None:
            line += f"; best {self._monitor.text(self._monitor.upward(best.score))}, trial {best.number}"
        left = self._limit - len(done)
        if left > 0:
            mean = sum(other.seconds or 0.0 for other in done) / len(done)
            line += f"; about {duration(mean * left / (running + 1))} to go"
        say(f"{line}]")


def write_table(path: Path, rows: Sequence[TrialRow], space: Space, monitor: Monitor) -> None:
    """The trials in the order of their numbers, as CSV. Raises ConfigError if the file cannot be
    written."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["trial", "state", monitor.name, "epoch", "seconds", *space, "message"])
    for row in sorted(rows, key=lambda row: row.number):
        score = None if row.score is None else monitor.upward(row.score)
        writer.writerow(
            [
                row.number,
                row.state,
                score,
                row.epoch,
                row.seconds,
                *(written(name, row.values[name]) if name in row.values else None for name in space),
                row.message,
            ]
        )
    try:
        write_whole(path, text.getvalue())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}.") from error


def shown_score(score: float, monitor: Monitor) -> float:
    """A score as people read it: recall in percent, a loss as it is."""
    return 100 * score if monitor.rising else monitor.upward(score)


def written(name: str, value: Any) -> Any:
    """The value of an option as one writes it."""
    if value is not None:
        return value
    return AUTO if name == "batch_size" else "none"


def value_text(name: str, value: Any) -> str:
    """As ``written``, numbers to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(written(name, value))


def _first_sentence(text: str) -> str:
    """What happened; what to do about it stands in the table's file and in the run's log."""
    return text.partition(". ")[0]
