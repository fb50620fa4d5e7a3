"""Recall of images' scene graphs against numbers recorded from SGG-Benchmark, KaihuaTang's code and sgbench."""

import json
from pathlib import Path

import numpy as np
import pytest
from golden.more_metrics import inputs

from vidsgg.metrics.images import (
    ImageGraph,
    f_score,
    graph_constrained,
    image_overlaps,
    image_recall,
    instance_matched,
    pair_accuracy,
    predicate_recall_of_images,
    relative_recall,
    weighted_recall,
)

GOLDEN = Path(__file__).parent.parent / "golden/more_metrics"
CASES = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))


def cases_of(task):
    return pytest.mark.parametrize(
        "case", [case for case in CASES if case["task"] == task], ids=lambda case: case["id"]
    )


def assert_near(have, want):
    np.testing.assert_allclose(have, want, rtol=0, atol=1e-6)


def as_image(image):
    return ImageGraph(
        true_box=image["gt_boxes"],
        true_class=image["gt_labels"],
        relations=image["gt_relations"] - [0, 0, 1],
        box=image["boxes"],
        klass=image["labels"],
        score=image["scores"],
        pairs=image["pairs"],
        probability=image["rel_scores"][:, 1:],
    )


@cases_of("iou")
def test_overlaps_of_sgg_benchmark(case):
    assert_near(
        image_overlaps(*inputs.make_boxes(case["seed"]), "mixed"), np.load(GOLDEN / f"{case['id']}.npz")["overlaps"]
    )


@cases_of("images")
def test_recall_of_images(case):
    config = {name: value for name, value in case.items() if name in (*inputs.DEFAULTS, "seed")}
    made = inputs.make_images(config)
    images = [as_image(image) for image in made["images"]]
    seen = {(s, o, p - 1) for s, o, p in made["seen"]}
    classes = {**inputs.DEFAULTS, **config}["predicates"]
    expected = np.load(GOLDEN / f"{case['id']}.npz")

    for name, constrained in (("", True), ("nogc_", False)):
        found = image_recall(images, constrained=constrained, overlap="mixed")
        assert_near(found.image_recall, expected[f"image_{name}recall"])
        assert_near(found.recall, expected[f"{name}recall"])
        new = image_recall(images, constrained=constrained, overlap="mixed", seen=seen)
        assert_near(new.image_recall, expected[f"image_{name}zero_shot_recall"])
        assert_near(np.nan_to_num(new.recall), expected[f"{name}zero_shot_recall"])
        assert new.relations == expected["unseen_relations"]
    by_predicate = predicate_recall_of_images(images, classes, overlap="mixed")
    assert_near(by_predicate, expected["predicate_recall"])
    assert_near(by_predicate.mean(1), expected["mean_recall"])
    assert_near(f_score(expected["recall"], by_predicate.mean(1)), expected["f1"])
    assert_near(
        relative_recall(images, classes, "mixed"), [expected["relative_recall"], expected["relative_mean_recall"]]
    )
    assert_near(weighted_recall(images, overlap="mixed"), expected["weighted_recall"])
    hits = [graph_constrained(image, "mixed").hit.any(1) for image in images if len(image.relations)]
    np.testing.assert_array_equal([len(hit) for hit in hits], expected["hit_len"])
    np.testing.assert_array_equal(np.concatenate(hits), expected["hit_flat"])
    if "pair_accuracy" in expected:
        assert_near(pair_accuracy(images, filter_first=False, overlap="mixed"), expected["pair_accuracy"])
        assert_near(pair_accuracy(images, overlap="mixed"), expected["pair_accuracy_tang"])

    matched = instance_matched(images, classes)
    assert_near(matched.recall, expected["sgbench_recall"])
    assert_near(matched.predicate_recall, expected["sgbench_predicate_recall"][:, 1:])
    assert_near(matched.instance_recall, expected["instance_recall"])
    assert_near(matched.pair_recall, expected["pair_recall"])
    assert_near(matched.image_predicate_rank, expected["image_predicate_rank"][:, 1:])
    assert_near(matched.predicate_rank, expected["predicate_rank"])
