"""STKET's criterion against the authors' numbers, and what must hold for any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from clips import entity_clip
from golden.deterministic import cases_of, read_case
from golden.stket.clips import GROUPS, labelled_pairs
from golden.stket.inputs import predictions

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.losses.stket import StketCriterion
from vidsgg.models.stket import StketLogits
from vidsgg.structures.clip import Clip

NAMES = {
    "attention": "attention_relation_loss",
    "spatial": "spatial_relation_loss",
    "contacting": "contact_relation_loss",
}


def parts_of(case: dict[str, Any]) -> list[str]:
    """Those that a model of the case's settings trains."""
    enc, dec = case.get("enc_layer_num", 2) > 0, case.get("dec_layer_num", 2) > 0
    exist = {
        "spatial": enc,
        "spatial_prior": enc and case.get("use_spatial_prior", True),
        "temporal": dec,
        "temporal_prior": dec and case.get("use_temporal_prior", True),
        "ensemble": enc and dec,
    }
    return [part for part, there in exist.items() if there]


@pytest.mark.parametrize("case", cases_of("stket", "loss"), ids=lambda case: case["id"])
def test_losses_equal_the_reference(case: dict[str, Any]) -> None:
    _, want = read_case("stket", case["id"])
    e = predictions(case["seed"], case["pairs"], case["objects"])

    def logits(part: str, group: str) -> torch.Tensor:
        table = torch.from_numpy(e[f"{part}_{group}_distribution"])
        return table if group == "attention" else torch.logit(table.double()).float()

    parts = {part: {group: logits(part, group) for group in GROUPS} for part in parts_of(case)}
    objects = None if case["mode"] == "predcls" else torch.from_numpy(e["distribution"])
    criterion = StketCriterion(
        SCHEMA,
        bce=case.get("bce_loss", True),
        spatial_prior=case.get("spatial_prior_loss", True),
        temporal_prior=case.get("temporal_prior_loss", True),
    )
    losses = criterion(StketLogits({}, objects, parts=parts), labelled_pairs(e))
    ours = {
        f"{part}_{theirs}": losses.pop(f"{part}_{group}")
        for part in parts
        for group, theirs in NAMES.items()
        if f"{part}_{group}" in losses
    }
    have = ours | {"object_loss" if name == "objects" else name: loss for name, loss in losses.items()}
    assert have.keys() == want.keys()
    for name, recorded in want.items():
        np.testing.assert_allclose(have[name].item(), recorded, rtol=1e-4, atol=1e-5, err_msg=name)


def some_logits(clip: Clip, parts: tuple[str, ...]) -> StketLogits:
    generator = torch.Generator().manual_seed(clip.pairs)
    groups = clip.schema.vocabulary.groups
    tables = {part: {g.name: torch.randn(clip.pairs, len(g), generator=generator) for g in groups} for part in parts}
    return StketLogits(tables[parts[-1]], parts=tables)


def test_a_prior_without_a_loss_of_its_own_is_left_out() -> None:
    clip = entity_clip([2, 1])
    logits = some_logits(clip, ("spatial", "spatial_prior", "temporal", "temporal_prior", "ensemble"))
    whole = StketCriterion(clip.schema)(logits, clip)
    fewer = StketCriterion(clip.schema, spatial_prior=False)(logits, clip)
    assert whole.keys() - fewer.keys() == {f"spatial_prior_{group}" for group in GROUPS}
    torch.testing.assert_close(
        whole["total"] - fewer["total"], sum(whole[f"spatial_prior_{group}"] for group in GROUPS)
    )
    assert len(whole) == 15 + 1


def test_a_batch_has_the_mean_loss_of_its_videos() -> None:
    clips = [entity_clip([3, 1], 0, "a"), entity_clip([1], 1, "b")]
    parts = ("spatial", "temporal")
    alone = [some_logits(clip, parts) for clip in clips]
    criterion = StketCriterion(clips[0].schema, bce=False)
    together = {part: {g: torch.cat([a.parts[part][g] for a in alone]) for g in GROUPS} for part in parts}
    batch = criterion(StketLogits({}, parts=together), Clip.cat(clips))
    for name, loss in batch.items():
        torch.testing.assert_close(
            loss, sum(criterion(a, clip)[name] for a, clip in zip(alone, clips, strict=True)) / 2, msg=name
        )
