"""One training run, from options to the last checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from vidsgg.engine.evaluate import evaluate
from vidsgg.engine.fit import FitSettings, fit, fit_counts, seed_step
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.run_folder import RunFolder, default_path
from vidsgg.engine.schedule import Schedule
from vidsgg.engine.takeover import take_over
from vidsgg.errors import ConfigError
from vidsgg.io.word_vectors import read_word_vectors
from vidsgg.losses.relations import RelationCriterion
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import RecallResult
from vidsgg.models.layers.class_embedding import ClassEmbedding, word_of
from vidsgg.recipes.build import Splits, choose_device, open_splits, resolve_data_path
from vidsgg.recipes.models import model_entry
from vidsgg.recipes.options import NeuralOptions, TrainOptions
from vidsgg.recipes.runs import SavedRun, read_run, vocabulary_record, widths_record
from vidsgg.recipes.sources import open_source
from vidsgg.structures.schema import Schema


@dataclass(frozen=True)
class TrainingOutcome:
    """path: the run's folder. best_score: the highest validation recall@20 with constraint, 0..1, reached at best_epoch."""

    path: Path
    best_score: float
    best_epoch: int


def run_training(options: TrainOptions, splits: Splits | None = None) -> TrainingOutcome:
    """Train as the options say. Everything that can be wrong with them is found before the run's folder is made.

    splits: the videos to train and to validate on in place of those that the options name, as cross-validation needs them.
    """
    entry = model_entry(options.model)
    device = choose_device(options.device)
    root = resolve_data_path(options.data_path)
    held_out = "given by the caller" if splits else _where(options.val)
    splits = splits or open_splits(root, options.mode, datasize=options.datasize, val=options.val, skip_bad=options.skip_bad)
    schema = splits.train.schema
    capabilities = entry.capabilities
    capabilities.check(entry.name, options.mode, schema)
    protocol = protocol_for(schema, options.mode)
    start = _read_start(options, schema) if options.resume_from else None
    source = open_source(
        root,
        schema,
        options.mode,
        device,
        looks=capabilities.needs_detector(options.mode),
        detector=options.detector,
        features=options.features,
        reference_compat=options.reference_compat,
        needed=[(splits.val, False)] if capabilities.counting else [(splits.train, True), (splits.val, False)],
    )

    seed_step(options.seed, 0, 0)
    try:
        model = entry.build(schema, source.widths, options)
    except ValueError as error:
        raise ConfigError(f"model {entry.name}: {error}") from error
    neural = options if isinstance(options, NeuralOptions) else None
    word_line = _start_from_word_vectors(model, Path(neural.word_vectors)) if neural and neural.word_vectors else ""
    model.to(device)

    start_lines = take_over(model, start.content["model_state_dict"]).lines() if start else []

    loading = {"batch_size": options.batch_size, "workers": options.num_workers, "skip_bad": options.skip_bad}
    # What is counted are annotated pairs, whatever has to be guessed later.
    learning = open_source(root, schema, "predcls", device, looks=False) if capabilities.counting else source
    train_loader = learning.loader(splits.train, learn=True, shuffle=True, seed=options.seed, **loading)
    val_loader = source.loader(splits.val, learn=False, **loading)

    path = Path(options.save_path) if options.save_path else default_path(schema.name, options.model, options.mode)
    # Where the run lies is told by the file's own place; without it ``-config .../config.yaml`` repeats the run in a new folder.
    config = {**options.to_dict(), "data_path": str(root), "detector": source.name or options.detector, "save_path": None}
    with RunFolder(path, config) as run:
        run.log(f"run: {path}")
        run.log(f"data: {root} ({schema.name}), {len(splits.train)} videos to train on, {len(splits.val)} to validate on ({held_out})")
        run.log(f"model: {options.model}, {sum(p.numel() for p in model.parameters()):,} parameters, mode {options.mode}, on {device}")
        for line in source.lines:
            run.log(line)
        if word_line:
            run.log(word_line)
        if start:
            run.log(
                f"starts from the weights of {start.file} ({start.options.model}, {start.options.mode}, epoch {start.content['epoch']})"
            )
            for line in start_lines:
                run.log(line)
        run.log(f"recall: {protocol.describe()}")
        extras = {
            "config": config,
            "feature_widths": widths_record(source),
            "vocabulary": vocabulary_record(schema),
            "detector": source.detector_record(),
        }
        criterion = RelationCriterion(schema, bce=neural is not None and neural.bce_loss)

        def validate() -> tuple[RecallResult, dict[str, float]]:
            return evaluate(model, val_loader, protocol, criterion=criterion, exclusive=options.exclusive_decoding, title="validate")

        if capabilities.counting:
            result = fit_counts(model, train_loader, validate, run, extras)
        else:
            steps = options.epochs * len(train_loader)
            warmup = options.warmup_steps
            if steps and warmup >= steps:
                warmup = steps // 10
                run.log(f"warning: -warmup_steps {options.warmup_steps} shortened to {warmup}, a tenth of this run's {steps} steps")
            result = fit(
                model,
                criterion,
                train_loader,
                validate,
                ReferenceAdamW(model.parameters(), lr=options.lr, weight_decay=options.weight_decay),
                Schedule(options.scheduler, steps, warmup),
                run,
                FitSettings(options.epochs, options.clip_grad, options.save_freq, options.eval_freq, options.seed),
                extras,
            )
        skipped = {**train_loader.skipped, **val_loader.skipped}
        if skipped:
            run.log(f"skipped {len(skipped)} videos that could not be read; the first: {next(iter(skipped))}")
        run.log(f"best: Recall@20 {100 * result.best_score:.2f} after epoch {result.best_epoch}, in {path / 'checkpoint_best.tar'}")
    return TrainingOutcome(path, result.best_score, result.best_epoch)


def _read_start(options: TrainOptions, schema: Schema) -> SavedRun:
    """The run to start from. Raises CheckpointError if it is none, ConfigError if it would have to be continued rather than taken over."""
    assert options.resume_from is not None
    start = read_run(Path(options.resume_from))
    same = start.options.model == options.model and start.options.mode == options.mode
    if same and not start.imported and start.content.get("vocabulary") == vocabulary_record(schema):
        raise ConfigError(
            f"option -resume_from: {start.file} is of the same model, mode and data set; continuing a run where it stopped is not there yet."
            " Weights can be taken over from a run of another mode or data set."
        )
    return start


def _where(val: str) -> str:
    return "the test split, as the original codes do" if val == "test" else "a fixed tenth of the training videos"


def _start_from_word_vectors(model: nn.Module, path: Path) -> str:
    tables = [module for module in model.modules() if isinstance(module, ClassEmbedding)]
    words = {word_of(name) for table in tables for name in table.names}
    vectors = read_word_vectors(path, words, tables[0].embedding_dim)
    lacking = {name for table in tables for name in table.start_from({word: torch.from_numpy(v) for word, v in vectors.items()})}
    return f"word vectors: {len(words) - len(lacking)} of {len(words)} class names from {path}; kept their own start: {', '.join(sorted(lacking)) or 'none'}"
