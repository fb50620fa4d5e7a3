"""The loop, the loader and the run's folder on toy data."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.training import Case
from toys import ToyVideos

from vidsgg.engine.fit import FitResult
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.report import rate_text
from vidsgg.engine.run_folder import RunFolder, default_path
from vidsgg.engine.update import clip_gradients
from vidsgg.engine.watch import TrainingError
from vidsgg.errors import ConfigError, DataError
from vidsgg.io.tensors import load_tensors
from vidsgg.models.sttran import STTran


def train(path: Path, epochs: int = 4, **changes: Any) -> tuple[FitResult, STTran]:
    case = Case(path, epochs=epochs, **changes)
    return case.run(), case.state.model  # type: ignore[return-value]


def test_training_learns_logs_and_saves(tmp_path: Path) -> None:
    result, _ = train(tmp_path / "run", epochs=12)
    files = {p.name for p in (tmp_path / "run").iterdir()}
    assert {
        "logfile.txt",
        "config.yaml",
        "metrics.csv",
        "checkpoint_best.tar",
        "checkpoint_final.tar",
        "checkpoint_epoch_2.tar",
    } <= files
    assert any(name.startswith("events.out.tfevents") for name in files)
    lines = (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8").splitlines()
    losses = [float(line.split("Loss: ")[1].split()[0]) for line in lines if "Loss" in line]
    assert len(losses) == 12
    assert losses[-1] < 0.8 * losses[0]
    assert any(line.startswith("Epoch 2/12 - Eval - Recall@10: ") for line in lines)
    with (tmp_path / "run" / "metrics.csv").open(encoding="utf-8") as file:
        names = {row["name"] for row in csv.DictReader(file)}
    assert {
        "train/loss/total",
        "train/lr",
        "train/grad_norm",
        "val/loss/attention",
        "val/with/recall@20",
        "val/no/mR_frame@50",
    } <= names
    run = tmp_path / "run"  # checkpoints of one step are one file on the disk
    assert (run / "checkpoint_last.tar").samefile(run / "checkpoint_final.tar")
    assert (run / "checkpoint_last.tar").samefile(run / "checkpoint_epoch_12.tar")
    assert not (run / "checkpoint_last.tar").samefile(run / "checkpoint_epoch_2.tar")
    best = load_tensors(tmp_path / "run" / "checkpoint_best.tar")
    assert best["training_state"]["best_score"] == result.best_score
    assert {"epoch", "model_state_dict", "optimizer_state_dict", "loss", "config"} <= set(best)


def test_the_same_seed_gives_the_same_bits(tmp_path: Path) -> None:
    (first, a), (second, b) = train(tmp_path / "a"), train(tmp_path / "b")
    assert first == second
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    case = Case(tmp_path / "run")
    case.state.model.frame_position.weight.data.fill_(torch.nan)  # type: ignore[operator]
    with pytest.raises(
        TrainingError, match=r"loss is nan at step 0 of epoch 1, video v\d, v\d\. Last good checkpoint: none"
    ):
        case.run()


def test_a_folder_with_a_run_in_it_is_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", {"epochs": 1}):
        (tmp_path / "run" / "checkpoint_last.tar").touch()
    with pytest.raises(
        ConfigError, match="holds another run; name a new folder, remove the old one, or go on with -resume_from"
    ):
        RunFolder(tmp_path / "run", {"epochs": 1})
    with RunFolder(tmp_path / "detector", {"epochs": 1}):
        (tmp_path / "detector" / "detector_best.pth").touch()
    # these cannot go on
    with pytest.raises(ConfigError, match=r"holds another run; name a new folder, remove the old one\.$"):
        RunFolder(tmp_path / "detector", {"epochs": 1})
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ConfigError, match="is a file"):
        RunFolder(tmp_path / "file", {})


def test_run_folders_are_named_by_data_model_mode_and_time() -> None:
    path = default_path("action_genome", "sttran", "predcls")
    assert path.parts[:2] == ("output", "action_genome")
    assert path.name.startswith("sttran_predcls_2")


def test_shuffling_depends_on_seed_and_epoch_alone() -> None:
    loader = ClipLoader(ToyVideos(), "predcls", batch_size=4, shuffle=True, seed=3)
    torch.manual_seed(5)
    assert sorted(loader.order(1)) == list(range(6))
    assert loader.order(1) == ClipLoader(ToyVideos(), "predcls", shuffle=True, seed=3).order(1)
    assert loader.order(1) != loader.order(2)
    seen = [video for batch in loader.batches(2) for video in batch.clip.video_ids]
    assert seen == [f"v{i}" for i in loader.order(2)]
    assert len(loader) == len(list(loader.batches(1))) == 2


def test_worker_processes_give_the_same_batches() -> None:
    alone = list(ClipLoader(ToyVideos(), "predcls", batch_size=2).batches())
    loader = ClipLoader(ToyVideos(), "predcls", batch_size=2, workers=2)
    for _ in range(2):  # workers live on between passes
        for a, b in zip(alone, loader.batches(), strict=True):
            assert a.clip.video_ids == b.clip.video_ids
            assert torch.equal(a.clip.pair_union, b.clip.pair_union)
            assert a.annotations == b.annotations


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_videos_stop_the_run_or_are_counted(workers: int) -> None:
    broken = ToyVideos(broken=("v2", "v4"))
    with pytest.raises(DataError, match=r"^v2 cannot be read$"):
        list(ClipLoader(broken, "predcls", workers=workers).batches())
    loader = ClipLoader(broken, "predcls", batch_size=2, workers=workers, skip_bad=True)
    assert [v for batch in loader.batches() for v in batch.clip.video_ids] == ["v0", "v1", "v3", "v5"]
    assert list(loader.skipped) == ["v2 cannot be read", "v4 cannot be read"]
    with pytest.raises(DataError, match="no video could be read"):
        list(ClipLoader(ToyVideos(1, broken=("v0",)), "predcls", skip_bad=True).batches())


def gradient_of(limit: float, scale: float) -> tuple[float, Any]:
    layer = torch.nn.Linear(3, 1, bias=False)
    layer.weight.grad = torch.full((1, 3), scale)
    return clip_gradients(layer.parameters(), limit).item(), layer.weight.grad


@pytest.mark.parametrize(("limit", "scale"), [(1.0, 2.0), (1.0, 0.1), (0.0, 50.0)], ids=["above", "below", "off"])
def test_clipping_equals_torchs(limit: float, scale: float) -> None:
    norm, gradient = gradient_of(limit, scale)
    layer = torch.nn.Linear(3, 1, bias=False)
    layer.weight.grad = torch.full((1, 3), scale)
    want = torch.nn.utils.clip_grad_norm_(layer.parameters(), limit or torch.inf)
    assert norm == pytest.approx(want.item())
    torch.testing.assert_close(gradient, layer.weight.grad)


@pytest.mark.parametrize(("rate", "text"), [(1e-4, "1e-4"), (2.963e-4, "2.96e-4"), (0.5, "5e-1"), (0.0, "0e0")])
def test_rates_are_written_as_people_write_them(rate: float, text: str) -> None:
    assert rate_text(rate) == text
