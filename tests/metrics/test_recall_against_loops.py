"""Recall against plain loops over frames and events, on many random videos of every kind."""

from dataclasses import replace

import numpy as np
import pytest
from golden.easg_recall import inputs as event_inputs
from golden.recall import inputs as frame_inputs
from recall_cases import event_probabilities, event_schema, event_video, frame_schema, golden_video

from benchmarks import plain_recall
from vidsgg.metrics.accumulator import video_ranks
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.ranks import NOT_FOUND

SGDET = {"mode": "sgdet", "label_acc": 0.8, "detect": 0.85}
FRAME_KINDS = {
    "one object a frame": {"mode": "predcls", "videos": 3, "frames": (2, 3), "objects": (1, 1)},
    "crowd": {"mode": "predcls", "videos": 2, "frames": (8, 8), "objects": (5, 6)},
    "more relations than K": {"mode": "predcls", "videos": 1, "frames": (2, 3), "objects": (12, 30)},
    "two objects of a class": {
        "mode": "sgcls",
        "label_acc": 0.9,
        "videos": 2,
        "frames": (3, 6),
        "objects": (2, 5),
        "repeat_class": True,
    },
    "hard classes": {"mode": "sgcls", "label_acc": 0.3, "videos": 2, "frames": (3, 6), "objects": (1, 6)},
    "many boxes": {**SGDET, "videos": 1, "frames": (3, 5), "objects": (3, 6), "extra": (20, 50)},
    "frames without pairs": {
        **SGDET,
        "videos": 2,
        "frames": (6, 9),
        "objects": (1, 6),
        "extra": (0, 5),
        "empty_every": 3,
    },
    "frames of all sizes": {
        **SGDET,
        "videos": 2,
        "frames": (9, 12),
        "objects": (1, 6),
        "extra": (0, 40),
        "quantise": 30,
    },
    "no pair at all": {**SGDET, "videos": 2, "frames": (2, 4), "objects": (1, 6), "empty_every": 1},
    "low scores": {
        **SGDET,
        "videos": 2,
        "frames": (3, 6),
        "objects": (1, 6),
        "extra": (0, 5),
        "gain": 0.0,
        "noise": 0.3,
    },
    "ties": {"mode": "sgcls", "label_acc": 0.8, "videos": 2, "frames": (3, 6), "objects": (2, 6), "quantise": 10},
    "ties of few boxes": {"mode": "predcls", "videos": 2, "frames": (3, 6), "objects": (1, 6), "quantise": 10},
    "ties of many boxes": {**SGDET, "videos": 1, "frames": (3, 4), "objects": (3, 6), "extra": (20, 50), "quantise": 4},
}


def same_ranks(ranks, plain):
    """Both lists hold, per unit, every true relation once; they may list them in another order."""
    for unit, expected in enumerate(plain):
        mine = np.flatnonzero(ranks.unit == unit)
        got = sorted((int(ranks.predicate[i]), *map(int, ranks.rank[:, i])) for i in mine)
        wanted = sorted((p, *(NOT_FOUND if r == plain_recall.NEVER else r for r in found)) for p, found in expected)
        assert got == wanted, f"unit {unit}"


@pytest.mark.parametrize("kind", FRAME_KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_frames(kind, seed):
    schema = frame_schema()
    config = {**FRAME_KINDS[kind], "seed": 1000 + seed}
    protocol = protocol_for(schema, config["mode"])
    videos = [golden_video(video, schema, f"v{i}") for i, video in enumerate(frame_inputs.make_case(config))]
    same_ranks(video_ranks(*zip(*videos, strict=True), schema.vocabulary, protocol), plain_ranks(videos, protocol))


@pytest.mark.parametrize("kind", ["ties", "ties of few boxes", "ties of many boxes"])
@pytest.mark.parametrize("seed", range(4))
def test_scores_that_float32_cannot_tell_apart(kind, seed):
    """Products that differ by a few roundings: the cut of "no" goes by float32, the order within it
    by float64."""
    schema = frame_schema()
    config = {**FRAME_KINDS[kind], "seed": 3000 + seed}
    protocol = protocol_for(schema, config["mode"])
    rng = np.random.default_rng(seed)

    def nudged(table):
        return table * (1 + rng.integers(-3, 4, table.shape) * np.float32(2**-23)).astype(np.float32)

    videos = [golden_video(video, schema, f"v{i}") for i, video in enumerate(frame_inputs.make_case(config))]
    videos = [
        (a, replace(p, scores={n: nudged(t) for n, t in p.scores.items()}, node_score=nudged(p.node_score)))
        for a, p in videos
    ]
    same_ranks(video_ranks(*zip(*videos, strict=True), schema.vocabulary, protocol), plain_ranks(videos, protocol))


def plain_ranks(videos, protocol):
    return [
        unit for annotation, prediction in videos for unit in plain_recall.frame_ranks(annotation, prediction, protocol)
    ]


EVENT_KINDS = {
    "ordinary": {"n_min": 1, "n_max": 4, "V": 12, "O": 20, "R": 7, "p_multi": 0.2, "bias": 1.0},
    "ties": {"n_min": 1, "n_max": 4, "V": 12, "O": 20, "R": 13, "p_multi": 0.2, "bias": 1.0, "round": 0},
    "one object": {"n_min": 1, "n_max": 1, "V": 12, "O": 70, "R": 13, "p_multi": 0.2, "bias": 1.0},
    "many objects": {"n_min": 11, "n_max": 24, "V": 12, "O": 40, "R": 13, "p_multi": 0.2, "bias": 1.0},
    "over fifty objects": {"n_min": 51, "n_max": 55, "V": 6, "O": 60, "R": 13, "p_multi": 0.2, "bias": 1.0},
    "small vocabulary": {"n_min": 1, "n_max": 2, "V": 3, "O": 2, "R": 2, "p_multi": 0.3, "bias": 1.0},
    "two relations each": {"n_min": 1, "n_max": 4, "V": 12, "O": 20, "R": 7, "p_multi": 1.0, "bias": 1.0},
}


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
@pytest.mark.parametrize("kind", EVENT_KINDS)
@pytest.mark.parametrize("seed", range(2))
def test_events(kind, mode, seed):
    case = {**EVENT_KINDS[kind], "source": "synthetic", "graphs": 8, "seed": 2000 + seed}
    graphs, logits = event_inputs.make(case)
    schema = event_schema(case["V"], case["O"], case["R"])
    protocol = protocol_for(schema, mode)
    rng = np.random.default_rng(seed)
    seen = [rng.integers(1, 4, len(graph["objs"])).tolist() for graph in graphs]
    annotation, prediction = event_video(schema, graphs, event_probabilities(logits), seen=seen)
    if case.get("round") is None:  # an object looks different in every frame of its event
        scores = prediction.scores["relation"] * rng.random((len(prediction.pair_frame), case["R"]))
        objects = prediction.object_scores * rng.random(prediction.object_scores.shape)
        prediction = replace(prediction, scores={"relation": scores}, object_scores=objects)
    ranks = video_ranks([annotation], [prediction], schema.vocabulary, protocol)
    same_ranks(ranks, plain_recall.event_ranks(annotation, prediction, protocol))
