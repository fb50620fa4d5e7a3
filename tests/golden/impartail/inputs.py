"""Deterministic inputs of the impartail golden (numpy only, written for this golden).

make_annotations(config) -> list of videos; a video is a list of frames; a frame is a list of objects, each a dict with
    tag         name of the object in its frame          class       2..36
    attention   list of one index (0..2)                 spatial     list of 1..3 different indices (0..5), in any order
    contacting  list of 1..3 different indices (0..16), in any order
  Labels are drawn from a long-tailed distribution (1 / rank ** tail).
flat(videos, group) -> (labels, frame, owner): the labels of one group in video, frame, object, label order; the frame (counted over all
  videos) and the object (likewise) that each belongs to.  All masks in the golden files lie in this order.
make_batch(config) -> dict for the losses: attention (P, 3) logits, spatial (P, 6) and contacting (P, 17) in (0, 1), distribution (N, 37)
  logits, labels (N,) 1..36; attention_gt, spatial_gt, contacting_gt and their masks *_mask, lists of P lists.

Order of draws: everything comes from one np.random.RandomState(seed), in the order the code below reads.
"""

import numpy as np

GROUPS = {"attention": 3, "spatial": 6, "contacting": 17}
DEFAULTS = {"videos": 6, "frames": (3, 8), "objects": (1, 4), "tail": 1.5}
BATCH = {
    "pairs": 9,
    "boxes": 12,
    "gain": 2.0,
    "masked": 0.5,
    "masked_attention": None,
    "masked_spatial": None,
    "masked_contacting": None,
}


def _labels(rs, n, tail, most=3):
    p = 1.0 / np.arange(1, n + 1) ** tail
    p = p / p.sum()
    k = 1 if most == 1 else int(rs.randint(1, most + 1))
    return [int(v) for v in rs.choice(n, size=k, replace=False, p=p)]


def make_annotations(config):
    c = dict(DEFAULTS)
    c.update(config)
    rs = np.random.RandomState(c["seed"])
    videos = []
    for v in range(c["videos"]):
        frames = []
        for t in range(rs.randint(c["frames"][0], c["frames"][1] + 1)):
            objects = []
            for i in range(rs.randint(c["objects"][0], c["objects"][1] + 1)):
                objects.append(
                    {
                        "tag": f"V{v:03d}.mp4/thing{i}/{t + 1:06d}",
                        "class": int(rs.randint(2, 37)),
                        "attention": _labels(rs, 3, c["tail"], 1),
                        "spatial": _labels(rs, 6, c["tail"]),
                        "contacting": _labels(rs, 17, c["tail"]),
                    }
                )
            frames.append(objects)
        videos.append(frames)
    return videos


def flat(videos, group):
    labels, frame, owner = [], [], []
    f = o = -1
    for video in videos:
        for objects in video:
            f += 1
            for item in objects:
                o += 1
                for label in item[group]:
                    labels.append(label)
                    frame.append(f)
                    owner.append(o)
    return np.array(labels), np.array(frame), np.array(owner)


def make_batch(config):
    c = dict(BATCH)
    c.update(config)
    rs = np.random.RandomState(c["seed"])
    out = {}
    for group, n in GROUPS.items():
        labels = [_labels(rs, n, 0.7, 1 if group == "attention" else 3) for _ in range(c["pairs"])]
        x = rs.normal(0, 1.5, (c["pairs"], n))
        for row, own in zip(x, labels, strict=False):
            row[own] += c["gain"]
        share = c["masked"] if c["masked_" + group] is None else c["masked_" + group]
        out[group] = (x if group == "attention" else 1 / (1 + np.exp(-x))).astype(np.float32)
        out[group + "_gt"] = labels
        out[group + "_gt_mask"] = [[int(rs.uniform() >= share) for _ in own] for own in labels]
    out["labels"] = rs.randint(1, 37, c["boxes"])
    out["distribution"] = rs.normal(0, 1.5, (c["boxes"], 37)).astype(np.float32)
    return out
