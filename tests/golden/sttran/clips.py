"""The recorded STTran cases as ours: weights for any number of layers, and the clips that its
inputs make."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from golden.deterministic import filled_state_dict, read_json
from golden.sttran.inputs import make_detect, make_pairs
from torch import Tensor
from torchvision.ops import roi_align

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.ops.cleaning import clean
from vidsgg.ops.masks import union_boxes, union_masks
from vidsgg.ops.pairing import SubjectRule, label_nodes, subject_pairs
from vidsgg.structures.clip import Clip

GROUPS = {"attention": 3, "spatial": 6, "contacting": 17}


def reference_state(enc: int, dec: int) -> dict[str, Tensor]:
    """The authors' weights for other numbers of layers, which repeat the names of the recorded
    ones."""
    shapes = {}
    for name, shape in read_json("sttran", "params.json").items():
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


def given_pairs(case: dict[str, Any]) -> Clip:
    """predcls, or the training form of the other modes, where the classes are hidden but known."""
    e = make_pairs(case)
    hidden = not case.get("kind", case.get("mode")).startswith("predcls")
    label, pair = torch.from_numpy(e["labels"]), torch.from_numpy(e["pair_idx"])
    return _clip(
        case,
        len(case["pairs"]),
        e["boxes"],
        node_class=torch.full_like(label, -1) if hidden else label,
        classes_given=not hidden,
        node_target=label,
        node_score=torch.ones(len(label)),
        node_feature=torch.from_numpy(e["features"]),
        node_distribution=_with_background(e["distribution"]),
        pair_subject=pair[:, 0],
        pair_object=pair[:, 1],
        pair_frame=torch.from_numpy(e["im_idx"]).long(),
        pair_union=torch.from_numpy(e["union_feat"]),
        pair_mask=torch.from_numpy(e["spatial_masks"]),
        labels={group: _hot(e[f"{group}_gt"], width) for group, width in GROUPS.items()},
    )


def open_pairs(case: dict[str, Any]) -> Clip:
    """sgcls as it is scored: every two boxes of a frame are a candidate."""
    e = make_detect(case)
    frame, boxes = e["boxes"][:, 0], torch.from_numpy(e["boxes"][:, 1:])
    rows = [np.flatnonzero(frame == t).tolist() for t in range(len(case["boxes"]))]
    subject, obj = (
        torch.tensor([pair for row in rows for pair in combinations(row, 2)], dtype=torch.int64).view(-1, 2).T
    )
    pair_frame = torch.from_numpy(frame).long()[subject]
    return _clip(
        case,
        len(rows),
        e["boxes"],
        node_class=torch.full((len(boxes),), -1),
        classes_given=False,
        pairs_open=True,
        node_score=torch.ones(len(boxes)),
        node_feature=torch.from_numpy(e["features"]),
        node_distribution=_with_background(e["distribution"]),
        pair_subject=subject,
        pair_object=obj,
        pair_frame=pair_frame,
        pair_union=_union(e, pair_frame, boxes[subject], boxes[obj]),
    )


def detected_pairs(case: dict[str, Any]) -> Clip:
    """sgdet as it is scored: detections cleaned, labelled and paired from the detector's
    classes."""
    e = make_detect(case)
    given = torch.from_numpy(e["boxes"])
    row, distribution = clean(
        given[:, 0].long(), given[:, 1:], _with_background(e["distribution"]), SCHEMA.object_ids(SCHEMA.often_wrong)
    )
    frame, boxes = given[row, 0].long(), given[row, 1:]
    rule = SubjectRule.of(SCHEMA)
    klass, score = label_nodes(distribution, frame, rule)
    subject, obj = subject_pairs(frame, klass, score, rule)
    return _clip(
        case,
        len(case["boxes"]),
        given[row].numpy(),
        node_class=klass,
        node_score=score,
        node_feature=torch.from_numpy(e["features"])[row],
        node_distribution=distribution,
        pair_subject=subject,
        pair_object=obj,
        pair_frame=frame[subject],
        pair_union=_union(e, frame[subject], boxes[subject], boxes[obj]),
        pair_mask=union_masks(boxes[subject], boxes[obj]) - 0.5,
    )


def _clip(case: dict[str, Any], frames: int, boxes: np.ndarray, **columns: Any) -> Clip:
    """boxes (N, 5): frame and box."""
    return Clip(
        schema=SCHEMA,
        video_ids=(case["id"],),
        frame_video=torch.zeros(frames, dtype=torch.int64),
        frame_unit=torch.arange(frames),
        frame_slot=torch.zeros(frames, dtype=torch.int64),
        frame_size=torch.tensor([[480.0, 270.0]]).repeat(frames, 1),
        node_box=torch.from_numpy(boxes[:, 1:]),
        node_frame=torch.from_numpy(boxes[:, 0]).long(),
        node_identity=torch.full((len(boxes),), -1),
        action_class=torch.zeros(0, dtype=torch.int64),
        **columns,
    )


def _union(e: dict[str, Any], frame: Tensor, first: Tensor, second: Tensor) -> Tensor:
    scale = float(e["im_info"])
    rois = torch.cat([frame[:, None].float(), union_boxes(first * scale, second * scale)], 1)
    return roi_align(torch.from_numpy(e["fmaps"]), rois, 7, 1 / 16)


def _with_background(distribution: np.ndarray) -> Tensor:
    return torch.cat([torch.zeros(len(distribution), 1), torch.from_numpy(distribution)], 1)


def _hot(rows: Sequence[Sequence[int]], width: int) -> Tensor:
    table = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        table[i, row] = True
    return table
