"""A package of its own with a method, a data set format, a detector and an export format:
installed, then used like built-in ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import vidsgg
from vidsgg.cli import compare, evaluate, export, features, models, predict, train, train_detector, view
from vidsgg.cli.data import check
from vidsgg.cli.main import run
from vidsgg.datasets.registry import FORMATS as DATASETS
from vidsgg.detectors.registry import ARCHITECTURES
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.io.exporters.formats import FORMATS as EXPORTERS
from vidsgg.io.graphs import read_graph
from vidsgg.methods.registry import METHODS

HERE = Path(__file__).parent
REGISTRIES = (METHODS, DATASETS, ARCHITECTURES, EXPORTERS)
QUICK = ["-num_workers", "0", "-device", "cpu", "-warmup_steps", "2", "-eval_freq", "4"]


def forget() -> None:
    """Registries look once at what is installed."""
    for registry in REGISTRIES:
        vars(registry).pop("_installed", None)
        registry._found.clear()
        registry._admitted.clear()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The package as an installer leaves it, from its pyproject.toml and without a network."""
    folder = tmp_path_factory.mktemp("site")
    about = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = about["name"].replace("-", "_")
    shutil.copytree(HERE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    info = folder / f"{name}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n", encoding="utf-8"
    )
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in points.items())
        for group, points in about["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    sys.path.insert(0, str(folder))
    forget()
    yield folder
    sys.path.remove(str(folder))
    forget()
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


@pytest.fixture(scope="module")
def data(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from vidsgg_blocks.make import make

    return make(tmp_path_factory.mktemp("data") / "blocks")


@pytest.fixture(scope="module")
def predcls(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose detector is named as code."""
    path = tmp_path_factory.mktemp("runs") / "predcls"
    words = [
        "-data_path",
        str(data),
        "-model",
        "nearness",
        "-mode",
        "predcls",
        "-steps",
        "2",
        "-save_freq",
        "2",
        "-epochs",
        "4",
    ]
    assert (
        run(train.main, [*words, "-detector", "vidsgg_blocks.detector:ColourDetector", "-save_path", str(path), *QUICK])
        == 0
    )
    return path


@pytest.fixture(scope="module")
def sgdet(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "sgdet"
    words = ["-data_path", str(data), "-model", "nearness", "-mode", "sgdet", "-detector", "colours", "-epochs", "4"]
    assert run(train.main, [*words, "-save_path", str(path), *QUICK]) == 0
    return path


def test_the_page_shows_these_files() -> None:
    page = (HERE.parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"literalinclude\} \.\./tests/plugins/(\S+)", page))
    package = {path.relative_to(HERE).as_posix() for path in (HERE / "vidsgg_blocks").glob("*.py")}
    assert shown == {"pyproject.toml", *package} - {"vidsgg_blocks/__init__.py"}


def test_installed_things_are_listed(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(models.main, []) == 0
    assert "nearness" in "".join(capsys.readouterr())
    for words in (["-model", "nearness", "-help-all"], ["-help-all"]):
        with pytest.raises(SystemExit):
            train.main(words)
    said = " ".join("".join(capsys.readouterr()).split())
    assert "times that a pair looks at the other pairs of its frame" in said and "nearness" in said.split("usage:")[2]
    assert run(train.main, ["-model", "sttran", "-steps", "2"]) == 2
    assert "option -steps belongs to nearness, not to model 'sttran'" in capsys.readouterr().err


def test_another_process_finds_them(site: Path) -> None:
    paths = [str(site), *(path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    words = [sys.executable, "-m", "vidsgg", "export", "-h"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert "sentences    a line for every relation that lasts" in done.stdout, done.stderr


def test_the_data_set_is_checked(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(check.main, ["-data_path", str(data)]) == 0
    said = "".join(capsys.readouterr())
    assert "Blocks at" in said and "train split: 9 videos with 45 frames and 180 pairs" in said
    damaged = shutil.copytree(data, tmp_path / "damaged")
    content = json.loads((damaged / "blocks.json").read_text(encoding="utf-8"))
    content["videos"][0]["frames"][0]["relations"][0]["object"] = 7
    (damaged / "blocks.json").write_text(json.dumps(content), encoding="utf-8")
    (damaged / "v01" / "2.png").unlink()
    assert run(check.main, ["-data_path", str(damaged)]) == 1
    said = "".join(capsys.readouterr())
    assert (
        "error: train video that contradicts itself (1)" in said and "error: train frame without a picture (1)" in said
    )
    assert run(check.main, ["-data_path", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "did you mean" in said and "damaged" in said


def test_a_run_goes_on_with_the_same_numbers(predcls: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-resume_from", str(predcls / "checkpoint_epoch_2.tar"), "-save_path", str(tmp_path / "again")]
    assert run(train.main, words) == 2
    assert "option -detector: " in capsys.readouterr().err  # a checkpoint does not choose code
    assert run(train.main, [*words, "-detector", "vidsgg_blocks.detector:ColourDetector"]) == 0
    one, other = (
        torch.load(path / "checkpoint_final.tar", weights_only=True) for path in (predcls, tmp_path / "again")
    )
    mine, theirs = one["model_state_dict"], other["model_state_dict"]
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_runs_are_scored_and_compared(
    data: Path, predcls: Path, sgdet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score = ["-charts", "False", "-device", "cpu", "-num_workers", "0"]
    assert run(evaluate.main, ["-checkpoint", str(predcls), *score]) == 2
    assert "give -detector vidsgg_blocks.detector:ColourDetector" in capsys.readouterr().err
    assert run(evaluate.main, ["-checkpoint", str(predcls), "-detector", "colours", *score]) == 0
    assert "nearness, predcls" in "".join(capsys.readouterr())
    assert run(evaluate.main, ["-checkpoint", str(sgdet), *score]) == 0
    words = ["-data_path", str(data), "-model", "frequency", "-mode", "sgdet", "-detector", "colours", *QUICK[:4]]
    assert run(train.main, [*words, "-save_path", str(tmp_path / "frequency")]) == 0
    assert run(compare.main, [str(sgdet), str(tmp_path / "frequency"), "-out", str(tmp_path / "both"), *score]) == 0
    assert "sgdet" in "".join(capsys.readouterr()) and (tmp_path / "both" / "comparison.csv").is_file()


def film(data: Path, path: Path) -> Path:
    """The pictures of a test video as a film."""
    from vidsgg.io.images import read_image

    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 96, 64, "yuv420p", 4_000_000
        for number in range(1, 6):
            picture = np.array(read_image(data / "v03" / f"{number}.png"))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode())
    return path


def test_a_plain_video_gets_a_graph_with_two_subjects(data: Path, sgdet: Path, tmp_path: Path) -> None:
    video, out = film(data, tmp_path / "film.mp4"), tmp_path / "graphs"
    assert (
        run(predict.main, [str(video), str(data / "v07"), "-checkpoint", str(sgdet), "-o", str(out), "-device", "cpu"])
        == 0
    )
    graph = read_graph(out / "film.graph.json")
    assert len(graph.frames) == 5 and graph.dataset == "blocks"
    subjects = {frame.nodes[edge.subject].label for frame in graph.frames for edge in frame.edges}
    assert subjects == {"robot", "child"}
    assert {edge.predicate for frame in graph.frames for edge in frame.edges} <= {
        "near",
        "far",
        "left_of",
        "right_of",
        "above",
        "below",
    }
    assert run(view.main, [str(out / "film.graph.json"), "-o", str(tmp_path / "page"), "-video", str(video)]) == 0
    (page,) = (tmp_path / "page").rglob("*.html")
    assert "robot" in page.read_text(encoding="utf-8")
    for form in ("sentences", "vidsgg_blocks.exporter:SENTENCES", "coco", "vidvrd", "csv"):
        place = tmp_path / f"{form.replace(':', '.')}.out"
        assert run(export.main, [str(out / "film.graph.json"), "-format", form, "-o", str(place)]) == 0
    lines = (tmp_path / "sentences.out" / "film.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(graph.relations) > 0 and all(line.startswith(("robot ", "child ")) for line in lines)


def test_a_video_of_the_data_set_gets_a_graph_and_a_page(sgdet: Path, tmp_path: Path) -> None:
    assert run(predict.main, ["-checkpoint", str(sgdet), "-video", "v07", "-o", str(tmp_path), "-device", "cpu"]) == 0
    assert (tmp_path / "v07.graph.json").is_file() and (tmp_path / "v07.html").is_file()


def test_features_are_stored_and_read(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-data_path", str(data), "-mode", "sgcls", "-model", "nearness", "-detector", "colours"]
    out = str(tmp_path / "features")
    assert run(features.main, [*words, "-out", out, "-device", "cpu", "-num_workers", "1"]) == 0
    assert run(train.main, [*words, "-features", out, "-epochs", "1", "-save_path", str(tmp_path / "run"), *QUICK]) == 0
    assert f"float16 from {out}, by colours" in "".join(capsys.readouterr())


def test_a_built_in_model_reads_several_subjects_too(data: Path, tmp_path: Path) -> None:
    words = ["-data_path", str(data), "-model", "sttran", "-mode", "sgdet", "-detector", "colours", "-epochs", "1"]
    small = ["-hidden_dim", "8", "-embedding_dim", "4", "-heads", "2", "-temporal_layer", "1"]
    assert run(train.main, [*words, *small, "-save_path", str(tmp_path / "run"), *QUICK]) == 0


def test_code_that_is_not_installed_is_taken_from_the_user(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, model = tmp_path / "run", "vidsgg_blocks.method:METHOD"
    words = [
        "-data_path",
        str(data),
        "-mode",
        "sgdet",
        "-detector",
        "colours",
        "-epochs",
        "1",
        "-save_path",
        str(path),
        *QUICK,
    ]
    assert run(train.main, [*words, "-model", model, "-steps", "0"]) == 0
    METHODS._admitted.clear()
    score = ["-checkpoint", str(path), "-charts", "False", "-device", "cpu", "-num_workers", "0"]
    assert run(evaluate.main, score) == 2
    assert f"name it yourself: -model {model}" in capsys.readouterr().err
    assert run(predict.main, [str(data / "v07"), "-checkpoint", str(path), "-o", str(tmp_path / "out")]) == 2
    assert run(evaluate.main, [*score, "-model", model]) == 0
    METHODS._admitted.clear()
    assert (
        run(predict.main, [str(data / "v07"), "-checkpoint", str(path), "-o", str(tmp_path / "out"), "-model", model])
        == 0
    )
    METHODS._admitted.clear()


def test_the_same_in_python(data: Path, tmp_path: Path) -> None:
    options = {
        "data_path": str(data),
        "mode": "sgdet",
        "detector": "colours",
        "width": 8,
        "num_workers": 0,
        "device": "cpu",
    }
    for number, name in enumerate(("nearness", "vidsgg_blocks.method:METHOD")):
        trained = vidsgg.train(model=name, save_path=str(tmp_path / str(number)), epochs=1, **options)
        METHODS._admitted.clear()
        model = vidsgg.load(trained.path, device="cpu", method=name)
        graph = model.predict(data / "v07")
        assert {node.label for frame in graph.frames for node in frame.nodes} >= {"robot", "child"}
        assert 0 <= vidsgg.evaluate(model, vidsgg.open_dataset(data, "test", "sgdet")).value("with", 20) <= 1
    METHODS._admitted.clear()
    with pytest.raises(CheckpointError, match=r"name it yourself: -model vidsgg_blocks\.method:METHOD"):
        vidsgg.load(tmp_path / "1")
    with pytest.raises(ConfigError, match=r"unknown model 'nearnes'.*did you mean 'nearness'"):
        vidsgg.train(model="nearnes")


def test_a_detector_without_weights_cannot_be_trained(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["-data_path", str(data), "-save_path", str(tmp_path / "run"), "-device", "cpu"]
    assert run(train_detector.main, ["-detector", "colours", "-pretrained", "none", *words]) == 2
    assert "colours" in capsys.readouterr().err
