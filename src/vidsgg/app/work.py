"""One prediction in a process of its own: whatever a video does to its decoder, the server goes on,
and cancelling is at once."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from vidsgg.app.jobs import GRAPH, OVERLAY, PAGE, VIDEO, Asked
from vidsgg.app.wording import in_app
from vidsgg.detectors.backends.choice import Backend, Numbers
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.errors import DataError, VidsggError
from vidsgg.io.exporters.formats import FORMATS
from vidsgg.io.parent import end_with_parent
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.status import own_bars


@dataclass(frozen=True)
class JobTask:
    """What a process is given. folder: of the job, with the video in it. minutes: a video's length
    at most."""

    folder: Path
    name: str
    asked: Asked
    device: str
    minutes: float
    detector: str | None = None  # for models that come without one
    labels: LabelFiles = NO_LABELS  # what the user says of its labels
    backend: Backend | None = None  # what computes any detector; None for what the run had
    precision: Numbers | None = None  # its number format


@dataclass(frozen=True)
class JobStep:
    """What is being done. done, total: of it, 0 where that is not known."""

    name: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class JobResult:
    """What has been made. files: names in the job's folder."""

    frames: int
    relations: int
    seconds: float
    notes: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """message: for the user. again: whether it can go better when it is tried again."""

    message: str
    again: bool = True


Message = JobStep | JobResult | Failure


class Worker:
    """A process at work on one task. ``messages`` ends with a Result or a Failure, however the
    process ends."""

    def __init__(self, task: JobTask) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe(duplex=False)
        self._process: BaseProcess = context.Process(target=_work, args=(task, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that the process's end is the end of the connection

    def messages(self) -> Iterator[Message]:
        while True:
            try:
                message: Message = self._connection.recv()
            except (EOFError, OSError):
                self._process.join()
                yield Failure(
                    f"The process that did this ended with code {self._process.exitcode}; perhaps there was too little"
                    " memory."
                )
                return
            if isinstance(message, JobStep):
                yield message
                continue
            self._process.kill()  # it has no more to do, and libraries take seconds to leave by themselves
            self._process.join()
            yield message
            return

    def stop(self) -> None:
        """At once, wherever it is. ``messages`` then ends with a Failure."""
        self._process.kill()


def _work(task: JobTask, connection: Connection[Any, Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the server, which stops its processes
    end_with_parent()
    own_bars()
    with suppress(BrokenPipeError):  # the server is gone
        connection.send(answer_to(task, connection.send))


def answer_to(task: JobTask, tell: Callable[[Message], None]) -> JobResult | Failure:
    """What ``make`` gives, or why it gives nothing, in words for the one who sent the video."""
    try:
        return make(task, tell)
    except VidsggError as error:
        # what is wrong with a video stays wrong; a checkpoint that is not there may come back
        return Failure(_told(str(error), task), again=not isinstance(error, DataError))
    except MemoryError:
        return Failure(
            f"{task.name}: there is too little memory for it. Cut it, make its pictures smaller, or ask for fewer"
            " graphs a second."
        )
    except OSError as error:
        return Failure(
            _told(f"{task.name}: {error.strerror or error}. Free some space or memory, and try again.", task)
        )
    except Exception as error:
        traceback.print_exc()  # our mistake: for the terminal
        return Failure(_told(f"{task.name}: {unforeseen(error)}", task))


def unforeseen(error: Exception) -> str:
    """What to say of an error that only we can have made."""
    said = " ".join(str(error).split())
    return (
        f"this cannot be done ({type(error).__name__}: {said[:200]}). The terminal in which the app runs shows where it"
        " ended."
    )


def make(task: JobTask, tell: Callable[[Message], None]) -> JobResult:
    """Graph, page and exports of a video; every step is reported. Raises what vidsgg.errors has if
    there can be no graph."""
    tell(JobStep("reading"))
    video, graph = task.folder / VIDEO, task.folder / GRAPH
    _check_length(video, task.minutes)
    tell(JobStep("loading"))
    from vidsgg.assembly.saved_run import lacks_detector, read_run  # torch
    from vidsgg.recipes.predict_video import predict_one

    asked = task.asked
    detector, labels = None, NO_LABELS
    if lacks_detector(read_run(Path(asked.checkpoint), mmap=True)):
        detector, labels = task.detector, task.labels
    options = PredictOptions(
        checkpoint=asked.checkpoint,
        fps=asked.fps,
        least_score=asked.least_score,
        threshold=asked.threshold,
        device=task.device,
        backend=task.backend,
        precision=task.precision,
        detector=detector,
        classes=None if labels.classes is None else str(labels.classes),
        label_map=None if labels.label_map is None else str(labels.label_map),
    )
    done = predict_one(options, video, graph, task.name, lambda number, total: tell(JobStep("frames", number, total)))
    if done.problem:
        raise DataError(done.problem)
    files, notes = [GRAPH], [*done.notes]
    tell(JobStep("page"))
    with _noted("page", notes):
        from vidsgg.recipes.view import view_graph

        notes += view_graph(graph, task.folder / PAGE, video).notes
        files.append(PAGE)
    if asked.overlay:
        with _noted("overlay", notes):
            _draw(graph, video, lambda number, total: tell(JobStep("overlay", number, total)))
            files.append(OVERLAY)
    tell(JobStep("downloads"))
    for name in FORMATS.all():
        with _noted(name, notes):
            files.append(_export(name, graph))
    return JobResult(
        done.frames, done.relations, done.seconds, tuple(_told(note, task) for note in notes), tuple(files)
    )


def _check_length(video: Path, minutes: float) -> None:
    from vidsgg.io.video import VideoReader

    reader = VideoReader(video)
    seconds = reader.times[-1] if reader.times else reader.count / (reader.fps or 25)
    if seconds > 60 * minutes:
        raise DataError(
            f"{video}: lasts for {seconds / 60:.1f} minutes; this app takes {minutes:g}. Cut it, or raise -max_minutes."
        )


def _draw(graph: Path, video: Path, watch: Callable[[int, int], None]) -> None:
    from vidsgg.io.graphs import read_graph
    from vidsgg.viewer.overlay import write_overlay

    write_overlay(graph.with_name(OVERLAY), read_graph(graph), video, watch=watch)


def _export(name: str, graph: Path) -> str:
    from vidsgg.recipes.export import ExportOptions, run_export

    (written,) = run_export(
        ExportOptions((str(graph),), name, str(graph.with_name(name + FORMATS.get(name).suffix)))
    ).files
    return written.name


@contextmanager
def _noted(what: str, notes: list[str]) -> Iterator[None]:
    """A thing beside the graph that cannot be made costs itself only."""
    try:
        yield
    except VidsggError as error:
        notes.append(f"{what}: {error}")
    except Exception as error:
        traceback.print_exc()
        notes.append(f"{what}: {unforeseen(error)}")


def _told(text: str, task: JobTask) -> str:
    """In the app's words, without paths of ours: a video is called as its owner calls it."""
    return in_app(text).replace(str(task.folder / VIDEO), task.name).replace(str(task.folder / GRAPH), task.name)
