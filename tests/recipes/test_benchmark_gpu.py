"""The GPU benchmark from end to end, on the CPU with networks of a few weights."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import distributed, gpu, gpu_checks, gpu_speed
from benchmarks.gpu_rows import MIB, Machine, Row
from vidsgg.errors import ConfigError

TINY = ["-device", "cpu", "-tiny", "-compile_backend"]


def test_every_part_is_measured_or_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gpu.json"
    assert gpu.main([*TINY, "none", "-detectors", "c4-resnet101", "-json", str(file)]) == 0
    table, _, printed = capsys.readouterr().out.partition("\n```json\n")
    told = json.loads(file.read_text(encoding="utf-8"))
    assert json.loads(printed.removesuffix("```\n")) == told
    rows = [Row(**row) for row in told["rows"]]
    assert table.splitlines()[2:] == [row.line() for row in rows]
    assert list(dict.fromkeys(row.part for row in rows)) == list(gpu.PARTS)
    assert all(row.remark.startswith("skipped: ") for row in rows if row.value is None)
    lacking = {(row.part, row.setting) for row in rows if row.value is None}
    assert lacking - {("extraction", "bf16")} == {("goldens", "fp32"), ("two processes", "fp32")}
    assert {(row.setting, row.batch) for row in rows if row.part == "training"} == {
        (setting, batch) for setting in ("fp32", "autocast", "O2") for batch in (1, 4)
    }


def test_a_check_that_fails_fails_the_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_checks, "largest", lambda ours, other: 2e-3)
    assert gpu.main([*TINY, "none", "-parts", "as on the CPU"]) == 1
    assert "FAILED: at most 0.001 is allowed" in capsys.readouterr().out


def test_parts_that_begin_too_late_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu.Machine, "over", lambda machine: True)
    assert gpu.main([*TINY, "none", "-parts", "engine", "-limit", "7"]) == 0
    assert (
        "| engine | all |  |  |  |  |  | skipped: 7 s are over; ask for it with -parts 'engine' |"
        in capsys.readouterr().out
    )


def test_a_part_that_breaks_fails_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*given: object) -> None:
        raise RuntimeError("no kernel image\nfor this device")

    monkeypatch.setattr(gpu_speed.engine, "overhead", broken)
    assert gpu.main([*TINY, "none", "-parts", "engine,evaluation"]) == 1
    said = capsys.readouterr()
    assert "| engine | the rest |  |  |  |  |  | FAILED: RuntimeError: no kernel image |" in said.out
    assert "| evaluation | STTran from a store |" in said.out and "Traceback" in said.err


def test_unknown_parts_are_refused() -> None:
    with pytest.raises(ConfigError, match="option -parts: unknown 'speed'; there are resume"):
        gpu.main([*TINY, "none", "-parts", "speed"])


def test_on_a_gpu_memory_is_measured_and_work_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.cuda is replaced: no GPU is needed."""
    called: list[str] = []
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda *device, name=name: called.append(name))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 3 * MIB)
    machine = Machine(torch.device("cuda"), 0.0, 9.0)
    rate, peak = machine.rate(lambda: called.append("work") or 5)
    assert rate > 0 and peak == 3
    assert called[:4] == ["empty_cache", "reset_peak_memory_stats", "work", "synchronize"]
    assert called.count("work") == 3 and called[-1] == "synchronize"


def test_two_gpus_are_compared_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(processes: int, videos: int, steps: int, device: str) -> dict[str, list[float]]:
        assert (videos, device) == (8, "cuda")
        return {"steps": [0.4] * steps if processes == 1 else [0.25] * steps}

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(distributed, "started", started)
    rows = list(gpu_speed.two_processes(Machine(torch.device("cuda"), 0.0, 9.0), gpu_speed.TINY))
    assert [(row.value, row.unit) for row in rows] == [(400, "ms/step"), (250, "ms/step"), (80, "%")]


@pytest.mark.parametrize(("off", "failed"), [(5.0, False), (20.0, True)])
def test_recorded_numbers_are_compared_within_a_tolerance(off: float, failed: bool) -> None:
    """off: in tolerances."""
    recorded: Any = SimpleNamespace(
        CASES=[{"id": "a", "enc": 1, "dec": 1, "kind": "k"}],
        TOLERANCE={"rtol": 0.0, "atol": 1e-3},
        OUTPUTS={"k": lambda model, case: {"y": model(torch.ones(2))}},
        model_of=lambda enc, dec, mode: torch.nn.Identity(),
    )
    (row,) = gpu_checks.golden_rows(
        Machine(torch.device("cpu"), 0.0, 9.0),
        Row("goldens", ""),
        recorded,
        lambda case: {"y": torch.ones(2).numpy() + off * 1e-3},
    )
    assert row.what == "STTran, a" and row.failed is failed
    assert row.value == pytest.approx(off, rel=1e-3)
