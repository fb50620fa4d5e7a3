from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toys import ToyVideos

from vidsgg.cli.data.stats import main
from vidsgg.cli.main import run
from vidsgg.datasets.base import Subset
from vidsgg.datasets.registry import open_whole_split
from vidsgg.datasets.statistics import dataset_statistics
from vidsgg.errors import DataError


def test_the_tables_hold_the_counts(synthetic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, ["-data_path", str(synthetic), "-top", "3"]) == 0
    said = capsys.readouterr().out
    data = open_whole_split(synthetic, "train", "predcls")
    frames = sum(a.frames for a in data)
    looking = sum(int(a.labels["attention"][:, 0].sum()) for a in data)
    rows = [line.split() for line in said.splitlines()]
    assert ["videos", str(len(data))] in rows
    assert any(row[:3] == ["frames", "per", "video"] and row[3] == str(frames) for row in rows)
    assert any(row[:2] == ["looking_at", str(looking)] for row in rows)


def test_charts_are_written(synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, ["-data_path", str(synthetic), "-split", "test", "-out", str(tmp_path / "charts")]) == 0
    written = sorted(p.name for p in (tmp_path / "charts").iterdir())
    assert written == ["given_class.png", "objects.png", "predicates.png", "sizes.png"]
    said = capsys.readouterr().out
    for name in written:
        assert str(tmp_path / "charts" / name) in said
        assert Image.open(tmp_path / "charts" / name).width > 500


@pytest.mark.parametrize("kind", ["entity", "action"])
def test_counts_are_those_of_the_annotations(kind: str) -> None:
    data = ToyVideos(5, kind)
    found = dataset_statistics(data)
    assert found.videos == 5 and found.objects.sum() == sum(a.nodes for a in data)
    assert found.pairs_per_frame.sum() == found.pairs.sum() == sum(a.pairs for a in data)
    for group in data.schema.vocabulary.groups:
        np.testing.assert_array_equal(
            found.predicates[group.name].sum(0), sum(a.labels[group.name].sum(0) for a in data)
        )
        if group.kind == "single":
            np.testing.assert_allclose(found.given_class(group.name)[found.pairs > 0].sum(1), 1)


def test_an_empty_split_is_an_error() -> None:
    with pytest.raises(DataError, match="no video"):
        dataset_statistics(Subset(ToyVideos(1), []))
