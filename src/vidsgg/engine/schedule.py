"""Learning rate schedules with a linear warm-up."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

SCHEDULES = ("step", "cosine", "plateau", "wave")
STEP_AT, STEP_FACTOR = (0.6, 0.85), 0.1
PLATEAU_FACTOR, PLATEAU_PATIENCE, PLATEAU_MIN_DELTA = 0.5, 1, 1e-4  # STTran's ReduceLROnPlateau
WAVE_EPOCHS = 10  # EASG's baseline: CosineAnnealingLR, T_max 10, never restarted


class Schedule:
    """The factor on the base learning rate, by optimiser step.

    step: times 0.1 after 60 % and again after 85 % of all steps. cosine: half a cosine from 1 to 0
    over the steps after the warm-up.
    plateau: halved when the validation score has not risen by 1e-4 for more than one evaluation.
    wave: by epoch, half a cosine from 1 to 0 over ten epochs, back to 1 over the next ten, and so
    on.
    All start with a linear warm-up.
    lead: steps before all this, at factor 1. ends: the step after the last one of every epoch,
    those of the lead not counted; only wave reads it.
    """

    def __init__(self, kind: str, steps: int, warmup: int, lead: int = 0, ends: Sequence[int] = ()) -> None:
        if kind not in SCHEDULES:
            raise ValueError(f"schedule is {kind!r}, expected one of {SCHEDULES}")
        self.kind, self.steps, self.warmup, self.lead = kind, steps, warmup, lead
        self.ends = ends
        self.forget_scores()

    def forget_scores(self) -> None:
        """Begin as if no score had been seen, at the full rate; only plateau has seen any."""
        self.best, self.waited, self.reductions = -math.inf, 0, 0

    def factor(self, step: int) -> float:
        """Factor for optimiser step ``step``, counted from 0, those of the lead included."""
        if step < self.lead:
            return 1.0
        step -= self.lead
        warm = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        if self.kind == "step":
            return warm * STEP_FACTOR ** sum(step >= share * self.steps for share in STEP_AT)
        if self.kind == "cosine":
            done = max(0, step - self.warmup) / max(1, self.steps - self.warmup)
            return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        if self.kind == "wave":
            return warm * 0.5 * (1 + math.cos(math.pi * bisect_right(self.ends, step) / WAVE_EPOCHS))
        return warm * PLATEAU_FACTOR**self.reductions

    def observe(self, score: float) -> None:
        """Tell the validation score of an evaluation (higher is better); only plateau listens."""
        if score > self.best + PLATEAU_MIN_DELTA:
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited > PLATEAU_PATIENCE:
            self.reductions, self.waited = self.reductions + 1, 0

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "reductions": self.reductions}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.waited, self.reductions = state["best"], state["waited"], state["reductions"]
