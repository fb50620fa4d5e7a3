"""Finished runs: reading their checkpoints, and building their models again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from vidsgg.datasets.base import VideoDataset
from vidsgg.engine.checkpoint import find_checkpoint, load_checkpoint
from vidsgg.engine.distributed import ALONE, Team
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.methods.options import TrainOptions, options_from
from vidsgg.methods.registry import find_method
from vidsgg.plugins import withhold_code
from vidsgg.recipes.build import choose_device, move_to
from vidsgg.recipes.sources import FeatureSource, open_source
from vidsgg.structures.schema import Schema


@dataclass(frozen=True, eq=False)
class SavedRun:
    """A checkpoint file, its content, and the options of the run that wrote it (or that an import gave it)."""

    file: Path
    content: dict[str, Any]
    options: TrainOptions  # with their defaults where the file names code
    code: Mapping[str, str] = field(default_factory=dict)  # the options by which it does, see vidsgg/plugins.py

    def had(self, name: str) -> Any:
        """The value of an option as the run had it, to be compared with another and not to be used."""
        return self.code.get(name, getattr(self.options, name, None))

    @property
    def imported(self) -> bool:
        """Whether the weights are the authors', see ``vidsgg import-checkpoint``."""
        return "imported_from" in self.content


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model as its checkpoint has it, with what it reads. options: those of its run, with what the caller changed."""

    model: nn.Module
    source: FeatureSource
    options: TrainOptions


def read_run(path: Path, *, mmap: bool = False) -> SavedRun:
    """path: a checkpoint file or a run's folder. mmap: as load_tensors. Raises CheckpointError if it is none of ours."""
    file = find_checkpoint(path)
    content = load_checkpoint(file, mmap=mmap)
    config = content["config"]
    if "model" not in config:
        raise CheckpointError(f"{file} does not say which model it holds.")
    try:
        kind = find_method(str(config["model"])).options
        return SavedRun(file, content, options_from(config, kind), withhold_code(config, kind)[1])
    except ConfigError as error:
        raise CheckpointError(f"{file}: its configuration cannot be used: {error}") from error


def load_model(
    run: SavedRun, root: Path, datasets: Sequence[VideoDataset], device: str, *, team: Team = ALONE, **changes: Any
) -> TrainedModel:
    """Build the model of a checkpoint to score the videos of a data set. changes: options to use in place of the run's; None changes nothing.

    Raises CheckpointError if checkpoint and data set do not fit, or if the detector is not the one that the model was trained with and
    was not asked for.
    """
    options = replace(run.options, **{name: value for name, value in changes.items() if value is not None})
    schema = datasets[0].schema
    entry = find_method(options.model)
    entry.capabilities.check(entry.name, options.mode, schema)
    if run.content.get("vocabulary") != vocabulary_record(schema):
        raise CheckpointError(
            f"{run.file} was trained on other classes than {schema.name!r} has; evaluate it on a data set of its own kind."
        )
    source = open_source(
        root,
        schema,
        options.mode,
        choose_device(device, team),
        looks=entry.capabilities.needs_detector(options.mode),
        detector=options.detector,
        features=options.features,
        reference_compat=options.reference_compat,
        raw_detections=entry.capabilities.raw_detections,
        needed=[(dataset, False) for dataset in datasets],
    )
    return model_on(run, source, schema, options, any_detector=changes.get("detector") is not None)


def model_on(run: SavedRun, source: FeatureSource, schema: Schema, options: TrainOptions, *, any_detector: bool) -> TrainedModel:
    """The model of a checkpoint, to read what ``source`` gives. any_detector: also another one than it was trained with.

    Raises CheckpointError as load_model does.
    """
    entry = find_method(options.model)
    if entry.capabilities.visual and run.content.get("feature_widths") != widths_record(source):
        raise CheckpointError(
            f"{run.file} was trained on features of widths {run.content.get('feature_widths')}, but there are {source.widths} now"
            f" ({source.lines[0]}). Name its detector with -detector."
        )
    trained_with = run.content.get("detector")
    if not any_detector and trained_with is not None and trained_with != source.detector_record():
        raise CheckpointError(
            f"{run.file} was trained with another detector than {source.name!r} is now. Name the one that it was trained with by -detector;"
            " a detector that is named is used whatever it is."
        )
    model = entry.build(schema, source.widths, options)
    try:
        model.load_state_dict(run.content["model_state_dict"])
    except RuntimeError as error:
        raise CheckpointError(f"{run.file} does not fit model {options.model!r}: {' '.join(str(error).split())[:300]}") from error
    move_to(model, source.device)
    return TrainedModel(model.eval(), source, options)


def widths_record(source: FeatureSource) -> dict[str, int]:
    """Widths of the features as plain values, for checkpoints."""
    return {"node": source.widths.node, "union": source.widths.union, "action": source.widths.action}


def vocabulary_record(schema: Schema) -> dict[str, Any]:
    """Class names of a schema as plain values, to tell later whether a checkpoint fits a data set."""
    vocabulary = schema.vocabulary
    return {
        "objects": list(vocabulary.objects),
        "subjects": list(vocabulary.subjects),
        "predicates": {group.name: list(group.predicates) for group in vocabulary.groups},
    }
