import numpy as np
import pytest
import torch

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.ops.boxes import pairwise_iou
from vidsgg.ops.cleaning import clean

OBJECTS = SCHEMA.vocabulary.objects
OFTEN_WRONG = SCHEMA.object_ids(SCHEMA.often_wrong)


def step_by_step(frame, box, distribution, cleaned):
    """The rule frame by frame, class by class, box by box: [(row, distribution)]."""
    result = []
    for t in np.unique(frame):
        boxes = [(row, distribution[row].copy()) for row in np.flatnonzero(frame == t)]
        for column in cleaned:
            for row, d in list(boxes):
                if d[1:].argmax() + 1 == column:
                    copy = d.copy()
                    copy[column] = 0
                    boxes.append((row, copy))
        for column in range(1, distribution.shape[1]):
            kept = []
            for row, d in sorted((b for b in boxes if b[1][1:].argmax() + 1 == column), key=lambda b: -b[1][column]):
                if all(pairwise_iou(box[[row]], box[[other]], inclusive=True) <= 0.6 for other, _ in kept):
                    kept.append((row, d))
            result += kept
    return result


def detections(seed, counts, classes, likely=()):
    """Overlapping boxes and distributions over ``classes`` columns in which the classes ``likely``
    often lead."""
    rs = np.random.RandomState(seed)
    frame = np.repeat(np.arange(len(counts)), counts)
    corner = rs.randint(0, 3, (len(frame), 2)) * 12 + rs.uniform(0, 6, (len(frame), 2))
    box = np.concatenate([corner, corner + rs.uniform(15, 25, (len(frame), 2))], 1).astype(np.float32)
    logits = rs.standard_normal((len(frame), classes))
    for column in likely:
        logits[rs.uniform(size=len(frame)) < 0.5, column] += 4
    distribution = np.exp(logits)
    distribution[:, 0] = 0
    return frame, box, (distribution / distribution.sum(1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_rule_step_by_step(seed):
    frame, box, distribution = detections(seed, [20, 0, 1, 30], len(OBJECTS), likely=(5, 8, 17, 3))
    row, cleaned = clean(*map(torch.from_numpy, (frame, box, distribution)), OFTEN_WRONG)
    expected = step_by_step(frame, box, distribution, (5, 8, 17))
    assert row.tolist() == [row for row, _ in expected]
    np.testing.assert_array_equal(cleaned, [d for _, d in expected])
    assert len(set(row.tolist())) < len(row)  # copies
    assert set(range(len(frame))) - set(row.tolist())  # and suppressed ones


def test_a_copy_of_a_copy():
    """A book that looks like a chair next, then like food, comes four times: each copy has one
    class less to choose from."""
    distribution = torch.zeros(1, len(OBJECTS))
    distribution[0, [5, 8, 17, 2]] = torch.tensor([0.4, 0.3, 0.2, 0.1])
    row, cleaned = clean(torch.tensor([3]), torch.tensor([[0.0, 0, 9, 9]]), distribution, OFTEN_WRONG)
    assert row.tolist() == [0, 0, 0, 0]
    assert cleaned.argmax(1).tolist() == [2, 5, 8, 17]
    assert cleaned[0].count_nonzero() == 1 and cleaned[3, [5, 8]].tolist() == [0, 0]


def test_classes_that_a_vocabulary_lacks_are_skipped():
    frame, box, distribution = detections(0, [12, 9], 4, likely=(2,))
    row, cleaned = clean(*map(torch.from_numpy, (frame, box, distribution)), [2])
    expected = step_by_step(frame, box, distribution, (2,))
    assert row.tolist() == [row for row, _ in expected]
    np.testing.assert_array_equal(cleaned, [d for _, d in expected])


def test_the_input_is_left_as_it_is():
    frame, box, distribution = map(torch.from_numpy, detections(1, [9], len(OBJECTS), likely=(5, 8)))
    before = distribution.clone()
    clean(frame, box, distribution, OFTEN_WRONG)
    assert torch.equal(distribution, before)


def test_nothing_detected():
    row, cleaned = clean(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4), torch.zeros(0, 37), OFTEN_WRONG)
    assert row.tolist() == [] and cleaned.shape == (0, 37)
