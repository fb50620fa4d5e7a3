"""The jobs of the app while it runs: one is worked on at a time, in the order in which they
came."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from vidsgg.app.jobs import UNFINISHED, Job, JobFolder
from vidsgg.app.time_left import StepPace
from vidsgg.app.work import Failure, JobResult, JobStep, JobTask, Worker, unforeseen
from vidsgg.detectors.backends.choice import Backend, Numbers
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles


class Full(Exception):
    """As many jobs as may wait are waiting; the text says so to a user."""


NEW_STEP: dict[str, Any] = {"step": "", "done": 0, "total": 0}


class JobQueue:
    """All jobs, the latest first. Safe to call from any thread; ``close`` ends the one at work.

    most_waiting: jobs that may wait at a time. Those of an earlier call that do come on top.
    """

    def __init__(
        self,
        folder: JobFolder,
        device: str,
        minutes: float,
        most_waiting: int,
        work: Callable[[JobTask], Worker] = Worker,
        detector: str | None = None,
        labels: LabelFiles = NO_LABELS,
        backend: Backend | None = None,
        precision: Numbers | None = None,
    ) -> None:
        self.folder = folder
        self._most = most_waiting
        self._device, self._minutes, self._work = device, minutes, work
        self._detector, self._labels = detector, labels
        self._backend, self._precision = backend, precision
        self._jobs = {job.id: job for job in folder.load()}
        self._changed = threading.Condition()
        self._worker: tuple[str, Worker] | None = None
        self._pace = StepPace()  # of the step at work
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ends at once. What was under way is found to be stopped when the app is started again."""
        with self._changed:
            self._closed = True
            if self._worker:
                self._worker[1].stop()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def all(self) -> list[Job]:
        with self._changed:
            return sorted(map(self._timed, self._jobs.values()), key=lambda job: job.created, reverse=True)

    def find(self, number: str) -> Job | None:
        with self._changed:
            job = self._jobs.get(number)
            return None if job is None else self._timed(job)

    def _timed(self, job: Job) -> Job:
        """With the time that its step still takes, as it is now."""
        at_work = job.state == "running" and self._worker is not None and self._worker[0] == job.id
        return replace(job, left=self._pace.left() if at_work else None)

    def check_room(self) -> None:
        """Raises Full if no job may be added now."""
        with self._changed:
            if sum(job.state == "waiting" for job in self._jobs.values()) >= self._most:
                raise Full(f"{self._most} videos are waiting already; try again when one is done.")

    def add(self, job: Job) -> None:
        """Its video is in its folder. Raises Full, also if ``check_room`` did not a moment ago, and
        OSError if the disk refuses."""
        with self._changed:
            self.check_room()
            self.folder.save(job)
            self._jobs[job.id] = job
            self._changed.notify_all()

    def cancel(self, number: str) -> bool:
        """False if there is nothing to cancel."""
        with self._changed:
            job = self._jobs.get(number)
            if job is None or job.state not in UNFINISHED:
                return False
            self._put(replace(job, state="cancelled", **NEW_STEP))
            if self._worker and self._worker[0] == number:
                self._worker[1].stop()
            return True

    def again(self, number: str) -> bool:
        """Put one that came to nothing at the end of the queue; False if it cannot be. Raises Full,
        OSError if its folder is not there."""
        with self._changed:
            job = self._jobs.get(number)
            if (
                job is None
                or job.state in (*UNFINISHED, "done", "damaged")
                or (self._worker and self._worker[0] == number)
            ):
                return False
            self.check_room()
            self.folder.clear(job)
            fresh = replace(job, state="waiting", message="", again=True, created=time.time(), notes=(), files=())
            self._put(replace(fresh, **NEW_STEP))
            self._changed.notify_all()
            return True

    def remove(self, number: str) -> bool:
        """A job with all its files; False if it is at work."""
        with self._changed:
            job = self._jobs.get(number)
            if job is None or job.state in UNFINISHED or (self._worker and self._worker[0] == number):
                return False
            del self._jobs[number]
            self.folder.remove(job)
            return True

    def _put(self, job: Job) -> None:
        self._jobs[job.id] = job
        try:
            self.folder.save(job)
        except OSError as error:
            print(
                f"{self.folder.path(job)} cannot be written, so this is forgotten when the app ends: {error.strerror}",
                flush=True,
            )

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and not (
                    waiting := [job for job in self._jobs.values() if job.state == "waiting"]
                ):
                    self._changed.wait()
                if self._closed:
                    return
                job = replace(min(waiting, key=lambda job: job.created), state="running", step="starting")
                self._put(job)
                try:
                    worker = self._work(
                        JobTask(
                            self.folder.path(job),
                            job.name,
                            job.asked,
                            self._device,
                            self._minutes,
                            self._detector,
                            self._labels,
                            self._backend,
                            self._precision,
                        )
                    )
                except OSError as error:
                    self._put(
                        replace(
                            job, state="failed", message=f"No process could be started: {error.strerror}.", **NEW_STEP
                        )
                    )
                    continue
                self._worker, self._pace = (job.id, worker), StepPace()
            try:
                self._follow(job.id, worker)
            except Exception as error:  # our mistake; the jobs that wait must not wait for ever
                traceback.print_exc()
                worker.stop()
                with self._changed:
                    job = self._jobs[job.id]
                    self._put(replace(job, state="failed", message=f"{job.name}: {unforeseen(error)}", **NEW_STEP))
            with self._changed:
                self._worker = None

    def _follow(self, number: str, worker: Worker) -> None:
        step = ""
        for message in worker.messages():
            with self._changed:
                job = self._jobs[number]
                # cancelled, or about to be stopped: go on until the process has ended
                if job.state != "running" or self._closed:
                    continue
                if isinstance(message, JobStep):
                    if message.name != step:
                        step, self._pace = message.name, StepPace()
                    self._pace.tell(message.done, message.total)
                    self._jobs[number] = replace(job, step=message.name, done=message.done, total=message.total)
                elif isinstance(message, JobResult):
                    self._put(replace(job, state="done", **{**NEW_STEP, **asdict(message)}))
                elif isinstance(message, Failure):
                    self._put(replace(job, state="failed", message=message.message, again=message.again, **NEW_STEP))
