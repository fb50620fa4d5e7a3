"""Predictions of the app in their processes, and the queue that hands them out."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vidsgg.app.jobs import GRAPH, OVERLAY, PAGE, VIDEO, Asked, Job
from vidsgg.app.queue import JobQueue
from vidsgg.app.work import Failure, JobResult, JobStep, JobTask, Message, Worker, make
from vidsgg.errors import DataError
from vidsgg.io.graphs import read_graph


@pytest.fixture
def task(output: Path, video: Path, tmp_path: Path) -> JobTask:
    """A video in its job's folder."""
    (tmp_path / VIDEO).write_bytes(video.read_bytes())
    return JobTask(tmp_path, "walk.mp4", Asked(str(output / "sgdet" / "checkpoint_best.tar"), fps=4), "cpu", 30)


def test_everything_is_made_and_told(task: JobTask) -> None:
    told: list[Message] = []
    result = make(task, told.append)
    steps = [message for message in told if isinstance(message, JobStep)]
    assert list(dict.fromkeys(step.name for step in steps)) == [
        "reading",
        "loading",
        "frames",
        "page",
        "overlay",
        "downloads",
    ]
    assert [(step.done, step.total) for step in steps if step.name == "frames"] == [(i, 10) for i in range(10)]
    assert [step.done for step in steps if step.name == "overlay"] == [0, *range(1, 61)][-60:]
    assert set(result.files) == {
        GRAPH,
        PAGE,
        OVERLAY,
        "csv.csv",
        "coco.json",
        "vidvrd.json",
        "vidor.json",
        "vidvrd_results.json",
        "graphml.graphml",
        "cypher.cypher",
        "predictions.pt",
    }
    graph = read_graph(task.folder / GRAPH)
    assert (graph.video_id, graph.frames[0].key, len(graph.frames)) == ("walk.mp4", "walk.mp4/000001", result.frames)
    # The untrained detector takes everything for a person, so nothing is left to be related to, and that is said.
    assert result.relations == len(graph.relations) == 0 and all(frame.nodes for frame in graph.frames)
    assert len(result.notes) == 1 and result.notes[0].startswith("no relation lasts long enough")
    assert "walk.mp4" in (task.folder / PAGE).read_text(encoding="utf-8")
    with (task.folder / "csv.csv").open(newline="") as file:
        assert "video" in (csv.DictReader(file).fieldnames or ())  # a row for every relation of a frame: none
    json.loads((task.folder / "coco.json").read_text())


@pytest.mark.parametrize(
    ("content", "minutes", "message"),
    [
        (b"no video", 30.0, "^walk.mp4: not a readable video"),
        (None, 0.01, "^walk.mp4: lasts for 0.0 minutes; this app takes 0.01"),
    ],
)
def test_what_is_no_video_or_too_long_is_told_by_its_own_name(
    task: JobTask, content: bytes | None, minutes: float, message: str
) -> None:
    if content is not None:
        (task.folder / VIDEO).write_bytes(content)
    *_, last = Worker(JobTask(**{**vars(task), "minutes": minutes})).messages()
    assert isinstance(last, Failure)
    with pytest.raises(DataError, match=message):
        raise DataError(last.message)
    assert [path.name for path in task.folder.iterdir()] == [VIDEO]


def test_a_process_that_is_killed_is_told(task: JobTask) -> None:
    worker = Worker(task)
    messages = worker.messages()
    assert next(messages) == JobStep("reading")
    worker.stop()
    *_, last = messages
    assert isinstance(last, Failure) and "ended with code" in last.message


class Scripted(Worker):
    """A worker that says what it is told to, in this process."""

    def __init__(self, messages: Callable[[Scripted], Iterator[Message]]) -> None:
        self.stopped, self._script = False, messages

    def messages(self) -> Iterator[Message]:
        return self._script(self)

    def stop(self) -> None:
        self.stopped = True


def until_stopped(worker: Scripted) -> Iterator[Message]:
    while not worker.stopped:
        yield JobStep("frames", 1, 4)
        time.sleep(0.01)
    yield Failure("killed")


def short(worker: Scripted) -> Iterator[Message]:
    yield JobStep("loading")
    yield JobResult(3, 2, 0.5, ("a note",), (GRAPH,))


def added(queue: JobQueue, number: str, created: float = 0.0) -> None:
    job = Job(number * 16, "a.mp4", "sgdet", Asked("x"), created)
    queue.folder.path(job).mkdir()
    queue.add(job)


def wait_for(queue: JobQueue, number: str, state: str) -> Job:
    for _ in range(500):
        job = queue.find(number * 16)
        if job is not None and job.state == state:
            return job
        time.sleep(0.01)
    raise AssertionError(f"{number} is {job and job.state}, not {state}")


def test_one_after_the_other_and_cancelling_frees_the_place(queue: JobQueue) -> None:
    scripts = iter([until_stopped, short])
    queue._work = lambda task: Scripted(next(scripts))
    added(queue, "a", 1)
    added(queue, "b", 2)
    queue.start()
    wait_for(queue, "a", "running")
    for _ in range(500):
        job = wait_for(queue, "a", "running")
        if job.step == "frames":
            break
        time.sleep(0.01)
    assert (job.done, job.total) == (1, 4) and job.left is not None
    wait_for(queue, "b", "waiting")
    assert not queue.remove("a" * 16) and not queue.again("a" * 16)
    assert queue.cancel("a" * 16)
    done = wait_for(queue, "b", "done")
    assert (done.frames, done.relations, done.notes, done.files, done.step) == (3, 2, ("a note",), (GRAPH,), "")
    assert wait_for(queue, "a", "cancelled").message == ""
    queue.close()


def test_closing_leaves_what_can_be_taken_up_again(queue: JobQueue) -> None:
    queue._work = lambda task: Scripted(until_stopped)
    added(queue, "a")
    queue.start()
    wait_for(queue, "a", "running")
    queue.close()
    (again,) = queue.folder.load()
    assert again.state == "stopped"


def test_a_process_that_cannot_be_started_costs_its_job_only(queue: JobQueue) -> None:
    def work(task: JobTask) -> Worker:
        if task.folder.name.startswith("a"):
            raise OSError(12, "Cannot allocate memory")
        return Scripted(short)

    queue._work = work
    added(queue, "a", 1)
    added(queue, "b", 2)
    queue.start()
    wait_for(queue, "b", "done")
    assert wait_for(queue, "a", "failed").message == "No process could be started: Cannot allocate memory."
    queue.close()
