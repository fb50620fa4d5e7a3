"""``vidsgg import-checkpoint``: what a file of a method's authors is, what of it has a place, and
what is left out and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.authors import is_detector, read_authors
from vidsgg.detectors.files import save_detector
from vidsgg.engine.checkpoint import Checkpoint, Provenance
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.methods.authors_file import AuthorsFile, AuthorsFormat
from vidsgg.methods.method import ImportOptions, Method
from vidsgg.methods.registry import methods
from vidsgg.recipes.command_options import ImportCheckpointOptions
from vidsgg.recipes.method_options import asked_of
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class Imported:
    path: Path  # the file written
    lines: tuple[str, ...]  # what was found, taken and left out, and what to do with the file


def run_import(options: ImportCheckpointOptions) -> Imported:
    """Write a detector's or a model's file in our format, by default beside it as
    ``<name>_vidsgg``.

    Raises CheckpointError if the file is of no kind that we know or does not fit, ConfigError if
    the options do not fit it, one is lacking, or something lies where it is to be written.
    """
    file = AuthorsFile.read(options.file)
    path = options.out or options.file.with_name(f"{options.file.stem}_vidsgg{options.file.suffix}")
    if path.exists():
        raise ConfigError(f"option -out: {path} is there already; choose another place or delete it.")
    if is_detector(file.state):
        if options.mode is not None or options.model is not None:
            raise ConfigError(
                f"{file.path} holds a detector, which has no mode and is no relation model; leave out -mode and -model."
            )
        return _import_detector(file, path)
    found = [(method, authors) for method in methods().values() if (authors := method.authors()) is not None]
    method, authors = next((pair for pair in found if pair[1].recognises(file.state)), (None, None))
    if method is None or authors is None:
        known = ", ".join(f"{authors.name} ({authors.known_by})" for _, authors in found)
        raise CheckpointError(
            f"{file.path} is neither the detector (entries such as RCNN_base.0.weight) nor any of {known}."
            f" Its first entries are {', '.join(map(repr, list(file.state)[:3]))}."
        )
    if options.model not in (None, method.name):
        raise ConfigError(f"option -model: {file.path} holds {authors.name}, not {options.model!r}.")
    asked = method.importing(**asked_of(method, "importing", options, f"{file.path} holds {authors.name}"))
    return _import_relation_model(method, authors, file, asked, path)


def _import_detector(file: AuthorsFile, path: Path) -> Imported:
    """Write the detector to ``path``. Raises CheckpointError if its weights do not fit."""
    detector, left_over = read_authors(file.path, file.state)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_detector(path, detector, {"imported_from": file.path.name})
    description = detector.describe()
    return Imported(
        path,
        (
            f"{file.path}: the detector of Action Genome's methods, {description['detector']}",
            *(f"  {name}: {value}" for name, value in description.items() if name != "detector"),
            f"  classes: {len(detector.classes)}, Action Genome's, background included",
            *file.account(left_over, "counters of batch normalisation, which is frozen here"),
            f"written to {path}; use it with -detector {path}, or name it detector.pth in the data set's folder",
        ),
    )


def _import_relation_model(
    method: Method[Any], authors: AuthorsFormat, file: AuthorsFile, asked: ImportOptions, path: Path
) -> Imported:
    """Write the checkpoint of a relation model to ``path``. Raises as ``AuthorsFormat.read``."""
    try:
        found = authors.read(file, asked)
    except IndexError as error:  # sizes are read off the shapes of weights
        raise CheckpointError(
            f"{file.path} does not fit our {authors.name}: a weight has fewer dimensions than there."
        ) from error
    schema, widths = found.schema, found.widths
    given = next((name for name in ("data_path", "words") if getattr(asked, name) is not None), None)
    if given is not None and schema is SCHEMA:
        raise ConfigError(
            f"option -{given}: {file.path} holds {authors.name} for {schema.title}, whose classes are known; leave it out."
        )
    try:
        model = method.build(schema, found.widths, found.options)
        start = {name: value for name, value in model.state_dict().items() if name.startswith(found.keeps)}
        model.load_state_dict(start | dict(found.state))
    except (ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{file.path} does not fit our {authors.name}: {' '.join(str(error).split())[:300]}"
        ) from error
    pictures = method.capabilities.pictures
    provenance = Provenance(config=found.options.to_dict(), schema=schema, widths=widths, imported_from=file.path.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Checkpoint(provenance, model.state_dict(), epoch=0, loss=math.nan).save(path)
    return Imported(
        path,
        (
            f"{file.path}: {authors.title}, for mode {found.options.mode}",
            *(f"  {line}" for line in found.about),
            *(f"  {line}" for line in _about(schema, widths, pictures)),
            *file.account(found.left_over, found.reason),
            f"written to {path}; score it with 'vidsgg evaluate -checkpoint {path} {_scored_with(schema, asked, pictures)}",
        ),
    )


def _about(schema: Schema, widths: FeatureWidths, pictures: bool) -> tuple[str, str]:
    """What a model reads and knows, in words."""
    groups = ", ".join(f"{len(group)} {group.name}" for group in schema.vocabulary.groups)
    classes = len(schema.vocabulary.objects)
    if schema.subject_has_box:
        return (
            "reads: pictures"
            if pictures
            else f"reads: RoI features {widths.node} wide, union features of {widths.union} channels",
            f"classes: {classes}, {schema.title}'s, background included; predicates: {groups}",
        )
    return (
        f"reads: RoI features {widths.node} wide, action features {widths.action} wide",
        f"classes: {classes - 1}, {schema.title}'s; actions: {len(schema.vocabulary.subjects)}; predicates: {groups}",
    )


def _scored_with(schema: Schema, asked: ImportOptions, pictures: bool) -> str:
    """The rest of the command that scores a checkpoint."""
    if pictures:
        return "-data_path DIR'"
    if schema.has_frames:
        return "-detector FILE', FILE being the published detector or what it was imported to"
    return f"-data_path {asked.data_path}', where the features lie that it reads"
