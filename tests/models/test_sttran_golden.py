"""STTran against numbers recorded from the authors' implementation, through the map of their state
dict's names.

Every case of a kind that stands here is run, so cases put beside the recorded ones are too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import cases_of, read_case, read_json
from golden.sttran.clips import detected_pairs, given_pairs, open_pairs, reference_state
from golden.sttran.inputs import make_detect, sample_index
from torch import Tensor, nn

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.losses.relations import RelationCriterion
from vidsgg.methods.sttran.authors import infer_sttran, sttran_state
from vidsgg.models.configs import STTranConfig
from vidsgg.models.layers.attention import RaggedAttention
from vidsgg.models.sttran import STTran
from vidsgg.ops.masks import union_boxes
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits

TOLERANCE = {"rtol": 1e-4, "atol": 2e-5}
LOSSES = {"objects": "object_loss", "attention": "attention_relation_loss", "spatial": "spatial_relation_loss", "contacting": "contact_relation_loss"}  # fmt: skip
NORMS = {
    "pos_embed_0": "object_classifier.position_norm",
    "decoder_lin_1": "object_classifier.hidden_norm",
    "conv_2": "pair_encoder.union.mask_norm1",
    "conv_6": "pair_encoder.union.mask_norm2",
}


def model_of(enc: int, dec: int, mode: str) -> STTran:
    """STTran with the deterministic weights, whatever their sizes, and without dropout."""
    authors = reference_state(enc, dec)
    sizes, widths = infer_sttran(authors)
    assert (sizes["spatial_layer"], sizes["temporal_layer"]) == (enc, dec)
    model = STTran(SCHEMA, widths, STTranConfig(**sizes, reference_compat=True), mode)
    state, left_over = sttran_state(authors, mode)
    model.load_state_dict(state, assign=True)  # strict: every weight of ours is one of theirs
    assert all(mode == "predcls" and name.startswith("object_classifier.") for name in left_over)
    for module in model.modules():
        if isinstance(module, RaggedAttention) or isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.0
        elif isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


@pytest.fixture(scope="module")
def models() -> Iterator[Any]:
    """The last model that was asked for, which serves all modes: predcls never reads its object
    classifier."""
    kept: dict[tuple[int, int], tuple[STTran, dict[str, Tensor]]] = {}

    def get(case: dict[str, Any]) -> STTran:
        size = case["enc"], case["dec"]
        if size not in kept:
            kept.clear()  # half a gigabyte each
            model = model_of(*size, "sgcls")
            kept[size] = model, {name: value.clone() for name, value in model.named_buffers()}
        model, start = kept[size]
        model.load_state_dict(start, strict=False)
        return model.eval()

    yield get
    kept.clear()


def run(model: STTran, clip: Clip) -> tuple[RelationLogits, dict[str, Tensor]]:
    """What the model gives, and what the recordings hold of it."""
    seen: dict[str, Tensor] = {}
    hooks = [
        model.pair_encoder.register_forward_hook(lambda module, args, out: seen.update(tokens=out)),
        model.heads["attention"].register_forward_pre_hook(lambda module, args: seen.update(encoded=args[0])),
    ]
    with torch.no_grad():
        logits = model(clip)
    for hook in hooks:
        hook.remove()
    have = {
        "rel_features_every16": seen["tokens"][:, ::16],
        "global_output_every16": seen["encoded"][:, ::16],
        "attention_distribution": logits.groups["attention"],
        "spatial_distribution": logits.groups["spatial"].sigmoid(),
        "contacting_distribution": logits.groups["contacting"].sigmoid(),
    }
    if logits.objects is not None:
        have["object_logits"] = logits.objects
    return logits, have


def losses_of(logits: RelationLogits, clip: Clip) -> dict[str, Tensor]:
    kinds = {kind: RelationCriterion(SCHEMA, bce=kind == "bce")(logits, clip) for kind in ("mlm", "bce")}
    return {
        f"loss_{kind}_{LOSSES[name]}": value
        for kind, losses in kinds.items()
        for name, value in losses.items()
        if name != "total"
    }


def scored_parts(clip: Clip, scale: float) -> dict[str, Tensor]:
    """What a clip holds once its classes and pairs are known, in the reference's terms."""
    frame, box = clip.node_frame[:, None].float(), clip.node_box * scale
    union = union_boxes(box[clip.pair_subject], box[clip.pair_object])
    return {
        "boxes": torch.cat([frame, clip.node_box], 1),
        "distribution": clip.node_distribution[:, 1:],
        "pred_labels": clip.node_class,
        "pred_scores": clip.node_score,
        "pair_idx": torch.stack([clip.pair_subject, clip.pair_object], 1),
        "im_idx": clip.pair_frame,
        "union_box": torch.cat([clip.pair_frame[:, None].float(), union], 1),
        "union_feat_sampled": clip.pair_union.flatten()[sample_index(clip.pair_union.numel())],
        "spatial_masks_sampled": clip.pair_mask.flatten()[sample_index(clip.pair_mask.numel())],
        "features_first8": clip.node_feature[:, :8],
    }


def predcls(model: STTran, case: dict[str, Any]) -> dict[str, Tensor]:
    clip = given_pairs(case)
    logits, have = run(model, clip)
    return have | losses_of(logits, clip)


def learning(model: STTran, case: dict[str, Any]) -> dict[str, Tensor]:
    """Batch statistics, and running statistics after the forward."""
    have = predcls(model.train(), case)
    for theirs, ours in NORMS.items():
        norm = model.get_submodule(ours)
        have |= {f"bn_{theirs}_running_mean": norm.running_mean[:64], f"bn_{theirs}_running_var": norm.running_var[:64]}
    return have


def sgcls(model: STTran, case: dict[str, Any]) -> dict[str, Tensor]:
    logits, have = run(model, open_pairs(case))
    return have | scored_parts(logits.clip, float(make_detect(case)["im_info"]))


def sgdet(model: STTran, case: dict[str, Any]) -> dict[str, Tensor]:
    clip = detected_pairs(case)
    return run(model, clip)[1] | scored_parts(clip, float(make_detect(case)["im_info"]))


OUTPUTS = {
    "predcls-eval": predcls,
    "sgcls-train": learning,
    "sgdet-train": learning,
    "sgcls-eval": sgcls,
    "sgdet-eval": sgdet,
}
CASES = sorted(cases_of("sttran", *OUTPUTS), key=lambda case: (case["enc"], case["dec"]))  # few models are made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_outputs_equal_the_reference(models: Any, case: dict[str, Any]) -> None:
    _, want = read_case("sttran", case["id"])
    have = OUTPUTS[case["kind"]](models(case), case)
    for name, recorded in want.items():
        tolerance = {"rtol": 0, "atol": 0} if have[name].dtype == torch.int64 else TOLERANCE
        np.testing.assert_allclose(have[name].detach().numpy(), recorded, err_msg=name, **tolerance)


@pytest.mark.parametrize(
    "case", [case for case in read_json("sttran", "cases.json") if "-steps-" in case["id"]], ids=lambda case: case["id"]
)
def test_training_steps_equal_the_reference(case: dict[str, Any]) -> None:
    _, want = read_case("sttran", case["id"])
    model = model_of(case["enc"], case["dec"], case["mode"]).train()
    clip, criterion = given_pairs(case), RelationCriterion(SCHEMA, bce=case["bce"])
    optimizer = ReferenceAdamW(model.parameters(), lr=case["lr"], weight_decay=0.01)
    for step in range(case["steps"]):
        losses = criterion(model(clip), clip)
        optimizer.zero_grad()
        losses["total"].backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        np.testing.assert_allclose(losses["total"].item(), want["total_loss"][step], rtol=1e-4)
        np.testing.assert_allclose(norm.item(), want["grad_norm"][step], rtol=1e-4)
