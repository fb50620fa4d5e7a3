"""Zero-shot recall of frames equals that of images, which is compared with recorded numbers; what is
unseen is told by the annotations."""

from __future__ import annotations

import numpy as np
import pytest

from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.metrics.images import ImageGraph, image_recall, predicate_recall_of_images
from vidsgg.metrics.protocol import protocol_for
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.schema import Schema
from vidsgg.structures.triplets import triplet_codes, triplet_names
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary

OBJECTS = ("cup", "dog", "box", "man")
PREDICATES = ("on", "in", "behind", "holds", "eats")
SCHEMA = Schema(
    "things",
    Vocabulary((BACKGROUND, *OBJECTS), OBJECTS, (PredicateGroup("relation", PREDICATES),)),
    "entity",
    pairing="ordered",
    overlap="plain",
)


def drawn_video(
    seed: int, frames: int = 4, *, given: bool = False, schema: Schema = SCHEMA
) -> tuple[VideoAnnotation, VideoPrediction]:
    """Boxes on a small field, predictions near them; distinct scores. given: the true boxes and
    classes are predicted."""
    rng = np.random.default_rng(seed)
    truth: dict[str, list] = {name: [] for name in ("box", "class", "frame", "subject", "object", "pair_frame", "hot")}
    said: dict[str, list] = {name: [] for name in (*truth, "score", "table")}
    for f in range(frames):
        count, first, offset = int(rng.integers(2, 6)), len(truth["box"]), len(said["box"])
        corner = rng.integers(0, 60, (count, 2))
        box = np.concatenate([corner, corner + rng.integers(15, 40, (count, 2))], 1).astype(np.float64)
        klass = rng.integers(1, len(OBJECTS) + 1, count)
        truth["box"] += box.tolist()
        truth["class"] += klass.tolist()
        truth["frame"] += [f] * count
        for s, o in np.argwhere((rng.random((count, count)) < 0.5) & ~np.eye(count, dtype=bool)):
            truth["subject"].append(first + s)
            truth["object"].append(first + o)
            truth["pair_frame"].append(f)
            truth["hot"].append(np.isin(np.arange(len(PREDICATES)), rng.integers(0, len(PREDICATES), 2)))
        seen = np.arange(count) if given else np.flatnonzero(rng.random(count) < 0.85)
        moved = box[seen] + (0 if given else rng.integers(-5, 6, (len(seen), 4)))
        guess = klass[seen] if given else np.where(rng.random(len(seen)) < 0.8, klass[seen], 1)
        said["box"] += moved.tolist()
        said["class"] += guess.tolist()
        said["frame"] += [f] * len(seen)
        said["score"] += (np.ones(len(seen)) if given else rng.random(len(seen))).tolist()
        for s, o in np.argwhere(~np.eye(len(seen), dtype=bool)):
            if rng.random() < 0.9:
                said["subject"].append(offset + s)
                said["object"].append(offset + o)
                said["pair_frame"].append(f)
                said["table"].append(rng.random(len(PREDICATES)))
    columns = {"video_id": f"v{seed}", "frame_unit": np.arange(frames), "action_class": np.zeros(0), "schema": schema}
    annotation = VideoAnnotation(
        **columns,
        source_id="",
        split="test",
        fps=None,
        frame_key=tuple(map(str, range(frames))),
        frame_number=np.arange(1, frames + 1),
        frame_slot=np.zeros(frames),
        frame_size=np.full((frames, 2), 100),
        node_box=np.array(truth["box"]),
        node_class=np.array(truth["class"]),
        node_frame=np.array(truth["frame"]),
        node_identity=np.full(len(truth["box"]), -1),
        pair_subject=np.array(truth["subject"], np.int64),
        pair_object=np.array(truth["object"], np.int64),
        pair_frame=np.array(truth["pair_frame"], np.int64),
        labels={"relation": np.array(truth["hot"], np.bool_).reshape(-1, len(PREDICATES))},
    )
    prediction = VideoPrediction(
        **columns,
        node_box=np.array(said["box"]).reshape(-1, 4),
        node_class=np.array(said["class"], np.int64),
        node_score=np.array(said["score"]),
        node_frame=np.array(said["frame"], np.int64),
        node_identity=np.full(len(said["box"]), -1),
        pair_subject=np.array(said["subject"], np.int64),
        pair_object=np.array(said["object"], np.int64),
        pair_frame=np.array(said["pair_frame"], np.int64),
        scores={"relation": np.array(said["table"]).reshape(-1, len(PREDICATES))},
    )
    return annotation, prediction


def images_of(annotation: VideoAnnotation, prediction: VideoPrediction) -> list[ImageGraph]:
    """Every frame as an image; pairs by the score of their best candidate, as a model hands them over."""
    images = []
    for f in range(annotation.frames):
        true, own = np.flatnonzero(annotation.node_frame == f), np.flatnonzero(prediction.node_frame == f)
        pair, row = np.flatnonzero(annotation.pair_frame == f), np.flatnonzero(prediction.pair_frame == f)
        hot = annotation.labels["relation"][pair]
        relation, predicate = np.nonzero(hot)
        first, offset = true.min(initial=annotation.nodes), own.min(initial=len(prediction.node_box))
        table = prediction.scores["relation"][row].astype(np.float64)
        ends = np.stack([prediction.pair_subject[row], prediction.pair_object[row]], 1)
        score = prediction.node_score.astype(np.float64)
        order = np.argsort(-(score[ends].prod(1) * table.max(1, initial=0)), kind="stable")
        images.append(
            ImageGraph(
                annotation.node_box[true],
                annotation.node_class[true],
                np.stack(
                    [
                        annotation.pair_subject[pair][relation] - first,
                        annotation.pair_object[pair][relation] - first,
                        predicate,
                    ],
                    1,
                ),
                prediction.node_box[own],
                prediction.node_class[own],
                score[own],
                ends[order] - offset,
                table[order],
            )
        )
    return images


@pytest.mark.parametrize("given", [False, True], ids=["detected", "given"])
def test_zero_shot_recall_of_frames_is_that_of_images(given: bool) -> None:
    videos = [drawn_video(seed, given=given) for seed in range(6)]
    rng = np.random.default_rng(1)
    every = np.array([(s, o, p) for s in range(1, 5) for o in range(1, 5) for p in range(5)])
    unseen = every[rng.random(len(every)) < 0.4]
    protocol = protocol_for(SCHEMA, "sgdet")
    accumulator = RecallAccumulator(protocol, SCHEMA.vocabulary, np.sort(triplet_codes(SCHEMA.vocabulary, *unseen.T)))
    for video in videos:
        accumulator.update(*video)
    result = accumulator.compute()
    images = [image for video in videos for image in images_of(*video)]
    seen = {tuple(row) for row in every.tolist()} - {tuple(row) for row in unseen.tolist()}
    for constraint, constrained in (("with", True), ("no", False)):
        x = protocol.constraints.index(constraint)
        of_images = image_recall(images, protocol.ks, constrained=constrained, seen=seen)
        assert result.zR is not None
        np.testing.assert_allclose(result.zR[x], of_images.recall, rtol=0, atol=1e-12)
        assert 0 < of_images.recall[0] < 1
        assert (result.unseen_relations, result.unseen_units) == (of_images.relations, len(of_images.image_recall))
        whole = image_recall(images, protocol.ks, constrained=constrained)
        mean = predicate_recall_of_images(images, 5, protocol.ks, constrained=constrained).mean(1)
        np.testing.assert_allclose(result.R[x], whole.recall, rtol=0, atol=1e-12)
        np.testing.assert_allclose(result.hR[x], 2 * result.R[x] * mean / (result.R[x] + mean), rtol=0, atol=1e-12)
    assert (
        f"{len(unseen)} triplets, {result.unseen_relations} relations in {result.unseen_units} frames" in result.table()
    )
    assert result.to_json()["zero_shot"]["triplets"] == len(unseen)
    assert {row["measure"] for row in result.rows()} >= {"F", "hR", "zR"}


def test_without_training_nothing_is_said_of_new_triplets() -> None:
    accumulator = RecallAccumulator(protocol_for(SCHEMA, "sgdet"), SCHEMA.vocabulary)
    accumulator.update(*drawn_video(0))
    result = accumulator.compute()
    assert result.zR is None and "zero-shot" not in result.table() and "zero_shot" not in result.to_json()
    with pytest.raises(KeyError, match="no average 'zR'"):
        result.value("with", 20, "zR")


def test_triplets_are_told_by_names_in_the_direction_in_which_they_read() -> None:
    groups = (
        PredicateGroup("spatial", ("above", "in"), "multi", "object->subject"),
        PredicateGroup("contacting", ("holds",)),
    )
    schema = Schema("ag", Vocabulary((BACKGROUND, "person", "cup"), ("person",), groups), "entity", one_subject=True)
    codes = triplet_codes(schema.vocabulary, np.array([1, 1]), np.array([2, 2]), np.array([1, 2]))
    assert [triplet_names(schema, code) for code in codes] == [("cup", "in", "person"), ("person", "holds", "cup")]
    actions = Schema("events", Vocabulary((BACKGROUND, "cup"), ("cut", "lift"), (PredicateGroup("relation", ("dobj",)),)),
                     "action", unit="event", slots=("pre",))  # fmt: skip
    (code,) = triplet_codes(actions.vocabulary, np.array([1]), np.array([1]), np.array([0]))
    assert triplet_names(actions, code) == ("lift", "dobj", "cup")
