"""Objects and actions of events that a mode hides: what must hold for every model that reads events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from clips import ACTION, action_annotation

from vidsgg.errors import ConfigError
from vidsgg.losses.criterion import Criterion
from vidsgg.losses.relations import RelationCriterion
from vidsgg.losses.scenellm import SceneLLMCriterion
from vidsgg.losses.tempura import TempuraCriterion
from vidsgg.methods.tempura import TempuraOptions
from vidsgg.models.configs import STTranConfig, TempuraConfig, TempuraLossConfig
from vidsgg.models.frequency import FrequencyModel
from vidsgg.models.scenellm.scenellm import SceneLLM, SceneLLMConfig, Stage
from vidsgg.models.sttran import STTran
from vidsgg.models.tempura import TEMPURA
from vidsgg.ops.decoding import decode
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

NONE, ALL = FeatureWidths(), FeatureWidths(node=6, action=5)
SMALL: dict[str, Any] = {"hidden_dim": 8, "embedding_dim": 4, "heads": 2, "feedforward_dim": 16, "dropout": 0.0}


def sttran(widths: FeatureWidths, mode: str) -> STTran:
    return STTran(ACTION, widths, STTranConfig(**SMALL), mode)


def tempura(widths: FeatureWidths, mode: str) -> TEMPURA:
    config = TempuraConfig(**SMALL, num_mixtures=2, tracking=False, obj_mem_compute=True, take_obj_mem_feat=True)
    model = TEMPURA(ACTION, widths, config, mode)
    generator = torch.Generator().manual_seed(1)
    for name, buffer in model.named_buffers():
        if name.endswith("prototypes"):
            buffer.copy_(torch.randn(buffer.shape, generator=generator))
    return model


def scenellm(widths: FeatureWidths, mode: str) -> SceneLLM:
    sizes: dict[str, Any] = {"token_dim": 8, "codes": 5, "code_hidden": 8, "ot_mode": "none", "decoder_layer": 1}
    model = SceneLLM(ACTION, widths, SceneLLMConfig(**SMALL, **sizes), mode)
    model.learn(Stage.RELATIONS)
    return model


Maker = Callable[[FeatureWidths, str], torch.nn.Module]
NETWORKS: dict[str, tuple[Maker, FeatureWidths]] = {
    "sttran": (sttran, NONE),
    "sttran with features": (sttran, ALL),
    "sttran with features of objects": (sttran, FeatureWidths(node=6)),
    "sttran with features of actions": (sttran, FeatureWidths(action=5)),
    "tempura": (tempura, NONE),
    "tempura with features": (tempura, ALL),
    "scenellm with features": (scenellm, ALL),
}
networks = pytest.mark.parametrize("network", NETWORKS.values(), ids=list(NETWORKS))
hidden = pytest.mark.parametrize("mode", ["sgcls", "sgdet"])


def ready(network: tuple[Maker, FeatureWidths], mode: str) -> torch.nn.Module:
    torch.manual_seed(0)
    make, widths = network
    return make(widths, mode).eval()


def criterion_of(model: torch.nn.Module) -> Criterion:
    if isinstance(model, TEMPURA):
        return TempuraCriterion(ACTION, TempuraLossConfig(obj_con_loss="euc_con"))
    return SceneLLMCriterion(ACTION, commitment=0.25) if isinstance(model, SceneLLM) else RelationCriterion(ACTION)


def clip_of(objects_of: list[int], mode: str, widths: FeatureWidths = NONE, seed: int = 0, name: str = "clip") -> Clip:
    annotation = action_annotation(objects_of, seed, name)
    generator = torch.Generator().manual_seed(seed)
    features = {}
    if widths.node:
        features["node_feature"] = torch.randn(annotation.nodes, widths.node, generator=generator)
    if widths.action:
        features["action_feature"] = torch.randn(annotation.units, widths.action, generator=generator)
    return Clip.from_annotation(annotation, mode, **features)


def flat(logits: Any) -> torch.Tensor:
    actions = logits.actions
    tables = [*logits.groups.values(), logits.objects, *([] if actions is None else [actions])]
    return torch.cat([table.detach().flatten() for table in tables])


@networks
@hidden
def test_objects_and_actions_are_scored_where_they_are_hidden(network: Any, mode: str) -> None:
    clip = clip_of([2, 1, 3], mode, network[1])
    logits = ready(network, mode)(clip)
    assert logits.groups["relation"].shape == (clip.pairs, 4)
    assert logits.objects.shape == (clip.nodes, 5)
    assert (logits.actions is None) == (mode == "sgcls")
    assert mode == "sgcls" or logits.actions.shape == (3, 3)
    (prediction,) = decode(clip, logits)
    np.testing.assert_allclose(prediction.object_scores.sum(1), 1, atol=1e-6)
    assert not prediction.object_scores[:, 0].any() and (prediction.node_class > 0).all()
    given = clip.action_class.numpy() if mode == "sgcls" else prediction.action_scores.argmax(1)
    np.testing.assert_array_equal(prediction.action_class, given)


@networks
@hidden
def test_what_is_hidden_is_not_read(network: Any, mode: str) -> None:
    """Other targets, other labels and another numbering of the objects change no score."""
    model, clip = ready(network, mode), clip_of([3, 2], mode, network[1])
    other = replace(
        clip,
        node_target=5 - clip.node_target,
        action_target=2 - clip.action_target,
        labels={name: ~hot for name, hot in clip.labels.items()},
        node_identity=7 - clip.node_identity,
    )
    assert torch.equal(flat(model(clip)), flat(model(other)))


@networks
@hidden
def test_the_order_of_an_events_objects_changes_nothing(network: Any, mode: str) -> None:
    """Objects are sorted by class, so that the order would tell the class where it is hidden."""
    model, clip = ready(network, mode), clip_of([3, 2], mode, network[1])
    order = torch.cat([torch.nonzero(clip.node_frame == frame).squeeze(1).flip(0) for frame in range(clip.frames)])
    names = ("node_box", "node_class", "node_score", "node_frame", "node_identity", "node_target", "node_feature")
    moved = replace(
        clip,
        **{name: None if getattr(clip, name) is None else getattr(clip, name)[order] for name in names},
        labels={name: hot[order] for name, hot in clip.labels.items()},
    )
    before, after = model(clip), model(moved)
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(after.groups["relation"], before.groups["relation"][order], **close)
    torch.testing.assert_close(after.objects, before.objects[order], **close)
    torch.testing.assert_close(after.actions, before.actions, **close)


@pytest.mark.parametrize("network", ["sttran", "tempura"])
@hidden
def test_without_features_boxes_are_read_to_a_hundredth_of_the_frame(network: str, mode: str) -> None:
    """Finer digits tell the boxes that were drawn by hand from the others, and so their relation."""
    model, clip = ready(NETWORKS[network], mode), clip_of([3, 2], mode)  # frames are 100 wide and high
    on_grid = replace(clip, node_box=clip.node_box.round())
    off_grid = replace(clip, node_box=on_grid.node_box + 0.4)
    torch.testing.assert_close(flat(model(off_grid)), flat(model(on_grid)))
    moved = replace(clip, node_box=on_grid.node_box + 1)
    assert not torch.allclose(flat(model(moved)), flat(model(on_grid)))


@networks
@hidden
def test_a_batch_gives_each_clip_the_result_it_has_alone(network: Any, mode: str) -> None:
    model = ready(network, mode)
    clips = [clip_of(shape, mode, network[1], seed, f"v{seed}") for seed, shape in enumerate(([2, 1], [1], [3, 1, 2]))]
    together, alone = model(Clip.cat(clips)), [model(clip) for clip in clips]
    for name in ("objects", *(["actions"] if mode == "sgdet" else [])):
        expected = torch.cat([getattr(logits, name) for logits in alone])
        torch.testing.assert_close(getattr(together, name), expected, rtol=1e-4, atol=1e-5)
    expected = torch.cat([logits.groups["relation"] for logits in alone])
    torch.testing.assert_close(together.groups["relation"], expected, rtol=1e-4, atol=1e-5)


@networks
@hidden
def test_everything_that_is_scored_is_learnt(network: Any, mode: str) -> None:
    model, clip = ready(network, mode).train(), clip_of([2, 3], mode, network[1])
    losses = criterion_of(model)(model(clip), clip)
    assert set(losses) - {"contrastive"} == {"relation", "objects", "total"} | (
        {"actions"} if mode == "sgdet" else set()
    )
    losses["total"].backward()
    classifier = "objects" if isinstance(model, TEMPURA) else "object_classifier"
    for part in (classifier, "pair_encoder", "heads", *(["action_classifier"] if mode == "sgdet" else [])):
        gradients = [p.grad for p in getattr(model, part).parameters() if p.grad is not None]
        assert gradients and any(g.abs().sum() > 0 for g in gradients), part
        assert all(torch.isfinite(g).all() for g in gradients), part


def test_the_given_action_tells_of_the_objects() -> None:
    model, clip = ready(NETWORKS["sttran"], "sgcls"), clip_of([2], "sgcls")
    other = replace(clip, action_class=(clip.action_class + 1) % 3)
    assert not torch.allclose(model(clip).objects, model(other).objects)


def test_the_background_is_no_class_of_an_object_of_an_action() -> None:
    """Whatever its column holds, loss and scores are those of the classes alone."""
    clip = clip_of([2, 1], "sgcls")
    logits = ready(NETWORKS["sttran"], "sgcls")(clip)
    without = replace(logits, objects=logits.objects.index_fill(1, torch.tensor([0]), -torch.inf))
    criterion = RelationCriterion(ACTION)
    expected = torch.nn.functional.cross_entropy(logits.objects[:, 1:], clip.node_target - 1)
    for one in (logits, without):
        torch.testing.assert_close(criterion(one, clip)["objects"], expected)
        np.testing.assert_array_equal(decode(clip, one)[0].object_scores, decode(clip, logits)[0].object_scores)


def test_scenellm_needs_something_to_quantise() -> None:
    with pytest.raises(ConfigError, match=r"RoI features or given classes into codes.*sgcls; use mode predcls"):
        scenellm(NONE, "sgcls")


def test_tempuras_sequences_need_a_detectors_classes() -> None:
    with pytest.raises(ConfigError, match=r"option -tracking: .* come without a detector's classes; leave it out"):
        TEMPURA(ACTION, ALL, TempuraConfig(**SMALL, tracking=True), "sgcls")
    options = TempuraOptions(mode="sgcls", data_path="there")
    assert options.network_config().tracking and not options.network_config(detected=False).tracking


def counted(mode: str) -> FrequencyModel:
    """Verbs 0, 0, 1 with objects (1, 2), (1), (3): pairs of (verb, object) with relations."""
    model = FrequencyModel(ACTION, alpha=2.0, beta=1.0, mode=mode)
    annotation = action_annotation([2, 1, 1])
    classes = np.array([1, 2] * 3 + [1] * 3 + [3] * 3)
    hot = np.zeros((12, 4), bool)
    hot[[0, 2, 4], 0] = hot[[1, 3, 5], 1] = hot[6:9, 0] = hot[9:, 2] = True
    annotation = replace(annotation, action_class=np.array([0, 0, 1]), node_class=classes, labels={"relation": hot})
    model.observe(Clip.from_annotation(annotation, mode))
    return model


def test_counting_guesses_objects_by_the_given_action() -> None:
    model = counted("sgcls")
    clip = clip_of([1, 1, 1], "sgcls")
    logits = model(replace(clip, action_class=torch.tensor([0, 1, 2])))
    overall = np.array([0, 2, 1, 1, 0]) / 4
    rows = np.array([[0, 2, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
    expected = (rows + 2 * overall) / (rows.sum(1, keepdims=True) + 2)
    np.testing.assert_allclose(logits.objects.softmax(1)[::3], expected, atol=1e-6)
    assert logits.actions is None

    given = counted("predcls")
    for verb in range(3):
        every = replace(clip_of([4], "predcls"), action_class=torch.tensor([verb]))  # all four objects
        of_objects = given(every).groups["relation"].sigmoid()[:4].numpy()
        assert every.node_class[:4].tolist() == [1, 2, 3, 4]
        found = logits.groups["relation"][3 * verb].sigmoid()
        np.testing.assert_allclose(found, expected[verb, 1:] @ of_objects, atol=1e-6)


def test_counting_guesses_hidden_actions_by_their_share_of_the_events() -> None:
    logits = counted("sgdet")(clip_of([2, 1], "sgdet"))
    np.testing.assert_allclose(logits.actions.softmax(1), [[2 / 3, 1 / 3, 0]] * 2, atol=1e-6)
    np.testing.assert_allclose(logits.objects.softmax(1), [[0, 0.5, 0.25, 0.25, 0]] * 9, atol=1e-6)
    np.testing.assert_allclose(logits.groups["relation"].sigmoid(), [[0.5, 0.25, 0.25, 0]] * 9, atol=1e-6)
