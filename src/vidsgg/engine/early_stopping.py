"""Ending a run whose validation score no longer rises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def higher_is_better(monitor: str) -> bool:
    """Whether a monitored value is a score or a loss."""
    return "loss" not in monitor


@dataclass
class EarlyStopping:
    """Stop after ``patience`` evaluations without progress.

    In a training loop of your own: ``if stopping.observe(score): break``.
    """

    patience: int = 10  #: evaluations without progress
    min_delta: float = 0.001  #: least change that counts as progress, in the unit of the score (recall: 0..1)
    monitor: str = "val_recall@20"  #: name of the score; lower is better if it contains "loss", else higher
    best: float | None = field(default=None, init=False)
    waited: int = field(default=0, init=False)

    def observe(self, score: float) -> bool:
        """Record the score of an evaluation; return True if it is time to stop."""
        gain = (
            float("inf") if self.best is None else (score - self.best) * (1 if higher_is_better(self.monitor) else -1)
        )
        if gain > self.min_delta:
            self.best, self.waited = score, 0
        else:
            self.waited += 1
        return self.exhausted

    @property
    def exhausted(self) -> bool:
        return self.waited >= self.patience

    def state_dict(self) -> dict[str, float | int | None]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, float | int | None]) -> None:
        """patience and min_delta stay as they were given."""
        self.best, self.waited = state["best"], int(state["waited"] or 0)
