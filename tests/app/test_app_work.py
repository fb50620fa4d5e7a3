"""Predictions of the app in their processes, and the queue that hands them out."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vidsgg.app.jobs import GRAPH, OVERLAY, PAGE, VIDEO, Asked, Job
from vidsgg.app.queue import JobQueue
from vidsgg.app.time_left import StepPace
from vidsgg.app.work import Failure, JobResult, JobStep, JobTask, Message, Worker, make
from vidsgg.errors import DataError
from vidsgg.io.graphs import read_graph
from vidsgg.recipes.command_options import PredictOptions

PATIENCE = 60  # seconds, on a machine that does much else


@pytest.fixture
def task(output: Path, video: Path, tmp_path: Path) -> JobTask:
    """A video in its job's folder."""
    (tmp_path / VIDEO).write_bytes(video.read_bytes())
    return JobTask(tmp_path, "walk.mp4", Asked(str(output / "sgdet" / "checkpoint_best.tar"), fps=4), "cpu", 30)


def test_a_detector_is_computed_as_the_app_is_asked_to(task: JobTask, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[PredictOptions] = []

    def predict(options: PredictOptions, *rest: object) -> None:
        seen.append(options)
        raise DataError("enough")

    monkeypatch.setattr("vidsgg.recipes.predict_video.predict_one", predict)
    with pytest.raises(DataError, match="enough"):
        make(replace(task, backend="openvino", precision="bf16"), lambda message: None)
    assert (seen[0].backend, seen[0].precision) == ("openvino", "bf16")


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
    assert len(result.notes) == 1 and result.notes[0].startswith("no frame has a person and another thing.")
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
    assert isinstance(last, Failure) and not last.again  # it stays as it is
    with pytest.raises(DataError, match=message):
        raise DataError(last.message)
    assert [path.name for path in task.folder.iterdir()] == [VIDEO]


def test_a_process_that_is_killed_is_told(task: JobTask) -> None:
    worker = Worker(task)
    messages = worker.messages()
    assert next(messages) == JobStep("reading")
    worker.stop()
    *_, last = messages
    assert isinstance(last, Failure) and "ended with code" in last.message and last.again


class Scripted(Worker):
    """A worker that says what it is told to, in this process."""

    def __init__(self, messages: Callable[[Scripted], Iterator[Message]]) -> None:
        self.stopped, self._script = threading.Event(), messages

    def messages(self) -> Iterator[Message]:
        return self._script(self)

    def stop(self) -> None:
        self.stopped.set()


def until_stopped(worker: Scripted) -> Iterator[Message]:
    yield JobStep("frames", 1, 4)
    assert worker.stopped.wait(PATIENCE)
    yield Failure("killed")


def short(worker: Scripted) -> Iterator[Message]:
    yield JobStep("loading")
    yield JobResult(3, 2, 0.5, ("a note",), (GRAPH,))


def added(queue: JobQueue, number: str, created: float = 0.0) -> None:
    job = Job(number * 16, "a.mp4", "sgdet", Asked("x"), created)
    queue.folder.path(job).mkdir()
    queue.add(job)


def wait_for(queue: JobQueue, number: str, **wanted: object) -> Job:
    """A job as soon as it has these values."""
    end = time.monotonic() + PATIENCE
    while True:
        job = queue.find(number * 16)
        if job is not None and all(getattr(job, name) == value for name, value in wanted.items()):
            return job
        assert time.monotonic() < end, f"{job} has not {wanted}"
        time.sleep(0.01)


def test_one_after_the_other_and_cancelling_frees_the_place(queue: JobQueue) -> None:
    scripts = iter([until_stopped, short])
    queue._work = lambda task: Scripted(next(scripts))
    added(queue, "a", 1)
    added(queue, "b", 2)
    queue.start()
    job = wait_for(queue, "a", state="running", step="frames")
    assert (job.done, job.total, job.left) == (1, 4, None)  # one part tells no pace
    wait_for(queue, "b", state="waiting")
    assert not queue.remove("a" * 16) and not queue.again("a" * 16)
    assert queue.cancel("a" * 16)
    done = wait_for(queue, "b", state="done")
    assert (done.frames, done.relations, done.notes, done.files, done.step) == (3, 2, ("a note",), (GRAPH,), "")
    assert wait_for(queue, "a", state="cancelled").message == ""


def test_the_time_left_is_of_the_job_at_work(queue: JobQueue) -> None:
    queue._work = lambda task: Scripted(until_stopped)
    added(queue, "a")
    added(queue, "b", 2)
    queue.start()
    wait_for(queue, "a", step="frames")
    clock = [0.0]
    pace = queue._pace = StepPace(lambda: clock[0])
    for clock[0], done in ((10.0, 1), (20.0, 2), (30.0, 3)):
        pace.tell(done, 10)
    assert wait_for(queue, "a", state="running").left == 70
    assert wait_for(queue, "b", state="waiting").left is None
    assert {job.id[0]: job.left for job in queue.all()} == {"a": 70, "b": None}
    queue.close()
    assert {job.id[0]: job.left for job in queue.folder.load()} == {"a": None, "b": None}


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ([], None),
        ([(5.0, 1)], None),  # the first takes as long as the model takes to load
        ([(5.0, 1), (5.1, 2), (5.2, 3)], None),  # too short a time to tell
        ([(100.0, 1), (102.0, 2), (104.0, 3)], 14.0),
        ([(100.0, 1), (102.0, 2), (104.0, 3), (105.0, 3)], 13.0),  # a second of waiting is gone
        ([(100.0, 1), (102.0, 2), (104.0, 3), (124.0, 3)], 60.0),  # the fourth takes long: it is not "14 s" for ever
        ([(100.0, 1), (102.0, 2), (104.0, 10)], 0.0),
        ([(100.0, 1), (102.0, 0), (104.0, 0)], None),  # the total is not known
    ],
)
def test_the_time_left_is_honest(told: list[tuple[float, int]], left: float | None) -> None:
    clock = [0.0]
    pace = StepPace(lambda: clock[0])
    for clock[0], done in told:
        pace.tell(done, 10)
    assert pace.left() == (None if left is None else pytest.approx(left))


def test_closing_leaves_what_can_be_taken_up_again(queue: JobQueue) -> None:
    queue._work = lambda task: Scripted(until_stopped)
    added(queue, "a")
    queue.start()
    wait_for(queue, "a", state="running")
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
    wait_for(queue, "b", state="done")
    assert wait_for(queue, "a", state="failed").message == "No process could be started: Cannot allocate memory."
    queue.close()


def test_what_stays_as_it_is_is_not_tried_again_until_the_app_is_another(queue: JobQueue) -> None:
    def broken(worker: Scripted) -> Iterator[Message]:
        yield Failure("a.mp4: not a readable video", again=False)

    scripts = iter([broken, short])
    queue._work = lambda task: Scripted(next(scripts))
    added(queue, "a")
    queue.start()
    assert not wait_for(queue, "a", state="failed").again
    (reloaded,) = queue.folder.load()  # the next app may have other limits
    assert reloaded.again and reloaded.state == "failed"
    (queue.folder.path(reloaded) / VIDEO).touch()
    end = time.monotonic() + PATIENCE
    while not queue.again("a" * 16):  # once its process is gone
        assert time.monotonic() < end
        time.sleep(0.01)
    assert wait_for(queue, "a", state="done").again
