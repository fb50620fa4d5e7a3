"""Malformed annotation files of every JSON format: one message, exit code 2, and nothing written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import test_action_genome_coco, test_coco_relations, test_pvsg, test_vidvrd
from datasets.ag_files import small_set
from datasets.coco_sets import write_set
from datasets.vidvrd_coco_files import TRAIN, made_up, write_coco_style

from vidsgg.cli.main import main

Damage = Callable[[str, str], str | bytes]  # from the text of a file and a list in it


def _changed(change: Callable[[dict[str, Any], str], object]) -> Damage:
    def damage(text: str, name: str) -> str:
        document = json.loads(text)
        change(document, name)
        return json.dumps(document)

    return damage


def _first_entry(document: dict[str, Any], name: str) -> None:
    document[name][0] = "x"


DAMAGES: dict[str, Damage] = {
    "cut": lambda text, name: text[: len(text) // 2],
    "empty": lambda text, name: "",
    "a list": lambda text, name: "[]",
    "no text": lambda text, name: b"\xff\xfe" + text.encode(),
    "deeply nested": lambda text, name: "[" * 100_000,
    "a list is lacking": _changed(lambda document, name: document.pop(name)),
    "a list is null": _changed(lambda document, name: document.update({name: None})),
    "a list is a number": _changed(lambda document, name: document.update({name: 7})),
    "an entry is a text": _changed(_first_entry),
}


def _own(root: Path) -> Path:
    return write_set(root, pictures=False)


def _action_genome(root: Path) -> Path:
    return test_action_genome_coco.write(root, small_set(root.parent / "own"))


def _relations(root: Path) -> Path:
    return test_coco_relations.write(root, train=test_coco_relations.document(), test=test_coco_relations.document())


# Of every format what makes a set, the file that is damaged, and a list in it.
FORMATS: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "coco_video": (_own, "train.json", "annotations"),
    "coco_relations": (_relations, "train/_annotations.coco.json", "rel_annotations"),
    "action_genome_coco": (_action_genome, "ag_train_coco_style.json", "annotations"),
    "vidvrd": (test_vidvrd.small, "train/train000.json", "trajectories"),
    "vidor": (
        lambda root: test_vidvrd.small(root, form="vidor"),
        "annotation/training/0000/train000.json",
        "relation_instances",
    ),
    "vidvrd_coco": (lambda root: write_coco_style(root, made_up()), TRAIN, "videos"),
    "pvsg": (lambda root: test_pvsg.write(root)[0], "pvsg.json", "data"),
}


@pytest.mark.parametrize("form", FORMATS)
def test_one_message_and_nothing_written(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, name, listed = FORMATS[form]
    root, out = make(tmp_path / "set"), tmp_path / "out"
    assert main(["data", "convert", str(root), str(tmp_path / "good")]) == 0  # as it is, it can be used
    assert (tmp_path / "good" / "train.json").is_file()
    file, before = root / name, {path for path in tmp_path.rglob("*") if ".vidsgg" not in path.parts}
    whole = file.read_text(encoding="utf-8")
    for what, damage in DAMAGES.items():
        damaged = damage(whole, listed)
        file.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
        capsys.readouterr()
        assert main(["data", "convert", str(root), str(out)]) == 2, what
        said = capsys.readouterr().err
        lines = [line for line in said.splitlines() if not line.startswith("PVSG, masks")]  # a progress bar
        assert len(lines) == 1 and lines[0].startswith("error: ") and file.name in lines[0], (what, said)
        assert "Traceback" not in said and not out.exists()
        left = {path for path in tmp_path.rglob("*") if ".vidsgg" not in path.parts}
        assert not [path for path in left - before if path.suffix != ".npz"], what  # but for the cache


def test_there_are_more_than_fifty() -> None:
    assert len(FORMATS) * len(DAMAGES) >= 50
