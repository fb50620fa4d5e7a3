"""Deterministic inputs for the DSG-DETR golden vectors.  numpy only.

Class ids follow Action Genome: 0 = background, 1 = person, 2..36 = objects.
Relation counts: 3 attention, 6 spatial, 17 contacting.
Every function draws from one np.random.RandomState(seed), in the order in which
the statements appear (each is numbered).
"""

import zlib

import numpy as np

N_CLASSES = 37  # with background


# ----------------------------------------------------------------- weights
def weight(name, shape):
    """Value of the reference parameter or buffer `name` (see golden/README.md)."""
    shape = tuple(int(s) for s in shape)
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("positional_encoder.pe"):
        return sinusoid(shape[1], shape[2])[None]  # exception, see README
    if name.endswith("running_mean"):
        return (0.1 * x).astype(np.float32)
    if name.endswith("running_var"):
        return (1 + 0.1 * np.abs(x)).astype(np.float32)
    if len(shape) == 1:
        return ((1 + 0.1 * x) if name.endswith(".weight") else 0.02 * x).astype(np.float32)
    return (x / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def sinusoid(length, dim):
    """Interleaved sine / cosine table: column 2k is sin, 2k+1 is cos of pos * 10000^(-2k/dim)."""
    pos = np.arange(length, dtype=np.float32)[:, None]
    freq = np.exp(np.arange(0, dim, 2, dtype=np.float32) * np.float32(-np.log(10000.0) / dim))
    out = np.zeros((length, dim), np.float32)
    out[:, 0::2] = np.sin(pos * freq)
    out[:, 1::2] = np.cos(pos * freq)
    return out


# ----------------------------------------------------------------- helpers
def _box(rs, width, height):
    """4 uniforms: x1, y1, w, h."""
    u = rs.uniform(size=4)
    x1, y1 = 0.55 * width * u[0], 0.55 * height * u[1]
    w, h = (0.08 + 0.36 * u[2]) * width, (0.08 + 0.36 * u[3]) * height
    return [x1, y1, x1 + w, y1 + h]


def _subset(rs, n):
    """1 randint for the size (1..3), then one choice without replacement."""
    k = int(rs.randint(1, 4))
    return sorted(int(v) for v in rs.choice(n, size=k, replace=False))


# ----------------------------------------------------------------- predcls / sgcls / sgdet forward
def video(seed, image_size, frames, fmap_scale=None, mode="predcls"):
    """frames: list of lists of object class ids (the person is added first in every frame).

    Returns a dict of numpy arrays / lists:
      boxes [N,5] (frame, x1, y1, x2, y2) in pixels, labels [N], pair_idx [P,2] (person, object),
      im_idx [P], human_idx [F,1], features [N,2048], union_feat [P,1024,7,7],
      spatial_masks [P,2,27,27], attention_gt / spatial_gt / contacting_gt (lists, one per pair),
      and for mode != predcls also distribution [N,36], fmaps [F,1024,h,w], im_info (scale).
    """
    rs = np.random.RandomState(seed)
    width, height = image_size
    boxes, labels, pairs, im_idx, human = [], [], [], [], []
    for f, objs in enumerate(frames):  # 1. boxes, person first, frame by frame
        human.append([len(boxes)])
        for k, c in enumerate([1] + list(objs)):
            if k:
                pairs.append([human[-1][0], len(boxes)])
                im_idx.append(f)
            boxes.append([f] + _box(rs, width, height))
            labels.append(c)
    n, p = len(boxes), len(pairs)
    out = {
        "boxes": np.asarray(boxes, np.float32),
        "labels": np.asarray(labels, np.int64),
        "pair_idx": np.asarray(pairs, np.int64).reshape(-1, 2),
        "im_idx": np.asarray(im_idx, np.float32),
        "human_idx": np.asarray(human, np.int64),
    }
    out["features"] = (0.5 * np.abs(rs.standard_normal((n, 2048)))).astype(np.float32)  # 2.
    out["attention_gt"] = [[int(rs.randint(0, 3))] for _ in range(p)]  # 3.
    out["spatial_gt"] = [_subset(rs, 6) for _ in range(p)]  # 4.
    out["contacting_gt"] = [_subset(rs, 17) for _ in range(p)]  # 5.
    if mode == "predcls":
        out["union_feat"] = (0.5 * np.abs(rs.standard_normal((p, 1024, 7, 7)))).astype(np.float32)  # 6.
        out["spatial_masks"] = rs.uniform(-0.5, 0.5, (p, 2, 27, 27)).astype(np.float32)  # 7.
    else:
        logits = 0.8 * rs.standard_normal((n, N_CLASSES - 1))  # 6.
        logits[np.arange(n), np.asarray(labels) - 1] += 3.0
        flip = rs.uniform(size=n) < 0.15  # 7.
        other = rs.randint(1, N_CLASSES - 1, size=n)  # 8.
        logits[np.flatnonzero(flip), other[flip]] += 4.0
        e = np.exp(logits - logits.max(1, keepdims=True))
        out["distribution"] = (e / e.sum(1, keepdims=True)).astype(np.float32)
        out["im_info"] = np.float32(fmap_scale)
        fh, fw = round(height * fmap_scale / 16), round(width * fmap_scale / 16)
        out["fmaps"] = (0.5 * np.abs(rs.standard_normal((len(frames), 1024, fh, fw)))).astype(np.float32)  # 9.
    return out


# ----------------------------------------------------------------- one matching problem
def matching(seed, n_det, n_track, feat_dim, n_dist=36):
    """Two sets of (normalised xywh boxes, features, class distributions)."""
    rs = np.random.RandomState(seed)
    sets = []
    for n in (n_det, n_track):  # detections first, then tracks
        xy = rs.uniform(0.0, 0.6, (n, 2))  # 1.
        wh = rs.uniform(0.05, 0.4, (n, 2))  # 2.
        feat = np.abs(rs.standard_normal((n, feat_dim)))  # 3.
        dist = rs.dirichlet(np.full(n_dist, 0.1), size=n)  # 4.
        sets.append(
            {
                "boxes": np.concatenate([xy, wh], 1).astype(np.float32),
                "features": feat.astype(np.float32),
                "dists": dist.astype(np.float32),
            }
        )
    return sets[0], sets[1]


# ----------------------------------------------------------------- tracklets
def tracklet_video(
    seed,
    image_size,
    frame_numbers,
    presence,
    feat_dim,
    feat_noise=0.2,
    jitter=0.02,
    speed=0.03,
    flip=0.0,
    shift=0.0,
    sparse=0.0,
    peak=0.7,
    same_class=False,
    clone=False,
):
    """Objects that move linearly.  presence[f] = ids of the objects seen in frame f (in box order).

    shift moves the starting positions to the right by shift*width so that some boxes leave the image.
    sparse is the share of zeroed prototype entries (0.85 makes different objects nearly orthogonal).
    peak is the mass given to the object's own class (the rest is noise).
    clone gives every object the same appearance as object 0.
    Returns boxes [N,5] in original pixels (frame, xyxy), features [N,feat_dim], distribution [N,36],
    frame_names [F], im_info [3] = (H*scale, W*scale, scale) with scale = 1.25, object_id [N].
    """
    rs = np.random.RandomState(seed)
    width, height = image_size
    n_obj = 1 + max(max(ids) for ids in presence)
    proto = np.abs(rs.standard_normal((n_obj, feat_dim)))  # 1. appearance, then a zero mask
    proto = proto * (rs.uniform(size=(n_obj, feat_dim)) >= sparse)
    cls = rs.choice(np.arange(1, 36), size=n_obj, replace=False)  # 2. object 0 becomes the person
    start = rs.uniform(0.05, 0.5, (n_obj, 2))  # 3.
    size = rs.uniform(0.1, 0.35, (n_obj, 2))  # 4.
    vel = speed * rs.standard_normal((n_obj, 2))  # 5.
    cls[0] = 0
    if same_class:
        cls[1:] = cls[1]
    if clone:
        proto[:] = proto[0]
    start[:, 0] += shift
    boxes, feats, dists, oid = [], [], [], []
    for f, ids in enumerate(presence):  # 6. frame by frame, object by object:
        for o in ids:
            d = jitter * rs.standard_normal(4)  #    box jitter
            nz = feat_noise * rs.standard_normal(feat_dim)  #    feature noise
            u, alt = rs.uniform(), int(rs.randint(0, 36))  #    class flip
            tail = rs.dirichlet(np.full(36, 0.5))  #    rest of the distribution
            x, y = start[o] + f * vel[o] + d[:2]
            w, h = size[o] * np.exp(d[2:])
            boxes.append([f, x * width, y * height, (x + w) * width, (y + h) * height])
            feats.append(np.maximum(proto[o] + nz, 0))
            q = (1 - peak) * tail
            q[alt if u < flip else cls[o]] += peak
            dists.append(q)
            oid.append(o)
    scale = 1.25
    return {
        "boxes": np.asarray(boxes, np.float32),
        "features": np.asarray(feats, np.float32),
        "distribution": np.asarray(dists, np.float32),
        "object_id": np.asarray(oid, np.int64),
        "frame_names": [f"VID00.mp4/{k:06d}.png" for k in frame_numbers],
        "im_info": np.asarray([height * scale, width * scale, scale], np.float32),
    }
