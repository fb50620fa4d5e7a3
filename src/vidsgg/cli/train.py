"""``vidsgg train`` and ``train.py``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidsgg.cli.command_line import build, parse_values, read_yaml_values, without_local_rank
from vidsgg.errors import ConfigError
from vidsgg.methods.registry import METHODS, methods
from vidsgg.methods.training_options import TrainOptions
from vidsgg.options import aliases_of, fields_of
from vidsgg.recipes.inputs import check_checkpoints, check_data, check_detector
from vidsgg.recipes.recipe_files import find_recipe
from vidsgg.status import process_number, say_loading


def peek(argv: Sequence[str], name: str) -> str | None:
    """The value of one option before the options of the model are known."""
    for i, word in enumerate(argv):
        if match := re.fullmatch(rf"--?{name}(?:=(.*))?", word):
            return match[1] if match[1] is not None else (argv[i + 1] if i + 1 < len(argv) else None)
    return None


def read_train(
    argv: Sequence[str], prog: str, description: str, also: type | None = None
) -> tuple[type[TrainOptions], dict[str, Any]]:
    """The options class of the model that is asked for, and the values that are given, for it or
    for the options class ``also``.

    Two passes: the model first, then the options of that model. An option of another model says
    whose it is.
    """
    name = peek(argv, "model")
    config = peek(argv, "config")
    if name is None and config is not None:
        name = read_yaml_values(find_recipe(config)).get("model")
    entry = METHODS.admit(str(name if name is not None else fields_of(TrainOptions)["model"][1].default))
    known = _both(entry.options, also) if also else entry.options
    mine = _names_of(known)
    for word in argv:
        option = word.lstrip("-").split("=")[0]
        owners = [other.name for other in methods().values() if option in _names_of(other.options)]
        if re.match(r"^--?[A-Za-z]", word) and option not in mine and owners:
            raise ConfigError(
                f"option -{option} belongs to {', '.join(owners)}, not to model {entry.name!r}; give -model {owners[0]}, or"
                " leave the option out."
            )
    others = ", ".join(model for model in methods() if model != entry.name)
    text = (
        f"{description}\n\n{entry.name}: {entry.summary} ({entry.source}). Options of the other models: -model"
        f" {{{others}}} -h"
    )
    return entry.options, parse_values(known, argv, prog=prog, description=text)


def _names_of(kind: type) -> set[str]:
    return {*fields_of(kind), *aliases_of(kind)}


def _both(kind: type, other: type) -> type:
    """A class with the options of two, for one command line; those of ``other`` come first."""
    return dataclass(frozen=True)(type(f"{other.__name__}And{kind.__name__}", (kind, other), {}))


def parse_train(argv: Sequence[str], prog: str) -> tuple[TrainOptions, frozenset[str]]:
    """The options, and the names of those that were given."""
    kind, values = read_train(argv, prog, "Train a model.")
    return build(kind, values), frozenset(values)


def main(argv: Sequence[str], prog: str = "vidsgg train") -> int:
    options, given = parse_train(without_local_rank(argv), prog)
    if options.resume_from is None:
        check_data(options.data_path, options.videos_path)
    elif options.resume_from != "last" and not Path(options.resume_from).is_dir():
        check_checkpoints([options.resume_from])
    check_detector(options.detector)
    say_loading()
    from vidsgg.recipes.train import run_training  # torch

    outcome = run_training(options, given=given)
    if process_number() == 0:
        print(outcome.path)
    return 0
