"""Hostile requests to the web app: whatever is asked, it answers, and never with a failure of its
own."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from pathlib import Path
from random import Random
from urllib.parse import quote

from detectors.tiny import sighted_set
from fuzz.mutations import TOKENS
from fuzz.runner import Kind
from fuzz.watch import assert_same, listing, watched
from starlette.testclient import TestClient

from vidsgg.app.app_options import AppOptions
from vidsgg.app.checkpoints import Checkpoints
from vidsgg.app.jobs import GRAPH, PAGE, VIDEO, JobFolder
from vidsgg.app.queue import JobQueue
from vidsgg.app.routes import DOWNLOADS, Routes
from vidsgg.cli.main import main

_OWN = "http://127.0.0.1:8501"
_REQUESTS = 30  # in one case
_NAMES = (
    "a.mp4", "", ".", "..", "../../x", "/etc/passwd", "C:\\x", "\0", "\r\nSet-Cookie: a=b", '"; filename="x', "\ud800", "\udcff", "é" * 300, "<script>",
    "\u202e4pm.exe", "%00", "%2e%2e%2f", "a" * 5000, "\n", "\x7f", "😀.mp4",
)  # fmt: skip
_VALUES = ("", "nan", "inf", "-1", "1e999", "0", "9" * 5000, "true", "[]", "\ud800", "0.5", "2", "x", "None")
_HEADERS = {
    "host": ("127.0.0.1:8501", "localhost", "evil.example", "", "127.0.0.1:99999", "[::1]", "127.0.0.1@evil", "a" * 3000),
    "origin": ("http://127.0.0.1:8501", "null", "http://evil.example", "", "file://", "x" * 3000),
    "range": ("bytes=0-", "bytes=-5", "bytes=5-1", "bytes=" + ",".join(["0-1"] * 500), "bytes=9999999999999999999-", "x=1", "bytes=a-b"),
    "content-type": ("video/mp4", "multipart/form-data; boundary=x", "application/json", "", "text/html"),
    "content-length": ("0", "5", "99999999999999"),
    "sec-fetch-site": ("cross-site", "same-origin", "none", "x"),
    "if-range": ('"x"', "Mon, 30 Nov 2026 00:00:00 GMT", "x"),
    "if-modified-since": ("x", "Mon, 30 Nov 2026 00:00:00 GMT"),
    "accept-encoding": ("gzip", "*;q=0", "x" * 1000),
}  # fmt: skip


def _prepare(made: Path) -> Path:
    tiny = (
        "-hidden_dim 8 -temporal_layer 1 -embedding_dim 4 -feedforward_dim 8 -num_workers 0 -device cpu -epochs 0"
        " -logger none"
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        data = sighted_set(made / "data")
        assert (
            main(
                [
                    "train",
                    "-mode",
                    "sgdet",
                    "-data_path",
                    str(data),
                    "-save_path",
                    str(made / "runs" / "run"),
                    *tiny.split(),
                ]
            )
            == 0
        )
    (made / "secret.txt").write_text("secret")
    return made


def _one(made: Path, random: Random, place: Path) -> None:
    before, folder = listing(made), place / "app"
    folder.mkdir()
    options = AppOptions((str(made / "runs"),), data=str(folder), max_upload_mb=0.01, max_waiting=3, device="cpu")
    queue = JobQueue(JobFolder(folder), options.device, options.max_minutes, options.max_waiting)
    asked: list[str] = []
    try:
        with watched(place), contextlib.redirect_stdout(io.StringIO()):
            # Without the context of the client nothing works on the queue: what was sent waits.
            checkpoints = Checkpoints(options.checkpoints)
            known = [choice.id for choice in checkpoints() if not choice.problem]
            assert known
            client = TestClient(Routes(options, queue, checkpoints).app(), base_url=_OWN, raise_server_exceptions=True)
            for _ in range(_REQUESTS):
                _ask(client, queue, known, random, asked)
    except BaseException as error:
        error.add_note(f"the last request: {asked[-1]:.1000}")
        raise
    finally:
        queue.close()
    assert_same(before, listing(made))
    wrong = [path for path in folder.rglob("*") if path.is_file() and path.name not in (VIDEO, "job.json", *DOWNLOADS)]
    assert not wrong, wrong


def _ask(client: TestClient, queue: JobQueue, known: list[str], random: Random, asked: list[str]) -> None:
    jobs = [job.id for job in queue.all()]
    job = (
        random.choice(jobs)
        if jobs and random.random() < 0.8
        else random.choice(("0" * 16, "..", "%2e%2e", "x", "a" * 3000))
    )
    name = random.choice((*DOWNLOADS, "job.json", VIDEO, *map(_quoted, _NAMES)))
    checkpoint = random.choice((*known, "x"))
    path, method = random.choice(
        [
            ("/", "GET"), ("/api/state", "GET"), ("/api/jobs", "POST"), ("/api/jobs", "POST"), (f"/api/jobs/{job}", "GET"),
            (f"/api/jobs/{job}/{random.choice(('cancel', 'again', 'remove', 'x', '..'))}", "POST"), (f"/results/{job}", "GET"),
            (f"/results/{job}/page", "GET"), (f"/results/{job}/files/{name}", "GET"), (f"/static/{name}", "GET"), (f"/{name}", "GET"),
        ]
    )  # fmt: skip
    if random.random() < 0.1:
        method = random.choice(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "X"))
    query = {"name": random.choice(_NAMES), "checkpoint": checkpoint} if "jobs" in path else {}
    for key in ("fps", "least_score", "threshold", "overlay", "x"):
        if random.random() < 0.15:
            query[key] = random.choice(_VALUES)
    text = "&".join(f"{key}={_quoted(value)}" for key, value in query.items())
    headers = {"origin": _OWN} | {
        key: random.choice(values) for key, values in _HEADERS.items() if random.random() < 0.1
    }
    body = random.choice(TOKENS) * random.choice((1, 1, 3)) if method != "GET" else None
    asked.append(f"{method} {path}?{text} {headers} {len(body or b'')} bytes")
    answer = client.request(method, f"{path}?{text}", content=body, headers=headers)
    assert answer.status_code < 500, f"{answer.status_code}: {answer.text[:300]}"
    assert "secret" not in answer.text and "Traceback" not in answer.text
    for header, value in answer.headers.items():
        assert "\n" not in value and "\r" not in value, (header, value)
    if answer.status_code == 201 and random.random() < 0.5:
        _finish(queue, answer.json()["id"])


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"))


def _finish(queue: JobQueue, number: str) -> None:
    """As if a job had been worked on."""
    job = queue.find(number)
    assert job is not None
    for name in (GRAPH, PAGE):
        (queue.folder.path(job) / name).write_text("{}", encoding="utf-8")
    queue._put(replace(job, state="done", files=(GRAPH, PAGE), frames=2))


KINDS = {"requests to the app": Kind("requests to the app", _prepare, _one, 100)}
