"""Calibration: errors known beforehand, and counters that do not depend on who counts."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from golden.recall.inputs import make_case
from recall_cases import frame_schema, golden_video

from vidsgg.errors import DataError
from vidsgg.metrics import accumulator as module
from vidsgg.metrics.best_predicates import best_predicates
from vidsgg.metrics.calibration import BINS, CalibrationAccumulator
from vidsgg.metrics.protocol import protocol_for

SCHEMA = frame_schema()
PROTOCOL = protocol_for(SCHEMA, "predcls")
CONFIG = {
    "seed": 3,
    "mode": "predcls",
    "videos": 6,
    "frames": (2, 6),
    "objects": (1, 5),
    "label_acc": 0.8,
    "detect": 1,
    "extra": (0, 1),
}


@pytest.fixture(scope="module")
def videos():
    return [golden_video(v, SCHEMA, f"v{i}") for i, v in enumerate(make_case(CONFIG))]


def counted(videos):
    accumulator = CalibrationAccumulator(PROTOCOL, SCHEMA.vocabulary)
    for annotation, prediction in videos:
        accumulator.update(annotation, prediction)
    return accumulator


def same(a, b):
    for name in ("statements", "right", "confidence"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def claiming(annotation, prediction, confidence, right):
    """Contacting predictions that put ``confidence`` on an annotated predicate where ``right``
    (P,), else on one that is not."""
    hot = annotation.labels["contacting"]
    best = np.where(right, hot.argmax(1), hot.argmin(1))
    table = np.zeros_like(prediction.scores["contacting"])
    table[np.arange(len(table)), best] = confidence
    return replace(prediction, scores={**prediction.scores, "contacting": table})


def test_an_error_that_is_known(videos):
    """A third of the statements is made with 0.9 and right in half of the cases, the rest with 0.2
    and never right."""
    rng, claims = np.random.default_rng(0), []
    wrong = sure = total = 0
    for annotation, prediction in videos:
        pairs = len(prediction.pair_frame)
        confident, right = rng.random(pairs) < 1 / 3, rng.random(pairs) < 0.5
        claims.append((annotation, claiming(annotation, prediction, np.where(confident, 0.9, 0.2), right & confident)))
        wrong, sure, total = wrong + (right & confident).sum(), sure + confident.sum(), total + pairs
    result = counted(claims).compute()
    expected = (sure * abs(wrong / sure - 0.9) + (total - sure) * 0.2) / total
    assert result.error[2] == pytest.approx(expected, abs=1e-7)
    assert result.statements[2].sum() == total
    assert result.right[2, 13] == wrong
    assert result.mean_confidence[2, 13] == pytest.approx(0.9)
    assert np.flatnonzero(result.statements[2]).tolist() == [3, 13]  # 0.2 is in [3/15, 4/15), 0.9 in [13/15, 14/15)
    assert f"contacting {100 * expected:.2f}" in result.describe()


def test_a_model_that_keeps_its_word_has_no_error(videos):
    """Statements made with a confidence of 3/4 of which exactly three of four are right."""
    annotation, prediction = max(videos, key=lambda pair: len(pair[1].pair_frame))
    pairs = len(prediction.pair_frame) // 4 * 4
    keep = slice(pairs)
    annotation = replace(
        annotation,
        **{name: getattr(annotation, name)[keep] for name in ("pair_subject", "pair_object", "pair_frame")},
        labels={name: hot[keep] for name, hot in annotation.labels.items()},
    )
    claims = [(annotation, claiming(annotation, prediction, 0.75, np.arange(len(prediction.pair_frame)) % 4 > 0))]
    assert pairs > 8
    assert counted(claims).compute().error[2] == 0


def test_it_is_that_of_the_statements_themselves(videos):
    result = counted(videos).compute()
    found = best_predicates(*zip(*videos, strict=True), SCHEMA.vocabulary, PROTOCOL)
    for g, statements in enumerate(found.values()):
        edges = np.digitize(statements.confidence.astype(np.float64), np.arange(1, BINS) / BINS)
        gaps = [
            (edges == b).mean()
            * abs(statements.right[edges == b].mean() - statements.confidence[edges == b].mean(dtype=np.float64))
            for b in np.unique(edges)
        ]
        assert result.error[g] == pytest.approx(sum(gaps), abs=1e-9)
        assert result.statements[g].sum() == len(statements)


def test_order_buffer_processes_and_repetition_change_nothing(videos, monkeypatch):
    whole = counted(videos).compute()
    same(counted(videos[::-1]).compute(), whole)
    same(counted([*videos, videos[2]]).compute(), whole)
    first = counted(videos[:2])
    first.merge(pickle.loads(pickle.dumps(counted(videos[1:]).state())))
    same(first.compute(), whole)
    monkeypatch.setattr(module, "_BUFFER", 1)
    same(counted(videos).compute(), whole)


def test_states_of_another_protocol_are_refused(videos):
    other = CalibrationAccumulator(protocol_for(SCHEMA, "sgdet"), SCHEMA.vocabulary)
    with pytest.raises(DataError, match="'predcls'"):
        other.merge(counted(videos[:1]).state())


def test_nothing_found_is_no_error(videos):
    annotation, prediction = videos[0]
    result = counted([(annotation, replace(prediction, node_class=np.zeros_like(prediction.node_class)))]).compute()
    assert np.isnan(result.error).all()
    assert "nothing that is annotated was found" in result.describe()
    assert json.loads(json.dumps(result.to_json()))["spatial"]["expected_calibration_error"] is None
    same(CalibrationAccumulator(PROTOCOL, SCHEMA.vocabulary).compute(), result)
