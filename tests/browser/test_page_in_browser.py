"""The page in a real browser: nothing fails, nothing is fetched, and picture, graph and timeline
tell the same at any time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from chromium import open_chromium
from clips import action_annotation

from vidsgg.inference.graphs import annotated_graph, tracked
from vidsgg.io.encoding import write_video
from vidsgg.io.graphs import write_graph
from vidsgg.recipes.view import view_graph
from vidsgg.recipes.view_options import ViewOptions
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph
from vidsgg.viewer.between import Moments
from vidsgg.viewer.page import write_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTH, HEIGHT, FRAMES = 160, 120, 17  # a graph every half second
CUP_UNSEEN, DOOR_SEEN = {5}, {8, 9, 14}


def frame(i: int, said: str | None, score: float = 0.8, sure: float = 0.9) -> GraphFrame:
    """The cup goes right; the detector misses it once. The door comes and goes. sure: 1.0 in the
    truth."""
    nodes = [GraphNode("person", sure, (10, 10, 50, 110), 1)]
    if sure == 1 or i not in CUP_UNSEEN:
        nodes.append(GraphNode("cup", sure - 0.2, (40 + 4.0 * i, 50, 60 + 4.0 * i, 70), 2))
    if i in DOOR_SEEN:
        nodes.append(GraphNode("door", sure, (100, 5, 150, 115), 3))
    place = {node.label: n for n, node in enumerate(nodes)}
    edges = []
    if said and "cup" in place:
        edges.append(GraphEdge(0, place["cup"], said, "contacting", score))
    if "cup" in place:
        edges.append(GraphEdge(place["cup"], 0, "in_front_of", "spatial", score))
    if "door" in place:
        edges.append(GraphEdge(0, place["door"], "looking_at", "attention", score))
    return GraphFrame(f"v/{5 * i + 1:06d}", 5 * i + 1, 0.5 * i, WIDTH, HEIGHT, tuple(nodes), tuple(edges))


GUESS = tracked(
    VideoGraph("kitchen.mp4", "toy", tuple(frame(i, "holding" if i < 10 else "wiping") for i in range(FRAMES)))
)
TRUTH = VideoGraph("kitchen.mp4", "toy", tuple(frame(i, "holding", 1.0, 1.0) for i in range(FRAMES)))


def crowd() -> VideoGraph:
    """Two people, and relations between people and between things."""
    labels = ("person", "person", "dog", "ball")
    nodes = tuple(GraphNode(label, 0.9, (40.0 * i, 10, 40.0 * i + 30, 90), i) for i, label in enumerate(labels))
    said = ((0, 1, "talks_to", 0.8), (1, 2, "watches", 0.998), (2, 3, "chases", 0.704))
    edges = tuple(GraphEdge(a, b, text, "action", score) for a, b, text, score in said)
    return VideoGraph(
        "crowd", "toy", tuple(GraphFrame(f"v/{i}", i + 1, i / 2, WIDTH, HEIGHT, nodes, edges) for i in range(4))
    )


def guessed_action() -> VideoGraph:
    """An action and its two objects, guessed: the action is less sure than what is shown at first."""
    cup, hand = (GraphNode(label, score, (9.0, 9, 50, 50)) for label, score in (("cup", 0.8), ("hand", 0.1)))
    nodes = (cup, hand, GraphNode("wash", 0.2))
    edges = (GraphEdge(2, 0, "dobj", "relation", 0.9), GraphEdge(2, 1, "with", "relation", 0.9))
    return VideoGraph(
        "events", "toy", tuple(GraphFrame(f"e/{i}", i, None, WIDTH, HEIGHT, nodes, edges) for i in (1, 2))
    )


def moving() -> Iterator[tuple[float, np.ndarray]]:
    for i in range(85):
        picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        x = round(40 + 0.8 * i)
        picture[50:70, x : x + 20] = (200, 40, 40)
        yield i / 10, picture


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """with.html: beside the truth; alone.html: a prediction of a video without; bare.html: without
    pictures."""
    folder = tmp_path_factory.mktemp("pages")
    write_video(folder / "kitchen.mp4", moving())
    write_graph(folder / "kitchen.graph.json", GUESS)
    write_graph(folder / "truth.graph.json", TRUTH)
    graph, video = folder / "kitchen.graph.json", folder / "kitchen.mp4"
    view_graph(graph, folder / "with.html", video, folder / "truth.graph.json")
    view_graph(graph, folder / "alone.html", video)
    view_graph(graph, folder / "part.html", video, options=ViewOptions((), begin=2.0, end=5.0))
    view_graph(graph, folder / "bare.html")
    write_page(folder / "crowd.html", prediction=crowd())
    write_page(folder / "guessed.html", prediction=guessed_action(), opens=2)
    write_page(folder / "actions.html", truth=annotated_graph(replace(action_annotation([2, 1], seed=0), fps=None)))
    return folder


class Opened:
    """A page, what it asked for, and what went wrong in it."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page, self.problems, self.asked = page, list[str](), list[str]()
        page.on(
            "console",
            lambda message: self.problems.append(message.text) if message.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(file.as_uri())
        self.until("document.querySelector('.node') !== null")

    def until(self, condition: str) -> None:
        """Waits for it; Playwright's own way evaluates text within the page, which the page
        forbids."""
        end = time.monotonic() + 20
        while not self.page.evaluate(condition):
            assert time.monotonic() < end, condition
            self.page.wait_for_timeout(30)

    def seek(self, moment: float) -> None:
        self.page.evaluate(
            "t => { const s = document.getElementById('seek'); s.value = t; s.dispatchEvent(new Event('input')); }",
            moment,
        )

    def time(self) -> float:
        return float(self.page.input_value("#seek"))

    def boxes(self) -> dict[str, tuple[list[float], bool]]:
        """Boxes that are drawn by name, and whether they are dashed as bridges."""
        script = """() => [...document.querySelectorAll('#overlay .box')].filter((g) => g.style.display !== 'none').map((g) => [
            Number(g.dataset.thing), g.dataset.box.split(' ').map(Number), g.classList.contains('bridged')])"""
        content = json.loads(self.page.text_content("#data") or "")
        names = [content["labels"][label]["text"] for label in content["things"]]
        return {names[thing]: (box, bridged) for thing, box, bridged in self.page.evaluate(script)}

    def chips(self) -> set[tuple[str, str]]:
        """(relation, verdict) in the graph."""
        script = (
            "() => [...document.querySelectorAll('.chip')].map((c) => [c.querySelector('.text').textContent,"
            " c.classList[1]])"
        )
        return {(text, verdict) for text, verdict in self.page.evaluate(script)}

    def there(self) -> set[str]:
        """Things that the graph shows as seen."""
        return set(
            self.page.evaluate(
                "() => [...document.querySelectorAll('.node:not(.away):not([hidden]) .name')].map((n) => n.textContent)"
            )
        )

    def rows(self) -> list[str]:
        return self.page.evaluate(
            "() => [...document.querySelectorAll('.row .label')].map((label) => label.textContent)"
        )

    def bars(self, label: str) -> list[tuple[str, float, float]]:
        """(verdict, begin, end) in a row of the timeline, in parts of its length."""
        script = """(label) => [...document.querySelectorAll('.row.relation')].filter((row) => row.querySelector('.label').textContent === label)
            .flatMap((row) => [...row.querySelectorAll('.bar')].map((bar) => [bar.classList[1], parseFloat(bar.style.left) / 100,
            (parseFloat(bar.style.left) + parseFloat(bar.style.width)) / 100]))"""
        return [(verdict, begin, end) for verdict, begin, end in self.page.evaluate(script, label)]

    def settled(self) -> None:
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture
def opened(browser: Browser, pages: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    name, options = getattr(request, "param", ("with", {}))
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    page = Opened(context.new_page(), pages / f"{name}.html")
    yield page
    assert not page.problems
    assert {url.split(":")[0] for url in page.asked} <= {"file", "data", "blob"}
    context.close()


def expected(moment: float) -> dict[str, tuple[list[float], bool]]:
    moments = Moments(GUESS.frames, [f.time or 0.0 for f in GUESS.frames])
    return {thing.node.label: (list(thing.node.box or ()), thing.bridged) for thing in moments.things_at(moment)}


@pytest.mark.parametrize("opened", [("alone", {}), ("bare", {})], indirect=True, ids=["video", "no pictures"])
def test_the_boxes_are_those_of_the_graph_file(opened: Opened) -> None:
    video = "alone" in opened.page.url
    assert opened.page.is_visible("#notes") != video  # a page without pictures says so
    for moment in (0.0, 0.5, 0.63, 2.0, 2.2, 2.75, 3.0, 4.05, 5.2, 7.0, 7.9, 8.0, 8.3):
        opened.seek(moment)
        told = expected(moment)
        if not video:  # boxes stay until the next graph
            told = {
                node.label: (list(node.box or ()), False)
                for node in GUESS.frames[min(int(moment / 0.5), FRAMES - 1)].nodes
            }
        shown = opened.boxes()
        assert shown.keys() == told.keys(), moment
        for name, (box, bridged) in told.items():
            np.testing.assert_allclose(shown[name][0], box, atol=0.06)
            assert shown[name][1] == bridged


def test_the_graph_and_the_timeline_tell_what_the_boxes_tell(opened: Opened) -> None:
    for i in (0, 5, 9, 12):
        opened.seek(0.5 * i)
        labels = {node.label for node in GUESS.frames[i].nodes} | {node.label for node in TRUTH.frames[i].nodes}
        assert opened.there() == labels
        at = float(opened.page.evaluate("document.querySelector('.playhead').style.getPropertyValue('--at')"))
        assert at == pytest.approx(0.5 * i / 8.5, abs=1e-3)
        assert opened.page.text_content("#place") == f"graph {i + 1} of 17"


# Within the page, so that a loaded machine does not play on before the click arrives.
_PAUSE_AT = """(moment) => new Promise((paused) => {
  const look = () => {
    if (Number(document.getElementById('seek').value) <= moment) return requestAnimationFrame(look);
    document.getElementById('play').click();
    paused();
  };
  look();
})"""


def test_playing_moves_everything_together(opened: Opened) -> None:
    opened.seek(4.6)
    opened.page.click("#play")
    opened.until("document.getElementById('play').getAttribute('aria-label') === 'pause'")
    opened.page.evaluate(_PAUSE_AT, 5.2)
    opened.until("document.getElementById('play').getAttribute('aria-label') === 'play'")
    opened.settled()
    stopped = opened.time()
    at = float(opened.page.evaluate("document.querySelector('.playhead').style.getPropertyValue('--at')"))
    assert at == pytest.approx(stopped / 8.5, abs=1e-3)
    np.testing.assert_allclose(opened.boxes()["cup"][0], expected(stopped)["cup"][0], atol=0.2)
    assert ("wiping", "wrong") in opened.chips() and ("holding", "missed") in opened.chips()
    playing = opened.page.evaluate("() => { const v = document.querySelector('video'); return v && v.currentTime; }")
    assert playing is None or playing == pytest.approx(stopped, abs=0.3)
    opened.settled()
    assert opened.time() == stopped  # it stands still


def test_right_wrong_and_missed_in_graph_and_timeline(opened: Opened) -> None:
    assert opened.chips() == {("holding", "right"), ("in front of", "right")}
    opened.seek(6.0)
    assert opened.chips() == {("wiping", "wrong"), ("holding", "missed"), ("in front of", "right")}
    assert [verdict for verdict, *_ in opened.bars("→ holding")] == ["right", "missed"]
    assert {verdict for verdict, *_ in opened.bars("→ wiping")} == {"wrong"}
    opened.page.check("input[value=truth]", force=True)
    opened.settled()
    assert opened.chips() == {("holding", "missed"), ("in front of", "right")} and opened.bars("→ wiping") == []
    opened.page.check("input[value=prediction]", force=True)
    opened.settled()
    assert {text for text, _ in opened.chips()} == {"wiping", "in front of"}


@pytest.mark.parametrize("opened", [("alone", {})], indirect=True)
def test_filters_hide_in_all_three(opened: Opened) -> None:
    page = opened.page
    assert not page.is_visible("#layers")
    opened.seek(4.0)
    assert opened.there() == {"person", "cup", "door"} == set(opened.boxes())
    page.click("#objects summary")
    page.uncheck("#objects label:has-text('cup') input")
    opened.settled()
    assert opened.there() == {"person", "door"} == set(opened.boxes())
    assert opened.rows() == ["person", "door", "→ looking at"] and opened.chips() == {("looking at", "plain")}
    page.click("#objects button:has-text('all')")
    page.click("#relations summary")
    page.uncheck("#relations label:has-text('holding') input")
    opened.settled()
    assert "→ holding" not in opened.rows() and "→ wiping" in opened.rows()
    assert {text for text, _ in opened.chips()} == {"looking at", "in front of"}
    page.click("#relations button:has-text('all')")
    page.evaluate(
        "() => { const s = document.getElementById('least'); s.value = 0.75; s.dispatchEvent(new Event('input')); }"
    )
    opened.settled()
    assert opened.there() == {"person", "door"} == set(opened.boxes())  # the cup's score is 0.7
    page.evaluate(
        "() => { const s = document.getElementById('least'); s.value = 0.95; s.dispatchEvent(new Event('input')); }"
    )
    opened.settled()
    assert opened.boxes() == {} and opened.rows() == [] and page.is_visible(".empty")


def test_a_bar_that_is_clicked_seeks(opened: Opened) -> None:
    opened.page.click(".lane .bar.wrong")
    assert opened.time() == pytest.approx(5.0, abs=0.01)
    playable = (
        "() => { const v = document.querySelector('video'); return !v || (!v.seeking && Math.abs(v.currentTime - 5) <"
        " 0.2); }"
    )
    opened.until(playable)
    lane = opened.page.locator(".row.thing .lane").first.bounding_box()
    assert lane
    opened.page.mouse.move(lane["x"] + lane["width"] / 4, lane["y"] + 3)
    opened.page.mouse.down()
    assert opened.time() == pytest.approx(8.5 / 4, abs=0.05)
    opened.page.mouse.move(lane["x"] + lane["width"] / 2, lane["y"] + 3, steps=4)
    opened.page.mouse.up()
    assert opened.time() == pytest.approx(8.5 / 2, abs=0.05)


def test_the_keyboard(opened: Opened) -> None:
    keys = opened.page.keyboard
    for key, there in (
        ("ArrowRight", 0.5),
        ("ArrowRight", 1.0),
        ("ArrowLeft", 0.5),
        ("Shift+ArrowRight", 5.5),
        ("End", 8.0),
        ("Home", 0.0),
    ):
        keys.press(key)
        assert opened.time() == pytest.approx(there, abs=1e-3), key
    keys.press("t")
    assert opened.page.is_checked("input[value=truth]")
    keys.press("?")
    assert opened.page.is_visible("#explanation")
    keys.press("Escape")
    assert not opened.page.is_visible("#explanation")
    opened.page.focus("body")
    keys.press("b")
    assert opened.boxes() == {}
    opened.page.evaluate("document.activeElement.blur()")
    keys.press(" ")
    opened.until("Number(document.getElementById('seek').value) > 0.2")
    keys.press(" ")
    opened.until("document.getElementById('play').getAttribute('aria-label') === 'play'")


@pytest.mark.parametrize("way", ["hover", "focus"])
def test_pointing_lights_up_everywhere(opened: Opened, way: str) -> None:
    chip = opened.page.locator(".chip", has_text="holding")
    chip.hover() if way == "hover" else chip.focus()
    lit = opened.page.evaluate(
        "() => [...document.querySelectorAll('.hot')].map((e) => e.getAttribute('class').split(' ')[0])"
    )
    assert {"box", "node", "chip", "bar"} <= set(lit)
    bars = opened.page.evaluate(
        "() => [...document.querySelectorAll('.bar.hot')].map((e) =>"
        " e.closest('.row').querySelector('.label').textContent)"
    )
    assert set(bars) == {"→ holding"}


LOOKS = [(width, height, theme) for width, height in ((1280, 800), (390, 844)) for theme in ("light", "dark")]


@pytest.mark.parametrize(
    "opened", [("with", {"viewport": {"width": w, "height": h}, "color_scheme": t, "reduced_motion": "reduce"}) for w, h, t in LOOKS], indirect=True,
    ids=[f"{w} {t}" for w, _, t in LOOKS],
)  # fmt: skip
def test_nothing_is_cut_off(opened: Opened) -> None:
    opened.seek(4.0)
    measured: dict[str, Any] = opened.page.evaluate("""() => ({ wide: document.documentElement.scrollWidth - innerWidth,
            out: [...document.querySelectorAll('button, h1, .chip, .name, select, summary, output, .label')].filter((e) => {
              const box = e.getBoundingClientRect();
              return box.width && (box.left < -1 || box.right > innerWidth + 1) && !e.closest('.lane, .choices');
            }).map((e) => e.className || e.id),
            overlaps: (() => {
              const all = [...document.querySelectorAll('.chip, .node:not([hidden]) .face')].map((e) => e.getBoundingClientRect());
              return all.flatMap((a, i) => all.slice(i + 1).filter((b) => a.left < b.right - 3 && b.left < a.right - 3
                && a.top < b.bottom - 1 && b.top < a.bottom - 1)).length;
            })(),
            paper: getComputedStyle(document.body).backgroundColor })""")
    assert measured["wide"] <= 0 and measured["out"] == [] and measured["overlaps"] == 0
    light = sum(map(int, re.findall(r"\d+", measured["paper"])[:3])) > 380
    opened.page.click("#theme")
    after = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert light != (sum(map(int, re.findall(r"\d+", after)[:3])) > 380)


@pytest.mark.parametrize("opened", [("crowd", {})], indirect=True)
def test_relations_between_any_things(opened: Opened) -> None:
    assert opened.there() == {"person 1", "person 2", "dog", "ball"}
    assert {text for text, _ in opened.chips()} == {"person 1: talks to", "person 2: watches", "dog: chases"}
    assert {"person 1 → talks to", "person 2 → watches", "dog → chases"} <= set(opened.rows())
    assert sorted(opened.page.locator(".chip .score").all_inner_texts()) == [".70", ".80", "1.00"]
    low = "Math.max(...[...document.querySelectorAll('.chip, .node')].map((e) => e.getBoundingClientRect().bottom))"
    assert opened.page.evaluate(f"{low} <= document.querySelector('.sheet').getBoundingClientRect().bottom")


@pytest.mark.parametrize("opened", [("actions", {})], indirect=True)
def test_actions_without_boxes_and_without_times(opened: Opened) -> None:
    graph = annotated_graph(action_annotation([2, 1], seed=0))
    for i, shown in enumerate(graph.frames):
        assert opened.page.text_content("#place") == f"graph {i + 1} of {len(graph.frames)}"
        assert {name.split(" ")[0] for name in opened.there()} == {node.label for node in shown.nodes}
        assert opened.page.locator(".chip").count() == len(
            {(edge.subject, edge.object, edge.predicate) for edge in shown.edges}
        )
        opened.page.keyboard.press("ArrowRight")
    assert opened.page.locator(".lane .bar").count() >= 2 and not opened.page.is_visible("#layers")


@pytest.mark.parametrize("opened", [("guessed", {})], indirect=True)
def test_an_unsure_action_stays_the_centre_of_its_graph(opened: Opened) -> None:
    """Unsure things are hidden by their score, but without its action a graph would be empty."""
    assert {name.split(" ")[0] for name in opened.there()} == {"wash", "cup"}
    assert {text for text, _ in opened.chips()} == {"dobj"}
    assert opened.page.text_content("#place") == "graph 2 of 2"  # where the page was told to open


@pytest.mark.parametrize("opened", [("part", {})], indirect=True)
def test_a_part_begins_where_it_was_cut(opened: Opened) -> None:
    assert opened.time() == pytest.approx(2.0, abs=0.01)
    opened.seek(4.0)
    np.testing.assert_allclose(opened.boxes()["cup"][0], expected(4.0)["cup"][0], atol=0.06)
    place = opened.page.evaluate("() => { const v = document.querySelector('video'); return v ? v.currentTime : 2; }")
    assert place == pytest.approx(2.0, abs=0.05)
