"""``vidsgg import-checkpoint``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidsgg.cli.options import parse
from vidsgg.options import option

DESCRIPTION = "Turn a file that a method's authors published, of the Action Genome detector or of STTran, into one of ours."


@dataclass(frozen=True)
class ImportOptions:
    file: Path = option(help="such as faster_rcnn_ag.pth or sttran_predcls.tar")
    out: Path | None = option(None, "file to write; by default <name>_vidsgg beside the given one")
    mode: Literal["predcls", "sgcls", "sgdet"] | None = option(
        None, "the mode that a relation model was trained in, which its file does not say"
    )
    model: str | None = option(None, "the relation model that the file holds; recognised by itself, given to be sure")


def main(argv: Sequence[str]) -> int:
    options = parse(ImportOptions, argv, prog="vidsgg import-checkpoint", description=DESCRIPTION, positional=("file",))
    from vidsgg.recipes.importing import run_import  # torch

    print("\n".join(run_import(options.file, out=options.out, mode=options.mode, model=options.model).lines))
    return 0
