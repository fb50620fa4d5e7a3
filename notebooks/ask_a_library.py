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
# # Ask a library of graphs
#
# Store many graphs as tables, and search them for relations and for sequences of relations in time.

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
    package = f"vidsgg[library,notebook] @ git+{REPOSITORY}"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", package], check=True)

# %% [markdown]
# ## Graphs
#
# This example uses the built-in synthetic videos: it counts relations on the training videos, which
# takes seconds, and predicts them on a test video. For your own films: `vidsgg predict films -o graphs`.

# %%
# !vidsgg data synth -out synthetic -videos 12
# !vidsgg train -mode predcls -model frequency -data_path synthetic -save_path counted
# !vidsgg predict -checkpoint counted -video 0 -out graphs

# %% [markdown]
# ## A library
#
# Each call adds only new graphs.

# %%
# !vidsgg library build graphs -o lib
# !vidsgg library info lib

# %% [markdown]
# ## Search
#
# A relation is subject, predicate, object; `*` matches any. `then`, `while` and `before` order relations
# in time, and every `?x` is the same object.

# %%
import vidsgg

library = vidsgg.open_library("lib")
hits = library.search("* in_front_of person")
hits.to_pandas().head()

# %%
followed = library.search("?x in_front_of person while person not_looking_at ?x")
print(followed.total, "hits")

# %% [markdown]
# ## SQL
#
# The tables are plain Parquet files, and DuckDB reads them.

# %%
library.sql("SELECT predicate, count(*) AS n FROM relations GROUP BY predicate ORDER BY n DESC LIMIT 5").df()

# %% [markdown]
# ## Back to a graph
#
# Each hit names its video, whose whole graph the library returns. A notebook shows it as a page.

# %%
library.graph(hits[0].video)
