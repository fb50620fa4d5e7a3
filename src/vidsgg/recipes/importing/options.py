"""Options of ``vidsgg import-checkpoint``: what the authors' files do not tell. Nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidsgg.options import option


@dataclass(frozen=True)
class ImportOptions:
    """Those that belong to a method are None unless they are asked for; a method's module says which it takes."""

    file: Path = option(help="such as faster_rcnn_ag.pth or sttran_predcls.tar", place="input")
    out: Path | None = option(None, "file to write; by default <name>_vidsgg beside the given one", place="new file")
    mode: Literal["predcls", "sgcls", "sgdet"] | None = option(
        None, "the mode that a relation model was trained in, which its file does not say"
    )
    model: str | None = option(None, "the relation model that the file holds; recognised by itself, given to be sure")
    memory: bool | None = option(None, "tempura: restore the prototypes of the file, without which its authors score it")
    mem_feat_lambda: str | None = option(None, "tempura: share of a feature beside the memory's answer, a number or 'sum'")
    mem_fusion: Literal["early", "late"] | None = option(None, "tempura: where its relation memory is asked")
    N_layer: int | None = option(None, "stket: how often its encoder layers run, if not once", low=1, high=1000)
    pred_contact_threshold: float | None = option(
        None, "stket: probability from which on a predicted contact is taken for one", low=0, high=1
    )
    use_spatial_prior: bool | None = option(None, "stket: whether its spatial part reads priors")
    use_temporal_prior: bool | None = option(None, "stket: whether its temporal part reads priors")
