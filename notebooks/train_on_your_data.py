# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Train STTran on your own data
#
# Your classes, predicates and pictures are described in one JSON file in COCO's format. This notebook
# draws a small world, writes that file, and trains on it.

# %% [markdown]
# On Colab, or any machine without vidsgg, this cell installs it from the repository of this notebook.
# Set `REPOSITORY` to its address.

# %%
import importlib.util
import os
import subprocess
import sys

REPOSITORY = os.environ.get("VIDSGG_REPOSITORY", "")
if importlib.util.find_spec("vidsgg") is None:
    if not REPOSITORY:
        raise SystemExit("Set REPOSITORY to the address that you cloned this notebook from.")
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", f"vidsgg[notebook] @ git+{REPOSITORY}"], check=True)

# %% [markdown]
# ## A world
#
# The world has a robot and a ball. The robot is `near` the ball or `far` from it. If you have your own
# pictures and annotations, write the JSON file from them.

# %%
import json
import random
from pathlib import Path

from PIL import Image, ImageDraw

ROOT, WIDTH, HEIGHT = Path("robots"), 160, 120
random.seed(0)


def draw_frame(path, robot, ball):
    picture = Image.new("RGB", (WIDTH, HEIGHT), (235, 235, 225))
    draw = ImageDraw.Draw(picture)
    draw.rectangle(robot, fill=(70, 90, 160))
    draw.ellipse(ball, fill=(220, 120, 40))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def coco_box(corners):
    x1, y1, x2, y2 = corners
    return [x1, y1, x2 - x1, y2 - y1]


def make_split(name, videos, frames=6):
    content = {
        "videos": [],
        "images": [],
        "annotations": [],
        "relations": [],
        "categories": [{"id": 1, "name": "robot"}, {"id": 2, "name": "ball"}],
        "predicate_groups": [{"name": "distance", "kind": "single"}],
        "predicates": [{"id": 1, "name": "near", "group": "distance"}, {"id": 2, "name": "far", "group": "distance"}],
    }
    for v in range(1, videos + 1):
        title = f"{name}{v:02d}"
        content["videos"].append({"id": v, "name": title, "fps": 2})
        x = random.randint(5, 40)
        for f in range(1, frames + 1):
            image = len(content["images"]) + 1
            file = f"{title}/{f:06d}.png"
            robot = (10, 40, 40, 110)
            ball = (x + 12 * f, 80, x + 12 * f + 22, 102)
            draw_frame(ROOT / file, robot, ball)
            content["images"].append(
                {"id": image, "video_id": v, "frame_id": f, "file_name": file, "width": WIDTH, "height": HEIGHT}
            )
            for category, box in ((1, robot), (2, ball)):
                content["annotations"].append(
                    {
                        "id": len(content["annotations"]) + 1,
                        "image_id": image,
                        "category_id": category,
                        "bbox": coco_box(box),
                        "track_id": category,
                    }
                )
            content["relations"].append(
                {
                    "id": len(content["relations"]) + 1,
                    "image_id": image,
                    "subject_id": len(content["annotations"]) - 1,
                    "object_id": len(content["annotations"]),
                    "predicate_id": 1 if ball[0] - robot[2] < 30 else 2,
                }
            )
    (ROOT / f"{name}.json").write_text(json.dumps(content))


make_split("train", videos=12)
make_split("test", videos=4)

# %% [markdown]
# `vidsgg data check` lists every fault of such a file and where it is:

# %%
# !vidsgg data check -data_path robots

# %% [markdown]
# ## Train
#
# In PredCLS boxes and classes are given, and relations are learnt. The network is narrow here so that
# training takes seconds on a CPU; leave out the sizes for the published ones. Features come from an
# untrained detector, which is good enough for a first try.

# %%
import vidsgg

outcome = vidsgg.train(
    data_path="robots",
    mode="predcls",
    model="sttran",
    save_path="output/robots",
    epochs=4,
    lr=1e-3,
    hidden_dim=32,
    embedding_dim=16,
    feedforward_dim=64,
    device="cpu",
)
print(outcome.path, f"recall on held-out videos: {outcome.best_score:.2f}")

# %% [markdown]
# ## Evaluate
#
# Always compare with counting: P(predicate | classes) does not know where objects are.

# %%
test = vidsgg.open_dataset("robots", "test")
counting = vidsgg.train(data_path="robots", mode="predcls", model="frequency", save_path="output/counting")
for path in (counting.path, outcome.path):
    print(path)
    print(vidsgg.evaluate(vidsgg.load(path), test).table())

# %% [markdown]
# For a plain video you need SGDET and a detector for your classes: `vidsgg train-detector` trains one,
# and "Your own data" in the docs has the next steps.
