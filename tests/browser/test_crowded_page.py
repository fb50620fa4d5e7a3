"""Twelve things and three people in a frame: names cover no other, and what the graph says decides
what is shown at first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium import open_chromium
from playwright.sync_api import Browser

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, VideoGraph
from vidsgg.viewer.page import write_page

THINGS = ("cup/glass/bottle", "paper/notebook", "closet/cabinet", "phone/camera")
SHOWN = (("attention", 0.6), ("spatial", 0.6), ("contacting", 0.5))
COVERED = """() => {
  const tags = [...document.querySelectorAll("#tags .tag")].filter((tag) => tag.style.display !== "none");
  const places = tags.map((tag) => tag.querySelector("rect").getBoundingClientRect());
  const hit = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const picture = document.getElementById("picture").getBoundingClientRect();
  const inside = places.every((p) => p.left >= picture.left - 1 && p.right <= picture.right + 1 && p.top >= picture.top - 1);
  return [places.length, places.filter((a, i) => places.some((b, j) => j < i && hit(a, b))).length, inside];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as found:
        yield found


def crowded(width: int, height: int) -> VideoGraph:
    rng = np.random.default_rng(3)
    nodes = [
        GraphNode("person", 0.7, (0.3 * i * width, 0.2 * height, (0.3 * i + 0.25) * width, 0.95 * height), i + 1)
        for i in range(3)
    ]
    for i in range(12):
        x, y, side = rng.uniform(0.3, 0.6) * width, rng.uniform(0.4, 0.6) * height, rng.uniform(0.05, 0.15) * width
        nodes.append(GraphNode(THINGS[i % 4], 0.4, (x, y, x + side, y + side), i + 4))
    edges = (
        GraphEdge(0, 3, "holding", "contacting", 0.55),
        GraphEdge(0, 4, "holding", "contacting", 0.45),  # below its group's 0.5
        GraphEdge(3, 0, "in_front_of", "spatial", 0.55),  # below 0.6
        GraphEdge(1, 3, "not_contacting", "contacting", 0.9),  # on request
        GraphEdge(1, 5, "looking_at", "attention", 0.65),
    )
    frame = GraphFrame("v/1", 1, 0.0, width, height, tuple(nodes), edges)
    hidden = tuple(name for group in SCHEMA.vocabulary.groups for name in group.on_request)
    made_by = Origin("geometry", "sgdet", "geometry (built in)", "0" * 64, shown_from=SHOWN, on_request=hidden)
    return VideoGraph("v", SCHEMA.name, (frame,), (), made_by, SCHEMA)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)], ids=["wide", "portrait"])
def test_names_cover_no_other(browser: Browser, tmp_path: Path, size: tuple[int, int]) -> None:
    write_page(tmp_path / "page.html", prediction=crowded(*size))
    page = browser.new_page(viewport={"width": 1200, "height": 800}, color_scheme="dark")
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("#tags .tag")
    assert page.evaluate(COVERED) == [15, 0, True]
    page.close()


def test_what_the_graph_says_is_shown_at_first(browser: Browser, tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", prediction=crowded(1280, 720))
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.goto((tmp_path / "page.html").as_uri())
    chips = "() => [...document.querySelectorAll('.chip .text')].map((chip) => chip.textContent).sort()"
    page.wait_for_selector(".chip")
    assert page.evaluate(chips) == ["person 1: holding", "person 2: looking at"]
    assert page.text_content("#least-value") == "by group"
    page.evaluate(
        "() => { const s = document.getElementById('least'); s.value = 0.4; s.dispatchEvent(new Event('input')); }"
    )
    page.wait_for_function("() => document.querySelectorAll('.chip').length === 4")
    page.click("#by-group")
    page.wait_for_function("() => document.querySelectorAll('.chip').length === 2")
    page.click("#relations summary")
    page.click("#relations button:text-is('all')")
    page.wait_for_function("() => document.querySelectorAll('.chip').length === 3")  # not_contacting too
    page.close()


def test_shown() -> None:
    graph = crowded(1280, 720)
    assert [edge.predicate for edge in graph.shown().frames[0].edges] == ["holding", "looking_at"]
