"""Charts of evaluations: files that can be opened, with a colour for everything that there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vidsgg.charts.scores import draw_differences, draw_predicates, draw_reliability, draw_risk_coverage
from vidsgg.errors import ConfigError
from vidsgg.metrics.best_predicates import Statements
from vidsgg.metrics.bootstrap import Interval
from vidsgg.metrics.calibration import BINS, CalibrationResult
from vidsgg.metrics.long_tail import LongTail
from vidsgg.metrics.risk_coverage import GroupRisk, RiskCoverageResult

BLUE, ORANGE, GREEN = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)
NAMES = ("looking_at", "holding", "in", "wiping")
TAIL = LongTail.of(np.array([100, 40, 7, 0]))


def colours(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as picture:
        return {colour[:3] for _, colour in picture.convert("RGB").getcolors(1 << 20) or []}


def test_every_part_has_its_colour(tmp_path: Path) -> None:
    relations = np.array([10, 4, 1, 0])
    path = draw_predicates(
        tmp_path / "new" / "p.png", "recall@20", NAMES, np.array([0.9, 0.5, 0.25, 1.0]), relations, TAIL
    )
    assert {BLUE, ORANGE, GREEN} <= colours(path)
    without_tail = draw_predicates(
        tmp_path / "q.png", "recall@20", NAMES, np.array([0.9, 0.5, 0.25, 0]), relations, LongTail.of(TAIL.instances)
    )
    assert colours(path) != colours(without_tail)


def test_reliability_of_any_number_of_groups_also_of_empty_ones(tmp_path: Path) -> None:
    some = np.arange(BINS) * 10
    for groups in (("relation",), ("attention", "spatial", "contacting")):
        statements = np.stack([some] * (len(groups) - 1) + [np.zeros(BINS, np.int64)])
        path = draw_reliability(
            tmp_path / "r.png", CalibrationResult(groups, statements, statements // 2, 0.7 * statements)
        )
        assert (BLUE in colours(path)) == (len(groups) > 1)


def test_risk_over_coverage_of_few_and_of_many_statements(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for count in (1, 7, 1000):
        statements = Statements(
            np.zeros(count),
            rng.random(count) < 0.7,
            rng.random(count, np.float32),
            epistemic=rng.random(count, np.float32),
        )
        path = draw_risk_coverage(tmp_path / "c.png", RiskCoverageResult({"spatial": GroupRisk.of(statements)}))
        assert {BLUE, GREEN} <= colours(path)  # confidence and epistemic; there is no aleatoric
        assert ORANGE not in colours(path)


def test_differences_that_are_sure_are_filled(tmp_path: Path) -> None:
    value = np.array([0.1, -0.2, 0.0, 0.3])
    unsure = Interval(value - 0.5, value + 0.5)
    sure = Interval(value - 0.01, value + 0.01)
    filled = []
    for interval in (unsure, sure):
        path = draw_differences(
            tmp_path / "d.png", "recall@20", "a", NAMES, TAIL, {"b": (value, interval), "c": (-value, interval)}
        )
        with Image.open(path) as picture:
            counts = {colour[:3]: count for count, colour in picture.convert("RGB").getcolors(1 << 20) or []}
        filled.append(counts)
    assert {BLUE, ORANGE} <= filled[1].keys()
    assert filled[0].keys() >= {BLUE, ORANGE}  # the intervals


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(ConfigError, match=r"cannot write .*p\.png"):
        draw_predicates(tmp_path / "file" / "p.png", "recall@20", NAMES, np.zeros(4), np.zeros(4), TAIL)
