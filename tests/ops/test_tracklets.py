"""Tracklets of boxes that reach out of the picture, case by case (quirks T3, T4, T7 and T8 of the reference's
tracker; its recorded numbers are in tests/models/test_dsgdetr_golden.py)."""

from __future__ import annotations

import numpy as np

from vidsgg.ops.tracklets import tracklets

INSIDE, OUTSIDE = (10.0, 10.0, 40.0, 40.0), (60.0, 60.0, 120.0, 90.0)  # of a picture of 100 x 100
Seen = tuple[int, tuple[float, ...], int]  # frame, box, and a class that has a feature of its own


def tracks(*boxes: Seen) -> list[int]:
    frame, box, klass = (np.array(column) for column in zip(*boxes, strict=True))
    count = frame.max() + 1
    size = np.full((count, 2), 100.0)
    return tracklets(frame, box, klass, np.eye(3)[klass], np.arange(count), size, classes=3, swapped=False).tolist()


def test_a_box_outside_whose_match_is_rejected_opens_a_tracklet_that_others_join() -> None:
    """Neither class nor feature are near; T3 makes no difference between boxes inside and outside."""
    assert tracks((0, INSIDE, 0), (1, OUTSIDE, 1), (2, OUTSIDE, 1)) == [0, 1, 1]


def test_a_box_outside_without_a_match_stays_alone() -> None:
    assert tracks((0, INSIDE, 0), (1, INSIDE, 0), (1, OUTSIDE, 1), (2, INSIDE, 0), (2, OUTSIDE, 1)) == [0, 0, 1, 0, 2]
    assert tracks((0, OUTSIDE, 1), (1, OUTSIDE, 1)) == [0, 1]  # nothing is live in the first frame


def test_a_box_outside_joins_its_match_without_an_update() -> None:
    """The place of the last update is compared: a box there wins over one where the box outside
    was."""
    assert tracks((0, INSIDE, 0), (1, OUTSIDE, 0), (2, OUTSIDE, 0), (2, INSIDE, 0)) == [0, 0, 1, 0]


def test_rejected_matches_are_numbered_before_boxes_without_a_match() -> None:
    low, high = (0.0, 0.0, 20.0, 20.0), (50.0, 50.0, 90.0, 90.0)
    assert tracks((0, high, 0), (1, low, 1), (1, high, 1)) == [0, 2, 1]
