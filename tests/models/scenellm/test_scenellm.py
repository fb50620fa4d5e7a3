"""What must hold for SceneLLM as a whole, on any input."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from clips import ACTION, ENTITY, WIDTHS, action_clip, entity_clip, learning_clip, open_clip
from hypothesis import example, given, settings
from hypothesis import strategies as st
from models.scenellm.tiny import TINY, tiny, with_adapters

from vidsgg.engine.recompute import recompute_layers
from vidsgg.errors import ConfigError
from vidsgg.losses.relations import RelationCriterion
from vidsgg.losses.scenellm import SceneLLMCriterion
from vidsgg.methods.scenellm import METHOD
from vidsgg.models.layers.object_classifier import class_distribution
from vidsgg.models.scenellm.scenellm import SceneLLM, Stage
from vidsgg.ops.clusters import kmeans
from vidsgg.ops.pairing import settle
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

ABLATIONS: dict[str, dict[str, object]] = {
    "whole": {},
    "no language model": {"language": None},
    "no quantisation": {"quantise": False},
    "no words": {"ot_mode": "none"},
    "temporal convolution": {"ot_mode": "tconv"},
    "clusters": {"ot_mode": "cluster"},
    "places concatenated": {"concatenate_places": True},
    "three layers": {"decoder_layer": 3},
}


def ready(schema=ENTITY, mode: str = "predcls", **changes: object) -> SceneLLM:
    """A model past all stages: codes where features are, words of two frames, adapters that do
    something."""
    model = with_adapters(tiny(schema, mode, **changes))
    generator = torch.Generator().manual_seed(0)
    if model.quantiser is not None:
        model.quantiser.start_from(torch.randn(40, WIDTHS.node, generator=generator), generator)
    if model.words.has_kinds:
        clip = entity_clip([2, 1, 3, 1, 2]) if schema is ENTITY else action_clip([2, 1, 3])
        with torch.no_grad():
            kinds = kmeans(model.frame_tokens(clip), TINY.frame_codes, generator)
        pairs = torch.tensor([[a, b, -1, -1] for a in range(4) for b in (0, 1)])
        model.words.learn(kinds, pairs if model.words.mode == "words" else None)
    return model


def flat(model: SceneLLM, clip: Clip) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat(list(model(clip).groups.values()), 1)


videos = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=3)


@settings(max_examples=15, deadline=None)
@given(videos)
@example([[0], [2, 1], [0, 0], [1]])  # videos without pairs among others
def test_a_batch_gives_each_video_the_result_it_has_alone(shapes: list[list[int]]) -> None:
    model = READY["entity"]
    clips = [entity_clip(shape, seed, f"v{seed}") for seed, shape in enumerate(shapes)]
    alone = torch.cat([flat(model, clip) for clip in clips])
    torch.testing.assert_close(flat(model, Clip.cat(clips)), alone, rtol=1e-4, atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=3), min_size=1, max_size=3))
def test_the_same_for_events(shapes: list[list[int]]) -> None:
    model = READY["action"]
    clips = [action_clip(shape, seed, f"v{seed}") for seed, shape in enumerate(shapes)]
    alone = torch.cat([flat(model, clip) for clip in clips])
    torch.testing.assert_close(flat(model, Clip.cat(clips)), alone, rtol=1e-4, atol=1e-5)


class _Ready(dict):
    def __missing__(self, kind: str) -> SceneLLM:
        self[kind] = ready({"entity": ENTITY, "action": ACTION}[kind])
        return self[kind]


READY = _Ready()  # made once, in the first test that asks


@pytest.mark.parametrize("mode", ["sgcls", "sgdet"])
def test_guessing_classes_a_batch_gives_each_video_the_result_it_has_alone(mode: str) -> None:
    model = ready(mode=mode)
    clips = [open_clip(shape, seed, f"v{seed}") for seed, shape in enumerate(([2, 0, 1], [1], [3, 2]))]
    with torch.inference_mode():
        together, alone = model(Clip.cat(clips)), [model(clip) for clip in clips]
    assert together.clip.node_class.tolist() == [klass for logits in alone for klass in logits.clip.node_class.tolist()]
    torch.testing.assert_close(together.objects, torch.cat([logits.objects for logits in alone]), rtol=1e-4, atol=1e-5)
    for name, rows in together.groups.items():
        torch.testing.assert_close(rows, torch.cat([logits.groups[name] for logits in alone]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_every_pair_gets_a_score_and_every_weight_of_its_stage_a_gradient(ablation: str) -> None:
    model = ready(**ABLATIONS[ablation]).train()
    clip = entity_clip([2, 0, 3, 1])
    criterion = SceneLLMCriterion(ENTITY, commitment=0.25)
    for stage in Stage:
        if stage is Stage.CODES and model.quantiser is None:
            continue
        model.learn(stage)
        model.zero_grad(set_to_none=True)
        criterion(model(clip), clip)["total"].backward()
        learning = {name for name, p in model.named_parameters() if p.requires_grad}
        assert {name for name, p in model.named_parameters() if p.grad is not None} == learning
        still = [name for name in learning if not model.get_parameter(name).grad.abs().sum() > 0]
        # ReLUs that happen to be shut
        assert not [name for name in still if not name.endswith(("place.0.weight", "place.0.bias"))]
        assert {name.startswith("quantiser.") for name in learning} == {stage is Stage.CODES}
        assert any("lora_" in name for name in learning) == (stage is Stage.LANGUAGE and model.language is not None)


@pytest.mark.parametrize("shape", [[1], [3], [0], [0, 0], [2, 0, 1], [0, 0, 2], [1, 0]], ids=str)
@pytest.mark.parametrize("mode", ["predcls", "sgcls"])
def test_corner_cases_of_frames(shape: list[int], mode: str) -> None:
    """One frame, a person alone, frames without pairs."""
    model = ready(mode=mode).train()
    clip = entity_clip(shape) if mode == "predcls" else learning_clip(shape)
    logits = model(clip)
    assert {name: tuple(x.shape) for name, x in logits.groups.items()} == {
        g.name: (clip.pairs, len(g)) for g in ENTITY.vocabulary.groups
    }
    loss = RelationCriterion(ENTITY)(logits, clip)["total"]
    if loss.requires_grad:
        loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_permuting_the_pairs_of_a_frame_permutes_the_outputs() -> None:
    model, clip = ready(), entity_clip([3, 2])
    order = torch.tensor([2, 0, 1, 4, 3])
    moved = replace(
        clip,
        **{
            name: getattr(clip, name)[order]
            for name in ("pair_subject", "pair_object", "pair_frame", "pair_union", "pair_mask")
        },
        labels={name: hot[order] for name, hot in clip.labels.items()},
    )
    torch.testing.assert_close(flat(model, moved), flat(model, clip)[order], rtol=1e-4, atol=1e-5)


def test_the_order_of_an_events_objects_changes_nothing() -> None:
    model, clip = ready(ACTION), action_clip([3, 2])
    order = torch.cat([torch.nonzero(clip.node_frame == frame).squeeze(1).flip(0) for frame in range(clip.frames)])
    nodes = ("node_box", "node_class", "node_score", "node_frame", "node_identity", "node_target")
    moved = replace(
        clip,
        **{name: getattr(clip, name)[order] for name in nodes},
        labels={name: hot[order] for name, hot in clip.labels.items()},
    )
    torch.testing.assert_close(flat(model, moved), flat(model, clip)[order], rtol=1e-4, atol=1e-5)


def test_the_language_model_speaks_of_later_frames_only() -> None:
    """Without frames' tokens in the memory (alpha 1) and with kinds of frames that do not change,
    what a frame hears is of its past."""
    model, clip = ready(memory_weight=1.0, ot_mode="none", quantise=False), entity_clip([1, 1, 1])
    with torch.inference_mode():
        token = model.frame_tokens(clip)
        changed = token.clone()
        changed[1] += 1
        different = (model.memory(changed, clip) - model.memory(token, clip)).abs().amax(1) > 1e-6
    assert different.tolist() == [False, True, True]


def test_memory_weighs_states_against_tokens() -> None:
    clip = entity_clip([1, 2, 1])
    zero, half, one = (ready(memory_weight=weight) for weight in (0.0, 0.5, 1.0))
    with torch.inference_mode():
        token = half.frame_tokens(clip)
        assert torch.equal(zero.memory(token, clip), token)
        torch.testing.assert_close(half.memory(token, clip), (one.memory(token, clip) + token) / 2)
        words = half.words(token, clip)
        assert len(words.vector) < clip.frames  # frames of one word hear the same
        torch.testing.assert_close(one.memory(token, clip), half.language(words.vector, words.video)[words.of_frame])


def test_frames_of_one_code_each_are_told_apart_by_codes_alone() -> None:
    model, clip = ready(), entity_clip([2, 1])
    nudged = replace(clip, node_feature=clip.node_feature + 1e-4)
    with torch.inference_mode():
        assert torch.equal(model.frame_tokens(nudged), model.frame_tokens(clip))


def test_scored_classes_are_those_of_the_object_logits() -> None:
    model, clip = ready(mode="sgcls"), open_clip([3, 2])
    with torch.inference_mode():
        logits = model(clip)
        settled = settle(clip, class_distribution(logits.objects))
        given_classes = model(settled)
    assert torch.equal(logits.clip.node_class, settled.node_class)
    assert given_classes.objects is None
    for name, rows in logits.groups.items():
        torch.testing.assert_close(rows, given_classes.groups[name])


@pytest.mark.parametrize("mode", ["sgcls", "sgdet"])
def test_hidden_classes_are_learnt_and_the_pairs_read_those_to_learn(mode: str) -> None:
    model, clip = ready(mode=mode).train(), learning_clip([2, 0, 3])
    model.learn(Stage.RELATIONS)
    background = replace(clip, node_target=clip.node_target.masked_fill(torch.arange(clip.nodes) % 3 == 0, 0))
    logits = model(background)
    losses = SceneLLMCriterion(ENTITY, commitment=0.25)(logits, background)
    assert losses.keys() == {"attention", "spatial", "contacting", "objects", "total"}
    losses["total"].backward()
    assert all(p.grad.isfinite().all() for p in model.own_weights())
    assert model.object_context.weight.grad.abs().sum() > 0
    given_classes = replace(background, classes_given=True, node_class=background.node_target)
    for name, rows in model(given_classes).groups.items():
        assert torch.equal(rows, logits.groups[name])


def test_training_on_a_batch_equals_steps_on_its_videos_added_up() -> None:
    clips = [entity_clip([2, 1], 0, "a"), entity_clip([1], 1, "b"), entity_clip([1, 3], 2, "c")]
    criterion = SceneLLMCriterion(ENTITY, commitment=0.25)
    together, apart = ready().train(), ready().train()
    criterion(together(Clip.cat(clips)), Clip.cat(clips))["total"].backward()
    for clip in clips:
        (criterion(apart(clip), clip)["total"] / len(clips)).backward()
    for (name, a), b in zip(together.named_parameters(), apart.parameters(), strict=True):
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5, msg=name)
    for (name, a), b in zip(together.named_buffers(), apart.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_the_frozen_language_model_is_in_evaluation_mode() -> None:
    model = tiny()
    for stage in Stage:
        model.learn(stage)
        model.train()
        assert model.training
        assert model.language.llm.training == (stage is Stage.LANGUAGE)
        assert not model.eval().language.llm.training


@pytest.mark.parametrize("mode", ["predcls", "sgcls"])
def test_mixed_precision_stays_near(mode: str) -> None:
    model = ready(mode=mode)
    clip = entity_clip([3, 1]) if mode == "predcls" else learning_clip([3, 1])
    with torch.inference_mode():
        want = model(clip)
        with torch.autocast("cpu", torch.bfloat16):
            have = model(clip)
    for name, rows in want.groups.items():
        torch.testing.assert_close(have.groups[name].float(), rows, rtol=0.2, atol=0.2)


def test_layers_that_are_computed_twice_give_the_same_gradients() -> None:
    clip, gradients = entity_clip([2, 1, 2]), []
    for twice in (False, True):
        model = ready().train()
        if twice:
            # of the predictor, of the language model
            assert recompute_layers(model, METHOD.capabilities.recomputable) == 1 + 2
        RelationCriterion(ENTITY)(model(clip), clip)["total"].backward()
        gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert recompute_layers(tiny(language=None), METHOD.capabilities.recomputable) == 1


def test_state_dicts_bring_everything_back() -> None:
    for mode, clip in (("predcls", entity_clip([2, 0, 3])), ("sgcls", open_clip([2, 1]))):
        model, fresh = ready(mode=mode), tiny(mode=mode)
        fresh.load_state_dict(model.state_dict())
        assert torch.equal(flat(fresh, clip), flat(model, clip))


def test_what_a_model_was_not_made_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="made for mode predcls"):
        tiny()(open_clip([1]))
    with pytest.raises(ConfigError, match="neither given nor to be learnt"):
        tiny(mode="sgcls")(replace(learning_clip([1]), node_target=None))
    with pytest.raises(ConfigError, match="from RoI features"):
        SceneLLM(ENTITY, FeatureWidths(), TINY, "sgcls")
    with pytest.raises(ConfigError, match="multiple of the 2 attention heads"):
        tiny(token_dim=7)


def test_nothing_of_the_extra_is_imported_before_a_model_is_built() -> None:
    code = (
        "import sys; from vidsgg.methods.registry import methods; import vidsgg.methods.scenellm.course,"
        " vidsgg.losses.scenellm;assert methods()['scenellm'].capabilities; print([name for name in ('transformers',"
        " 'peft', 'ot', 'scipy') if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same_numbers() -> None:
    for model, clip in ((ready(), entity_clip([3, 0, 2])), (ready(mode="sgcls"), open_clip([3, 0, 2]))):
        want = flat(model, clip)
        torch.testing.assert_close(flat(model.to("cuda"), clip.to("cuda")).cpu(), want, rtol=1e-3, atol=1e-4)
