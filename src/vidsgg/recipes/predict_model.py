"""The model of a checkpoint with its detector, ready for videos that belong to no data set, and what graphs say of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.store_key import weights_digest
from vidsgg.errors import CheckpointError, ConfigError, VidsggError
from vidsgg.inference.video import Scorer
from vidsgg.methods.registry import find_method
from vidsgg.recipes.build import choose_device
from vidsgg.recipes.detectors import IN_DATA_FOLDER, NAMES
from vidsgg.recipes.options import PredictOptions
from vidsgg.recipes.runs import SavedRun, TrainedModel, model_on, vocabulary_record
from vidsgg.recipes.sources import FeatureSource, open_source
from vidsgg.structures.graph import Origin
from vidsgg.structures.schema import Schema


def check_run(run: SavedRun, options: PredictOptions) -> Schema:
    """What the checkpoint knows of the world. Raises ConfigError if it cannot read a video, or not with these options, with the remedy."""
    mode, vocabulary = run.options.mode, run.content.get("vocabulary") or {}
    if not set(vocabulary.get("subjects", ())) <= set(vocabulary.get("objects", ())):
        raise ConfigError(
            f"{run.file} relates actions ({', '.join(vocabulary['subjects'][:3])}, ...) to things, as EASG does: which actions and things"
            " there are comes with its annotated clips, not from a video. Name one of its clips with -video, without a video file."
        )
    if vocabulary != vocabulary_record(SCHEMA):
        raise ConfigError(
            f"{run.file} was trained on classes that are not Action Genome's; only these are known for videos without annotation."
        )
    if mode != "sgdet" and options.boxes is None:
        raise ConfigError(
            f"{run.file} is a model for {mode}, which reads given boxes: give them with -boxes FILE, or take a checkpoint of mode sgdet,"
            " which finds them itself."
        )
    if mode == "sgdet" and options.boxes is not None:
        raise ConfigError(
            f"{run.file} is a model for sgdet, which finds boxes itself: leave out -boxes, or take one of mode predcls or sgcls."
        )
    find_method(run.options.model).capabilities.check(run.options.model, mode, SCHEMA)
    return SCHEMA


def load_for_videos(run: SavedRun, schema: Schema, options: PredictOptions) -> TrainedModel:
    """The model and the detector that it was trained with, or the one that is named.

    Raises CheckpointError naming where it was looked for if the detector is not found.
    """
    return model_on(run, _find_source(run, schema, options), schema, run.options, any_detector=options.detector is not None)


def scorer_of(trained: TrainedModel, schema: Schema) -> Scorer:
    """The same in the form in which videos are read."""
    source, extractor = trained.source, None
    if source.detector is not None:
        assert source.key is not None
        compat, raw = source.key.reference_compat, source.key.raw_detections
        extractor = ClipExtractor(source.detector, source.mode, learn=False, reference_compat=compat, raw_detections=raw)
    return Scorer(trained.model, extractor, schema, source.mode, source.device, trained.options.exclusive_decoding)


def unsure_above(run: SavedRun, options: PredictOptions) -> float | None:
    """The uncertainty above which edges are marked; None of models that know none. Raises ConfigError if it is asked for of those."""
    trained: float | None = getattr(run.options, "uncertainty_threshold", None)
    if trained is None and options.uncertainty_threshold is not None:
        raise ConfigError(
            f"option -uncertainty_threshold: {run.file} is of model {run.options.model!r}, which knows no uncertainty; leave it out."
        )
    return trained if options.uncertainty_threshold is None else options.uncertainty_threshold


def origin_of(run: SavedRun, trained: TrainedModel, fps: float | None = None, settings: dict[str, float] | None = None) -> Origin:
    """What graphs say of what made them."""
    key = trained.source.key
    weights = weights_digest(run.content["model_state_dict"]) + (key.weights if key else "")
    return Origin(
        model=run.options.model,
        mode=run.options.mode,
        checkpoint=f"{run.file.resolve().parent.name}/{run.file.name}",
        weights=hashlib.sha256(weights.encode()).hexdigest(),
        detector=key.detector_name if key else None,
        fps=fps,
        settings=tuple((settings or {}).items()),
    )


def find_detector_of(run: SavedRun, options: PredictOptions, record_of: Callable[[str], Mapping[str, Any] | None]) -> str:
    """The name or file of the detector that a model was trained with. record_of: ``FeatureSource.detector_record`` of a name or file, or a
    VidsggError that says why it has none.

    Raises CheckpointError naming where it was looked for if it is not found.
    """
    wanted, tried = run.content.get("detector"), []
    for name in detector_places(run, options):
        if name not in NAMES and not Path(name).is_file():
            tried.append(f"{name} is not there")
            continue
        try:
            found = record_of(name)
        except VidsggError as error:
            tried.append(str(error))
            continue
        if wanted is None or found == wanted:
            return name
        tried.append(f"{name} is another one")
    raise CheckpointError(
        f"{run.file}: the detector that it was trained with is not found. Name it with -detector, or put it beside the checkpoint as"
        f" {IN_DATA_FOLDER[0]}. Looked for: {'; '.join(tried)}."
    )


def looks_at_pictures(run: SavedRun) -> bool:
    """Whether the model of a run needs a detector."""
    return find_method(run.options.model).capabilities.needs_detector(run.options.mode)


def detector_places(run: SavedRun, options: PredictOptions) -> tuple[str, ...]:
    """Where the detector of a run may be: beside the checkpoint, where the run had it, in the data folder. Names and files."""
    return tuple(dict.fromkeys(_candidates(run, options)))


def _find_source(run: SavedRun, schema: Schema, options: PredictOptions) -> FeatureSource:
    trained, device, looks = run.options, choose_device(options.device), looks_at_pictures(run)

    def source(detector: str) -> FeatureSource:
        return open_source(
            Path(),
            schema,
            trained.mode,
            device,
            looks=looks,
            detector=detector,
            reference_compat=trained.reference_compat,
            raw_detections=find_method(trained.model).capabilities.raw_detections,
        )

    if not looks or options.detector is not None:
        return source(options.detector or "")
    opened: dict[str, FeatureSource] = {}

    def record_of(name: str) -> Mapping[str, Any] | None:
        opened.clear()  # one detector in memory at a time
        opened[name] = source(name)
        return opened[name].detector_record()

    return opened[find_detector_of(run, options, record_of)]


def _candidates(run: SavedRun, options: PredictOptions) -> Iterator[str]:
    yield from (str(run.file.parent / name) for name in IN_DATA_FOLDER)
    if run.options.detector != "auto":
        yield run.options.detector
    for folder in (options.data_path, run.options.data_path):
        if folder is not None:
            yield from (str(Path(folder) / name) for name in IN_DATA_FOLDER)
