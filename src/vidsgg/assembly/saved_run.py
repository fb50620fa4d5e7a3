"""Finished runs: reading their checkpoints, and building their models again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from vidsgg.assembly.data import choose_device, move_to, resolve_data_path
from vidsgg.assembly.detectors import IN_DATA_FOLDER, SHARED_DETECTOR, best_of_run, is_detector_name, widths_of
from vidsgg.assembly.run_places import check_not_recorded, find_places, is_found, place_options, possible_places
from vidsgg.assembly.sources import FeatureSource, open_source
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.registry import videos_folder
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.detectors.record import DetectorRecord
from vidsgg.engine.checkpoint import Checkpoint, Plain, Provenance
from vidsgg.engine.checkpoint_files import SHARED, find_checkpoint
from vidsgg.engine.distributed import ALONE, Team
from vidsgg.errors import CheckpointError, ConfigError, VidsggError
from vidsgg.io.hub import fetch, hub_name, is_hub_address
from vidsgg.io.locations import Location, location
from vidsgg.methods.method import Method, network_options
from vidsgg.methods.registry import METHODS, built_in_models, find_method
from vidsgg.methods.training_options import LAYOUT, TrainOptions, options_from
from vidsgg.models.capabilities import Capabilities
from vidsgg.ops.undrawn import undrawn
from vidsgg.plugins import withhold_code
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

# What is fetched of a model on the hub, and the most bytes of each file.
SHARED_FILES = {SHARED: 16 << 30, SHARED_DETECTOR: 4 << 30, "README.md": 1 << 20}


@dataclass(frozen=True, eq=False)
class SavedRun:
    """A checkpoint with its file, and the options of the run that wrote it (or that an import gave
    it)."""

    file: Path
    checkpoint: Checkpoint
    options: TrainOptions  # with their defaults where the file names code
    code: Mapping[str, str] = field(default_factory=dict)  # the options by which it does, see vidsgg/plugins.py
    built_in: bool = False  # a model of the package that needs no training; ``file`` is its name
    on_hub: str | None = None  # ORG/NAME of a model that was fetched from there

    @property
    def home(self) -> Path:
        """Where what is made of it is written by default. Nothing is written into the cache of the hub."""
        return self.file.parent if self.on_hub is None else Path("output") / self.on_hub

    def had(self, name: str) -> Any:
        """The value of an option as the run had it, to be compared with another and not to be
        used."""
        return self.code.get(name, getattr(self.options, name, None))

    @property
    def made(self) -> Provenance:
        return self.checkpoint.provenance

    @property
    def imported(self) -> bool:
        """Whether the weights are the authors', see ``vidsgg import-checkpoint``."""
        return self.made.imported_from is not None


@dataclass(frozen=True, eq=False)
class ReadyModel:
    """A network with the weights of its checkpoint, and what it reads. options: those of its run,
    with what the caller changed."""

    model: nn.Module
    source: FeatureSource
    options: TrainOptions


def read_run(path: Path, *, mmap: bool = False, to_go_on: bool = False, model: str | None = None) -> SavedRun:
    """path: a checkpoint file, a run's folder, or the name of a model that needs no training, where
    no file and no folder is called so. mmap: as load_tensors. to_go_on: with what training needs to go on. model: as the user names it, which
    also lets in code of his own.

    Raises CheckpointError if it is none of ours, or of code that was not named; ConfigError if it
    is of another model than ``model``.
    """
    if model is not None:
        METHODS.admit(model)
    on_hub = None
    if is_hub_address(path):
        on_hub, path = hub_name(path), fetch(path, SHARED_FILES, SHARED)
    if not path.exists() and str(path) in built_in_models():
        run = built_in_run(str(path))
        return _checked(run, model)
    file = find_checkpoint(path)
    checkpoint = Checkpoint.load(file, mmap=mmap, to_go_on=to_go_on)
    config, started_in = checkpoint.provenance.config, checkpoint.provenance.started_in
    if "model" not in config:
        raise CheckpointError(f"{file} does not name its model.")
    try:
        kind = find_method(str(config["model"])).options
        if file.suffix == Path(SHARED).suffix:  # from others, who do not choose among the files of this machine
            config = of_everybody(config, kind)
        options = find_places(options_from(config, kind), file.parent, started_in)
    except ConfigError as error:
        raise CheckpointError(f"{file}: its configuration cannot be used: {error}") from error
    return _checked(SavedRun(file, checkpoint, options, withhold_code(config, kind)[1], on_hub=on_hub), model)


def of_everybody(config: Mapping[str, Plain], kind: type) -> dict[str, Plain]:
    """The options of a run without those that name a file or a folder of one machine. A detector
    that has a name stays: everybody has it."""
    own = {*place_options(kind), "save_path"}
    return {
        name: value
        for name, value in config.items()
        if name not in own or (name == "detector" and is_detector_name(str(value)))
    }


def _checked(run: SavedRun, model: str | None) -> SavedRun:
    """Raises ConfigError if it is of another model than the user names."""
    if model not in (None, run.options.model):
        raise ConfigError(f"option -model: {run.file} is of model {run.options.model!r}, not {model!r}.")
    return run


def built_in_run(name: str, mode: str = "sgdet") -> SavedRun:
    """A model of the package that needs no training, as if a run had left it. Raises ConfigError for
    a name that is none, and for a mode that the model does not have."""
    method = find_method(name)
    schema = method.ready_schema()
    if schema is None:
        raise ConfigError(f"model {name!r} must be trained; without training there are {', '.join(built_in_models())}.")
    method.capabilities.check(name, mode, schema)
    options = options_from({"model": name, "mode": mode}, method.options)
    widths = FeatureWidths()
    provenance = Provenance(config=options.to_dict(), schema=schema, widths=widths, synthetic=False)
    weights = method.build(schema, widths, options).state_dict()
    return SavedRun(Path(name), Checkpoint(provenance, weights, epoch=0), options, built_in=True)


def data_of(run: SavedRun, given: str | None) -> Location:
    """The folder of the data set that is given, else of the one that a run was trained on. Raises
    ConfigError naming where it is not, and for an address that is not given."""
    had = run.options.data_path
    if given is None:
        check_not_recorded("data_path", had, run.file)
    if given is None and had is not None and not is_found(had):
        looked = ", ".join(map(str, places_of(run, had)))
        raise ConfigError(
            f"the data set that {run.file} was trained on is not found. Name its folder with -data_path. Looked for:"
            f" {looked}."
        )
    return resolve_data_path(given or had)


def videos_of(run: SavedRun, given: str | None, data_given: str | None) -> Location | None:
    """The folder of the videos that is given with -videos_path, else, unless -data_path names a data set, the
    one that a run was trained with; None for the data set's own. Raises ConfigError as ``data_of``."""
    if given is None and data_given is None:
        given = run.options.videos_path
        check_not_recorded("videos_path", given, run.file)
    return videos_folder(given)


def places_of(run: SavedRun, value: str) -> Sequence[Location]:
    """Where a file or folder may lie that a run names, the likeliest first."""
    return possible_places(value, run.file.parent, run.made.started_in)


def load_model(
    run: SavedRun,
    root: Location,
    datasets: Sequence[VideoDataset],
    device: str,
    *,
    team: Team = ALONE,
    labels: LabelFiles = NO_LABELS,
    **changes: Any,
) -> ReadyModel:
    """Build the model of a checkpoint to score the videos of a data set. labels: what the user says of
    the labels of its detector. changes: options to use in place of the run's; None changes nothing.

    Raises CheckpointError if checkpoint and data set do not fit, or if the detector is not the one
    that the model was trained with and was not asked for.
    """
    changes = {name: value for name, value in changes.items() if value is not None}
    changes |= {"features": _features(run, changes["features"])} if "features" in changes else {}
    options = replace(run.options, **changes)
    schema = datasets[0].schema
    entry = find_method(options.model)
    abilities = entry.abilities(options)
    abilities.check(entry.name, options.mode, schema)
    if not abilities.layout:
        labels.refuse(str(run.file), "reads features by a detector that tells its own classes")
    if not run.checkpoint.schema.same_classes(schema):
        raise CheckpointError(
            f"{run.file} was trained on other classes than {schema.name!r} has; evaluate it on a data set of its own"
            " kind."
        )
    if "features" not in changes:
        check_not_recorded("features", options.features, run.file)
    if options.features not in ("auto", "off", LAYOUT) and not is_found(options.features) and "features" not in changes:
        looked = ", ".join(map(str, places_of(run, options.features)))
        raise ConfigError(
            f"the features that {run.file} was trained on are not found. Name them with -features. Looked for:"
            f" {looked}."
        )
    chosen = choose_device(device, team)

    def source_with(detector: str) -> FeatureSource:
        return open_source(
            root,
            schema,
            options.mode,
            chosen,
            looks=abilities.needs_detector(options.mode),
            detector=detector,
            features=options.features,
            reference_compat=options.reference_compat,
            raw_detections=abilities.raw_detections,
            pictures=abilities.pictures,
            labels=labels,
            needed=[(dataset, False) for dataset in datasets],
            inference=options.inference,
        )

    source = trained_source(run, changes.get("detector"), [root], source_with)
    return model_on(run, source, schema, options, any_detector=changes.get("detector") is not None)


def _features(run: SavedRun, asked: str) -> str:
    """The value of -features by which a run is scored. Raises ConfigError if it contradicts what the model
    was made to read."""
    if run.options.layout and asked in ("auto", LAYOUT):
        return LAYOUT
    if run.options.layout or (asked == LAYOUT and _abilities(run).visual):
        reads = "reads boxes and classes alone (layout)" if run.options.layout else "was trained to read features"
        raise ConfigError(f"option -features: {asked} was asked for, but {run.file} {reads}; leave the option out.")
    return asked


def trained_source(
    run: SavedRun, given: str | None, folders: Sequence[Location], source_with: Callable[[str], FeatureSource]
) -> FeatureSource:
    """What the detector gives that a model was trained with, or the one that is given, as
    ``source_with`` opens it by its name or file.

    folders: data sets in which it may lie. Raises ConfigError if what is given gives features of
    other widths, before anything is fetched or read; CheckpointError naming where it was looked for
    if the model's own is not found.
    """
    if find_method(run.options.model).capabilities.pictures:
        if given is not None:
            raise ConfigError(
                f"option -detector: {run.file} reads pictures itself and needs no detector; leave it out."
            )
        return source_with(run.options.detector)
    if given is not None:
        check_widths(run, given)
        return source_with(given)
    pictures = run.checkpoint.schema.has_frames
    if run.made.detector is None and not (run.imported and pictures):  # nothing looks at pictures
        return source_with(run.options.detector)
    opened: dict[str, FeatureSource] = {}

    def record_of(name: str) -> DetectorRecord | None:
        opened.clear()  # one detector in memory at a time
        opened[name] = source_with(name)
        return opened[name].detector_record()

    return opened[find_detector_of(run, folders, record_of)]


def find_detector_of(
    run: SavedRun, folders: Sequence[Location], record_of: Callable[[str], DetectorRecord | None]
) -> str:
    """The name or file of the detector that a model was trained with. record_of:
    ``FeatureSource.detector_record`` of a name or file, or a VidsggError that says why it has none.

    Raises CheckpointError naming where it was looked for if it is not found.
    """
    wanted, tried = run.made.detector, []
    for name in detector_places(run, folders):
        if not is_detector_name(name) and not os.path.isfile(name):
            tried.append(f"{name} is not there")
            continue
        try:
            check_widths(run, name)
            found = record_of(name)
        except VidsggError as error:
            tried.append(str(error).removesuffix("."))
            continue
        if wanted is None or found == wanted:  # the authors' files do not say which it was
            return name
        tried.append(f"{name} is another one")
    if "detector" in run.code:
        code = run.code["detector"]
        raise CheckpointError(
            f"{run.file} was trained with {code!r}, which is code, and a checkpoint does not choose the code that is"
            f" run. If you trust it, give -detector {code}."
        )
    raise CheckpointError(
        f"{run.file}: the detector that it was trained with is not found. Name it with -detector, or put it beside the"
        f" checkpoint as {IN_DATA_FOLDER[0]}. Looked for: {'; '.join(tried)}."
    )


def looks_at_pictures(run: SavedRun) -> bool:
    """Whether the model of a run needs a detector."""
    return _abilities(run).needs_detector(run.options.mode)


def reads_boxes(run: SavedRun) -> bool:
    """Whether the model of a run reads boxes and classes alone, so that any detector will do."""
    return _abilities(run).reads_boxes(run.options.mode)


def lacks_detector(run: SavedRun) -> bool:
    """Whether the model of a run reads boxes and classes alone and was trained without a detector, so that
    somebody has to choose one that finds boxes in videos."""
    return reads_boxes(run) and run.made.detector is None


def scores_in(run: SavedRun, mode: str) -> bool:
    """Whether the model of a run can be scored in a mode: in its own, and if boxes and classes are all that
    it reads, in every other one that gives both or has a detector find both."""
    abilities = _abilities(run)
    alike = run.checkpoint.schema.subject_has_box and abilities.reads_boxes(run.options.mode)
    return mode == run.options.mode or (alike and abilities.reads_boxes(mode))


def sees_pictures(run: SavedRun) -> bool:
    """Whether the model of a run sees anything of the pictures, themselves or as features."""
    abilities = _abilities(run)
    return abilities.visual or abilities.pictures


def _abilities(run: SavedRun) -> Capabilities:
    return find_method(run.options.model).abilities(run.options)


def detector_places(run: SavedRun, folders: Sequence[Location] = ()) -> tuple[str, ...]:
    """Where the detector of a run may be: beside the checkpoint, where the run had it, in data
    folders of this machine. Names and files."""
    found = [str(run.file.parent / name) for name in (SHARED_DETECTOR, *IN_DATA_FOLDER)]
    if is_detector_name(run.options.detector):
        found.append(run.options.detector)
    elif run.options.detector != "auto":
        found += map(str, places_of(run, run.options.detector))
    had = [location(run.options.data_path)] if run.options.data_path else []
    near = (folder for folder in (*folders, *had) if isinstance(folder, Path))
    found += [str(folder / name) for folder in near for name in IN_DATA_FOLDER]
    return tuple(dict.fromkeys(map(best_of_run, found)))


def check_widths(run: SavedRun, detector: str) -> None:
    """Raises ConfigError if a detector that is known by its name gives features of other widths
    than a model reads."""
    if reads_boxes(run):
        return
    widths, trained = widths_of(detector), run.made.widths
    if widths is None or trained is None or (widths.node, widths.union) == (trained.node, trained.union):
        return
    known = run.made.detector.architecture if run.made.detector else ""
    raise ConfigError(
        f"option -detector: {detector} gives {widths.node} numbers for an object and {widths.union} for a"
        f" pair, but {run.file} was trained on {trained.node} and"
        f" {trained.union}{f', by a {known}' if known else ''}. Leave -detector out to use the detector that"
        " it was trained with, or name a file of the same kind."
    )


def model_on(
    run: SavedRun, source: FeatureSource, schema: Schema, options: TrainOptions, *, any_detector: bool
) -> ReadyModel:
    """The model of a checkpoint, to read what ``source`` gives. any_detector: also another one than
    it was trained with.

    Raises CheckpointError as load_model does.
    """
    entry = find_method(options.model)
    visual = entry.abilities(options).visual
    if visual and run.made.widths != source.widths:
        advice = "Leave -detector out, or name" if any_detector else "Name"
        raise CheckpointError(
            f"{run.file} was trained on features of other widths ({_in_words(run.made.widths)}) than the present"
            f" ones ({_in_words(source.widths)}; {source.lines[0]}). {advice} the detector that it was trained"
            " with, using -detector."
        )
    if visual and not run.imported:
        source.check_makers(run.made.features, str(run.file))
    trained_with = run.made.detector
    if not any_detector and trained_with is not None and trained_with != source.detector_record():
        raise CheckpointError(
            f"{run.file} was trained with another detector than {source.name!r} is now. Name the one that it was"
            " trained with, using -detector; a named detector is always used."
        )
    model = _built(entry, run.checkpoint.weights, schema, source.widths, network_options(options, schema))
    try:
        model.load_state_dict(run.checkpoint.weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{run.file} does not fit model {options.model!r}: {' '.join(str(error).split())[:300]}"
        ) from error
    move_to(model, source.device)
    return ReadyModel(model.eval(), source, options)


def _built(
    entry: Method[Any], weights: Mapping[str, Any], schema: Schema, widths: FeatureWidths, options: TrainOptions
) -> nn.Module:
    """The network of a method for weights that it is then given: they are not drawn first. What
    the weights do not hold is as the method builds it."""
    with undrawn(when=entry.name in METHODS.built_in):
        model = entry.build(schema, widths, options)
    return (
        model if all(name in weights for name, _ in model.named_parameters()) else entry.build(schema, widths, options)
    )


def _in_words(widths: FeatureWidths | None) -> str:
    """``object 2048, pair 1024``."""
    if widths is None:
        return "not recorded"
    named = {"object": widths.node, "pair": widths.union, "action": widths.action}
    return ", ".join(f"{name} {width}" for name, width in named.items() if width) or "none"
