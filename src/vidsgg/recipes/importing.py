"""Files of the methods' authors, turned into ours: what is it, what of it has a place, and what is left out and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.authors import is_detector
from vidsgg.detectors.files import KIND, detector_of_authors, save_detector
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.io.tensors import load_tensors, save_tensors
from vidsgg.models.authors.sttran import infer_sttran, is_sttran, sttran_state
from vidsgg.recipes.model_options import STTranOptions
from vidsgg.recipes.models import model_entry
from vidsgg.recipes.runs import vocabulary_record
from vidsgg.structures.schema import MODES


@dataclass(frozen=True)
class Imported:
    """path: the file written. lines: what was found, taken and left out, and what to do with the file."""

    path: Path
    lines: tuple[str, ...]


def run_import(file: Path, *, out: Path | None = None, mode: str | None = None, model: str | None = None) -> Imported:
    """Write a detector's or a model's file in our format, by default beside it as ``<name>_vidsgg``.

    mode, model: of a model; the mode is not in the file. Raises CheckpointError if the file is of no kind that we know or does not fit,
    ConfigError if the options do not fit it, or something lies where it is to be written.
    """
    content = load_tensors(file)
    if content.get("kind") == KIND or "model_state_dict" in content:
        raise ConfigError(f"{file} is a file of vidsgg already; use it as it is.")
    state = _state_dict(file, content)
    path = out or file.with_name(f"{file.stem}_vidsgg{file.suffix}")
    if path.exists():
        raise ConfigError(f"option -out: {path} is there already; choose another place or delete it.")
    if is_detector(state):
        if mode is not None or model is not None:
            raise ConfigError(f"{file} holds a detector, which has no mode and is no relation model; leave out -mode and -model.")
        return _import_detector(file, state, path)
    if not is_sttran(state):
        raise CheckpointError(
            f"{file} is neither the detector (entries such as RCNN_base.0.weight) nor STTran (glocal_transformer...)."
            f" Its first entries are {', '.join(map(repr, list(state)[:3]))}."
        )
    if model not in (None, "sttran"):
        raise ConfigError(f"option -model: {file} holds STTran, not {model!r}.")
    if mode is None:
        raise ConfigError(
            f"option -mode is required: {file} holds STTran, whose file does not tell its mode. Name the one that it was trained in:"
            f" {', '.join(MODES)}."
        )
    return _import_sttran(file, state, path, mode)


def _state_dict(file: Path, content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights, which lie at the top, under "state_dict" (STTran) or under "model" (the detector)."""
    state = next((content[key] for key in ("state_dict", "model") if isinstance(content.get(key), Mapping)), content)
    strange = next((name for name, value in state.items() if not isinstance(value, Tensor)), None)
    if strange is not None or not state:
        found = "nothing" if strange is None else f"{strange!r}, a {type(state[strange]).__name__}"
        raise CheckpointError(f"{file} holds {found} where weights are expected; a state dict of tensors is needed.")
    return dict(state)


def _import_detector(file: Path, state: dict[str, Tensor], path: Path) -> Imported:
    detector, left_over = detector_of_authors(file, state)
    save_detector(path, detector, {"imported_from": file.name})
    description = detector.describe()
    return Imported(
        path,
        (
            f"{file}: the detector of Action Genome's methods, {description['detector']}",
            *(f"  {name}: {value}" for name, value in description.items() if name != "detector"),
            f"  classes: {len(detector.classes)}, Action Genome's, background included",
            _taken(state, left_over),
            *_left_out(left_over, "counters of batch normalisation, which is frozen here"),
            f"written to {path}; use it with -detector {path}, or name it detector.pth in the data set's folder",
        ),
    )


def _import_sttran(file: Path, state: dict[str, Tensor], path: Path, mode: str) -> Imported:
    sizes, widths = infer_sttran(state)
    options = STTranOptions(mode=mode, reference_compat=True, **sizes)
    _check_classes(file, state)
    ours, left_over = sttran_state(state, mode)
    try:
        model = model_entry("sttran").build(SCHEMA, widths, options)
        model.load_state_dict(ours)
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(f"{file} does not fit our STTran of sizes {sizes}: {' '.join(str(error).split())[:300]}") from error
    content = {
        "epoch": 0,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": {},
        "loss": math.nan,
        "config": options.to_dict(),
        "feature_widths": {"node": widths.node, "union": widths.union, "action": widths.action},
        "vocabulary": vocabulary_record(SCHEMA),
        "imported_from": file.name,
    }
    save_tensors(path, content)
    groups = ", ".join(f"{len(group)} {group.name}" for group in SCHEMA.vocabulary.groups)
    return Imported(
        path,
        (
            f"{file}: STTran (Cong et al., ICCV 2021), for mode {mode}",
            *(f"  {name}: {size}" for name, size in sizes.items()),
            f"  reads: RoI features {widths.node} wide, union features of {widths.union} channels",
            f"  classes: {len(SCHEMA.vocabulary.objects)}, Action Genome's, background included; predicates: {groups}",
            _taken(state, left_over),
            *_left_out(left_over, "the object classifier, which predcls does not use" if mode == "predcls" else "no place for them"),
            f"written to {path}; score it with 'vidsgg evaluate -checkpoint {path} -detector FILE', FILE being the published detector or what it was imported to",
        ),
    )


def _check_classes(file: Path, state: Mapping[str, Tensor]) -> None:
    """Names are not in the file, so numbers have to do: those of Action Genome."""
    rows = {"obj_embed.weight": len(SCHEMA.vocabulary.objects)}
    rows |= {f"{group.name[0]}_rel_compress.weight": len(group) for group in SCHEMA.vocabulary.groups}
    for name, count in rows.items():
        if name not in state or len(state[name]) != count:
            found = f"has {len(state[name])} rows" if name in state else "is missing"
            raise CheckpointError(f"{file}: {name} {found}; with Action Genome's classes it has {count}.")


def _taken(state: Mapping[str, Tensor], left_over: list[str]) -> str:
    taken = [value.numel() for name, value in state.items() if name not in left_over]
    return f"  taken: {len(taken)} entries, {sum(taken):,} numbers"


def _left_out(names: list[str], reason: str) -> list[str]:
    return [f"  left out: {len(names)} entries, {reason}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"] if names else []
