"""The recorded OED cases as ours: the authors' weights, networks and targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from golden.deterministic import read_json
from golden.oed import inputs
from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.losses.oed import PairTargets
from vidsgg.methods.oed.authors import oed_state
from vidsgg.models.configs import OedConfig
from vidsgg.models.oed.network import GivenPairs, OedNetwork, PairLogits

GROUPS = {"attn": "attention", "spatial": "spatial", "contacting": "contacting"}


def config_of(case: Mapping[str, Any]) -> OedConfig:
    given = case["config"]
    return OedConfig(
        hidden_dim=given["hidden_dim"],
        heads=given["nheads"],
        feedforward_dim=given["dim_feedforward"],
        enc_layers=given["enc_layers"],
        instance_layers=given["dec_layers_hopd"],
        relation_layers=given["dec_layers_interaction"],
        num_queries=given["num_queries"],
        num_ref_frames=given.get("num_ref_frames", 2),
        oed_topk=",".join(map(str, given.get("topk", (80, 50, 30)))),
        seq_sort=given.get("seq_sort", False),
        oed_predcls_heads="spatial",
        reference_compat=True,
    )


def reference_state(name: str) -> dict[str, Tensor]:
    shapes = read_json("oed", "params.json")[name]
    return {entry: torch.from_numpy(inputs.weight(entry, shape)) for entry, shape in shapes.items()}


def network_of(case: Mapping[str, Any], kind: str) -> OedNetwork:
    """Our network with the weights of a case, through the names of the importer. kind: such as
    sgdet-temporal."""
    network = OedNetwork(SCHEMA.vocabulary, config_of(case), given="predcls" in kind, temporal="temporal" in kind)
    state, left_over = oed_state(reference_state(case["params"]))
    assert left_over in ([], ["query_embed.weight"])
    begin = "network."
    network.load_state_dict(
        {name.removeprefix(begin): value for name, value in state.items() if name.startswith(begin)}
    )
    return network.eval()


def targets_of(recorded: list[dict[str, Any]]) -> list[PairTargets]:
    targets = []
    for target in recorded:
        labels = {ours: torch.from_numpy(target[f"{theirs}_labels"]).bool() for theirs, ours in GROUPS.items()}
        boxes = (torch.from_numpy(target[name]).float().view(-1, 4) for name in ("sub_boxes", "obj_boxes"))
        targets.append(PairTargets(torch.from_numpy(target["obj_labels"]), *boxes, labels))
    return targets


def pairs_of(targets: list[PairTargets]) -> GivenPairs:
    return GivenPairs.of([(target.object_class, target.subject_box, target.object_box) for target in targets])


def logits_of(recorded: Mapping[str, Any]) -> PairLogits:
    told = {name: torch.from_numpy(value) for name, value in recorded.items()}
    groups = {ours: told[f"pred_{theirs}_logits"] for theirs, ours in GROUPS.items()}
    return PairLogits(told["pred_obj_logits"], told["pred_sub_boxes"], told["pred_obj_boxes"], groups)


def recorded_names(said: PairLogits) -> dict[str, Tensor]:
    groups = {f"pred_{theirs}_logits": said.groups[ours] for theirs, ours in GROUPS.items()}
    boxes = {"pred_sub_boxes": said.subject_box, "pred_obj_boxes": said.object_box}
    return {"pred_obj_logits": said.objects, **boxes, **groups}
