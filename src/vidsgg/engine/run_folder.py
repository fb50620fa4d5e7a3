"""The folder of a run: log file, TensorBoard events, metrics.csv, configuration."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from tqdm import tqdm

from vidsgg.errors import ConfigError


def default_path(dataset: str, model: str, mode: str) -> Path:
    """output/<dataset>/<model>_<mode>_<YYYYmmdd_HHMMSS>"""
    return Path("output") / dataset / f"{model}_{mode}_{datetime.now():%Y%m%d_%H%M%S}"


class RunFolder:
    """What a run writes beside its checkpoints. Use as a context manager; a folder with another run in it is refused."""

    def __init__(self, path: Path, config: Mapping[str, Any]) -> None:
        if path.exists() and not path.is_dir():
            raise ConfigError(f"option -save_path: {path} is a file, not a folder.")
        if (path / "config.yaml").exists() or any(path.glob("checkpoint_*.tar")):
            raise ConfigError(f"option -save_path: {path} holds another run; name a new folder or remove the old one.")
        try:
            path.mkdir(parents=True, exist_ok=True)
            (path / "config.yaml").write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
            self._log = (path / "logfile.txt").open("a", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"option -save_path: cannot write to {path}: {error.strerror}.") from error
        self.path = path
        from torch.utils.tensorboard import SummaryWriter  # here: importing it takes a second

        self.board = SummaryWriter(str(path))
        self._csv = (path / "metrics.csv").open("w", newline="", encoding="utf-8")
        self._rows = csv.writer(self._csv)
        self._rows.writerow(["epoch", "step", "name", "value"])

    def log(self, line: str) -> None:
        """One line to logfile.txt and to the screen, above a progress bar if there is one."""
        self._log.write(line + "\n")
        self._log.flush()
        tqdm.write(line, file=sys.stdout)
        sys.stdout.flush()

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None:
        """Named numbers to TensorBoard and metrics.csv."""
        for name, value in values.items():
            self.board.add_scalar(name, value, step)
            self._rows.writerow([epoch, step, name, f"{value:.6g}"])
        self._csv.flush()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            self._log.write(f"stopped by {kind.__name__ if kind else ''}: {error}\n")
        self.board.close()
        self._log.close()
        self._csv.close()
