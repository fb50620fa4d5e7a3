"""What importing asks of a method, and the checkpoint that is written of what it reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import CheckpointError
from vidsgg.io.tensors import save_tensors
from vidsgg.methods.options import TrainOptions
from vidsgg.methods.registry import find_method
from vidsgg.recipes.importing.authors_file import AuthorsFile, Imported
from vidsgg.recipes.importing.options import ImportOptions
from vidsgg.recipes.runs import vocabulary_record
from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds, in our terms. options: of a run of the model. state: its weights under our names. about: lines on what was read
    off the weights or asked for. left_over, reason: the authors' names that have no place in it, and why. keeps: how the names of ours
    begin that may be missing and then stay as they are in a new model.
    """

    options: TrainOptions
    widths: FeatureWidths
    state: Mapping[str, Tensor]
    about: tuple[str, ...]
    left_over: tuple[str, ...] = ()
    reason: str = "no place for them"
    keeps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """model: our name of it; title: how people call it; known_by: its names in a file, for people; recognises: whether a file's names are
    its. choices: the options of the import that it takes besides the mode; read: a file in our terms, by what is asked for.

    ``read`` raises CheckpointError if the weights do not fit, ConfigError naming an option that has to be given.
    """

    model: str
    title: str
    known_by: str
    recognises: Callable[[Mapping[str, Tensor]], bool]
    read: Callable[[AuthorsFile, ImportOptions], Found]
    choices: tuple[str, ...] = ()


def import_relation_model(method: Method, file: AuthorsFile, options: ImportOptions, path: Path) -> Imported:
    """Write the checkpoint of a relation model, for Action Genome, to ``path``. Raises as ``Method.read``."""
    found = method.read(file, options)
    try:
        model = find_method(method.model).build(SCHEMA, found.widths, found.options)
        start = {name: value for name, value in model.state_dict().items() if name.startswith(found.keeps)}
        model.load_state_dict(start | dict(found.state))
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{file.path} does not fit our {method.title.split(' (')[0]}: {' '.join(str(error).split())[:300]}"
        ) from error
    widths = found.widths
    content = {
        "epoch": 0,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": {},
        "loss": math.nan,
        "config": found.options.to_dict(),
        "feature_widths": {"node": widths.node, "union": widths.union, "action": widths.action},
        "vocabulary": vocabulary_record(SCHEMA),
        "imported_from": file.path.name,
    }
    save_tensors(path, content)
    groups = ", ".join(f"{len(group)} {group.name}" for group in SCHEMA.vocabulary.groups)
    return Imported(
        path,
        (
            f"{file.path}: {method.title}, for mode {found.options.mode}",
            *(f"  {line}" for line in found.about),
            f"  reads: RoI features {widths.node} wide, union features of {widths.union} channels",
            f"  classes: {len(SCHEMA.vocabulary.objects)}, Action Genome's, background included; predicates: {groups}",
            *file.account(found.left_over, found.reason),
            f"written to {path}; score it with 'vidsgg evaluate -checkpoint {path} -detector FILE', FILE being the published detector or what it was imported to",
        ),
    )
