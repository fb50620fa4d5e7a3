"""The accumulator: streaming, merging, and what its result says."""

import csv
import io
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from golden.recall.inputs import make_case
from recall_cases import event_schema, frame_schema, golden_video

from benchmarks import plain_recall
from vidsgg.errors import ConfigError, DataError
from vidsgg.metrics import accumulator as module
from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import AVERAGES
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary

SCHEMA = frame_schema()
PROTOCOL = protocol_for(SCHEMA, "sgdet")
CONFIG = {
    "seed": 5,
    "mode": "sgdet",
    "videos": 7,
    "frames": (1, 5),
    "objects": (1, 5),
    "label_acc": 0.8,
    "detect": 0.9,
    "extra": (0, 9),
}


@pytest.fixture(scope="module")
def videos():
    return [golden_video(v, SCHEMA, f"v{i}") for i, v in enumerate(make_case(CONFIG))]


def counted(videos):
    accumulator = RecallAccumulator(PROTOCOL, SCHEMA.vocabulary)
    for annotation, prediction in videos:
        accumulator.update(annotation, prediction)
    return accumulator


def same(a, b):
    for name in (*AVERAGES, "predicate_recall", "hits", "relations"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.videos, a.units) == (b.videos, b.units)


def test_averages_are_those_of_a_plain_loop(videos):
    result = counted(videos).compute()
    units = [unit for a, p in videos for unit in plain_recall.frame_ranks(a, p, PROTOCOL)]
    recall = plain_recall.plain_recall(units, PROTOCOL.ks)
    np.testing.assert_allclose(result.R, recall.mean(0), rtol=0, atol=1e-12)
    predicates = len(SCHEMA.vocabulary.predicates)
    for x in range(3):
        for j, k in enumerate(PROTOCOL.ks):
            pooled, in_frame, in_all = np.zeros(predicates), np.zeros(predicates), np.zeros(predicates)
            for p in range(predicates):
                found = [[ranks[x] < k for q, ranks in unit if q == p] for unit in units]
                shares = [np.mean(unit) for unit in found if unit]
                if shares:
                    pooled[p] = np.mean([hit for unit in found for hit in unit])
                    in_frame[p], in_all[p] = np.mean(shares), np.sum(shares) / len(units)
            assert result.mR[x, j] == pytest.approx(pooled.mean(), abs=1e-12)
            assert result.mR_frame[x, j] == pytest.approx(in_frame.mean(), abs=1e-12)
            assert result.mR_frame_all[x, j] == pytest.approx(in_all.mean(), abs=1e-12)
            np.testing.assert_allclose(result.predicate_recall[x, j], pooled, rtol=0, atol=1e-12)


def test_the_order_of_videos_and_the_buffer_change_nothing(videos, monkeypatch):
    whole = counted(videos).compute()
    same(counted(videos[::-1]).compute(), whole)
    monkeypatch.setattr(module, "_BUFFER", 1)
    same(counted(videos).compute(), whole)


def test_processes_agree_with_one(videos):
    whole = counted(videos).compute()
    first, second = counted(videos[:3]), counted(videos[3:])
    state = pickle.loads(pickle.dumps(second.state()))
    first.merge(state)
    same(first.compute(), whole)
    other = counted(videos[3:])
    other.merge(counted(videos[:3]).state())
    same(other.compute(), whole)


def test_a_video_counts_once_and_the_last_prediction_stays(videos):
    whole = counted(videos).compute()
    same(counted([*videos, videos[0], videos[3]]).compute(), whole)
    overlapping = counted(videos[:4])
    overlapping.merge(counted(videos[2:]).state())
    same(overlapping.compute(), whole)
    annotation, prediction = videos[0]
    blind = replace(prediction, node_class=np.zeros_like(prediction.node_class))
    accumulator = counted([(annotation, blind), *videos[1:]])
    assert accumulator.compute().value("no", 100) < whole.value("no", 100)
    accumulator.update(annotation, prediction)
    same(accumulator.compute(), whole)


def test_reset_forgets(videos):
    accumulator = counted(videos)
    accumulator.reset()
    with pytest.raises(DataError, match="no frame"):
        accumulator.compute()
    for annotation, prediction in videos[:2]:
        accumulator.update(annotation, prediction)
    same(accumulator.compute(), counted(videos[:2]).compute())


def test_frames_without_a_relation_are_left_out(videos):
    """A copy of a video with more frames that hold no pair: same averages, candidates there or
    not."""
    annotation, prediction = videos[0]
    frames = annotation.frames
    more = {
        "frame_key": (*annotation.frame_key, "x", "y"),
        "frame_number": np.arange(frames + 2) + 1,
        "frame_unit": np.arange(frames + 2),
        "frame_slot": np.zeros(frames + 2),
        "frame_size": np.full((frames + 2, 2), 480),
    }
    prediction = replace(
        prediction,
        frame_unit=np.arange(frames + 2),
        pair_subject=np.append(prediction.pair_subject, 0),
        pair_object=np.append(prediction.pair_object, 1),
        pair_frame=np.append(prediction.pair_frame, frames),
        scores={name: np.concatenate([table, table[:1]]) for name, table in prediction.scores.items()},
    )
    same(counted([(replace(annotation, **more), prediction), *videos[1:]]).compute(), counted(videos).compute())


def test_predictions_that_do_not_fit_are_refused(videos):
    annotation, prediction = videos[0]
    accumulator = RecallAccumulator(PROTOCOL, SCHEMA.vocabulary)
    cases = {
        "for video 'v1'": replace(prediction, video_id="v1"),
        "predict exactly the annotated frames": replace(prediction, frame_unit=np.arange(annotation.frames + 1)),
        "not logits": replace(prediction, scores={name: table * 5 for name, table in prediction.scores.items()}),
        "node_score": replace(prediction, node_score=-prediction.node_score),
        "vocabulary": replace(prediction, schema=frame_schema(objects=40), node_class=prediction.node_class),
    }
    for message, wrong in cases.items():
        with pytest.raises(DataError, match=message):
            accumulator.update(annotation, wrong)
    with pytest.raises(DataError, match="no frame"):
        accumulator.compute()


def test_states_of_another_protocol_are_refused(videos):
    other = RecallAccumulator(protocol_for(SCHEMA, "predcls"), SCHEMA.vocabulary)
    with pytest.raises(DataError, match="'sgdet'"):
        other.merge(counted(videos[:1]).state())
    other = RecallAccumulator(PROTOCOL, frame_schema(sizes=(3, 6, 16)).vocabulary)
    with pytest.raises(DataError, match="25"):
        other.merge(counted(videos[:1]).state())


def test_the_table_names_the_protocol_and_holds_every_number(videos):
    result = counted(videos).compute()
    lines = result.table().split("\n")
    assert lines[0] == PROTOCOL.describe()
    assert f"7 videos, {result.units} frames with {int(result.relations.sum())} relations" in lines[1]
    assert lines[2].split() == ["constraint", *(f"{a}@{k}" for a in ("R", "mR") for k in PROTOCOL.ks)]
    assert len({len(line) for line in lines[2:]}) == 1
    for line, constraint in zip(lines[3:6], ("with", "semi", "no"), strict=True):
        assert line.split() == [
            constraint,
            *(f"{100 * result.value(constraint, k, a):.2f}" for a in ("R", "mR") for k in PROTOCOL.ks),
        ]


def test_rows_and_json_hold_the_same_numbers(videos):
    result = counted(videos).compute()
    rows = result.rows()
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    assert len(rows) == 3 * 4 * (len(AVERAGES) + 26)
    plain = json.loads(json.dumps(result.to_json()))
    for row in rows:
        numbers = plain["recall"][row["constraint"]]
        numbers = numbers["predicates"][row["predicate"]] if row["predicate"] else numbers[row["measure"]]
        assert numbers[str(row["k"])] == row["value"]
    assert plain["frames"] == result.units
    assert sum(plain["relations"].values()) == result.relations.sum()


def test_value_refuses_what_is_not_measured(videos):
    result = counted(videos).compute()
    for wrong in (("with", 15, "R"), ("half", 10, "R"), ("with", 10, "wR")):
        with pytest.raises(KeyError):
            result.value(*wrong)


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
def test_protocols_follow_the_schema(mode):
    frames, events = protocol_for(SCHEMA, mode), protocol_for(event_schema(3, 3, 3), mode)
    assert (frames.ks, frames.constraints, frames.score, frames.iou) == (
        (10, 20, 50, 100),
        ("with", "semi", "no"),
        "product",
        0.5,
    )
    assert (events.ks, events.constraints, events.score, events.iou) == ((10, 20, 50), ("with", "no"), "sum", None)
    assert (events.subject_given, events.object_given) == (mode != "sgdet", mode == "predcls")
    assert "IoU >= 0.5" in frames.describe()
    assert "0.9" in frames.describe()
    assert "class triples" in events.describe()


def test_shapes_without_a_protocol_are_refused():
    vocabulary = Vocabulary((BACKGROUND, "person", "cup"), ("person",), (PredicateGroup("relation", ("holds",)),))
    with pytest.raises(ConfigError, match="units of one event"):
        protocol_for(Schema("x", vocabulary, "entity", unit="event", slots=("a", "b")), "predcls")
    with pytest.raises(ConfigError, match="no mode 'sgdet'"):
        protocol_for(Schema("x", vocabulary, "entity", modes=("predcls",)), "sgdet")


@pytest.mark.parametrize(
    "change",
    [
        {"ks": ()},
        {"ks": (20, 10)},
        {"ks": (0, 10)},
        {"pool": 50},
        {"iou": None},
        {"semi_threshold": None},
        {"constraints": ("no", "no")},
    ],
    ids=str,
)
def test_a_protocol_that_contradicts_itself_is_refused(change):
    with pytest.raises(ConfigError, match="sgdet"):
        replace(PROTOCOL, **change)
