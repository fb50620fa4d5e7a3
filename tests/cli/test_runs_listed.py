"""``vidsgg runs``: the list, and runs side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from recipes.test_history import ROWS, write_run

from vidsgg.cli import runs
from vidsgg.cli.main import run


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs under output/: a finished one, one of another kind that failed, and a damaged
    one."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "output"
    write_run(root / "easg" / "good", "best: Recall@20 25.00 after epoch 2\n", batch_size=2)
    write_run(root / "easg" / "diverged", "stopped by TrainingError: loss is nan at step 30\n", lr=0.00123456789)
    (write_run(root / "easg" / "broken") / "config.yaml").write_text("model:")
    return root


def test_the_list(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(runs.main, []) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "run"
    by_name = {line.split()[0]: line for line in lines}
    good = by_name[str(Path("easg", "good"))]
    for word in (
        "2026-11-22 10:00",
        "finished",
        "easg",
        "sttran",
        "predcls",
        "2/4",
        "Recall@20 25.00 (epoch 2)",
        "2m 15s",
        "batch_size=2",
    ):
        assert word in good
    assert "lr=0.001235" in by_name[str(Path("easg", "diverged"))]
    assert (
        lines[lines.index(by_name[str(Path("easg", "diverged"))]) + 1].strip()
        == "TrainingError: loss is nan at step 30"
    )
    assert "damaged" in by_name[str(Path("easg", "broken"))]


def test_the_list_as_json(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(runs.main, ["output", "-json"]) == 0
    listed = {Path(one["path"]).name: one for one in json.loads(capsys.readouterr().out)}
    assert listed["good"]["best_score"] == 0.25
    assert listed["good"]["started"] == "2026-11-22 10:00:00"
    assert listed["good"]["options"]["hidden_dim"] == 512
    assert listed["broken"]["state"] == "damaged"


def test_no_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(runs.main, [str(tmp_path)]) == 0
    assert "no runs in" in capsys.readouterr().out
    assert run(runs.main, [str(tmp_path / "nowhere")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_runs_side_by_side(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(runs.main, ["compare", "good", str(output / "easg" / "diverged"), "-out", "a/curves.png"]) == 0
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert lines["-batch_size"] == ["2", "1"]
    assert lines["-lr"] == ["0.0003", "0.00123456789"]
    assert "-epochs" not in lines  # the same in both
    assert lines["state"] == ["finished", "failed"]
    assert lines["highest"][-2:] == ["12.50", "12.50"]
    with Image.open("a/curves.png") as picture:
        assert picture.width > picture.height


def test_runs_of_different_models_side_by_side(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frequency = write_run(output / "easg" / "frequency", "best: Recall@20 25.00\n", ROWS[-3:])
    text = "".join(
        f"{name}: {value}\n"
        for name, value in {"model": "frequency", "mode": "predcls", "epochs": 1, "lr": 0.0001}.items()
    )
    (frequency / "config.yaml").write_text(text)
    write_run(output / "easg" / "narrow", "best: Recall@20 25.00\n", hidden_dim=8)
    assert run(runs.main, ["compare", "narrow", "frequency"]) == 0
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert lines["-model"] == ["sttran", "frequency"]
    assert lines["-hidden_dim"] == ["8", "–"]
    assert "-dropout" not in lines  # one has none, the other the default


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["compare", "good"], "two or more runs are needed"),
        (["compare"], "the following arguments are required: runs"),
        (["compare", "good", "goood"], "did you mean 'good'"),
        (["compare", "good", "broken"], "cannot be compared: config.yaml is not the whole configuration"),
        (["-jsn"], "did you mean 'json'"),
    ],
)
def test_wrong_words(output: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert run(runs.main, argv) == 2
    assert message in capsys.readouterr().err


def test_listing_needs_no_torch(output: Path) -> None:
    code = "import sys; from vidsgg.cli.main import main; assert main(['runs']) == 0; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
