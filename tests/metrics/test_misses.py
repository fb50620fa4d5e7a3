"""Why relations are missed: cases with known answers, and shares that add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden.recall.inputs import make_case
from recall_cases import THINGS, drawn_video, event_schema, event_video, frame_schema, golden_video

from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.metrics.misses import EVENT_MISSES, FRAME_MISSES, MissAccumulator, MissResult, misses_of
from vidsgg.metrics.protocol import Protocol, named_protocol, protocol_for
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary

# Two things, a thousand pixels: a person and a cup. One true relation: the person holds the cup.
SCHEMA = Schema(
    "case",
    Vocabulary((BACKGROUND, "person", "cup"), ("person", "cup"), (PredicateGroup("relation", ("holds", "drops")),)),
    "entity",
    pairing="ordered",
    overlap="plain",
)
PERSON, CUP = [0, 0, 100, 200], [300, 300, 340, 340]


def case(
    boxes: list[list[float]],
    classes: list[int],
    pairs: list[tuple[int, int]],
    table: list[list[float]],
    *,
    labels: tuple[bool, bool] = (True, False),
) -> MissResult:
    columns = {"schema": SCHEMA, "video_id": "v", "frame_unit": np.zeros(1), "action_class": np.zeros(0)}
    annotation = VideoAnnotation(
        **columns,
        source_id="v",
        split="test",
        fps=None,
        frame_key=("0",),
        frame_number=np.ones(1),
        frame_slot=np.zeros(1),
        frame_size=np.full((1, 2), 1000),
        node_box=np.array([PERSON, CUP]),
        node_class=np.array([1, 2]),
        node_frame=np.zeros(2),
        node_identity=np.full(2, -1),
        pair_subject=np.zeros(1),
        pair_object=np.ones(1),
        pair_frame=np.zeros(1),
        labels={"relation": np.array([labels])},
    )
    ends = np.array(pairs, np.int64).reshape(-1, 2)
    prediction = VideoPrediction(
        **columns,
        node_box=np.array(boxes, np.float64).reshape(-1, 4),
        node_class=np.array(classes, np.int64),
        node_score=np.ones(len(boxes)),
        node_frame=np.zeros(len(boxes)),
        node_identity=np.full(len(boxes), -1),
        pair_subject=ends[:, 0],
        pair_object=ends[:, 1],
        pair_frame=np.zeros(len(ends)),
        scores={"relation": np.array(table, np.float64).reshape(-1, 2)},
    )
    accumulator = MissAccumulator(protocol_for(SCHEMA, "sgdet"), SCHEMA.vocabulary)
    accumulator.update(annotation, prediction)
    return accumulator.compute()


FAR, HALF_OFF = [800, 800, 900, 900], [320, 300, 360, 340]  # overlaps with the cup by 0 and by 1/3


@pytest.mark.parametrize(
    ("boxes", "classes", "pairs", "table", "reason"),
    [
        ([], [], [], [], "not detected"),
        ([PERSON], [1], [], [], "not detected"),
        ([PERSON, FAR], [1, 2], [(0, 1)], [[0.9, 0.1]], "not detected"),
        ([PERSON, HALF_OFF], [1, 2], [(0, 1)], [[0.9, 0.1]], "box off"),
        ([PERSON, HALF_OFF], [1, 1], [(0, 1)], [[0.9, 0.1]], "box off"),
        ([PERSON, CUP], [1, 1], [(0, 1)], [[0.9, 0.1]], "wrong class"),
        ([PERSON, CUP], [2, 2], [(0, 1)], [[0.9, 0.1]], "wrong class"),
        ([FAR, CUP], [1, 1], [(0, 1)], [[0.9, 0.1]], "not detected"),  # the worse end decides
        ([PERSON, CUP, CUP], [1, 1, 2], [(0, 1)], [[0.9, 0.1]], "pair not proposed"),
        ([PERSON, CUP], [1, 2], [(1, 0)], [[0.9, 0.1]], "pair not proposed"),  # the other way around
        ([PERSON, CUP], [1, 2], [(0, 1)], [[0.1, 0.9]], "predicate not said"),
    ],
)
def test_the_first_reason_that_holds_is_given(
    boxes: list[list[float]], classes: list[int], pairs: list[tuple[int, int]], table: list[list[float]], reason: str
) -> None:
    result = case(boxes, classes, pairs, table)
    at = FRAME_MISSES.index(reason)
    with_constraint, without = result.share[0], result.share[2]
    assert with_constraint[:, at].tolist() == [1, 1, 1] and with_constraint.sum() == 3
    # without constraint every predicate of a pair is a candidate
    assert (without.sum() == 0) if reason == "predicate not said" else without[:, at].tolist() == [1, 1, 1]
    assert result.relations[0, :, at].tolist() == [1, 1, 1]


def test_what_is_found_costs_nothing_and_half_a_frame_half() -> None:
    assert not case([PERSON, CUP], [1, 2], [(0, 1)], [[0.95, 0.1]]).share.any()
    both = case([PERSON, CUP], [1, 2], [(0, 1)], [[0.9, 0.1]], labels=(True, True))
    assert both.share[0, 0].tolist() == [0, 0, 0, 0, 0.5, 0]
    assert both.cured[0, 0].tolist() == [0.5] * 4 + [1, 1]


def test_a_candidate_behind_k_others_is_ranked_too_low() -> None:
    """25 persons before the true pair: beyond 20, within 50."""
    boxes = [[500 + i, 500, 600 + i, 600] for i in range(25)]
    pairs = [(2 + i, 1) for i in range(25)]
    result = case([PERSON, CUP, *boxes], [1, 2] + [1] * 25, [(0, 1), *pairs], [[0.5, 0.1], *([[0.9, 0.2]] * 25)])
    assert result.share[0, :, -1].tolist() == [1, 0, 0]


def test_semi_constraint_asks_for_probability() -> None:
    result = case([PERSON, CUP], [1, 2], [(0, 1)], [[0.8, 0.1]])
    assert result.share[1, 0].tolist() == [0, 0, 0, 0, 1, 0]


def accumulated(protocol: Protocol, schema: Schema, videos: list) -> tuple[MissResult, np.ndarray]:
    misses = MissAccumulator(protocol, schema.vocabulary)
    recall = RecallAccumulator(protocol, schema.vocabulary)
    for video in videos:
        misses.update(*video)
        recall.update(*video)
    return misses.compute(), recall.compute().R


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mode", ["predcls", "sgdet"])
def test_the_shares_and_recall_add_up_to_one(seed: int, mode: str) -> None:
    things = [drawn_video(10 * seed + i, given=mode == "predcls") for i in range(4)]
    persons = frame_schema()
    config = {"seed": seed, "mode": mode, "videos": 3, "frames": (1, 5), "objects": (1, 5), "label_acc": 0.8,
              "detect": 0.8, "extra": (0, 9)}  # fmt: skip
    of_persons = [golden_video(video, persons, f"v{i}") for i, video in enumerate(make_case(config))]
    for schema, videos in ((THINGS, things), (persons, of_persons)):
        for name in ("own", "impartail", "oed"):
            protocol = named_protocol(name, schema, mode)
            result, recall = accumulated(protocol, schema, videos)
            np.testing.assert_allclose(result.share.sum(-1), 1 - recall, rtol=0, atol=1e-12)
            assert (result.share >= 0).all() and (np.diff(result.cured, axis=-1) >= -1e-12).all()
            if mode == "predcls":  # boxes and classes are given
                assert not result.share[..., :3].any()
            if name == "own":
                assert result.share[0, 0, 4] > 0  # another predicate won somewhere
                assert not result.share[result.protocol.constraints.index("no"), :, 4].any()


def test_events_have_reasons_of_their_own() -> None:
    schema = event_schema(7, 6, 3)
    graph = {"verb": 6, "objs": [2], "rels": [[1, 0, 0]]}

    def of(action: list[float], thing: list[float], relation: list[float]) -> list[float]:
        video = event_video(schema, [graph], [(np.array(action), np.array([thing]), np.array([relation]))])
        result, recall = accumulated(protocol_for(schema, "sgdet"), schema, [video])
        np.testing.assert_allclose(result.share.sum(-1), 1 - recall)
        return result.share[0, 0].tolist()

    sure, other = [0, 0, 0, 0, 0, 0, 1.0], [0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05]
    thing, far = [0, 0, 1.0, 0, 0, 0], [0.9, 0.1, 0, 0, 0, 0]
    assert misses_of(protocol_for(schema, "sgdet")) == EVENT_MISSES
    assert of(sure, thing, [0.9, 0.1, 0.1]) == [0, 0, 0, 0]
    assert of(other, thing, [0.9, 0.1, 0.1]) == [1, 0, 0, 0]
    assert of(sure, far, [0.9, 0.1, 0.1]) in ([0, 0, 0, 0], [0, 0, 0, 1])  # six classes are all tried
    assert of(sure, thing, [0.1, 0.9, 0.1]) == [0, 0, 1, 0]


def test_table_rows_and_json_say_the_same() -> None:
    result = case([PERSON, CUP], [1, 1], [(0, 1)], [[0.9, 0.1]])
    assert (
        "wrong class" in result.describe() and "relations missed with constraint: 0 not detected" in result.describe()
    )
    row = next(
        r for r in result.rows() if (r["constraint"], r["measure"], r["k"]) == ("with", "missed: wrong class", 20)
    )
    assert row["value"] == 1 == result.to_json()["with"]["20"]["wrong class"]["share"]
    nothing = replace(result, share=np.zeros_like(result.share))
    assert nothing.cured.min() == 1 and nothing.recall.min() == 1
    assert "-0.00" not in replace(result, share=result.share * (1 + 1e-15)).describe()  # sums are rounded
