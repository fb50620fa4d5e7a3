"""How recall appears in log lines and as named scalars."""

from __future__ import annotations

from vidsgg.metrics.result import AVERAGES, RecallResult

MONITORED = ("with", 20)  # validation recall@20 with constraint chooses the best checkpoint


def monitored(result: RecallResult) -> float:
    """The score by which epochs are compared, 0..1."""
    return result.value(*MONITORED)


def log_line(result: RecallResult) -> str:
    """``Recall@10: 8.20 - ... - mRecall@10: 3.10 - ...``: percent, with constraint, mean recall pooled over the data set."""
    values = [("Recall", "R"), ("mRecall", "mR")]
    return " - ".join(f"{name}@{k}: {100 * result.value('with', k, average):.2f}" for name, average in values for k in result.protocol.ks)


def short(rate: float) -> str:
    """A learning rate as people write it: 1e-4, 2.96e-4."""
    digits, exponent = f"{rate:.2e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def scalars(result: RecallResult) -> dict[str, float]:
    """Every average under a name such as ``with/recall@20`` or ``no/mR@50``, as fractions."""
    names = {"R": "recall", **{average: average for average in AVERAGES[1:]}}
    return {
        f"{constraint}/{names[average]}@{k}": result.value(constraint, k, average)
        for constraint in result.protocol.constraints
        for average in AVERAGES
        for k in result.protocol.ks
    }
