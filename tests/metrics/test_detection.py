from __future__ import annotations

import numpy as np
import pytest

from vidsgg.metrics.detection import DetectionScores, LabelledBoxes, average_precision

CLASSES = ("__background__", "person", "cup", "chair")
# Two frames: a person and a cup, then a person.
TRUTH = LabelledBoxes(
    np.array([0, 0, 1]), np.array([1, 2, 1]), np.array([[0, 0, 10, 10], [50, 50, 60, 80], [5, 5, 25, 45]], float)
)


def found(*rows: tuple[int, int, list[float], float]) -> LabelledBoxes:
    """Rows: frame, class, box, score."""
    frame, klass, box, score = (np.array(column) for column in zip(*rows, strict=True))
    return LabelledBoxes(frame, klass, box.astype(float), score.astype(np.float32))


def test_perfect_detections():
    result = average_precision(
        2, TRUTH, LabelledBoxes(TRUTH.frame, TRUTH.klass, TRUTH.box, np.array([0.3, 0.9, 0.6])), CLASSES
    )
    np.testing.assert_allclose(result.ap50, [np.nan, 1, 1, np.nan])
    np.testing.assert_allclose(result.ap, [np.nan, 1, 1, np.nan])
    assert (result.map50, result.map, result.scored) == (1, 1, 2)
    assert result.boxes.tolist() == [0, 2, 1, 0]


def test_nothing_found():
    nothing = LabelledBoxes(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)), np.zeros(0))
    assert average_precision(2, TRUTH, nothing, CLASSES).map50 == 0


def test_precision_falls_with_false_ones_before_the_true_ones():
    """Persons by falling score: wrong, right, right. Precision at recall 1/2 is 1/2, at 1 it is
    2/3; so it is 2/3 everywhere."""
    result = average_precision(
        2,
        TRUTH,
        found((0, 1, [50, 50, 60, 80], 0.9), (0, 1, [0, 0, 10, 10], 0.8), (1, 1, [5, 5, 25, 45], 0.7)),
        CLASSES,
    )
    np.testing.assert_allclose(result.ap50, [np.nan, 2 / 3, 0, np.nan])
    assert result.map50 == pytest.approx(1 / 3)  # over the two classes that are annotated


def test_a_box_found_twice_counts_once():
    twice = found((0, 1, [0, 0, 10, 10], 0.9), (0, 1, [0, 0, 10, 9], 0.8), (1, 1, [5, 5, 25, 45], 0.7))
    # Recall 1/2 at precision 1 (51 of 101 points), then 1 at 2/3.
    assert average_precision(2, TRUTH, twice, CLASSES).ap50[1] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_sides_are_counted_on_a_continuous_axis():
    """A box of half the height overlaps by exactly 1/2, which is enough; counted inclusively it
    would be 66 / 121."""
    just, less = ([[0, 0, 10, height]] for height in (5.0, 4.9))
    for box, right in ((just, 0.5), (less, 0.0)):
        result = average_precision(
            2, TRUTH, LabelledBoxes(np.array([0]), np.array([1]), np.array(box), np.array([0.9])), CLASSES
        )
        assert result.ap50[1] == pytest.approx(51 / 101 if right else 0)


def test_overlap_decides_the_stricter_mean():
    """An overlap of 0.72 counts at 0.5, ..., 0.7: five of ten."""
    result = average_precision(
        1,
        LabelledBoxes(*(c[:1] for c in (TRUTH.frame, TRUTH.klass, TRUTH.box))),
        found((0, 1, [0, 0, 10, 7.2], 0.9)),
        CLASSES,
    )
    assert (result.map50, result.map) == (1, pytest.approx(0.5))


def test_frames_that_come_in_parts_score_as_all_together():
    rng = np.random.default_rng(0)
    count = 60
    frame, klass = rng.integers(0, 6, count), rng.integers(1, 4, count)
    corner = rng.uniform(0, 50, (count, 2))
    box = np.concatenate([corner, corner + rng.uniform(10, 40, (count, 2))], 1)
    truth = LabelledBoxes(frame, klass, box)
    guess = LabelledBoxes(
        frame, np.where(rng.random(count) < 0.8, klass, 1), box + rng.normal(0, 3, box.shape), rng.random(count)
    )
    whole = average_precision(6, truth, guess, CLASSES)
    parts = DetectionScores(CLASSES)
    for start, stop in ((0, 1), (1, 4), (4, 6)):

        def within(boxes: LabelledBoxes, start: int = start, stop: int = stop) -> LabelledBoxes:
            rows = (boxes.frame >= start) & (boxes.frame < stop)
            return LabelledBoxes(
                boxes.frame[rows] - start,
                boxes.klass[rows],
                boxes.box[rows],
                None if boxes.score is None else boxes.score[rows],
            )

        parts.update(stop - start, within(truth), within(guess))
    result = parts.compute()
    assert result.frames == 6
    np.testing.assert_array_equal(result.ap, whole.ap)
    assert 0.1 < result.map50 < 0.95


def test_the_table_says_over_which_classes_the_mean_is():
    result = average_precision(2, TRUTH, found((0, 1, [0, 0, 10, 10], 0.9)), CLASSES)
    assert result.describe() == "mAP50 25.25 - mAP 25.25 (mean over 2 of 3 classes, 2 frames)"
    lines = result.table().splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["person", "cup", "mean"]
    assert lines[-1] == "not annotated here and not in the mean: chair"


def test_without_an_annotated_box_there_is_nothing_to_say():
    nothing = LabelledBoxes(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)))
    with pytest.raises(ValueError, match="no annotated box"):
        average_precision(2, nothing, found((0, 1, [0, 0, 10, 10], 0.9)), CLASSES)
