"""TEMPURA's losses on cases that can be counted by hand, and over batches."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from clips import ENTITY, entity_clip, learning_clip
from torch import Tensor

from vidsgg.errors import ConfigError, DataError
from vidsgg.losses.contrastive import info_nce, margin_contrastive
from vidsgg.losses.relations import RelationCriterion
from vidsgg.losses.tempura import TempuraCriterion, negative_log_likelihood, row_weights
from vidsgg.models.configs import TempuraLossConfig
from vidsgg.models.tempura import TempuraLogits
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import Uncertainty

EVERYTHING = TempuraLossConfig(
    obj_head="gmm",
    eos_coef=0.3,
    obj_con_loss="euc_con",
    lambda_con=0.7,
    rel_loss_weighting="al",
    obj_loss_weighting="ep",
    gmm_regularization=0.2,
)


def logits_of(clip: Clip, seed: int = 0) -> TempuraLogits:
    """Random outputs of a mixture model of three components."""
    g = torch.Generator().manual_seed(seed)
    groups = ENTITY.vocabulary.groups

    def table(rows: int, columns: int) -> Tensor:
        return torch.randn(rows, columns, generator=g)

    def unsure() -> dict[str, Tensor]:
        return {group.name: table(clip.pairs, len(group)).sigmoid() for group in groups}

    raw = {group.name: table(clip.pairs, len(group)) for group in groups}
    weights = {group.name: table(clip.pairs, 3).log_softmax(1) for group in groups}
    return TempuraLogits(
        {name: rows.log_softmax(1) if name == "attention" else rows for name, rows in raw.items()},
        objects=table(clip.nodes, 5).log_softmax(1),
        uncertainty=Uncertainty(unsure(), unsure()),
        node_features=table(clip.nodes, 6),
        mixture_weights={**weights, "objects": table(clip.nodes, 3).log_softmax(1)},
        object_uncertainty=(table(clip.nodes, 5).sigmoid(), table(clip.nodes, 5).sigmoid()),
    )


def joined(parts: list[TempuraLogits]) -> TempuraLogits:
    def cat(tables: list[Any]) -> dict[str, Tensor]:
        return {name: torch.cat([table[name] for table in tables]) for name in tables[0]}

    return TempuraLogits(
        cat([part.groups for part in parts]),
        objects=torch.cat([part.objects for part in parts]),
        uncertainty=Uncertainty(
            cat([p.uncertainty.aleatoric for p in parts]), cat([p.uncertainty.epistemic for p in parts])
        ),
        node_features=torch.cat([part.node_features for part in parts]),
        mixture_weights=cat([part.mixture_weights for part in parts]),
        object_uncertainty=tuple(torch.cat([part.object_uncertainty[i] for part in parts]) for i in (0, 1)),
    )


@pytest.mark.parametrize(
    "changes", [{}, {"obj_con_loss": "info_nce", "mlm": True}, {"mlm": True, "reference_compat": True}], ids=str
)
def test_a_batch_has_the_mean_of_its_videos(changes: dict[str, Any]) -> None:
    clips = [learning_clip([2, 1], 0, "a"), learning_clip([0], 1, "b"), learning_clip([3], 2, "c")]
    parts = [logits_of(clip, seed) for seed, clip in enumerate(clips)]
    criterion = TempuraCriterion(ENTITY, replace(EVERYTHING, **changes))
    together = criterion(joined(parts), Clip.cat(clips))
    alone = [criterion(part, clip) for part, clip in zip(parts, clips, strict=True)]
    assert together.keys() == {
        "attention",
        "spatial",
        "contacting",
        "objects",
        "contrastive",
        "gmm_regularization_loss",
        "total",
    }
    for name, value in together.items():
        torch.testing.assert_close(value, torch.stack([losses[name] for losses in alone]).mean(), msg=name)
    torch.testing.assert_close(together["total"], sum(value for name, value in together.items() if name != "total"))


@pytest.mark.parametrize("mlm", [False, True])
def test_plain_linear_heads_have_the_losses_of_the_other_methods(mlm: bool) -> None:
    clip = learning_clip([2, 1])
    logits = logits_of(clip)
    ours = TempuraCriterion(ENTITY, TempuraLossConfig(rel_head="linear", mlm=mlm))(logits, clip)
    theirs = RelationCriterion(ENTITY, bce=not mlm)(logits, clip)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value)


@pytest.mark.parametrize(
    ("log_weight", "share"),
    [([0.0, 0.0, 0.0], 0.0), ([60.0, -60.0, -60.0], 1.0), ([0.0, 0.0, -60.0], 1 - math.log(2) / math.log(3))],
)
def test_components_that_die_cost_as_much_as_the_regularisation(log_weight: list[float], share: float) -> None:
    clip = entity_clip([2, 1])
    weights = {
        group.name: torch.tensor([log_weight]).log_softmax(1).repeat(clip.pairs, 1)
        for group in ENTITY.vocabulary.groups
    }
    logits = replace(logits_of(clip), objects=None, mixture_weights=weights)
    losses = TempuraCriterion(ENTITY, TempuraLossConfig(gmm_regularization=0.4))(logits, clip)
    assert losses["gmm_regularization_loss"].item() == pytest.approx(0.4 * share, abs=1e-6)
    plain = TempuraCriterion(ENTITY, TempuraLossConfig())(logits, clip)
    assert "gmm_regularization_loss" not in plain
    torch.testing.assert_close(losses["total"], plain["total"] + losses["gmm_regularization_loss"])


def test_one_component_cannot_die() -> None:
    clip = entity_clip([2, 1])
    weights = {group.name: torch.zeros(clip.pairs, 1) for group in ENTITY.vocabulary.groups}
    logits = replace(logits_of(clip), objects=None, mixture_weights=weights)
    assert (
        TempuraCriterion(ENTITY, TempuraLossConfig(gmm_regularization=0.4))(logits, clip)["gmm_regularization_loss"]
        == 0
    )


def test_a_mixture_that_is_sure_of_the_wrong_class_costs_no_more_than_a_small_probability() -> None:
    logits = torch.tensor([[-1000.0, 0.0], [0.0, -1000.0]], requires_grad=True)
    loss = negative_log_likelihood(logits, torch.tensor([0, 0]), mixed=True)
    torch.testing.assert_close(loss, torch.tensor([-math.log(1e-12), 0.0]))
    loss.sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_uncertain_rows_weigh_more_within_their_video() -> None:
    uncertainty = torch.tensor([[0.5, 0.5], [0.0, 0.0], [0.2, 0.1]])
    first = math.e / (1 + math.e)
    torch.testing.assert_close(
        row_weights(uncertainty, torch.tensor([0, 0, 1]), 2), torch.tensor([1 + first, 2 - first, 2.0])
    )
    assert len(row_weights(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), 1)) == 0


def test_background_nodes_weigh_what_they_are_given() -> None:
    clip = learning_clip([2, 1])
    clip = replace(clip, node_target=torch.tensor([1, 0, 2, 1, 0]))
    logits = logits_of(clip)
    row = -logits.objects.gather(1, clip.node_target[:, None]).squeeze(1)
    loss = TempuraCriterion(ENTITY, TempuraLossConfig(obj_head="gmm", eos_coef=0.1))(logits, clip)["objects"]
    torch.testing.assert_close(loss, (row * torch.tensor([1, 0.1, 1, 1, 0.1])).mean())


def test_contrast_of_four_nodes() -> None:
    """Two equal ones of class 1, one of class 1 at a right angle, one of class 2 near the first
    two."""
    near = math.radians(30)
    features = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 3.0], [math.cos(near), math.sin(near)]])
    label, video = torch.tensor([1, 1, 1, 2]), torch.zeros(4, dtype=torch.int64)
    chord = 2 * math.sin(near / 2)
    positive = math.sqrt(2)  # the pair of equal ones is left out of the mean
    third = 2 * math.sin(math.radians(60) / 2)  # a distance of 1: nothing left of the margin
    assert third == pytest.approx(1)
    (value,) = margin_contrastive(features, label, video, 1)
    assert value.item() == pytest.approx(positive + 1 - chord, abs=1e-5)


@pytest.mark.parametrize("loss", [margin_contrastive, info_nce])
@pytest.mark.parametrize("nodes", [0, 1, 2])
def test_contrast_of_few_nodes_is_finite(loss: Any, nodes: int) -> None:
    features = torch.ones(nodes, 3, requires_grad=True)
    (value,) = loss(features, torch.ones(nodes, dtype=torch.int64), torch.zeros(nodes, dtype=torch.int64), 1)
    value.backward()
    assert value == 0 and features.grad is not None and features.grad.isfinite().all()


def test_what_is_lacking_is_said() -> None:
    clip = entity_clip([1])
    with pytest.raises(DataError, match="needs labels"):
        TempuraCriterion(ENTITY, TempuraLossConfig())(logits_of(clip), replace(clip, labels=None))
    with pytest.raises(DataError, match="needs node_target"):
        TempuraCriterion(ENTITY, TempuraLossConfig())(logits_of(clip), replace(clip, node_target=None))
    silent = replace(logits_of(clip), uncertainty=None)
    with pytest.raises(ConfigError, match="-rel_loss_weighting: the model does not estimate uncertainty"):
        TempuraCriterion(ENTITY, TempuraLossConfig(rel_loss_weighting="al"))(silent, clip)
