"""TEMPURA's losses against numbers recorded from the authors' statements. Every case of a kind that
stands here is run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import cases_of, read_case
from golden.tempura import inputs
from golden.tempura.clips import GROUPS, hot
from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.losses.contrastive import info_nce, margin_contrastive
from vidsgg.losses.tempura import TempuraCriterion
from vidsgg.models.configs import TempuraLossConfig
from vidsgg.models.tempura import TempuraLogits
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import Uncertainty

NAMES = {"objects": "object_loss", "contrastive": "object_contrastive_loss", "total": "total"}
NAMES |= {name: f"{name}_relation_loss" for name in GROUPS}


def clip_of(out: dict[str, Any]) -> Clip:
    """One frame with the nodes and pairs of ``inputs.predictions``, of which the losses read labels
    alone."""
    nodes, pairs = len(out["labels"]), len(out["attention_gt"])
    one, none = torch.zeros(1, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    return Clip(
        schema=SCHEMA, video_ids=("golden",), frame_video=one, frame_unit=one, frame_slot=one, frame_size=torch.tensor([[100.0, 100.0]]),
        node_box=torch.tensor([[0.0, 0, 9, 9]]).repeat(nodes, 1), node_class=torch.full((nodes,), -1), node_score=torch.ones(nodes),
        node_frame=torch.zeros(nodes, dtype=torch.int64), node_identity=torch.full((nodes,), -1), action_class=none,
        pair_subject=torch.zeros(pairs, dtype=torch.int64), pair_object=torch.zeros(pairs, dtype=torch.int64),
        pair_frame=torch.zeros(pairs, dtype=torch.int64), node_target=torch.from_numpy(out["labels"]),
        labels={name: hot(out[f"{name}_gt"], width) for name, width in GROUPS.items()}, classes_given=False,
    )  # fmt: skip


def logits_of(case: dict[str, Any], out: dict[str, Any], unsure: dict[str, Any]) -> TempuraLogits:
    told: dict[str, Tensor] = {
        name: torch.from_numpy(value) for name, value in out.items() if isinstance(value, np.ndarray)
    }
    groups = {name: told[f"{name}_distribution"].logit() for name in ("spatial", "contacting")}
    attention = told["attention_distribution"]
    groups["attention"] = attention.log() if case["rel_head"] == "gmm" else attention
    guesses = case["mode"] != "predcls"
    objects = told["distribution"].log() if case["obj_head"] == "gmm" else told["distribution"]
    tables = {kind: {name: torch.from_numpy(rows[kind]) for name, rows in unsure.items()} for kind in ("al", "ep")}
    return TempuraLogits(
        groups,
        objects=objects if guesses else None,
        node_features=told["object_mem_features"] if guesses else None,
        uncertainty=Uncertainty(tables["al"], tables["ep"]),
        object_uncertainty=(tables["al"]["obj"], tables["ep"]["obj"]),
    )


@pytest.mark.parametrize("case", cases_of("tempura", "loss"), ids=lambda case: case["id"])
def test_losses_equal_the_reference(case: dict[str, Any]) -> None:
    _, want = read_case("tempura", case["id"])
    out, unsure = inputs.predictions(case["seed"], case["pairs"], case["objects"], case["rel_head"], case["obj_head"])
    flags = {name: case[name] for name in TempuraLossConfig.__dataclass_fields__ if name in case}
    criterion = TempuraCriterion(SCHEMA, TempuraLossConfig(**flags, reference_compat=True))
    losses = criterion(logits_of(case, out, unsure), clip_of(out))
    have = {NAMES[name]: value for name, value in losses.items()}
    assert have.keys() == want.keys()
    for name, recorded in want.items():
        np.testing.assert_allclose(have[name].item(), recorded, err_msg=name, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", cases_of("tempura", "contrastive"), ids=lambda case: case["id"])
def test_contrastive_losses_equal_the_reference(case: dict[str, Any]) -> None:
    _, want = read_case("tempura", case["id"])
    out, _ = inputs.predictions(case["seed"], case["pairs"], case["objects"], feature_dim=case["feature_dim"])
    features, label = torch.from_numpy(out["object_mem_features"]), torch.from_numpy(out["labels"])
    np.testing.assert_array_equal(label, want["labels"])
    for name, loss in (("euc_con", margin_contrastive), ("info_nce", info_nce)):
        (value,) = loss(features, label, torch.zeros_like(label), 1)
        np.testing.assert_allclose(value.item(), want[name], err_msg=name, rtol=1e-4)
