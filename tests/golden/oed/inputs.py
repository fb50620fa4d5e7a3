"""Deterministic inputs for the OED golden vectors.  numpy only.

Class ids follow Action Genome: 1 = person, 2..36 = objects; 0 is unused.  Object logits have 38 entries: 0..36 and, last, "no object".
Relations: 3 attention, 6 spatial, 17 contacting (attention LOGITS have a fourth, unused entry).
Boxes are cx, cy, w, h, normalised by the picture's own size, float32, unless a docstring says otherwise.
Every function draws from one np.random.RandomState(seed) in the order in which the statements appear.
"""

import zlib

import numpy as np

N_OBJECT_LOGITS = 38
ATTENTION, SPATIAL, CONTACTING = 3, 6, 17
RAW = ("query_embed.weight", "transformer.obj_classes_embed")  # exceptions, see README


# ----------------------------------------------------------------- weights
def weight(name, shape):
    """Value of the reference parameter or buffer `name` (golden/README.md)."""
    shape = tuple(int(s) for s in shape)
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name in RAW:
        return x
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_mean"):
        return (0.1 * x).astype(np.float32)
    if name.endswith("running_var"):
        return (1 + 0.1 * np.abs(x)).astype(np.float32)
    if len(shape) == 1:
        return ((1 + 0.1 * x) if name.endswith(".weight") else 0.02 * x).astype(np.float32)
    if name.endswith("bbox_embed.layers.2.weight"):
        x = 3 * x  # exception, see README
    if name.endswith("in_proj_weight"):
        x[: 2 * (shape[0] // 3)] *= 2  # exception: query and key rows
    return (x / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


# ----------------------------------------------------------------- ground truth of one frame
def _boxes(rs, n):
    """n x 4 uniforms -> boxes inside the picture."""
    u = rs.uniform(size=(n, 4))
    x1, y1 = 0.02 + 0.5 * u[:, 0], 0.02 + 0.5 * u[:, 1]
    w, h = 0.06 + 0.4 * u[:, 2], 0.06 + 0.4 * u[:, 3]
    return np.stack([x1 + w / 2, y1 + h / 2, w, h], 1).reshape(n, 4)


def _multi_hot(rs, n, size):
    """Per row: 1 randint for the number of labels (1..3), then one choice without replacement."""
    out = np.zeros((n, size), np.float32)
    for row in out:
        row[rs.choice(size, size=int(rs.randint(1, 4)), replace=False)] = 1
    return out


def _target(rs, classes):
    """Ground truth of a frame with one person and len(classes) objects."""
    n = len(classes)
    boxes = _boxes(rs, n + 1).astype(np.float32)  # person first
    attention = np.zeros((n, ATTENTION), np.float32)
    for row in attention:
        row[int(rs.randint(0, ATTENTION))] = 1
    return {
        "boxes": boxes,
        "labels": np.asarray([1] + list(classes), np.int64),
        "obj_labels": np.asarray(classes, np.int64),
        "obj_boxes": boxes[1:],
        "sub_boxes": np.repeat(boxes[:1], n, 0),
        "attn_labels": attention,
        "spatial_labels": _multi_hot(rs, n, SPATIAL),
        "contacting_labels": _multi_hot(rs, n, CONTACTING),
    }


# ----------------------------------------------------------------- forward passes
def padding_mask(sizes):
    """[F,H,W] bool, True = padding, of frames of (height, width) `sizes` padded at the right and the bottom to the largest."""
    height, width = max(s[0] for s in sizes), max(s[1] for s in sizes)
    mask = np.ones((len(sizes), height, width), bool)
    for m, (h, w) in zip(mask, sizes, strict=False):
        m[:h, :w] = False
    return mask


def clip(seed, sizes, objects, channels=2048, copy_of=None):
    """Frames (or a batch of single pictures) as the network sees them.

    sizes: (height, width) of each resized picture, in pixels; objects: list of object classes per frame.
    copy_of: optional list; frame i becomes a copy of frame copy_of[i] (features and ground truth) where that is not None.
    Returns features [F,channels,ceil(H/32),ceil(W/32)] (what the ResNet's last stage would give, random also under the padding),
    mask [F,H,W] at picture resolution, targets (list of dicts, see _target).
    """
    rs = np.random.RandomState(seed)
    mask = padding_mask(sizes)
    h, w = (-(-s // 32) for s in mask.shape[1:])
    features = np.maximum(rs.standard_normal((len(sizes), channels, h, w)), 0).astype(np.float32)  # 1.
    targets = [_target(rs, classes) for classes in objects]  # 2.
    for i, j in enumerate(copy_of or []):
        if j is not None:
            features[i], targets[i] = features[j], targets[j]
    return {"features": features, "mask": mask, "targets": targets}


def pictures(seed, sizes):
    """Normalised float pictures [F,3,H,W] padded with zeros, and their mask: input of the backbone."""
    rs = np.random.RandomState(seed)
    mask = padding_mask(sizes)
    out = np.zeros((len(sizes), 3) + mask.shape[1:], np.float32)
    for picture, (h, w) in zip(out, sizes, strict=False):
        picture[:, :h, :w] = rs.standard_normal((3, h, w))
    return {"pictures": out, "mask": mask}


# ----------------------------------------------------------------- matching, losses, post-processing
def outputs(seed, queries, objects, layers=1, hint=1.0, boxless=(), pairs=False):
    """Random network outputs and ground truth.

    objects: object classes per frame.  layers: decoder layers that have a loss; the LAST one is the main output, the others are the
    auxiliary ones in order.  hint: how strongly some queries resemble a ground-truth pair.  boxless: (frame, object) pairs whose object
    box is set to zeros.  pairs: predcls, i.e. query i of a frame is its pair i (queries = the largest number of pairs).
    Returns (list of `layers` dicts with pred_* arrays [B,Q,.], targets).
    """
    rs = np.random.RandomState(seed)
    targets = [_target(rs, classes) for classes in objects]  # 1.
    for frame, obj in boxless:
        targets[frame]["obj_boxes"] = targets[frame]["obj_boxes"].copy()
        targets[frame]["obj_boxes"][obj] = 0
    out = []
    for _ in range(layers):  # 2. layer by layer
        b, q = len(objects), queries
        o = {
            "pred_obj_logits": 1.2 * rs.standard_normal((b, q, N_OBJECT_LOGITS)),
            "pred_sub_boxes": np.stack([_boxes(rs, q) for _ in range(b)]),
            "pred_obj_boxes": np.stack([_boxes(rs, q) for _ in range(b)]),
            "pred_attn_logits": 1.5 * rs.standard_normal((b, q, ATTENTION + 1)),
            "pred_spatial_logits": 1.5 * rs.standard_normal((b, q, SPATIAL)),
            "pred_contacting_logits": 1.5 * rs.standard_normal((b, q, CONTACTING)) - 1,
        }
        for frame, t in enumerate(targets):  # 3. hints
            n = min(q, len(t["obj_labels"]))
            where = np.arange(n) if pairs else rs.permutation(q)[:n]
            for row, k in zip(where, range(n), strict=False):
                o["pred_obj_logits"][frame, row, t["obj_labels"][k]] += 2 * hint
                o["pred_attn_logits"][frame, row, :ATTENTION] += 2 * hint * t["attn_labels"][k]
                o["pred_spatial_logits"][frame, row] += 2 * hint * t["spatial_labels"][k]
                o["pred_contacting_logits"][frame, row] += 2 * hint * t["contacting_labels"][k]
                for key, box in (("pred_sub_boxes", t["sub_boxes"][k]), ("pred_obj_boxes", t["obj_boxes"][k])):
                    a = min(1.0, 0.6 * hint)
                    o[key][frame, row] = (1 - a) * o[key][frame, row] + a * box
        out.append({k: v.astype(np.float32) for k, v in o.items()})
    return out, targets


# ----------------------------------------------------------------- evaluation sets
def detections(
    seed,
    frames,
    objects,
    queries,
    detect=0.7,
    accuracy=0.85,
    jitters=(0.02, 0.08, 0.3),
    gain=3.0,
    noise=1.0,
    repeat_class=False,
    pairs=False,
    pool=35,
):
    """Outputs of a whole test set and its ground truth.

    frames: number of frames; objects = (lo, hi) per frame; queries per frame.  detect: share of the queries that stand for a
    ground-truth pair (several may stand for the same one).  accuracy: share of those with the right class.  jitters: relative box
    errors, one is chosen per query.  pool: the classes are 2..pool+1.  pairs: predcls, query i = pair i, no boxes needed.
    Returns a list of (outputs of one frame with leading axis 1, target).
    """
    rs = np.random.RandomState(seed)
    out = []
    for _ in range(frames):
        n = int(rs.randint(objects[0], objects[1] + 1))
        classes = [int(c) + 2 for c in rs.permutation(pool)[:n]]
        if repeat_class and n > 1:
            classes[1] = classes[0]
        t = _target(rs, classes)
        q = n if pairs else queries
        o = {
            "pred_obj_logits": noise * rs.standard_normal((q, N_OBJECT_LOGITS)),
            "pred_sub_boxes": _boxes(rs, q),
            "pred_obj_boxes": _boxes(rs, q),
            "pred_attn_logits": noise * rs.standard_normal((q, ATTENTION + 1)),
            "pred_spatial_logits": noise * rs.standard_normal((q, SPATIAL)),
            "pred_contacting_logits": noise * rs.standard_normal((q, CONTACTING)) - 1.5,
        }
        for i in range(q):
            stands = rs.uniform() < detect
            k, right, other = int(rs.randint(0, n)), rs.uniform() < accuracy, int(rs.randint(2, 37))
            sigma, shake = jitters[int(rs.randint(0, len(jitters)))], rs.standard_normal((2, 4))
            if pairs:
                k, stands, right = i, True, True
            if not stands:
                o["pred_obj_logits"][i, -1] += gain
                continue
            o["pred_obj_logits"][i, classes[k] if right else other] += gain
            o["pred_attn_logits"][i, :ATTENTION] += 0.7 * gain * t["attn_labels"][k]
            o["pred_spatial_logits"][i] += gain * t["spatial_labels"][k]
            o["pred_contacting_logits"][i] += gain * t["contacting_labels"][k]
            for key, box, z in (
                ("pred_sub_boxes", t["sub_boxes"][k], shake[0]),
                ("pred_obj_boxes", t["obj_boxes"][k], shake[1]),
            ):
                o[key][i, :2] = box[:2] + sigma * z[:2] * box[2:]
                o[key][i, 2:] = box[2:] * np.exp(sigma * z[2:])
        out.append(({k: v[None].astype(np.float32) for k, v in o.items()}, t))
    return out


# ----------------------------------------------------------------- pictures and annotations as they are on disk
def rgb(seed, width, height):
    """uint8 picture [height,width,3]: coarse colour tiles of 12 pixels plus noise."""
    rs = np.random.RandomState(seed)
    tiles = rs.randint(0, 200, (height // 12 + 1, width // 12 + 1, 3))
    fine = rs.randint(0, 56, (height, width, 3))
    return (np.repeat(np.repeat(tiles, 12, 0), 12, 1)[:height, :width] + fine).astype(np.uint8)


def annotations(seed, width, height, classes, outside=(), flat=()):
    """COCO-style annotations of one frame, person first: bbox = x, y, w, h in pixels (floats), relation ids 0..2, 3..8, 9..25.

    outside: positions (0 = person) of boxes pushed over the right border; flat: positions of boxes with zero width.
    """
    rs = np.random.RandomState(seed)
    out = []
    for i, c in enumerate([1] + list(classes)):
        x, y, w, h = rs.uniform(0, 0.5, 4) * [width, height, width, height] + [0, 0, 8, 8]
        attention = [int(rs.randint(0, ATTENTION))]
        spatial = sorted(int(v) + 3 for v in rs.choice(SPATIAL, size=int(rs.randint(1, 4)), replace=False))
        contact = sorted(int(v) + 9 for v in rs.choice(CONTACTING, size=int(rs.randint(1, 4)), replace=False))
        if i in outside:
            x, w = 0.8 * width, 0.5 * width
        if i in flat:
            w = 0.0
        out.append(
            {
                "bbox": [float(v) for v in (x, y, w, h)],
                "area": float(w * h),
                "category_id": int(c),
                "iscrowd": False,
                "attention_rel": attention if i else [],
                "spatial_rel": spatial if i else [],
                "contact_rel": contact if i else [],
            }
        )
    return out
