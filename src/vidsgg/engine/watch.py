"""What goes wrong in training: errors that say where and what to do, and warnings, each once, with
their remedy."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from vidsgg.engine.checkpoint_files import BEST, LAST
from vidsgg.engine.loading import Batch, NoBatch
from vidsgg.engine.run_folder import RunFolder
from vidsgg.errors import VidsggError

HISTORY = 8  # gradient norms that an error message lists
FEWEST_STEPS = 20  # of an epoch, for a judgement about it
EPOCHS_TO_FALL, LEAST_FALL = 3, 0.01
MUCH_WAITING, MOSTLY_CLIPPED = 0.5, 0.9


class TrainingError(VidsggError):
    """Training cannot go on; names the video, the step and the last good checkpoint."""


class Watch:
    """Watches one call of ``fit``. The loop reports every batch and step to it; it writes the
    messages for the user."""

    def __init__(self, run: RunFolder, clip_grad: float, *, computes: bool) -> None:
        """computes: whether something looks at pictures in every epoch."""
        self.run, self.clip_grad = run, clip_grad
        self._once = "'vidsgg features' computes features once and for all, " if computes else ""
        # of a run that goes on
        self.last_saved = next((name for name in (LAST, BEST) if (run.path / name).exists()), None)
        self._place = "before the first step"
        self._history: deque[float] = deque(maxlen=HISTORY)
        self._norms: list[float] = []  # of the running epoch
        self._waited, self._began = 0.0, time.perf_counter()
        self._reading = False
        self._warned: set[str] = set()

    def open_epoch(self) -> None:
        self._norms, self._waited, self._began = [], 0.0, time.perf_counter()

    def reading(self, batches: Iterator[Batch | NoBatch]) -> Iterator[Batch | NoBatch]:
        """The same batches; how long they keep the model waiting is counted, but for the first, for
        which workers may have to start."""
        while True:
            asked = time.perf_counter()
            batch = next(batches, None)
            arrived = time.perf_counter()
            if self._reading:
                self._waited += arrived - asked
            else:
                self._reading, self._began = True, arrived
            if batch is None:
                return
            yield batch

    def at(self, batch: Batch, step: int, epoch: int) -> None:
        """The batch that is about to be learnt from, for errors."""
        self._place = f"at step {step} of epoch {epoch}, video {', '.join(batch.clip.video_ids)}"

    def stepped(self, norm: float) -> None:
        self._history.append(norm)
        self._norms.append(norm)

    def error(self, what: str, remedy: str) -> TrainingError:
        norms = (
            f" Gradient norms of the steps before: {', '.join(f'{norm:.3g}' for norm in self._history)}."
            if self._history
            else ""
        )
        saved = f"{self.last_saved} in {self.run.path}" if self.last_saved else "none"
        return TrainingError(f"{what} {self._place}.{norms} Last good checkpoint: {saved}. {remedy}")

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Inside, memory that runs out and worker processes that die become errors that say what to
        do."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            text = str(error)
            again = f"Go on with: {self.run.resume_command}"
            if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in text:
                first = (text or "no more memory").splitlines()[0]
                remedy = (
                    "Use a smaller -batch_size with -accumulate_grad_batches, -grad_checkpointing True or -use_amp"
                    " True."
                )
                raise self.error(f"out of memory ({first})", remedy) from error
            if "DataLoader worker" in text:
                cause = "a process that reads data ended by itself, killed perhaps for lack of memory,"
                raise self.error(cause, f"Fewer -num_workers need less memory. {again}") from error
            raise

    def close_epoch(self, epoch: int, losses: Sequence[float], warm_epoch: int) -> float:
        """Warn of what this epoch showed; returns the share of its time that the model waited for
        data.

        losses: the mean loss of every epoch so far. warm_epoch: the first that began after the
        warm-up, from 1.
        """
        waiting = self._waited / max(time.perf_counter() - self._began, 1e-9)
        if len(losses) == warm_epoch + EPOCHS_TO_FALL - 1 and losses[-1] > (1 - LEAST_FALL) * losses[0]:
            self._warn(
                f"the loss has not fallen in {len(losses)} epochs ({losses[0]:.4f}, now {losses[-1]:.4f}): try a lower"
                " -lr (a tenth) or a higher one if it hardly moves, and look at the data with 'vidsgg data check'"
            )
        if len(self._norms) >= FEWEST_STEPS:
            if waiting > MUCH_WAITING:
                self._warn(
                    f"the model waited for its data in {100 * waiting:.0f} % of epoch {epoch}: {self._once}more"
                    " -num_workers read in parallel, and a local disk is faster than a network's",
                    "waiting",
                )
            clipped = sum(norm > self.clip_grad for norm in self._norms) / len(self._norms)
            if self.clip_grad and clipped > MOSTLY_CLIPPED:
                self._warn(
                    f"gradients were clipped in {100 * clipped:.0f} % of the steps of epoch {epoch} (median norm"
                    f" {statistics.median(self._norms):.3g}, -clip_grad {self.clip_grad:g}), so that their size no"
                    " longer counts: raise -clip_grad to a usual norm, or lower -lr if the loss is unsteady",
                    "clipped",
                )
        return waiting

    def _warn(self, text: str, once: str = "") -> None:
        if once not in self._warned or not once:
            self._warned.add(once)
            self.run.log(f"warning: {text}")
