"""The report of an evaluation: the lines that it prints and the files that it writes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidsgg.errors import ConfigError
from vidsgg.inference.span_scores import SpanResult
from vidsgg.inference.track_scores import TrackResult
from vidsgg.io.atomic import write_whole
from vidsgg.metrics.calibration import CalibrationResult
from vidsgg.metrics.long_tail import PARTS, LongTail
from vidsgg.metrics.misses import MissResult
from vidsgg.metrics.result import CONSTRAINT, K, RecallResult, aligned, percent
from vidsgg.metrics.risk_coverage import RiskCoverageResult
from vidsgg.structures.vocabulary import Vocabulary

_CHARTS = ("predicates", "reliability", "mistakes", "risk_coverage")
# What evaluating leaves, as patterns for ``remove_made``.
EVALUATION_FILES = tuple(
    f"{name}_{split}{suffix}"
    for split in ("train", "val", "test")
    for name, suffix in (
        *(("evaluation", "*.json"), ("evaluation", "*.csv"), ("per_video", "*.npz")),
        *(("predicates", "*.csv"), *((chart, "*.png") for chart in _CHARTS)),
    )
)


@dataclass(frozen=True, eq=False)
class EvaluationReport:
    """tail: None for data without training annotations. risk: of models that estimate their
    uncertainty. remark: what every file has to say."""

    recall: RecallResult
    vocabulary: Vocabulary
    tail: LongTail | None
    calibration: CalibrationResult
    risk: RiskCoverageResult | None
    misses: MissResult
    remark: str = ""
    tracks: TrackResult | None = None  # of data with relations over time
    spans: SpanResult | None = None  # of the same

    def text(self) -> str:
        """The tables under one another."""
        risk = [] if self.risk is None else [self.risk.describe()]
        over_time = [result.describe() for result in (self.tracks, self.spans) if result is not None]
        parts = [
            self.recall.table(),
            *([] if self.tail is None else ["\n".join(_tail_table(self.recall, self.tail))]),
            self.misses.describe(),
            "\n".join([self.calibration.describe(), *risk]),
            *over_time,
        ]
        return "\n\n".join(parts)

    def write(self, folder: Path, split: str, about: Mapping[str, Any], *, charts: bool) -> tuple[Path, ...]:
        """``evaluation_<split>.json`` and ``.csv``, ``predicates_<split>.csv`` and the charts.
        about: what else the JSON is to say.

        Raises ConfigError if they cannot be written.
        """
        remark = {"remark": self.remark} if self.remark else {}
        uncertain = {} if self.risk is None else {"risk_coverage": self.risk.to_json()}
        content = {**about, **remark, **self.recall.to_json(), "calibration": self.calibration.to_json(), **uncertain}
        content |= {"misses": self.misses.to_json()}
        content |= {} if self.tracks is None else {"tracks": self.tracks.to_json()}
        content |= {} if self.spans is None else {"spans": self.spans.to_json()}
        files = [
            folder / f"evaluation_{split}.json",
            folder / f"evaluation_{split}.csv",
            folder / f"predicates_{split}.csv",
        ]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(files[0], json.dumps(content, indent=1) + "\n")
        except OSError as error:
            raise ConfigError(f"cannot write {files[0]}: {error.strerror}.") from error
        write_rows(files[1], [row | remark for row in (*self.recall.rows(), *self.misses.rows())])
        write_rows(files[2], [row | remark for row in self._predicate_rows()])
        return (*files, *(self._draw(folder, split) if charts else ()))

    def _draw(self, folder: Path, split: str) -> Sequence[Path]:
        # here: drawing takes time to import
        from vidsgg.charts.mistakes import draw_mistakes
        from vidsgg.charts.scores import draw_predicates, draw_reliability, draw_risk_coverage

        recall = self.recall.of_predicates(CONSTRAINT, K)
        name = f"recall@{K}, {CONSTRAINT} constraint"
        files = [folder / f"{kind}_{split}.png" for kind in _CHARTS]
        drawn = [
            draw_reliability(files[1], self.calibration, self.remark),
            draw_mistakes(files[2], self.misses, None if self.tracks is None else self.tracks.mistakes, self.remark),
        ]
        if self.tail is not None:
            predicates, relations = self.recall.predicates, self.recall.relations
            drawn.append(draw_predicates(files[0], name, predicates, recall, relations, self.tail, self.remark))
        if self.risk is not None:
            drawn.append(draw_risk_coverage(files[3], self.risk, self.remark))
        return drawn

    def _predicate_rows(self) -> list[dict[str, str | int | float]]:
        """One row per predicate, the most frequent in training first; recall as fractions. Without
        training annotations in their own order."""
        tail = self.tail
        order: list[int] = list(range(len(self.recall.predicates))) if tail is None else tail.order.tolist()
        groups = [group.name for group in self.vocabulary.groups for _ in group.predicates]
        measured = [(constraint, k) for constraint in self.recall.protocol.constraints for k in self.recall.protocol.ks]
        return [
            {
                "predicate": self.recall.predicates[p],
                "group": groups[p],
                "part": "" if tail is None else PARTS[tail.part[p]],
                "training_instances": "" if tail is None else int(tail.instances[p]),
                "relations": int(self.recall.relations[p]),
                **{
                    f"{constraint}@{k}": float(self.recall.of_predicates(constraint, k)[p])
                    for constraint, k in measured
                },
            }
            for p in order
        ]


def _tail_table(recall: RecallResult, tail: LongTail) -> list[str]:
    constraints = recall.protocol.constraints
    means = [tail.means(recall.of_predicates(constraint, K)) for constraint in constraints]
    head = ["mean recall of", "predicates", "instances in training"]
    lines = [[*head, *(f"{constraint}@{K}" for constraint in constraints)]]
    for i, part in enumerate(PARTS):
        instances = tail.instances[tail.part == i]
        span = f"{instances.min():,} to {instances.max():,}" if len(instances) else "none"
        lines.append([part, str(len(instances)), span, *(percent(mean[i]) for mean in means)])
    return aligned(lines)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A CSV file with a head, and its folder if it is not there. Raises ConfigError if it cannot be
    written."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.getvalue())
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}.") from error
    return path
