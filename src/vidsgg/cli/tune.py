"""``vidsgg tune``."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from vidsgg.cli.command_line import build
from vidsgg.cli.train import read_train
from vidsgg.errors import ConfigError
from vidsgg.options import fields_of
from vidsgg.recipes.command_options import TuneOptions
from vidsgg.recipes.inputs import check_data, check_detector
from vidsgg.status import say_loading

DESCRIPTION = """Search for good options: trials are training runs, each a folder of its own, and all other options are those of 'vidsgg train'.

The same command goes on where a search was stopped, and several of it, also on several machines, share one study (-storage)."""


def main(argv: Sequence[str]) -> int:
    kind, values = read_train(argv, "vidsgg tune", DESCRIPTION, also=TuneOptions)
    own = {name: values.pop(name) for name in fields_of(TuneOptions) if name in values}
    options, training = build(TuneOptions, own), build(kind, values)
    if importlib.util.find_spec("optuna") is None:
        raise ConfigError("vidsgg tune needs Optuna. Install it with: pip install 'vidsgg[tune]'")
    check_data(training.data_path, training.videos_path)
    check_detector(training.detector)
    say_loading()
    from vidsgg.recipes.tune import run_tuning  # torch, Optuna

    run_tuning(options, training, frozenset(values))
    return 0
