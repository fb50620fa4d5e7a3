"""What must hold for STKET on any input, on a tiny configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from clips import ACTION, ENTITY, WIDTHS, entity_clip, learning_clip, open_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from stket_loop import walk

from vidsgg.engine.precision import Precision
from vidsgg.engine.recompute import recompute_layers
from vidsgg.errors import ConfigError, DataError
from vidsgg.losses.stket import StketCriterion
from vidsgg.methods.stket import METHOD
from vidsgg.models.configs import StketConfig
from vidsgg.models.layers.knowledge import TransitionKnowledge
from vidsgg.models.stket import Stket
from vidsgg.ops.contacts import contact_group, predicted_contacts
from vidsgg.ops.ragged import RaggedLayout
from vidsgg.ops.windows import FrameWindows
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import PredicateGroup

TINY = StketConfig(hidden_dim=8, embedding_dim=4, heads=2, feedforward_dim=16, dropout=0.0, pred_contact_threshold=0.5)
NEGATIVE = 2
KNOWING = replace(
    ENTITY,
    vocabulary=replace(
        ENTITY.vocabulary,
        groups=tuple(replace(g, negative=g.predicates[NEGATIVE]) if g.name == "contacting" else g for g in ENTITY.vocabulary.groups),
    ),
)  # fmt: skip
videos = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=1, max_size=3)


def tiny(mode: str = "predcls", **changes: Any) -> Stket:
    torch.manual_seed(0)
    model = Stket(KNOWING, WIDTHS, replace(TINY, **changes), mode).eval()
    rng = np.random.default_rng(0)
    objects, predicates = len(ENTITY.vocabulary.objects), len(ENTITY.vocabulary.predicates)
    model.start_from(rng.random((objects, predicates)), rng.random((objects, 4, predicates)))
    return model


def flat(model: Stket, clip: Clip) -> torch.Tensor:
    """Every logit of every part."""
    with torch.inference_mode():
        return torch.cat([table for groups in model(clip).parts.values() for table in groups.values()], 1)


@settings(max_examples=15, deadline=None)
@given(videos, st.booleans())
def test_a_batch_gives_each_video_the_result_it_has_alone(shapes: list[list[int]], compat: bool) -> None:
    model = tiny(reference_compat=compat)
    clips = [entity_clip(shape, seed, f"v{seed}") for seed, shape in enumerate(shapes)]
    alone = torch.cat([flat(model, clip) for clip in clips])
    torch.testing.assert_close(flat(model, Clip.cat(clips)), alone, rtol=1e-4, atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(videos)
def test_so_does_a_batch_whose_classes_are_guessed(shapes: list[list[int]]) -> None:
    model = tiny("sgcls")
    clips = [open_clip(shape, seed, f"v{seed}") for seed, shape in enumerate(shapes)]
    alone = torch.cat([flat(model, clip) for clip in clips])
    torch.testing.assert_close(flat(model, Clip.cat(clips)), alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "shape",
    [[1], [3], [1, 1], [2, 0, 1], [0, 0, 2], [1, 0], [0], [0, 0]],
    ids=["one pair", "one frame", "two frames", "a gap", "late start", "empty end", "no pair", "no pair, two frames"],
)
@pytest.mark.parametrize("layers", [(1, 2), (0, 1), (1, 0), (0, 0), (2, 1)], ids=str)
def test_every_pair_gets_a_finite_score_and_gradient(shape: list[int], layers: tuple[int, int]) -> None:
    model = tiny(spatial_layer=layers[0], temporal_layer=layers[1], N_layer=2).train()
    clip = entity_clip(shape)
    logits = model(clip)
    groups = {g.name: (clip.pairs, len(g)) for g in ENTITY.vocabulary.groups}
    assert {name: tuple(x.shape) for name, x in logits.groups.items()} == groups
    parts = {"spatial", *(["temporal"] if layers[1] else []), *(["ensemble"] if all(layers) else [])}
    assert {part for part in logits.parts if not part.endswith("_prior")} == parts
    assert logits.groups is logits.parts["ensemble" if all(layers) else "temporal" if layers[1] else "spatial"]
    StketCriterion(KNOWING)(logits, clip)["total"].backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert all(g is None or torch.isfinite(g).all() for g in gradients.values())
    if clip.pairs > 1:  # every weight learns: none is there for nothing
        assert [name for name, g in gradients.items() if g is None] == []


def test_a_loss_reaches_the_tables_of_knowledge() -> None:
    model, clip = tiny().train(), entity_clip([3, 2, 3])
    StketCriterion(KNOWING)(model(clip), clip)["total"].backward()
    classes = clip.node_class[clip.pair_object].unique()
    for table in (
        model.spatial_knowledge.initial,
        model.temporal_knowledge.initial,
        model.temporal_knowledge.transition,
    ):
        learnt = table.grad.flatten(1).abs().sum(1) > 0
        assert torch.isin(torch.nonzero(learnt).flatten(), classes).all()
        assert learnt.any()


def test_training_on_a_batch_equals_steps_on_its_videos_added_up() -> None:
    clips = [entity_clip([2, 1], 0, "a"), entity_clip([1], 1, "b"), entity_clip([1, 3], 2, "c")]
    criterion = StketCriterion(KNOWING)
    together, apart = tiny().train(), tiny().train()
    criterion(together(Clip.cat(clips)), Clip.cat(clips))["total"].backward()
    for clip in clips:
        (criterion(apart(clip), clip)["total"] / len(clips)).backward()
    for (name, a), b in zip(together.named_parameters(), apart.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5, msg=name)
    for (name, a), b in zip(together.named_buffers(), apart.buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)


def test_priors_matter_where_they_are_read_and_nowhere_else() -> None:
    clip = entity_clip([2, 3, 2])
    for changes in ({}, {"use_spatial_prior": False}, {"use_temporal_prior": False}):
        model = tiny(**changes)
        before = {part: groups["spatial"].clone() for part, groups in model(clip).parts.items()}
        model.start_from(np.zeros((5, 9)), np.zeros((5, 4, 9)))
        after = {part: groups["spatial"] for part, groups in model(clip).parts.items()}
        changed = {part for part in before if not torch.allclose(before[part], after[part])}
        assert changed == set(before) - (set() if model.spatial_knowledge else {"spatial"})
    silent = tiny(use_spatial_prior=False, use_temporal_prior=False)
    assert not silent.knows
    assert not [name for name in silent.state_dict() if "knowledge" in name]
    assert list(silent(clip).parts) == ["spatial", "temporal", "ensemble"]


def test_what_is_known_of_a_pair_is_the_mean_over_its_contacts_or_the_class() -> None:
    knowledge = TransitionKnowledge(3, 5, 2, 7)
    torch.nn.init.normal_(knowledge.initial)
    torch.nn.init.normal_(knowledge.transition)
    contacts = torch.tensor([[True, True], [False, True], [False, False]])
    have = knowledge.after(torch.tensor([2, 2, 1]), contacts)
    want = torch.stack([knowledge.transition[2].mean(0), knowledge.transition[2, 1], knowledge.initial[1]])
    torch.testing.assert_close(have, knowledge.state(want))
    torch.testing.assert_close(have[2], knowledge()[1])


def test_contacts_are_none_where_that_is_likeliest_else_those_over_the_threshold() -> None:
    likely = torch.tensor([[0.9, 0.1, 0.95, 0.2], [0.8, 0.7, 0.75, 0.2], [0.3, 0.2, 0.1, 0.25], [0.2, 0.2, 0.2, 0.1]])
    contacts = predicted_contacts(likely.logit().requires_grad_(), NEGATIVE, 0.7)
    assert contacts.int().tolist() == [[0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_oracle_contacts_are_read_and_predicted_ones_are_not() -> None:
    clip = entity_clip([3, 3, 3])
    other = replace(clip, labels={**clip.labels, "contacting": ~clip.labels["contacting"]})
    honest, oracle = tiny(), tiny(oracle_contacts=True)
    assert torch.equal(flat(honest, clip), flat(honest, other))
    assert not torch.allclose(flat(oracle, clip), flat(oracle, other))
    with pytest.raises(ConfigError, match="has no annotated contacts"):
        oracle(replace(clip, labels=None))


def test_the_past_of_a_class_matters_to_the_ensemble_as_far_as_its_window_reaches() -> None:
    """One object of one class in six frames, of which the window holds three; two neighbours are
    read in windows of frames."""
    clip = entity_clip([1] * 6)
    clip = replace(clip, node_class=clip.node_class.masked_fill(clip.node_class != 1, 3))
    model = tiny(window_size=3, use_temporal_prior=False)
    feature = clip.node_feature.clone()
    feature[0] += 5  # the person of the first frame
    a, b = (model(c).parts for c in (clip, replace(clip, node_feature=feature)))
    changed = {part: ((a[part]["spatial"] - b[part]["spatial"]).abs().amax(1) > 1e-6).tolist() for part in a}
    assert changed["spatial"] == [True, False, False, False, False, False]
    assert changed["temporal"] == [True, True, False, False, False, False]
    assert changed["ensemble"] == [True, True, True, True, False, False]


class Overheard:
    """Runs a model on a clip and keeps what its parts were given and gave."""

    def __init__(self, model: Stket, clip: Clip) -> None:
        self.asked: list[torch.Tensor] = []  # the contacts whose transitions were asked for
        after = model.temporal_knowledge.after

        def listening(object_class: torch.Tensor, contacts: torch.Tensor) -> torch.Tensor:
            self.asked.append(contacts)
            return after(object_class, contacts)

        model.temporal_knowledge.after = listening
        features: dict[str, torch.Tensor] = {}
        hooks = [
            heads["attention"].register_forward_pre_hook(
                lambda module, args, part=part: features.setdefault(part, args[0])
            )
            for part, heads in model.heads.items()
        ]
        with torch.no_grad():
            self.logits = model(clip)
        for hook in hooks:
            hook.remove()
        self.features = features  # (P, D) of every part
        self.clip = self.logits.clip or clip


def decoded(model: Stket, tokens: torch.Tensor) -> torch.Tensor:
    """The ensemble's result for a sequence of tokens (length, D), of which the last one is read."""
    length = len(tokens)
    layout, read = RaggedLayout.from_sorted(torch.zeros(length, dtype=torch.int64)), torch.tensor([length - 1])
    place = torch.arange(length)
    windows = FrameWindows(place, place, layout, read, layout.subset(read), order=torch.zeros(1, dtype=torch.int64))
    with torch.no_grad():
        return model.ensemble(tokens, None, model.key_position.weight, windows)[0]


HOW = ["predcls", "predcls, oracle", "predcls, training", "sgcls", "sgdet", "sgcls, training"]


@pytest.mark.parametrize("how", HOW)
@settings(max_examples=15, deadline=None)
@given(
    shapes=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=7), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_pairs_of_a_class_in_a_frame_are_represented_as_in_the_reference(
    how: str, shapes: list[list[int]], seed: int
) -> None:
    """Whose contacts give the transition priors, and what the ensemble reads, against a loop over
    the pairs of every video."""
    mode, length = how.split(",")[0], 1 + seed % 4
    model = tiny(mode, window_size=length, oracle_contacts="oracle" in how).train("training" in how)
    make = open_clip if how == "sgcls" else learning_clip if how == "sgcls, training" else entity_clip
    clip = Clip.cat([make(shape, seed + i, f"v{i}") for i, shape in enumerate(shapes)])
    generator = torch.Generator().manual_seed(seed)
    if how == "sgdet":  # some guesses are equally sure
        clip = replace(clip, node_score=torch.randint(1, 4, (clip.nodes,), generator=generator) / 4)
    heard = Overheard(model, clip)
    settled, score = heard.clip, None
    klass = settled.node_class if settled.classes_given else settled.node_target
    if how in ("sgcls", "sgdet"):
        score = settled.node_score[settled.pair_object]
    spatial, temporal = heard.features["spatial"], heard.features["temporal"]
    own = (
        settled.labels["contacting"]
        if "oracle" in how
        else predicted_contacts(model.heads["spatial"]["contacting"](spatial), NEGATIVE, 0.5)
    )

    assert len(heard.asked) == 2
    pair_video = settled.frame_video[settled.pair_frame]
    for video in range(len(shapes)):
        pairs = torch.nonzero(pair_video == video).flatten()
        objects = settled.pair_object[pairs]
        walked = walk(
            settled.pair_frame[pairs].tolist(),
            klass[objects].tolist(),
            None if score is None else score[pairs].tolist(),
            length,
        )
        for pair, transition, before, chain in zip(pairs, walked.transition, walked.before, walked.chain, strict=True):
            assert torch.equal(heard.asked[0][pair], own[pairs[transition]])
            assert torch.equal(heard.asked[1][pair], own[pairs[before]])
            tokens = (spatial[pairs[chain]] + temporal[pairs[chain]]) / 2
            torch.testing.assert_close(heard.features["ensemble"][pair], decoded(model, tokens), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "score", "same"),
    [
        ("predcls", [0.8, 0.3], False),
        ("sgdet", [0.3, 0.8], False),
        ("sgdet", [0.8, 0.3], True),
        ("sgdet", [0.5, 0.5], True),
    ],
    ids=["given", "the surer one second", "the surer one first", "equally sure"],
)
def test_of_two_of_a_class_the_second_gets_the_result_of_the_first_if_that_is_as_sure(
    mode: str, score: list[float], same: bool
) -> None:
    clip = replace(
        entity_clip([2, 1]), node_class=torch.tensor([1, 2, 2, 1, 2]), node_score=torch.tensor([0.9, *score, 0.9, 0.8])
    )
    logits = tiny(mode)(clip).groups["spatial"]
    assert torch.equal(logits[0], logits[1]) == same


def test_a_one_frame_video_has_no_temporal_part_only_in_the_reference() -> None:
    clip = entity_clip([3])
    compat, ours = (tiny(reference_compat=c)(clip).parts["temporal"]["spatial"] for c in (True, False))
    assert torch.equal(compat[0], compat[1])
    assert not torch.allclose(ours[0], ours[1])


def test_heads_whose_contacts_are_read_are_untrained_only_in_the_reference() -> None:
    clip = entity_clip([2, 2])
    assert "spatial" in tiny(spatial_layer=0)(clip).parts
    assert "spatial" not in tiny(spatial_layer=0, reference_compat=True)(clip).parts


@pytest.mark.parametrize("mode", ["sgcls", "sgdet"])
def test_hidden_classes_are_learnt_and_the_pairs_read_those_to_learn(mode: str) -> None:
    model, clip = tiny(mode).train(), learning_clip([2, 0, 3])
    background = replace(clip, node_target=clip.node_target.masked_fill(torch.arange(clip.nodes) % 3 == 0, 0))
    logits = model(background)
    losses = StketCriterion(KNOWING)(logits, background)
    assert len(losses) == 15 + 2
    losses["total"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_the_layers_are_computed_again_with_the_same_numbers() -> None:
    clip, criterion = entity_clip([3, 1, 2]), StketCriterion(KNOWING)
    gradients = []
    for again in (False, True):
        model = tiny(dropout=0.3).train()
        if again:
            assert recompute_layers(model, METHOD.capabilities.recomputable) == 2 + 2 + 2
        torch.manual_seed(1)
        criterion(model(clip), clip)["total"].backward()
        gradients.append([p.grad for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("level", ["O1", "O2"])
def test_mixed_precision_is_close_to_float32(level: str) -> None:
    clip, model = entity_clip([3, 1, 2]), tiny(pred_contact_threshold=0.99).train()
    want = model(clip).groups["attention"]
    precision = Precision(model, level, torch.bfloat16)
    with precision.autocast():
        logits = model(clip)
        loss = StketCriterion(KNOWING)(logits, clip)["total"]
    loss.backward()
    assert loss.dtype == torch.float32 and loss.isfinite()
    torch.testing.assert_close(logits.groups["attention"].float(), want, rtol=0.1, atol=0.1)


def test_training_lowers_the_loss() -> None:
    torch.manual_seed(0)
    model, clip, criterion = (
        tiny(dropout=0.1).train(),
        entity_clip([2, 3, 1]),
        StketCriterion(KNOWING),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        loss = criterion(model(clip), clip)["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_what_contradicts_itself_is_refused() -> None:
    for changes, message in (
        ({"pred_contact_threshold": 1.0}, "is -oracle_contacts True here"),
        (
            {"part": "ensemble", "temporal_layer": 0},
            "there is no 'ensemble' part with 2 spatial and 0 temporal layers, only spatial",
        ),
    ):
        with pytest.raises(ConfigError, match=message):
            tiny(**changes)
    with pytest.raises(ConfigError, match="mode 'sgdet' has to guess"):
        tiny("sgdet", oracle_contacts=True)
    with pytest.raises(ConfigError, match="made for mode predcls"):
        tiny()(open_clip([1]))
    with pytest.raises(ConfigError, match="neither given nor to be learnt"):
        tiny("sgcls")(replace(learning_clip([1]), node_target=None))


def test_data_without_contacts_is_refused_with_the_reason() -> None:
    with pytest.raises(
        ConfigError, match=r"'toy_frames' has 0 groups of predicates one of which says that none of the others holds"
    ):
        contact_group(ENTITY)
    with pytest.raises(ConfigError, match=r"'toy_events', whose subjects are of kind 'action'"):
        METHOD.capabilities.check("stket", "predcls", ACTION)
    assert contact_group(KNOWING)[1] == NEGATIVE
    assert KNOWING == ENTITY  # what a predicate says changes no file
    for wrong in ({"kind": "single"}, {"predicates": ("holding",)}):
        with pytest.raises(DataError, match="the negative predicate 'away' must be one of"):
            PredicateGroup(**{"name": "contacts", "predicates": ("away", "holding"), "negative": "away", **wrong})


def test_the_schema_says_which_predicate_is_negative() -> None:
    def two(schema: Schema) -> Schema:
        groups = tuple(
            replace(g, negative=g.predicates[0]) if g.kind == "multi" else g for g in schema.vocabulary.groups
        )
        return replace(schema, vocabulary=replace(schema.vocabulary, groups=groups))

    with pytest.raises(ConfigError, match="has 2 groups"):
        Stket(two(ENTITY), WIDTHS, TINY)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_gpu_gives_the_same_numbers() -> None:
    for model, clip in ((tiny(), entity_clip([3, 0, 2])), (tiny("sgcls"), open_clip([3, 0, 2]))):
        want = flat(model, clip)
        torch.testing.assert_close(flat(model.to("cuda"), clip.to("cuda")).cpu(), want, rtol=1e-3, atol=1e-4)
