"""Recall against numbers recorded from the authors' evaluators."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from golden.easg_recall import inputs as event_inputs
from golden.recall import inputs as frame_inputs
from recall_cases import event_probabilities, event_schema, event_video, frame_schema, golden_video

from vidsgg.metrics.accumulator import RecallAccumulator, video_ranks
from vidsgg.metrics.frame_ranks import frame_ranks
from vidsgg.metrics.inputs import frame_pairs
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.recall import unit_recall

GOLDEN = Path(__file__).parent.parent / "golden"
FRAME_CASES = [
    case for case in json.loads((GOLDEN / "recall/cases.json").read_text(encoding="utf-8")) if case.get("kind") != "iou"
]
EVENT_CASES = json.loads((GOLDEN / "easg_recall/cases.json").read_text(encoding="utf-8"))["cases"]
TASKS = ("predcls", "sgcls", "sgdet")


def config_of(case):
    return {key: value for key, value in case.items() if key not in ("id", "frames_total", "outputs")}


@pytest.mark.parametrize("case", FRAME_CASES, ids=lambda case: case["id"])
def test_frames_agree_with_the_authors(case):
    schema = frame_schema()
    expected = np.load(GOLDEN / "recall" / f"{case['id']}.npz")
    protocol = protocol_for(schema, case["mode"])
    videos = [golden_video(video, schema, f"v{i}") for i, video in enumerate(frame_inputs.make_case(config_of(case)))]
    annotations, predictions = zip(*videos, strict=True)
    assert sum(a.frames for a in annotations) == case["frames_total"]

    ranks = video_ranks(annotations, predictions, schema.vocabulary, protocol)
    recall = unit_recall(ranks, case["frames_total"], protocol.ks)
    accumulator = RecallAccumulator(protocol, schema.vocabulary)
    for annotation, prediction in videos:
        accumulator.update(annotation, prediction)
    result = accumulator.compute()

    np.testing.assert_array_equal(result.relations, expected["count"])
    for x, constraint in enumerate(("with", "semi", "no")):
        np.testing.assert_allclose(recall[x].T, expected[f"{constraint}_recall"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(result.R[x], expected[f"{constraint}_mean"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(result.mR[x], expected[f"{constraint}_mR"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(result.mR_frame[x], expected[f"{constraint}_mR_frame"], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(result.hits[x], expected[f"{constraint}_hit"])


@pytest.mark.parametrize("case", FRAME_CASES, ids=lambda case: case["id"])
def test_float64_boxes_of_the_truth_are_taken_as_they_are(case):
    schema = frame_schema()
    expected = np.load(GOLDEN / "recall" / f"{case['id']}.npz")
    protocol = protocol_for(schema, case["mode"])
    raw = frame_inputs.make_case(config_of(case))
    annotations, predictions = zip(*(golden_video(video, schema, f"v{i}") for i, video in enumerate(raw)), strict=True)
    truth, scored = frame_pairs(annotations, predictions, schema.vocabulary)
    exact = np.concatenate([np.vstack([frame["person"], frame["boxes"]]) for video in raw for frame in video["gt"]])
    assert exact.dtype == np.float64
    ranks = frame_ranks(replace(truth, node_box=exact), scored, schema.vocabulary.groups, protocol)
    recall = unit_recall(ranks, case["frames_total"], protocol.ks)
    for x, constraint in enumerate(("with", "semi", "no")):
        np.testing.assert_allclose(recall[x].T, expected[f"{constraint}_recall"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", EVENT_CASES, ids=lambda case: case["id"])
def test_events_agree_with_the_authors(case):
    if case["source"] == "real" and not os.environ.get("VIDSGG_EASG"):
        pytest.skip("set VIDSGG_EASG to the folder of the EASG annotations")
    graphs, logits = event_inputs.make(case)
    expected = np.load(GOLDEN / "easg_recall" / f"{case['id']}.npz")["per_graph"]
    verb, obj, rel = (table.shape[-1] for table in logits[0])
    schema = event_schema(verb, obj, rel)
    annotation, prediction = event_video(schema, graphs, event_probabilities(logits))
    for task, mode in enumerate(TASKS):
        protocol = protocol_for(schema, mode)
        ranks = video_ranks([annotation], [prediction], schema.vocabulary, protocol)
        recall = unit_recall(ranks, len(graphs), protocol.ks)
        np.testing.assert_allclose(np.moveaxis(recall, -1, 0), expected[:, 2 * task : 2 * task + 2], rtol=0, atol=1e-6)
        accumulator = RecallAccumulator(protocol, schema.vocabulary)
        accumulator.update(annotation, prediction)
        percent = 100 * accumulator.compute().R
        np.testing.assert_allclose(percent, case["recall_percent"][2 * task : 2 * task + 2], rtol=0, atol=1e-4)
