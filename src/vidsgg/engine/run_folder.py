"""The folder of a run: log file, metrics.csv, configuration, and the logger that hears of the
rest."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain, count
from math import gcd
from pathlib import Path
from socket import gethostname
from types import TracebackType
from typing import Any

import torch
import yaml
from torch import Tensor

from vidsgg import __version__
from vidsgg.engine.checkpoint import Checkpoint
from vidsgg.engine.loggers import OpenLogger, TensorBoardLogger
from vidsgg.engine.run_lock import RunLock
from vidsgg.errors import CheckpointError, ConfigError, DataError, Stopped, short
from vidsgg.io.atomic import remove_left_behind, same_file, write_whole
from vidsgg.io.links import regular_file
from vidsgg.io.names import file_name
from vidsgg.io.untrusted import read_yaml
from vidsgg.status import say, visible

OUTPUT = Path("output")
# What training writes into a run's folder; patterns for ``remove_made``.
RUN_FILES = (
    *(".lock", "config.yaml", "logfile.txt", "metrics.csv", "events.out.tfevents.*", "wandb_id.txt"),
    *("checkpoint_*.tar", "detector_*.pth", "profile.txt", "profile_trace.json"),
)
SAMPLE = 2**16  # values of a tensor that a histogram counts; their quantiles are exact within 0.4 %
_COLUMNS = ["epoch", "step", "name", "value"]
_SAVED = ("checkpoint_*.tar", "detector_*.pth")  # what is worth keeping of a run


def sampled(values: Tensor) -> Tensor:
    """About SAMPLE of the values of a tensor, evenly spread over it, always the same ones; all of a
    small one."""
    if values.numel() <= SAMPLE:
        return values
    step = -(-values.numel() // SAMPLE)
    while gcd(step, values.shape[-1]) > 1:  # or only some of the columns would be seen
        step += 1
    return values.detach().flatten()[::step]


def default_path(dataset: str, model: str, mode: str) -> Path:
    """output/<dataset>/<model>_<mode>_<YYYYmmdd_HHMMSS>, with a number behind it if the clock has
    said that before."""
    first = OUTPUT / file_name(dataset) / f"{file_name(model)}_{mode}_{datetime.now():%Y%m%d_%H%M%S}"
    names = chain([first.name], (f"{first.name}-{number}" for number in count(2)))
    return next(path for path in map(first.with_name, names) if not path.exists())


def begun(path: Path) -> bool:
    """Whether a run was begun in a folder that ended, or is still at work, before it saved
    anything."""
    return (path / "config.yaml").is_file() and not has_saved(path)


def has_saved(path: Path) -> bool:
    """Whether there is a checkpoint or a detector of a run in a folder, whole or not."""
    return any(any(path.glob(pattern)) for pattern in _SAVED)


class RunFolder:
    """What a run writes beside its checkpoints. Use as a context manager; one process at a time has
    the folder.

    goes_on_after: the optimiser step after which the run in the folder goes on; rows of later
    steps, which a stopped run had written after its last checkpoint, are dropped. None for a new
    run: then a folder with another run in it is refused, except one that was killed before it saved
    anything and that had the same options: it begins again.
    """

    def __init__(
        self,
        path: Path,
        config: Mapping[str, Any],
        *,
        goes_on_after: int | None = None,
        echo: bool = True,
        logger: OpenLogger = TensorBoardLogger,
        program: str = "vidsgg",
        say_again: Sequence[str] = (),
        may_differ: Collection[str] = (),
        resumes: bool = True,
    ) -> None:
        """echo: whether log lines go to the screen as well. program: what was typed to start vidsgg
        in as many processes. say_again: what has to be typed beside -resume_from to go on, see
        ``vidsgg/plugins.py``. may_differ: options in which a run that begins again may differ from
        what was begun. resumes: whether the command has -resume_from.

        Raises ConfigError if the folder cannot be used, or as the logger does.
        """
        if path.exists() and not path.is_dir():
            raise ConfigError(f"option -save_path: {path} is a file, not a folder.")
        if goes_on_after is None and has_saved(path):
            go_on = f", or go on with -resume_from {path}" if any(path.glob(_SAVED[0])) else ""
            raise ConfigError(
                f"option -save_path: {path} holds another run; name a new folder, remove the old one{go_on}."
            )
        self.path, self.echo, self.program, self.say_again = path, echo, program, tuple(say_again)
        if goes_on_after is None:
            _check_not_foreign(path)
        with self._writing():
            path.mkdir(parents=True, exist_ok=True)
            self._lock = RunLock(path)
        try:
            with self._writing():
                again = goes_on_after is None and begun(path)
                if again:
                    or_resume = f", or begin it again with -resume_from {path}" if resumes else ""
                    remedy = f"It saved nothing before it ended: remove it, name a new folder{or_resume}."
                    check_same(path, config, may_differ, remedy)
                remove_left_behind(path)
                # At once: a run that is killed from now on knows its options, and can begin again.
                new = not (path / "config.yaml").exists()
                write_whole(path / "config.yaml", yaml.safe_dump(dict(config), sort_keys=False))
                try:
                    self._logger = logger(path, config, goes_on_after=0 if again else goes_on_after)
                except BaseException:
                    if new:  # a logger that cannot start leaves no run behind
                        (path / "config.yaml").unlink(missing_ok=True)
                    raise
                self._log = open(path / "logfile.txt", "a", encoding="utf-8", opener=regular_file)  # noqa: SIM115
                self._csv = _open_rows(path / "metrics.csv", goes_on_after)
                self._rows = csv.writer(self._csv)
        except BaseException:
            self._lock.release()
            raise
        start = "started" if goes_on_after is None else "resumed"
        self.log(
            f"{start}: {datetime.now():%Y-%m-%d %H:%M:%S} on {gethostname()}, vidsgg {__version__}, torch"
            f" {torch.__version__}"
        )
        if again:
            self.log("begins again: the run that was begun in this folder had ended before it saved anything")
        if not self._lock.known:
            self.log(
                f"warning: the file system of {path} knows no locks: a second run in this folder would go unnoticed"
            )

    @property
    def resume_command(self) -> str:
        """What to type to go on with this run."""
        path = f'"{self.path}"' if " " in str(self.path) else str(self.path)
        return " ".join([self.program, "train", "-resume_from", path, *self.say_again])

    def log(self, line: str, *, shown: bool = True) -> None:
        """One line to logfile.txt, and to the screen above a progress bar if there is one. shown:
        False for what the command says itself. Raises ConfigError if the disk is full."""
        with self._writing():
            self._log.write(visible(line) + "\n")
            self._log.flush()
        if self.echo and shown:
            say(line)

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None:
        """Named numbers to metrics.csv and the logger. Raises ConfigError if the disk is full."""
        with self._writing():
            self._logger.scalars(values, epoch=epoch, step=step)
            for name, value in values.items():
                self._rows.writerow([epoch, step, name, f"{value:.6g}"])
            self._csv.flush()

    def histograms(self, values: Mapping[str, Tensor], *, epoch: int, step: int) -> None:
        """Distributions of named tensors to the logger: SAMPLE of their values, all of smaller ones.
        Raises ConfigError if the disk is full."""
        with self._writing():
            self._logger.histograms({name: sampled(value) for name, value in values.items()}, epoch=epoch, step=step)

    def flush(self) -> None:
        """Make sure that all that was logged is in its files."""
        with self._writing():
            self._logger.flush()

    def save(self, names: Sequence[str], checkpoint: Checkpoint) -> None:
        """Write a checkpoint, once, under one or several names; what was logged before it is not
        lost after it. Raises CheckpointError if the disk is full."""
        self.flush()
        try:
            checkpoint.save(self.path / names[0])
            for name in names[1:]:
                self.name_again(names[0], name)
        except CheckpointError as error:
            again = f" Then go on with: {self.resume_command}" if any(self.path.glob("checkpoint_*.tar")) else ""
            raise CheckpointError(f"{error}{again}") from error

    def name_again(self, name: str, other: str) -> None:
        """A checkpoint of this run, ``name``, stands under a second name, ``other``. Raises
        CheckpointError if the disk is full."""
        try:
            same_file(self.path / other, self.path / name)
        except OSError as error:
            raise CheckpointError(f"cannot write {self.path / other}: {error.strerror or error}.") from error

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # a full disk has been reported before
            if error is not None and not isinstance(error, Stopped):
                self._log.write(f"stopped by {kind.__name__ if kind else ''}: {error}\n")
        for file in (self._logger, self._log, self._csv):
            with suppress(OSError):
                file.close()
        self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigError(f"option -save_path: cannot write to {self.path}: {error.strerror or error}.") from error


class UnwrittenRun(RunFolder):
    """The run as the processes of a team see it that write nothing of it: the same calls, without
    effect."""

    def __init__(self, path: Path, program: str, say_again: Sequence[str] = ()) -> None:
        self.path, self.program, self.say_again = path, program, tuple(say_again)

    def log(self, line: str, *, shown: bool = True) -> None: ...

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None: ...

    def histograms(self, values: Mapping[str, Tensor], *, epoch: int, step: int) -> None: ...

    def flush(self) -> None: ...

    def save(self, names: Sequence[str], checkpoint: Checkpoint) -> None: ...

    def name_again(self, name: str, other: str) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def _check_not_foreign(path: Path) -> None:
    """A new run would write into files of these names. Whatever else is in the folder is left
    alone."""
    theirs = [
        name
        for name in ("logfile.txt", "metrics.csv")
        if (path / name).is_file() and not (path / "config.yaml").is_file()
    ]
    if theirs:
        raise ConfigError(
            f"option -save_path: {path} holds a file {theirs[0]} that is not of a run of vidsgg; name another folder."
        )


def check_same(path: Path, config: Mapping[str, Any], may_differ: Collection[str], remedy: str) -> None:
    """Raises ConfigError naming the options in which a run differs from the one that was begun in a
    folder, and ``remedy``."""
    try:
        had = read_yaml(path / "config.yaml")
    except DataError:
        had = None
    now = yaml.safe_load(yaml.safe_dump(dict(config)))
    if had == now:
        return
    if not isinstance(had, dict) or "epochs" not in had:
        raise ConfigError(f"option -save_path: {path} holds a config.yaml that is not of a run; name a new folder.")
    differing = [name for name in {**had, **now} if name not in may_differ and had.get(name) != now.get(name)]
    if differing:
        told = ", ".join(f"-{name} {now.get(name)} (was {short(had.get(name))})" for name in differing[:5])
        raise ConfigError(
            f"option -save_path: {path} holds the beginning of a run with other options: {told}. {remedy}"
        )


def _open_rows(path: Path, goes_on_after: int | None) -> Any:
    """metrics.csv, ready for more rows: with its head, or with the rows up to a step."""
    rows = [_COLUMNS]
    if goes_on_after is not None and path.exists():
        with open(path, newline="", encoding="utf-8", opener=regular_file) as file:
            # A kill may have torn the last row.
            rows += [
                row
                for row in csv.reader(file)
                if len(row) == len(_COLUMNS) and row[1].isdecimal() and int(row[1]) <= goes_on_after
            ]
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    write_whole(path, text.getvalue())
    return open(path, "a", newline="", encoding="utf-8", opener=regular_file)
