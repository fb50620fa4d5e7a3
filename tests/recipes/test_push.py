"""``vidsgg push`` and ``hf://``: against a server on this machine, and without any."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from detectors.tiny import sighted_set
from hub_server import Hub, local_hub
from numbered_video import write as write_video

import vidsgg
from vidsgg.app.checkpoints import Checkpoints
from vidsgg.cli.main import main
from vidsgg.engine.checkpoint import SHARED
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.io.graphs import read_graph

TINY = "-hidden_dim 8 -temporal_layer 1 -embedding_dim 4 -feedforward_dim 8 -num_workers 0 -device cpu -logger none"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored run of sgdet, whose detector lies in the data folder."""
    home = tmp_path_factory.mktemp("trained")
    data = sighted_set(home / "data")
    train = ["train", "-mode", "sgdet", "-data_path", str(data), "-save_path", str(home / "run"), "-epochs", "1"]
    assert main([*train, *TINY.split()]) == 0
    assert main(["evaluate", "-checkpoint", str(home / "run"), "-charts", "False", "-num_workers", "0"]) == 0
    return home / "run"


@pytest.fixture(scope="module")
def shared(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is pushed, in a place from which nothing of the run can be reached."""
    folder = tmp_path_factory.mktemp("elsewhere") / "shared"
    assert main(["push", str(run), "-license", "mit", "-dry-run", "-o", str(folder)]) == 0
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    constants = pytest.importorskip("huggingface_hub.constants")
    with local_hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_local")
        yield server


def test_the_folder_works_anywhere_and_names_nothing_of_this_machine(run: Path, shared: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", frames=12, gop=6)
    lone = shutil.copytree(shared, tmp_path / "copied" / "model")
    here, there = (vidsgg.load(path, device="cpu") for path in (run, lone))
    graphs = [model.predict(tmp_path / "film.mp4", fps=2) for model in (here, there)]
    assert graphs[0].frames and graphs[0].frames == graphs[1].frames and graphs[0].relations == graphs[1].relations
    (choice,) = Checkpoints([str(lone.parent)])()
    assert choice.problem is None and choice.detector == "faster-rcnn-c4", "the app can use it"
    assert main(["evaluate", "-checkpoint", str(lone), "-data_path", str(run.parent / "data"), "-charts", "False"]) == 0
    for file in shared.iterdir():
        content = file.read_bytes()
        assert str(run.parent).encode() not in content and str(Path.cwd()).encode() not in content, file.name
        assert file.suffix in (".safetensors", ".json", ".md") and not content.startswith((b"PK", b"\x80")), "no pickle"
    card = (shared / "README.md").read_text(encoding="utf-8")
    scores = json.loads((run / "evaluation_test.json").read_text(encoding="utf-8"))
    assert card.startswith("---\nlicense: mit\nlibrary_name: vidsgg\n") and "R@K = share of" in card
    assert f"| with | {100 * scores['recall']['with']['R']['10']:.2f} |" in card


def test_pushed_and_loaded(
    run: Path, hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["push", str(run), "lab/sttran", "-license", "apache-2.0"]) == 0
    assert capsys.readouterr().out == f"{hub.address}/lab/sttran\n"
    assert set(hub.files["lab/sttran"]) >= {SHARED, "detector.safetensors", "README.md", "schema.json", "metrics.json"}
    hub.files["lab/sttran"]["evil.py"] = b"raise SystemExit(1)"
    hub.files["lab/sttran"]["pytorch_model.bin"] = b"\x80\x04."
    model = vidsgg.load("hf://lab/sttran", device="cpu")
    own = vidsgg.load(run, device="cpu")
    weights = model.run.checkpoint.weights
    assert all(torch.equal(weights[name], value) for name, value in own.run.checkpoint.weights.items())
    assert not [line for line in hub.asked if "evil" in line or "pytorch_model" in line], "only what is ours is fetched"
    write_video(tmp_path / "film.mp4", frames=12, gop=6)
    line = ["predict", "film.mp4", "-checkpoint", "hf://lab/sttran", "-o", "graphs", "-device", "cpu", "-fps", "1"]
    assert main(line) == 0
    assert read_graph(tmp_path / "graphs" / "film.graph.json").frames
    # The library's own offline mode: the cache alone, nobody is asked.
    asked = len(hub.asked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert vidsgg.load("hf://lab/sttran", device="cpu").predict("film.mp4", fps=1).frames
    with pytest.raises(ConfigError, match="hf://lab/other is not in the cache"):
        vidsgg.load("hf://lab/other")
    assert len(hub.asked) == asked


def test_without_a_network_the_cache_answers(run: Path, hub: Hub, monkeypatch: Any, capsys: Any) -> None:
    assert main(["push", str(run), "lab/m", "-license", "mit"]) == 0
    assert vidsgg.load("hf://lab/m").mode == "sgdet"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")  # where nobody answers
    capsys.readouterr()
    assert vidsgg.load("hf://lab/m").mode == "sgdet"
    assert "the hub cannot be reached; the copy in the cache is used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["lab/m"], "option -license is required: under which licence may others use the model?"),
        (["lab/m", "-license", "My Own"], "is no short name of a licence"),
        (["-license", "mit"], "name the repository, ORG/NAME"),
        (["lab", "-license", "mit"], "'lab' is no name on the hub"),
        (["-license", "mit", "-dry_run"], "name the folder to write with -out"),
    ],
)
def test_what_cannot_be_pushed_is_said(argv: list[str], message: str, run: Path, capsys: Any) -> None:
    assert main(["push", str(run), *argv]) == 2
    assert message in capsys.readouterr().err


def test_hostile_repositories(run: Path, shared: Path, hub: Hub, tmp_path: Path, monkeypatch: Any) -> None:
    files = {path.name: path.read_bytes() for path in shared.iterdir()}
    hub.files["a/code"] = {"pytorch_model.bin": b"\x80\x04."}
    with pytest.raises(ConfigError, match=r"hf://a/code holds no model\.safetensors"):
        vidsgg.load("hf://a/code")
    hub.files["a/large"], hub.sizes = files, {SHARED: 1 << 40}
    with pytest.raises(ConfigError, match=r"has 1,099,511,627,776 bytes; at most"):
        vidsgg.load("hf://a/large")
    hub.sizes = {}
    hub.files["a/damaged"] = {**files, SHARED: files[SHARED][:-8] + b"\xff" * 8}
    with pytest.raises(CheckpointError, match="wrong checksum"):
        vidsgg.load("hf://a/damaged")
    hub.files["a/pickle"] = {**files, SHARED: (run / "checkpoint_best.tar").read_bytes()}
    with pytest.raises(CheckpointError, match="no model of vidsgg that can be read"):
        vidsgg.load("hf://a/pickle")
    with pytest.raises(ConfigError, match=r"hf://a/nobody is not there"):
        vidsgg.load("hf://a/nobody")
    with pytest.raises(ConfigError, match="is no address on the hub"):
        vidsgg.load("hf://nobody")


def test_a_full_folder_is_left_alone(run: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["push", str(run), "-license", "mit", "-dry_run", "-out", str(tmp_path)]) == 2
    assert "is not empty; name a new folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"pip install 'vidsgg\[hub\]'"):
        vidsgg.load("hf://a/b")
