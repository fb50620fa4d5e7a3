"""Deterministic inputs of the TEMPURA golden vectors. numpy only; nothing here comes from a
reference implementation.

Every array is drawn from one np.random.RandomState(seed), in the order in which the functions below
draw it.
"""

import zlib

import numpy as np

F = np.float32


def weight(name, shape):
    """The value of one entry of the reference state_dict (`pe`, the sine table, is the one entry
    that is not filled: see README)."""
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(F)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    # boxes are in pixels: image-sized statistics keep this input near unit scale
    if name.endswith("pos_embed.0.running_mean"):
        return 100 + 10 * x
    if name.endswith("pos_embed.0.running_var"):
        return 2500 * (1 + F(0.1) * np.abs(x))
    if name.endswith("running_mean"):
        return F(0.1) * x
    if name.endswith("running_var"):
        return 1 + F(0.1) * np.abs(x)
    if x.ndim <= 1:
        return 1 + F(0.1) * x if name.endswith(".weight") else F(0.02) * x
    return (x / np.sqrt(np.prod(shape[1:]))).astype(F)


def union_masks(a, b, size=27):
    """Two soft box masks (subject, object) on a size x size grid laid over each pair's union box;
    values in [0, 1]."""
    a, b = np.asarray(a, F), np.asarray(b, F)
    lo, hi = np.minimum(a[:, :2], b[:, :2]), np.maximum(a[:, 2:], b[:, 2:])
    out = np.zeros((len(a), 2, size, size), F)
    cell = np.arange(size, dtype=F)
    for k, box in enumerate((a, b)):
        axes = []
        for d in (0, 1):
            s = (box[:, d] - lo[:, d]) * F(size) / (hi[:, d] - lo[:, d])
            e = (box[:, d + 2] - lo[:, d]) * F(size) / (hi[:, d] - lo[:, d])
            axes.append(np.clip(cell + 1 - s[:, None], 0, 1) * np.clip(e[:, None] - cell, 0, 1))
        out[:, k] = axes[1][:, :, None] * axes[0][:, None, :]
    return out


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(F)


def _box(rng, width, height):
    x, y, w, h = rng.rand(4)
    x1, y1 = 0.6 * width * x, 0.6 * height * y
    return [x1, y1, x1 + (0.15 + 0.25 * w) * width, y1 + (0.15 + 0.25 * h) * height]


def video(
    seed,
    frames,
    give=("union",),
    pool=None,
    repeat=False,
    jitter=0.0,
    shift=0.01,
    size=(240, 180),
    scale=1.25,
    dims=(2048, 1024),
):
    """One video. frames: the number of objects (without the person) in each frame.

    give: which optional arrays to draw, in the order 'union', 'distribution', 'fmaps'.
    pool: object classes to draw from (default: eight drawn ones). repeat: a class may occur twice
    in one frame.
    jitter: the chance that an object is followed by a copy, each coordinate moved by up to shift *
    width (for NMS).
    """
    rng, (width, height), (dim, channels) = np.random.RandomState(seed), size, dims
    pool = list(pool) if pool is not None else rng.permutation(np.arange(2, 37))[:8].tolist()
    boxes, labels, pairs, im_idx, human = [], [], [], [], []
    for f, count in enumerate(frames):
        left = list(pool)
        human.append(len(boxes))
        boxes.append([f] + _box(rng, width, height))
        labels.append(1)
        for _ in range(count):
            k = int(rng.randint(len(left)))
            label = left[k] if repeat else left.pop(k)
            box = _box(rng, width, height)
            copies = [box]
            if jitter and rng.rand() < jitter:
                copies.append([c + shift * width * rng.rand() for c in box])
            for c in copies:
                pairs.append([human[-1], len(boxes)])
                im_idx.append(f)
                boxes.append([f] + c)
                labels.append(label)
    attention, spatial, contacting = [], [], []
    for _ in pairs:
        attention.append([int(rng.randint(3))])
        spatial.append(sorted(rng.permutation(6)[: 1 + rng.randint(2)].tolist()))
        contacting.append(sorted(rng.permutation(17)[: 1 + rng.randint(2)].tolist()))
    boxes, labels, pairs = np.array(boxes, F), np.array(labels, np.int64), np.array(pairs, np.int64).reshape(-1, 2)
    out = {
        "boxes": boxes,
        "labels": labels,
        "scores": np.ones(len(boxes), F),
        "pair_idx": pairs,
        "im_idx": np.array(im_idx, F),
        "human_idx": np.array(human, np.int64)[:, None],
        "attention_gt": attention,
        "spatial_gt": spatial,
        "contacting_gt": contacting,
        "features": rng.standard_normal((len(boxes), dim)).astype(F),
        "im_info": F(scale),
    }
    if "union" in give:
        out["union_feat"] = np.maximum(rng.standard_normal((len(pairs), channels, 7, 7)), 0).astype(F)
        out["spatial_masks"] = union_masks(boxes[pairs[:, 0], 1:], boxes[pairs[:, 1], 1:]) - F(0.5)
    if "distribution" in give:
        logits = 1.5 * rng.standard_normal((len(boxes), 36))
        logits[np.arange(len(boxes)), labels - 1] += 4
        out["distribution"] = softmax(logits)
        out["pred_labels"] = out["distribution"].argmax(1) + 1
    if "fmaps" in give:
        h, w = (int(np.ceil(v * scale / 16)) for v in (height, width))
        out["fmaps"] = np.maximum(rng.standard_normal((len(frames), channels, h, w)), 0).astype(F)
    return out


def memory(seed, rel_dim=1936, obj_dim=None):
    """A relation memory (one row a predicate) and, where obj_dim is given, an object memory (one
    row a class, no background)."""
    rng = np.random.RandomState(seed)
    rel = {
        k: rng.standard_normal((n, rel_dim)).astype(F)
        for k, n in (("attention", 3), ("spatial", 6), ("contacting", 17))
    }
    return rel, (rng.standard_normal((36, obj_dim)).astype(F) if obj_dim else None)


def noise(seed, shapes):
    """Standard normal arrays of these shapes, in this order (the noise that the mixture heads draw
    while training)."""
    rng = np.random.RandomState(seed)
    return [rng.standard_normal(s).astype(F) for s in shapes]


def head(seed, rows, hidden):
    """The input of one mixture head on its own."""
    return np.random.RandomState(seed).standard_normal((rows, hidden)).astype(F)


def bank(seed, videos, rel_dim=24, obj_dim=16, classes=6):
    """What an epoch collects for the memory: for each video (pairs, objects) features, labels and
    uncertainties.

    Object labels lie in 0..classes-1 (0 is background). Uncertainties lie in (0, 1).
    """
    rng, out = np.random.RandomState(seed), []
    for pairs, objects in videos:
        v = {
            "rel_features": rng.standard_normal((pairs, rel_dim)).astype(F),
            "attention": [[int(rng.randint(3))] for _ in range(pairs)],
            "spatial": [sorted(rng.permutation(6)[: 1 + rng.randint(2)].tolist()) for _ in range(pairs)],
            "contacting": [sorted(rng.permutation(17)[: 1 + rng.randint(2)].tolist()) for _ in range(pairs)],
        }
        for rel, n in (("attention", 3), ("spatial", 6), ("contacting", 17)):
            for u in ("al", "ep"):
                v[rel + "_" + u] = rng.rand(pairs, n).astype(F)
        v["obj_features"] = rng.standard_normal((objects, obj_dim)).astype(F)
        v["obj_labels"] = rng.randint(0, classes, objects).astype(np.int64)
        for u in ("al", "ep"):
            v["obj_" + u] = rng.rand(objects, classes).astype(F)
        out.append(v)
    return out


def predictions(seed, pairs, objects, rel_head="gmm", obj_head="linear", feature_dim=32, classes=37):
    """Model outputs and labels for the losses. Mixture heads give probabilities, linear heads give
    attention and class logits."""
    rng = np.random.RandomState(seed)
    attention = rng.standard_normal((pairs, 3)).astype(F)
    spatial = 1 / (1 + np.exp(-rng.standard_normal((pairs, 6))))
    contacting = 1 / (1 + np.exp(-rng.standard_normal((pairs, 17))))
    distribution = rng.standard_normal((objects, classes)).astype(F)
    out = {
        "attention_distribution": softmax(attention) if rel_head == "gmm" else attention,
        "spatial_distribution": spatial.astype(F),
        "contacting_distribution": contacting.astype(F),
        "distribution": softmax(distribution) if obj_head == "gmm" else distribution,
        "labels": rng.randint(0, 6, objects).astype(np.int64),
        "object_mem_features": rng.standard_normal((objects, feature_dim)).astype(F),
        "attention_gt": [[int(rng.randint(3))] for _ in range(pairs)],
        "spatial_gt": [sorted(rng.permutation(6)[: 1 + rng.randint(2)].tolist()) for _ in range(pairs)],
        "contacting_gt": [sorted(rng.permutation(17)[: 1 + rng.randint(2)].tolist()) for _ in range(pairs)],
    }
    unc = {
        k: {u: rng.rand(n, c).astype(F) for u in ("al", "ep")}
        for k, n, c in (
            ("attention", pairs, 3),
            ("spatial", pairs, 6),
            ("contacting", pairs, 17),
            ("obj", objects, classes),
        )
    }
    return out, unc
