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
# # From a video to a graph in three lines
#
# This notebook makes a graph for every half second of a video: objects with boxes, and the relations
# between them. You need no annotations and no checkpoint. Relations are guessed from a detector's boxes
# and Action Genome's statistics; no relation model sees the picture, and the graph says so.

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
    package = f"vidsgg[onnx,notebook] @ git+{REPOSITORY}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", package, "scikit-image"], check=True)

# %% [markdown]
# ## A video
#
# Set the path of your own film. Without one, this cell makes a film of four seconds from two pictures of
# scikit-image: an astronaut, and a cup of coffee that moves towards her.

# %%
from pathlib import Path

import av
import numpy as np
from PIL import Image
from skimage import data

VIDEO = Path(os.environ.get("VIDSGG_FILM", "film.mp4"))


def make_film(path):
    person = Image.fromarray(data.astronaut())
    cup = Image.fromarray(data.coffee()).crop((120, 40, 460, 330)).resize((255, 218))
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.bit_rate = 800, 512, 4_000_000
        for step in range(20):
            picture = Image.new("RGB", (800, 512), (90, 90, 90))
            picture.paste(person, (0, 0))
            picture.paste(cup, (540 - 10 * step, 290))
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(picture))))
        film.mux(stream.encode())


if not VIDEO.exists():
    make_film(VIDEO)

# %% [markdown]
# ## Three lines
#
# `DETECTOR` is an ONNX file, or a model of torchvision or transformers. Without one, the first call
# downloads a light COCO network from torchvision.

# %%
import vidsgg

DETECTOR = os.environ.get("VIDSGG_DETECTOR") or "fasterrcnn_mobilenet_v3_large_320_fpn"
graph = vidsgg.load("geometry", detector=DETECTOR).predict(VIDEO, fps=2)
graph

# %% [markdown]
# Above is the graph of one frame. `graph.show()` opens a page that plays the video with its graphs.
#
# ## What is in it

# %%
for frame in graph.frames[:2]:
    print(f"{frame.time:.1f} s:", ", ".join(f"{node.label} {node.score:.2f}" for node in frame.nodes))

# %%
for relation in graph.shown().relations:
    print(f"{relation.begin:.1f}-{relation.end:.1f} s  {relation.subject} {relation.predicate} {relation.object}")

# %% [markdown]
# As tables, as a networkx graph, as a file:

# %%
table = graph.to_pandas()
table.head()

# %%
print(graph.to_networkx())
graph.save("film.graph.json")
vidsgg.read_graph("film.graph.json") == graph

# %% [markdown]
# Next: `vidsgg predict` does this for folders of films from the command line, and "Train STTran on
# your own data" shows how to get a model that looks at the pictures.
