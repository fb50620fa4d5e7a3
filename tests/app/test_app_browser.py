"""The app as somebody uses it: the program itself, and a real browser."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest
from chromium import open_chromium

from vidsgg.app.routes import DOWNLOADS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WAIT = 60_000  # milliseconds, on a machine that does much else


@dataclass(frozen=True)
class Program:
    """The app at work. url: its address. store: its folder."""

    process: subprocess.Popen[str]
    url: str
    store: Path


def started(*words: object) -> subprocess.Popen[str]:
    # Its own session: an interrupt of ours goes to it and its processes, as from a terminal.
    return subprocess.Popen(
        [sys.executable, "-m", "vidsgg", "app", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@contextmanager
def at_work(output: Path, store: Path) -> Iterator[Program]:
    process = started(output, "-data", store, "-port", 0, "-max_upload_mb", 0.2, "-device", "cpu")
    assert process.stdout is not None
    match = re.match(
        r"open (http://127\.0\.0\.1:\d+) \(3 models to choose from; ends with Ctrl-C\)", process.stdout.readline()
    )
    assert match
    try:
        yield Program(process, match[1], store)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def running(output: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Program]]:
    """Gives one app for all tests, and another where a test has ended it."""
    kept: list[Program] = []

    def current() -> Program:
        if not kept or kept[-1].process.poll() is not None:
            kept.append(stack.enter_context(at_work(output, tmp_path_factory.mktemp("app") / "store")))
        return kept[-1]

    with ExitStack() as stack:
        yield current


@pytest.fixture
def program(running: Callable[[], Program]) -> Program:
    return running()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_chromium() as browser:
        yield browser


@pytest.fixture
def page(program: Program, browser: Browser) -> Iterator[Page]:
    """The start page. At its end nothing may have been complained of, or asked of anybody else."""
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(WAIT)
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith((program.url, "data:", "blob:")) else complaints.append(request.url)
        ),
    )
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(program.url)
    yield page
    page.close()
    for job in json.loads(asked(program, "GET", "/api/state")[1])["jobs"]:  # of a test that has failed
        for action in ("cancel", "remove"):
            asked(program, "POST", f"/api/jobs/{job['id']}/{action}", origin=program.url)
    assert complaints == []


def test_from_a_video_to_its_page_and_files(program: Program, page: Page, video: Path) -> None:
    name = "<img src=x onerror=alert(1)>.mp4"
    assert page.is_disabled("#make")
    page.set_input_files("#file", {"name": name, "mimeType": "video/mp4", "buffer": video.read_bytes()})
    assert page.inner_text("#chosen") == name
    page.click("#options summary")
    page.fill("[name=fps]", "4")
    page.click("#make")
    page.wait_for_selector("#jobs li.waiting, #jobs li.running")
    page.wait_for_selector("#jobs li.running progress")
    page.wait_for_selector("#jobs li.done")
    assert re.fullmatch(r"10 graphs, \d+ relations over time, in .*", page.inner_text("#jobs li.done .state p"))
    assert page.locator("#jobs img").count() == 0 and page.inner_text("#jobs .name a") == name
    page.click("#jobs li.done .state a:text-is('Open')")
    inner = page.frame_locator("iframe")
    assert inner.locator("h1").inner_text() == name
    inner.locator("video").wait_for()
    assert page.frames[1].evaluate("document.querySelector('video').readyState >= 0 && self.origin") == "null"
    page.click("#downloads summary")
    taken = {}
    for address in [link.get_attribute("href") for link in page.locator("#downloads a").all()]:
        if len(taken) % 8 == 7:  # a page may start ten downloads
            page.reload()
            page.evaluate("document.querySelector('#downloads').open = true")
        with page.expect_download() as download:
            page.click(f"#downloads a[href='{address}']")
        taken[download.value.suggested_filename.rsplit(">", 1)[-1].lstrip("_")] = Path(
            download.value.path()
        ).read_bytes()
        page.evaluate("document.querySelector('#downloads').open = true")
    by_suffix = {"." + name.split(".", 1)[1]: content for name, content in taken.items()}
    graph = json.loads(by_suffix[".graph.json"])
    assert graph["video_id"] == name and any(frame["nodes"] for frame in graph["frames"])
    rows = list(csv.DictReader(io.StringIO(by_suffix[".csv"].decode())))
    assert len(rows) == sum(len(frame["edges"]) for frame in graph["frames"])  # none if nobody is seen
    assert {"videos", "annotations"} <= set(json.loads(by_suffix[".coco.json"]))
    assert by_suffix[".html"].startswith(b"<!doctype html>")
    with av.open(io.BytesIO(by_suffix[".overlay.mp4"])) as film:
        assert film.streams.video[0].frames == 60
    assert len(by_suffix) == len(DOWNLOADS)
    page.click("nav a")
    page.click("#jobs li.done button")
    page.wait_for_selector("#jobs .none")
    assert [path.name for path in sorted(program.store.iterdir())] == [".lock", ".vidsgg-app"]


def test_no_video_and_too_large(page: Page) -> None:
    page.set_input_files("#file", {"name": "large.mp4", "mimeType": "video/mp4", "buffer": b"x" * 200_001})
    page.wait_for_selector("#problem:visible")  # as soon as the page knows the limit
    assert page.inner_text("#problem").startswith("large.mp4 has 201 kB; this app takes 200 kB at most")
    assert page.is_disabled("#make")
    page.set_input_files("#file", {"name": "notes.mp4", "mimeType": "video/mp4", "buffer": b"no video"})
    assert page.is_hidden("#problem")
    page.click("#make")
    page.wait_for_selector("#jobs li.failed")
    assert page.inner_text("#jobs li.failed p.problem").startswith("notes.mp4: not a readable video")
    assert page.locator("#jobs li.failed button").all_inner_texts() == ["Remove"]  # trying again would not help
    page.click("#jobs li.failed button:has-text('Remove')")
    page.wait_for_selector("#jobs .none")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off(page: Page, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_selector(".choice")
    page.click("#unusable summary")
    page.click("#options summary")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part < 60)")
    assert dark == (scheme == "dark")


def asked(program: Program, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """As it is written: no client's own tidying of paths."""
    connection = http.client.HTTPConnection(program.url.removeprefix("http://"), timeout=30)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.parametrize(
    "path",
    [
        "/../job.json",
        "/static/../../cli/main.py",
        "/static/..%2f..%2fcli%2fmain.py",
        "//etc/passwd",
        "/results/../.lock",
        "/%00",
        "/.lock",
    ],
)
def test_raw_paths(program: Program, path: str) -> None:
    status, text = asked(program, "GET", path)
    assert status == 404 and text in (b"Not Found", b"There is no such result; it may have been removed.")


def test_a_second_app_is_refused(program: Program, output: Path, tmp_path: Path) -> None:
    port = program.url.rsplit(":", 1)[1]
    for words, message in (
        (("-port", port, "-data", tmp_path / "other"), f"options -host and -port: cannot listen at 127.0.0.1:{port}"),
        (
            ("-port", 0, "-data", program.store),
            f"option -data: {program.store} is being written by process {program.process.pid}",
        ),
    ):
        process = started(output, *words)
        said, complained = process.communicate(timeout=60)
        assert (
            (process.returncode, said) == (2, "")
            and complained.startswith(f"error: {message}")
            and "Traceback" not in complained
        )


def has_gone(group: int) -> bool:
    """Whether all processes of a group end within a few seconds."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent otherwise there")
def test_an_interrupt_ends_it_with_its_processes(program: Program, video: Path) -> None:
    number = json.loads(asked(program, "GET", "/api/state")[1])["checkpoints"][0]["id"]
    status, text = asked(program, "POST", f"/api/jobs?name=a.mp4&checkpoint={number}", video.read_bytes())
    assert status == 201
    end = time.monotonic() + WAIT / 1000
    while (job := json.loads(asked(program, "GET", "/api/state")[1])["jobs"][0])["step"] in ("", "starting"):
        assert job["state"] in ("waiting", "running") and time.monotonic() < end
        time.sleep(0.05)
    os.killpg(program.process.pid, signal.SIGINT)
    began = time.monotonic()
    assert program.process.stderr is not None
    assert [program.process.stderr.readline() for _ in range(2)] == ["\n", "the app has ended\n"]
    assert time.monotonic() - began < WAIT / 2000  # the interpreter takes its time with PyTorch
    assert program.process.communicate(timeout=60) == ("", "") and program.process.returncode == 0
    assert has_gone(program.process.pid)
    # "stopped" for the next
    assert json.loads((program.store / json.loads(text)["id"] / "job.json").read_text())["state"] == "running"
