"""Charts of a data set's counts, as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vidsgg.charts.figures import COLOURS, GRID, new_figure, plain, save_figure
from vidsgg.datasets.statistics import DatasetStatistics
from vidsgg.viewer.graphs import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 40  # bars in one chart: EASG has hundreds of classes


def write_charts(folder: Path, statistics: DatasetStatistics) -> list[Path]:
    """Write ``objects.png``, ``predicates.png``, ``sizes.png`` and ``given_class.png``; returns
    their paths.

    Raises ConfigError if the folder cannot be written to.
    """
    vocabulary = statistics.schema.vocabulary
    charts: dict[str, Figure] = {}

    order = [int(i) for i in np.argsort(-statistics.objects, kind="stable") if statistics.objects[i]][:_MOST]
    figure = new_figure(9, 1.2 + 0.22 * len(order))
    _bars(
        figure.subplots(),
        [vocabulary.objects[i] for i in order],
        [int(statistics.objects[i]) for i in order],
        "objects",
    )
    charts["objects.png"] = figure

    sizes = [len(group) for group in vocabulary.groups]
    figure = new_figure(9, 1.6 * len(sizes) + 0.24 * sum(sizes))
    axes = np.atleast_1d(figure.subplots(len(sizes), 1, height_ratios=[size + 3 for size in sizes]))
    for axis, group in zip(axes, vocabulary.groups, strict=True):
        counts = statistics.predicates[group.name].sum(0)
        order = [int(i) for i in np.argsort(-counts, kind="stable")]
        _bars(axis, [group.predicates[i] for i in order], [int(counts[i]) for i in order], group.name)
    charts["predicates.png"] = figure

    figure = new_figure(9, 3.4)
    for axis, values, title in zip(
        figure.subplots(1, 2),
        (statistics.frames_per_video, statistics.pairs_per_frame),
        ("annotated frames per video", "pairs per frame"),
        strict=True,
    ):
        high = int(values.max())
        axis.hist(values, bins=min(high + 1, 40), range=(-0.5, high + 0.5), color=COLOURS[0], rwidth=0.9)
        plain(axis, title)
    charts["sizes.png"] = figure

    rows = [int(i) for i in np.argsort(-statistics.pairs, kind="stable") if statistics.pairs[i]][:_MOST]
    shares = np.concatenate([statistics.given_class(group.name) for group in vocabulary.groups], 1)[rows]
    figure = new_figure(2.5 + 0.34 * shares.shape[1], 2.2 + 0.26 * len(rows))
    axis = figure.subplots()
    image = axis.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    axis.set_xticks(range(shares.shape[1]), [words(name) for name in vocabulary.predicates], rotation=60, ha="right")
    axis.set_yticks(range(len(rows)), [words(vocabulary.objects[i]) for i in rows])
    axis.set_title("share of a class's pairs that carry the predicate", loc="left")
    figure.colorbar(image, ax=axis, shrink=0.6)
    charts["given_class.png"] = figure

    return [save_figure(figure, folder / name) for name, figure in charts.items()]


def _bars(axis: Axes, names: list[str], counts: list[int], title: str) -> None:
    """Horizontal bars, the longest on top, each with its number."""
    positions = np.arange(len(names))
    axis.barh(positions, counts, color=COLOURS[0])
    axis.set_yticks(positions, [words(name) for name in names])
    axis.invert_yaxis()
    axis.margins(y=0.01)
    for position, count in zip(positions, counts, strict=True):
        axis.annotate(
            f"{count:,}", (count, position), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axis.grid(axis="x", color=GRID)
    plain(axis, title)
