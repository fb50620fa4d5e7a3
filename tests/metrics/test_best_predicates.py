"""What a model says of the pairs that are there: which pairs count, and which predicate is right,
counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden.recall.inputs import make_case
from recall_cases import event_schema, event_video, frame_schema, golden_video

from vidsgg.metrics.best_predicates import best_predicates
from vidsgg.metrics.protocol import protocol_for
from vidsgg.ops.boxes import aligned_iou

FRAMES, EVENTS = frame_schema(), event_schema(6, 4, 3)
CONFIG = {
    "seed": 5,
    "mode": "sgdet",
    "videos": 5,
    "frames": (1, 5),
    "objects": (1, 5),
    "label_acc": 0.8,
    "detect": 0.9,
    "extra": (0, 9),
}


def videos(mode="sgdet", seed=5):
    return [golden_video(v, FRAMES, f"v{i}") for i, v in enumerate(make_case({**CONFIG, "mode": mode, "seed": seed}))]


def with_uncertainty(prediction, seed=0):
    rng = np.random.default_rng(seed)
    tables = {
        kind: {name: rng.random(t.shape, np.float32) for name, t in prediction.scores.items()}
        for kind in ("aleatoric", "epistemic")
    }
    return replace(prediction, **tables)


def statements(pairs, schema=FRAMES, mode="sgdet"):
    return best_predicates(*zip(*pairs, strict=True), schema.vocabulary, protocol_for(schema, mode))


def plain_statements(annotation, prediction, schema=FRAMES):
    """The same by loops over pairs: (confidence, right, aleatoric or None) by group."""
    found = {group.name: [] for group in schema.vocabulary.groups}
    for p, (subject, obj, frame) in enumerate(
        zip(prediction.pair_subject, prediction.pair_object, prediction.pair_frame, strict=True)
    ):
        matches = []
        for t, (a, b, f) in enumerate(
            zip(annotation.pair_subject, annotation.pair_object, annotation.pair_frame, strict=True)
        ):
            same = f == frame and all(
                annotation.node_class[x] == prediction.node_class[y]
                and aligned_iou(annotation.node_box[[x]], prediction.node_box[[y]], inclusive=True)[0] >= 0.5
                for x, y in ((a, subject), (b, obj))
            )
            matches += [t] if same else []
        for group in schema.vocabulary.groups:
            labels = annotation.labels[group.name][matches].any(0)
            if labels.any():
                row = prediction.scores[group.name][p]
                unsure = None if prediction.aleatoric is None else prediction.aleatoric[group.name][p, row.argmax()]
                found[group.name].append((row.max(), labels[row.argmax()], unsure))
    return found


@pytest.mark.parametrize("mode", ["predcls", "sgdet"])
def test_statements_are_those_of_a_plain_loop(mode):
    pairs = [(annotation, with_uncertainty(prediction, i)) for i, (annotation, prediction) in enumerate(videos(mode))]
    found = statements(pairs, mode=mode)
    counted = 0
    for group, ours in found.items():
        theirs = [(i, *row) for i, pair in enumerate(pairs) for row in plain_statements(*pair)[group]]
        video, confidence, right, aleatoric = map(np.array, zip(*theirs, strict=True))
        for name, column in (("video", video), ("confidence", confidence), ("right", right), ("aleatoric", aleatoric)):
            np.testing.assert_array_equal(getattr(ours, name), column)
        counted += len(theirs)
        assert 0 < ours.right.mean() < 1
    pairs_scored = sum(len(prediction.pair_frame) for _, prediction in pairs)
    assert counted == 3 * pairs_scored if mode == "predcls" else counted < 3 * pairs_scored


def test_a_pair_that_is_found_twice_gives_two_statements():
    annotation, prediction = videos("predcls")[0]
    twice = replace(
        prediction,
        pair_subject=prediction.pair_subject.repeat(2),
        pair_object=prediction.pair_object.repeat(2),
        pair_frame=prediction.pair_frame.repeat(2),
        scores={name: table.repeat(2, axis=0) for name, table in prediction.scores.items()},
    )
    once, double = (statements([(annotation, p)], mode="predcls")["spatial"] for p in (prediction, twice))
    np.testing.assert_array_equal(double.right, once.right.repeat(2))


def test_groups_in_which_nothing_is_annotated_are_left_out():
    annotation, prediction = videos("predcls")[0]
    labels = {name: hot.copy() for name, hot in annotation.labels.items()}
    labels["contacting"][0] = False
    before, after = (
        statements([(replace(annotation, labels=each), prediction)], mode="predcls")
        for each in (annotation.labels, labels)
    )
    assert len(after["contacting"]) == len(before["contacting"]) - 1
    assert len(after["spatial"]) == len(before["spatial"])
    np.testing.assert_array_equal(after["contacting"].confidence, before["contacting"].confidence[1:])


def events(**changes):
    """Two events: two objects seen in two frames and one, and an object of its own."""
    graphs = [
        {"verb": 2, "objs": [3, 1], "rels": [[1, 0, 0], [0, 1, 1]]},
        {"verb": 0, "objs": [0], "rels": [[0, 0, 1]]},
    ]
    action = np.eye(6, dtype=np.float32)[[2, 0]]
    obj = [np.eye(4, dtype=np.float32)[[3, 1]], np.eye(4, dtype=np.float32)[[0]]]
    relation = [np.array([[0.5, 0.25, 0], [0, 0.75, 0.5]], np.float32), np.array([[0.25, 1, 0]], np.float32)]
    tables = {"action": action, "object": obj, "relation": relation} | changes
    probabilities = list(zip(tables["action"], tables["object"], tables["relation"], strict=True))
    return event_video(EVENTS, graphs, probabilities, seen=[[2, 1], [1]])


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
def test_objects_of_events_give_one_statement_each(mode):
    annotation, prediction = events()
    relation = prediction.scores["relation"].copy()
    relation[2] = [0.25, 0.625, 0]  # the first object's second frame: on average it is 0.375, 0.4375, 0
    found = statements([(annotation, replace(prediction, scores={"relation": relation}))], EVENTS, mode)["relation"]
    np.testing.assert_array_equal(found.confidence, np.array([0.4375, 0.75, 1], np.float32))
    np.testing.assert_array_equal(found.right, [False, True, False])


def test_objects_with_a_wrong_class_or_action_do_not_count():
    wrong_class = events(object=[np.eye(4, dtype=np.float32)[[2, 1]], np.eye(4, dtype=np.float32)[[0]]])
    wrong_action = events(action=np.eye(6, dtype=np.float32)[[2, 5]])
    counts = {
        mode: [len(statements([pair], EVENTS, mode)["relation"]) for pair in (wrong_class, wrong_action)]
        for mode in EVENTS.modes
    }
    assert counts == {"predcls": [3, 3], "sgcls": [2, 3], "sgdet": [2, 2]}


def test_uncertainty_of_an_object_is_its_mean_over_frames():
    annotation, prediction = events()
    aleatoric = {"relation": np.arange(12, dtype=np.float32).reshape(4, 3)}
    found = statements([(annotation, replace(prediction, aleatoric=aleatoric))], EVENTS, "predcls")["relation"]
    # Rows: both objects in the first frame, the first again in the second, the other event's. Best
    # relations: 0, 1 and 1.
    np.testing.assert_array_equal(found.aleatoric, np.array([(0 + 6) / 2, 4, 10], np.float32))
    assert found.epistemic is None
