"""What the app answers, above all to what it should not be asked."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Message
from symlinks import link

from vidsgg.app.app_options import AppOptions
from vidsgg.app.checkpoints import Checkpoints
from vidsgg.app.guard import PAGE_POLICY, POLICY
from vidsgg.app.jobs import GRAPH, PAGE, VIDEO, Asked, Job, JobFolder
from vidsgg.app.queue import JobQueue
from vidsgg.app.routes import DOWNLOADS, Routes
from vidsgg.app.uploads import receive_file
from vidsgg.io.exporters.formats import FORMATS

OWN = "http://127.0.0.1:8501"


def usable(client: TestClient) -> str:
    return str(next(c["id"] for c in client.get("/api/state").json()["checkpoints"] if not c["problem"]))


def sent(client: TestClient, content: bytes = b"a film", **more: str) -> str:
    """Id of a job that waits."""
    answer = client.post("/api/jobs", params={"name": "a.mp4", "checkpoint": usable(client), **more}, content=content)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def finished(queue: JobQueue, number: str, **files: str) -> None:
    """As if it had been worked on; files: by their names, with what is in them."""
    job = queue.find(number)
    assert job is not None
    for name, text in files.items():
        (queue.folder.path(job) / name).write_text(text)
    queue._put(replace(job, state="done", files=tuple(files), frames=2))


def test_the_start_page_and_what_it_needs(client: TestClient) -> None:
    for path, kind in (
        ("/", "text/html"),
        ("/static/start.js", "text/javascript"),
        ("/static/common.js", "text/javascript"),
        ("/static/result.js", "text/javascript"),
        ("/static/app.css", "text/css"),
        ("/static/colours.css", "text/css"),
    ):
        answer = client.get(path)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
        assert answer.headers["content-security-policy"] == POLICY and "unsafe" not in POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "http://" not in answer.text.replace("http://www.w3.org", "") and "https://" not in answer.text
    assert {"--ground:", "--accent:", "--faint:"} <= set(client.get("/static/colours.css").text.split())
    assert "<script>" not in client.get("/").text


def test_an_upload_waits_in_a_folder_of_its_own(client: TestClient, queue: JobQueue) -> None:
    number = sent(client, b"a film", fps="4", threshold="0.25", least_score="", overlay="false")
    (job,) = client.get("/api/state").json()["jobs"]
    assert job["asked"] == {**job["asked"], "fps": 4.0, "threshold": 0.25, "least_score": None, "overlay": False}
    assert (job["id"], job["name"], job["state"]) == (number, "a.mp4", "waiting")
    assert (queue.folder.root / number / VIDEO).read_bytes() == b"a film"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"fps": "0"}, "'graphs a second': 0.0 is too small"),
        ({"fps": "1e9"}, "'graphs a second': 1e+09 is too large"),
        ({"fps": "nan"}, "'graphs a second'"),
        ({"fps": "fast"}, "expected a number, got 'fast'"),
        ({"threshold": "2"}, "'least score of relations': 2 is too large"),
        ({"least_score": "-1"}, "'least score of things': -1.0 is too small"),
        ({"overlay": "perhaps"}, "expected True or False"),
    ],
)
def test_wishes_that_cannot_be(client: TestClient, queue: JobQueue, more: dict[str, str], message: str) -> None:
    answer = client.post("/api/jobs", params={"checkpoint": usable(client), **more}, content=b"x")
    assert answer.status_code == 400 and message in answer.json()["message"]
    assert not list(queue.folder.root.iterdir())


def test_too_large_is_told_before_it_is_kept(client: TestClient, queue: JobQueue) -> None:
    query = {"name": "a.mp4", "checkpoint": usable(client)}
    announced = client.post("/api/jobs", params=query, content=b"x" * 100_001)
    for answer in (
        announced,
        client.post("/api/jobs", params=query, content=b"", headers={"content-length": "9" * 30}),
    ):
        assert answer.status_code == 413
        assert answer.json()["message"].startswith("The video is larger than 0.1 MB, the most that this app takes.")
    assert client.post("/api/jobs", params=query, content=b"").status_code == 400
    assert not list(queue.folder.root.iterdir())
    assert sent(client, b"x" * 100_000)


def test_too_large_without_a_word_is_told_while_it_comes(tmp_path: Path) -> None:
    parts = 0

    async def receive() -> Message:
        nonlocal parts
        parts += 1
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    with pytest.raises(HTTPException) as error:
        asyncio.run(
            receive_file(
                Request({"type": "http", "method": "POST", "headers": []}, receive), tmp_path / "film", 100_000
            )
        )
    assert (error.value.status_code, parts, (tmp_path / "film").stat().st_size) == (413, 11, 100_000)


def test_kinds_of_bodies_that_are_no_video(client: TestClient, queue: JobQueue) -> None:
    for headers, message in (
        ({"content-type": "multipart/form-data; boundary=x"}, "not a form"),
        ({"content-encoding": "gzip"}, "not compressed (gzip)"),
    ):
        answer = client.post("/api/jobs", params={"checkpoint": usable(client)}, content=b"x", headers=headers)
        assert answer.status_code == 415 and message in answer.json()["message"]
    assert not list(queue.folder.root.iterdir())
    sent(client)  # of any other type: it says nothing of what is in the file
    assert client.post(
        "/api/jobs", params={"checkpoint": usable(client)}, content=b"x", headers={"content-type": "text/html"}
    ).is_success


async def pausing(parts: list[tuple[float, bytes]]) -> AsyncIterator[Message]:
    """The body in parts, each after so many seconds; then nothing more comes."""
    for seconds, part in parts:
        await asyncio.sleep(seconds)
        yield {"type": "http.request", "body": part, "more_body": True}
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("parts", "came"),
    [([], 0), ([(0, b"x" * 40_000)], 40_000), ([(0.01, b"x")] * 500, 100)],
    ids=["nothing", "a part, then nothing", "by the byte"],
)
def test_an_upload_that_stalls_is_given_up(parts: list[tuple[float, bytes]], came: int, tmp_path: Path) -> None:
    messages = pausing(parts)
    request = Request({"type": "http", "method": "POST", "headers": []}, lambda: anext(messages))
    with pytest.raises(HTTPException) as error:
        asyncio.run(asyncio.wait_for(receive_file(request, tmp_path / "film", 100_000, patience=0.3), 20))
    assert error.value.status_code == 408 and "stalled" in error.value.detail
    assert (tmp_path / "film").stat().st_size <= max(came, 100)


def test_waiting_is_counted_again_when_the_video_has_arrived(client: TestClient, queue: JobQueue) -> None:
    """Both places are free when the upload begins, and taken by others before it ends."""

    def body() -> Iterator[bytes]:
        yield b"half a film"
        for number in "cd":
            job = Job(number * 16, "a.mp4", "sgdet", Asked("x"), 0.0)
            queue.folder.path(job).mkdir()
            queue.add(job)
        yield b"the rest"

    answer = client.post("/api/jobs", params={"checkpoint": usable(client)}, content=body())
    assert answer.status_code == 429 and "2 videos are waiting already" in answer.json()["message"]
    assert sorted(path.name for path in queue.folder.root.iterdir()) == ["c" * 16, "d" * 16]


def test_no_more_uploads_at_a_time_than_a_disk_can_take(
    client: TestClient, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidsgg.app.routes._MOST_UPLOADS", 0)
    answer = client.post("/api/jobs", params={"checkpoint": usable(client)}, content=b"x")
    assert answer.status_code == 429 and "are being sent already" in answer.json()["message"]
    assert not list(queue.folder.root.iterdir())


def test_trying_again_needs_room_too(client: TestClient) -> None:
    number = sent(client)
    assert client.post(f"/api/jobs/{number}/cancel").status_code == 200
    sent(client)
    sent(client)
    assert client.post(f"/api/jobs/{number}/again").status_code == 429


def test_too_many_waiting(client: TestClient) -> None:
    sent(client)
    sent(client)
    answer = client.post("/api/jobs", params={"checkpoint": usable(client)}, content=b"x")
    assert answer.status_code == 429 and "2 videos are waiting already" in answer.json()["message"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("C:\\films\\walk.mp4", "walk.mp4"),
        ("a\0b\n.mp4", "ab.mp4"),
        ("..", ".."),
        ("", "video"),
        ("<img src=x onerror=alert(1)>.mp4", "<img src=x onerror=alert(1)>.mp4"),
        ("ü" * 300, "ü" * 200),
    ],
)
def test_names_of_files_are_shown_and_never_paths(client: TestClient, queue: JobQueue, name: str, shown: str) -> None:
    number = sent(client, name=name)
    assert client.get(f"/api/jobs/{number}").json()["name"] == shown
    root = queue.folder.root
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*")) == [
        number,
        f"{number}/job.json",
        f"{number}/{VIDEO}",
    ]
    finished(queue, number, **{GRAPH: "{}"})
    told = client.get(f"/results/{number}/files/{GRAPH}").headers["content-disposition"]
    assert told.startswith("attachment; filename") and "/" not in told.replace("%2F", "/") and "\n" not in told


@pytest.mark.parametrize(
    "path",
    [
        "/static/../routes.py",
        "/static/..%2froutes.py",
        "/static/%2e%2e/routes.py",
        "/static//etc/passwd",
        "/static/start.html%00.js",
        "/results/..%2f..%2fsecret/page",
        "/results/%2e%2e/page",
        "/results/ID/files/..%2f..%2fsecret.json",
        "/results/ID/files/%2e%2e%2fsecret.json",
        "/results/ID/files/..%5c..%5csecret.json",
        "/results/ID/files//etc/passwd",
        "/results/ID/files/%2fetc%2fpasswd",
        "/results/ID/files/job.json",
        "/results/ID/files/video.bin",
        "/results/ID/files/coco.json%00",
        "/results/ID/files/vidvrd.json",
        "/api/jobs/..%2fsecret",
    ],
)
def test_nothing_but_what_was_made_can_be_read(client: TestClient, queue: JobQueue, path: str) -> None:
    (queue.folder.root.parent / "secret.json").write_text("secret")
    number = sent(client)
    finished(queue, number, **{"coco.json": "{}"})
    assert client.get(f"/results/{number}/files/coco.json").text == "{}"
    answer = client.get(path.replace("ID", number))
    assert answer.status_code in (404, 405) and "secret" not in answer.text.lower()


def test_the_page_of_a_result_has_no_rights(client: TestClient, queue: JobQueue) -> None:
    number = sent(client)
    assert client.get(f"/results/{number}/page").status_code == 404
    finished(queue, number, **{PAGE: "<p>a page</p>"})
    answer = client.get(f"/results/{number}/page")
    assert answer.text == "<p>a page</p>" and answer.headers["content-security-policy"] == PAGE_POLICY
    assert (
        PAGE_POLICY.startswith("sandbox allow-scripts; default-src 'none';") and "allow-same-origin" not in PAGE_POLICY
    )
    assert "content-disposition" not in answer.headers
    assert client.get(f"/results/{number}").headers["content-security-policy"] == POLICY


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "", "[", "10.0.0.1", "localhost."]
)
def test_other_names_for_this_machine_are_refused(client: TestClient, host: str) -> None:
    for method, path in (("GET", "/"), ("GET", "/api/state"), ("POST", "/api/jobs"), ("GET", "/static/start.js")):
        answer = client.request(method, path, headers={"host": host})
        assert answer.status_code == 421 and answer.headers["content-security-policy"] == POLICY


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost", "LOCALHOST:9000", "[::1]:8501"])
def test_own_names(client: TestClient, host: str) -> None:
    assert client.get("/api/state", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(("host", "status"), [("192.168.1.5:8501", 200), ("[fe80::1]", 200), ("evil.example", 421)])
def test_elsewhere_addresses_in_digits_are_ours_too(
    options: AppOptions, queue: JobQueue, host: str, status: int
) -> None:
    app = Routes(replace(options, host="0.0.0.0"), queue, Checkpoints(options.checkpoints)).app()
    assert TestClient(app, base_url=OWN).get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8501"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": OWN},
    ],
)
def test_other_sites_cannot_change_anything(client: TestClient, queue: JobQueue, headers: dict[str, str]) -> None:
    number = sent(client)
    for path in ("/api/jobs", f"/api/jobs/{number}/cancel", f"/api/jobs/{number}/remove"):
        assert (
            client.post(path, params={"checkpoint": usable(client)}, content=b"x", headers=headers).status_code == 403
        )
    (job,) = queue.all()
    assert job.state == "waiting"
    assert (
        client.post(f"/api/jobs/{number}/cancel", headers={"origin": OWN, "sec-fetch-site": "same-origin"}).status_code
        == 200
    )


def test_reading_changes_nothing(client: TestClient, queue: JobQueue) -> None:
    number = sent(client)
    for path in ("cancel", "remove", "again"):
        assert client.get(f"/api/jobs/{number}/{path}").status_code == 405
    assert client.post(f"/api/jobs/{number}/explode").status_code == 404
    assert queue.find(number) is not None


def test_cancel_again_remove(client: TestClient, queue: JobQueue) -> None:
    number = sent(client)

    def act(action: str) -> int:
        return client.post(f"/api/jobs/{number}/{action}").status_code

    assert (act("remove"), act("again"), act("cancel"), act("cancel")) == (409, 409, 200, 409)
    (queue.folder.root / number / GRAPH).write_text("half a graph")
    assert act("again") == 200 and not (queue.folder.root / number / GRAPH).exists()
    assert client.get(f"/api/jobs/{number}").json()["state"] == "waiting"
    assert (act("cancel"), act("remove"), act("remove")) == (200, 200, 404)
    assert not list(queue.folder.root.iterdir())


def test_after_a_restart(client: TestClient, queue: JobQueue, capsys: pytest.CaptureFixture[str]) -> None:
    done, half, torn, cut = sent(client), sent(client), "a" * 16, "b" * 16
    finished(queue, done, **{GRAPH: "{}"})
    root = queue.folder.root
    for name in (torn, cut, "notes"):
        (root / name).mkdir()
    (root / torn / "job.json").write_text('{"id": "x", "state": 3}')
    (root / cut / VIDEO).write_bytes(b"half an upload")
    states = {job.id: job for job in JobFolder(root).load()}
    assert {number: job.state for number, job in states.items()} == {done: "done", half: "stopped", torn: "damaged"}
    assert states[done] == queue.find(done) and states[half].message == "The app was ended before this was done."
    assert json.loads((root / half / "job.json").read_text())["state"] == "stopped"
    assert f"warning: {root / torn / 'job.json'}: state is 3" in capsys.readouterr().out
    assert not (root / cut).exists() and (root / torn).exists() and (root / "notes").exists()


def test_only_what_was_made_is_removed(client: TestClient, queue: JobQueue) -> None:
    """Files of a user in the folder of a job, or in a folder that is only called like one."""
    number, root = sent(client), queue.folder.root
    finished(queue, number, **dict.fromkeys(DOWNLOADS, "1"))
    (root / number / "notes.txt").write_text("of a user")
    assert client.post(f"/api/jobs/{number}/remove").status_code == 200
    assert [path.name for path in (root / number).iterdir()] == ["notes.txt"]
    (root / ("c" * 16) / "inner").mkdir(parents=True)
    (root / "outside").mkdir()
    (root / "outside" / VIDEO).write_bytes(b"1")
    link(root / ("d" * 16), root / "outside")
    assert list(JobFolder(root).load()) == []
    assert (
        (root / number / "notes.txt").exists()
        and (root / ("c" * 16) / "inner").exists()
        and (root / "outside" / VIDEO).exists()
    )


def test_a_job_without_more_goes_with_its_folder(client: TestClient, queue: JobQueue) -> None:
    number = sent(client)
    finished(queue, number, **dict.fromkeys(DOWNLOADS, "1"))
    (queue.folder.root / number / f".vidsgg-{'0' * 16}-video.html.tmp").write_text(
        "half, of a process that was stopped"
    )
    assert client.post(f"/api/jobs/{number}/remove").status_code == 200
    assert not list(queue.folder.root.iterdir())


RECORD = {
    "id": "x",
    "name": "a.mp4",
    "model": "m",
    "asked": {"checkpoint": "x"},
    "created": 5.0,
    "notes": [],
    "files": [],
}
DAMAGED = {
    "nothing": b"",
    "half": json.dumps(RECORD).encode()[:40],
    "no table": b"[]",
    "no text": b"\xff\xfe\x00",
    "nested": b"[" * 200_000,
    "long number": b'{"created": ' + b"9" * 5000 + b"}",
    "half a surrogate pair": json.dumps({**RECORD, "name": "\ud800"}).encode(),
    **{
        f"{name} {value!r}"[:40]: json.dumps({**RECORD, name: value}).encode()
        for name, value in [
            ("created", float("nan")), ("created", "5"), ("created", 1e300), ("created", None), ("name", 7), ("name", None),
            ("asked", "x"), ("asked", {}), ("asked", {"checkpoint": 5}), ("files", "abc"), ("files", [5]), ("files", [[]]),
            ("state", "finished"), ("notes", {"a": 1}), ("left", "soon"), ("frames", -1), ("frames", 2.5), ("message", []),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_record_costs_itself_only(
    client: TestClient, options: AppOptions, queue: JobQueue, content: bytes
) -> None:
    kept, torn, root = sent(client), "a" * 16, queue.folder.root
    (root / torn).mkdir()
    (root / torn / "job.json").write_bytes(content)
    again = JobQueue(JobFolder(root), options.device, options.max_minutes, options.max_waiting)
    later = TestClient(Routes(options, again, Checkpoints(options.checkpoints)).app(), base_url=OWN)
    jobs = {job["id"]: job for job in later.get("/api/state").json()["jobs"]}
    assert set(jobs) == {kept, torn} and jobs[kept]["state"] == "stopped"
    assert jobs[torn]["state"] == "damaged" and jobs[torn]["message"].startswith(
        "The record of this video is damaged: "
    )
    assert (
        jobs[torn]["message"].endswith(f"What there is of it lies in {root / torn}.")
        and len(jobs[torn]["message"]) < 500
    )
    statuses = [later.post(f"/api/jobs/{torn}/{action}").status_code for action in ("cancel", "again", "remove")]
    assert statuses == [409, 409, 200] and not (root / torn).exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_record_that_is_no_file_is_not_waited_for(queue: JobQueue) -> None:
    for number, make in (("a", os.mkfifo), ("b", Path.mkdir), ("c", lambda path: path.symlink_to("/etc/passwd"))):
        folder = queue.folder.root / (number * 16)
        folder.mkdir()
        make(folder / "job.json")
    assert [job.state for job in queue.folder.load()] == ["damaged"] * 3


def test_files_that_somebody_has_taken_away(client: TestClient, queue: JobQueue) -> None:
    number = sent(client)
    finished(queue, number, **{GRAPH: "{}", PAGE: "<p>"})
    for path in (GRAPH, PAGE):
        (queue.folder.root / number / path).unlink()
    for address in ("page", f"files/{GRAPH}"):
        answer = client.get(f"/results/{number}/{address}")
        assert (answer.status_code, answer.text) == (404, "a.mp4: this file is not there any more.")
    lost = sent(client)
    assert client.post(f"/api/jobs/{lost}/cancel").status_code == 200
    shutil.rmtree(queue.folder.root / lost)
    answer = client.post(f"/api/jobs/{lost}/again")
    assert answer.status_code == 409 and "its folder cannot be used" in answer.json()["message"]
    assert client.post(f"/api/jobs/{lost}/remove").status_code == 200


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=0-9", 206),
        ("bytes=-5", 206),
        ("bytes=9-0", 400),
        ("bytes=999-", 416),
        ("bytes=abc", 400),
        ("bytes=" + "9" * 5000 + "-", 400),
        ("bytes=" + ",".join(["0-"] * 5000), 200),
        ("bytes=" + ",".join(f"{i}-{i}" for i in range(5000)), 200),
    ],
    ids=lambda value: str(value)[:30],
)
def test_parts_of_files(client: TestClient, queue: JobQueue, asked: str, status: int) -> None:
    number = sent(client)
    finished(queue, number, **{"csv.csv": "x" * 500})
    began = time.monotonic()
    answer = client.get(f"/results/{number}/files/csv.csv", headers={"range": asked})
    assert (answer.status_code, len(answer.content) <= 500) == (status, True) and time.monotonic() - began < 10


def test_every_format_can_be_taken_along() -> None:
    assert set(DOWNLOADS) == {
        GRAPH,
        PAGE,
        "video.overlay.mp4",
        *(name + form.suffix for name, form in FORMATS.all().items()),
    }
    suffixes = [suffix for _, suffix in DOWNLOADS.values()]
    assert len(set(suffixes)) == len(suffixes) and {
        ".graph.json",
        ".coco.json",
        ".vidvrd.json",
        ".csv",
        ".html",
    } <= set(suffixes)
