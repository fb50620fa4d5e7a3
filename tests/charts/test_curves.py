"""Curves of runs and charts of searches: files that can be opened, whatever there is to draw."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from vidsgg.charts.curves import Panel, draw_curves
from vidsgg.charts.search import _height, _ticks, write_search_charts
from vidsgg.errors import ConfigError
from vidsgg.methods.sttran import STTranOptions
from vidsgg.options import fields_of
from vidsgg.recipes.tune_report import value_text
from vidsgg.tuning.results import TrialRow
from vidsgg.tuning.space import Space, parse_search

SPACE = parse_search(
    "lr=log:1e-5:1e-3 batch_size=1,2,4 dropout=0:0.5 hidden_dim=64:512:64 seed=3", fields_of(STTranOptions)
)


def colours(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as picture:
        return {colour[:3] for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}


def test_every_run_has_a_colour_of_its_own(tmp_path: Path) -> None:
    panels = [
        Panel("training loss", {"a": [(1, 2.0), (2, 1.0)], "b": [(1, 3.0), (2, 2.5)]}),
        Panel("recall", {"a": [(2, 0.25)], "b": [(2, 0.5)]}, percent=True),
    ]
    path = draw_curves(tmp_path / "new" / "curves.png", panels)
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours(path)
    assert (0x00, 0x9E, 0x73) not in colours(path)


def test_runs_without_values_are_drawn_as_nothing(tmp_path: Path) -> None:
    draw_curves(tmp_path / "curves.png", [Panel("training loss", {"a": [], "b": []})])
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.width > 300


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    panels = [Panel("loss", {"a": [(1, 2.0)]})]
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError, match="cannot write"):
        draw_curves(tmp_path / "file" / "curves.png", panels)
    with pytest.raises(ConfigError, match=r"cannot write .*curves\.docx"):
        draw_curves(tmp_path / "curves.docx", panels)


def trial(number: int, state: str = "complete", score: float | None = 0.5, **changes: object) -> TrialRow:
    values = {"lr": 1e-4, "batch_size": 2, "dropout": 0.1 * number, "hidden_dim": 128, "seed": 3, **changes}
    return TrialRow(number, state, score, 1, 2.0, values)


@pytest.mark.parametrize(
    ("rows", "importances", "names"),
    [
        (
            [trial(0, score=0.3), trial(1), trial(2, "pruned", 0.1), trial(3, "failed", None)],
            {"lr": 0.8, "seed": 0.2},
            "hpi",
        ),
        ([trial(0), trial(1)], {}, "hp"),
        ([trial(0), TrialRow(1, "running", 0.2, 1, None, {"lr": 1e-4})], {}, "h"),
        ([trial(0, "failed", None)], {}, ""),
        ([], {}, ""),
    ],
)
def test_a_search_is_drawn_as_far_as_it_has_come(
    tmp_path: Path, rows: list[TrialRow], importances: dict[str, float], names: str
) -> None:
    files = write_search_charts(
        tmp_path / "charts", rows, SPACE, importances, "Recall@20 in %", lambda score: 100 * score, value_text
    )
    assert "".join(file.name[0] for file in files) == names
    for file in files:
        with Image.open(file) as picture:
            assert picture.width > 300


@pytest.mark.parametrize(
    ("text", "heights", "ticks"),
    [
        ("lr=log:1e-5:1e-3", {1e-5: 0, 1e-4: 0.5, 1e-3: 1}, 5),
        ("dropout=0:0.5", {0.0: 0, 0.25: 0.5, 0.5: 1}, 5),
        ("hidden_dim=64:512:64", {64: 0, 288: 0.5, 512: 1}, 5),
        ("spatial_layer=1:3", {1: 0, 2: 0.5, 3: 1}, 3),
        ("batch_size=1,2,4", {1: 0, 2: 0.5, 4: 1}, 3),
        ("scheduler=step", {"step": 0}, 1),
    ],
)
def test_values_lie_where_the_search_saw_them(text: str, heights: dict[object, float], ticks: int) -> None:
    space: Space = parse_search(text, fields_of(STTranOptions))
    (dimension,) = space.values()
    assert {value: _height(dimension, value) for value in heights} == pytest.approx(heights)
    assert len(_ticks(dimension)) == ticks
    assert all(0 <= _height(dimension, value) <= 1 + 1e-9 for value in _ticks(dimension))
