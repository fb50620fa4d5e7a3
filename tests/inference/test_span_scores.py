"""PVSG's recall of spans, from what is said of single frames: cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vidsgg.inference.span_scores import SpanAccumulator, SpanResult
from vidsgg.metrics.protocol import protocol_for
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.instances import TrackRelation
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary

FRAMES, MAN, CUP, GHOST = 10, 7, 4, 9  # ids of things; the last is never seen
SCHEMA = Schema(
    "spans",
    Vocabulary((BACKGROUND, "man", "cup"), ("man", "cup"), (PredicateGroup("relation", ("holds", "next_to")),)),
    "entity",
    subject_given=("predcls",),
    pairing="ordered",
)


def measured(
    truth: list[TrackRelation],
    holds: list[float],
    *,
    given: bool = True,
    moved: float = 0,
    cup: int = 2,
    cup_frames: range = range(FRAMES),
) -> SpanResult | None:
    """A man and a cup that stand still; ``holds``: probability of (man, holds, cup) in every frame.
    moved: of the predicted cup, whose width is 20. cup_frames: in which the true cup is seen."""
    true_box, true_class, true_frame, ident = [], [], [], []
    for f in range(FRAMES):
        for box, klass, thing in (([10, 10, 49, 109], 1, MAN), ([60, 40, 79, 59], 2, CUP)):
            if thing == MAN or f in cup_frames:
                true_box.append(box)
                true_class.append(klass)
                true_frame.append(f)
                ident.append(thing)
    columns = {"schema": SCHEMA, "video_id": "v", "frame_unit": np.arange(FRAMES), "action_class": np.zeros(0)}
    annotation = VideoAnnotation(
        **columns,
        source_id="v",
        split="test",
        fps=5.0,
        frame_key=tuple(map(str, range(FRAMES))),
        frame_number=np.arange(1, FRAMES + 1),
        frame_slot=np.zeros(FRAMES),
        frame_size=np.full((FRAMES, 2), 120),
        node_box=np.array(true_box),
        node_class=np.array(true_class),
        node_frame=np.array(true_frame),
        node_identity=np.array(ident),
        pair_subject=np.zeros(0),
        pair_object=np.zeros(0),
        pair_frame=np.zeros(0),
        labels={"relation": np.zeros((0, 2), np.bool_)},
    )
    rows = np.arange(FRAMES)
    prediction = VideoPrediction(
        **columns,
        node_box=np.tile([[10, 10, 49, 109], [60 + moved, 40, 79 + moved, 59]], (FRAMES, 1)),
        node_class=np.tile([1, cup], FRAMES),
        node_score=np.ones(2 * FRAMES),
        node_frame=np.repeat(rows, 2),
        node_identity=np.tile([MAN, CUP] if given else [-1, -1], FRAMES),
        pair_subject=2 * rows,
        pair_object=2 * rows + 1,
        pair_frame=rows,
        scores={"relation": np.stack([np.array(holds), np.full(FRAMES, 0.2)], 1)},
    )
    accumulator = SpanAccumulator(protocol_for(SCHEMA, "sgdet"), SCHEMA.vocabulary, {"v": truth})
    accumulator.update(annotation, prediction)
    return accumulator.compute()


def recall(*args: object, **options: object) -> tuple[float, float]:
    """R@20 and weak R@20."""
    result = measured(*args, **options)  # type: ignore[arg-type]
    assert result is not None
    return float(result.counts.recall()[0]), float(result.counts.recall("weak_hit")[0])


HOLDS = TrackRelation(MAN, CUP, 0, 3, 9)  # the frames 2 to 7 of ten
ALWAYS, NEVER = [0.9] * 10, [0.4] * 10


@pytest.mark.parametrize("given", [True, False], ids=["ids are given", "things are followed"])
def test_hits_by_hand(given: bool) -> None:
    assert recall([HOLDS], ALWAYS, given=given) == (1, 1)  # frames outside cost nothing
    assert recall([HOLDS], NEVER, given=given) == (0, 0)
    assert recall([HOLDS], [0.9] * 5 + [0.4] * 5, given=given) == (1, 1)  # three of six frames
    assert recall([HOLDS], [0.9] * 4 + [0.4] * 6, given=given) == (0, 1)  # two of six: a weak hit
    assert recall([HOLDS], ALWAYS, given=given, moved=6) == (1, 1)  # boxes overlap by 14 / 26
    assert recall([HOLDS], ALWAYS, given=given, moved=7) == (0, 0)  # by 13 / 27
    assert recall([HOLDS], ALWAYS, given=given, cup=1) == (0, 0)
    assert recall([TrackRelation(MAN, CUP, 1, 3, 9)], ALWAYS, given=given) == (0, 0)
    assert recall([TrackRelation(CUP, MAN, 0, 3, 9)], ALWAYS, given=given) == (0, 0)


def test_spans_of_one_pair_are_one_relation() -> None:
    parts = [TrackRelation(MAN, CUP, 0, 1, 3), TrackRelation(MAN, CUP, 0, 9, 11)]
    result = measured(parts, [0.9] * 5 + [0.4] * 5)
    assert result is not None and result.counts.total.tolist() == [1, 0] and result.counts.recall()[0] == 1
    # frames beyond the video are cut; what holds in none of its frames is left out
    assert recall([TrackRelation(MAN, CUP, 0, 9, 40)], ALWAYS) == (1, 1)
    assert measured([TrackRelation(MAN, CUP, 0, 30, 40)], ALWAYS) is None


def test_what_is_never_seen_stays_to_be_found() -> None:
    assert recall([HOLDS, TrackRelation(MAN, GHOST, 0, 3, 9)], ALWAYS) == (0.5, 0.5)
    # where the cup is out of sight only the frames with it count
    assert recall([HOLDS], [0.4] * 6 + [0.9] * 4, cup_frames=range(6, 10)) == (1, 1)


def test_report() -> None:
    result = measured([HOLDS], ALWAYS)
    assert result is not None
    assert "relations over spans (PVSG)" in result.describe() and "1 videos" not in result.describe()
    assert result.to_json()["mR"] == {"20": 1.0, "50": 1.0, "100": 1.0}
