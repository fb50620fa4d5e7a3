"""What mistakes cost, as a PNG file: of recall in frames, and of relations over tracks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidsgg.charts.figures import COLOURS, GREY, GRID, new_figure, plain, save_figure
from vidsgg.metrics.misses import MissResult
from vidsgg.metrics.result import K
from vidsgg.metrics.tracks import TRACK_ERRORS, TrackErrors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAST = 3.0  # percent of a bar that has room for its number
_COLOURS = {
    "found": "#c9ced6",
    "not detected": COLOURS[0],
    "wrong action": COLOURS[0],
    "box off": COLOURS[1],
    "wrong class": COLOURS[2],
    "pair not proposed": COLOURS[3],
    "predicate not said": COLOURS[4],
    "ranked too low": COLOURS[5],
}
_PALE = ("found", "predicate not said", "ranked too low")


def draw_mistakes(path: Path, misses: MissResult, tracks: TrackErrors | None = None, remark: str = "") -> Path:
    """For every constraint a bar of all relations: those that are found at K = 20, then those that are
    missed, by reason. tracks: what mAP over tracks gains without each kind of mistake, above."""
    rows = len(misses.protocol.constraints)
    figure = new_figure(9, 1.9 + 0.55 * rows + (0 if tracks is None else 3.2))
    if tracks is None:
        _draw_frames(figure.subplots(), misses)
    else:
        upper, lower = figure.subplots(2, 1, height_ratios=(2.6, 0.6 + 0.45 * rows))
        _draw_tracks(upper, tracks)
        _draw_frames(lower, misses)
    figure.legend(*figure.axes[-1].get_legend_handles_labels(), loc="outside lower left", frameon=False, ncols=4)
    return save_figure(figure, path, remark)


def _draw_frames(axis: Axes, misses: MissResult) -> None:
    at, constraints = misses.protocol.ks.index(K), misses.protocol.constraints
    share = 100 * misses.share[:, at]
    columns = np.concatenate([100 * misses.recall[:, at, None], share], 1)
    left = np.zeros(len(constraints))
    for width, name in zip(columns.T, ("found", *misses.reasons), strict=True):
        colour = _COLOURS[name]
        label = name if (width > 0).any() else None  # what does not occur is not explained
        axis.barh(range(len(constraints)), width, left=left, color=colour, height=0.68, label=label)
        for row, (start, value) in enumerate(zip(left, width, strict=True)):
            if value >= _LEAST:
                ink = "black" if name in _PALE else "white"
                number = axis.text(
                    start + value / 2, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color=ink
                )
                number.set_in_layout(False)  # it stands within its bar
        left = left + width
    axis.set_yticks(range(len(constraints)), constraints)
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel(f"% of the relations, mean over {misses.protocol.unit}s")
    axis.grid(axis="x", color=GRID)
    plain(axis, f"relations found at K = {K}, and why the others are missed")


def _draw_tracks(axis: Axes, tracks: TrackErrors) -> None:
    names = TRACK_ERRORS[1:]
    counts = [*tracks.counts[1:].tolist(), int(tracks.missed.sum())]
    gain = 100 * np.nan_to_num(tracks.gain)
    axis.barh(range(len(names)), gain, color=[*[COLOURS[0]] * (len(names) - 1), COLOURS[1]], height=0.68)
    for row, (value, count) in enumerate(zip(gain, counts, strict=True)):
        axis.annotate(
            f"{value:+.1f} ({count:,})",
            (value, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axis.axvline(0, color=GREY, linewidth=1)
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.margins(x=0.18)
    axis.set_xlabel("gain in points of mAP; in brackets: mistakes among the best 200 of a video, or relations missed")
    axis.grid(axis="x", color=GRID)
    plain(axis, "relations over tracks: what mAP gains without each kind of mistake")
