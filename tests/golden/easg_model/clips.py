"""The recorded cases of EASG's authors as our clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from golden.easg_model.inputs import OBJECTS, RELATIONS, VERBS, fc_inputs, sttran_inputs
from torch import Tensor

from vidsgg.datasets.easg import schema_of
from vidsgg.structures.clip import Clip

MODES = {"edgecls": "predcls", "sgcls": "sgcls", "easgcls": "sgdet"}


def names(kind: str, count: int) -> tuple[str, ...]:
    """Names of classes; the published ones are not ours to copy."""
    return tuple(f"{kind}{i}" for i in range(count))


SCHEMA = schema_of(names("verb", VERBS), names("object", OBJECTS), ("dobj", *names("relation", RELATIONS - 1)), {})


def one_graph(case: dict[str, Any]) -> Clip:
    """A graph of the fully connected model: its objects in one frame."""
    e = fc_inputs(case)
    n = case["n"]
    return _clip(
        case["id"],
        "sgdet",
        frame=np.zeros(n, np.int64),
        box=np.tile(np.float32([0, 0, 9, 9]), (n, 1)),
        labels=e["objs"],
        verbs=np.int64([e["verb"]]),
        hot=torch.from_numpy(e["rels"]).bool(),
        node_feature=torch.from_numpy(e["obj_feats"]),
        action_feature=torch.from_numpy(e["clip_feat"])[None],
    )


def frames_of_boxes(case: dict[str, Any]) -> Clip:
    """A sequence of STTran: every frame is a label unit of its own, with its own action feature."""
    e = sttran_inputs(case)
    hot = torch.zeros(len(e["edge"]), RELATIONS, dtype=torch.bool)
    for i, row in enumerate(e["edge"]):
        hot[i, row] = True
    return _clip(
        case["id"],
        MODES[case["mode"]],
        frame=e["im_idx"],
        box=e["boxes"][:, 1:],
        labels=e["labels"],
        verbs=e["labels_verb"],
        hot=hot,
        node_feature=torch.from_numpy(e["features"]),
        node_distribution=torch.from_numpy(np.pad(e["distribution"], ((0, 0), (1, 0)))),
        action_feature=torch.from_numpy(e["features_verb"]),
    )


def _clip(
    name: str,
    mode: str,
    *,
    frame: np.ndarray,
    box: np.ndarray,
    labels: np.ndarray,
    verbs: np.ndarray,
    hot: Tensor,
    **features: Tensor,
) -> Clip:
    node_frame, target, action = torch.from_numpy(frame).long(), torch.from_numpy(labels) + 1, torch.from_numpy(verbs)
    frames = len(verbs)
    first = torch.searchsorted(node_frame, node_frame)
    given, verb_given = mode == "predcls", mode != "sgdet"
    return Clip(
        schema=SCHEMA,
        video_ids=(name,),
        frame_video=torch.zeros(frames, dtype=torch.long),
        frame_unit=torch.arange(frames),
        frame_slot=torch.zeros(frames, dtype=torch.long),
        frame_size=torch.tensor([[1440.0, 1080.0]]).repeat(frames, 1),
        node_box=torch.from_numpy(box),
        node_class=target if given else torch.full_like(target, -1),
        node_score=torch.ones(len(target)),
        node_frame=node_frame,
        node_identity=torch.arange(len(target)) - first,
        node_target=target,
        action_class=action if verb_given else torch.full_like(action, -1),
        action_target=action,
        pair_subject=node_frame,
        pair_object=torch.arange(len(target)),
        pair_frame=node_frame,
        labels={"relation": hot},
        classes_given=given,
        **features,
    )
