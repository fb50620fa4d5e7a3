"""A trained model for others: a folder that works anywhere, and the hub."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from vidsgg.assembly.data import resolve_data_path
from vidsgg.assembly.detectors import SHARED_DETECTOR, is_detector_name
from vidsgg.assembly.saved_run import SavedRun, find_detector_of, looks_at_pictures, of_everybody, read_run
from vidsgg.assembly.sources import FeatureSource, open_source
from vidsgg.detectors.files import share_detector
from vidsgg.detectors.record import DetectorRecord
from vidsgg.engine.checkpoint_files import SHARED
from vidsgg.errors import ConfigError, DataError, VidsggError
from vidsgg.io.atomic import write_whole
from vidsgg.io.hub import check_hub_name, upload
from vidsgg.io.locations import Location
from vidsgg.io.untrusted import read_json
from vidsgg.recipes.model_card import CardContent, model_card
from vidsgg.recipes.push_options import PushOptions
from vidsgg.status import say

_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_LARGEST = 64 << 20  # bytes of an evaluation
_OF_THIS_MACHINE = ("checkpoint", "data_path", "features")  # in the files of evaluations


@dataclass(frozen=True)
class Pushed:
    """place: the folder, or the address on the hub. notes: what the user should know."""

    place: str
    notes: tuple[str, ...] = ()


def run_push(options: PushOptions) -> Pushed:
    """Write the folder of a model, and upload it. Raises ConfigError if something is missing that
    others would need, before anything is written; CheckpointError as ``read_run``."""
    _check(options)
    run = read_run(Path(options.checkpoint), model=options.model)
    if run.built_in:
        raise ConfigError(f"{run.file} is a model that is part of vidsgg, so there is nothing to share.")
    if run.code:
        raise ConfigError(
            f"{run.file} needs your own code"
            f" ({', '.join(f'-{name} {value}' for name, value in run.code.items())}), which a shared model cannot"
            " bring. Share the package of the code, and the checkpoint beside it."
        )
    name = getattr(run.options, "llm_name", None)
    if name is not None and getattr(run.options, "use_llm", True) and os.path.exists(name):
        raise ConfigError(
            f"{run.file} reads the language model in {name}, a folder of this machine that is not in the checkpoint."
            " Others cannot use it; train with a model that has a name on the hub."
        )
    if options.out is not None:
        folder = Path(options.out)
        if folder.is_dir() and any(folder.iterdir()):
            raise ConfigError(f"option -out: {folder} is not empty; name a new folder.")
        return _finish(options, run, folder)
    with TemporaryDirectory(prefix="vidsgg-") as made:
        return _finish(options, run, Path(made))


def _check(options: PushOptions) -> None:
    if options.repository is not None:
        check_hub_name(options.repository)
    elif not options.dry_run:
        raise ConfigError("name the repository, ORG/NAME, or write a folder only: -dry-run -out FOLDER.")
    if options.dry_run and options.out is None:
        raise ConfigError("option -dry_run: name the folder to write with -out.")
    if options.license is None:
        raise ConfigError(
            "option -license is required: under which licence may others use the model? Give its short name, such as"
            " apache-2.0, mit, cc-by-4.0 or cc-by-nc-4.0; the data that it was trained on, and the weights that it started"
            " from, may allow no more than their own."
        )
    if not _LICENSE.fullmatch(options.license):
        raise ConfigError(
            f"option -license: {options.license[:60]!r} is no short name of a licence; write it as in apache-2.0, with small"
            " letters."
        )


def _finish(options: PushOptions, run: SavedRun, folder: Path) -> Pushed:
    try:
        notes = write_shared(run, folder, options)
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror or error}.") from error
    if options.dry_run:
        return Pushed(str(folder), notes)
    assert options.repository is not None
    say(f"uploading to hf://{options.repository}")
    return Pushed(upload(folder, options.repository, private=options.private), notes)


def write_shared(run: SavedRun, folder: Path, options: PushOptions) -> tuple[str, ...]:
    """The files of a shared model. Returns what the user should know. Raises OSError."""
    detector, said = _detector_of(run, options.detector)
    metrics, notes = _metrics(run)
    kind = type(run.options)
    config = of_everybody(run.options.to_dict(), kind)
    if detector is None and is_detector_name(run.options.detector):
        config["detector"] = run.options.detector
    made = replace(run.made, config=config, started_in=None)
    folder.mkdir(parents=True, exist_ok=True)
    replace(run.checkpoint, provenance=made).save_shared(folder / SHARED)
    files = [(SHARED, "weights, options and schema; what `vidsgg.load` reads")]
    if detector is not None and detector.detector is not None:
        share_detector(folder / SHARED_DETECTOR, detector.detector)
        files.append((SHARED_DETECTOR, "the detector that it was trained with"))
    _write_json(folder / "config.json", {"library": "vidsgg", **config})
    _write_json(folder / "schema.json", run.checkpoint.schema.to_dict())
    files += [
        ("config.json", "the options of its training, to be read by people"),
        ("schema.json", "its classes and rules"),
    ]
    if metrics:
        _write_json(folder / "metrics.json", metrics)
        files.append(("metrics.json", "recall in every definition, with the protocol"))
    assert options.license is not None
    write_whole(
        folder / "README.md", model_card(run, CardContent(options.license, options.repository, said, metrics, files))
    )
    return tuple(notes)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, json.dumps(content, indent=1) + "\n")


def _detector_of(run: SavedRun, given: str | None) -> tuple[FeatureSource | None, str]:
    """The detector that goes along, None where none does, and a sentence about it. Raises CheckpointError
    naming where it was looked for."""
    if not looks_at_pictures(run) or not run.checkpoint.schema.has_frames:
        return None, "none is needed: the model reads classes and boxes, or the data set's own features."
    opened: dict[str, FeatureSource] = {}

    def record_of(name: str) -> DetectorRecord | None:
        opened.clear()  # one detector in memory at a time
        opened[name] = open_source(
            Path(), run.checkpoint.schema, run.options.mode, torch.device("cpu"), looks=True, detector=name
        )
        return opened[name].detector_record()

    if given is not None:
        if record_of(given) != run.made.detector:
            raise ConfigError(f"option -detector: {given} is not the detector that {run.file} was trained with.")
        name = given
    else:
        name = find_detector_of(run, _data_folder(run), record_of)
    if is_detector_name(name):
        return None, f"`{name}`, which vidsgg has by its name."
    record = opened[name].detector_record()
    return opened[name], f"{record.architecture if record else 'a detector'}, in `{SHARED_DETECTOR}`."


def _data_folder(run: SavedRun) -> list[Location]:
    try:
        return [resolve_data_path(run.options.data_path)]
    except VidsggError:
        return []


def _metrics(run: SavedRun) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Evaluations of this very checkpoint by split, without what is of this machine, and notes."""
    found: dict[str, dict[str, Any]] = {}
    for split in ("test", "val"):
        file = run.file.parent / f"evaluation_{split}.json"
        if not file.is_file():
            continue
        try:
            measured = read_json(file, dict[str, Any], _LARGEST)
            same = Path(str(measured["checkpoint"])).name == run.file.name and measured["epoch"] == run.checkpoint.epoch
            if same and {"recall", "description", "videos"} <= measured.keys():
                found[split] = {name: value for name, value in measured.items() if name not in _OF_THIS_MACHINE}
        except (DataError, KeyError) as error:
            say(f"warning: {file} is left out: {error}")
    if found:
        return found, []
    return {}, [
        f"The card gives no scores: 'vidsgg evaluate -checkpoint {run.file}' has not been run on this checkpoint. Run it, and"
        " push again."
    ]
