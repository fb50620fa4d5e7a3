"""Graphs of a stream: lines as they come, a page that follows, a whole file at the end."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from clips import ENTITY
from io_pipes import piped
from numbered_video import write

from vidsgg.errors import ConfigError
from vidsgg.inference.intervals import IntervalRules
from vidsgg.io.graphs import read_graph
from vidsgg.recipes import predict_live
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin
from vidsgg.viewer import live_page

GROUP = ENTITY.vocabulary.groups[0]
SUBJECT = ENTITY.vocabulary.subjects[0]
OBJECT = next(name for name in ENTITY.vocabulary.objects[1:] if name != SUBJECT)


class Model:
    """Says the same of every frame."""

    schema, notes, interval_rules = ENTITY, (), IntervalRules()
    origin = Origin("none", "sgdet", "none", "0" * 64)

    def live(self, name: str, frames: object) -> Iterator[GraphFrame]:
        for frame in frames:  # type: ignore[attr-defined]
            height, width = frame.image.shape[:2]
            nodes = (GraphNode(SUBJECT, 0.9, (1, 2, 40, 60), 1), GraphNode(OBJECT, 0.8, (20, 20, 50, 50), 2))
            edges = (GraphEdge(0, 1, GROUP.predicates[0], GROUP.name, 0.7),)
            yield GraphFrame(frame.key, frame.number, frame.time, width, height, nodes, edges)


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        predict_live, "predictor_of", lambda options: SimpleNamespace(at=Model(), lines=["model: none"])
    )


def test_lines_come_one_by_one_and_the_file_is_whole(tmp_path: Path) -> None:
    film = write(tmp_path / "a.mkv", frames=50)
    lines, notes = list[str](), list[str]()
    with piped(film.read_bytes()) as end:
        options = PredictOptions(videos=("-",), fps=5, out=str(tmp_path / "out"))
        done = predict_live.run_live(options, lines.append, notes.append, descriptor=end)
    said = [json.loads(line) for line in lines]
    graph = read_graph(done.file)
    assert [line["number"] for line in said] == [frame.number for frame in graph.frames] == list(range(1, 50, 5))
    assert all(line["latency"] >= 0 and line["dropped"] == 0 and len(line["nodes"]) == 2 for line in said)
    assert notes == ["model: none"] and len(graph.relations) == done.relations == 1
    assert "10 frames" in done.text() and "no frame dropped" in done.text()
    assert graph.made_by is not None and graph.made_by.notes[-1].startswith("of pipe, live: 0 frames dropped")


def test_an_interrupt_ends_with_a_whole_file(tmp_path: Path) -> None:
    film = write(tmp_path / "a.mkv", frames=200)
    lines = list[str]()

    def say(line: str) -> None:
        lines.append(line)
        if len(lines) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with piped(film.read_bytes()) as end:
        options = PredictOptions(videos=("-",), fps=25, out=str(tmp_path / "out"))
        done = predict_live.run_live(options, say, print, descriptor=end)
    assert signal.getsignal(signal.SIGINT) is before
    assert len(read_graph(done.file).frames) == len(lines) == done.frames < 10
    assert [file.name for file in (tmp_path / "out").iterdir()] == [done.file.name]


def test_the_page_shows_the_latest_picture(tmp_path: Path) -> None:
    film = write(tmp_path / "a.mkv", frames=20)
    notes, states = list[str](), list[dict[str, object]]()

    def get(path: str, host: str | None = None) -> bytes:
        address = notes[-1].removeprefix("watch: ").rstrip("/")
        headers = {} if host is None else {"Host": host}
        with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers), timeout=5) as answer:
            return answer.read()

    def say(line: str) -> None:
        if json.loads(line)["number"] == 11:  # the page has the one before
            assert b"live.js" in get("/") and b"follow" in get("/live.js")
            states.append(json.loads(get("/state")))
            assert get("/picture").startswith(b"\xff\xd8")
            for path, host in (("/state", "evil.example"), ("/../secret", None)):
                with pytest.raises(urllib.error.HTTPError, match="404"):
                    get(path, host)

    with piped(film.read_bytes()) as end:
        options = PredictOptions(videos=("-",), fps=5, out=str(tmp_path / "out"), watch=True)
        predict_live.run_live(options, say, notes.append, descriptor=end)
    assert states[0]["number"] == 6 and states[0]["dropped"] == 0
    with pytest.raises(urllib.error.URLError):
        get("/state")  # it is gone with the stream


def test_the_page_holds_one_picture_and_draws_it_once_for_all_who_look(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, names = list[int](), dict[object, str]()

    def draw(image: np.ndarray, frame: GraphFrame, *rest: object) -> np.ndarray:
        drawn.append(frame.number)
        names.update(rest[2])  # type: ignore[call-overload]
        return image

    monkeypatch.setattr(live_page, "draw_frame", draw)
    page = live_page.LivePage("camera", ENTITY)
    pictures = list[weakref.ref[np.ndarray]]()
    for i in range(1, 301):
        image = np.zeros((48, 64, 3), np.uint8)
        pictures.append(weakref.ref(image))
        nodes = (GraphNode(SUBJECT, 0.9, (1, 2, 40, 46), 7), GraphNode(SUBJECT, 0.9, (9, 2, 50, 46), 12))
        page.show(image, GraphFrame(f"c/{i}", i, float(i), 64, 48, nodes, ()), 0.1, 0)
    del image
    assert sum(picture() is not None for picture in pictures) == 1 and drawn == []
    found = [page.answer("/picture") for _ in range(3)]
    assert drawn == [300] and found[0] == found[2] and found[0] is not None and found[0][1].startswith(b"\xff\xd8")
    assert list(names.values()) == [f"{SUBJECT} 7", f"{SUBJECT} 12"]
    page._server.server_close()


def test_the_page_shows_what_other_pages_show_and_has_the_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = list[GraphFrame]()
    monkeypatch.setattr(live_page, "draw_frame", lambda image, frame, *_: drawn.append(frame) or image)
    made_by = Origin("m", "sgdet", "c", "w", notes=("It is a guess.",), shown_from=((GROUP.name, 0.5),))
    page = live_page.LivePage("camera", ENTITY, made_by=made_by)
    nodes = (GraphNode(SUBJECT, 0.9, (1, 2, 40, 46), 7), GraphNode(OBJECT, 0.9, (9, 2, 50, 46), 12))
    edges = tuple(GraphEdge(0, 1, GROUP.predicates[i], GROUP.name, score) for i, score in enumerate((0.6, 0.4)))
    page.show(np.zeros((48, 64, 3), np.uint8), GraphFrame("c/1", 1, 0.0, 64, 48, nodes, edges), 0.1, 0)
    assert page.answer("/picture") is not None and [edge.score for edge in drawn[0].edges] == [0.6]
    said = page.answer("/state")
    assert said is not None and json.loads(said[1])["notes"] == "It is a guess."
    page._server.server_close()


@pytest.mark.parametrize(
    ("given", "message"),
    [({"videos": ("0", "1")}, "address or pipe alone"), ({"videos": ("0",), "boxes": "a.csv"}, "-boxes")],
)
def test_what_does_not_go_with_it(given: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        predict_live.run_live(PredictOptions(**given), print, print)


def test_pictures_are_let_go(tmp_path: Path) -> None:
    """Without a page no picture is kept."""
    pictures: dict[int, np.ndarray] = {}
    with piped(write(tmp_path / "a.mkv", frames=10).read_bytes()) as end:
        live = predict_live.LiveVideo("-", 25, descriptor=end)
        assert len(list(predict_live._kept(live, pictures, False))) == 10
    assert pictures == {}
