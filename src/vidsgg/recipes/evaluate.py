"""Score a checkpoint, and write the table."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.registry import open_dataset
from vidsgg.datasets.splits import hold_out_validation, take_datasize
from vidsgg.detectors.features import RoiFeatureExtractor
from vidsgg.engine.checkpoint import CheckpointError, find_checkpoint, load_checkpoint
from vidsgg.engine.evaluate import evaluate
from vidsgg.errors import ConfigError
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import RecallResult
from vidsgg.recipes.build import build_extractor, build_loader, choose_device, feature_widths, resolve_data_path
from vidsgg.recipes.models import model_entry
from vidsgg.recipes.options import EvaluateOptions, TrainOptions, options_from
from vidsgg.recipes.train import vocabulary_record
from vidsgg.structures.schema import Schema


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A model as its checkpoint has it, with what it reads."""

    model: nn.Module
    extractor: RoiFeatureExtractor | None
    options: TrainOptions
    device: torch.device
    checkpoint: Path
    epoch: int


def read_run(path: Path) -> tuple[Path, dict[str, Any], TrainOptions]:
    """The checkpoint file of a run or file name, its content, and the options of the run that wrote it."""
    file = find_checkpoint(path)
    content = load_checkpoint(file)
    config = content["config"]
    if not isinstance(config, dict) or "model" not in config:
        raise CheckpointError(f"{file} does not say which model it holds.")
    return file, content, options_from(config, model_entry(config["model"]).options)


def load_model(file: Path, content: dict[str, Any], options: TrainOptions, schema: Schema, device_name: str) -> TrainedModel:
    """Build the model of a checkpoint for a data set. Raises CheckpointError if the two do not fit."""
    device = choose_device(device_name)
    entry = model_entry(options.model)
    entry.capabilities.check(entry.name, options.mode, schema)
    if content.get("vocabulary") != vocabulary_record(schema):
        raise CheckpointError(f"{file} was trained on other classes than {schema.name!r} has; evaluate it on a data set of its own kind.")
    extractor = build_extractor(options.detector, schema, device)[0] if entry.capabilities.visual else None
    widths = feature_widths(schema, extractor)
    if content.get("feature_widths") != {"node": widths.node, "union": widths.union, "action": widths.action}:
        raise CheckpointError(f"{file} was trained on features of widths {content.get('feature_widths')}, this data set gives {widths}.")
    model = entry.build(schema, widths, options)
    try:
        model.load_state_dict(content["model_state_dict"])
    except RuntimeError as error:
        raise CheckpointError(f"{file} does not fit model {options.model!r}: {' '.join(str(error).split())[:300]}") from error
    return TrainedModel(model.to(device).eval(), extractor, options, device, file, content["epoch"])


def open_split(root: Path, mode: str, split: str, *, datasize: str, skip_bad: bool) -> VideoDataset:
    """test, val (the held-out tenth of the training videos) or train (the other training videos)."""
    if split == "test":
        return take_datasize(open_dataset(root, "test", mode, skip_bad=skip_bad), datasize)
    learn, held_out = hold_out_validation(open_dataset(root, "train", mode, skip_bad=skip_bad))
    return take_datasize(held_out if split == "val" else learn, datasize)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The recall of a run, its printed table, and the files that hold it."""

    result: RecallResult
    text: str
    files: tuple[Path, Path]


def run_evaluation(options: EvaluateOptions) -> Evaluation:
    """Score a checkpoint on a split; writes ``evaluation_<split>.json`` and ``.csv``."""
    file, content, trained_options = read_run(Path(options.checkpoint))
    for name in ("mode", "model"):
        wanted, has = getattr(options, name), getattr(trained_options, name)
        if wanted is not None and wanted != has:
            raise ConfigError(f"option -{name}: {file} is of {name} {has!r}, not {wanted!r}.")
    root = resolve_data_path(options.data_path or trained_options.data_path)
    dataset = open_split(root, trained_options.mode, options.split, datasize=options.datasize, skip_bad=options.skip_bad)
    trained = load_model(file, content, trained_options, dataset.schema, options.device)
    protocol = protocol_for(dataset.schema, trained_options.mode)
    loader = build_loader(
        dataset,
        trained_options.mode,
        trained.extractor,
        trained.device,
        batch_size=options.batch_size,
        workers=options.num_workers,
        skip_bad=options.skip_bad,
    )
    result, _ = evaluate(trained.model, loader, protocol, exclusive=options.exclusive_decoding)
    head = [
        f"{trained_options.model}, {trained_options.mode}, {file} (epoch {trained.epoch})",
        f"{options.split} split of {root}: {result.videos} videos, {result.units} {protocol.unit}s",
    ]
    if loader.skipped:
        head.append(f"skipped {len(loader.skipped)} videos that could not be read; the first: {next(iter(loader.skipped))}")
    text = "\n".join([*head, "", result.table()])
    folder = Path(options.save_path) if options.save_path else file.parent
    about = {
        "model": trained_options.model,
        "mode": trained_options.mode,
        "checkpoint": str(file),
        "epoch": trained.epoch,
        "data_path": str(root),
        "split": options.split,
        "skipped_videos": list(loader.skipped),
    }
    return Evaluation(result, text, _write(folder, options.split, about, result))


def _write(folder: Path, split: str, about: dict[str, Any], result: RecallResult) -> tuple[Path, Path]:
    as_json, as_csv = folder / f"evaluation_{split}.json", folder / f"evaluation_{split}.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        as_json.write_text(json.dumps({**about, **result.to_json()}, indent=1) + "\n", encoding="utf-8")
        with as_csv.open("w", newline="", encoding="utf-8") as file:
            rows = result.rows()
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise ConfigError(f"cannot write the tables to {folder}: {error.strerror}.") from error
    return as_json, as_csv
