"""A small folder in EASG's file format, for tests. Its labels follow from verbs, objects and boxes,
so that a model can learn them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import torch

VERBS = ("cut", "move", "pour", "wash")
OBJECTS = ("board", "both_hands", "bowl", "cup", "knife", "left_hand", "right_hand", "sponge", "water")
RELATIONS = ("dobj", "from", "in", "into", "on", "with")

# verb -> (direct objects, other objects with their relation). Both cups and bowls are moved, into
# each other: what moves is the direct object, so that classes do not tell it but boxes do.
SCRIPTS: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "cut": (("sponge",), {"knife": "with", "board": "on"}),
    "move": (("cup", "bowl"), {"cup": "into", "bowl": "into", "board": "on"}),
    "pour": (("water",), {"cup": "from", "bowl": "into"}),
    "wash": (("cup", "bowl", "knife"), {"water": "in", "sponge": "with"}),
}


def write_easg(folder: Path, seed: int = 0, clips: int = 4, graphs: int = 6) -> Path:
    """Vocabularies and both pickles, each with ``clips`` clips of ``graphs`` moments.

    Like the real files they list the direct object first and graphs out of time order, say things
    twice, annotate moments twice, leave out frames, draw boxes beyond the image and two boxes of
    one thing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, words in (("verbs", VERBS), ("objects", OBJECTS), ("relationships", RELATIONS)):
        (folder / f"{name}.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    for k, name in enumerate(("easg_train.pkl", "easg_val.pkl")):
        random = np.random.default_rng([seed, k])
        annotations: dict[str, Any] = {}
        for _ in range(clips):
            clip = UUID(bytes=random.bytes(16))
            for number in 100 * (1 + random.permutation(graphs)):
                annotations[f"{clip}_{number:06d}"] = _graph(random, int(number))
        write_pickle(folder / name, annotations)
    return folder


def write_pickle(path: Path, annotations: Any) -> None:
    path.write_bytes(pickle.dumps(annotations))


def write_features(folder: Path, split: str = "train", seed: int = 0, action: bool = True, roi: bool = True) -> None:
    """The feature files of one split (the clip features of one split replace those of the
    other)."""
    random = np.random.default_rng(seed)
    suffix = {"train": "train", "test": "val"}[split]
    annotations = pickle.loads((folder / f"easg_{suffix}.pkl").read_bytes())
    if action:
        ids = [aid for graph in annotations.values() for aid in graph["annotations"]]
        torch.save(
            {aid: torch.from_numpy(random.standard_normal(2304, np.float32)) for aid in ids},
            folder / "verb_features.pt",
        )
    if roi:
        features = {
            uid: {
                aid: [
                    {slot: random.standard_normal((len(box), 1024), np.float32) for slot, box in e["bbox"].items()}
                    for e in entries
                ]
                for aid, entries in graph["annotations"].items()
            }
            for uid, graph in annotations.items()
        }
        write_pickle(folder / f"roi_feats_{suffix}.pkl", features)


def write_all_features(folder: Path, seed: int = 0) -> None:
    """The feature files of both splits, as they lie in the authors' downloads."""
    actions: dict[str, torch.Tensor] = {}
    for split in ("train", "test"):
        write_features(folder, split, seed)
        actions |= torch.load(folder / "verb_features.pt", weights_only=True)
    torch.save(actions, folder / "verb_features.pt")


def _graph(random: np.random.Generator, number: int) -> dict[str, Any]:
    verb = VERBS[random.integers(len(VERBS))]
    targets, others = SCRIPTS[verb]
    target = targets[random.integers(len(targets))]
    said = {target: "dobj"}
    left = [name for name in others if name != target]
    for name in random.permutation(left)[: random.integers(len(left) + 1)]:
        said[str(name)] = others[str(name)]
    hand = ("left_hand", "right_hand", "both_hands")[random.integers(3)]
    said[hand] = "with" if random.random() < 0.8 else "in"
    missing = "post" if random.random() < 0.1 else None
    entries = [
        {"obj": name, "verb": verb, "rel": rel, "bbox": _boxes(random, name, missing, moves=rel == "dobj")}
        for name, rel in said.items()
    ]
    if random.random() < 0.2:
        entries.append(entries[random.integers(len(entries))])
    annotation = f"{random.integers(2**62):040x}"
    lists = {annotation: entries}
    if random.random() < 0.15:
        lists[annotation[::-1]] = [
            {**entry, "bbox": _boxes(random, entry["obj"], missing, moves=entry["rel"] == "dobj")}
            for entry in entries[:1]
        ]
    return {"annotations": lists, "clip_frame_number": {"pre": number - 12, "pnr": number, "post": number + 25}}


def _boxes(random: np.random.Generator, name: str, missing: str | None, *, moves: bool) -> dict[str, np.ndarray]:
    """(k, 4) x, y, width, height by frame, in no frame order; a thing that moves ends up
    elsewhere."""
    start = random.uniform(0, 0.6, 2)
    size = random.uniform(0.1, 0.45, 2)  # some reach over the edge
    end = start + (random.choice([-0.3, 0.3], 2) if moves else random.normal(0, 0.01, 2))
    boxes = {}
    for slot, way in (("post", 1.0), ("pre", 0.0), ("pnr", 0.5)):
        if slot != missing and (random.random() < 0.85 or (slot == "pnr" and not boxes)):
            corner = start + way * (end - start)
            rows = [np.concatenate([corner, size])]
            if name.endswith(("hand", "hands")) and random.random() < 0.2:
                rows.append(rows[0] + [0.1, 0, 0, 0])
            boxes[slot] = np.float32(rows)
    return boxes
