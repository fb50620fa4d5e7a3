"""Cross-validation on EASG, on a small folder in its format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets.easg_files import write_easg

from benchmarks import easg_folds
from benchmarks.easg_folds import cross_validate, folds_of, groups_of, similarity
from vidsgg.datasets.easg import EASG
from vidsgg.errors import ConfigError
from vidsgg.methods.frequency import FrequencyOptions


def test_groups_join_by_mean_similarity() -> None:
    similar = np.eye(5)
    for a, b, value in ((0, 3, 0.9), (0, 4, 0.5), (3, 4, 0.1), (1, 2, 0.2)):
        similar[a, b] = similar[b, a] = value
    assert groups_of(similar, 0.95) == [[0], [1], [2], [3], [4]]
    assert groups_of(similar, 0.25) == [[0, 3, 4], [1], [2]]  # (0.5 + 0.1) / 2 = 0.3, less than 0.5 of the nearest
    assert groups_of(similar, 0.15) == [[0, 3, 4], [1, 2]]
    assert groups_of(similar, 0.0) == [[0, 3, 4, 1, 2]]


def test_similarity_is_one_with_itself_and_symmetric(tmp_path: Path) -> None:
    similar = similarity(EASG(write_easg(tmp_path, clips=6), "train"))
    np.testing.assert_allclose(np.diag(similar), 1, atol=1e-6)
    np.testing.assert_allclose(similar, similar.T)


def test_folds_share_out_the_clips_and_each_is_scored_by_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(easg_folds, "similarity", lambda dataset: np.eye(len(dataset)))
    data = write_easg(tmp_path / "data", clips=9)
    dataset = EASG(data, "train")
    folds = folds_of(dataset)
    assert sorted(clip for fold in folds for clip in fold) == list(range(9))
    assert {len(fold) for fold in folds} == {2, 3}
    whole, *single = cross_validate(dataset, FrequencyOptions(model="frequency", data_path=str(data)), tmp_path)
    assert len(single) == 4
    assert min(single) <= whole <= max(single)
    log = (tmp_path / "fold_0" / "logfile.txt").read_text(encoding="utf-8")
    assert f"{9 - len(folds[0])} videos to train on, {len(folds[0])} to validate on (given by the caller)" in log


def test_clips_that_are_all_alike_make_no_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(easg_folds, "similarity", lambda dataset: np.ones((len(dataset), len(dataset))))
    with pytest.raises(ConfigError, match="4 folds"):
        folds_of(EASG(write_easg(tmp_path, clips=5), "train"))
