import json
from pathlib import Path

import numpy as np
import pytest
from golden.recall.inputs import make_iou

from vidsgg.ops.boxes import aligned_iou, pairwise_iou, xywh_to_xyxy

GOLDEN = Path(__file__).parent.parent / "golden/recall"


@pytest.mark.parametrize(
    "case", [c for c in json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8")) if c.get("kind") == "iou"]
)
def test_overlaps_agree_with_the_reference(case):
    expected = np.load(GOLDEN / f"{case['id']}.npz")["overlaps"]
    np.testing.assert_allclose(pairwise_iou(*make_iou(case["seed"]), inclusive=True), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "plain", "inclusive"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1, 1),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0, 11 / (121 + 121 - 11)),
        ((0, 0, 10, 10), (11, 0, 20, 10), 0, 0),
        ((0, 0, 9, 9), (0, 0, 9, 4), 36 / 81, 0.5),
        ((5, 5, 5, 5), (5, 5, 5, 5), 0, 1),
        ((0, 0, 4, 4), (1, 1, 3, 3), 4 / 16, 9 / 25),
    ],
    ids=["same", "touching", "next to each other", "half", "one pixel", "nested"],
)
def test_overlap_of_two_boxes(a, b, plain, inclusive):
    a, b = np.array(a, dtype=np.float32), np.array(b, dtype=np.float32)
    assert aligned_iou(a, b, inclusive=False) == pytest.approx(plain, abs=1e-15)
    assert aligned_iou(a, b, inclusive=True) == pytest.approx(inclusive, abs=1e-15)
    assert aligned_iou(a, b, inclusive=True).dtype == np.float64


def test_pairwise_is_every_aligned_pair():
    a, b = make_iou(7)
    table = pairwise_iou(a, b, inclusive=False)
    assert table.shape == (len(a), len(b))
    for i in range(len(a)):
        np.testing.assert_array_equal(table[i], aligned_iou(np.tile(a[i], (len(b), 1)), b, inclusive=False))
    assert pairwise_iou(a[:0], b, inclusive=True).shape == (0, len(b))


def test_width_and_height_become_corners():
    boxes = np.array([[10, 20, 30, 40]], dtype=np.float32)
    converted = xywh_to_xyxy(boxes)
    assert converted.tolist() == [[10, 20, 40, 60]]
    assert converted.dtype == np.float32
    assert boxes.tolist() == [[10, 20, 30, 40]]
