"""What commands import before they answer. Time is not measured: it depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# Each costs a tenth of a second or more, torch several seconds.
SLOW = ("torch", "torchvision", "sympy", "scipy", "matplotlib", "av", "duckdb", "pyarrow", "starlette", "transformers")
# Calls all commands in one process and says after each of them what is imported by then.
ASK = f"""
import json, sys
from vidsgg.cli.main import main
for words in json.loads(sys.argv[1]):
    try:
        code = main(words.split())
    except SystemExit as end:  # -h
        code = end.code
    print(json.dumps(["ANSWER", words, code, [name for name in {SLOW!r} if name in sys.modules]]))
"""
ANSWERED = [
    *("--help", "--version", "models", "data -h", "library -h"),
    *(
        "train -h",
        "evaluate -h",
        "predict -h",
        "view -h",
        "export -h",
        "app -h",
        "features -h",
        "tune -h",
        "compare -h",
    ),
]
REFUSED = [
    *("trian", "train -lrr 1", "train -mode predclss", "train -data_path nowhere", "train -data_path ."),
    "train -data_path synthetic -detector c4-smal",
    *("features -data_path nowhere", "tune -search lr=1,2 -data_path nowhere", "train-detector -data_path nowhere"),
    *("evaluate", "evaluate -checkpoint .", "import-checkpoint nowhere.tar", "app nowhere", "demo -videos 1"),
    *("export nowhere -format vidvrd -out there.json", "runs nowhere", "data stats -data_path nowhere"),
]
# The classes that a model knows without training are those of a data set, whose videos FFmpeg reads.
REFUSED_AFTER_FFMPEG = [
    *("predict nowhere.mp4", "predict nowhere.mp4 -checkpoint nowhere", "predict . -detector nowhere"),
    *("evaluate -checkpoint nowhere.tar", "compare nowhere elsewhere", "view nowhere"),
    "train -resume_from nowhere",
]


def answers(commands: list[str], folder: Path) -> list[tuple[str, int, set[str]]]:
    """Of every command its exit code and which slow packages are imported after it."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(commands)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["ANSWER"')]
    assert len(lines) == len(commands)
    return [(words, code, set(names)) for _, words, code, names in lines]


def check(commands: list[str], code: int, allowed: set[str], folder: Path) -> None:
    for words, given, names in answers(commands, folder):
        assert given == code, words
        assert names <= allowed, f"vidsgg {words} imports {names - allowed}; import it where it is used"


def test_answers_import_nothing_slow(tmp_path: Path) -> None:
    check(ANSWERED, 0, set(), tmp_path)


def test_refusals_import_nothing_slow(tmp_path: Path) -> None:
    check(REFUSED, 2, set(), tmp_path)
    check(REFUSED_AFTER_FFMPEG, 2, {"av"}, tmp_path)


def test_a_model_is_ready_for_videos_without_the_compiler_of_torch(tmp_path: Path) -> None:
    """torchvision as a whole imports torch._dynamo, sympy and all of its networks."""
    ask = """
import sys
from pathlib import Path
import vidsgg.recipes.predict_video, vidsgg.recipes.evaluate, vidsgg.recipes.train
from vidsgg.assembly.detectors import build_detector
from vidsgg.datasets.action_genome import SCHEMA
import numpy as np, torch
detector, _ = build_detector("c4-small", SCHEMA, torch.device("cpu"))
detector.find([np.zeros((240, 320, 3), np.uint8)])
print([name for name in ("torchvision", "torch._dynamo", "sympy", "scipy", "matplotlib") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"
