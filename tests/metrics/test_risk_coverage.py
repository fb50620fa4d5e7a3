"""Risk over coverage: curves counted by hand, ties, and statements that are kept only where there
is uncertainty."""

from __future__ import annotations

import itertools
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from golden.recall.inputs import make_case
from hypothesis import given, settings
from hypothesis import strategies as st
from recall_cases import frame_schema, golden_video

from vidsgg.metrics.best_predicates import Statements
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.risk_coverage import POINTS, GroupRisk, RiskCoverageAccumulator, risk_curve

SCHEMA = frame_schema()
CONFIG = {
    "seed": 3,
    "mode": "sgdet",
    "videos": 6,
    "frames": (2, 6),
    "objects": (1, 5),
    "label_acc": 0.8,
    "detect": 0.9,
    "extra": (0, 4),
}


def test_risk_is_the_share_of_errors_among_the_surest():
    right = np.array([True, False, True, True])
    np.testing.assert_array_equal(risk_curve(np.array([0.1, 0.2, 0.3, 0.4]), right), [0, 1 / 2, 1 / 3, 1 / 4])
    np.testing.assert_array_equal(risk_curve(np.array([4, 3, 2, 1]), right), [0, 0, 1 / 3, 1 / 4])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6))
def test_ties_count_as_in_random_order(rows):
    """The curve is the mean over all orders that the doubts allow."""
    doubt, right = np.array([d for d, _ in rows]), np.array([r for _, r in rows])
    curves = []
    for order in itertools.permutations(range(len(rows))):
        if (np.diff(doubt[list(order)]) >= 0).all():
            curves.append(np.cumsum(~right[list(order)]) / np.arange(1, len(rows) + 1))
    np.testing.assert_allclose(risk_curve(doubt, right), np.mean(curves, axis=0), atol=1e-12)


def test_the_oracle_is_least_and_an_order_that_tells_nothing_gives_the_error_rate():
    rng = np.random.default_rng(0)
    right = rng.random(5000) < 0.7
    confidence = np.where(right, rng.uniform(0.4, 1, 5000), rng.uniform(0, 0.8, 5000)).astype(np.float32)
    group = GroupRisk.of(
        Statements(np.zeros(5000), right, confidence, np.ones(5000, np.float32), -right.astype(np.float32))
    )
    assert group.area["aleatoric"] == pytest.approx(group.error_rate)
    assert group.area["epistemic"] == group.area["oracle"]
    assert group.area["oracle"] < group.area["confidence"] < group.error_rate
    rate = group.error_rate  # of the oracle the area is r + (1 - r) ln(1 - r) in the limit
    assert group.area["oracle"] == pytest.approx(rate + (1 - rate) * np.log(1 - rate), abs=1e-3)
    assert {len(curve) for curve in group.curves.values()} == {POINTS}
    assert all(curve[-1] == pytest.approx(rate) for curve in group.curves.values())


@pytest.fixture(scope="module")
def videos():
    made = []
    for i, video in enumerate(make_case(CONFIG)):
        annotation, prediction = golden_video(video, SCHEMA, f"v{i}")
        rng = np.random.default_rng(i)
        tables = {
            kind: {n: rng.random(t.shape, np.float32) for n, t in prediction.scores.items()}
            for kind in ("aleatoric", "epistemic")
        }
        made.append((annotation, replace(prediction, **tables)))
    return made


def counted(videos):
    accumulator = RiskCoverageAccumulator(protocol_for(SCHEMA, "sgdet"), SCHEMA.vocabulary)
    for annotation, prediction in videos:
        accumulator.update(annotation, prediction)
    return accumulator


def test_processes_agree_with_one(videos):
    whole = counted(videos).compute()
    first = counted(videos[3:])
    first.merge(pickle.loads(pickle.dumps(counted(videos[:4]).state())))
    assert first.compute().to_json() == whole.to_json() == counted(videos[::-1]).compute().to_json()
    assert set(json.loads(json.dumps(whole.to_json()))["spatial"]["area"]) == {
        "confidence",
        "aleatoric",
        "epistemic",
        "oracle",
    }
    lines = whole.describe().split("\n")
    assert len(lines) == 4
    assert lines[1].startswith("  attention: confidence ")


def test_uncertainty_that_knows_the_errors_beats_one_that_does_not():
    accumulator = RiskCoverageAccumulator(protocol_for(SCHEMA, "predcls"), SCHEMA.vocabulary)
    for i, video in enumerate(make_case({**CONFIG, "mode": "predcls", "videos": 20})):
        annotation, prediction = golden_video(video, SCHEMA, f"v{i}")
        rng, unsure = np.random.default_rng(i), {}
        for name, hot in annotation.labels.items():  # in PredCLS a row of the truth is a row of the prediction
            unsure[name] = np.where(hot, rng.uniform(0, 0.6, hot.shape), rng.uniform(0.4, 1, hot.shape))
        blind = {name: rng.random(table.shape) for name, table in unsure.items()}
        accumulator.update(annotation, replace(prediction, aleatoric=blind, epistemic=unsure))
    for group in accumulator.compute().groups.values():
        assert group.area["oracle"] < group.area["epistemic"] < 0.7 * group.area["aleatoric"]


def test_models_without_uncertainty_leave_nothing(videos):
    accumulator = counted([(annotation, replace(p, aleatoric=None, epistemic=None)) for annotation, p in videos])
    assert accumulator.state().counts == {}
    assert accumulator.compute() is None
    only = counted([(annotation, replace(p, aleatoric=None)) for annotation, p in videos]).compute()
    assert set(only.groups["spatial"].area) == {"confidence", "epistemic", "oracle"}
