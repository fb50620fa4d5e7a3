import numpy as np
import pytest
from golden.deterministic import read_case, read_json
from golden.fasterrcnn_ag.inputs import make_assign

from vidsgg.detectors.assignment import assign
from vidsgg.ops.pairing import SubjectRule

PERSON = 1
ONE = SubjectRule((PERSON,), one=True)


def box(x, width=9, y=0):
    """A box ten pixels high; ``width`` pixels lie right of x, which belongs to it too."""
    return [x, y, x + width, y + 9]


def assigned(detections, nodes, classes=None):
    """Of one frame: (targets, detections, positions); the first node is the person."""
    classes = np.array(classes or [PERSON, *range(2, len(nodes) + 1)])
    frame, node_frame = np.zeros(len(detections), int), np.zeros(len(nodes), int)
    result = assign(frame, np.reshape(detections, (-1, 4)), node_frame, np.array(nodes, float), classes, ONE)
    return result.target.tolist(), result.detection.tolist(), result.position.tolist()


@pytest.mark.parametrize("case", [c["id"] for c in read_json("fasterrcnn_ag", "cases.json") if c["kind"] == "assign"])
def test_equals_the_reference(case):
    config, recorded = read_case("fasterrcnn_ag", case)
    boxes, _, truth = make_assign(config)
    frame = boxes[:, 0].astype(int)
    node_frame = np.repeat(np.arange(len(truth)), [1 + len(t["boxes"]) for t in truth])
    node_box = np.concatenate([b for t in truth for b in (t["person"], t["boxes"])])
    node_class = np.array([c for t in truth for c in (PERSON, *t["classes"])])
    result = assign(frame, boxes[:, 1:], node_frame, node_box, node_class, ONE)

    local = np.arange(len(node_frame)) - np.searchsorted(node_frame, node_frame)
    found = result.detection >= 0
    first = np.searchsorted(frame, node_frame[found])
    for name, ours in {
        "assigned_labels": result.target,
        "found_counts": np.bincount(node_frame[found], minlength=len(truth)),
        "found_gt": local[found],
        "found_detection": result.detection[found] - first,
        "supply_counts": np.bincount(node_frame[~found], minlength=len(truth)),
        "supply_gt": local[result.missing],
    }.items():
        np.testing.assert_array_equal(ours, recorded[name], err_msg=name)


def test_a_detection_is_what_it_overlaps_best():
    target, detection, position = assigned([box(100), box(1), box(40), box(60)], [box(0), box(40), box(200)])
    assert target == [0, PERSON, 2, 0]
    assert detection == [1, 2, -1]
    assert position == [0, 1, 2]


def test_exactly_half_is_not_found():
    """The last pixel belongs to a box: 5 of 10, and 6 of 10."""
    assert assigned([box(0, width=4)], [box(0)]) == ([0], [-1], [0])
    assert assigned([box(0, width=5)], [box(0)]) == ([PERSON], [0], [0])


def test_a_taken_detection_goes_to_the_first_that_wants_it():
    """The cup and the chair lie on one place: the chair gets the next best box, which hardly
    touches it."""
    target, detection, _ = assigned([box(50), box(58), box(90)], [box(0), box(50), box(50)])
    assert detection == [-1, 0, 1]
    assert target == [2, 3, 0]


def test_a_missing_person_comes_behind_those_found():
    _, detection, position = assigned([box(50), box(70)], [box(0), box(50), box(200), box(70)])
    assert detection == [-1, 0, -1, 1]
    assert position == [2, 0, 3, 1]


def test_the_person_may_take_what_looks_like_an_object():
    """The person's best box overlaps the sofa still better: it is to be recognised as a sofa, and
    the sofa gets another."""
    target, detection, _ = assigned([box(2), box(100)], [box(0), box(2)])
    assert detection == [0, 1]
    assert target == [2, 2]


def test_all_taken():
    target, detection, position = assigned([box(0)], [box(0), box(0), box(0)])
    assert (target, detection, position) == ([3], [0, 0, 0], [0, 1, 2])


def test_equal_overlaps_prefer_the_first():
    assert assigned([box(20), box(1), box(-1)], [box(0)])[1] == [1]
    target, detection, _ = assigned([box(0), box(300), box(400)], [box(0), box(0)])
    assert (target, detection) == ([PERSON, 2, 0], [0, 1])


def test_the_order_of_the_annotation_does_not_matter_to_the_person():
    _, detection, position = assigned([box(0), box(2)], [box(0), box(0)], classes=[2, PERSON])
    assert detection == [1, 0] and position == [1, 0]


def test_frames_without_detections_or_without_nodes():
    result = assign(
        np.array([0, 0, 3]), np.array([box(0), box(50), box(0)]), np.array([1, 1, 3]), np.array([box(0), box(50), box(0)]),
        np.array([PERSON, 2, PERSON]), ONE,
    )  # fmt: skip
    assert result.target.tolist() == [0, 0, PERSON]
    assert result.detection.tolist() == [-1, -1, 2]
    assert result.missing.tolist() == [0, 1]
    assert result.position.tolist() == [0, 1, 0]


def test_nothing_detected_at_all():
    assert assigned([], [box(0), box(50)]) == ([], [-1, -1], [0, 1])


def test_several_subjects_do_not_share_a_detection():
    given = (
        np.array([0, 0]),
        np.array([box(0), box(1)]),
        np.array([0, 0]),
        np.array([box(0), box(0)]),
        np.array([PERSON, PERSON]),
    )
    assert assign(*given, ONE).detection.tolist() == [0, 0]
    assert assign(*given, SubjectRule((PERSON,), one=False)).detection.tolist() == [0, 1]
