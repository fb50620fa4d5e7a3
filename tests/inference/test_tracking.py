"""Things keep their ids: in scenes whose truth is known, over missed frames, and one frame after
another as all at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.datasets.registry import open_whole_split
from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate
from vidsgg.inference.tracking import TrackingRules, Tracks, follow, track_video

SIZE = np.array([[600.0, 600.0]])


def scene(seed: int, frames: int = 60, missed: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Frame, box, class and true identity of nine things of two classes that wander in their own
    corners of a picture, listed in random order and missed at most four times in a row."""
    rng = np.random.default_rng(seed)
    centre = np.array([(x, y) for x in (100, 300, 500) for y in (100, 300, 500)], float)
    rows, last = [], np.zeros(9, int)
    for t in range(frames):
        place = centre + 25 * np.array([(np.sin(0.7 * t + i), np.cos(0.9 * t + 2 * i)) for i in range(9)])
        for i in rng.permutation(9):
            if rng.random() >= missed or t - last[i] > 4:
                last[i] = t
                x, y = place[i] + rng.normal(0, 3, 2)
                rows.append((t, x - 30, y - 40, x + 30, y + 40, 1 + i % 2, i))
    table = np.array(rows)
    return table[:, 0].astype(int), table[:, 1:5], table[:, 5].astype(int), table[:, 6].astype(int)


def switches(identity: np.ndarray, ident: np.ndarray) -> int:
    """How often a true thing goes on under another id."""
    return sum(int((np.diff(ident[identity == i]) != 0).sum()) for i in np.unique(identity))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("missed", [0.0, 0.1, 0.2])
def test_no_id_switches_in_simple_scenes(seed: int, missed: float) -> None:
    frame, box, klass, identity = scene(seed, missed=missed)
    ident = track_video(frame, box, klass, SIZE.repeat(60, 0))
    assert switches(identity, ident) == 0
    assert len(np.unique(ident)) == 9  # nor do two things share one


def test_annotated_and_found_boxes_of_the_synthetic_set_keep_their_ids(tmp_path) -> None:
    """Its scenes have one thing of a class, so the class is the truth. Found boxes: the annotated
    ones, shaken and some of them lost."""
    generate(tmp_path / "d", SyntheticConfig(videos=10, width=160, height=120, workers=1))
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for a in open_whole_split(tmp_path / "d", split, "predcls"):
            kept = rng.random(a.nodes) > 0.1
            for rows, noise in ((np.ones(a.nodes, bool), 0.0), (kept, 2.0)):
                box = a.node_box[rows] + rng.normal(0, noise, (rows.sum(), 4))
                box[:, 2:] = np.maximum(box[:, 2:], box[:, :2] + 1)
                ident = track_video(a.node_frame[rows], box, a.node_class[rows], a.frame_size)
                assert switches(a.node_class[rows], ident) == 0, a.video_id


@pytest.mark.parametrize(("gap", "same"), [(0, True), (3, True), (4, True), (5, False)])
def test_a_thing_may_be_overlooked_for_a_few_frames(gap: int, same: bool) -> None:
    frame = np.array([0, 1 + gap])
    box = np.array([[10, 10, 50, 50], [12, 10, 52, 50]])
    first, second = track_video(frame, box, np.array([3, 3]), SIZE.repeat(2 + gap, 0), TrackingRules(missed=4))
    assert bool(first == second) is same


def test_a_class_does_not_take_over_another() -> None:
    box = np.array([[10.0, 10, 50, 50]] * 2)
    assert track_video(np.array([0, 1]), box, np.array([3, 4]), SIZE.repeat(2, 0)).tolist() == [1, 2]


def test_the_best_sum_wins_not_the_first_come() -> None:
    """Two cups move right, and the first then overlaps most with where the second was."""
    frame, klass = np.array([0, 0, 1, 1]), np.full(4, 2)
    box = np.array([[0, 0, 60, 40], [66, 0, 126, 40], [34, 0, 94, 40], [100, 0, 160, 40]])
    assert track_video(frame, box, klass, SIZE.repeat(2, 0)).tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_frames_without_boxes(frames: int) -> None:
    assert track_video(np.zeros(0, int), np.zeros((0, 4)), np.zeros(0, int), SIZE.repeat(frames, 0)).tolist() == []


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), cut=st.integers(1, 19))
def test_ids_are_unique_in_a_frame_and_do_not_depend_on_how_a_video_is_cut(seed: int, cut: int) -> None:
    frame, box, klass, _ = scene(seed, frames=20, missed=0.3)
    whole = track_video(frame, box, klass, SIZE.repeat(20, 0))
    for t in range(20):
        assert len(np.unique(whole[frame == t])) == (frame == t).sum()
    tracks, parts = Tracks.none(), []
    for begin, end in pairwise([0, cut, 20]):
        for t in range(begin, end):
            ident, tracks = follow(tracks, box[frame == t], klass[frame == t], (600, 600))
            parts.append(ident)
        # all there is to carry over
        tracks = Tracks(**{name: getattr(tracks, name) for name in Tracks.__dataclass_fields__})
    assert np.concatenate(parts).tolist() == whole.tolist()


@pytest.mark.parametrize(("moved", "same"), [(250, True), (260, False)])
def test_what_is_left_over_may_have_moved_by_a_part_of_the_diagonal(moved: int, same: bool) -> None:
    box = np.array([[10.0, 10, 20, 20], [300, 300, 400, 400], [10 + moved, 10, 20 + moved, 20], [300, 300, 400, 400]])
    cup, sure, far, still = track_video(np.array([0, 0, 1, 1]), box, np.full(4, 7), SIZE.repeat(2, 0))
    assert sure == still
    assert bool(cup == far) is same
