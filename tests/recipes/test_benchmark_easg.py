"""The benchmark on EASG, on a small folder in its format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import action_annotation
from datasets.easg_files import write_easg, write_features

from benchmarks.easg import CONFIG, EasgOptions, run, runs_of, table
from benchmarks.easg_checks import reordered, rounded, shuffled, verbs_by_counting
from vidsgg.cli.command_line import read_options
from vidsgg.datasets.easg import EASG
from vidsgg.errors import ConfigError
from vidsgg.methods.sttran import STTranOptions
from vidsgg.structures.schema import MODES


class Recall:
    """A result whose every number is ``share``."""

    def __init__(self, share: float) -> None:
        self.share = share

    def value(self, constraint: str, k: int, average: str) -> float:
        return self.share


def test_a_row_is_the_mean_and_the_spread_of_its_runs() -> None:
    rows = {
        ("sgcls", "counted", "no"): [Recall(0.5)],
        ("sgdet", "trained", "yes"): [Recall(0.7), Recall(0.8), Recall(0.9)],
    }
    lines = table(rows).splitlines()  # type: ignore[arg-type]
    assert lines[2] == "| sgcls | counted | no | " + " | ".join(["50.00 / 50.00 / 50.00"] * 3) + " |"
    cell = " / ".join(["80.00 +- 10.00"] * 3)
    assert lines[3] == f"| sgdet | trained | yes | {cell} | {cell} | {cell} |"


def test_every_seed_is_a_run_with_the_options_of_the_file(tmp_path: Path) -> None:
    runs = runs_of(EasgOptions(data_path="there", seeds="3,5"), tmp_path)
    assert [mode for mode, model in runs if model == "counting"] == list(MODES)
    for mode in MODES:
        options = runs[mode, "STTran, 2 seeds"]
        assert [(one.mode, one.seed, one.data_path) for one in options] == [(mode, 3, "there"), (mode, 5, "there")]
        for name, value in read_options(CONFIG, STTranOptions).items():
            assert name == "mode" or getattr(options[0], name) == value
    with pytest.raises(ConfigError, match="-seeds"):
        runs_of(EasgOptions(data_path="there", seeds="1,two"), tmp_path)


def test_it_runs_from_files_to_tables(tmp_path: Path) -> None:
    data = write_easg(tmp_path / "data", clips=4, graphs=2)
    results, leaks, verbs = run(EasgOptions(data_path=str(data), seeds="0"), tmp_path / "runs").split("\n\n")
    assert len(results.splitlines()) == 2 + 3 * 4
    for line in results.splitlines()[2:]:
        recall = [float(value) for cell in line.split("|")[4:-1] for value in cell.split("/")]
        assert len(recall) == 9
        assert all(0 <= value <= 100 for value in recall)
        assert "predcls" not in line or all(recall)
    for line in leaks.splitlines()[2:]:
        as_it_is, other_order, other_boxes, *_ = (float(cell) for cell in line.split("|")[2:-1])
        assert as_it_is == other_order == other_boxes
    assert len(verbs.splitlines()) == 2 + 3
    assert (tmp_path / "runs" / "sttran_sgdet_0" / "exclusive" / "evaluation_test.json").is_file()


def test_features_are_left_to_others(tmp_path: Path) -> None:
    data = write_easg(tmp_path / "data", clips=4, graphs=2)
    write_features(data, "test")
    with pytest.raises(ConfigError, match=r"verb_features\.pt would be read"):
        run(EasgOptions(data_path=str(data)), tmp_path / "runs")


def test_another_order_is_the_same_video() -> None:
    annotation = action_annotation([3, 2])
    moved = reordered(annotation)
    assert not np.array_equal(moved.node_class, annotation.node_class)
    rows = [
        sorted(zip(a.node_frame, a.node_class, a.node_box.tolist(), a.labels["relation"].tolist(), strict=True))
        for a in (annotation, moved)
    ]
    assert rows[0] == rows[1]
    assert moved.node_identity.tolist() == [0, 1, 2] * 3 + [1, 2] * 3  # one number for an object in all frames


def test_rounded_boxes_lie_on_the_grid() -> None:
    annotation = action_annotation([3, 2])  # frames are 100 wide and high
    box = rounded(annotation).node_box
    np.testing.assert_array_equal(box, box.round())
    assert 0 < np.abs(box - annotation.node_box).max() <= 1


def test_shuffled_annotations_keep_every_count(tmp_path: Path) -> None:
    true = list(EASG(write_easg(tmp_path, clips=3), "train"))
    mixed = shuffled(true, 0)
    for one, other in zip(true, mixed, strict=True):
        np.testing.assert_array_equal(one.node_class, other.node_class)
        of_object = dict[tuple[int, int], list[bool]]()
        for unit, thing, row in zip(other.pair_subject, other.node_identity, other.labels["relation"], strict=True):
            assert of_object.setdefault((int(unit), int(thing)), row.tolist()) == row.tolist()
    for name in ("action_class", "node_box"):
        before, after = (np.concatenate([getattr(a, name) for a in some]) for some in (true, mixed))
        assert not np.array_equal(before, after)
        assert sorted(before.tolist()) == sorted(after.tolist())


def test_verbs_are_counted_by_the_objects() -> None:
    one, other = action_annotation([1], seed=0), action_annotation([1], seed=1)
    train = [replace(one, action_class=[0], node_class=[1] * 3)] * 3 + [
        replace(other, action_class=[2], node_class=[2] * 3)
    ]
    prior, of_classes = verbs_by_counting(train, [train[0], train[-1]], alpha=2.0)
    np.testing.assert_allclose(prior, np.log([[0.75, 1e-9, 0.25]] * 2))
    share = [(3 + 2 * 0.75) / 5, 0.75, (0 + 2 * 0.75) / 3]
    np.testing.assert_allclose(of_classes[0], prior[0] + np.log(share))
    share = [(0 + 2 * 0.25) / 5, 0.25, (1 + 2 * 0.25) / 3]
    np.testing.assert_allclose(of_classes[1], prior[1] + np.log(share))
