"""Zero-shot recall of frames equals that of images, which is compared with recorded numbers; the
annotations say what is unseen."""

from __future__ import annotations

import numpy as np
import pytest
from recall_cases import THINGS, drawn_video

from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.metrics.images import ImageGraph, image_recall, predicate_recall_of_images
from vidsgg.metrics.protocol import protocol_for
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.schema import Schema
from vidsgg.structures.triplets import triplet_codes, triplet_names
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary


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
    protocol = protocol_for(THINGS, "sgdet")
    accumulator = RecallAccumulator(protocol, THINGS.vocabulary, np.sort(triplet_codes(THINGS.vocabulary, *unseen.T)))
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
    accumulator = RecallAccumulator(protocol_for(THINGS, "sgdet"), THINGS.vocabulary)
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
