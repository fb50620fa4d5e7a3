"""One training run, from options to the last checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidsgg.engine.evaluate import evaluate
from vidsgg.engine.fit import FitSettings, fit, fit_counts, seed_step
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.run_folder import RunFolder, default_path
from vidsgg.engine.schedule import Schedule
from vidsgg.errors import ConfigError
from vidsgg.io.word_vectors import read_word_vectors
from vidsgg.losses.relations import RelationCriterion
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import RecallResult
from vidsgg.models.layers.class_embedding import ClassEmbedding, word_of
from vidsgg.recipes.build import Splits, build_extractor, build_loader, choose_device, feature_widths, open_splits, resolve_data_path
from vidsgg.recipes.models import model_entry
from vidsgg.recipes.options import NeuralOptions, TrainOptions
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

    seed_step(options.seed, 0, 0)
    extractor, feature_line = build_extractor(options.detector, schema, device) if capabilities.visual else (None, "features: not used")
    widths = feature_widths(schema, extractor) if capabilities.visual else feature_widths(schema, None)
    try:
        model = entry.build(schema, widths, options)
    except ValueError as error:
        raise ConfigError(f"model {entry.name}: {error}") from error
    neural = options if isinstance(options, NeuralOptions) else None
    word_line = _start_from_word_vectors(model, Path(neural.word_vectors)) if neural and neural.word_vectors else ""
    model.to(device)

    loader_of = partial(
        build_loader, mode=options.mode, extractor=extractor, device=device, workers=options.num_workers, skip_bad=options.skip_bad
    )
    train_loader = loader_of(splits.train, batch_size=options.batch_size, shuffle=True, seed=options.seed)
    val_loader = loader_of(splits.val, batch_size=options.batch_size)

    path = Path(options.save_path) if options.save_path else default_path(schema.name, options.model, options.mode)
    # Where the run lies is told by the file's own place; without it ``-config .../config.yaml`` repeats the run in a new folder.
    config = {**options.to_dict(), "data_path": str(root), "save_path": None}
    with RunFolder(path, config) as run:
        run.log(f"run: {path}")
        run.log(f"data: {root} ({schema.name}), {len(splits.train)} videos to train on, {len(splits.val)} to validate on ({held_out})")
        run.log(f"model: {options.model}, {sum(p.numel() for p in model.parameters()):,} parameters, mode {options.mode}, on {device}")
        run.log(feature_line)
        if word_line:
            run.log(word_line)
        run.log(f"recall: {protocol.describe()}")
        extras = {
            "config": config,
            "feature_widths": {"node": widths.node, "union": widths.union, "action": widths.action},
            "vocabulary": vocabulary_record(schema),
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


def vocabulary_record(schema: Schema) -> dict[str, Any]:
    """Class names of a schema as plain values, to tell later whether a checkpoint fits a data set."""
    vocabulary = schema.vocabulary
    return {
        "objects": list(vocabulary.objects),
        "subjects": list(vocabulary.subjects),
        "predicates": {group.name: list(group.predicates) for group in vocabulary.groups},
    }


def _where(val: str) -> str:
    return "the test split, as the original codes do" if val == "test" else "a fixed tenth of the training videos"


def _start_from_word_vectors(model: nn.Module, path: Path) -> str:
    tables = [module for module in model.modules() if isinstance(module, ClassEmbedding)]
    words = {word_of(name) for table in tables for name in table.names}
    vectors = read_word_vectors(path, words, tables[0].embedding_dim)
    lacking = {name for table in tables for name in table.start_from({word: torch.from_numpy(v) for word, v in vectors.items()})}
    return f"word vectors: {len(words) - len(lacking)} of {len(words)} class names from {path}; kept their own start: {', '.join(sorted(lacking)) or 'none'}"
