"""Make a small data set: ``python -m vidsgg_blocks.make FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from vidsgg_blocks.detector import COLOURS

WIDTH, HEIGHT, SIDE, NEAR = 96, 64, 14, 32  # pixels


def make(folder: Path, videos: int = 12, frames: int = 5, seed: int = 0) -> Path:
    """Every fourth video belongs to the test split. In each a robot, a child, a cube and a ball go
    straight on."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(videos):
        name, room = f"v{number:02d}", np.array([WIDTH - SIDE, HEIGHT - SIDE])
        place, way = random.uniform(0, 1, (4, 2)) * room, random.uniform(-6, 6, (4, 2))
        (folder / name).mkdir(parents=True)
        shots = []
        for f in range(frames):
            corner = np.abs((place + f * way + room) % (2 * room) - room).round()  # they turn back at the edges
            Image.fromarray(draw(corner)).save(folder / name / f"{f + 1}.png")
            things = [
                {"klass": klass, "box": [*corner[i].tolist(), *(corner[i] + SIDE).tolist()], "id": i}
                for i, klass in enumerate(COLOURS)
            ]
            relations = [relation(corner, i, j) for i in (0, 1) for j in (2, 3)]
            shots.append({"picture": f"{name}/{f + 1}.png", "things": things, "relations": relations})
        split = "test" if number % 4 == 3 else "train"
        found.append({"name": name, "split": split, "width": WIDTH, "height": HEIGHT, "frames": shots})
    (folder / "blocks.json").write_text(json.dumps({"videos": found}), encoding="utf-8")
    return folder


def draw(corner: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3) uint8; the robot and the child, which come first, are in front."""
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for (x, y), colour in reversed(list(zip(corner.astype(int), COLOURS.values(), strict=True))):
        picture[y : y + SIDE, x : x + SIDE] = colour
    return picture


def relation(corner: np.ndarray, subject: int, thing: int) -> dict[str, object]:
    x, y = corner[subject] - corner[thing]
    sides = {"left_of": x < 0, "right_of": x > 0, "above": y < 0, "below": y > 0}
    distance = "near" if np.hypot(x, y) < NEAR else "far"
    return {
        "subject": subject,
        "object": thing,
        "distance": distance,
        "side": [name for name, holds in sides.items() if holds],
    }


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
