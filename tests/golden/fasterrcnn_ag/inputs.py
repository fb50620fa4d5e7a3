"""Deterministic inputs of the detector golden (numpy only, written for this golden).  Each make_*
draws everything from one np.random.RandomState(seed), in the order the code below reads.  Arrays
are float32 unless stated.

make_frames(config)   uint8 RGB frames for the preprocessing golden
make_image(config)    network input (already preprocessed): im_data (T,3,H,W), im_info (T,3) = H, W,
scale; rois (R,5) make_gt(config)       ground truth of a short video for the detector wrapper,
boxes in ORIGINAL pixels make_roi(config)      a feature map and odd rois for the pooling golden
make_nms(config)      boxes and scores for the suppression golden
make_decode(config)   boxes, deltas, image size for the box decoding golden
make_assign(config)   detections and ground truth for the assignment golden
sample_index(n, k)    which k of n flattened values a "sampled" output holds
"""

import numpy as np

N_OBJ, ATT, SPA, CON = 37, 3, 6, 17


def sample_index(n, k=2000):
    if n <= k:
        return np.arange(n)
    return np.sort(np.random.RandomState(12345).permutation(n)[:k])


def _boxes(rs, n, size, lo=0.15, hi=0.7):
    w, h = size[0] * rs.uniform(lo, hi, n), size[1] * rs.uniform(lo, hi, n)
    x, y = rs.uniform(0, 1, n) * (size[0] - 1 - w), rs.uniform(0, 1, n) * (size[1] - 1 - h)
    return np.stack([x, y, x + w, y + h], 1)


def _labels(rs, n):
    k = rs.randint(1, 4)
    return sorted(int(v) for v in rs.permutation(n)[:k])


def make_frames(config):
    """config: seed, sizes = list of (height, width)."""
    rs = np.random.RandomState(config["seed"])
    out = []
    for h, w in config["sizes"]:
        coarse = rs.uniform(0, 255, (h // 16 + 2, w // 16 + 2, 3))
        y, x = np.arange(h) / 16.0, np.arange(w) / 16.0
        y0, x0 = y.astype(int), x.astype(int)
        fy, fx = (y - y0)[:, None, None], (x - x0)[None, :, None]
        smooth = (
            coarse[y0][:, x0] * (1 - fy) * (1 - fx)
            + coarse[y0][:, x0 + 1] * (1 - fy) * fx
            + coarse[y0 + 1][:, x0] * fy * (1 - fx)
            + coarse[y0 + 1][:, x0 + 1] * fy * fx
        )
        out.append(np.clip(smooth + rs.normal(0, 8, (h, w, 3)), 0, 255).astype(np.uint8))
    return out


def make_image(config):
    """config: seed, frames, height, width (network input), scale, amp (standard deviation of the
    input), rois (number)."""
    rs = np.random.RandomState(config["seed"])
    T, H, W = config["frames"], config["height"], config["width"]
    im = config.get("amp", 1.0) * rs.standard_normal((T, 3, H, W))
    # a coarse pattern on top, so that places differ
    coarse = config.get("amp", 1.0) * 1.5 * rs.standard_normal((T, 3, H // 16 + 1, W // 16 + 1))
    im = im + np.repeat(np.repeat(coarse, 16, 2), 16, 3)[:, :, :H, :W]
    info = np.tile(np.array([[H, W, config.get("scale", 1.6)]]), (T, 1))
    n = config.get("rois", 0)
    rois = np.concatenate([rs.randint(0, T, (n, 1)), _boxes(rs, n, (W, H))], 1) if n else np.zeros((0, 5))
    return {"im_data": im.astype(np.float32), "im_info": info.astype(np.float32), "rois": rois.astype(np.float32)}


def make_gt(config):
    """config: gt_seed, objects (per frame), height, width, scale; optional gt_boxes: per frame a
    list whose first entry is the person box and whose others are object boxes (original pixels); it
    replaces the random boxes.
    Returns a list of frames: dict(person (1,4) float32, boxes (n,4) float64, classes, attention,
    spatial, contacting).
    """
    rs = np.random.RandomState(config["gt_seed"])
    size = (config["width"] / config.get("scale", 1.6), config["height"] / config.get("scale", 1.6))
    out = []
    for t, n in enumerate(config["objects"]):
        b = _boxes(rs, n + 1, size)
        if config.get("gt_boxes"):
            b = np.array(config["gt_boxes"][t], np.float64)
            assert len(b) == n + 1
        out.append(
            {
                "person": b[:1].astype(np.float32),
                "boxes": b[1:],
                "classes": [int(v) + 2 for v in rs.permutation(35)[:n]],
                "attention": [[int(rs.randint(0, ATT))] for _ in range(n)],
                "spatial": [_labels(rs, SPA) for _ in range(n)],
                "contacting": [_labels(rs, CON) for _ in range(n)],
            }
        )
    return out


def make_roi(config):
    """config: seed, shape (B, C, h, w), n.  Rois in pixels of an image 16 times the map; the last
    six are: whole image, outside to the right, partly outside to the left, thinner than one cell,
    one pixel, inverted corners."""
    rs = np.random.RandomState(config["seed"])
    B, C, h, w = config["shape"]
    f = rs.standard_normal((B, C, h, w)).astype(np.float32)
    W, H = 16 * w, 16 * h
    r = np.concatenate([rs.randint(0, B, (config["n"], 1)), _boxes(rs, config["n"], (W, H), 0.05, 0.9)], 1)
    odd = [
        [0, 0, 0, W - 1, H - 1],
        [B - 1, W - 20, 10, W + 60, H],
        [0, -40, -25, 30, 40],
        [0, 33, 10, 36, H - 5],
        [B - 1, 50, 50, 50, 50],
        [0, 60, 70, 40, 30],
    ]
    return f, np.concatenate([r, np.array(odd, float)]).astype(np.float32)


def make_nms(config):
    """config: seed, n, groups, size.  Boxes in groups of jittered copies; scores all different."""
    rs = np.random.RandomState(config["seed"])
    s = config["size"]
    c = _boxes(rs, config["groups"], (s, s), 0.2, 0.5)[rs.randint(0, config["groups"], config["n"])]
    wh = np.concatenate([c[:, 2:] - c[:, :2]] * 2, 1)
    b = c + rs.normal(0, 0.1, c.shape) * wh
    return b.astype(np.float32), ((rs.permutation(config["n"]) + 1) / (config["n"] + 1.0)).astype(np.float32)


def make_decode(config):
    """config: seed, n, classes.  boxes (1,n,4), deltas (1,n,4*classes) already multiplied by the
    standard deviations, im_info (1,3)."""
    rs = np.random.RandomState(config["seed"])
    b = _boxes(rs, config["n"], (200, 120))[None]
    d = rs.standard_normal((1, config["n"], 4 * config["classes"])) * np.tile([0.1, 0.1, 0.2, 0.2], config["classes"])
    return b.astype(np.float32), d.astype(np.float32), np.array([[120, 200, 1.0]], np.float32)


def make_assign(config):
    """config: seed, frames = list of (objects, extra detections), size.  Detections: jittered
    copies of ground truth (some twice, some far off, some missing) plus extra boxes, shuffled
    inside each frame. Returns (boxes (N,5), labels (N,) int64, ground truth as in make_gt)."""
    rs = np.random.RandomState(config["seed"])
    size = config.get("size", (300, 200))
    gt, boxes, labels = [], [], []
    for t, (n, extra) in enumerate(config["frames"]):
        b = _boxes(rs, n + 1, size)
        if config.get("stack") and n > 1:
            b[2] = b[1] + rs.normal(0, 2, 4)  # two objects nearly on one place
        gt.append(
            {
                "person": b[:1].astype(np.float32),
                "boxes": b[1:],
                "classes": [int(v) + 2 for v in rs.permutation(35)[:n]],
                "attention": [[int(rs.randint(0, ATT))] for _ in range(n)],
                "spatial": [_labels(rs, SPA) for _ in range(n)],
                "contacting": [_labels(rs, CON) for _ in range(n)],
            }
        )
        rows = []
        for g in b:
            wh = np.array([g[2] - g[0], g[3] - g[1]] * 2)
            for _ in range(rs.randint(0, 3)):
                rows.append(g + rs.choice([0.03, 0.1, 0.4]) * rs.standard_normal(4) * wh)
        rows += list(_boxes(rs, extra, size))
        rows = [np.array([min(r[0], r[2]), min(r[1], r[3]), max(r[0], r[2]), max(r[1], r[3])]) for r in rows]
        for i in rs.permutation(len(rows)):
            boxes.append(np.concatenate([[t], np.maximum(rows[i], 0)]))
            labels.append(int(rs.randint(1, N_OBJ)))
    return np.array(boxes, np.float32), np.array(labels, np.int64), gt
