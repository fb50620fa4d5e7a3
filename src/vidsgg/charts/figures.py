"""What charts have in common: their colours, their plain look, and how they become files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidsgg.errors import ConfigError
from vidsgg.io.atomic import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by the colour-blind too (without their yellow, which is faint
# on white), and the marks that go with them.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
DPI = 110
GREY, GRID = "#8a919e", "#dfe2e7"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches."""
    from matplotlib.figure import Figure  # here: it takes half a second; without a window, and without global state

    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
    return figure


def plain(axis: Axes, title: str) -> None:
    axis.set_title(title, loc="left")
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_axisbelow(True)


def save_figure(figure: Figure, path: Path, remark: str = "") -> Path:
    """Write a PNG, and its folder if it is not there. remark: above everything. Raises ConfigError
    if it cannot be written."""
    if remark:
        figure.suptitle(remark, color=COLOURS[1], fontweight="bold")
    figure.set_dpi(DPI)
    if (layout := figure.get_layout_engine()) is not None:
        # Now, and not by savefig, which would draw everything once more to have it done.
        layout.execute(figure)
        figure.set_layout_engine(None)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            figure.savefig(file, dpi=DPI, format=path.suffix[1:] or "png")
    except (OSError, ValueError) as error:  # ValueError: an ending that is no kind of picture
        raise ConfigError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}.") from error
    return path
