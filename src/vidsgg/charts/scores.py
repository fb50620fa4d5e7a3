"""What an evaluation has found, as PNG files: recall by predicate, calibration, risk over coverage,
differences between models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vidsgg.charts.figures import COLOURS, GREY, GRID, MARKS, new_figure, plain, save_figure
from vidsgg.metrics.bootstrap import Interval
from vidsgg.metrics.calibration import BINS, CalibrationResult
from vidsgg.metrics.long_tail import PARTS, LongTail
from vidsgg.metrics.risk_coverage import POINTS, RiskCoverageResult
from vidsgg.structures.checks import Array
from vidsgg.viewer.graphs import words

_PART_COLOURS = (COLOURS[0], COLOURS[2], COLOURS[1])
_ORDERS = {
    "confidence": (COLOURS[0], "-"),
    "aleatoric": (COLOURS[1], "--"),
    "epistemic": (COLOURS[2], "-."),
    "oracle": (GREY, ":"),
}


def draw_predicates(
    path: Path,
    measure: str,
    predicates: Sequence[str],
    recall: Array,
    relations: Array,
    tail: LongTail,
    remark: str = "",
) -> Path:
    """Recall of every predicate, the most frequent in training on top, and the mean of every part.
    recall (C,): of 1. relations (C,): scored.

    remark: stands above the chart, as in those below.
    """
    figure = new_figure(8, 1.5 + 0.24 * len(predicates))
    axis = figure.subplots()
    means = 100 * tail.means(recall)
    for part, colour in enumerate(_PART_COLOURS):
        rows = np.flatnonzero(tail.part[tail.order] == part)
        if len(rows):
            axis.barh(
                rows,
                100 * recall[tail.order[rows]],
                color=colour,
                height=0.72,
                label=f"{PARTS[part]}, mean {means[part]:.1f}",
            )
            axis.plot([means[part]] * 2, [rows[0] - 0.5, rows[-1] + 0.5], color=colour, linestyle="--", linewidth=1.2)
    for row, predicate in enumerate(tail.order):
        text = (
            f"{100 * recall[predicate]:.1f} % of {relations[predicate]:,}" if relations[predicate] else "none to find"
        )
        axis.annotate(
            text, (100 * recall[predicate], row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        ).set_in_layout(False)  # it has room within the axis, and measuring it takes time
    axis.set_yticks(range(len(predicates)), [f"{words(predicates[p])}  ({tail.instances[p]:,})" for p in tail.order])
    axis.invert_yaxis()
    axis.margins(y=0.01)
    axis.set_xlim(0, 121)
    axis.set_xticks(range(0, 101, 20))
    axis.set_xlabel(f"{measure}, in %; dashed: mean of the part; in brackets: instances in the training split", x=0.42)
    axis.grid(axis="x", color=GRID)
    plain(axis, "recall by predicate")
    axis.spines["bottom"].set_bounds(0, 100)
    figure.legend(loc="outside lower left", frameon=False, ncols=len(PARTS))
    return save_figure(figure, path, remark)


def draw_reliability(path: Path, calibration: CalibrationResult, remark: str = "") -> Path:
    """For every group how many of a bin's statements are right, beside their mean confidence, and
    how many statements there are."""
    groups = len(calibration.groups)
    figure = new_figure(0.6 + 3.4 * groups, 4.6)
    left, width = np.arange(BINS) / BINS * 100, 100 / BINS
    all_axes = figure.subplots(2, groups, sharex=True, squeeze=False, height_ratios=(4, 1))
    for g, (name, error) in enumerate(zip(calibration.groups, calibration.error, strict=True)):
        upper, lower = all_axes[:, g]
        filled = calibration.statements[g] > 0
        upper.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=1)
        upper.bar(
            left[filled],
            100 * calibration.accuracy[g, filled],
            0.9 * width,
            align="edge",
            color=COLOURS[0],
            label="right",
        )
        middles = left[filled] + 0.45 * width
        upper.plot(
            middles,
            100 * calibration.mean_confidence[g, filled],
            "D",
            color=COLOURS[1],
            markersize=4,
            label="mean confidence",
        )
        upper.set_ylim(0, 104)
        plain(
            upper,
            f"{words(name)}: " + ("nothing found" if np.isnan(error) else f"calibration error {100 * error:.1f} %"),
        )
        share = 100 * calibration.statements[g] / max(calibration.statements[g].sum(), 1)
        lower.bar(left, share, 0.9 * width, align="edge", color=GREY)
        lower.set_xlim(0, 100)
        lower.set_ylim(0, 100)
        lower.set_xlabel("confidence, in %")
        lower.spines[["top", "right"]].set_visible(False)
        for axis in (upper, lower):
            axis.grid(axis="y", color=GRID)
            axis.set_axisbelow(True)
    all_axes[0, 0].set_ylabel("in %")
    all_axes[1, 0].set_ylabel("% of all")
    figure.legend(*all_axes[0, 0].get_legend_handles_labels(), loc="outside lower left", frameon=False, ncols=2)
    return save_figure(figure, path, remark)


def draw_risk_coverage(path: Path, risk: RiskCoverageResult, remark: str = "") -> Path:
    """For every group the share of wrong statements among those that a model is surest of."""
    figure = new_figure(0.6 + 3.6 * len(risk.groups), 4.6)
    coverage = 100 * np.arange(1, POINTS + 1) / POINTS
    for axis, (name, group) in zip(
        figure.subplots(1, len(risk.groups), squeeze=False)[0], risk.groups.items(), strict=True
    ):
        for order, curve in group.curves.items():
            colour, line = _ORDERS[order]
            axis.plot(
                coverage,
                100 * curve,
                color=colour,
                linestyle=line,
                linewidth=1.6,
                label=f"{order} {100 * group.area[order]:.1f}",
            )
        axis.set_xlim(0, 100)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("coverage, in %")
        axis.grid(color=GRID)
        plain(axis, f"{words(name)}: risk, in %")
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.17)}  # below the axis, where there is no curve
        axis.legend(
            title="statements by, and the area under their curve, in %",
            frameon=False,
            fontsize=9,
            title_fontsize=9,
            ncols=2,
            **place,
        )
    return save_figure(figure, path, remark)


def draw_differences(
    path: Path,
    measure: str,
    first: str,
    predicates: Sequence[str],
    tail: LongTail,
    differences: Mapping[str, tuple[Array, Interval]],
) -> Path:
    """How much the recall of every predicate differs from that of the ``first`` model. differences:
    by model, (C,) fractions of 1."""
    figure = new_figure(8, 2 + (0.16 + 0.07 * len(differences)) * len(predicates))
    axis = figure.subplots()
    step = 0.7 / len(differences)
    for i, (name, (value, interval)) in enumerate(differences.items()):
        rows = np.arange(len(predicates)) + step * (i - (len(differences) - 1) / 2)
        middle, low, high = (100 * column[tail.order] for column in (value, interval.low, interval.high))
        colour, sure = COLOURS[i % len(COLOURS)], interval.excludes_zero[tail.order]
        axis.hlines(rows, low, high, color=colour, linewidth=1.4)
        for chosen, filling in ((sure, colour), (~sure, "white")):
            label = name if filling == colour else None
            marker = MARKS[i % len(MARKS)]
            axis.scatter(
                middle[chosen],
                rows[chosen],
                26,
                marker=marker,
                facecolors=filling,
                edgecolors=colour,
                zorder=3,
                label=label,
            )
    axis.axvline(0, color="#374151", linewidth=1)
    for part, name in enumerate(PARTS):
        ranks = np.flatnonzero(tail.part[tail.order] == part)
        if len(ranks):
            axis.annotate(
                name, (1, ranks[0] - 0.4), xycoords=axis.get_yaxis_transform(), va="top", ha="right", color=GREY
            )
            axis.axhline(ranks[0] - 0.5, color=GREY, linestyle=":", linewidth=1)
    axis.set_yticks(range(len(predicates)), [f"{words(predicates[p])}  ({tail.instances[p]:,})" for p in tail.order])
    axis.invert_yaxis()
    axis.margins(y=0.01)
    axis.grid(axis="x", color=GRID)
    axis.set_xlabel(
        f"{measure}: difference to {first},\nin percentage points, with 95 % intervals; filled where these leave out"
        " zero"
    )
    plain(axis, "recall by predicate, in brackets its instances in the training split")
    figure.legend(
        loc="outside lower left", frameon=False, ncols=2 if any(len(name) > 24 for name in differences) else 4
    )
    return save_figure(figure, path)
