"""Deterministic inputs of the more_metrics golden (numpy only, written for this golden).

make_images(config) -> dict
  'seen'    sorted list of (subject class, object class, predicate) that "training" has (zero-shot = not among them)
  'images'  list of dicts
     'gt_boxes'    float64 (n, 4) x1, y1, x2, y2 (multiples of 1/4, so float32 holds them exactly)
     'gt_labels'   int (n,), 1..classes          'gt_relations'  int (G, 3): subject row, object row, predicate 1..predicates
     'boxes'       float64 (m, 4)                'labels'  int (m,)      'scores'  float64 (m,)
     'pairs'       int (P, 2): rows of subject and object box
     'rel_scores'  float64 (P, predicates + 1): a distribution, column 0 is "no relation"
   In mode predcls boxes and labels are those of the ground truth and the scores are 1.
   The pairs come best first by score_subject * score_object * max(rel_scores[1:]), as the reference's model hands them over;
   with 'unsorted' they come in a random order.

make_boxes(seed) -> two box sets (8, 4) and (6, 4) for the overlap cases: ordinary ones, a copy of one, tiny ones of sides 1, 2 and 3.

Order of draws: everything comes from one np.random.RandomState(seed), in the order the code below reads.
"""

import numpy as np

DEFAULTS = {
    "images": 4,
    "mode": "sgdet",
    "objects": (4, 8),
    "classes": 5,
    "predicates": 6,
    "relations": (3, 10),
    "multi": 0.3,
    "seen": 0.6,
    "sure": 2.0,
    "label_acc": 0.85,
    "jitter": 0.12,
    "lost": 0.1,
    "more": (0, 3),
    "pairs": None,
    "bare": 0,
    "unsorted": False,
    "no_pair": 0,
}


def _boxes(rs, n):
    xy = rs.uniform(0, 200, (n, 2))
    wh = rs.uniform(30, 120, (n, 2))
    return np.round(np.concatenate([xy, xy + wh], 1) * 4) / 4


def make_images(config):
    c = dict(DEFAULTS)
    c.update(config)
    rs = np.random.RandomState(c["seed"])
    C, R = c["classes"], c["predicates"]
    images, triplets = [], set()
    for v in range(c["images"]):
        n = int(rs.randint(c["objects"][0], c["objects"][1] + 1))
        gt_boxes, gt_labels = _boxes(rs, n), rs.randint(1, C + 1, n)
        relations = []
        for _ in range(rs.randint(c["relations"][0], c["relations"][1] + 1)):
            s = int(rs.randint(n))
            o = int((s + 1 + rs.randint(n - 1)) % n)
            p = int(rs.randint(1, R + 1))
            for q in [p] + ([int(rs.randint(1, R + 1))] if rs.uniform() < c["multi"] else []):
                if (s, o, q) not in relations:
                    relations.append((s, o, q))
        if v < c["bare"]:
            relations = []
        triplets.update((int(gt_labels[s]), int(gt_labels[o]), p) for s, o, p in relations)
        if c["mode"] == "predcls":
            boxes, labels, scores, source = gt_boxes.copy(), gt_labels.copy(), np.ones(n), np.arange(n)
        else:
            keep = np.flatnonzero(rs.uniform(size=n) >= (c["lost"] if c["mode"] == "sgdet" else 0))
            if len(keep) < 2:
                keep = np.arange(2)
            more = int(rs.randint(c["more"][0], c["more"][1] + 1)) if c["mode"] == "sgdet" else 0
            source = np.concatenate([keep, rs.randint(0, n, more)]).astype(int)  # a true box may be found twice
            boxes = gt_boxes[source].copy()
            if c["mode"] == "sgdet":
                wh = np.concatenate([boxes[:, 2:] - boxes[:, :2]] * 2, 1)
                boxes = np.round((boxes + rs.normal(0, c["jitter"], boxes.shape) * wh) * 4) / 4
                boxes = np.concatenate(
                    [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:]) + 1], 1
                )
            labels = np.where(
                rs.uniform(size=len(source)) < c["label_acc"], gt_labels[source], rs.randint(1, C + 1, len(source))
            )
            scores = rs.uniform(0.2, 1, len(source))
        m = len(boxes)
        pairs = np.array([(i, j) for i in range(m) for j in range(m) if i != j])
        logits = rs.normal(0, 1, (len(pairs), R + 1))
        for s, o, p in relations:
            logits[(source[pairs[:, 0]] == s) & (source[pairs[:, 1]] == o), p] += c["sure"]
        e = np.exp(logits - logits.max(1, keepdims=True))
        rel = e / e.sum(1, keepdims=True)
        order = np.argsort(-scores[pairs[:, 0]] * scores[pairs[:, 1]] * rel[:, 1:].max(1), kind="stable")
        if c["unsorted"]:
            order = rs.permutation(len(pairs))
        if c["pairs"]:
            order = order[: c["pairs"]]
        if v >= c["images"] - c["no_pair"]:
            order = order[:0]
        images.append(
            {
                "gt_boxes": gt_boxes,
                "gt_labels": gt_labels.astype(int),
                "gt_relations": np.array(relations, int).reshape(-1, 3),
                "boxes": boxes,
                "labels": labels.astype(int),
                "scores": scores,
                "pairs": pairs[order],
                "rel_scores": rel[order],
            }
        )
    seen = sorted(t for t in sorted(triplets) if rs.uniform() < c["seen"])
    return {"seen": seen, "images": images}


def make_boxes(seed):
    rs = np.random.RandomState(seed)
    a = _boxes(rs, 8)
    b = np.round((a[:6] + rs.normal(0, 12, (6, 4))) * 4) / 4
    b = np.concatenate([np.minimum(b[:, :2], b[:, 2:]), np.maximum(b[:, :2], b[:, 2:]) + 1], 1)
    b[0] = a[0]
    for k, side in ((5, 1), (6, 2), (7, 3)):
        a[k, 2:] = a[k, :2] + side
    b[4:] = a[5:7]
    return a, b
