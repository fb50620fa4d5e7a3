"""The recorded DSG-DETR cases as ours: the authors' weights, and the clips that the inputs make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from golden.deterministic import filled_tensor
from golden.dsgdetr import inputs
from torch import Tensor
from torchvision.ops import roi_align

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.methods.dsgdetr.authors import dsgdetr_state, infer_dsgdetr
from vidsgg.models.configs import DsgDetrConfig
from vidsgg.models.dsgdetr import DsgDetr
from vidsgg.ops.detections import candidate_pairs
from vidsgg.ops.masks import union_boxes
from vidsgg.structures.clip import Clip


def reference_state(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """The authors' weights; tables of positions keep their computed values, see the recordings' README."""
    return {
        name: torch.from_numpy(inputs.weight(name, shape))
        if name.endswith("positional_encoder.pe")
        else filled_tensor(name, shape)
        for name, shape in shapes.items()
    }


def model_of(authors: dict[str, Tensor], mode: str) -> DsgDetr:
    """Our model of a mode with the authors' weights, in eval mode, through the names of the importer."""
    told, widths = infer_dsgdetr(authors)
    with torch.device("meta"):
        model = DsgDetr(SCHEMA, widths, DsgDetrConfig(**told, reference_compat=True), mode)
    state, left_over = dsgdetr_state(authors, mode)
    model.load_state_dict(state, assign=True)
    assert all(
        "positional_encoder" in name or (mode == "predcls" and "object_classifier" in name) for name in left_over
    )
    return model.eval()


def clip_of(case: Mapping[str, Any]) -> Clip:
    """The clip of ``inputs.video``: of given pairs in predcls, else with open pairs."""
    mode = case.get("mode", "predcls")
    video = {name: case[name] for name in ("seed", "image_size", "frames", "fmap_scale") if name in case}
    e = inputs.video(**video, mode=mode)
    boxes, frame = torch.from_numpy(e["boxes"][:, 1:]), torch.from_numpy(e["boxes"][:, 0]).long()
    label, frames = torch.from_numpy(e["labels"]), len(case["frames"])
    distribution = None
    if mode == "predcls":
        pairs = torch.from_numpy(e["pair_idx"])
        columns = {"pair_union": torch.from_numpy(e["union_feat"]), "pair_mask": torch.from_numpy(e["spatial_masks"])}
    else:
        distribution = torch.cat([torch.zeros(len(boxes), 1), torch.from_numpy(e["distribution"])], 1)
        if mode == "sgcls":
            rows = [np.flatnonzero(e["boxes"][:, 0] == t).tolist() for t in range(frames)]
            found = [pair for row in rows for pair in combinations(row, 2)]
            pairs = torch.tensor(found, dtype=torch.int64).view(-1, 2)
        else:
            pairs = torch.stack(candidate_pairs(frame, distribution, SCHEMA.object_ids(SCHEMA.often_wrong), "any"), 1)
        scale = float(e["im_info"])
        union = union_boxes(boxes[pairs[:, 0]] * scale, boxes[pairs[:, 1]] * scale)
        rois = torch.cat([frame[pairs[:, 0]][:, None].float(), union], 1)
        columns = {"pair_union": roi_align(torch.from_numpy(e["fmaps"]), rois, 7, 1 / 16)}
    given = mode == "predcls"
    return Clip(
        schema=SCHEMA,
        video_ids=(case["id"],),
        frame_video=torch.zeros(frames, dtype=torch.int64),
        frame_unit=torch.arange(frames),
        frame_slot=torch.zeros(frames, dtype=torch.int64),
        frame_size=torch.tensor([[float(side) for side in case["image_size"]]]).repeat(frames, 1),
        frame_number=torch.tensor(case.get("frame_numbers", list(range(1, frames + 1)))),
        node_box=boxes,
        node_class=label if given else torch.full_like(label, -1),
        node_score=torch.ones(len(boxes)),
        node_frame=frame,
        node_identity=torch.full((len(boxes),), -1),
        node_feature=torch.from_numpy(e["features"]),
        node_distribution=distribution,
        action_class=torch.zeros(0, dtype=torch.int64),
        pair_subject=pairs[:, 0],
        pair_object=pairs[:, 1],
        pair_frame=frame[pairs[:, 1]],
        classes_given=given,
        pairs_open=not given,
        labels=labels_of(e) if given else None,
        **columns,
    )


def labels_of(e: Mapping[str, Any]) -> dict[str, Tensor]:
    labels = {}
    for group in SCHEMA.vocabulary.groups:
        table = torch.zeros(len(e["pair_idx"]), len(group), dtype=torch.bool)
        for row, ids in enumerate(e[f"{group.name}_gt"]):
            table[row, ids] = True
        labels[group.name] = table
    return labels
