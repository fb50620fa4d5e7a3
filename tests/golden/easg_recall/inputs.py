"""Inputs of the easg_recall golden. numpy only; own code; imports nothing of the reference.

make(case) -> (graphs, logits): graphs = list of dict(verb int, objs [n] int, rels [n, R] 0/1
int64); logits = list of (verb [V], obj [n, O], rel [n, R]) float32. `case` is an entry of
cases.json.
"""

import os
from pathlib import Path

import numpy as np

from vidsgg.io.pickles import load_pickle


def synthetic(rs, c):
    """Graphs drawn from rs. Per graph, in this order: n, verb, object ids, then one relation set
    per object."""
    out = []
    for _ in range(c["graphs"]):
        n = int(rs.randint(c["n_min"], c["n_max"] + 1))
        verb = int(rs.randint(c["V"]))
        objs = rs.permutation(c["O"])[:n].astype(np.int64)
        rels = np.zeros((n, c["R"]), np.int64)
        for j in range(n):
            k = 1 + int(rs.rand() < c["p_multi"])
            rels[j, rs.permutation(c["R"])[:k]] = 1
        out.append({"verb": verb, "objs": objs, "rels": rels})
    return out


def real(c):
    """Evaluation graphs of the published pickles: one per (graph id, verb), in first-seen order;
    objects in first-seen order.

    The annotation folder is the user's own copy: environment variable VIDSGG_EASG (easg_train.pkl,
    easg_val.pkl, *.txt).
    """
    root = Path(os.environ["VIDSGG_EASG"])
    verbs, objs, rels = (
        (root / f"{f}.txt").read_text(encoding="utf-8").split("\n") for f in ("verbs", "objects", "relationships")
    )
    verbs, objs, rels = ([x.strip() for x in names if x.strip()] for names in (verbs, objs, rels))
    data = load_pickle(root / f"easg_{c['split']}.pkl")
    out = []
    for g in data.values():
        by_verb = {}
        for entries in g["annotations"].values():
            for e in entries:
                row = by_verb.setdefault(verbs.index(e["verb"]), {}).setdefault(
                    objs.index(e["obj"]), np.zeros(len(rels), np.int64)
                )
                row[rels.index(e["rel"])] = 1
        for v, o in by_verb.items():
            out.append({"verb": v, "objs": np.array(list(o), np.int64), "rels": np.stack(list(o.values()))})
    return out[: c["first"]] if c.get("first") else out


def make(c):
    rs = np.random.RandomState(c["seed"])
    if c["source"] == "synthetic":
        graphs, n_verbs, n_objs = synthetic(rs, c), c["V"], c["O"]
    else:
        graphs, n_verbs, n_objs = real(c), 198, 391
    logits = []
    for g in graphs:
        n, R = g["rels"].shape
        v, o, r = rs.standard_normal(n_verbs), rs.standard_normal((n, n_objs)), rs.standard_normal((n, R))
        v[g["verb"]] += c["bias"]
        o[np.arange(n), g["objs"]] += c["bias"]
        r += c["bias"] * g["rels"]
        z = [x.astype(np.float32) for x in (v, o, r)]
        if c.get("round") is not None:  # coarse logits: many exact ties
            z = [np.round(x, c["round"]).astype(np.float32) for x in z]
        logits.append(tuple(z))
    return graphs, logits
