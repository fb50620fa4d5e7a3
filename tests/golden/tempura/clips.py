"""The recorded TEMPURA cases as ours: the authors' weights and memories, and the clips that the
inputs make."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from golden.deterministic import read_json
from golden.tempura import inputs
from torch import Tensor
from torchvision.ops import roi_align

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.methods.tempura.authors import infer_tempura, tempura_memory, tempura_state
from vidsgg.models.configs import TempuraConfig
from vidsgg.models.tempura import TEMPURA
from vidsgg.ops.detections import candidate_pairs
from vidsgg.ops.masks import union_boxes
from vidsgg.structures.clip import Clip

GROUPS = {"attention": 3, "spatial": 6, "contacting": 17}


def reference_state(case: dict[str, Any]) -> dict[str, Tensor]:
    """The authors' weights of a case, whatever its settings."""
    shapes = read_json("tempura", case["params"])
    return {
        name: torch.from_numpy(np.asarray(inputs.weight(name, tuple(shape))))
        for name, shape in shapes.items()
        if not name.endswith("positional_encoder.pe")
    }


def model_of(case: dict[str, Any]) -> TEMPURA:
    """Our model with the weights of a case, in eval mode and without memory."""
    settings, authors = case["settings"], reference_state(case)
    told, widths = infer_tempura(authors)
    compute = settings["rel_mem_compute"] or None
    config = TempuraConfig(
        **told,
        mem_fusion=settings["mem_fusion"] or "late",
        mem_feat_lambda=settings["selection_lambda"],
        reference_compat=True,
    )
    assert config.rel_mem_compute == ("separate" if compute == "seperate" else compute)
    assert (config.rel_head, config.obj_head, config.tracking) == (
        settings["rel_head"],
        settings["obj_head"],
        settings["tracking"],
    )
    assert "gmm" not in (config.rel_head, config.obj_head) or config.num_mixtures == settings["K"]
    assert (config.obj_mem_compute, config.take_obj_mem_feat) == (
        settings["obj_mem_compute"],
        settings["take_obj_mem_feat"],
    )
    model = TEMPURA(SCHEMA, widths, config, settings["mode"])
    state, left_over = tempura_state(authors, settings["mode"])
    lacking, unknown = model.load_state_dict(state, strict=False)
    assert not unknown
    assert all("bank" in name for name in lacking)  # which are not weights
    assert all(settings["mode"] == "predcls" and name.startswith("object_classifier.") for name in left_over)
    return model.eval()


def remember(model: TEMPURA, case: dict[str, Any]) -> None:
    """Give the model the memory of a case, or none."""
    empty = {name: torch.zeros_like(rows) for name, rows in model.named_buffers() if "bank" in name}
    rel, obj = inputs.memory(**case["memory"]) if "memory" in case else ({}, None)
    memory = tempura_memory(
        {name: torch.from_numpy(rows) for name, rows in rel.items()}, [] if obj is None else torch.from_numpy(obj)
    )
    model.load_state_dict(empty | {name: rows for name, rows in memory.items() if name in empty}, strict=False)


def clip_of(case: dict[str, Any], e: dict[str, Any]) -> Clip:
    """The clip of ``inputs.video``: of given pairs in predcls and to learn from, else with open
    pairs."""
    mode, phase = case["settings"]["mode"], case.get("phase", "test")
    given, boxes = mode == "predcls" or phase == "train", torch.from_numpy(e["boxes"][:, 1:])
    frame, label = torch.from_numpy(e["boxes"][:, 0]).long(), torch.from_numpy(e["labels"])
    distribution = (
        torch.cat([torch.zeros(len(boxes), 1), torch.from_numpy(e["distribution"])], 1) if "distribution" in e else None
    )
    if given:
        pairs = torch.from_numpy(e["pair_idx"])
        columns = {"pair_union": torch.from_numpy(e["union_feat"]), "pair_mask": torch.from_numpy(e["spatial_masks"])}
    else:
        if mode == "sgcls":
            rows = [np.flatnonzero(e["boxes"][:, 0] == t).tolist() for t in range(len(case["video"]["frames"]))]
            pairs = torch.tensor([pair for row in rows for pair in combinations(row, 2)], dtype=torch.int64).view(-1, 2)
        else:
            assert distribution is not None
            pairs = torch.stack(candidate_pairs(frame, distribution, SCHEMA.object_ids(SCHEMA.often_wrong)), 1)
        columns = {"pair_union": _union(e, frame[pairs[:, 0]], boxes[pairs[:, 0]], boxes[pairs[:, 1]])}
    frames = len(case["video"]["frames"])
    return Clip(
        schema=SCHEMA,
        video_ids=(case["id"],),
        frame_video=torch.zeros(frames, dtype=torch.int64),
        frame_unit=torch.arange(frames),
        frame_slot=torch.zeros(frames, dtype=torch.int64),
        frame_size=torch.tensor([[240.0, 180.0]]).repeat(frames, 1),
        node_box=boxes,
        node_class=label if mode == "predcls" else torch.full_like(label, -1),
        node_target=label if given else None,
        node_score=torch.from_numpy(e["scores"]),
        node_frame=frame,
        node_identity=torch.full((len(boxes),), -1),
        node_feature=torch.from_numpy(e["features"]),
        node_distribution=distribution,
        action_class=torch.zeros(0, dtype=torch.int64),
        pair_subject=pairs[:, 0],
        pair_object=pairs[:, 1],
        pair_frame=frame[pairs[:, 1]],
        classes_given=mode == "predcls",
        pairs_open=not given,
        **columns,
    )


def hot(rows: Sequence[Sequence[int]], width: int) -> Tensor:
    table = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        table[i, row] = True
    return table


def _union(e: dict[str, Any], frame: Tensor, first: Tensor, second: Tensor) -> Tensor:
    scale = float(e["im_info"])
    rois = torch.cat([frame[:, None].float(), union_boxes(first * scale, second * scale)], 1)
    return roi_align(torch.from_numpy(e["fmaps"]), rois, 7, 1 / 16)
