"""What must hold for STTran on any input, on a tiny configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from clips import ACTION, ENTITY, WIDTHS, action_clip, entity_clip, learning_clip, open_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.errors import ConfigError
from vidsgg.losses.relations import RelationCriterion
from vidsgg.models.configs import STTranConfig
from vidsgg.models.layers.class_embedding import ClassEmbedding
from vidsgg.models.layers.object_classifier import class_distribution
from vidsgg.models.layers.video_norm import VideoBatchNorm
from vidsgg.models.sttran import STTran
from vidsgg.ops.pairing import settle
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

TINY = STTranConfig(hidden_dim=8, embedding_dim=4, heads=2, feedforward_dim=16, dropout=0.0)
videos = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=3)


def tiny(schema=ENTITY, mode: str = "predcls", **changes: object) -> STTran:
    torch.manual_seed(0)
    widths = WIDTHS if schema is ENTITY else FeatureWidths()
    return STTran(schema, widths, replace(TINY, **changes), mode).eval()


def flat(model: STTran, clip: Clip) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat(list(model(clip).groups.values()), 1)


@settings(max_examples=30, deadline=None)
@given(videos)
def test_a_batch_gives_each_video_the_result_it_has_alone(shapes: list[list[int]]) -> None:
    model = tiny()
    clips = [entity_clip(shape, seed, f"v{seed}") for seed, shape in enumerate(shapes)]
    alone = torch.cat([flat(model, clip) for clip in clips])
    torch.testing.assert_close(flat(model, Clip.cat(clips)), alone, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_same_for_events(shapes: list[list[int]]) -> None:
    model = tiny(ACTION)
    clips = [action_clip(shape, seed, f"v{seed}") for seed, shape in enumerate(shapes)]
    alone = torch.cat([flat(model, clip) for clip in clips])
    torch.testing.assert_close(flat(model, Clip.cat(clips)), alone, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 1000))
def test_permuting_the_pairs_of_a_frame_permutes_the_outputs(shape: list[int], seed: int) -> None:
    model, clip = tiny(), entity_clip(shape)
    shuffle = torch.randperm(clip.pairs, generator=torch.Generator().manual_seed(seed))
    order = shuffle[torch.argsort(clip.pair_frame[shuffle], stable=True)]
    moved = replace(
        clip,
        **{
            name: getattr(clip, name)[order]
            for name in ("pair_subject", "pair_object", "pair_frame", "pair_union", "pair_mask")
        },
        labels={name: hot[order] for name, hot in clip.labels.items()},
    )
    torch.testing.assert_close(flat(model, moved), flat(model, clip)[order], rtol=1e-4, atol=1e-5)


def test_permuting_the_nodes_of_a_frame_changes_nothing() -> None:
    model, clip = tiny(), entity_clip([3, 2])
    order = torch.tensor([2, 0, 3, 1, 6, 5, 4])  # within frames of 4 and 3 nodes
    place = torch.argsort(order)
    columns = {
        name: getattr(clip, name)[order]
        for name in (
            "node_box",
            "node_class",
            "node_score",
            "node_frame",
            "node_identity",
            "node_feature",
            "node_target",
        )
    }
    moved = replace(clip, **columns, pair_subject=place[clip.pair_subject], pair_object=place[clip.pair_object])
    torch.testing.assert_close(flat(model, moved), flat(model, clip))


def test_the_order_of_an_events_objects_changes_nothing() -> None:
    """EASG's files list the direct object first: a model that saw the order could read it off."""
    model, clip = tiny(ACTION), action_clip([3, 2])
    order = torch.cat([torch.nonzero(clip.node_frame == frame).squeeze(1).flip(0) for frame in range(clip.frames)])
    nodes = ("node_box", "node_class", "node_score", "node_frame", "node_identity", "node_target")
    moved = replace(
        clip,
        **{name: getattr(clip, name)[order] for name in nodes},
        labels={name: hot[order] for name, hot in clip.labels.items()},
    )
    torch.testing.assert_close(flat(model, moved), flat(model, clip)[order], rtol=1e-4, atol=1e-5)


def test_without_features_boxes_are_read_to_a_hundredth_of_the_frame() -> None:
    """Finer digits tell boxes drawn on EASG's annotation grid from others, and with that their
    relation."""
    model, clip = tiny(ACTION), action_clip([3, 2])  # frames are 100 wide and high
    on_grid = replace(clip, node_box=clip.node_box.round())
    off_grid = replace(clip, node_box=on_grid.node_box + 0.4)
    torch.testing.assert_close(flat(model, off_grid), flat(model, on_grid))
    a_step_off = replace(clip, node_box=on_grid.node_box + 1)
    assert not torch.allclose(flat(model, a_step_off), flat(model, on_grid))


@pytest.mark.parametrize(
    "shape",
    [[1], [3], [1, 1], [2, 0, 1], [0, 0, 2], [1, 0], [0], [0, 0]],
    ids=["one pair", "one frame", "two frames", "a gap", "late start", "empty end", "no pair", "no pair, two frames"],
)
@pytest.mark.parametrize("layers", [(1, 3), (0, 1), (1, 0), (0, 0), (2, 2)], ids=str)
def test_every_pair_gets_a_finite_score_and_gradient(shape: list[int], layers: tuple[int, int]) -> None:
    model = tiny(spatial_layer=layers[0], temporal_layer=layers[1]).train()
    clip = entity_clip(shape)
    logits = model(clip)
    assert {name: tuple(x.shape) for name, x in logits.groups.items()} == {
        g.name: (clip.pairs, len(g)) for g in ENTITY.vocabulary.groups
    }
    RelationCriterion(ENTITY)(logits, clip)["total"].backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(g).all() for g in gradients)
    assert not clip.pairs or any(g.abs().sum() > 0 for g in gradients)


def test_neighbouring_frames_matter_and_distant_ones_do_not() -> None:
    model, clip = tiny(), entity_clip([1, 1, 1, 1])
    feature = clip.node_feature.clone()
    feature[0] += 5  # the person of the first frame
    moved = flat(model, replace(clip, node_feature=feature)) - flat(model, clip)
    changed = moved.abs().amax(1) > 1e-6
    assert changed.tolist() == [True, True, False, False]


def test_a_one_frame_video_is_constant_only_in_the_reference() -> None:
    clip = entity_clip([3])
    assert torch.equal(*(flat(tiny(reference_compat=True), clip)[i] for i in (0, 1)))
    assert not torch.allclose(*(flat(tiny(), clip)[i] for i in (0, 1)))


def test_training_on_a_batch_equals_steps_on_its_videos_added_up() -> None:
    """Batch statistics are a video's, so gradients and running statistics agree too."""
    clips = [entity_clip([2, 1], 0, "a"), entity_clip([1], 1, "b"), entity_clip([1, 3], 2, "c")]
    criterion = RelationCriterion(ENTITY)
    together, apart = tiny().train(), tiny().train()
    criterion(together(Clip.cat(clips)), Clip.cat(clips))["total"].backward()
    for clip in clips:
        (criterion(apart(clip), clip)["total"] / len(clips)).backward()
    for (name, a), b in zip(together.named_parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5, msg=name)
    for (name, a), b in zip(together.named_buffers(), apart.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


@settings(max_examples=30, deadline=None)
@given(videos)
def test_guessing_classes_a_batch_gives_each_video_the_result_it_has_alone(shapes: list[list[int]]) -> None:
    model = tiny(mode="sgcls")
    clips = [open_clip(shape, seed, f"v{seed}") for seed, shape in enumerate(shapes)]
    with torch.inference_mode():
        together, alone = model(Clip.cat(clips)), [model(clip) for clip in clips]
    assert together.clip.node_class.tolist() == [klass for logits in alone for klass in logits.clip.node_class.tolist()]
    torch.testing.assert_close(together.objects, torch.cat([logits.objects for logits in alone]), rtol=1e-4, atol=1e-5)
    for name, rows in together.groups.items():
        torch.testing.assert_close(rows, torch.cat([logits.groups[name] for logits in alone]), rtol=1e-4, atol=1e-4)


def test_scored_classes_are_those_of_the_object_logits_and_not_the_detectors() -> None:
    model, clip = tiny(mode="sgcls"), open_clip([3, 2])
    with torch.inference_mode():
        logits = model(clip)
        settled = settle(clip, class_distribution(logits.objects))
        given = model(settled)
    assert torch.equal(logits.clip.node_class, settled.node_class)
    assert not torch.equal(logits.clip.node_class, settle(clip, clip.node_distribution).node_class)
    assert given.objects is None
    for name, rows in logits.groups.items():
        assert torch.equal(rows, given.groups[name])


@pytest.mark.parametrize("mode", ["sgcls", "sgdet"])
def test_hidden_classes_are_learnt_and_the_pairs_read_those_to_learn(mode: str) -> None:
    model, clip = tiny(mode=mode).train(), learning_clip([2, 0, 3])
    background = replace(clip, node_target=clip.node_target.masked_fill(torch.arange(clip.nodes) % 3 == 0, 0))
    logits = model(background)
    losses = RelationCriterion(ENTITY)(logits, background)
    assert losses.keys() == {"attention", "spatial", "contacting", "objects", "total"}
    losses["total"].backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in model.parameters())
    given = replace(background, classes_given=True, node_class=background.node_target)
    for name, rows in model(given).groups.items():
        assert torch.equal(rows, logits.groups[name])


def test_learning_classes_from_a_batch_equals_steps_on_its_videos_added_up() -> None:
    clips = [learning_clip([2, 1], 0, "a"), learning_clip([1], 1, "b"), learning_clip([1, 3], 2, "c")]
    criterion = RelationCriterion(ENTITY)
    together, apart = tiny(mode="sgdet").train(), tiny(mode="sgdet").train()
    criterion(together(Clip.cat(clips)), Clip.cat(clips))["total"].backward()
    for clip in clips:
        (criterion(apart(clip), clip)["total"] / len(clips)).backward()
    for (name, a), b in zip(together.named_parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5, msg=name)
    for (name, a), b in zip(together.named_buffers(), apart.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_what_a_model_was_not_made_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="made for mode predcls"):
        tiny()(open_clip([1]))
    with pytest.raises(ConfigError, match="neither given nor to be learnt"):
        tiny(mode="sgcls")(replace(learning_clip([1]), node_target=None))
    with pytest.raises(ConfigError, match="from RoI features"):
        STTran(ENTITY, FeatureWidths(), TINY, "sgcls")


def test_predcls_models_have_no_object_classifier_and_start_alike_in_every_mode() -> None:
    predcls, sgdet = tiny().state_dict(), tiny(mode="sgdet").state_dict()
    assert {name for name in sgdet if name not in predcls} == {
        name for name in sgdet if name.startswith("object_classifier.")
    }
    assert all(torch.equal(value, sgdet[name]) for name, value in predcls.items())


def test_a_value_without_variance_is_normalised_by_the_running_statistics() -> None:
    norm = VideoBatchNorm(2).train()
    norm.running_mean.fill_(1.0)
    out = norm(torch.full((1, 2), 3.0), torch.zeros(1, dtype=torch.int64), 1)
    torch.testing.assert_close(out, torch.full((1, 2), 2.0), rtol=1e-4, atol=1e-4)
    assert norm.num_batches_tracked == 0


def test_the_start_of_class_embeddings_scales_with_its_spread() -> None:
    """The same directions, so that a class never trained on lies near zero with a small spread."""
    small = tiny(ACTION, embedding_std=0.01).pair_encoder
    usual = tiny(ACTION).pair_encoder
    for name in ("subject_embedding", "object_embedding"):
        torch.testing.assert_close(getattr(small, name).weight, 0.01 * getattr(usual, name).weight)


def test_class_embeddings_start_alike_whatever_was_drawn_before() -> None:
    torch.manual_seed(1)
    first = ClassEmbedding(("person", "cup/glass/bottle"), 5)
    torch.manual_seed(2)
    second = ClassEmbedding(("cup/glass/bottle", "door"), 5)
    assert torch.equal(first.weight[1], second.weight[0])
    lacking = first.start_from({"cup": torch.arange(5.0)})
    assert lacking == ["person"]
    assert torch.equal(first.weight[1], torch.arange(5.0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same_numbers() -> None:
    for model, clip in ((tiny(), entity_clip([3, 0, 2])), (tiny(mode="sgcls"), open_clip([3, 0, 2]))):
        want = flat(model, clip)
        torch.testing.assert_close(flat(model.to("cuda"), clip.to("cuda")).cpu(), want, rtol=1e-3, atol=1e-4)
