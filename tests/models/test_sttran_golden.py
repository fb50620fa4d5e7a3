"""STTran against numbers recorded from the authors' implementation, through the map of their state dict's names."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import GOLDEN, filled_state_dict
from golden.sttran.inputs import make_pairs
from torch import Tensor, nn

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.losses.relations import RelationCriterion
from vidsgg.models.authors import object_classifier_state, sttran_state
from vidsgg.models.layers.attention import RaggedAttention
from vidsgg.models.layers.object_classifier import ObjectClassifier
from vidsgg.models.sttran import STTran, STTranConfig
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.widths import FeatureWidths

FOLDER = GOLDEN / "sttran"
CASES = {case["id"]: case for case in json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))}
SHAPES = json.loads((FOLDER / "params.json").read_text(encoding="utf-8"))
TOLERANCE = {"rtol": 1e-4, "atol": 2e-5}
GROUPS = {"attention": 3, "spatial": 6, "contacting": 17}


def reference_state(enc: int, dec: int) -> dict[str, Tensor]:
    """The authors' weights for other numbers of layers, which repeat the names of the recorded ones."""
    shapes = {}
    for name, shape in SHAPES.items():
        for kind, count in (("local", enc), ("global", dec)):
            prefix = f"glocal_transformer.{kind}_attention.layers."
            if name.startswith(prefix + "0."):
                shapes.update({f"{prefix}{i}.{name[len(prefix) + 2 :]}": shape for i in range(count)})
                break
            if name.startswith(prefix):
                break
        else:
            shapes[name] = shape
    return filled_state_dict(shapes)


@pytest.fixture(scope="module")
def models() -> Any:
    """STTran with the deterministic weights, built once per size."""
    built: dict[tuple[int, int], STTran] = {}

    def get(enc: int, dec: int) -> STTran:
        if (enc, dec) not in built:
            model = STTran(SCHEMA, FeatureWidths(node=2048, union=1024), STTranConfig(spatial_layer=enc, temporal_layer=dec))
            state, left_over = sttran_state(reference_state(enc, dec))
            model.load_state_dict(state)  # strict: every weight of ours is one of theirs
            assert all(name.startswith("object_classifier.") for name in left_over)
            built[enc, dec] = model
        return built[enc, dec]

    return get


def golden_clip(case: dict[str, Any]) -> Clip:
    e = make_pairs(case)
    boxes = torch.from_numpy(e["boxes"])
    frames = len(case["pairs"])
    pairs = torch.from_numpy(e["pair_idx"])

    def hot(rows: list[list[int]], width: int) -> Tensor:
        table = torch.zeros(len(rows), width, dtype=torch.bool)
        for i, row in enumerate(rows):
            table[i, row] = True
        return table

    return Clip(
        schema=SCHEMA,
        video_ids=("golden",),
        frame_video=torch.zeros(frames, dtype=torch.int64),
        frame_unit=torch.arange(frames),
        frame_slot=torch.zeros(frames, dtype=torch.int64),
        frame_size=torch.tensor([[480.0, 270.0]]).repeat(frames, 1),
        node_box=boxes[:, 1:],
        node_class=torch.from_numpy(e["labels"]),
        node_score=torch.ones(len(boxes)),
        node_frame=boxes[:, 0].long(),
        node_identity=torch.full((len(boxes),), -1),
        action_class=torch.zeros(0, dtype=torch.int64),
        pair_subject=pairs[:, 0],
        pair_object=pairs[:, 1],
        pair_frame=torch.from_numpy(e["im_idx"]).long(),
        node_feature=torch.from_numpy(e["features"]),
        node_distribution=torch.cat([torch.zeros(len(boxes), 1), torch.from_numpy(e["distribution"])], 1),
        node_target=torch.from_numpy(e["labels"]),
        pair_union=torch.from_numpy(e["union_feat"]),
        pair_mask=torch.from_numpy(e["spatial_masks"]),
        labels={group: hot(e[f"{group}_gt"], width) for group, width in GROUPS.items()},
    )


def without_dropout(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, RaggedAttention) or isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
        elif isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def check_outputs(model: STTran, clip: Clip, want: Any) -> RelationLogits:
    tokens = model.pair_encoder(clip, clip.node_class, clip.action_class)
    encoded = model.transform(tokens, clip)
    logits = {name: head(encoded) for name, head in model.heads.items()}
    have = {
        "rel_features_every16": tokens[:, ::16],
        "global_output_every16": encoded[:, ::16],
        "attention_distribution": logits["attention"],
        "spatial_distribution": logits["spatial"].sigmoid(),
        "contacting_distribution": logits["contacting"].sigmoid(),
    }
    for name, value in have.items():
        np.testing.assert_allclose(value.detach().numpy(), want[name], err_msg=name, **TOLERANCE)
    return RelationLogits(logits)


def check_losses(clip: Clip, logits: RelationLogits, want: Any, groups: list[str]) -> None:
    names = {
        "objects": "object_loss",
        "attention": "attention_relation_loss",
        "spatial": "spatial_relation_loss",
        "contacting": "contact_relation_loss",
    }
    for kind in ("mlm", "bce"):
        losses = RelationCriterion(SCHEMA, bce=kind == "bce")(logits, clip)
        for group in groups:
            key = f"loss_{kind}_{names[group]}"
            np.testing.assert_allclose(losses[group].item(), want[key], err_msg=key, **TOLERANCE)


@pytest.mark.parametrize("case_id", ["open-predcls", "open-predcls-5frames"])
def test_forward_and_losses_equal_the_reference(models: Any, case_id: str) -> None:
    case, want = CASES[case_id], np.load(FOLDER / f"{case_id}.npz")
    model, clip = models(case["enc"], case["dec"]).eval(), golden_clip(case)
    with torch.inference_mode():
        check_losses(clip, check_outputs(model, clip, want), want, list(GROUPS))


def test_training_forward_equals_the_reference(models: Any) -> None:
    """Batch statistics, running statistics after the forward, and the object classifier."""
    case, want = CASES["open-sgcls-train"], np.load(FOLDER / "open-sgcls-train.npz")
    state = reference_state(case["enc"], case["dec"])
    model = STTran(SCHEMA, FeatureWidths(node=2048, union=1024), STTranConfig())
    model.load_state_dict(sttran_state(state)[0])
    classifier = ObjectClassifier(SCHEMA.vocabulary, 2048)
    classifier.load_state_dict(object_classifier_state(state)[0])
    without_dropout(model).train()
    clip = golden_clip(case)
    with torch.no_grad():
        logits = check_outputs(model, clip, want)
        objects = classifier.train()(clip)
    np.testing.assert_allclose(objects.numpy(), want["object_logits"], **TOLERANCE)
    check_losses(clip, RelationLogits(logits.groups, objects=objects), want, [*GROUPS, "objects"])
    union = model.pair_encoder.union
    norms = {
        "pos_embed_0": classifier.position_norm,
        "decoder_lin_1": classifier.hidden_norm,
        "conv_2": union.mask_norm1,
        "conv_6": union.mask_norm2,
    }
    for name, norm in norms.items():
        for statistic in ("running_mean", "running_var"):
            np.testing.assert_allclose(getattr(norm, statistic)[:64].numpy(), want[f"bn_{name}_{statistic}"], err_msg=name, **TOLERANCE)


def test_three_training_steps_equal_the_reference() -> None:
    case, want = CASES["open-steps-predcls"], np.load(FOLDER / "open-steps-predcls.npz")
    model = STTran(SCHEMA, FeatureWidths(node=2048, union=1024), STTranConfig(spatial_layer=case["enc"], temporal_layer=case["dec"]))
    model.load_state_dict(sttran_state(reference_state(case["enc"], case["dec"]))[0])
    without_dropout(model).train()
    clip, criterion = golden_clip(case), RelationCriterion(SCHEMA)
    optimizer = ReferenceAdamW(model.parameters(), lr=case["lr"], weight_decay=0.01)
    for step in range(case["steps"]):
        losses = criterion(model(clip), clip)
        optimizer.zero_grad()
        losses["total"].backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        np.testing.assert_allclose(losses["total"].item(), want["total_loss"][step], rtol=1e-4)
        np.testing.assert_allclose(norm.item(), want["grad_norm"][step], rtol=1e-4)
