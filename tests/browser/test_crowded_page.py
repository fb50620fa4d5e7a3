"""Twelve things and three people in a frame: names cover no other, and what the graph says decides
what is shown at first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from chromium import open_chromium
from playwright.sync_api import Browser, Page

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.inference.graphs import tracked
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, VideoGraph
from vidsgg.viewer.page import write_page

THINGS = ("cup/glass/bottle", "paper/notebook", "closet/cabinet", "phone/camera")
SHOWN = (("attention", 0.6), ("spatial", 0.6), ("contacting", 0.5))
COVERED = """() => {
  const tags = [...document.querySelectorAll("#tags .tag")].filter((tag) => tag.style.display !== "none");
  const places = tags.map((tag) => tag.querySelector("rect").getBoundingClientRect());
  const hit = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const screen = document.getElementById("screen").getBoundingClientRect();
  const inside = places.every((p) => p.left >= screen.left - 1 && p.right <= screen.right + 1 && p.top >= screen.top - 1 && p.bottom <= screen.bottom + 1);
  const texts = tags.map((tag) => tag.querySelector("text").textContent);
  return [places.filter((a, i) => places.some((b, j) => j < i && hit(a, b))).length, inside, texts];
}"""
# Things and relations of the graph that cover each other or reach out of its panel, or whose names are
# broken within a word.
GRAPH = """() => {
  const panel = document.getElementById("graph").getBoundingClientRect();
  const nodes = [...document.querySelectorAll(".node:not([hidden])")];
  const all = [...nodes, ...document.querySelectorAll(".chip")].map((e) => e.getBoundingClientRect());
  const hit = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const covered = all.flatMap((a, i) => all.slice(i + 1).filter((b) => hit(a, b))).length;
  const out = all.filter((a) => a.left < panel.left || a.right > panel.right || a.top < panel.top).length;
  const broken = nodes.flatMap((node) => [...node.querySelector(".name").childNodes]).filter((part) => {
    const range = document.createRange();
    range.selectNodeContents(part);
    const words = part.textContent.trim().split(" ").length; // it may break between these
    return part.nodeType === Node.TEXT_NODE && range.getClientRects().length > words;
  }).map((part) => part.textContent);
  return [covered, out, broken];
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
    covered, inside, texts = page.evaluate(COVERED)
    assert (covered, inside) == (0, True)
    # Every name stands there whole or without its score, a number never beside a score.
    shown = re.compile(
        r"person \d · 0\.70|(?:cup/glass/bottle|paper/notebook|closet/cabinet|phone/camera) \d(?: · 0\.40)?"
    )
    assert len(texts) == 15 and all(shown.fullmatch(text) for text in texts), texts
    page.close()


LONG = (
    "stainless-steel-water-bottle",
    "over-the-shoulder-bag",
    "noise-cancelling-headphones",
    "wall-mounted-television",
)


def kitchen(width: int, height: int) -> VideoGraph:
    """Twelve things with long names, each with relations to two people, in every one of four graphs; besides
    a cup that is another one in each of them."""
    rng = np.random.default_rng(0)
    at = rng.uniform((0.25, 0.3), (0.6, 0.65), (12, 2)) * (width, height)
    frames = []
    for i in range(4):
        nodes = [
            GraphNode("person", 0.9, ((0.05 + 0.3 * k) * width, 10.0, (0.3 + 0.3 * k) * width, 0.9 * height), k + 1)
            for k in range(2)
        ]
        for j, (x, y) in enumerate(at):
            nodes.append(GraphNode(LONG[j % 4], 0.6, (x, y, x + 0.1 * width, y + 0.1 * height), j + 10))
        nodes.append(GraphNode("cup", 0.8, (5.0, 5.0, 0.1 * width, 0.1 * height), 100 + i))
        edges = tuple(
            GraphEdge(j % 2, j, text, "contacting", 0.5)
            for j in range(2, 15)
            for text in ("holding", "leaning_on_the_side_of")[: 1 + j % 2]
        )
        frames.append(GraphFrame(f"v/{i}", i + 1, i / 2, width, height, tuple(nodes), edges))
    return tracked(VideoGraph("kitchen", "own", tuple(frames)))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("full") / "full.html"
    write_page(file, prediction=kitchen(720, 1280))
    return file.as_uri()


@contextmanager
def opened(browser: Browser, address: str, width: int, height: int, scheme: Literal["dark", "light"]) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.goto(address)
    page.wait_for_selector(".chip")
    yield page
    page.close()


@pytest.fixture
def wide(browser: Browser, full: str) -> Iterator[Page]:
    with opened(browser, full, 1280, 800, "dark") as page:
        yield page


@pytest.fixture
def phone(browser: Browser, full: str) -> Iterator[Page]:
    with opened(browser, full, 400, 844, "light") as page:
        yield page


def test_the_graph_of_many_things_covers_nothing_and_says_that_it_scrolls(wide: Page) -> None:
    assert wide.evaluate(GRAPH) == [0, 0, []]
    assert re.fullmatch(r"↓ \d+ more", wide.inner_text(".more.below")) and wide.is_hidden(".more.above")
    wide.evaluate("() => { const g = document.getElementById('graph'); g.scrollTop = g.scrollHeight; }")
    wide.wait_for_selector(".more.above:visible")
    assert wide.is_hidden(".more.below")
    wide.click(".more.above")
    wide.wait_for_selector(".more.below:visible")


def test_tracks_of_one_class_are_numbered_also_if_they_are_never_there_at_once(wide: Page) -> None:
    rows = wide.locator(".row.thing .label").all_text_contents()
    assert [row for row in rows if row.startswith("cup")] == [f"cup {i}" for i in range(1, 5)]
    for i in range(1, 5):
        assert f"cup {i} · 0.80" in wide.evaluate(COVERED)[2]
        assert f"cup {i}" in wide.locator(".node:not([hidden]) .name").all_text_contents()
        wide.keyboard.press("ArrowRight")


def test_on_a_phone_long_lists_are_folded(phone: Page) -> None:
    assert phone.evaluate(GRAPH) == [0, 0, []]
    assert phone.evaluate("document.documentElement.scrollWidth") == 400
    low = phone.locator("#graph").bounding_box()
    phone.click(".more.below")
    phone.wait_for_selector(".more.below:text-is('↑ fold')")
    high = phone.locator("#graph").bounding_box()
    assert low and high and low["height"] <= 440 < high["height"]
    things = phone.locator(".row.thing")
    assert things.count() == 8 and phone.inner_text(".unfold") == "show all 18 things"
    phone.click(".unfold")
    assert things.count() == 18
    phone.click(".unfold")
    assert things.count() == 8


PLAYS = "document.getElementById('play').getAttribute('aria-label') === 'pause'"


def test_the_keyboard_works_wherever_the_focus_is(wide: Page) -> None:
    seek = wide.locator("#seek")
    for clicked in ("#next", "#theme", ".bar >> nth=0", ".node:visible >> nth=1", "#objects summary", "#least"):
        wide.keyboard.press("Home")
        wide.click(clicked)
        wide.keyboard.press("Home")
        wide.keyboard.press("ArrowRight")
        assert float(seek.input_value()) == pytest.approx(0.5), clicked
        for playing in (True, False):
            wide.keyboard.press(" ")
            assert wide.evaluate(PLAYS) == playing, clicked
    wide.keyboard.press("Home")
    wide.focus("#next")  # as the Tab key does: then space presses the button
    wide.keyboard.press("Tab")
    wide.keyboard.press("Shift+Tab")
    wide.keyboard.press(" ")
    assert float(seek.input_value()) == pytest.approx(0.5) and not wide.evaluate(PLAYS)


def test_a_long_list_of_names_can_be_searched(browser: Browser, tmp_path: Path) -> None:
    nodes = tuple(GraphNode(f"thing {i:02}", 0.9, (float(i), 0, 9.0 + i, 9), i) for i in range(14))
    graph = VideoGraph("v", "own", (GraphFrame("v/1", 1, 0.0, 64, 48, nodes, ()),))
    write_page(tmp_path / "page.html", prediction=graph)
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.goto((tmp_path / "page.html").as_uri())
    page.click("#objects summary")
    page.type("#objects input[type=search]", "thing 1")  # a space is a letter here
    assert page.locator("#objects label:visible").all_inner_texts() == [f"thing {i}" for i in range(10, 14)]
    page.click("#objects button:text-is('none')")
    assert page.text_content("#objects summary") == "objects 10 of 14"
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
