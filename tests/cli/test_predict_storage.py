"""``vidsgg predict`` from object storage to object storage, stopped and called again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from buckets import KEYS, Buckets, upload
from detectors.onnx_files import write_network
from numbered_video import write

from vidsgg.cli.main import main
from vidsgg.io.graphs import read_graph
from vidsgg.io.locations import RemotePath
from vidsgg.recipes.predict_video import _Predictor

WORDS = ["-device", "cpu", "-fps", "5"]


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A person who holds a cup, whatever the picture; as options."""
    folder = tmp_path_factory.mktemp("detector")
    rows = np.array([[20, 5, 60, 62, 0.9, 0], [34, 26, 42, 36, 0.8, 1]], np.float32)
    network = write_network(folder / "a.onnx", {"detections": rows}, names=["someone", "mug"])
    (folder / "map.yaml").write_text("someone: person\nmug: cup/glass/bottle\n")
    return ["-detector", str(network), "-label_map", str(folder / "map.yaml"), *WORDS]


@pytest.fixture(scope="module")
def films(buckets: Buckets, tmp_path_factory: pytest.TempPathFactory) -> RemotePath:
    folder, here = buckets.new() / "films", tmp_path_factory.mktemp("films")
    for name in ("a", "b", "c"):
        upload(write(here / f"{name}.mp4", frames=ord(name) - 60), folder)
    return folder


def test_a_killed_call_goes_on_where_it_was(
    buckets: Buckets, films: RemotePath, detector: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = buckets.new() / "graphs"
    words = ["predict", str(films), *detector, "-o", str(out)]
    process = subprocess.Popen([sys.executable, "-m", "vidsgg", *words], stdout=subprocess.DEVNULL, env=os.environ)
    ended = time.monotonic() + 120
    while not list(out.iterdir()) and process.poll() is None and time.monotonic() < ended:
        time.sleep(0.01)
    process.kill()
    process.wait()
    before = {path.name for path in out.iterdir()}
    assert before and before < {"a.graph.json", "b.graph.json", "c.graph.json"}
    assert main(words) == 0
    told = capsys.readouterr()
    assert told.out.count("is there already") == len(before)
    assert f"{films}/c.mp4: " in told.out and f"-> {out}/c.graph.json" in told.out
    for name in ("a", "b", "c"):
        graph = read_graph(out / f"{name}.graph.json")
        assert graph.video is not None and graph.video.digest.startswith("sha256-sparse:")
        assert graph.made_by is not None and graph.made_by.source == f"{films}/{name}.mp4"
        assert ("person", "holding", "cup/glass/bottle") in {
            (r.subject, r.predicate, r.object) for r in graph.relations
        }
    secret = KEYS["AWS_SECRET_ACCESS_KEY"]
    assert secret not in told.out + told.err and secret not in (out / "c.graph.json").read_bytes().decode()


def test_the_page_of_such_a_graph(
    buckets: Buckets, films: RemotePath, detector: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    near, far = films.parent / "graphs", tmp_path / "graphs"
    assert main(["predict", f"{films}/a.mp4", *detector, "-o", str(near)]) == 0
    assert main(["predict", f"{films}/a.mp4", *detector, "-o", str(far)]) == 0
    capsys.readouterr()
    assert main(["view", str(near / "a.graph.json"), "-o", str(tmp_path)]) == 0
    assert "no pictures" not in capsys.readouterr().out and (tmp_path / "a.html").is_file()
    assert main(["view", str(far / "a.graph.json")]) == 0
    assert f"The video is {films}/a.mp4. A page opens no address that only a file names" in capsys.readouterr().out
    assert main(["view", str(far / "a.graph.json"), "-video", f"{films}/a.mp4", "-sheet", "True"]) == 0
    assert "no pictures" not in capsys.readouterr().out
    assert main(["export", str(near), "-format", "csv", "-out", str(tmp_path / "a.csv")]) == 0


@pytest.mark.parametrize("where", ["here", "there"])
def test_calls_at_one_moment_replace_no_graph_of_another_video(
    where: str,
    buckets: Buckets,
    films: RemotePath,
    detector: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other" / "a.mp4", frames=8)
    out = tmp_path / "graphs" if where == "here" else buckets.new() / "graphs"
    write_it, meanwhile = _Predictor._write, list[str]()

    def slowly(self: _Predictor, *given: Any) -> tuple[int, int]:
        if meanwhile:
            assert main(["predict", meanwhile.pop(), *detector, "-o", str(out)]) == 0
        return write_it(self, *given)

    monkeypatch.setattr(_Predictor, "_write", slowly)
    meanwhile.append(f"{films}/a.mp4")
    assert main(["predict", str(other), *detector, "-o", str(out)]) == 2
    assert f"another call has written {out}/a.graph.json meanwhile" in "".join(capsys.readouterr())
    source = read_graph(out / "a.graph.json").made_by
    assert source is not None and source.source == f"{films}/a.mp4"
    meanwhile.append(f"{films}/b.mp4")
    assert main(["predict", f"{films}/b.mp4", *detector, "-o", str(out)]) == 0
    assert "another call wrote its graph meanwhile, which stays" in capsys.readouterr().out
    assert main(["predict", str(other), *detector, "-o", str(out)]) == 0
    assert len(list(out.iterdir())) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["predict", "s3://none-such/a.mp4"], "option -videos: s3://none-such/a.mp4: there is no such file or folder."),
        (["predict", "{films}/x.mp4"], "x.mp4: there is no such file or folder."),
        (["predict", "ftp://host/a.mp4"], "option -videos: ftp://host/a.mp4: no storage is called ftp://"),
        (["predict", "s3://me:word@films/a.mp4"], "s3://***@films/a.mp4: credentials in an address"),
        (["predict", "{films}/a.mp4", "-o", "s3://none-such/x"], "there is no bucket s3://none-such."),
        (["predict", "{films}/a.mp4", "-o", "hf://datasets/me/mine"], "hf:// is only read"),
        (
            ["predict", "{films}/a.mp4", "-checkpoint", "s3://films/a.tar"],
            "option -checkpoint: s3://films/a.tar is in object",
        ),
        (
            ["train", "-data_path", "s3://films/set"],
            "option -data_path: s3://films/set: there is no such file or folder.",
        ),
        (["view", "{films}/a.mp4", "-o", "s3://films/pages"], "option -out: s3://films/pages is in object storage"),
    ],
)
def test_what_cannot_be_is_one_message(
    films: RemotePath, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.format(films=films) for word in words]) == 2
    error = capsys.readouterr().err
    assert error.count("error: ") == 1 and said in error and "Traceback" not in error and "word@" not in error
