"""Curves of several runs over their epochs, as one PNG file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidsgg.charts.figures import COLOURS, GRID, MARKS, new_figure, plain, save_figure

LINES: tuple[Literal["-", "--", ":", "-."], ...] = ("-", "--", ":", "-.")  # another for every round through the colours


@dataclass(frozen=True)
class Panel:
    """curves: by the name of the run, values by epoch. percent: whether the values are fractions to
    be shown in percent."""

    title: str
    curves: Mapping[str, Sequence[tuple[int, float]]]
    percent: bool = False


def draw_curves(path: Path, panels: Sequence[Panel]) -> Path:
    """Write the panels side by side; a run has the same colour and mark in all of them. Raises
    ConfigError if the file cannot be written."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))

    def line(name: str, x: Sequence[float], y: Sequence[float]) -> Line2D:
        i = names.index(name)
        colour, mark, style = COLOURS[i % len(COLOURS)], MARKS[i % len(MARKS)], LINES[i // len(COLOURS) % len(LINES)]
        return Line2D(
            x,
            y,
            color=colour,
            marker=mark,
            linestyle=style,
            linewidth=1.6,
            markersize=4.5,
            markevery=max(1, len(x) // 12),
        )

    figure = new_figure(4.6 * len(panels), 3.9 + 0.22 * math.ceil(len(names) / 3))
    for axis, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, points in panel.curves.items():
            epochs = [epoch for epoch, _ in points]
            values = [100 * value if panel.percent else value for _, value in points]
            axis.add_line(line(name, epochs, values))
        axis.autoscale_view()
        if not any(panel.curves.values()):
            axis.text(0.5, 0.5, "no values", transform=axis.transAxes, ha="center", color="#6b7280")
        plain(axis, panel.title)
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(color=GRID)
    handles = [line(name, [], []) for name in names]
    figure.legend(handles, names, loc="outside lower left", frameon=False, ncols=3)
    return save_figure(figure, path)
