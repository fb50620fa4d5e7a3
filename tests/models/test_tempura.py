"""What must hold for TEMPURA on any input, on a tiny configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from clips import ACTION, ENTITY, WIDTHS, action_clip, entity_clip, learning_clip, open_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.test_detections import detections

from vidsgg.engine.recompute import recompute_layers
from vidsgg.errors import ConfigError
from vidsgg.losses.tempura import TempuraCriterion
from vidsgg.methods.tempura import METHOD
from vidsgg.models.configs import TempuraConfig, TempuraLossConfig
from vidsgg.models.layers.subjects import score_apart
from vidsgg.models.layers.video_norm import VideoBatchNorm
from vidsgg.models.tempura import TEMPURA
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

TINY = TempuraConfig(hidden_dim=8, embedding_dim=4, heads=2, feedforward_dim=16, dropout=0.0, num_mixtures=3)
FRAMES: dict[str, Callable[[list[int], int, str], Clip]] = {
    "predcls": entity_clip,
    "sgcls": open_clip,
    "sgdet": lambda counts, seed, name: detections([2 * n for n in counts], seed, name),
}
videos = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=3)


def tiny(mode: str = "predcls", schema=ENTITY, **changes: Any) -> TEMPURA:
    torch.manual_seed(0)
    model = TEMPURA(schema, WIDTHS if schema is ENTITY else FeatureWidths(), replace(TINY, **changes), mode)
    model.noise = torch.zeros_like
    return model.eval()


def remembering(mode: str = "predcls", schema=ENTITY, **changes: Any) -> TEMPURA:
    """A model with random prototypes."""
    model = tiny(mode, schema, **changes)
    generator = torch.Generator().manual_seed(1)
    for name, buffer in model.named_buffers():
        if name.endswith(".prototypes"):
            buffer.copy_(torch.randn(buffer.shape, generator=generator))
        if name.endswith(".renewals"):
            buffer.fill_(1)
    return model


def flat(model: TEMPURA, clip: Clip) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat(list(model(clip).groups.values()), 1)


@pytest.mark.parametrize("mode", FRAMES)
@settings(max_examples=8, deadline=None)
@given(shapes=videos)
def test_a_batch_gives_each_video_the_result_it_has_alone(mode: str, shapes: list[list[int]]) -> None:
    model = remembering(mode, obj_mem_compute=mode != "predcls", obj_head="gmm", temporal_window=3)
    clips = [FRAMES[mode](shape, seed, f"v{seed}") for seed, shape in enumerate(shapes)]
    with torch.inference_mode():
        together, alone = model(Clip.cat(clips)), [model(clip) for clip in clips]
    if mode != "predcls":
        assert together.clip.node_class.tolist() == [
            klass for logits in alone for klass in logits.clip.node_class.tolist()
        ]
        torch.testing.assert_close(
            together.objects, torch.cat([logits.objects for logits in alone]), rtol=1e-4, atol=1e-4
        )
        torch.testing.assert_close(
            together.node_features, torch.cat([logits.node_features for logits in alone]), rtol=1e-4, atol=1e-4
        )
    for name, rows in together.groups.items():
        torch.testing.assert_close(rows, torch.cat([logits.groups[name] for logits in alone]), rtol=1e-4, atol=1e-4)
        for kind in ("aleatoric", "epistemic"):
            told = [getattr(logits.uncertainty, kind)[name] for logits in alone]
            torch.testing.assert_close(getattr(together.uncertainty, kind)[name], torch.cat(told), rtol=1e-4, atol=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_same_for_events(shapes: list[list[int]]) -> None:
    model = remembering(schema=ACTION)
    clips = [action_clip(shape, seed, f"v{seed}") for seed, shape in enumerate(shapes)]
    alone = torch.cat([flat(model, clip) for clip in clips])
    torch.testing.assert_close(flat(model, Clip.cat(clips)), alone, rtol=1e-4, atol=1e-5)


def learnt(mode: str) -> list[Clip]:
    make = entity_clip if mode == "predcls" else learning_clip
    return [make([2, 1], 0, "a"), make([1], 1, "b"), make([1, 3], 2, "c")]


@pytest.mark.parametrize(
    "changes", [{}, {"rel_mem_weight_type": "both", "rel_unc": True}, {"mem_fusion": "early"}], ids=str
)
@pytest.mark.parametrize("mode", ["predcls", "sgcls"])
def test_training_on_a_batch_equals_steps_on_its_videos_added_up(mode: str, changes: dict[str, Any]) -> None:
    """Gradients, running statistics and what is gathered for the memory."""
    clips = learnt(mode)
    if mode != "predcls":
        changes = {**changes, "obj_mem_compute": True}
    loss = TempuraLossConfig(obj_con_loss=None if mode == "predcls" else "euc_con", gmm_regularization=0.1)
    criterion = TempuraCriterion(ENTITY, loss)
    together, apart = (remembering(mode, **changes).train() for _ in range(2))
    criterion(together(Clip.cat(clips)), Clip.cat(clips))["total"].backward()
    together.gather(lambda sums: None)
    for clip in clips:
        (criterion(apart(clip), clip)["total"] / len(clips)).backward()
    apart.gather(lambda sums: None)
    for (name, a), b in zip(together.named_parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5, msg=name)
    for (name, a), b in zip(together.named_buffers(), apart.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=name)
    assert together.banks["contacting"].weight.sum() > 0


@pytest.mark.parametrize("shape", [[1], [3], [1, 1], [2, 0, 1], [0, 0, 2], [0]], ids=str)
@pytest.mark.parametrize("mode", ["predcls", "sgcls"])
def test_every_pair_gets_a_finite_score_and_gradient(mode: str, shape: list[int]) -> None:
    changes = {"obj_head": "gmm", "obj_mem_compute": True, "take_obj_mem_feat": True} if mode == "sgcls" else {}
    model = remembering(mode, **changes).train()
    clip = (entity_clip if mode == "predcls" else learning_clip)(shape)
    loss = TempuraCriterion(
        ENTITY, TempuraLossConfig(obj_head="gmm", obj_con_loss="euc_con" if mode == "sgcls" else None)
    )
    loss(model(clip), clip)["total"].backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert all(torch.isfinite(g).all() for g in gradients.values())
    dumb = {"heads.attention.variance.weight"}  # zero noise leaves variances without a part
    assert not clip.pairs or sum(bool(g.abs().sum() > 0) for g in gradients.values()) > 0.6 * len(gradients) > len(dumb)


def test_one_component_has_no_epistemic_uncertainty_and_each_head_has_as_many_as_wanted() -> None:
    with torch.inference_mode():
        one, several = tiny(num_mixtures=1)(entity_clip([2, 1])), tiny(num_mixtures=5)(entity_clip([2, 1]))
    for name, spread in one.uncertainty.epistemic.items():
        assert not spread.any()
        assert (several.uncertainty.epistemic[name] > 0).all() and (several.uncertainty.epistemic[name] <= 0.25).all()
        assert ((several.uncertainty.aleatoric[name] > 0) & (several.uncertainty.aleatoric[name] < 1)).all()
        assert several.mixture_weights[name].shape[1] == 5


def test_a_checkpoint_runs_with_windows_of_any_size() -> None:
    clip = entity_clip([1, 2, 1, 1, 2, 1])
    of_frame = [torch.nonzero(clip.pair_frame == f).squeeze(1) for f in range(clip.frames)]
    feature = clip.node_feature.clone()
    feature[clip.node_frame == 1] += 5
    moved = replace(clip, node_feature=feature)
    # frames before the window's end share the first window
    reached = {1: [1], 2: [0, 1, 2], 3: [0, 1, 2, 3], 10: [0, 1, 2, 3, 4, 5]}
    states = set()
    for size, frames in reached.items():
        model = tiny(temporal_window=size)
        states.add(tuple(model.state_dict()))
        change = (flat(model, moved) - flat(model, clip)).abs().amax(1) > 1e-6
        assert [f for f, rows in enumerate(of_frame) if change[rows].any()] == frames
    assert len(states) == 1
    assert torch.equal(flat(tiny(temporal_window=6), clip), flat(tiny(temporal_window=99), clip))


def by_class(model: TEMPURA, clips: list[Clip], name: str, kind: str, threshold: float) -> torch.Tensor:
    """Prototypes of a group from the features that the model has in eval mode, pair by pair."""
    seen: list[torch.Tensor] = []
    hook = model.temporal.register_forward_hook(lambda module, args, out: seen.append(out))
    sums = [[0.0, 0.0] for _ in range(len(model.banks[name].prototypes))]
    with torch.inference_mode():
        for clip in clips:
            told = model.eval()(clip).uncertainty
            for row, labels in enumerate(clip.labels[name]):
                for c in labels.nonzero().flatten().tolist():
                    al, ep = told.aleatoric[name][row, c], told.epistemic[name][row, c]
                    if al + ep <= threshold:
                        weight = {"simple": 1.0, "al": al.exp(), "ep": ep.exp(), "both": (al + ep).exp()}[kind]
                        sums[c][0] = sums[c][0] + weight * seen[-1][row]
                        sums[c][1] = sums[c][1] + weight
    hook.remove()
    return torch.stack([total / weight if weight else torch.zeros_like(seen[0][0]) for total, weight in sums])


@pytest.mark.parametrize("kind", ["simple", "al", "ep", "both"])
@pytest.mark.parametrize("threshold", [1.25, 0.6])
def test_prototypes_are_weighted_means_of_the_features_that_carry_a_class(kind: str, threshold: float) -> None:
    model = tiny(rel_unc=True, rel_mem_weight_type=kind, memory_pass=True, uncertainty_threshold=threshold)
    clips = learnt("predcls")
    expected = {name: by_class(model, clips, name, kind, threshold) for name in model.banks}
    for module in model.train().modules():
        if isinstance(module, VideoBatchNorm):
            module.momentum = 0.0  # else the training forward moves the statistics before the second look
    for clip in clips:
        model(clip)
        model.gather(lambda sums: None)
    assert all(bank.empty for bank in model.banks.values())
    model.renew_memory()
    for name, want in expected.items():
        torch.testing.assert_close(model.banks[name].prototypes, want, rtol=1e-4, atol=1e-5)


def test_nothing_certain_enough_leaves_prototypes_of_zero() -> None:
    model = tiny(rel_unc=True, uncertainty_threshold=0.0).train()
    model(entity_clip([2, 1]))
    model.gather(lambda sums: None)
    model.renew_memory()
    assert all(not bank.prototypes.any() and not bank.empty for bank in model.banks.values())


def test_without_recorded_uncertainty_the_threshold_changes_nothing() -> None:
    gathered = []
    for threshold in (0.0, 1.25):
        model = tiny(uncertainty_threshold=threshold).train()
        model(entity_clip([2, 1]))
        model.gather(lambda sums: None)
        gathered.append({name: value for name, value in model.named_buffers() if "bank" in name})
    assert all(torch.equal(value, gathered[1][name]) for name, value in gathered[0].items())


def test_a_memory_is_renewed_only_from_what_was_gathered() -> None:
    model = tiny().train()
    model.renew_memory()
    assert all(bank.empty for bank in model.banks.values())
    model(entity_clip([2, 1]))
    model.gather(lambda sums: None)
    model.renew_memory()
    before = {name: bank.prototypes.clone() for name, bank in model.banks.items()}
    model.renew_memory()  # a run that was stopped between two epochs begins its epoch again
    assert all(torch.equal(value, model.banks[name].prototypes) and value.any() for name, value in before.items())


def test_scoring_records_nothing_and_an_empty_memory_changes_nothing() -> None:
    clip = entity_clip([2, 1])
    model, bare = tiny(), tiny(rel_mem_compute=None)
    bare.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(flat(model, clip), flat(bare, clip))
    model.gather(lambda sums: None)
    assert all(not bank.weight.any() for bank in model.banks.values())


@pytest.mark.parametrize("compute", ["joint", "separate"])
@pytest.mark.parametrize("share", [0.3, None, "automated"])
def test_what_is_remembered_changes_the_scores(compute: Any, share: Any) -> None:
    shares = {"mem_feat_selection": "automated"} if share == "automated" else {"mem_feat_lambda": share}
    model, clip = remembering(rel_mem_compute=compute, **shares), entity_clip([2, 1])
    before = flat(model, clip)
    model.banks["spatial"].prototypes += 1
    assert not torch.allclose(before, flat(model, clip))


def test_all_of_the_feature_and_nothing_of_the_memory() -> None:
    clip = entity_clip([2, 1])
    torch.testing.assert_close(flat(remembering(mem_feat_lambda=1.0), clip), flat(tiny(mem_feat_lambda=1.0), clip))


def test_two_processes_gather_what_one_would() -> None:
    clips = learnt("predcls")
    alone, *team = (tiny().train() for _ in range(3))
    for clip in clips:
        alone(clip)
    team[0](clips[0])
    for clip in clips[1:]:
        team[1](clip)
    alone.gather(lambda sums: None)
    sums = [[module.sums for module in member.banks.values()] for member in team]
    total = [a + b for a, b in zip(*sums, strict=True)]
    for member in team:
        rest = iter(total)
        member.gather(lambda own, rest=rest: own.copy_(next(rest)))
    for name, bank in alone.banks.items():
        for member in team:
            torch.testing.assert_close(member.banks[name].gathered, bank.gathered, rtol=1e-4, atol=1e-5)
            assert torch.equal(member.banks[name].weight, bank.weight)


def test_a_second_look_leaves_the_model_as_it_was() -> None:
    model = tiny(memory_pass=True, dropout=0.5).train()
    model.spatial.eval()
    model(entity_clip([2, 1]))
    assert model.training and model.temporal.training and not model.spatial.training


def test_layers_computed_twice_give_the_same_gradients() -> None:
    clip, results = learning_clip([2, 1]), []
    for twice in (False, True):
        model = remembering("sgcls", obj_mem_compute=True).train()
        if twice:
            assert recompute_layers(model, METHOD.capabilities.recomputable) == 3 + 1 + 3
        TempuraCriterion(ENTITY, TempuraLossConfig())(model(clip), clip)["total"].backward()
        results.append([p.grad for p in model.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_half_precision_stays_near() -> None:
    model, clip = remembering("sgcls", obj_mem_compute=True), learning_clip([2, 3])
    with torch.inference_mode():
        want = model(clip)
        with torch.autocast("cpu", torch.bfloat16):
            have = model(clip)
    for name, rows in want.groups.items():
        assert have.groups[name].dtype is torch.float32
        torch.testing.assert_close(have.groups[name], rows, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("changes", "mode", "message"),
    [
        (
            {"rel_head": "linear", "rel_unc": True},
            "predcls",
            "-rel_unc: a linear head has no uncertainty; use -rel_head gmm",
        ),
        ({"obj_unc": True}, "sgcls", "-obj_unc: a linear head has no uncertainty; use -obj_head gmm"),
        ({"rel_mem_weight_type": "al"}, "predcls", "-rel_mem_weight_type al weights by uncertainty; use -rel_unc True"),
        ({"embedding_dim": 5}, "sgcls", "-embedding_dim: nodes are 139 wide"),
        ({"take_obj_mem_feat": True}, "predcls", "-take_obj_mem_feat: mode predcls gives the classes"),
    ],
)
def test_parts_that_lack_another_are_refused(changes: dict[str, Any], mode: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny(mode, **changes)


def test_what_a_model_was_not_made_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="made for mode predcls"):
        tiny()(open_clip([1]))
    with pytest.raises(ConfigError, match="neither given nor to be learnt"):
        tiny("sgcls")(replace(learning_clip([1]), node_target=None))
    with pytest.raises(ConfigError, match="from RoI features"):
        TEMPURA(ENTITY, FeatureWidths(), TINY, "sgcls")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same_numbers() -> None:
    for mode, make in FRAMES.items():
        model, clip = remembering(mode), make([3, 0, 2], 0, "a")
        want = flat(model, clip)
        torch.testing.assert_close(flat(model.to("cuda"), clip.to("cuda")).cpu(), want, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mode", ["sgcls", "sgdet"])
def test_a_settled_clip_is_scored_a_subject_at_a_time(mode: str) -> None:
    """Own videos: the model settles classes and pairs, then sees every subject alone, here with the
    features that its memory gives."""
    model = remembering(mode, obj_head="gmm", obj_mem_compute=True, take_obj_mem_feat=True).eval()
    clip = open_clip([2, 1, 2]) if mode == "sgcls" else detections([3, 2, 3], seed=0)
    settled = model(clip).clip
    assert settled is not None and settled.pairs > 1
    alone = score_apart(model, settled)
    for group in ENTITY.vocabulary.groups:
        assert alone.groups[group.name].shape == (settled.pairs, len(group))
        assert torch.isfinite(alone.groups[group.name]).all()
    assert alone.uncertainty is not None
