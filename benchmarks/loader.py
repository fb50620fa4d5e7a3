"""How long Action Genome takes to open, on generated pickles of the real size: ``python -m
benchmarks.loader``.

Cold: from the pickles, writing the cache. Warm: from the cache. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from pathlib import Path

import numpy as np

from vidsgg.datasets.action_genome import ATTENTION, CONTACTING, OBJECTS, SPATIAL, ActionGenome

# The published annotations: 288,782 frames, 737,427 object entries; videos with a visible object:
# 7,777 for training (7,584 kept) and 1,810 for testing (1,750 kept).
FRAMES, ENTRIES, VIDEOS, TRAIN_SHARE = 288_782, 737_427, 9_587, 0.81


def write_pickles(root: Path, scale: float) -> None:
    """Random annotations with ``scale`` times the real numbers of frames, objects and videos, in
    the published structure."""
    rng = np.random.default_rng(0)
    frames, entries, videos = (max(3, round(n * scale)) for n in (FRAMES, ENTRIES, VIDEOS))
    video = np.sort(rng.integers(0, videos, frames))
    number = np.arange(frames) - np.searchsorted(video, video) + 1
    found = rng.random(frames) > 0.1
    keypoints, logits = np.zeros((1, 17, 3), np.float32), np.zeros((1, 17), np.float32)
    persons = {}
    keys = [f"{v:05d}.mp4/{n:06d}.png" for v, n in zip(video.tolist(), number.tolist(), strict=True)]
    for key, here in zip(keys, found.tolist(), strict=True):
        n = int(here)
        persons[key] = {
            "bbox": np.array([[20, 30, 200, 250]][:n], np.float32).reshape(n, 4), "bbox_score": np.ones(n, np.float32),
            "bbox_size": (480, 270), "bbox_mode": "xyxy", "keypoints": keypoints[:n].copy(), "keypoints_logits": logits[:n].copy(),
        }  # fmt: skip
    objects: dict[str, list[dict[str, object]]] = {key: [] for key in keys}
    owner = np.sort(np.concatenate([np.arange(frames), rng.integers(0, frames, entries - frames)]))
    klass, side = rng.integers(2, len(OBJECTS), entries), rng.uniform(5, 200, (entries, 2))
    pick, seen = rng.random((entries, 3)), rng.random(entries) > 0.2
    train = rng.random(videos) < TRAIN_SHARE
    for i, frame in enumerate(owner.tolist()):
        a, s, c = (
            int(share * len(names)) for share, names in zip(pick[i], (ATTENTION, SPATIAL, CONTACTING), strict=True)
        )
        visible = bool(seen[i])
        name = OBJECTS[klass[i]]
        objects[keys[frame]].append(
            {
                "class": name, "bbox": (10.5, 20.25, float(side[i, 0]), float(side[i, 1])) if visible else None,
                "attention_relationship": [ATTENTION[a]] if visible else None,
                "spatial_relationship": [SPATIAL[s]] if visible else None,
                "contacting_relationship": [CONTACTING[c]] if visible else None,
                "visible": visible,
                "metadata": {"tag": f"{keys[frame]}/{name}", "set": "train" if train[video[frame]] else "test"},
            }
        )  # fmt: skip
    folder = root / "annotations"
    folder.mkdir(parents=True)
    for name, content in (("person_bbox.pkl", persons), ("object_bbox_and_relationship.pkl", objects)):
        with (folder / name).open("wb") as file:
            pickle.dump(content, file, protocol=4)


def measure(root: Path) -> list[tuple[str, float, ActionGenome]]:
    """(what, seconds, data set) of a cold opening and of warm ones."""
    rows = []
    for what, split, mode in (
        ("cold, train, predcls", "train", "predcls"),
        ("warm, train, predcls", "train", "predcls"),
        ("warm, train, sgdet", "train", "sgdet"),
        ("warm, test, predcls", "test", "predcls"),
    ):
        begin = time.perf_counter()
        data = ActionGenome(root, split, mode)
        rows.append((what, time.perf_counter() - begin, data))
    return rows


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-scale", type=float, default=1.0, help="share of the real size")
    scale = parser.parse_args(argv).scale
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_pickles(root, scale)
        pickles = sum(path.stat().st_size for path in (root / "annotations").glob("*.pkl"))
        rows = measure(root)
        cache = next((root / "annotations" / ".vidsgg").iterdir()).stat().st_size
        data = rows[1][2]
        begin = time.perf_counter()
        pairs = sum(video.pairs for video in data)
        walk = time.perf_counter() - begin
    print(f"Pickles {pickles / 1e6:.0f} MB, cache {cache / 1e6:.0f} MB.\n")
    print("| opening | seconds | videos | frames | pairs |\n|---|---|---|---|---|")
    for what, seconds, opened in rows:
        s = opened.summary
        print(f"| {what} | {seconds:.2f} | {s.videos} | {s.frames} | {s.pairs} |")
    print(
        f"| every annotation of the training split, one by one | {walk:.2f} | {len(data)} | {data.summary.frames} |"
        f" {pairs} |"
    )


if __name__ == "__main__":
    main()
