"""Comparisons of counters: the numbers of an evaluation bit for bit, and intervals as a loop over
resamples finds them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden.recall.inputs import make_case
from recall_cases import frame_schema, golden_video

from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.metrics.bootstrap import resample
from vidsgg.metrics.differences import Differences
from vidsgg.metrics.long_tail import PARTS, LongTail
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.recall import RecallCounts
from vidsgg.metrics.result import AVERAGES, RecallResult

SCHEMA = frame_schema()
PROTOCOL = protocol_for(SCHEMA, "sgdet")
PREDICATES = SCHEMA.vocabulary.predicates
CONFIG = {
    "seed": 5,
    "mode": "sgdet",
    "videos": 8,
    "frames": (1, 5),
    "objects": (1, 5),
    "label_acc": 0.8,
    "detect": 0.9,
    "extra": (0, 9),
}
TAIL = LongTail.of(np.arange(26)[::-1])


@pytest.fixture(scope="module")
def counts() -> dict[str, RecallCounts]:
    """Of predictions as they are, and with those of every second video turned around."""
    found = {}
    for name in ("good", "worse"):
        accumulator = RecallAccumulator(PROTOCOL, SCHEMA.vocabulary)
        for i, video in enumerate(make_case(CONFIG)):
            annotation, prediction = golden_video(video, SCHEMA, f"v{i}")
            if name == "worse" and i % 2:
                prediction = replace(
                    prediction, scores={group: 1 - table for group, table in prediction.scores.items()}
                )
            accumulator.update(annotation, prediction)
        found[name] = accumulator.counts()
    return found


@pytest.fixture(scope="module")
def differences(counts: dict[str, RecallCounts]) -> Differences:
    return Differences.of(PROTOCOL, PREDICATES, TAIL, counts)


def test_estimates_are_those_of_an_evaluation_bit_for_bit(
    differences: Differences, counts: dict[str, RecallCounts]
) -> None:
    for name, each in counts.items():
        result = RecallResult.of(PROTOCOL, PREDICATES, each)
        for average in AVERAGES:
            np.testing.assert_array_equal(differences.value(name, average)[0], getattr(result, average))
        np.testing.assert_array_equal(differences.value(name, "recall")[0], result.predicate_recall)
        for i, part in enumerate(PARTS):
            np.testing.assert_array_equal(differences.value(name, part)[0], TAIL.means(result.predicate_recall)[..., i])


def test_intervals_are_those_of_a_loop_over_resamples(
    differences: Differences, counts: dict[str, RecallCounts]
) -> None:
    drawn = resample(8).astype(int)
    occurring = np.count_nonzero(counts["good"].relations.sum(0))
    samples = {name: {"R": [], "mR": [], "mR_frame_all": [], "tail": []} for name in counts}
    for times in drawn[:300]:
        rows = [i for i, count in enumerate(times) for _ in range(count)]
        for name, each in counts.items():
            result = RecallResult.of(PROTOCOL, PREDICATES, RecallCounts.cat([each.video(i) for i in rows]))
            there = np.count_nonzero(result.relations)
            tail = TAIL.part == 2
            known = np.count_nonzero(counts["good"].relations.sum(0)[tail]) / max(
                np.count_nonzero(result.relations[tail]), 1
            )
            samples[name]["R"].append(result.R)
            samples[name]["mR"].append(result.mR * occurring / there)
            samples[name]["mR_frame_all"].append(result.mR_frame_all)
            samples[name]["tail"].append(result.predicate_recall[..., tail].mean(-1) * known)
    for measure in ("R", "mR", "mR_frame_all", "tail"):
        ours = {name: differences.models[name].samples[measure][:300] for name in counts}
        for name in counts:
            np.testing.assert_allclose(ours[name], np.array(samples[name][measure]), rtol=0, atol=1e-12)
        low, high = np.percentile(
            differences.models["worse"].samples[measure] - differences.models["good"].samples[measure],
            [2.5, 97.5],
            axis=0,
        )
        interval = differences.difference("worse", measure)[1]
        np.testing.assert_allclose([interval.low, interval.high], [low, high], rtol=0, atol=1e-12)


def test_a_model_differs_from_itself_by_nothing_for_sure(counts: dict[str, RecallCounts]) -> None:
    same = Differences.of(PROTOCOL, PREDICATES, TAIL, {"a": counts["good"], "b": counts["good"]})
    value, interval = same.difference("b", "R")
    assert not value.any() and not interval.low.any() and not interval.high.any()
    assert "*" not in same.text().split("difference to a")[1]


def test_differences_that_leave_out_zero_are_marked(differences: Differences) -> None:
    value, interval = differences.difference("worse", "R")
    at = 0, PROTOCOL.ks.index(20)
    cell = f"{100 * value[at]:.2f} [{100 * interval.low[at]:.2f}, {100 * interval.high[at]:.2f}] *"
    assert value[at] < 0 and interval.high[at] < 0
    assert cell in differences.text()


def test_rows_hold_everything(differences: Differences) -> None:
    rows = differences.rows()
    assert len(rows) == 2 * 12 * (len(AVERAGES) + len(PARTS) + 26)
    row = next(r for r in rows if (r["run"], r["constraint"], r["measure"], r["k"]) == ("worse", "no", "mR", 50))
    value, interval = differences.difference("worse", "mR")
    assert (row["difference"], row["difference_low"], row["difference_high"]) == (
        value[2, 2],
        interval.low[2, 2],
        interval.high[2, 2],
    )
    assert row["value"] == differences.value("worse", "mR")[0][2, 2]
