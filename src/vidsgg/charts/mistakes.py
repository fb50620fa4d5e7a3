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


def draw_mistakes(path: Path, misses: MissResult, tracks: TrackErrors | None = None, remark: str = "") -> Path:
    """For every constraint a bar of all relations: those that are found at K = 20, then those that are
    missed, by reason. tracks: what mAP over tracks gains without each kind of mistake, below."""
    rows = len(misses.protocol.constraints)
    figure = new_figure(9, 1.9 + 0.55 * rows + (0 if tracks is None else 3.2))
    if tracks is None:
        _draw_frames(figure.subplots(), misses)
    else:
        upper, lower = figure.subplots(2, 1, height_ratios=(0.6 + 0.45 * rows, 2.6))
        _draw_frames(upper, misses)
        _draw_tracks(lower, tracks)
    return save_figure(figure, path, remark)


def _draw_frames(axis: Axes, misses: MissResult) -> None:
    at, constraints = misses.protocol.ks.index(K), misses.protocol.constraints
    share = 100 * misses.share[:, at]
    columns = np.concatenate([100 - share.sum(1, keepdims=True), share], 1)
    colours = ("#c9ced6", *COLOURS[: len(misses.reasons)])
    left = np.zeros(len(constraints))
    for width, name, colour in zip(columns.T, ("found", *misses.reasons), colours, strict=True):
        label = name if (width > 0).any() else None  # what does not occur is not explained
        axis.barh(range(len(constraints)), width, left=left, color=colour, height=0.68, label=label)
        for row, (start, value) in enumerate(zip(left, width, strict=True)):
            if value >= _LEAST:
                ink = "black" if colour in ("#c9ced6", "#E69F00", "#56B4E9") else "white"
                axis.text(start + value / 2, row, f"{value:.1f}", ha="center", va="center", fontsize=8, color=ink)
        left = left + width
    axis.set_yticks(range(len(constraints)), constraints)
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel(f"% of the relations of a {misses.protocol.unit}, mean over {misses.protocol.unit}s")
    axis.grid(axis="x", color=GRID)
    plain(axis, f"relations found at K = {K}, and why the others are missed")
    axis.legend(
        frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.45, -0.32 - 0.12 * (3 - len(constraints)))
    )


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
