"""Deterministic inputs of the vidvrd_metrics golden (numpy only, written for this golden).

make_case(config) -> dict
  'format'       'vidvrd' or 'vidor': which keys the annotation files have (the numbers do not depend on it)
  'train'        list of annotation dicts, as one JSON file each would hold them (only their triplets matter: zero-shot)
  'test'         list of annotation dicts
  'predictions'  {video id: list of {'triplet': [s, p, o], 'score': float, 'duration': [b, e], 'sub_traj': [[l, t, r, b], ...],
                 'obj_traj': [...]}}; b inclusive, e exclusive, one box per frame of the duration; a video may be absent
make_viou(seed, pairs) -> list of (traj_1, duration_1, traj_2, duration_2)
make_pvsg(config) -> dict, see its docstring

Order of draws: everything comes from one np.random.RandomState(seed), in the order the code below reads.
"""

import numpy as np

SIZE = (320, 240)
DEFAULTS = {
    "format": "vidvrd",
    "videos": 4,
    "train_videos": 3,
    "frames": (24, 60),
    "tracks": (3, 6),
    "classes": 5,
    "predicates": 6,
    "relations": (4, 12),
    "span": (6, 40),
    "detect": 0.8,
    "copies": 1,
    "shift": 4,
    "sigma": (0.03, 0.08, 0.25),
    "label_acc": 0.8,
    "extra": (2, 10),
    "quantise": 0,
    "integer": True,
    "one_frame": 0.0,
    "repeat": 0.0,
    "silent": 0,
    "absent": 0,
    "bare": 0,
    "far": 0,
    "unknown": 0,
    "gaps": False,
}


def _track(rs, frames):
    """Integer boxes [xmin, ymin, xmax, ymax] (inclusive), one per frame, moving in a straight line with a little noise."""
    w, h = rs.randint(30, 110), rs.randint(30, 110)
    a = rs.uniform(0, 1, 2) * (SIZE[0] - w, SIZE[1] - h)
    b = rs.uniform(0, 1, 2) * (SIZE[0] - w, SIZE[1] - h)
    t = np.linspace(0, 1, frames)[:, None]
    xy = (1 - t) * a + t * b + rs.normal(0, 1, (frames, 2))
    xy = np.clip(np.round(xy), 0, (SIZE[0] - w - 1, SIZE[1] - h - 1))
    return np.concatenate([xy, xy + (w, h)], 1).astype(int)


def _annotation(rs, c, name):
    frames = rs.randint(c["frames"][0], c["frames"][1] + 1)
    n = rs.randint(c["tracks"][0], c["tracks"][1] + 1)
    tids = sorted(int(v) for v in rs.permutation(2 * n)[:n])  # tids have gaps, as in the real files
    category = [f"c{rs.randint(c['classes'])}" for _ in range(n)]
    boxes = [_track(rs, frames) for _ in range(n)]
    relations = []
    for _ in range(rs.randint(c["relations"][0], c["relations"][1] + 1)):
        s = rs.randint(n)
        o = (s + 1 + rs.randint(n - 1)) % n
        if rs.uniform() < c["one_frame"]:
            begin = rs.randint(frames)
            end = begin + 1
        else:
            length = min(frames, rs.randint(c["span"][0], c["span"][1] + 1))
            begin = rs.randint(frames - length + 1)
            end = begin + length
        p = f"p{rs.randint(c['predicates'])}"
        relations.append((s, o, p, int(begin), int(end)))
        if rs.uniform() < c["repeat"]:  # the same triplet again, of the same pair, elsewhere in time
            begin = rs.randint(frames - 4)
            relations.append((s, o, p, int(begin), int(min(frames, begin + rs.randint(4, 12)))))
    used = [
        (min([r[3] for r in relations if i in r[:2]] or [0]), max([r[4] for r in relations if i in r[:2]] or [frames]))
        for i in range(n)
    ]
    trajectories = []
    for t in range(frames):
        row = []
        for i in range(n):
            if c["gaps"] and not used[i][0] <= t < used[i][1]:  # the thing is out of sight where no relation needs it
                continue
            box = dict(zip(("xmin", "ymin", "xmax", "ymax"), (int(v) for v in boxes[i][t]), strict=False))
            entry = {"tid": tids[i], "bbox": box, "generated": int(t % 5 != 0)}
            if c["format"] == "vidor":
                entry["tracker"] = "linear" if t % 5 else "none"
            row.append(entry)
        trajectories.append(row)
    anno = {
        "video_id": name,
        "frame_count": frames,
        "fps": 30,
        "width": SIZE[0],
        "height": SIZE[1],
        "subject/objects": [{"tid": t, "category": k} for t, k in zip(tids, category, strict=False)],
        "trajectories": trajectories,
        "relation_instances": [
            {"subject_tid": tids[s], "object_tid": tids[o], "predicate": p, "begin_fid": b, "end_fid": e}
            for s, o, p, b, e in relations
        ],
    }
    if c["format"] == "vidor":
        anno = dict({"version": "VERSION 1.0", "video_hash": name[::-1], "video_path": f"0000/{name}.mp4"}, **anno)
    return anno, boxes, category, relations


def _move(rs, boxes, sigma, integer):
    wh = np.concatenate([boxes[:, 2:] - boxes[:, :2]] * 2, 1)
    out = boxes + rs.normal(0, sigma, 4) * wh + rs.normal(0, 0.01, boxes.shape) * wh
    out = np.stack(
        [
            np.minimum(out[:, 0], out[:, 2]),
            np.minimum(out[:, 1], out[:, 3]),
            np.maximum(out[:, 0], out[:, 2]),
            np.maximum(out[:, 1], out[:, 3]),
        ],
        1,
    )
    return (
        [[int(v) for v in row] for row in np.round(out)]
        if integer
        else [[float(np.round(v, 3)) for v in row] for row in out]
    )


def _guess(rs, c, frames, boxes, category, relation):
    """One prediction for one true relation: interval and boxes moved, label perhaps wrong."""
    s, o, p, begin, end = relation
    begin = int(np.clip(begin + rs.randint(-c["shift"], c["shift"] + 1), 0, frames - 1))
    end = int(np.clip(end + rs.randint(-c["shift"], c["shift"] + 1), begin + 1, frames))
    triplet = [category[s], p, category[o]]
    if rs.uniform() >= c["label_acc"]:
        triplet[1] = f"p{rs.randint(c['predicates'])}"
    sigma = c["sigma"][rs.randint(len(c["sigma"]))]
    return {
        "triplet": triplet,
        "score": 0.0,
        "duration": [begin, end],
        "sub_traj": _move(rs, boxes[s][begin:end], sigma, c["integer"]),
        "obj_traj": _move(rs, boxes[o][begin:end], sigma, c["integer"]),
    }


def make_case(config):
    c = dict(DEFAULTS)
    c.update(config)
    rs = np.random.RandomState(c["seed"])
    train = [_annotation(rs, c, f"train{v:03d}")[0] for v in range(c["train_videos"])]
    test, predictions = [], {}
    for v in range(c["videos"]):
        name = f"video{v:03d}"
        anno, boxes, category, relations = _annotation(rs, c, name)
        frames, guesses = anno["frame_count"], []
        for relation in relations:
            for _ in range(c["copies"]):
                if rs.uniform() < c["detect"]:
                    guesses.append(_guess(rs, c, frames, boxes, category, relation))
        for _ in range(rs.randint(c["extra"][0], c["extra"][1] + 1)):
            s = rs.randint(len(boxes))
            o = (s + 1 + rs.randint(len(boxes) - 1)) % len(boxes)
            length = min(frames, rs.randint(c["span"][0], c["span"][1] + 1))
            begin = rs.randint(frames - length + 1)
            guesses.append(
                _guess(rs, c, frames, boxes, category, (s, o, f"p{rs.randint(c['predicates'])}", begin, begin + length))
            )
        for k in range(c["far"]):  # right triplet, other frames: no frame in common
            s, o, p, begin, end = relations[k % len(relations)]
            if end < frames:
                guesses.append(
                    _guess(rs, dict(c, shift=0, label_acc=1.0), frames, boxes, category, (s, o, p, end, frames))
                )
        for k in range(c["unknown"]):  # a predicate, and a class, that no annotation has
            g = _guess(rs, c, frames, boxes, category, relations[k % len(relations)])
            g["triplet"][1 if k % 2 == 0 else 2] = "nobody_knows"
            guesses.append(g)
        guesses = [guesses[i] for i in rs.permutation(len(guesses))]
        for g in guesses:
            score = rs.uniform(0.01, 1)
            g["score"] = float(np.round(score * c["quantise"]) / c["quantise"]) if c["quantise"] else float(score)
        if v < c["bare"]:
            anno["relation_instances"] = []
        test.append(anno)
        if v >= c["videos"] - c["absent"]:
            continue
        predictions[name] = [] if v >= c["videos"] - c["absent"] - c["silent"] else guesses
    return {"format": c["format"], "train": train, "test": test, "predictions": predictions}


def make_viou(seed, pairs):
    """Trajectories with durations [b, e): overlapping in time, nested, touching, apart, one frame, floats, degenerate boxes."""
    rs = np.random.RandomState(seed)
    out = []
    for k in range(pairs):
        a = _track(rs, 40)
        b1 = rs.randint(0, 25)
        e1 = b1 + rs.randint(1, 15)
        kind = k % 8
        if kind == 0:
            b2, e2 = b1, e1
        elif kind == 1:
            b2, e2 = e1, e1 + 3  # touching in time: no frame in common
        elif kind == 2:
            b2, e2 = b1 + (e1 - b1) // 2, e1 + 4
        elif kind == 3:
            b2, e2 = max(0, b1 - 3), b1 + 1  # one frame in common
        elif kind == 4:
            b2, e2 = max(0, b1 - 2), min(40, e1 + 2)  # one inside the other
        elif kind == 5:
            b2, e2 = b1, b1 + 1
        else:
            b2 = rs.randint(0, 30)
            e2 = b2 + rs.randint(1, 10)
        moved = np.array(_move(rs, a, (0.02, 0.1, 0.4)[k % 3], k % 2 == 0))
        if kind == 7:
            moved[:, 2:] = moved[:, :2]  # boxes of one pixel
        out.append((a[b1:e1].tolist(), (int(b1), int(e1)), moved[b2:e2].tolist(), (int(b2), int(e2))))
    return out


PVSG_DEFAULTS = {
    "videos": 2,
    "frames": (12, 24),
    "size": (48, 36),
    "objects": (3, 5),
    "things": 4,
    "relations": 6,
    "gt": (4, 8),
    "tracks_lost": 0,
    "twice": False,
    "shift": 1,
    "grid": True,
    "span_noise": 0.15,
    "span_gain": 4.0,
    "always": False,
    "off": 0.0,
    "missing": 0.0,
    "class_acc": 1.0,
}


def _cells(rs, c, n):
    """n boxes that never meet: one per cell of a 3 x 2 grid (grid=True), or anywhere, drawn over each other (grid=False)."""
    w, h = c["size"]
    out = []
    order = rs.permutation(6)
    for i in range(n):
        if c["grid"]:
            x0, y0 = (order[i] % 3) * (w // 3), (order[i] // 3) * (h // 2)
            bw, bh = rs.randint(6, w // 3 - 4), rs.randint(6, h // 2 - 4)
            x, y = x0 + 1 + rs.randint(w // 3 - bw - 2), y0 + 1 + rs.randint(h // 2 - bh - 2)
        else:
            bw, bh = rs.randint(8, w // 2), rs.randint(8, h // 2)
            x, y = rs.randint(w - bw), rs.randint(h - bh)
        out.append([x, y, x + bw - 1, y + bh - 1])
    return np.array(out)


def make_pvsg(config):
    """Panoptic video scene graphs of filled rectangles.  -> list of videos, each a dict with
    'vid'        name (starts with four digits and '_', so the reference looks for it under vidor)
    'masks'      uint8 (T, H, W): object id of every pixel, 0 nothing (later objects are drawn over earlier ones)
    'boxes'      int (T, n, 4) inclusive x1, y1, x2, y2 of the rectangles; -1 where the object is not in sight
    'objects'    list of [object id (1..n), class index]
    'relations'  list of [subject id, object id, predicate index, [[first, last], ...]], both ends inclusive, frames from 0
    'tracks'     list of predicted tubes: {'class': index, 'boxes': {frame: [x1, y1, x2, y2]}} (inclusive); may be empty of frames
    'pairs'      int (Q, 2): rows of subject track, object track;  'prob' float64 (Q, R);  'span' float64 (Q, T, R): > 0 means "holds"
    """
    c = dict(PVSG_DEFAULTS)
    c.update(config)
    rs = np.random.RandomState(c["seed"])
    w, h = c["size"]
    videos = []
    for v in range(c["videos"]):
        T = int(rs.randint(c["frames"][0], c["frames"][1] + 1))
        n = int(rs.randint(c["objects"][0], c["objects"][1] + 1))
        boxes = np.repeat(_cells(rs, c, n)[None], T, 0)
        if not c["grid"]:
            boxes = boxes + np.cumsum(rs.randint(-1, 2, (T, n, 1)), 0) * [1, 0, 1, 0]
            boxes = np.clip(boxes, 0, [w - 1, h - 1, w - 1, h - 1])
        boxes[rs.uniform(size=(T, n)) < c["off"]] = -1
        objects = [[i + 1, int(rs.randint(c["things"]))] for i in range(n)]
        masks = np.zeros((T, h, w), np.uint8)
        for t in range(T):
            for i in range(n):
                x1, y1, x2, y2 = boxes[t, i]
                if x1 >= 0:
                    masks[t, y1 : y2 + 1, x1 : x2 + 1] = i + 1
        relations = []
        for _ in range(rs.randint(c["gt"][0], c["gt"][1] + 1)):
            s = rs.randint(n)
            o = (s + 1 + rs.randint(n - 1)) % n
            cuts = np.sort(rs.permutation(T)[:4])
            spans = [[int(cuts[0]), int(cuts[1])], [int(cuts[2]), int(cuts[3])]][: rs.randint(1, 3)]
            relations.append([int(s) + 1, int(o) + 1, int(rs.randint(c["relations"])), spans])
        tracks = []
        source = list(range(n)) * (2 if c["twice"] else 1)  # the object that a predicted tube follows
        for i in source:
            klass = objects[i][1] if rs.uniform() < c["class_acc"] else int(rs.randint(c["things"]))
            rows = {}
            for t in range(T):
                if boxes[t, i, 0] < 0 or rs.uniform() < c["missing"]:
                    continue
                b = boxes[t, i] + rs.randint(-c["shift"], c["shift"] + 1, 4)
                b = [
                    int(np.clip(b[0], 0, w - 1)),
                    int(np.clip(b[1], 0, h - 1)),
                    int(np.clip(b[2], 0, w - 1)),
                    int(np.clip(b[3], 0, h - 1)),
                ]
                rows[t] = [min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])]
            tracks.append({"class": klass, "boxes": rows})
        for k in range(c["tracks_lost"]):
            tracks[k]["boxes"] = {}
        pairs = [(i, j) for i in range(len(source)) for j in range(len(source)) if source[i] != source[j]]
        pairs = [pairs[i] for i in rs.permutation(len(pairs))]
        prob = rs.uniform(0, 0.6, (len(pairs), c["relations"]))
        span = rs.normal(-0.5, 1, (len(pairs), T, c["relations"]))
        for s, o, p, spans in relations:
            for q, (i, j) in enumerate(pairs):
                if (source[i], source[j]) == (s - 1, o - 1):
                    prob[q, p] = rs.uniform(0.3, 1)
                    for a, b in spans:
                        span[q, a : b + 1, p] = c["span_gain"]
                    span[q, rs.uniform(size=T) < c["span_noise"], p] = -1
        if c["always"]:  # every relation is said to hold in every frame
            span = np.abs(span) + 1
        videos.append(
            {
                "vid": f"{v:04d}_{c['seed']}",
                "masks": masks,
                "boxes": boxes,
                "objects": objects,
                "relations": relations,
                "tracks": tracks,
                "pairs": np.array(pairs),
                "prob": prob,
                "span": span,
            }
        )
    return videos
