"""Logits become probabilities, each video with its own indices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from clips import ACTION, ENTITY, action_clip, entity_clip, open_clip

from vidsgg.ops.decoding import decode
from vidsgg.ops.pairing import settle
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits, Uncertainty


def random_tables(clip: Clip, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {g.name: torch.randn(clip.pairs, len(g), generator=generator) for g in clip.schema.vocabulary.groups}


def random_logits(clip: Clip) -> RelationLogits:
    return RelationLogits(random_tables(clip))


def test_a_batch_decodes_like_its_videos() -> None:
    clips = [entity_clip([2, 0, 1], 0, "a"), entity_clip([0], 1, "empty"), entity_clip([1, 3], 2, "c")]
    whole = Clip.cat(clips)
    logits = random_logits(whole)
    start = 0
    for clip, prediction in zip(clips, decode(whole, logits), strict=True):
        part = {name: rows[start : start + clip.pairs] for name, rows in logits.groups.items()}
        (alone,) = decode(clip, RelationLogits(part))
        assert prediction.video_id == clip.video_ids[0]
        for name in ("node_box", "node_class", "node_frame", "frame_unit", "pair_subject", "pair_object", "pair_frame"):
            assert np.array_equal(getattr(prediction, name), getattr(alone, name)), name
        for group in ENTITY.vocabulary.groups:
            # Some versions of PyTorch compute the last few values of an array by another routine
            # than the others.
            np.testing.assert_allclose(prediction.scores[group.name], alone.scores[group.name], rtol=3e-7)
        np.testing.assert_allclose(prediction.scores["attention"].sum(1), 1, rtol=1e-5)
        np.testing.assert_allclose(prediction.scores["spatial"], part["spatial"].sigmoid().numpy(), rtol=1e-6)
        start += clip.pairs


def test_uncertainty_goes_with_its_pairs() -> None:
    clips = [entity_clip([2, 0, 1], 0, "a"), entity_clip([1, 3], 2, "c")]
    whole = Clip.cat(clips)
    unsure = Uncertainty(random_tables(whole, 1), random_tables(whole, 2))
    predictions = decode(whole, RelationLogits(random_tables(whole), uncertainty=unsure))
    for kind, tables in (("aleatoric", unsure.aleatoric), ("epistemic", unsure.epistemic)):
        for name, table in tables.items():
            told = [getattr(prediction, kind)[name] for prediction in predictions]
            assert [len(rows) for rows in told] == [clip.pairs for clip in clips]
            np.testing.assert_array_equal(np.concatenate(told), table.numpy())
    assert decode(whole, random_logits(whole))[0].aleatoric is None


def test_exclusive_predicates_go_to_one_object_of_an_event() -> None:
    clips = [action_clip([2, 3], 0, "a"), action_clip([1], 1, "b")]
    whole = Clip.cat(clips)
    logits = random_logits(whole)
    shared, apart = decode(whole, logits), decode(whole, logits, exclusive=False)
    for i, clip in enumerate(clips):
        unit, identity = clip.frame_unit[clip.pair_frame].numpy(), clip.node_identity[clip.pair_object].numpy()
        dobj = shared[i].scores["relation"][:, 0]
        for u in np.unique(unit):
            each = [dobj[(unit == u) & (identity == o)].mean() for o in np.unique(identity[unit == u])]
            np.testing.assert_allclose(sum(each), 1, rtol=1e-5)
        np.testing.assert_array_equal(shared[i].scores["relation"][:, 1:], apart[i].scores["relation"][:, 1:])
        assert np.array_equal(shared[i].pair_subject, unit)
    assert not np.allclose(shared[0].scores["relation"], apart[0].scores["relation"])
    assert ACTION.vocabulary.groups[0].exclusive == ("dobj",)


def test_predicted_classes_of_an_events_objects_replace_the_hidden_ones() -> None:
    clip = action_clip([1])
    objects = torch.full((clip.nodes, 5), -5.0)
    objects[torch.arange(clip.nodes), torch.tensor([1, 3, 0])] = 5.0  # background is never a node's class
    (prediction,) = decode(clip, RelationLogits(random_logits(clip).groups, objects=objects))
    assert prediction.node_class[:2].tolist() == [1, 3]
    assert prediction.node_class[2] >= 1
    assert prediction.object_scores.shape == (clip.nodes, 5)


def test_where_subjects_are_boxes_classes_come_with_the_pairs() -> None:
    """Object logits alone would not do: they know neither the person nor what became of
    namesakes."""
    clips = [open_clip([2, 0, 3], 0, "a"), open_clip([1], 1, "b")]
    whole = Clip.cat(clips)
    settled = settle(whole, whole.node_distribution)
    logits = replace(random_logits(settled), objects=torch.randn(whole.nodes, 5), clip=settled)
    start = 0
    for clip, prediction in zip(clips, decode(whole, logits), strict=True):
        alone = settle(clip, clip.node_distribution)
        for name in ("node_class", "node_score", "pair_subject", "pair_object", "pair_frame"):
            np.testing.assert_array_equal(getattr(prediction, name), getattr(alone, name).numpy(), err_msg=name)
        rows = logits.groups["spatial"][start : start + alone.pairs]
        np.testing.assert_allclose(prediction.scores["spatial"], rows.sigmoid().numpy(), rtol=1e-6)
        assert prediction.object_scores is None
        start += alone.pairs
    assert start == settled.pairs
