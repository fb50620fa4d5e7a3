"""How the authors of ImparTail and OED score their models, against numbers recorded from their evaluators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import cases_of, read_case
from golden.oed import inputs as oed_inputs
from golden.oed.states import logits_of
from golden.recall import inputs as frame_inputs
from recall_cases import event_schema, frame_schema, golden_video
from torchvision.ops import box_convert

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import ConfigError
from vidsgg.metrics.accumulator import RecallAccumulator, video_ranks
from vidsgg.metrics.frame_ranks import ScoredPairs, TruePairs, frame_ranks
from vidsgg.metrics.protocol import named_protocol
from vidsgg.metrics.ranks import NOT_FOUND
from vidsgg.metrics.recall import unit_recall
from vidsgg.models.oed.queries import PairQueries

SINGLE = {group.name: group.kind == "single" for group in SCHEMA.vocabulary.groups}


@pytest.mark.parametrize("case", cases_of("impartail", "recall"), ids=lambda case: case["id"])
def test_impartails_evaluator(case: dict[str, Any]) -> None:
    _, want = read_case("impartail", case["id"])
    schema = frame_schema()
    keys = ("id", "task", "frames_total", "outputs", "iou")
    videos = frame_inputs.make_case({name: value for name, value in case.items() if name not in keys})
    made = [golden_video(video, schema, f"v{i}") for i, video in enumerate(videos)]
    annotations, predictions = zip(*made, strict=True)
    protocol = replace(named_protocol("impartail", schema, case["mode"]), iou=case.get("iou", 0.5))
    for name, of in (("", protocol), ("once_", replace(protocol, softmax_again=False))):
        recall = unit_recall(video_ranks(annotations, predictions, schema.vocabulary, of), case["frames_total"], of.ks)
        accumulator = RecallAccumulator(of, schema.vocabulary)
        for annotation, prediction in made:
            accumulator.update(annotation, prediction)
        result = accumulator.compute()
        for x, constraint in enumerate(of.constraints):
            if f"{name}{constraint}_recall" not in want:
                continue
            told = f"{name}{constraint}"
            np.testing.assert_allclose(recall[x].T, want[f"{told}_recall"], rtol=0, atol=1e-6)
            np.testing.assert_allclose(result.R[x], want[f"{told}_mean"], rtol=0, atol=1e-6)
            np.testing.assert_allclose(result.mR_frame[x], want[f"{told}_mR_frame"], rtol=0, atol=1e-6)
            np.testing.assert_allclose(result.hR[x], np.nan_to_num(want[f"{told}_hR"]), rtol=0, atol=1e-6)


def oed_frames(case: dict[str, Any]) -> tuple[TruePairs, ScoredPairs, int]:
    """The frames of a case as tables of pairs, boxes as recorded: 0..1 of the picture."""
    given = case["mode"] == "predcls"
    made = oed_inputs.detections(case["seed"], **case["set"])
    true: dict[str, list[Any]] = {name: [] for name in ("box", "klass", "subject", "object", "frame", "labels")}
    said: dict[str, list[Any]] = {name: [] for name in ("box", "klass", "subject", "object", "frame", "score")}
    scores: dict[str, list[Any]] = {name: [] for name in SINGLE}

    def xyxy(boxes: Any) -> np.ndarray:
        return box_convert(torch.as_tensor(boxes, dtype=torch.float32), "cxcywh", "xyxy").numpy().astype(np.float64)

    for frame, (outputs, target) in enumerate(made):
        m = len(target["obj_labels"])
        start = sum(map(len, true["box"]))
        true["box"].append(xyxy(target["boxes"]))
        true["klass"].append(target["labels"])
        true["subject"].append(np.full(m, start))
        true["object"].append(start + 1 + np.arange(m))
        true["frame"].append(np.full(m, frame))
        groups = ("attn", "spatial", "contacting")
        true["labels"].append(np.concatenate([target[f"{group}_labels"] for group in groups], 1) > 0)
        found = PairQueries.of(logits_of(outputs), SINGLE, any_class=True)
        q, start = len(found.object_class), sum(map(len, said["box"]))
        boxes = (target["sub_boxes"], target["obj_boxes"]) if given else (found.subject_box, found.object_box)
        said["box"].append(np.concatenate([xyxy(box) for box in boxes]))
        classes = target["obj_labels"] if given else found.object_class.numpy()
        said["klass"].append(np.concatenate([np.ones(q, np.int64), classes]))
        object_score = np.ones(q, np.float32) if given else found.object_score.numpy()
        said["score"].append(np.concatenate([np.ones(q, np.float32), object_score]))
        said["subject"].append(start + np.arange(q))
        said["object"].append(start + q + np.arange(q))
        said["frame"].append(np.full(q, frame))
        for name, table in found.groups.items():
            scores[name].append((table.softmax(1) if SINGLE[name] else table.sigmoid()).numpy())
    t, s = ({name: np.concatenate(rows) for name, rows in table.items()} for table in (true, said))
    truth = TruePairs(t["box"], t["klass"], t["subject"], t["object"], t["frame"], t["labels"])
    probability = np.concatenate([np.concatenate(rows).T for rows in scores.values()])
    return (
        truth,
        ScoredPairs(s["box"], s["klass"], s["subject"], s["object"], s["frame"], s["score"], probability),
        len(made),
    )


@pytest.mark.parametrize("case", cases_of("oed", "evaluate"), ids=lambda case: case["id"])
def test_oeds_evaluator(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    truth, scored, frames = oed_frames(case)
    protocol = named_protocol("oed", SCHEMA, case["mode"])
    if not case["nms"]:
        protocol = replace(protocol, suppress=None, pool=100)
    ranks = frame_ranks(truth, scored, SCHEMA.vocabulary.groups, protocol)
    recall = unit_recall(ranks, frames, protocol.ks)
    count = np.bincount(ranks.predicate, minlength=26)
    np.testing.assert_array_equal(count, want["count"])
    for x, constraint in enumerate(protocol.constraints):
        np.testing.assert_allclose(recall[x].T, want[f"{constraint}_recall"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(np.nanmean(recall[x], 1), want[f"{constraint}_mean"], rtol=0, atol=1e-6)
        hits = [np.bincount(ranks.predicate[ranks.rank[x] < k], minlength=26) for k in protocol.ks]
        np.testing.assert_array_equal(hits, want[f"{constraint}_hit"])
        pooled = np.array(hits) / np.maximum(count, 1)
        np.testing.assert_allclose(pooled.mean(1), want[f"{constraint}_mR"], rtol=0, atol=1e-6)
    assert (ranks.rank < NOT_FOUND).any()


def test_data_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match="-protocol: oed scores pairs of boxes"):
        named_protocol("oed", event_schema(2, 3, 4), "predcls")
    assert "not sorted by score" in named_protocol("impartail", SCHEMA, "predcls").describe()
