"""How an evaluation appears in log lines and as named scalars, and which of its values epochs are
compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vidsgg.engine.early_stopping import higher_is_better
from vidsgg.errors import ConfigError
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.result import AVERAGES, RecallResult
from vidsgg.options import closest

_NAMES = {"R": "recall", **{average: average for average in AVERAGES[1:]}}  # of the averages, in scalars
DEFAULT_MONITOR = "val_recall@20"


@dataclass(frozen=True)
class Monitor:
    """The value of an evaluation that decides which epoch is best, when to stop early, and when a
    plateau is reached.

    name: as the user gives it, ``val_recall@20`` (with constraint), ``val_no/mR@50`` or
    ``val_loss``. key: among the scalars of an
    evaluation. rising: whether higher is better.
    """

    name: str
    key: str
    rising: bool

    @staticmethod
    def of(name: str, protocol: Protocol) -> Monitor:
        """Raises ConfigError naming the closest value that there is."""
        ranks = [f"{average}@{k}" for average in _NAMES.values() for k in protocol.ks]
        keys = {f"val_{rank}": f"with/{rank}" for rank in ranks}
        keys |= {
            f"val_{constraint}/{rank}": f"{constraint}/{rank}" for constraint in protocol.constraints for rank in ranks
        }
        keys["val_loss"] = "loss/total"
        if name not in keys:
            raise ConfigError(
                f"option -monitor: unknown value {name!r}{closest(name, list(keys))} There are val_loss, val_recall@K,"
                f" val_mR@K, val_mR_frame@K, val_mR_frame_all@K, val_F@K and val_hR@K for K in {', '.join(map(str, protocol.ks))}, and"
                " val_no/recall@K and so on for other constraints."
            )
        return Monitor(name, keys[name], higher_is_better(name))

    def upward(self, score: float) -> float:
        """The score with its sign such that higher is better."""
        return score if self.rising else -score

    def better(self, score: float, best: float | None) -> bool:
        return best is None or self.upward(score) > self.upward(best)

    @property
    def title(self) -> str:
        """``Recall@20`` or ``loss``."""
        return self.name.removeprefix("val_").replace("recall", "Recall")

    def text(self, score: float) -> str:
        """``Recall@20 12.10``, in percent where it is a recall."""
        return f"{self.title} {100 * score:.2f}" if self.rising else f"{self.title} {score:.4f}"


def evaluation_scalars(result: RecallResult, losses: Mapping[str, float]) -> dict[str, float]:
    """Every value of an evaluation: averages under names such as ``with/recall@20`` or
    ``no/mR@50``, as fractions, and ``loss/total``."""
    recalls = {
        f"{constraint}/{_NAMES[average]}@{k}": result.value(constraint, k, average)
        for constraint in result.protocol.constraints
        for average in AVERAGES
        for k in result.protocol.ks
    }
    return {**{f"loss/{name}": value for name, value in losses.items()}, **recalls}


def log_line(result: RecallResult) -> str:
    """``Recall@10: 8.20 - ... - mRecall@10: 3.10 - ...``: percent, with constraint, mean recall
    pooled over the data set."""
    values = [("Recall", "R"), ("mRecall", "mR")]
    return " - ".join(
        f"{name}@{k}: {100 * result.value('with', k, average):.2f}"
        for name, average in values
        for k in result.protocol.ks
    )


def rate_text(rate: float) -> str:
    """A learning rate as people write it: 1e-4, 2.96e-4."""
    digits, exponent = f"{rate:.2e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"
