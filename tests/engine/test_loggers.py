"""Who is told of a run's numbers: by name, by a class of the user's, or nobody."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vidsgg.engine.gpu import GpuMeter
from vidsgg.engine.loggers import find_logger
from vidsgg.engine.run_folder import RunFolder
from vidsgg.errors import ConfigError


class Heard:
    """A logger of the user's; what it is told lands in ``told``."""

    told: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, folder: Path, config: Mapping[str, Any], *, goes_on_after: int | None) -> None:
        self.told.append(("opened", folder.name, dict(config), goes_on_after))

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None:
        self.told.append(("scalars", dict(values), epoch, step))

    def histograms(self, values: Mapping[str, torch.Tensor], *, epoch: int, step: int) -> None:
        self.told.append(("histograms", list(values), epoch, step))

    def flush(self) -> None:
        self.told.append(("flush",))

    def close(self) -> None:
        self.told.append(("close",))


class Silent:
    """Not a logger: it cannot be told anything but scalars."""

    def scalars(self) -> None: ...


def use(run: RunFolder) -> None:
    run.scalars({"train/loss/total": 0.5}, epoch=1, step=3)
    run.histograms({"weights/a": torch.ones(4, dtype=torch.bfloat16)}, epoch=1, step=3)
    run.flush()


def test_a_class_of_ones_own_is_told_everything(tmp_path: Path) -> None:
    Heard.told.clear()
    with RunFolder(tmp_path / "run", {"lr": 1e-3}, logger=find_logger(f"{__name__}:Heard"), echo=False) as run:
        use(run)
    assert Heard.told == [
        ("opened", "run", {"lr": 1e-3}, None),
        ("scalars", {"train/loss/total": 0.5}, 1, 3),
        ("histograms", ["weights/a"], 1, 3),
        ("flush",),
        ("close",),
    ]


def test_tensorboard_is_told_and_forgets_steps_that_are_done_again(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", {}, logger=find_logger("tensorboard"), echo=False) as run:
        use(run)
        run.scalars({"train/loss/total": 9.0}, epoch=2, step=6)
    with RunFolder(tmp_path / "run", {}, goes_on_after=3, logger=find_logger("tensorboard"), echo=False) as run:
        run.scalars({"train/loss/total": 0.25}, epoch=2, step=6)
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss/total")] == [(3, 0.5), (6, 0.25)]
    assert events.Tags()["histograms"] == ["weights/a"]


def test_without_a_logger_the_scalars_are_kept_all_the_same(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", {}, logger=find_logger("none"), echo=False) as run:
        use(run)
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["epoch", "step", "name", "value"], ["1", "3", "train/loss/total", "0.5"]]
    assert not list((tmp_path / "run").glob("events.*"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tensorbord", "did you mean 'tensorboard'"),
        ("nowhere.at_all:Class", "No module named 'nowhere"),
        (f"{__name__}:Nobody", "has no attribute 'Nobody'"),
        (f"{__name__}:Silent", "has no method histograms, flush, close"),
    ],
)
def test_loggers_that_there_are_not(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match="option -logger") as caught:
        find_logger(name)
    assert message in str(caught.value)


def test_wandb_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(ConfigError, match="pip install wandb"):
        find_logger("wandb")


def test_a_logger_that_cannot_start_leaves_no_run_behind(tmp_path: Path) -> None:
    def fails(folder: Path, config: Mapping[str, Any], *, goes_on_after: int | None) -> Any:
        raise ConfigError("no account")

    with pytest.raises(ConfigError, match="no account"):
        RunFolder(tmp_path / "run", {}, logger=fails)
    # neither locked nor taken for a run
    with RunFolder(tmp_path / "run", {}, logger=find_logger("none"), echo=False) as run:
        use(run)


def test_on_a_cpu_there_is_no_gpu_to_measure() -> None:
    meter = GpuMeter(torch.device("cpu"))
    meter.sample()
    assert (meter.note, meter.scalars()) == ("", {})


@pytest.fixture
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """CUDA's own functions as they would answer: memory in bytes, and percentages of use from the
    list (none: the library is missing)."""
    percentages: list[float] = []

    def utilization(device: torch.device) -> float:
        if not percentages:
            raise ModuleNotFoundError("nvidia-ml-py does not seem to be installed")
        return percentages.pop(0)

    monkeypatch.setattr(torch.cuda, "utilization", utilization)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 2_000_000_000)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 3_000_000_000)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    return percentages


def test_utilisation_is_the_mean_of_its_samples(pretended_gpu: list[float]) -> None:
    pretended_gpu += [0, 50, 100]
    meter = GpuMeter(torch.device("cuda"))
    meter.sample()
    meter.sample()
    assert meter.note == ""
    assert meter.scalars() == {"gpu/memory_peak_gb": 2.0, "gpu/memory_reserved_gb": 3.0, "gpu/utilisation": 0.75}
    assert "gpu/utilisation" not in meter.scalars()  # nothing was sampled since


def test_utilisation_that_cannot_be_measured_is_said_once(pretended_gpu: list[float]) -> None:
    meter = GpuMeter(torch.device("cuda"))
    meter.sample()
    assert meter.note == "GPU utilisation is not measured: install NVIDIA's library with: pip install nvidia-ml-py"
    assert meter.scalars() == {"gpu/memory_peak_gb": 2.0, "gpu/memory_reserved_gb": 3.0}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_memory_is_measured() -> None:
    meter = GpuMeter(torch.device("cuda"))
    meter.scalars()
    held = torch.empty(100_000_000, dtype=torch.uint8, device="cuda")
    meter.sample()
    values = meter.scalars()
    assert values["gpu/memory_peak_gb"] >= held.numel() / 1e9
    assert values["gpu/memory_reserved_gb"] >= values["gpu/memory_peak_gb"]
    assert ("gpu/utilisation" in values) != bool(meter.note)
