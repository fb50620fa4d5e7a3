"""Tables, durations and sizes as several commands print them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from vidsgg.metrics.result import RecallResult


def comparison(results: Mapping[str, RecallResult], split: str) -> str:
    """Recall and mean recall of several models side by side, in percent, as a Markdown table."""
    columns = [("R@10", "with", 10), ("R@20", "with", 20), ("R@20", "no", 20), ("R@50", "no", 50)]
    means = [("mR@10", "with", 10), ("mR@20", "with", 20), ("mR@50", "no", 50)]
    head = [f"{name} ({constraint})" for name, constraint, _ in columns + means]
    lines = [f"| {split} videos | " + " | ".join(head) + " |", "| --- |" + " ---: |" * len(head)]
    for name, result in results.items():
        values = [result.value(constraint, k) for _, constraint, k in columns]
        values += [result.value(constraint, k, "mR") for _, constraint, k in means]
        lines.append(f"| {name} | " + " | ".join(f"{100 * value:.1f}" for value in values) + " |")
    return "\n".join(lines)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines, every column as wide as its widest cell."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def duration(seconds: float) -> str:
    """``1h 20m``, ``3m 05s`` or ``12s``."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60}h {minutes % 60:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


def rough_duration(seconds: float) -> str:
    """``about 40 s``, ``about 5 min`` or ``about 1.2 h``, of an estimate."""
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def bytes_text(count: float) -> str:
    """``12 B``, ``3.4 MB``: of a number of bytes, in units of 1000."""
    unit = max(0, min(4, int(math.log10(max(1.0, count)) // 3)))
    return f"{count / 1000**unit:.{0 if unit == 0 else 1}f} {('B', 'kB', 'MB', 'GB', 'TB')[unit]}"
