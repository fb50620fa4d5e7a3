"""The GPU benchmark from end to end, on the CPU with networks of a few weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import gpu, gpu_checks
from benchmarks.gpu_rows import Row
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
    assert {row.part for row in rows if row.value is None} == {"goldens", "two processes"}
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


def test_unknown_parts_are_refused() -> None:
    with pytest.raises(ConfigError, match="option -parts: unknown 'speed'; there are resume"):
        gpu.main([*TINY, "none", "-parts", "speed"])
