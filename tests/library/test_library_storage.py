"""A library in object storage, and videos predicted straight into a library."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from buckets import Buckets, upload
from detectors.onnx_files import write_network
from library.test_library import rich
from library.test_search_oracle import graph as made_graph
from numbered_video import write

import vidsgg
from vidsgg.cli.main import main
from vidsgg.errors import ConfigError, DataError
from vidsgg.io.graphs import read_graph, write_graph
from vidsgg.io.locations import RemotePath
from vidsgg.library import lock as locks
from vidsgg.library.build import add_graphs
from vidsgg.library.folder import LibraryFolder
from vidsgg.recipes import predict_library
from vidsgg.recipes.graph_places import GraphPlace
from vidsgg.recipes.predict_video import VideoDone, _Predictor


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A person who holds a cup, whatever the picture; as options."""
    folder = tmp_path_factory.mktemp("detector")
    rows = np.array([[20, 5, 60, 62, 0.9, 0], [34, 26, 42, 36, 0.8, 1]], np.float32)
    network = write_network(folder / "a.onnx", {"detections": rows}, names=["someone", "mug"])
    (folder / "map.yaml").write_text("someone: person\nmug: cup/glass/bottle\n")
    return ["-detector", str(network), "-label_map", str(folder / "map.yaml"), "-device", "cpu"]


def test_a_library_there_is_the_library_here(
    buckets: Buckets, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = buckets.new()
    graphs = [rich(), rich("other.mp4", "c" * 64)]
    for graph in graphs:
        write_graph(bucket / "graphs" / f"{graph.video_id}.graph.json", graph)
    assert main(["library", "build", str(bucket / "graphs"), "-o", str(bucket / "lib")]) == 0
    assert main(["library", "build", str(bucket / "graphs"), "-o", str(bucket / "lib")]) == 0
    assert "0 added, 0 replaced, 2 there already" in capsys.readouterr().out
    library = vidsgg.open_library(str(bucket / "lib"))
    assert [library.graph(name) for name in library.names.values()] == list(library.graphs())
    assert {graph.video_id for graph in library.graphs()} == {graph.video_id for graph in graphs}
    assert library.search("person in_front_of *").total == 2
    assert main(["library", "merge", str(bucket / "lib"), "-o", str(tmp_path / "near")]) == 0
    assert len(vidsgg.open_library(tmp_path / "near").names) == 2
    assert not (bucket / "lib" / locks.LOCK).exists()


def test_one_writer_at_a_time(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    path = buckets.new() / "lib"
    first, second = LibraryFolder.create(path), LibraryFolder.create(path)
    with first.writing():
        with pytest.raises(ConfigError, match="another process writes"), second.writing():
            pass
        monkeypatch.setattr(locks, "_is_gone", lambda holder: True)
        with second.writing():  # it takes the lock for one that was left behind
            monkeypatch.undo()
            with pytest.raises(DataError, match="another process has taken over"):
                first.change([], {}, 1)
            second.change([], {}, 1)
    assert not (path / locks.LOCK).exists()


def test_a_lock_of_a_killed_process_is_noticed(buckets: Buckets) -> None:
    path = buckets.new() / "lib"
    library = LibraryFolder.create(path)
    child = os.fork() if hasattr(os, "fork") else None
    if child is None:
        pytest.skip("no processes by fork")
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    for machine, renewed, taken in (
        (locks._machine(), time.time(), True),
        ("other", time.time(), False),
        ("other", 0, True),
    ):
        holder = {"token": "t", "machine": machine, "process": child, "renewed": renewed}
        (path / locks.LOCK).unlink(missing_ok=True)
        (path / locks.LOCK).create(json.dumps(holder).encode())
        if taken:
            with library.writing():
                pass
        else:
            with pytest.raises(ConfigError, match="another process writes"), library.writing():
                pass


@pytest.mark.parametrize("remote", [False, True])
def test_predict_straight_into_a_library(
    buckets: Buckets,
    detector: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    remote: bool,
) -> None:
    folder: Path | RemotePath = buckets.new() if remote else tmp_path
    count = 2 if remote else 3
    for number in range(count):
        film = write(tmp_path / f"{number}.mp4", frames=30 + number)
        if isinstance(folder, RemotePath):
            upload(film, folder / "films")
    films = [str(folder / "films" / f"{i}.mp4" if remote else tmp_path / f"{i}.mp4") for i in range(count)]
    words = ["predict", *films, *detector, "-o", str(folder / "lib")]
    predict = _Predictor.predict
    done: list[str] = []

    def interrupted(self: _Predictor, place: GraphPlace) -> VideoDone:
        if len(done) == count - 1:
            raise KeyboardInterrupt
        done.append(place.video.name)
        return predict(self, place)

    with monkeypatch.context() as patched:
        patched.setattr(_Predictor, "predict", interrupted)
        assert main([*words, "-format", "library"]) == 130
    library = vidsgg.open_library(str(folder / "lib"))
    assert list(library.names.values()) == ["0.mp4", "1.mp4"][: count - 1]  # the second waited to be written
    capsys.readouterr()
    assert main(words) == 0  # what is there is a library
    said = capsys.readouterr().out
    assert said.count(f"its graph is in {folder / 'lib'} already") == count - 1 and f"-> {folder / 'lib'}" in said
    library = vidsgg.open_library(str(folder / "lib"))
    assert list(library.names.values()) == ["0.mp4", "1.mp4", "2.mp4"][:count]
    assert library.search("person holding cup").total == count
    assert str(library.video_path("1.mp4")) == films[1]
    assert main([*words[:2], *detector, "-o", str(tmp_path / "graphs")]) == 0
    alone, inside = read_graph(tmp_path / "graphs" / "0.graph.json"), library.graph("0.mp4")
    assert (inside.frames, inside.relations, inside.video) == (alone.frames, alone.relations, alone.video)
    if not remote:
        assert main([*words, "-fps", "1"]) == 2
        assert "the graph of 0.mp4 was made differently (fps 2.0, now 1.0)" in capsys.readouterr().err
        assert main([*words[:2], *words[4:], "-fps", "1", "-overwrite", "True"]) == 0
        assert len(vidsgg.open_library(str(folder / "lib")).names) == 3
        assert main([*words, "-format", "graphs"]) == 2
        assert "is a library; name another folder" in capsys.readouterr().err


def test_small_parts_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = LibraryFolder.create(tmp_path / "lib")
    monkeypatch.setattr(predict_library, "_MOST_SMALL", 3)
    from vidsgg.io.graphs import graph_text

    for number in range(5):
        text = predict_library.zlib.compress(graph_text(made_graph(f"{number}.mp4", [])))
        predict_library._add(library, [VideoDone(Path(f"{number}.mp4"), tmp_path, graph=text)])
    assert len(library.manifest.parts) <= 2 and len(library.known()) == 5
    assert add_graphs(library, [made_graph("0.mp4", [])]).kept == 1
