"""Two nodes of a real Ray cluster on this machine."""

from __future__ import annotations

import builtins
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from films import film

from vidsgg.cli.main import main
from vidsgg.errors import ConfigError
from vidsgg.execution import ray_cluster
from vidsgg.execution.items import Lost
from vidsgg.execution.many import apply_to_many
from vidsgg.execution.ray_cluster import RayCluster, _difference, _Home, _versions
from vidsgg.io.atomic import held_mark
from vidsgg.io.encoding import Encoding, write_video

ray = pytest.importorskip("ray")
STORE = 80 << 20  # bytes of each node's object store, near the least that Ray takes


@dataclass(frozen=True)
class Notes:
    """Writes down every item when it is begun; ends its process at ``fatal``, and once at ``once``."""

    folder: Path
    seconds: float = 0.0
    fatal: int = -1
    once: int = -1

    def __call__(self, number: int) -> Callable[[int], tuple[int, str]]:
        return self.note

    def note(self, item: int) -> tuple[int, str]:
        tries = self.begun(item)
        (self.folder / f"{item}.{tries}").touch()
        if item == self.fatal or (item == self.once and not tries):
            os._exit(1)
        time.sleep(self.seconds)
        return item, ray.get_runtime_context().get_node_id()

    def begun(self, item: int) -> int:
        return len(list(self.folder.glob(f"{item}.*")))


def started() -> Any:
    """A cluster of one node. Ray gives a node 30 s to start, which a busy machine may need twice."""
    from ray.cluster_utils import Cluster

    for last in (False, True):
        cluster = Cluster()
        try:
            cluster.add_node(num_cpus=1, object_store_memory=STORE, include_dashboard=False)
            return cluster
        except Exception:
            cluster.shutdown()
            if last:
                raise
    raise AssertionError


def added(cluster: Any) -> Any:
    try:
        return cluster.add_node(num_cpus=1, object_store_memory=STORE)
    except Exception:
        return cluster.add_node(num_cpus=1, object_store_memory=STORE)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "1")  # which tests of Ray's own set, too
    said = builtins.print  # Ray puts one of its own in its place, for good
    cluster = started()
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()
        builtins.print = said


def black(path: Path, corner: int) -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:16, :16] = corner
    write_video(path, ((i / 25, picture) for i in range(30)), Encoding(quality=18), last=1 / 25)


def files(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_two_nodes(cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All in one test, since a cluster takes longer to start than all of this."""
    second = added(cluster)
    on_ray = ["-engine", "ray", "-address", cluster.address]
    predict_films(on_ray, capsys)
    build_a_library(on_ray, capsys)
    workers_and_a_node_end(cluster, second)
    what_is_missing_is_told(cluster)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr()
    return said.out + said.err


def predict_films(on_ray: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Twelve films. One ends its worker whenever it is looked at, another one once."""
    Path("films").mkdir()
    for number in range(10):
        film(Path(f"films/{number:02}.mp4"), frames=30, first=25 * number)
    black(Path("films/fatal.mp4"), corner=0)
    black(Path("films/once.mp4"), corner=255)
    command = ["predict", "films", "-detector", "execution.mortal_detector:Mortal", "-device", "cpu"]
    assert main([*command, *on_ray, "-o", "many"]) == 2
    said = told(capsys)
    assert said.count("fatal.mp4: 3 workers ended at it") == 1 and "Traceback" not in said
    done = [line for line in said.splitlines() if " -> " in line]
    assert len(done) == 11 == len(files("many")) and Path("ONCE").exists()
    Path("DISARMED").touch()
    assert main([*command, *on_ray, "-o", "many"]) == 0
    said = told(capsys)
    assert said.count("is there already") == 11 and said.count(" -> ") == 1
    assert main([*command, "-o", "one"]) == 0
    assert files("many") == files("one")
    assert main([*command, *on_ray, "-o", "one"]) == 0  # nothing is left to do
    assert told(capsys).count("is there already") == 12


def build_a_library(on_ray: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """On the cluster and here, from the same graphs."""
    descriptions = []
    for name, words in (("lib", on_ray), ("same", [])):
        assert main(["library", "build", "many", *words, "-o", name]) == 0
        assert main(["library", "info", name, "-json", "True"]) == 0
        descriptions.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    assert descriptions[0]["videos"] == 12 and descriptions[0]["frames"] > 0
    there, here = ({**one, "bytes": 0, "parts": 0} for one in descriptions)
    assert there == here


def workers_and_a_node_end(cluster: Any, second: Any) -> None:
    """Every item has one result, and none is begun again without a reason."""
    notes, said = Notes(Path("notes"), 0.2, fatal=3, once=5), []
    notes.folder.mkdir()
    engine = RayCluster(cluster.address)
    results: list[Any] = []
    with closing(apply_to_many(notes, range(30), engine, watch=said.append)) as coming:
        for result in coming:
            results.append(result)
            if second is not None and sum(isinstance(r, tuple) for r in results) == 15:
                cluster.remove_node(second, allow_graceful=False)
                second = None
    lost = [result for result in results if isinstance(result, Lost)]
    done = [result for result in results if not isinstance(result, Lost)]
    assert [one.item for one in lost] == [3]
    assert sorted(item for item, _ in done) == [item for item in range(30) if item != 3]
    assert len({node for _, node in done}) == 2
    begun = [notes.begun(item) for item in range(30)]
    assert begun[3] == 3 and begun[5] in (2, 3)
    # of the others, only the one that was under way on the node that went
    assert sum(count > 1 for item, count in enumerate(begun) if item not in (3, 5)) <= 1
    assert "2 workers on 2 nodes" in said and said[-1] == "1 worker on 1 node"


def what_is_missing_is_told(cluster: Any) -> None:
    notes = Notes(Path("notes"))
    with pytest.raises(ConfigError, match=r"no node of the cluster has room for a worker with 1 CPU, 1 GPU; .* 1 CPU"):
        list(apply_to_many(notes, range(3), RayCluster(cluster.address, gpus=1.0)))


def home(**changes: Any) -> _Home:
    return replace(_Home(str(Path.cwd()), (), _versions(), ()), **changes)


def test_a_machine_that_is_not_like_the_first_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_cluster, "_FILE_SYSTEM", 0.3)
    with held_mark(tmp_path / "out") as mark:
        assert _difference(home(marks=(mark,))) is None
    assert list((tmp_path / "out").iterdir()) == []
    said = _difference(home(marks=(mark,)))
    assert said is not None and f"does not see the folder {tmp_path / 'out'}" in said
    said = _difference(home(versions=(("vidsgg", "0.0.7"), _versions()[1])))
    assert said is not None and "the machine that started this 0.0.7; install the same on all nodes" in said
    said = _difference(home(folder=str(tmp_path / "elsewhere")))
    assert said is not None and f"it has no folder {tmp_path / 'elsewhere'}" in said


def test_what_cannot_be_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mp4").touch()
    for words, message in (
        (["-address", "auto"], "option -address: is for -engine ray; give that too, or leave it out"),
        (["-engine", "ray", "-device", "cuda:1"], "'cuda:1' is one device of one machine"),
        (["-engine", "ray", "-device", "cpu", "-gpus_per_actor", "0.5"], "contradict each other"),
        (["-share", "0/8"], "there is no 0/8; the first of eight is 1/8, the last 8/8"),
        (["-share", "3"], "'3' is not a number and a count, such as 3/8"),
    ):
        assert main(["predict", "film.mp4", *words]) == 2
        said = capsys.readouterr().err
        assert message in said and "Traceback" not in said
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"Ray is not installed: pip install 'vidsgg\[cluster\]'"):
        list(apply_to_many(Notes(tmp_path), range(3), RayCluster()))
