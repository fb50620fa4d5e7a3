"""The notebooks run from top to bottom, and each is the pair of its script."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from commands import ROOT, SHORT
from nbclient import NotebookClient

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Written into each as they are run: what makes them short.
SHORTENED = {"train_on_your_data": ("videos=12", "videos=4")}


def printed(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in outputs)


def test_there_are_notebooks_in_pairs() -> None:
    assert len(NOTEBOOKS) == len(list((ROOT / "notebooks").glob("*.py"))) == 3
    for path in NOTEBOOKS:
        script, notebook = jupytext.read(path.with_suffix(".py")), nbformat.read(path, 4)
        assert [(c.cell_type, c.source) for c in script.cells] == [(c.cell_type, c.source) for c in notebook.cells], (
            f"run: jupytext --sync {path.relative_to(ROOT)}"
        )
        assert not printed(notebook)  # outputs are not kept


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("video_to_graph", ["cup/glass/bottle in_front_of person", "MultiDiGraph with 2 nodes"]),
        ("train_on_your_data", ["verdict: the data set can be used; 0 errors", "R@20"]),
        ("ask_a_library", ["hits", "predicate"]),
    ],
)
def test_it_runs(name: str, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "video_to_graph":
        if not (detectors := os.environ.get("VIDSGG_DETECTORS")):
            pytest.skip("set VIDSGG_DETECTORS to a folder with nanodet_coco.onnx")
        monkeypatch.setenv("VIDSGG_DETECTOR", str(Path(detectors) / "nanodet_coco.onnx"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("VIDSGG_OPTIONS", SHORT)
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    old, new = SHORTENED.get(name, ("", ""))
    for cell in notebook.cells:
        cell.source = cell.source.replace(old, new) if old else cell.source
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    text = printed(notebook)
    assert [words for words in said if words not in text] == []
