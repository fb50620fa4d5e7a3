"""Curves of several runs over their epochs, as one PNG file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidsgg.errors import ConfigError

# Okabe and Ito's colours, told apart by the colour-blind too (without their yellow, which is faint on white), and the marks that go with them.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.")  # another for every round through the colours
GRID = "#dfe2e7"


@dataclass(frozen=True)
class Panel:
    """curves: by the name of the run, values by epoch. percent: whether the values are fractions to be shown in percent."""

    title: str
    curves: Mapping[str, Sequence[tuple[int, float]]]
    percent: bool = False


def draw_curves(path: Path, panels: Sequence[Panel]) -> Path:
    """Write the panels side by side; a run has the same colour and mark in all of them. Raises ConfigError if the file cannot be written."""
    from matplotlib.figure import Figure  # without a window, and without global state
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    look = {
        name: {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)], "linestyle": LINES[i // len(COLOURS) % len(LINES)]}
        for i, name in enumerate(names)
    }
    figure = Figure(figsize=(4.6 * len(panels), 3.9 + 0.22 * math.ceil(len(names) / 3)))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
    for axis, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, points in panel.curves.items():
            epochs = [epoch for epoch, _ in points]
            values = [100 * value if panel.percent else value for _, value in points]
            axis.plot(epochs, values, **look[name], linewidth=1.6, markersize=4.5, markevery=max(1, len(epochs) // 12))
        if not any(panel.curves.values()):
            axis.text(0.5, 0.5, "no values", transform=axis.transAxes, ha="center", color="#6b7280")
        axis.set_title(panel.title, loc="left")
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.grid(color=GRID)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    handles = [Line2D([], [], **look[name], linewidth=1.6, markersize=4.5) for name in names]
    figure.legend(handles, names, loc="outside lower left", frameon=False, ncols=3)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:  # ValueError: an ending that is no kind of picture
        raise ConfigError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}.") from error
    return path
