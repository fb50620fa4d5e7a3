"""Deterministic inputs of the STTran golden (numpy only, written for this golden).  Each make_*
draws everything from one np.random.RandomState(seed), in the order the code below reads.  All
arrays are float32 unless stated.

make_pairs(config)   input of predcls and of the TRAINING forward of sgcls / sgdet
make_detect(config)  input of the EVAL forward of sgcls and sgdet
make_masks(seed, n)  box pairs for the union mask golden
make_losses(seed, n) distributions and labels for the loss golden
sample_index(n, k)   which k of n flattened values a "sampled" output holds
"""

import numpy as np

N_OBJ, ATT, SPA, CON = 37, 3, 6, 17


def sample_index(n, k=2000):
    """k distinct sorted positions in a flattened array of n values (all of them if n <= k)."""
    if n <= k:
        return np.arange(n)
    return np.sort(np.random.RandomState(12345).permutation(n)[:k])


def _boxes(rs, n, size, lo=0.08, hi=0.6):
    w, h = size[0] * rs.uniform(lo, hi, n), size[1] * rs.uniform(lo, hi, n)
    x, y = rs.uniform(0, 1, n) * (size[0] - 1 - w), rs.uniform(0, 1, n) * (size[1] - 1 - h)
    return np.stack([x, y, x + w, y + h], 1)


def _labels(rs, n):
    k = rs.randint(1, 4)
    return sorted(int(v) for v in rs.permutation(n)[:k])


def _softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def make_pairs(config):
    """config: seed, pairs (objects per frame, 0 allowed = a frame with the person only), size (W,
    H), background (share of non-person labels set to 0, as sgdet training has; default 0)."""
    rs = np.random.RandomState(config["seed"])
    size = config.get("size", (480, 270))
    boxes, labels, pair_idx, im_idx = [], [], [], []
    for t, n in enumerate(config["pairs"]):
        human = len(boxes)
        for i, b in enumerate(_boxes(rs, n + 1, size)):
            boxes.append(np.concatenate([[t], b]))
            labels.append(1 if i == 0 else int(rs.randint(2, N_OBJ)))
            if i:
                pair_idx.append((human, human + i))
                im_idx.append(t)
    N, P = len(boxes), len(pair_idx)
    e = {"boxes": np.array(boxes), "pair_idx": np.array(pair_idx, np.int64), "im_idx": np.array(im_idx)}
    labels = np.array(labels, np.int64)
    drop = rs.uniform(0, 1, N) < config.get("background", 0)
    e["labels"] = np.where(drop & (labels != 1), 0, labels)  # int64
    e["features"] = np.maximum(rs.standard_normal((N, 2048)), 0)
    e["union_feat"] = np.maximum(rs.standard_normal((P, 1024, 7, 7)), 0)
    e["spatial_masks"] = rs.uniform(-0.5, 0.5, (P, 2, 27, 27))
    e["distribution"] = _softmax(2 * rs.standard_normal((N, N_OBJ - 1)))  # background left out
    e["attention_gt"] = [[int(rs.randint(0, ATT))] for _ in range(P)]  # lists
    e["spatial_gt"] = [_labels(rs, SPA) for _ in range(P)]
    e["contacting_gt"] = [_labels(rs, CON) for _ in range(P)]
    for k in ("boxes", "im_idx", "features", "union_feat", "spatial_masks", "distribution"):
        e[k] = e[k].astype(np.float32)
    return e


def make_detect(config):
    """config: seed, boxes (number per frame), size (W, H) of the original image, scale (network
    input = size * scale), clusters (boxes come in groups of overlapping copies), favour (classes
    made likely), gain, tiny (boxes of a few pixels), signed (features keep their sign and are
    doubled: the object classifier then gives varied labels). Boxes are in ORIGINAL image pixels;
    fmaps has stride 16 in the scaled image."""
    rs = np.random.RandomState(config["seed"])
    size, scale = config.get("size", (200, 150)), config.get("scale", 1.6)
    gain = config.get("gain", 3.0)
    boxes, dist = [], []
    for t, n in enumerate(config["boxes"]):
        g = max(1, n // 3) if config.get("clusters") else n
        centres = _boxes(rs, g, size, *((0.04, 0.08) if config.get("tiny") else (0.15, 0.6)))
        kinds = rs.randint(1, N_OBJ, g)
        kinds[0] = 1
        for i, k in enumerate(config.get("favour", [])):
            if i + 1 < g:
                kinds[i + 1] = k
        for i in range(n):
            c = centres[i % g]
            wh = np.array([c[2] - c[0], c[3] - c[1]] * 2)
            b = c + rs.normal(0, 0.06, 4) * wh
            b = np.clip(b, 0, [size[0] - 1, size[1] - 1] * 2)
            logit = rs.standard_normal(N_OBJ - 1)
            logit[kinds[i % g] - 1] += gain
            boxes.append(np.concatenate([[t], b]))
            dist.append(logit)
    N = len(boxes)
    h, w = int(np.ceil(size[1] * scale / 16)), int(np.ceil(size[0] * scale / 16))
    dist = _softmax(np.array(dist))
    e = {
        "boxes": np.array(boxes),
        "distribution": dist,
        "features": rs.standard_normal((N, 2048)),
        "fmaps": np.maximum(rs.standard_normal((len(config["boxes"]), 1024, h, w)), 0),
    }
    e["features"] = 2 * e["features"] if config.get("signed") else np.maximum(e["features"], 0)
    e = {k: v.astype(np.float32) for k, v in e.items()}
    e["scores"] = e["distribution"].max(1)
    e["pred_labels"] = e["distribution"].argmax(1).astype(np.int64) + 1  # int64
    e["labels"] = rs.randint(1, N_OBJ, N).astype(np.int64)  # int64, ground truth (sgcls)
    e["im_info"] = np.float32(scale)  # scalar
    return e


def make_masks(seed, n):
    """(n, 8) float32: x1 y1 x2 y2 of the human, x1 y1 x2 y2 of the object.  The last four rows are:
    identical boxes, nested boxes, boxes side by side without overlap, integer coordinates that fall
    on mask cell borders."""
    rs = np.random.RandomState(seed)
    p = np.concatenate([_boxes(rs, n, (480, 270)), _boxes(rs, n, (480, 270))], 1)
    p[n - 4, 4:] = p[n - 4, :4]
    p[n - 3] = [10, 20, 200, 220, 50, 60, 90, 100]
    p[n - 2] = [0, 0, 50, 40, 80, 90, 130, 200]
    p[n - 1] = [0, 0, 27, 54, 9, 18, 54, 27]
    return p.astype(np.float32)


def make_losses(seed, n):
    """attention: logits; spatial, contacting: in (0,1); objects: 37 logits; labels as lists, object
    labels int64 (0..36)."""
    rs = np.random.RandomState(seed)

    def sig(x):
        return 1 / (1 + np.exp(-x))

    d = {
        "attention": rs.standard_normal((n, ATT)),
        "spatial": sig(2 * rs.standard_normal((n, SPA))),
        "contacting": sig(2 * rs.standard_normal((n, CON))),
        "objects": 2 * rs.standard_normal((n + 3, N_OBJ)),
    }
    d = {k: v.astype(np.float32) for k, v in d.items()}
    d["attention_gt"] = [[int(rs.randint(0, ATT))] for _ in range(n)]
    d["spatial_gt"] = [_labels(rs, SPA) for _ in range(n)]
    d["contacting_gt"] = [_labels(rs, CON) for _ in range(n)]
    d["object_gt"] = rs.randint(0, N_OBJ, n + 3).astype(np.int64)
    return d


def make_optim(seed, n, steps):
    """start values (n,) and gradients (steps, n) for the optimiser golden."""
    rs = np.random.RandomState(seed)
    return rs.standard_normal(n).astype(np.float32), (
        rs.standard_normal((steps, n)) * 10 ** rs.uniform(-6, 0, n)
    ).astype(np.float32)
