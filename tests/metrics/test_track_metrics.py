"""Metrics over tracks, on cases counted by hand."""

import math

import numpy as np
import pytest

from vidsgg.errors import DataError
from vidsgg.metrics.spans import SpanRelation, SpanVideo, box_overlaps, span_recall
from vidsgg.metrics.tracks import (
    TRACK_ERRORS,
    TrackErrors,
    errors,
    match,
    relation_detection,
    relation_tagging,
    unseen,
    viou,
)
from vidsgg.structures.instances import RelationInstance

HERE, THERE, NEAR = [0, 0, 9, 9], [20, 0, 29, 9], [0, 0, 9, 6]  # NEAR covers 7 of HERE's 10 rows


def relation(predicate="on", begin=0, end=2, subject=HERE, obj=THERE, score=1.0, classes=("cup", "table")):
    frames = end - begin
    return RelationInstance((classes[0], predicate, classes[1]), begin, end, [subject] * frames, [obj] * frames, score)


def test_frames_outside_the_other_trajectory_count_in_the_volume():
    assert viou([HERE] * 2, 0, 2, [HERE] * 3, 0, 3) == 2 / 3
    assert viou([HERE] * 2, 0, 2, [HERE] * 2, 2, 4) == 0
    assert viou([HERE] * 4, 0, 2, [HERE] * 2, 0, 2) == 200 / 400  # boxes beyond the end count too
    with pytest.raises(DataError, match="frame 2"):
        viou([HERE] * 2, 0, 3, [HERE] * 3, 0, 3)


def test_an_instance_is_found_once_and_by_the_best_first():
    truth = [relation(), relation(begin=4, end=6)]
    assert match(truth, [relation(), relation(), relation(begin=4, end=7)]) == [0, None, 1]


def test_a_prediction_takes_the_instance_that_it_overlaps_most():
    truth = [relation(subject=NEAR), relation()]
    assert match(truth, [relation(), relation()]) == [1, 0]  # the second one overlaps NEAR by 0.7


def test_an_overlap_of_exactly_the_threshold_is_enough():
    half = relation(subject=[0, 0, 9, 4])
    assert match([relation()], [half]) == [0]
    assert match([relation()], [half], threshold=0.51) == [None]


def test_equal_scores_keep_their_order():
    truth = {"v": [relation()]}
    first_wrong = relation_detection(truth, {"v": [relation("in"), relation()]})
    assert first_wrong.videos["v"].hits == (False, True) and first_wrong.mean_ap == 0.5


def test_map_is_a_mean_over_videos_and_recall_is_pooled():
    truth = {"a": [relation()], "b": [relation(), relation("in"), relation("near")], "empty": []}
    found = relation_detection(truth, {"a": [relation()], "other": [relation()]})
    assert found.mean_ap == 0.5 and found.recall == (0.25, 0.25)


def test_tagging_divides_by_the_number_of_distinct_triplets():
    said = [relation("in", score=0.9), relation(score=0.8), relation(score=0.7)]
    assert relation_tagging({"v": [relation()]}, {"v": said}).precision == (0.0, 0.5, 0.5)
    assert relation_tagging({"v": [relation()]}, {"v": said[1:]}).precision == (1.0, 1.0, 1.0)


def test_nothing_said_is_0_and_nothing_to_find_is_nan():
    nothing = relation_detection({"v": [relation()]}, {})
    assert nothing.mean_ap == 0 and nothing.recall == (0, 0)
    assert relation_tagging({"v": [relation()]}, {}).precision == (0, 0, 0)
    empty = relation_detection({"v": []}, {"v": [relation()]})
    assert math.isnan(empty.mean_ap) and all(map(math.isnan, empty.recall))


def test_zero_shot_leaves_out_predictions_of_seen_triplets_and_videos_without_an_unseen_one():
    truth = {"a": [relation(), relation("in")], "b": [relation()]}
    said = {"a": [relation(), relation("in"), relation("above")], "b": [relation()]}
    kept, left = unseen(truth, said, {("cup", "on", "table")})
    assert [r.triplet[1] for r in kept["a"]] == ["in"] == [r.triplet[1] for r in left["a"]] and "b" not in kept


def test_every_kind_of_mistake():
    truth = {"v": [relation(), relation("in", 10, 12)]}
    far = [60, 60, 69, 69]
    said = [
        relation(score=0.9),  # right
        relation(score=0.8),  # double detection
        relation("under", score=0.7),  # classification
        relation(subject=[0, 0, 9, 2], score=0.6),  # localisation: 0.3 of the subject
        relation("under", subject=[0, 0, 9, 2], score=0.5),  # confusion
        relation(subject=far, score=0.4),  # background
    ]
    found = errors(truth, {"v": said})
    assert [TRACK_ERRORS[k] for k in found.kinds["v"]] == [
        "true positive",
        "double detection",
        "classification",
        "localisation",
        "confusion",
        "background",
    ]
    assert found.missed.tolist() == [1] and found.ap.tolist() == [0.5] and found.cured[0, -1] == 1
    np.testing.assert_array_equal(found.counts, [1, 1, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"score": math.nan}, "score"),
        ({"begin": 2, "end": 2}, "after it"),
        ({"subject": [5, 0, 4, 9]}, "x1 <= x2"),
    ],
)
def test_what_is_no_relation_is_refused(wrong, said):
    with pytest.raises(DataError, match=said):
        relation(**wrong)


def test_a_trajectory_needs_a_box_for_every_frame():
    with pytest.raises(DataError, match="3 frames"):
        RelationInstance(("a", "on", "b"), 0, 3, [HERE] * 2, [THERE] * 3)


def test_spans_end_inclusively_and_other_frames_cost_nothing():
    boxes = np.array([[HERE] * 4, [THERE] * 4], float)
    video = SpanVideo(
        frames=4,
        true_class=np.array([0, 1]),
        true_visible=np.ones((2, 4), bool),
        relations=(SpanRelation(0, 1, 0, ((1, 2),)), SpanRelation(1, 0, 0, ((0, 9),))),
        track_class=np.array([0, 1]),
        track_visible=np.ones((2, 4), bool),
        overlap=box_overlaps(boxes, boxes),
        pairs=np.array([[0, 1]]),
        probability=np.array([[0.9]]),
        span=np.array([1.0, 1.0, -1.0, 1.0]).reshape(1, 4, 1),
    )
    found = span_recall([video], 1, ks=(1,))
    assert found.hit.tolist() == [[1]] and found.soft_hit.tolist() == [[0.5]] and found.total.tolist() == [2]
    assert found.recall().tolist() == [0.5]


def test_mistakes_of_videos_join() -> None:
    one, other = errors({"a": [relation()]}, {"a": [relation()]}), errors({"b": [relation()]}, {"b": [relation("in")]})
    both = TrackErrors.cat([one, other])
    whole = errors({"a": [relation()], "b": [relation()]}, {"a": [relation()], "b": [relation("in")]})
    assert both.counts.tolist() == whole.counts.tolist() == [1, 1, 0, 0, 0, 0]
    np.testing.assert_array_equal(both.gain, whole.gain)
    assert TrackErrors.cat([]).counts.tolist() == [0] * 6
