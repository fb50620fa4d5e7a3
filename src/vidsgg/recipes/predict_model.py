"""The model of a checkpoint with its detector, ready for videos that belong to no data set, and what graphs say of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from vidsgg.assembly.data import choose_device
from vidsgg.assembly.saved_run import SavedRun, TrainedModel, looks_at_pictures, model_on, trained_source
from vidsgg.assembly.sources import FeatureSource, open_source
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.store_key import weights_digest
from vidsgg.errors import ConfigError
from vidsgg.inference.video import Scorer
from vidsgg.methods.registry import find_method
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.structures.graph import Origin
from vidsgg.structures.schema import Schema


def check_run(run: SavedRun, options: PredictOptions) -> Schema:
    """What the checkpoint knows of the world. Raises ConfigError if it cannot read a video, or not with these options, with the remedy."""
    mode, schema = run.options.mode, run.checkpoint.schema
    if not schema.subject_has_box:
        raise ConfigError(
            f"{run.file} relates actions ({', '.join(schema.vocabulary.subjects[:3])}, ...) to things, as EASG does: which actions and things"
            " there are comes with its annotated clips, not from a video. Name one of its clips with -video, without a video file."
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
    find_method(run.options.model).capabilities.check(run.options.model, mode, schema)
    return schema


def load_for_videos(run: SavedRun, schema: Schema, options: PredictOptions) -> TrainedModel:
    """The model and the detector that it was trained with, or the one that is named.

    Raises CheckpointError naming where it was looked for if the detector is not found.
    """
    trained, device = run.options, choose_device(options.device)

    def source_with(detector: str) -> FeatureSource:
        return open_source(
            Path(),
            schema,
            trained.mode,
            device,
            looks=looks_at_pictures(run),
            detector=detector,
            reference_compat=trained.reference_compat,
            raw_detections=find_method(trained.model).capabilities.raw_detections,
        )

    folders = [Path(options.data_path)] if options.data_path is not None else []
    source = trained_source(run, options.detector, folders, source_with)
    return model_on(run, source, schema, trained, any_detector=options.detector is not None)


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
    trained = find_method(run.options.model).unsure_above(run.options)
    if trained is None and options.uncertainty_threshold is not None:
        raise ConfigError(
            f"option -uncertainty_threshold: {run.file} is of model {run.options.model!r}, which knows no uncertainty; leave it out."
        )
    return trained if options.uncertainty_threshold is None else options.uncertainty_threshold


def origin_of(run: SavedRun, trained: TrainedModel, fps: float | None = None, settings: dict[str, float] | None = None) -> Origin:
    """What graphs say of what made them."""
    key = trained.source.key
    weights = weights_digest(run.checkpoint.weights) + (key.weights if key else "")
    return Origin(
        model=run.options.model,
        mode=run.options.mode,
        checkpoint=f"{run.file.resolve().parent.name}/{run.file.name}",
        weights=hashlib.sha256(weights.encode()).hexdigest(),
        detector=key.detector_name if key else None,
        fps=fps,
        settings=tuple((settings or {}).items()),
    )
