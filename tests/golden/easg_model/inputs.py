"""Inputs of the easg_model golden, drawn as the recordings' own script draws them. numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np

VERBS, OBJECTS, RELATIONS = 198, 391, 13  # of the published vocabulary


def fc_inputs(case: dict[str, Any]) -> dict[str, Any]:
    """Order of draws: clip_feat [2304], obj_feats [n, 1024], verb, objs [n], rels [n, 13]."""
    rs = np.random.RandomState(case["seed"])
    n = case["n"]
    clip = (case["scale"] * rs.standard_normal(2304)).astype(np.float32)
    obj = (case["scale"] * rs.standard_normal((n, 1024))).astype(np.float32)
    verb = int(rs.randint(VERBS))
    objs = rs.randint(OBJECTS, size=n).astype(np.int64)
    rels = (rs.rand(n, RELATIONS) < 0.1).astype(np.float32)
    rels[np.arange(n), rs.randint(RELATIONS, size=n)] = 1
    return {"clip_feat": clip, "obj_feats": obj, "verb": verb, "objs": objs, "rels": rels}


def sttran_inputs(case: dict[str, Any]) -> dict[str, Any]:
    """case["per_frame"]: boxes of every frame; frames are consecutive ids from 0.

    Order of draws: features [N, 2048], features_verb [F, 2304] (a row per frame, repeated for its
    boxes), boxes, labels [N], labels_verb [F], distribution [N, 391], sets of relations.
    """
    rs = np.random.RandomState(case["seed"])
    per = case["per_frame"]
    total, frames = sum(per), len(per)
    frame = np.repeat(np.arange(frames), per)
    feat = np.abs(rs.standard_normal((total, 2048))).astype(np.float32)
    verb_feat = rs.standard_normal((frames, 2304)).astype(np.float32)
    width, height = 1440.0, 1080.0
    xy = rs.rand(total, 2) * [width * 0.6, height * 0.6]
    wh = 20 + rs.rand(total, 2) * [width * 0.35, height * 0.35]
    boxes = np.concatenate([frame[:, None], xy, xy + wh], 1).astype(np.float32)  # frame, x1, y1, x2, y2
    labels = rs.randint(OBJECTS, size=total).astype(np.int64)
    verbs = rs.randint(VERBS, size=frames).astype(np.int64)
    z = 2 * rs.standard_normal((total, OBJECTS))
    e = np.exp(z - z.max(1, keepdims=True))
    edges = []
    for _ in range(total):
        k = 1 + int(rs.rand() < 0.2)
        edges.append(sorted(int(i) for i in rs.permutation(RELATIONS)[:k]))
    return {
        "features": feat,
        "features_verb": verb_feat,
        "boxes": boxes,
        "labels": labels,
        "labels_verb": verbs,
        "im_idx": frame,
        "distribution": (e / e.sum(1, keepdims=True)).astype(np.float32),
        "edge": edges,
    }
