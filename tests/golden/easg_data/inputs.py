"""Inputs of the easg_data golden.

Features are scalars, repeated over the feature width when the golden was recorded, so that a mean
over boxes can be checked with one
number: of an action, crc32(annotation id) / 2**32; of a box,
crc32("graph|annotation|entry|frame|row") / 2**32.
"""

import zlib

import numpy as np


def hashed(text):
    return np.float32(zlib.crc32(text.encode()) / 2.0**32)


def clip_value(annotation):
    return hashed(annotation)


def roi_value(graph, annotation, entry, frame, row):
    return hashed(f"{graph}|{annotation}|{entry}|{frame}|{row}")


def synthetic(seed, n_graphs, n_verbs=6, n_objects=9, n_relations=4):
    """Annotations as the pickles hold them, with merges, repetitions, two verbs, missing frames and
    several boxes; and their vocabularies.

    Draws from the random state in the order in which the golden was recorded.
    """
    random = np.random.RandomState(seed)
    verbs, objects, relations = (
        [f"{prefix}{i:02d}" for i in range(n)]
        for prefix, n in (("verb", n_verbs), ("obj", n_objects), ("rel", n_relations))
    )
    graphs = {}
    for g in range(n_graphs):
        uid = f"clip{random.randint(5):02d}_{100 * g:06d}"
        annotations = {}
        for a in range(1 + int(random.rand() < 0.3)):
            entries = []
            verb = verbs[random.randint(n_verbs)]
            for _ in range(1 + random.randint(4)):
                boxes = {}
                for slot in ("pre", "pnr", "post"):
                    if random.rand() < 0.8:
                        rows = 1 + int(random.rand() < 0.15)
                        boxes[slot] = (random.rand(rows, 4) * 0.5).astype(np.float32)
                if not boxes:
                    boxes["pnr"] = (random.rand(1, 4) * 0.5).astype(np.float32)
                obj = objects[random.randint(n_objects)]
                entries.append({"obj": obj, "bbox": boxes, "verb": verb, "rel": relations[random.randint(n_relations)]})
                if random.rand() < 0.2:
                    entries.append(dict(entries[-1]))
            annotations[f"aid{g:03d}_{a}"] = entries
        frames = {"pre": 100 * g, "pnr": 100 * g + 5, "post": 100 * g + 15}
        graphs[uid] = {"annotations": annotations, "clip_frame_number": frames}
    return graphs, verbs, objects, relations
