"""The frequency baseline: by hand, on EASG's format, and on the real files against the
specification's numbers."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from clips import (
    ACTION,
    ENTITY,
    action_annotation,
    action_clip,
    entity_annotation,
    entity_clip,
    learning_clip,
    open_clip,
)
from datasets.easg_files import write_easg

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.easg import EASG
from vidsgg.errors import ConfigError
from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import RecallResult
from vidsgg.models.frequency import FrequencyModel
from vidsgg.ops.decoding import decode
from vidsgg.ops.pairing import settle
from vidsgg.structures.clip import Clip

REAL = os.environ.get("VIDSGG_EASG")
needs_easg = pytest.mark.skipif(REAL is None, reason="needs EASG's files: set VIDSGG_EASG to their folder")


def events(verbs: list[int], objects: list[int], labels: list[list[int]]) -> Clip:
    """Units of one object in three frames each."""
    units = len(verbs)
    frame = np.arange(3 * units)
    hot = np.zeros((3 * units, 4), bool)
    for unit, predicates in enumerate(labels):
        hot[3 * unit : 3 * unit + 3, predicates] = True
    annotation = replace(
        action_annotation([1] * units), action_class=verbs, node_class=np.repeat(objects, 3), labels={"relation": hot},
        node_frame=frame, pair_frame=frame,
    )  # fmt: skip
    return Clip.from_annotation(annotation)


def test_it_backs_off_from_pair_to_object_to_all():
    model = FrequencyModel(ACTION, alpha=2.0, beta=1.0)
    # (verb, object): (0, 1) dobj; (0, 1) dobj and with; (1, 1) with; (2, 3) in
    model.observe(events([0, 0, 1, 2], [1, 1, 1, 3], [[0], [0, 1], [1], [2]]))
    overall = np.array([2, 2, 1, 0]) / 4
    object_1 = (np.array([2, 2, 0, 0]) + 2 * overall) / (3 + 2)
    seen = (np.array([2, 1, 0, 0]) + object_1) / (2 + 1)
    unseen_verb = object_1  # nothing counted: the object decides
    unseen_object = overall  # nothing counted at all
    logits = model(events([0, 2, 1], [1, 1, 4], [[0], [0], [0]])).groups["relation"]
    expected = np.repeat([seen, unseen_verb, unseen_object], 3, axis=0)
    np.testing.assert_allclose(logits.sigmoid(), expected, atol=1e-6)


def test_single_label_groups_give_distributions():
    model = FrequencyModel(ENTITY)
    clips = [entity_clip([2, 0, 3], seed=i) for i in range(3)]
    for clip in clips:
        model.observe(clip)
    assert model.pairs.sum() == sum(clip.pairs for clip in clips)
    probabilities = model(clips[0]).groups["attention"].softmax(1)
    log_probabilities = model(clips[0]).groups["attention"]
    torch.testing.assert_close(log_probabilities.exp(), probabilities, rtol=1e-5, atol=1e-6)


def test_one_subject_class_means_given_the_object():
    """Action Genome: subjects are all persons, so both steps of the lean look at the same pairs."""
    clip = entity_clip([4, 4, 4], seed=1)
    model = FrequencyModel(ENTITY)
    model.observe(clip)
    logits = model(clip).groups["contacting"].sigmoid()
    obj = clip.node_class[clip.pair_object]
    hot = clip.labels["contacting"].float()
    for klass in obj.unique():
        n, n_r = (obj == klass).sum(), hot[obj == klass].sum(0)
        given_object = (n_r + 16 * hot.mean(0)) / (n + 16)
        expected = (n_r + 2 * given_object) / (n + 2)
        torch.testing.assert_close(
            logits[obj == klass], expected.clamp(1e-9, 1 - 1e-7).expand((obj == klass).sum(), -1)
        )


def test_pairs_of_an_event_count_once_however_many_frames():
    clip = action_clip([2, 3], seed=4)
    model = FrequencyModel(ACTION)
    model.observe(clip)
    assert clip.pairs == 15
    assert model.pairs.sum() == 5
    two = FrequencyModel(ACTION)
    two.observe(Clip.cat([clip, action_clip([1], seed=5)]))
    assert two.pairs.sum() == 6


def test_unknown_identities_and_frames_count_each():
    annotation = replace(action_annotation([2]), node_identity=np.full(6, -1))
    model = FrequencyModel(ACTION)
    model.observe(Clip.from_annotation(annotation))
    assert model.pairs.sum() == 6
    frames = FrequencyModel(ENTITY)
    same = entity_annotation([1, 1, 1])
    # each frame is a unit of its own
    frames.observe(Clip.from_annotation(replace(same, node_identity=np.zeros(same.nodes, int))))
    assert frames.pairs.sum() == 3


def test_videos_together_or_alone_are_the_same():
    clips = [action_clip([2, 1], seed=i) for i in range(3)]
    together, alone = FrequencyModel(ACTION), FrequencyModel(ACTION)
    together.observe(Clip.cat(clips))
    for clip in reversed(clips):
        alone.observe(clip)
    for name, value in together.state_dict().items():
        assert torch.equal(value, alone.state_dict()[name]), name
    both = together(Clip.cat(clips)).groups["relation"]
    assert torch.equal(both, torch.cat([alone(clip).groups["relation"] for clip in clips]))


def test_state_dict_keeps_the_counts():
    clip = action_clip([3, 2])
    model, restored = FrequencyModel(ACTION), FrequencyModel(ACTION)
    model.observe(clip)
    restored.load_state_dict(model.state_dict())
    assert torch.equal(restored(clip).groups["relation"], model(clip).groups["relation"])
    assert list(model.parameters()) == []


def test_logits_are_finite_even_before_counting():
    clip = entity_clip([2, 1])
    for group in FrequencyModel(ENTITY)(clip).groups.values():
        assert group.isfinite().all()
    certain = events([0] * 200, [1] * 200, [[0]] * 200)
    model = FrequencyModel(ACTION)
    model.observe(certain)
    logits = model(certain).groups["relation"]
    assert logits.isfinite().all()
    assert (logits[:, 0] > 10).all()
    assert (logits[:, 1:] < -10).all()


def test_a_clip_without_pairs():
    clip = entity_clip([0, 0])
    model = FrequencyModel(ENTITY)
    model.observe(clip)
    assert model.pairs.sum() == 0
    assert model(clip).groups["spatial"].shape == (0, 2)


@pytest.mark.parametrize("mode", ["sgcls", "sgdet"])
@pytest.mark.parametrize("annotation", [entity_annotation([2]), action_annotation([2])], ids=["entity", "action"])
def test_hidden_classes_are_neither_scored_nor_counted(annotation, mode):
    clip = Clip.from_annotation(annotation, mode)
    model = FrequencyModel(annotation.schema, mode=mode)
    if annotation.schema.subject_has_box:
        with pytest.raises(ConfigError, match="use mode predcls"):
            model(clip)
    with pytest.raises(ConfigError, match="use mode predcls"):
        model.observe(replace(clip, node_target=None))


def test_hidden_classes_are_counted_by_what_is_to_be_learnt():
    given, hidden = FrequencyModel(ENTITY), FrequencyModel(ENTITY)
    for seed in range(3):
        given.observe(entity_clip([2, 1, 3], seed))
        hidden.observe(learning_clip([2, 1, 3], seed))
    for name, counted in given.state_dict().items():
        assert torch.equal(counted, hidden.state_dict()[name]), name


def test_open_pairs_are_scored_by_the_detectors_classes():
    model = FrequencyModel(ENTITY)
    for seed in range(5):
        model.observe(entity_clip([2, 1, 3], seed))
    clip = open_clip([3, 0, 2])
    logits, settled = model(clip), settle(clip, clip.node_distribution)
    assert torch.equal(logits.clip.node_class, settled.node_class)
    assert logits.groups["spatial"].shape == (settled.pairs, 2)
    assert torch.equal(logits.groups["spatial"], model(settled).groups["spatial"])
    with pytest.raises(ConfigError, match="no detector did"):
        model(replace(clip, node_distribution=None))


def test_labels_are_needed_to_count():
    with pytest.raises(ConfigError, match="has none"):
        FrequencyModel(ACTION).observe(replace(action_clip([1]), labels=None))


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 1.0), (1.0, -1.0), (math.nan, 1.0)])
def test_smoothing_must_be_positive(alpha, beta):
    with pytest.raises(ConfigError, match="must be positive"):
        FrequencyModel(ACTION, alpha, beta)


# ---- A whole data set.


def fitted(data: VideoDataset) -> FrequencyModel:
    model = FrequencyModel(data.schema)
    for annotation in data:
        model.observe(Clip.from_annotation(annotation))
    return model


def recall(model: FrequencyModel, data: VideoDataset, *, exclusive: bool) -> RecallResult:
    counted = RecallAccumulator(protocol_for(data.schema, "predcls"), data.schema.vocabulary)
    annotations = list(data)
    clip = Clip.cat([Clip.from_annotation(annotation) for annotation in annotations])
    for annotation, prediction in zip(annotations, decode(clip, model(clip), exclusive=exclusive), strict=True):
        counted.update(annotation, prediction)
    return counted.compute()


def test_it_learns_what_classes_tell_on_files_in_easgs_format(tmp_path):
    folder = write_easg(tmp_path, clips=20, graphs=12)
    train, test = EASG(folder, "train"), EASG(folder, "test")
    model, blank = fitted(train), FrequencyModel(train.schema)
    learned = recall(model, test, exclusive=False).value("with", 10)
    assert recall(blank, test, exclusive=False).value("with", 10) < 0.5 < 0.75 < learned
    assert learned < 1  # what moves is told by boxes only
    assert recall(model, test, exclusive=True).value("with", 10) >= learned


@needs_easg
def test_real_easg_gives_the_specifications_numbers():
    """Baselines (b) and (a), and P(rel): with a huge beta the object decides alone, with a huge
    alpha too nothing but the prior."""
    train, test = (EASG(Path(REAL), split) for split in ("train", "test"))
    model = fitted(train)
    assert (int(model.pairs.sum()), int(model.pairs_relation.sum())) == (8297, 8485)
    result = recall(model, test, exclusive=False)
    assert round(100 * result.value("with", 10), 4) == 81.2091
    assert [round(100 * result.value("no", k), 4) for k in (10, 20, 50)] == [99.0218, 99.8971, 100.0]
    assert 100 * result.value("with", 10, "mR") == pytest.approx(25.73, abs=0.01)
    assert round(100 * recall(model, test, exclusive=True).value("with", 10), 4) == 81.3084
    model.beta = 1e9
    assert round(100 * recall(model, test, exclusive=False).value("with", 10), 4) == 77.3790
    assert round(100 * recall(model, test, exclusive=True).value("with", 10), 4) == 79.3969
    model.alpha = 1e9
    assert round(100 * recall(model, test, exclusive=False).value("with", 10), 4) == 47.5105
