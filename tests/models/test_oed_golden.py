"""OED against numbers recorded from the authors' implementation, through the map of their state dict's names.

Every case of a task that stands here is run, so cases put beside the recorded ones are too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden.deterministic import cases_of, read_case
from golden.oed import inputs
from golden.oed.states import (
    GROUPS,
    logits_of,
    network_of,
    pairs_of,
    recorded_names,
    reference_state,
    targets_of,
)
from torch import Tensor
from torchvision.ops import box_convert

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.losses.oed import cardinality_error, class_error, frame_targets, match_queries, pair_cost, pair_losses
from vidsgg.methods.oed.authors import oed_state
from vidsgg.models.oed.backbone import ResNetBackbone
from vidsgg.models.oed.network import PairLogits
from vidsgg.models.oed.pictures import padded, prepared_picture, resized_size, scored_references
from vidsgg.models.oed.queries import PairQueries
from vidsgg.models.oed.transformer import sine_map
from vidsgg.structures.clip import Clip

SINGLE = {group.name: group.kind == "single" for group in SCHEMA.vocabulary.groups}
PREDICATES = SCHEMA.vocabulary.groups
FORWARD = {"rtol": 1e-4, "atol": 1e-4}


def each(*tasks: str) -> Any:
    return pytest.mark.parametrize("case", cases_of("oed", *tasks), ids=lambda case: case["id"])


@each("sizes")
def test_sizes(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    assert [resized_size(*size, 600, 1000) for size in case["sizes"]] == [
        tuple(size) for size in want["resized"].tolist()
    ]


@each("preprocess")
def test_pictures(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    pictures = []
    for i, picture in enumerate(case["pictures"]):
        rgb = inputs.rgb(case["seed"] + 100 * i, *picture["size"])
        pictures.append(prepared_picture(rgb, 600, 1000, flip=picture["split"] == "train-flip"))
        assert list(pictures[-1].shape[1:]) == want[f"size_{i}"].tolist()
    batch, padding = padded(pictures)
    assert list(batch.shape) == want["padded_shape"].tolist()
    np.testing.assert_allclose(batch[:, :, ::37, ::41].numpy(), want["picture_probe"], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(padding[:, ::8, ::8].numpy(), want["mask_probe"].astype(bool))


def annotated(width: int, height: int, boxes: list[dict[str, Any]]) -> Clip:
    """A frame with its annotations, the person first, as a model learns from it."""
    nodes, pairs = len(boxes), len(boxes) - 1
    xywh = torch.tensor([box["bbox"] for box in boxes]).view(-1, 4)
    classes = torch.tensor([box["category_id"] for box in boxes])
    hot, labels, first = torch.zeros(pairs, 26, dtype=torch.bool), {}, 0
    for row, box in enumerate(boxes[1:]):
        for name in ("attention", "spatial", "contact"):
            hot[row, box[f"{name}_rel"]] = True
    for group in PREDICATES:
        labels[group.name] = hot[:, first : first + len(group)]
        first += len(group)
    zeros = torch.zeros(max(nodes, 1), dtype=torch.long)
    return Clip(
        SCHEMA, ("video",), zeros[:1], zeros[:1], zeros[:1], torch.tensor([[width, height]], dtype=torch.float32),
        node_box=box_convert(xywh, "xywh", "xyxy"), node_class=classes, node_score=torch.ones(nodes), node_frame=zeros[:nodes],
        node_identity=zeros[:nodes] - 1, action_class=zeros[:0], pair_subject=zeros[:pairs], pair_object=torch.arange(1, nodes),
        pair_frame=zeros[:pairs], node_target=classes, labels=labels,
    )  # fmt: skip


@each("preprocess")
def test_targets_of_pictures(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    for i, picture in enumerate(case["pictures"]):
        width, height = picture["size"]
        extra = {name: picture[name] for name in ("outside", "flat") if name in picture}
        boxes = inputs.annotations(case["seed"] + 100 * i + 50, width, height, picture["classes"], **extra)
        found, _, _ = frame_targets(annotated(width, height, boxes), 0, flip=picture["split"] == "train-flip")
        np.testing.assert_array_equal(found.object_class, want[f"obj_labels_{i}"].reshape(-1))
        for ours, theirs in (("subject_box", "sub_boxes"), ("object_box", "obj_boxes")):
            table = want[f"{theirs}_{i}"].reshape(-1, 4)
            np.testing.assert_allclose(getattr(found, ours).numpy(), table, rtol=0, atol=1e-6)
        for ours, theirs in (("attention", "attn"), ("spatial", "spatial"), ("contacting", "contacting")):
            table = found.labels[ours].numpy()
            np.testing.assert_array_equal(table, want[f"{theirs}_labels_{i}"].reshape(table.shape).astype(bool))


@each("reference-frames")
def test_reference_frames(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    first = case["first_id"]
    found = [
        [
            frames,
            target + first,
            *(i + first for i in scored_references(target, frames, case["interval"], case["refs"])),
        ]
        for frames in case["videos"]
        for target in range(frames)
    ]
    np.testing.assert_array_equal(found, want["frames"])


@each("position")
def test_positions(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    padding = torch.from_numpy(inputs.padding_mask(case["sizes"]))
    size = tuple(-(-side // 32) for side in padding.shape[1:])
    small = F.interpolate(padding[None].float(), size=size)[0].bool()
    np.testing.assert_array_equal(small.numpy(), want["mask"].astype(bool))
    table = sine_map(small, case["hidden_dim"]).view(*small.shape, -1).permute(0, 3, 1, 2)
    probe = table[:, :, ::3, ::3] if "pos_probe" in want else table
    np.testing.assert_allclose(probe.numpy(), want.get("pos_probe", want.get("pos")), rtol=0, atol=1e-5)


@each("backbone")
def test_backbone(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    state, _ = oed_state(reference_state(case["params"]))
    backbone = ResNetBackbone("resnet50").eval()
    begin = "backbone."
    backbone.load_state_dict({n.removeprefix(begin): v for n, v in state.items() if n.startswith(begin)})
    given = inputs.pictures(case["seed"], case["sizes"])
    with torch.no_grad():
        features = backbone(torch.from_numpy(given["pictures"]))
        weight, bias = state["network.input_proj.weight"], state["network.input_proj.bias"]
        projected = F.conv2d(features, weight, bias)
    np.testing.assert_allclose(features[:, ::16].numpy(), want["features_probe"], **FORWARD)
    np.testing.assert_allclose(projected.numpy(), want["projected"], **FORWARD)


@pytest.mark.parametrize("case", cases_of("oed", "sgdet-spatial", "predcls-spatial"), ids=lambda case: case["id"])
def test_spatial_models(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    network, given = (
        network_of(case, case["task"]),
        inputs.clip(case["seed"], case["sizes"], case["objects"], copy_of=case.get("copy_of")),
    )
    pairs = pairs_of(targets_of(given["targets"])) if "predcls" in case["task"] else None
    with torch.no_grad():
        encoded = network.encode(torch.from_numpy(given["features"]), torch.from_numpy(given["mask"]), pairs)
        layers = network.spatial(encoded)
        first = network.instance_decoder.attention_weights(encoded.asked[0], encoded.placed, encoded.padding)
        second = network.relation_decoder.attention_weights(encoded.asked[1], encoded.placed, encoded.padding)
    have = said_of(layers) | {
        "memory_probe": encoded.memory[..., ::8],
        "instance_probe": encoded.instance[-1][..., ::8],
        "relation_probe": encoded.relation[-1][..., ::8],
        "key_mask": encoded.padding,
    }
    size = (-(-given["mask"].shape[1] // 32), -(-given["mask"].shape[2] // 32))
    have |= {"ins_attn_weight": first.unflatten(-1, size), "rel_attn_weight": second.unflatten(-1, size)}
    assert_as_recorded(have, want, None if pairs is None else pairs.valid)


@pytest.mark.parametrize("case", cases_of("oed", "sgdet-temporal", "predcls-temporal"), ids=lambda case: case["id"])
def test_temporal_models(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    network, given = (
        network_of(case, case["task"]),
        inputs.clip(case["seed"], case["sizes"], case["objects"], copy_of=case.get("copy_of")),
    )
    target = case.get("cur_idx", 0)
    pairs = pairs_of(targets_of(given["targets"])) if "predcls" in case["task"] else None
    with torch.no_grad():
        encoded = network.encode(torch.from_numpy(given["features"]), torch.from_numpy(given["mask"]), pairs)
        said, seen, relation = network.temporal(encoded.instance[-1], encoded.relation[-1], target, pairs)
        assert network.temporal_heads is not None
        own = network.temporal_heads.relations(relation)
    have = said_of([said]) | {f"temporal_heads_pred_{theirs}_logits": own[ours] for theirs, ours in GROUPS.items()}
    have |= {
        "memory_probe": encoded.memory[..., ::8],
        "instance_probe": encoded.instance[-1][..., ::8],
        "relation_probe": encoded.relation[-1][..., ::8],
        "key_mask": encoded.padding,
    }
    if pairs is not None and seen.forbidden is not None:
        have["memory_mask"] = seen.forbidden
    if pairs is None:
        assert seen.scores is not None
        have["reference_scores"] = seen.scores
        for i, chosen in enumerate(seen.chosen, 1):
            # A repeated frame makes exact ties: what is chosen is compared by its scores too.
            recorded = want.pop(f"topk_{i}").flatten()
            tied = seen.scores[torch.from_numpy(recorded.astype(np.int64))].sort().values
            torch.testing.assert_close(seen.scores[chosen].sort().values, tied)
            if len(torch.unique(seen.scores)) == len(seen.scores):
                assert set(chosen.tolist()) == set(recorded.tolist())
    assert_as_recorded(have, want, None if pairs is None else pairs.valid, target)


def said_of(layers: list[PairLogits]) -> dict[str, Tensor]:
    have = recorded_names(layers[-1])
    for i, said in enumerate(layers[:-1]):
        have |= {f"aux{i}_{name}": table for name, table in recorded_names(said).items()}
    return have


def assert_as_recorded(
    have: dict[str, Tensor], want: dict[str, Any], valid: Tensor | None, target: int | None = None
) -> None:
    for name, recorded in want.items():
        if name in ("query_mask", "valid_num") or (name == "memory_mask" and name not in have):
            continue
        ours = have[name].float()
        if "attn_weight" in name and ours.shape[1] != recorded.shape[1]:
            ours = ours[:, ::10]
        if valid is not None and ("pred_" in name or name in ("instance_probe", "relation_probe")):
            rows = valid[target][None] if "pred_" in name and target is not None else valid
            ours, recorded = ours * rows[..., None], recorded * rows[..., None].numpy()[:, : recorded.shape[1]]
            ours = ours[:, : recorded.shape[1]]
        np.testing.assert_allclose(ours.numpy(), recorded.astype(np.float32), err_msg=name, **FORWARD)


@each("match")
def test_matches(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    layers, recorded = inputs.outputs(
        case["seed"], case["queries"], case["objects"], 1, case.get("hint", 1.0), case.get("boxless", ())
    )
    said, targets = logits_of(layers[0]), targets_of(recorded)
    cost = (
        torch.cat([pair_cost(said.frame(i), target, PREDICATES) for i, target in enumerate(targets)], 1)
        if len(targets) == 1
        else None
    )
    if cost is not None:
        np.testing.assert_allclose(cost.numpy(), want["cost"], rtol=0, atol=1e-5)
    at = 0
    found = match_queries(said, targets, PREDICATES)
    for i, (target, (rows, columns)) in enumerate(zip(targets, found, strict=True)):
        mine = want["frame"] == i
        assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == sorted(
            zip(want["query"][mine].tolist(), want["target"][mine].tolist(), strict=True)
        )
        at += len(target.object_class)


LOSSES = {
    "loss_obj_ce": ("objects", 1.0),
    **{f"loss_{theirs}_ce": (ours, 2.0) for theirs, ours in GROUPS.items()},
    "loss_sub_bbox": ("subject_box", 2.5),
    "loss_obj_bbox": ("object_box", 2.5),
    "loss_sub_giou": ("subject_overlap", 1.0),
    "loss_obj_giou": ("object_overlap", 1.0),
}


def losses_of(layers: list[PairLogits], targets: list[Any], given: bool) -> tuple[dict[str, Tensor], Tensor]:
    """As the recordings name them, and the weighted sum. The last layer is the main one."""
    have, total = {}, torch.zeros(())
    for i, said in enumerate(layers):
        rows = [torch.arange(len(target.object_class)) for target in targets]
        matched = [(row, row) for row in rows] if given else match_queries(said, targets, PREDICATES)
        losses = pair_losses(said, targets, PREDICATES, matched=matched, given=given)
        total = total + torch.stack(list(losses.values())).sum()
        suffix = "" if i == len(layers) - 1 else f"_{i}"
        have |= {f"{name}{suffix}": losses[ours] / weight for name, (ours, weight) in LOSSES.items()}
        have[f"obj_class_error{suffix}"] = class_error(said, targets, matched)
        have[f"obj_cardinality_error{suffix}"] = cardinality_error(said, targets)
    return have, total


@each("loss")
def test_losses(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    given = "predcls" in case["variant"]
    queries = case.get("queries", max(map(len, case["objects"])))
    layers, recorded = inputs.outputs(
        case["seed"], queries, case["objects"], case["layers"], case.get("hint", 1.0), case.get("boxless", ()), given
    )
    have, total = losses_of([logits_of(layer) for layer in layers], targets_of(recorded), given)
    compare_losses(have, total, case, want)


def compare_losses(have: dict[str, Tensor], total: Tensor, case: dict[str, Any], want: dict[str, Any]) -> None:
    for name, recorded in zip(case["loss_names"], want["losses"], strict=True):
        # A mean of nothing is no number in the reference; ours is 0.
        recorded = 0.0 if np.isnan(recorded) else float(recorded)
        assert have[name].item() == pytest.approx(recorded, rel=1e-4, abs=1e-5), name
    if not np.isnan(want["total"]):
        assert total.item() == pytest.approx(float(want["total"]), rel=1e-5)


@each("gradients")
def test_gradients(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    kind = case["variant"]
    network, recorded = network_of(case, kind), inputs.clip(case["seed"], case["sizes"], case["objects"])
    targets, given = targets_of(recorded["targets"]), "predcls" in kind
    pairs = pairs_of(targets) if given else None
    if "temporal" in kind:
        network.requires_grad_(False)
        for part in (network.refiners, network.temporal_heads):
            part.requires_grad_(True)
    encoded = network.encode(torch.from_numpy(recorded["features"]), torch.from_numpy(recorded["mask"]), pairs)
    if "temporal" in kind:
        layers, targets = [network.temporal(encoded.instance[-1], encoded.relation[-1], 0, pairs)[0]], targets[:1]
    else:
        layers = network.spatial(encoded)
    have, total = losses_of(layers, targets, given)
    compare_losses({name: value.detach() for name, value in have.items()}, total.detach(), case, want)
    total.backward()
    told = {name: torch.tensor(i) for i, name in enumerate(want["names"])}
    told |= {"transformer.obj_classes_embed": torch.tensor(-1)} if given else {}  # a buffer, by which predcls is known
    renamed, _ = oed_state(told)
    place = {int(i): name.removeprefix("network.") for name, i in renamed.items()}
    parameters = dict(network.named_parameters())
    norms = []
    for i, norm in enumerate(want["grad_norm"]):
        if i not in place:
            assert want["names"][i] == "query_embed.weight" and norm <= 0
            continue
        gradient = parameters[place[i]].grad
        ours = -1.0 if gradient is None else gradient.norm().item()
        if norm <= 0:  # none, or of weights that nothing reads
            assert ours <= 1e-5, want["names"][i]
        else:
            assert ours == pytest.approx(float(norm), rel=2e-4, abs=1e-5), want["names"][i]
            norms.append(ours)
    assert np.linalg.norm(norms) == pytest.approx(float(want["total_norm"]), rel=1e-4)


@each("postprocess")
def test_queries(case: dict[str, Any]) -> None:
    _, want = read_case("oed", case["id"])
    given = case.get("pairs", False)
    queries = case.get("queries", max(map(len, case["objects"])))
    layers, _ = inputs.outputs(case["seed"], queries, case["objects"], 1, case.get("hint", 1.0), pairs=given)
    said = logits_of(layers[-1])
    for i, objects in enumerate(case["objects"]):
        found = PairQueries.of(said.frame(i, len(objects) if given else None), SINGLE, any_class=True)
        for ours in PREDICATES:
            table = found.groups[ours.name]
            probability = table.softmax(1) if SINGLE[ours.name] else table.sigmoid()
            np.testing.assert_allclose(probability.numpy(), want[f"{ours.name}_distribution_{i}"], rtol=0, atol=1e-6)
        count = len(found.object_class)
        boxes = torch.cat([found.subject_box, found.object_box])
        np.testing.assert_allclose(boxes.numpy(), want[f"pred_boxes_{i}"], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(found.object_class.numpy(), want[f"pred_labels_{i}"][count:])
        np.testing.assert_allclose(found.object_score.numpy(), want[f"pred_scores_{i}"][count:], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(found.subject.numpy(), want[f"pair_idx_{i}"][:, 0])
        np.testing.assert_array_equal(np.arange(count) + count, want[f"pair_idx_{i}"][:, 1])
