"""Deterministic inputs of the recall golden (numpy only, written for this golden).

make_case(config) -> list of videos.  A video is a dict:
  'gt':   list of frames; a frame is a dict with
            person   float32 (4,)      xyxy pixels
            boxes    float64 (n,4)     xyxy pixels, n >= 1 objects
            classes  int64 (n,)        2..36
            attention  list of n ints (0..2)
            spatial    list of n sorted lists of ints (0..5), each of length 1..3
            contacting list of n sorted lists of ints (0..16), each of length 1..3
  'pred': dict with
            boxes  float32 (N,5)  [frame, x1, y1, x2, y2]
            labels int64 (N,)     class of each box (predcls: ground truth)
            scores float32 (N,)   score of each box (predcls: 1)
            pair_idx int64 (P,2)  rows (human box, object box), indices into the N boxes of the
            video im_idx float32 (P,)   frame of each pair, non-decreasing
            attention  float32 (P,3)  logits, BEFORE softmax
            spatial    float32 (P,6)  in (0,1)
            contacting float32 (P,17) in (0,1)

config keys: seed, mode ('predcls'|'sgcls'|'sgdet'), videos, frames (lo,hi), objects (lo,hi), size
(W,H),
  label_acc, detect, extra (lo,hi), gain, noise, empty_every (0 = never), repeat_class (bool),
  quantise (0 = never).

Order of draws: everything comes from one np.random.RandomState(seed), in the order the code below
reads.
"""

import numpy as np

ATT, SPA, CON = 3, 6, 17
DEFAULTS = {
    "size": (480, 270),
    "label_acc": 1.0,
    "detect": 1.0,
    "extra": (0, 0),
    "gain": 2.5,
    "noise": 1.5,
    "empty_every": 0,
    "repeat_class": False,
    "quantise": 0,
}


def _box(rs, size, lo=0.1, hi=0.6):
    w = size[0] * rs.uniform(lo, hi)
    h = size[1] * rs.uniform(lo, hi)
    x = rs.uniform(0, size[0] - 1 - w)
    y = rs.uniform(0, size[1] - 1 - h)
    return np.array([x, y, x + w, y + h])


def _jitter(rs, box, size, sigma):
    w, h = box[2] - box[0], box[3] - box[1]
    out = box + rs.normal(0, sigma, 4) * np.array([w, h, w, h])
    out[0::2] = np.clip(out[0::2], 0, size[0] - 1)
    out[1::2] = np.clip(out[1::2], 0, size[1] - 1)
    out = np.array([min(out[0], out[2]), min(out[1], out[3]), max(out[0], out[2]), max(out[1], out[3])])
    out[2] = max(out[2], out[0] + 4)
    out[3] = max(out[3], out[1] + 4)
    return out


def _labels(rs, n):
    k = rs.randint(1, 4)
    return sorted(int(v) for v in rs.permutation(n)[:k])


def _frame(rs, c):
    n = rs.randint(c["objects"][0], c["objects"][1] + 1)
    f = {"person": _box(rs, c["size"], 0.3, 0.8).astype(np.float32)}
    f["boxes"] = np.stack([_box(rs, c["size"]) for _ in range(n)])
    f["classes"] = (rs.permutation(35)[:n] + 2).astype(np.int64)
    if c["repeat_class"] and n > 1:
        f["classes"][1] = f["classes"][0]
    f["attention"] = [int(rs.randint(0, ATT)) for _ in range(n)]
    f["spatial"] = [_labels(rs, SPA) for _ in range(n)]
    f["contacting"] = [_labels(rs, CON) for _ in range(n)]
    return f


def _onehot(idx, n):
    v = np.zeros(n)
    v[idx] = 1
    return v


def _video(rs, c):
    n_frames = rs.randint(c["frames"][0], c["frames"][1] + 1)
    gt = [_frame(rs, c) for _ in range(n_frames)]
    boxes, labels, scores, src, frame_of = [], [], [], [], []  # src: gt object the box stands for, -1 person, -2 none
    for t, f in enumerate(gt):
        rows = [(f["person"].astype(np.float64), 1, -1)]
        rows += [(b, int(k), i) for i, (b, k) in enumerate(zip(f["boxes"], f["classes"], strict=False))]
        if c["mode"] != "predcls":
            wrong = [
                (b, k if s == -1 or rs.uniform() < c["label_acc"] else int(rs.randint(2, 37)), s) for b, k, s in rows
            ]
            rows = wrong
        if c["mode"] == "sgdet":
            out = []
            for b, k, s in rows:
                sigma = rs.choice([0.02, 0.08, 0.3], p=[0.6, 0.25, 0.15])
                if s == -1 or rs.uniform() < c["detect"]:
                    out.append((_jitter(rs, b, c["size"], sigma), k, s))
            for _ in range(rs.randint(c["extra"][0], c["extra"][1] + 1)):
                out.append((_box(rs, c["size"]), int(rs.randint(2, 37)), -2))
            rows = [out[i] for i in rs.permutation(len(out))]
        if c["empty_every"] and t % c["empty_every"] == c["empty_every"] - 1:
            rows = [r for r in rows if r[2] == -1]
        for b, k, s in rows:
            boxes.append(np.concatenate([[t], b]))
            labels.append(k)
            src.append(s)
            frame_of.append(t)
            scores.append(1.0 if c["mode"] == "predcls" else rs.uniform(0.15, 1.0))
    pair_idx, im_idx, att, spa, con = [], [], [], [], []
    for t, f in enumerate(gt):
        mine = [i for i in range(len(boxes)) if frame_of[i] == t]
        human = next(i for i in mine if src[i] == -1)
        for i in mine:
            if i == human:
                continue
            pair_idx.append((human, i))
            im_idx.append(t)
            a, s, o = rs.normal(0, c["noise"], ATT), rs.normal(0, c["noise"], SPA), rs.normal(-1, c["noise"], CON)
            if src[i] >= 0:
                a = a + c["gain"] * _onehot(f["attention"][src[i]], ATT)
                s = s + c["gain"] * _onehot(f["spatial"][src[i]], SPA)
                o = o + c["gain"] * _onehot(f["contacting"][src[i]], CON)
            att.append(a)
            spa.append(1 / (1 + np.exp(-s)))
            con.append(1 / (1 + np.exp(-o)))
    pred = {
        "boxes": np.array(boxes).astype(np.float32),
        "labels": np.array(labels, np.int64),
        "scores": np.array(scores).astype(np.float32),
        "pair_idx": np.array(pair_idx, np.int64).reshape(-1, 2),
        "im_idx": np.array(im_idx).astype(np.float32),
        "attention": np.array(att).astype(np.float32),
        "spatial": np.array(spa).astype(np.float32),
        "contacting": np.array(con).astype(np.float32),
    }
    if c["quantise"]:
        q = c["quantise"]
        pred["attention"] = (np.round(pred["attention"] * 2) / 2).astype(np.float32)
        for k in ("spatial", "contacting"):
            pred[k] = (np.clip(np.round(pred[k] * q), 1, q - 1) / q).astype(np.float32)
        if c["mode"] != "predcls":
            pred["scores"] = (np.clip(np.round(pred["scores"] * q), 1, q) / q).astype(np.float32)
    return {"gt": gt, "pred": pred}


def make_case(config):
    c = dict(DEFAULTS)
    c.update(config)
    rs = np.random.RandomState(c["seed"])
    return [_video(rs, c) for _ in range(c["videos"])]


def make_iou(seed):
    """Two sets of boxes (float64) for the overlap table: random ones, then touching, nested,
    identical and one-pixel boxes."""
    rs = np.random.RandomState(seed)
    a = np.stack(
        [_box(rs, (100, 80)) for _ in range(5)] + [np.array([10.0, 10.0, 20.0, 20.0]), np.array([0.0, 0.0, 0.0, 0.0])]
    )
    b = np.stack(
        [_jitter(rs, v, (100, 80), 0.2) for v in a[:5]]
        + [
            np.array([21.0, 10.0, 30.0, 20.0]),
            np.array([20.0, 20.0, 30.0, 30.0]),
            np.array([12.0, 12.0, 15.0, 15.0]),
            np.array([10.0, 10.0, 20.0, 20.0]),
            np.array([1.0, 0.0, 2.0, 1.0]),
        ]
    )
    return a, b
