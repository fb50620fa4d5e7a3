"""Graphs of annotated videos whose names are no ordinary file names."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
from datasets.easg_files import write_easg, write_pickle

from vidsgg.cli import predict, train
from vidsgg.cli.main import run
from vidsgg.io.graphs import read_graph, write_graph

CLIPS = ("Kitchen", "kitchen", "nul", "two words.", "plain-1")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """EASG whose val clips have other names."""
    root = write_easg(tmp_path_factory.mktemp("easg"), clips=len(CLIPS), graphs=2)
    graphs = pickle.loads((root / "easg_val.pkl").read_bytes())
    old = sorted({uid.rpartition("_")[0] for uid in graphs})
    names = dict(zip(old, CLIPS, strict=True))
    write_pickle(
        root / "easg_val.pkl",
        {"_".join((names[uid.rpartition("_")[0]], uid.rpartition("_")[2])): g for uid, g in graphs.items()},
    )
    return root


def test_every_clip_has_files_of_its_own_inside_the_folder(data: Path, tmp_path: Path) -> None:
    trained, out = tmp_path / "run", tmp_path / "deep" / "out"
    assert run(train.main, ["-data_path", str(data), "-model", "frequency", "-save_path", str(trained)]) == 0
    before = everything_but(out, tmp_path)
    for clip in CLIPS:
        assert run(predict.main, ["-checkpoint", str(trained), "-video", clip, "-out", str(out)]) == 0
    graphs = sorted(out.glob("*.graph.json"))
    assert sorted(read_graph(path).video_id for path in graphs) == sorted(CLIPS)
    names = [path.name.lower() for path in out.iterdir()]
    assert len(set(names)) == len(names) == 2 * len(CLIPS)  # also where case does not count
    assert {"plain-1.graph.json", "plain-1.html"} <= set(names) and not any(name.startswith("nul.") for name in names)
    assert before == everything_but(out, tmp_path) - {out.parent}


def everything_but(out: Path, folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_relative_to(out)}


def test_the_graph_of_another_video_is_not_replaced(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(train.main, ["-data_path", str(data), "-model", "frequency", "-save_path", str(tmp_path / "run")]) == 0
    words = ["-checkpoint", str(tmp_path / "run"), "-video", "plain-1", "-out", str(tmp_path / "out")]
    assert run(predict.main, words) == run(predict.main, words) == 0  # its own is
    file = tmp_path / "out" / "plain-1.graph.json"
    foreign = replace(read_graph(file), video_id="plain-1.mp4")
    for content, message in (
        (None, "is not JSON.*-overwrite True"),
        (foreign, "is the graph of another video, 'plain-1.mp4'"),
    ):
        file.write_text("{", encoding="utf-8") if content is None else write_graph(file, content)
        before = file.read_bytes()
        capsys.readouterr()
        assert run(predict.main, words) == 2
        assert re.search(message, capsys.readouterr().err) and file.read_bytes() == before
    assert run(predict.main, [*words, "-overwrite", "True"]) == 0
    assert read_graph(file).video_id == "plain-1"
