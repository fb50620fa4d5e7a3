"""The search box of the app: over all videos that are done, without those that were removed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn
from chromium import open_chromium
from starlette.testclient import TestClient

import vidsgg
from vidsgg.app.app_options import AppOptions
from vidsgg.app.checkpoints import Checkpoints
from vidsgg.app.jobs import GRAPH, PAGE, Asked, Job, JobFolder
from vidsgg.app.queue import JobQueue
from vidsgg.app.routes import Routes
from vidsgg.app.search import FOLDER
from vidsgg.io.graphs import write_graph
from vidsgg.structures.graph import GraphFrame, GraphNode, Origin, RelationInterval, VideoGraph
from vidsgg.viewer.page import write_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OWN = "http://127.0.0.1:8501"


def kitchen(name: str, *held: tuple[str, str, float, float]) -> VideoGraph:
    """Ten graphs, one a second, of a person who does things with a cup."""
    things = (GraphNode("person", 0.9, (10.0, 5.0, 40.0, 47.0), 0), GraphNode("cup", 0.8, (30.0, 20.0, 38.0, 30.0), 1))
    frames = tuple(GraphFrame(f"{name}/{i}", 25 * i + 1, float(i), 64, 48, things, ()) for i in range(10))
    relations = tuple(
        RelationInterval(
            0, 1, "person", "cup", predicate, group, begin, end, int(25 * begin) + 1, int(25 * end) + 1, 0.75
        )
        for predicate, group, begin, end in held
    )
    return VideoGraph(name, "own", frames, relations)


def done(queue: JobQueue, name: str, graph: VideoGraph) -> Job:
    """A job as if it had been worked on."""
    job = Job(
        queue.folder.new_id(), name, "geometry", Asked(""), 1.7e9, "done", files=(GRAPH, PAGE), frames=10, relations=2
    )
    folder = queue.folder.path(job)
    folder.mkdir()
    write_graph(folder / GRAPH, graph)
    write_page(folder / PAGE, prediction=graph, times=[frame.time or 0.0 for frame in graph.frames])
    queue._put(job)
    return job


@pytest.fixture
def queue(tmp_path: Path) -> JobQueue:
    (tmp_path / "app").mkdir()
    return JobQueue(JobFolder(tmp_path / "app"), "cpu", 1.0, 2)


@pytest.fixture
def app(queue: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Routes:
    monkeypatch.chdir(tmp_path)  # no runs here
    return Routes(AppOptions(), queue, Checkpoints(()))


def test_it_finds_what_is_done_and_forgets_what_is_removed(queue: JobQueue, app: Routes) -> None:
    client = TestClient(app.app(), base_url=OWN)
    held, drunk = ("holding", "contacting", 2.0, 5.0), ("drinking_from", "contacting", 4.0, 6.0)
    first = done(queue, "same.mp4", kitchen("same.mp4", held, drunk))
    found = client.get("/api/search", params={"query": "person holding ?x then person drinking_from ?x"}).json()
    hit = {"job": first.id, "name": "same.mp4", "graph": 3, "begin": 2.0, "end": 6.0, "score": 0.75}
    assert (found["total"], found["hits"]) == (
        1,
        [hit | {"found": ["person holding cup", "person drinking_from cup"], "notes": []}],
    )
    second = done(queue, "same.mp4", kitchen("same.mp4", held))  # two may be called alike
    assert {one["job"] for one in client.get("/api/search", params={"query": "* holding cup"}).json()["hits"]} == {
        first.id,
        second.id,
    }
    assert client.post(f"/api/jobs/{first.id}/remove", headers={"origin": OWN}).status_code == 200
    library = vidsgg.open_library(queue.folder.root / FOLDER)
    assert list(library.names.values()) == [second.id]  # at once
    queue.remove(second.id)  # while nobody searches
    assert client.get("/api/search", params={"query": "* * *"}).json()["total"] == 0
    done(queue, "gone.mp4", kitchen("gone.mp4", held))
    (queue.folder.path(damaged := done(queue, "damaged.mp4", kitchen("d", held))) / GRAPH).write_text("{")
    assert damaged.id not in {
        one["job"] for one in client.get("/api/search", params={"query": "* holding *"}).json()["hits"]
    }


def test_a_name_alone_finds_the_thing(queue: JobQueue, app: Routes) -> None:
    client = TestClient(app.app(), base_url=OWN)
    held = ("holding", "contacting", 2.0, 5.0)
    first, second = done(queue, "a.mp4", kitchen("a.mp4", held)), done(queue, "b.mp4", kitchen("b.mp4", held))
    for query in ("cup", " Cup ", '"cup"'):
        found = client.get("/api/search", params={"query": query}).json()
        hit = {"graph": 1, "begin": 0.0, "end": 9.0, "score": 0.8, "found": ["cup in 10 graphs"], "notes": []}
        assert found["total"] == 2
        assert found["hits"] == [{"job": job.id, "name": job.name} | hit for job in (first, second)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("cupp", "did you mean 'cup'"),
        ("*", "predicate"),
        ("person holding cupp", "did you mean 'cup'"),
        ("", "query"),
        ("x" * 3000, "letters"),
        ("person ' OR 1", "person"),
    ],
)
def test_what_is_wrong_is_said(queue: JobQueue, app: Routes, query: str, said: str) -> None:
    done(queue, "a.mp4", kitchen("a.mp4", ("holding", "contacting", 2.0, 5.0)))
    answer = TestClient(app.app(), base_url=OWN).get("/api/search", params={"query": query})
    assert answer.status_code == 400 and said in answer.json()["message"]


@pytest.fixture
def address(app: Routes) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(app.app(), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


def test_a_hit_opens_the_page_at_its_moment(queue: JobQueue, address: str, browser: Browser) -> None:
    held, drunk = ("holding", "contacting", 2.0, 5.0), ("drinking_from", "contacting", 7.0, 8.0)
    origin = Origin("geometry", "sgdet", "geometry", "w", notes=("No model saw the <b>picture</b>.",))
    graph = replace(kitchen("kitchen.mp4", held, drunk), made_by=origin)
    job = done(queue, "<b>kitchen</b>.mp4", graph)
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.on("pageerror", lambda error: complaints.append(str(error)))
    from playwright.sync_api import expect

    page.goto(address)
    page.fill("#search input", "person drinking_fro cup")
    page.press("#search input", "Enter")
    page.wait_for_selector("#search pre:not([hidden])")
    assert "did you mean 'drinking_from'" in page.inner_text("#search pre") and page.is_hidden("#found")
    page.fill("#search input", "person drinking_from cup")
    page.press("#search input", "Enter")
    page.wait_for_selector("#found a")
    assert page.is_hidden("#search pre") and page.inner_text("#found p") == "1 hit"
    assert page.inner_text("#found .notes") == "No model saw the <b>picture</b>."
    assert page.inner_text("#found a b") == "<b>kitchen</b>.mp4"
    assert page.inner_text("#found time") == "0:07.0 – 0:08.0"
    page.click("#found a")
    page.wait_for_url(f"{address}/results/{job.id}#8")
    assert page.locator("iframe").get_attribute("src") == f"/results/{job.id}/page#8"
    place = page.frame_locator("iframe").locator("#place")
    expect(place).to_have_text("graph 8 of 10")
    page.keyboard.press("ArrowRight")  # the focus is outside of the frame
    expect(place).to_have_text("graph 9 of 10")
    page.close()
    assert complaints == []
