"""What a search has found, as PNG files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidsgg.charts.figures import COLOURS, GREY, GRID, new_figure, plain, save_figure
from vidsgg.tuning.results import TrialRow
from vidsgg.tuning.space import Choice, Range, Space

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLUE, _ORANGE = COLOURS[:2]
_TICKS = 5


def write_search_charts(
    folder: Path,
    rows: Sequence[TrialRow],
    space: Space,
    importances: Mapping[str, float],
    label: str,
    shown: Callable[[float], float],
    text: Callable[[str, Any], str],
) -> list[Path]:
    """Write ``history.png``, ``parallel.png`` and ``importance.png`` (each if there is anything to
    show) and return their paths.

    rows: as read_results gives them. label, shown: name of the score and how it is shown. text: the
    value of an option in words. Raises ConfigError if they cannot be written.
    """
    charts: dict[str, Figure] = {}
    scored = [row for row in rows if row.score is not None]
    if scored:
        charts["history.png"] = _history(sorted(rows, key=lambda row: row.number), label, shown)
    complete = [row for row in rows if row.state == "complete"]
    if len(complete) > 1:
        charts["parallel.png"] = _parallel(scored, space, label, shown, text)
    if importances:
        charts["importance.png"] = _importance(importances, len(complete))
    return [save_figure(figure, folder / name) for name, figure in charts.items()]


def _history(rows: Sequence[TrialRow], label: str, shown: Callable[[float], float]) -> Figure:
    """Every trial's score, and the best so far."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(8, 4.2)
    axis = figure.subplots()
    best, so_far = -math.inf, []
    for row in rows:
        if row.state == "complete" and row.score is not None and row.score > best:
            best = row.score
        if best > -math.inf:
            so_far.append((row.number, shown(best)))
    if so_far:
        axis.step(*zip(*so_far, strict=True), where="post", color=_ORANGE, linewidth=1.6, label="best so far")
    for state, marker, colour in (
        ("complete", "o", _BLUE),
        ("pruned", "D", GREY),
        ("running", ">", GREY),
        ("failed", "X", "#000000"),
    ):
        points = [(row.number, shown(row.score)) for row in rows if row.state == state and row.score is not None]
        if points:
            faces = colour if state == "complete" else "none" if state != "failed" else colour
            numbers, scores = zip(*points, strict=True)
            axis.scatter(
                numbers, scores, marker=marker, facecolors=faces, edgecolors=colour, s=34, label=state, zorder=3
            )
    axis.set_xlabel("trial")
    axis.set_ylabel(label)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(color=GRID)
    plain(axis, "trials in the order of their beginning")
    figure.legend(loc="outside lower left", frameon=False, ncols=5)
    return figure


def _parallel(
    rows: Sequence[TrialRow],
    space: Space,
    label: str,
    shown: Callable[[float], float],
    text: Callable[[str, Any], str],
) -> Figure:
    """A line per trial through its values; the colour is its score, pruned ones are grey."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    scores = [shown(row.score) for row in rows if row.score is not None and row.state == "complete"]
    norm = Normalize(min(scores), max(scores))
    colours = ScalarMappable(norm, cmap="viridis_r" if shown(1.0) > shown(0.0) else "viridis")  # good trials are dark
    figure = new_figure(max(6.0, 1.9 * (len(space) + 1)), 4.6)
    axis = figure.subplots()
    for row in sorted(rows, key=lambda row: row.score or 0.0):  # the best on top
        if row.score is None or set(row.values) != set(space):
            continue
        heights = [_height(space[name], row.values[name]) for name in space]
        if row.state == "complete":
            colour = colours.to_rgba(shown(row.score))  # type: ignore[arg-type]  # takes numbers too; the stubs say arrays
            axis.plot([*heights, norm(shown(row.score))], color=colour, linewidth=1.8, zorder=3)
        else:
            axis.plot(heights, color=GREY, linewidth=0.8, alpha=0.45)
    for i, (name, dimension) in enumerate(space.items()):
        axis.axvline(i, color="#000000", linewidth=0.8, zorder=2)
        for value in _ticks(dimension):
            said = f"{value:.3g}" if isinstance(value, float) else text(name, value)
            axis.annotate(said, (i, _height(dimension, value)), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8, zorder=4,
                          bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75})  # fmt: skip
    axis.axvline(len(space), color="#000000", linewidth=0.8, zorder=2)
    axis.set_xticks(range(len(space) + 1), [*space, label])
    axis.set_xlim(-0.1, len(space) + 0.25)
    axis.set_yticks([])
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.tick_params(axis="x", length=0)
    plain(axis, "values of each trial" + ("; grey: not complete" if len(scores) < len(rows) else ""))
    figure.colorbar(colours, ax=axis, label=label, pad=0.02)
    return figure


def _importance(importances: Mapping[str, float], trials: int) -> Figure:
    figure = new_figure(7, 1.5 + 0.36 * len(importances))
    axis = figure.subplots()
    axis.barh(list(importances), [100 * share for share in importances.values()], color=_BLUE, height=0.62)
    for position, share in enumerate(importances.values()):
        axis.annotate(
            f"{100 * share:.0f} %",
            (100 * share, position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axis.invert_yaxis()
    axis.set_xlim(0, 108)
    axis.grid(axis="x", color=GRID)
    axis.set_xlabel(f"share in what sets good trials apart, in % (PED-ANOVA of {trials} complete trials)")
    plain(axis, "importance of the options")
    return figure


def _height(dimension: Choice | Range, value: Any) -> float:
    """Where a value lies on its axis, 0..1."""
    if isinstance(dimension, Choice):
        return dimension.values.index(value) / max(len(dimension.values) - 1, 1)
    number, low, high = float(value), dimension.low, dimension.high
    if dimension.log:
        return math.log(number / low) / math.log(high / low)
    return (number - low) / (high - low)


def _ticks(dimension: Choice | Range) -> Sequence[Any]:
    if isinstance(dimension, Choice):
        return dimension.values
    shares = [i / (_TICKS - 1) for i in range(_TICKS)]
    points = dimension.points()
    if points is not None:
        return sorted({points[round(share * (len(points) - 1))] for share in shares})
    if dimension.log:
        values = [dimension.low * (dimension.high / dimension.low) ** share for share in shares]
    else:
        values = [dimension.low + (dimension.high - dimension.low) * share for share in shares]
    return [round(value) for value in values] if dimension.whole else values
