"""Runs as their folders record them: config.yaml, metrics.csv and logfile.txt. No checkpoint is
read and torch is not imported."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from vidsgg.engine.early_stopping import higher_is_better
from vidsgg.engine.report import Monitor
from vidsgg.engine.run_lock import lock_holder
from vidsgg.errors import ConfigError, DataError
from vidsgg.io.files import read_text
from vidsgg.io.untrusted import read_yaml
from vidsgg.methods.registry import methods
from vidsgg.methods.training_options import NeuralOptions, TrainOptions, options_from
from vidsgg.options import closest, fields_of, free_options
from vidsgg.recipes.command_options import TrainDetectorOptions

Points = tuple[tuple[int, float], ...]  # (epoch, value)

_LARGEST = 1_000_000_000  # bytes of a file of a run; a year of training writes some hundred million
_FILES = ("config.yaml", "logfile.txt", "metrics.csv")
_SHOWN = {"model", "mode"}  # in columns of their own
_BEGINS = re.compile(r"^(?:started|resumed): (?P<when>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) on ", re.MULTILINE)
_DATA = re.compile(r"^data: .* \((?P<name>\w+)\), ", re.MULTILINE)
_EPOCH = re.compile(r"^Epoch .* - Time: (?P<seconds>\d+)s$", re.MULTILINE)
_ENDS = re.compile(
    r"^(?:(?P<finished>best: )|stopped by (?P<signal>SIG\w+ .*)|stopped by (?P<error>\w+): ?(?P<message>[\s\S]*))",
    re.MULTILINE,
)


@dataclass(frozen=True)
class RunRecord:
    """One run. A damaged one has state "damaged", the reason as message, and nothing else.

    state: running, finished, stopped (by a signal, after saving), pruned, failed, killed (it said
    nothing more) or damaged. message: what
    there is to say about it. started: of its latest start. seconds: spent in epochs. epochs_done,
    epochs_planned. metric: what its best epoch is chosen by, as the options name it. best_score
    (recall: 0..1), best_epoch. options: all. changed: those that are not the
    defaults. remark: what its scores must not be read without. curves: every scalar of metrics.csv
    by name, by epoch.
    """

    path: Path
    state: str
    message: str = ""
    started: datetime | None = None
    dataset: str = ""
    model: str = ""
    mode: str = ""
    epochs_done: int = 0
    epochs_planned: int = 0
    seconds: int = 0
    metric: str = ""
    best_score: float | None = None
    best_epoch: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)
    remark: str = ""
    curves: Mapping[str, Points] = field(default_factory=dict)

    @property
    def best(self) -> str:
        """``Recall@20 12.31 (epoch 5)``, with the remark behind; empty before the first
        evaluation."""
        if self.best_score is None:
            return ""
        text = (
            f"{Monitor(self.metric, '', higher_is_better(self.metric)).text(self.best_score)} (epoch {self.best_epoch})"
        )
        return f"{text}; {self.remark}" if self.remark else text

    def curve(self, name: str) -> Points:
        return self.curves.get(name, ())


def find_runs(root: Path) -> list[RunRecord]:
    """All runs in and below a folder, the latest start last. Raises ConfigError if there is no such
    folder."""
    if not root.is_dir():
        raise ConfigError(f"there is no folder {root}; runs are under output/ unless -save_path named another folder.")
    records = []
    for folder, folders, files in os.walk(root):
        if {"config.yaml", "metrics.csv"} & set(files):
            records.append(read_run_record(Path(folder)))
            folders.clear()  # there is no run within a run
    return sorted(records, key=lambda record: (record.started or datetime.min, str(record.path)))


def choose_runs(names: tuple[str, ...], root: Path) -> list[RunRecord]:
    """Runs by their folders, or by the names of their folders under ``root``. Raises ConfigError
    for one that is not there or damaged."""
    below = (
        {}
        if all(Path(name).is_dir() for name in names) or not root.is_dir()
        else {r.path.name: r for r in find_runs(root)}
    )
    chosen = []
    for name in names:
        record = read_run_record(Path(name)) if Path(name).is_dir() else below.get(name)
        if record is None:
            raise ConfigError(
                f"there is no run {name!r}, neither as a folder nor under {root}{closest(name, list(below))}"
            )
        if record.state == "damaged":
            raise ConfigError(f"{record.path} cannot be compared: {record.message}")
        chosen.append(record)
    return chosen


def read_run_record(path: Path) -> RunRecord:
    """The run in a folder, whatever its state."""
    try:
        config = _read_config(path / "config.yaml")
        log = _read_text(path / "logfile.txt")
        curves = _read_curves(path / "metrics.csv")
    except DataError as error:
        return RunRecord(path, "damaged", str(error))
    begins = list(_BEGINS.finditer(log))
    last = log[begins[-1].start() :] if begins else log
    state, message = _state(path, last)
    when = (
        datetime.fromisoformat(begins[-1]["when"])
        if begins
        else datetime.fromtimestamp(int((path / "config.yaml").stat().st_mtime))
    )
    data = _DATA.search(last)
    detector = "model" not in config
    monitor = "val_mAP50" if detector else str(config.get("monitor", "val_recall@20"))
    scores = curves.get(scalar_of(monitor), ())
    best = (max if higher_is_better(monitor) else min)(scores, key=lambda point: point[1], default=(None, None))
    known = methods()[config["model"]].options if not detector and config["model"] in methods() else NeuralOptions
    return RunRecord(
        path,
        state,
        message,
        when,
        data["name"] if data else "",
        str(config.get("detector") or "detector") if detector else str(config["model"]),
        "detector" if detector else str(config.get("mode", "")),
        max((p[-1][0] for name, p in curves.items() if p and name.startswith(("train/loss/", "val/"))), default=0),
        config["epochs"],
        sum(int(match["seconds"]) for match in _EPOCH.finditer(log)),
        monitor,
        best[1],
        best[0],
        config,
        _changed(config, TrainDetectorOptions if detector else known),
        "" if detector else _remark(config, known),
        curves,
    )


def scalar_of(monitor: str) -> str:
    """The name in metrics.csv of what -monitor names: ``val_recall@20`` is
    ``val/with/recall@20``."""
    rest = monitor.removeprefix("val_")
    if rest == "loss":
        return "val/loss/total"
    return f"val/{rest}" if "/" in rest or rest.startswith("mAP") else f"val/with/{rest}"


def _state(path: Path, log: str) -> tuple[str, str]:
    """log: since the latest start."""
    who = lock_holder(path)
    if who is not None:
        return "running", str(who)
    ends = list(_ENDS.finditer(log))
    if not ends:
        return "killed", "it ended without a word: killed, or the machine went down"
    end = ends[-1]
    if end["finished"]:
        return "finished", ""
    if end["signal"]:
        return "stopped", end["signal"]
    message = " ".join(end["message"].split())
    return ("pruned", message) if end["error"] == "Pruned" else ("failed", f"{end['error']}: {message}")


def _changed(config: Mapping[str, Any], kind: type) -> dict[str, Any]:
    defaults = {name: field.default for name, (_, field) in fields_of(kind).items()}
    hidden = _SHOWN | free_options(kind, "list")
    return {name: value for name, value in config.items() if name not in hidden and value != defaults.get(name)}


def _remark(config: Mapping[str, Any], kind: type[TrainOptions]) -> str:
    """What the options say of the scores; nothing where this version cannot read them."""
    try:
        return options_from(config, kind).remark
    except (ConfigError, TypeError):
        return ""


def _read_text(path: Path) -> str:
    try:
        return read_text(path, _LARGEST)
    except DataError as error:
        raise DataError(str(error).replace(str(path), path.name)) from error


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = read_yaml(path)
    except DataError as error:
        raise DataError(str(error).replace(str(path), path.name)) from error
    # Plain cut-off text is YAML too, so look at what a run of either kind cannot be without.
    if (
        not isinstance(config, dict)
        or not isinstance(config.get("model", config.get("pretrained")), str)
        or "epochs" not in config
    ):
        raise DataError(f"{path.name} is not the whole configuration of a run")
    return config


def _read_curves(path: Path) -> dict[str, Points]:
    """Values by name and epoch; of several in one epoch, the last. A row that a kill has torn is
    left out."""
    curves: dict[str, dict[int, float]] = {}
    for row in csv.reader(_read_text(path).splitlines()):
        try:
            epoch, _, name, value = row
            curves.setdefault(name, {})[int(epoch)] = float(value)
        except ValueError:
            continue
    return {name: tuple(sorted(points.items())) for name, points in curves.items()}
