import numpy as np
import pytest
import torch
from golden.deterministic import read_case, read_json
from golden.fasterrcnn_ag.inputs import make_nms

from vidsgg.ops import nms as module
from vidsgg.ops.boxes import pairwise_iou
from vidsgg.ops.nms import nms_inclusive


def greedy(box, score, group, threshold):
    """The definition, one box after the other."""
    iou = pairwise_iou(box, box, inclusive=True)
    kept = []
    for i in np.argsort(-score, kind="stable"):
        if all(group[i] != group[j] or iou[i, j] <= threshold for j in kept):
            kept.append(i)
    return sorted(kept)


def random_boxes(seed, n, groups):
    rs = np.random.RandomState(seed)
    corner = rs.uniform(-50, 50, (n, 2))
    box = np.concatenate([corner, corner + rs.uniform(0, 60, (n, 2))], 1).astype(np.float32)
    return box, rs.permutation(n).astype(np.float32) / n, rs.randint(0, groups, n) * 7


@pytest.mark.parametrize("case", [c["id"] for c in read_json("fasterrcnn_ag", "cases.json") if c["kind"] == "nms"])
def test_equals_the_reference(case):
    config, recorded = read_case("fasterrcnn_ag", case)
    box, score = map(torch.from_numpy, make_nms(config))
    for threshold in config["thresholds"]:
        kept = nms_inclusive(box, score, torch.zeros(len(box), dtype=torch.int64), threshold)
        np.testing.assert_array_equal(kept, recorded[f"keep_{round(100 * threshold)}"])


@pytest.mark.parametrize("at_once", [1, 40, 4096], ids=["a call per group", "several calls", "one call"])
@pytest.mark.parametrize("seed", range(5))
def test_equals_the_definition_within_every_group(seed, at_once, monkeypatch):
    monkeypatch.setattr(module, "BOXES_PER_CALL", at_once)
    box, score, group = random_boxes(seed, 150, 6)
    kept = nms_inclusive(*map(torch.from_numpy, (box, score, group)), 0.4)
    assert kept.tolist() == greedy(box, score, group, 0.4)
    assert 6 < len(kept) < 140


@pytest.mark.parametrize("at_most", [1, 3, 8, 40])
def test_the_best_of_every_group_are_those_of_all(at_most):
    """Also where more boxes have to be looked at than at first: half of them are copies of one that
    beats them."""
    box, score, group = random_boxes(0, 400, 3)
    box[score > 0.5] = box[0]
    all_kept = greedy(box, score, group, 0.4)
    expected = [i for i in all_kept if sum(group[j] == group[i] and score[j] > score[i] for j in all_kept) < at_most]
    kept = nms_inclusive(*map(torch.from_numpy, (box, score, group)), 0.4, at_most)
    assert kept.tolist() == expected
    assert len(expected) == 3 * at_most or at_most == 40


def test_many_groups_far_apart_keep_their_precision():
    """Boxes in the thousandth group overlap as they do in the first: by 1/3 + 1e-5 and 1/3 - 1e-5
    of pixels."""
    box = torch.tensor([[0.0, 0, 9, 9], [5.0, 0, 14, 9]]).repeat(1000, 1)
    group = torch.arange(1000).repeat_interleave(2)
    score = torch.tensor([0.9, 0.8]).repeat(1000)
    assert len(nms_inclusive(box, score, group, 1 / 3 - 1e-5)) == 1000
    assert len(nms_inclusive(box, score, group, 1 / 3 + 1e-5)) == 2000


def test_exactly_the_threshold_stays():
    box = torch.tensor([[0.0, 0, 9, 9], [0.0, 0, 4, 9]])  # 50 of 100 pixels
    assert nms_inclusive(box, torch.tensor([0.9, 0.8]), torch.zeros(2, dtype=torch.int64), 0.5).tolist() == [0, 1]
    assert nms_inclusive(box, torch.tensor([0.8, 0.9]), torch.zeros(2, dtype=torch.int64), 0.49).tolist() == [1]


def test_equal_scores_prefer_the_earlier():
    box = torch.tensor([[0.0, 0, 9, 9], [0.0, 0, 9, 8]])
    assert nms_inclusive(box, torch.ones(2), torch.zeros(2, dtype=torch.int64), 0.5).tolist() == [0]


def test_nothing_to_keep():
    assert nms_inclusive(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), 0.5).tolist() == []
