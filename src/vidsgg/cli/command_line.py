"""Command line options generated from a dataclass: ``-lr 1e-4`` and ``--lr 1e-4``, YAML files, and
did-you-mean.

A field of the dataclass is an option. Its default, type and ``option(help, choices)`` metadata say
everything; nothing is written twice. Values come from the defaults, then the YAML file of
``-config``, then the command line, and last from the environment variable ``VIDSGG_OPTIONS``, so
that a script of long runs can be tried out in minutes without being edited.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from vidsgg.cli.completing import completing, offer_options
from vidsgg.cli.help import Known, add_helps
from vidsgg.cli.verbosity import LEVELS, be
from vidsgg.cli.words import NEGATIVE_NUMBER, as_typed, prepared
from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.hub import is_hub_address
from vidsgg.io.locations import is_stream, is_url
from vidsgg.io.places import check_place, local_or_remote, on_this_machine
from vidsgg.io.untrusted import read_yaml
from vidsgg.options import (
    aliases_of,
    check_bounds,
    check_text,
    closest,
    convert,
    fields_of,
    kind_of,
    options_from_environment,
    takes_several,
)
from vidsgg.recipes.recipe_files import find_recipe

T = TypeVar("T")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{as_typed(message)[:300]}\nSee '{self.prog} -h'.")


def read_yaml_values(path: Path) -> dict[str, Any]:
    """The ``option: value`` lines of a YAML file, unchecked. Raises ConfigError naming the file."""
    try:
        content = read_yaml(path)
    except DataError as error:
        raise ConfigError(f"option -config: {error}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"option -config: {path} must hold 'option: value' lines")
    return {str(key): value for key, value in content.items()}


def read_options(path: Path, config: type) -> dict[str, Any]:
    """Options of a YAML file, checked against ``config``. Raises ConfigError naming the file and
    the key."""
    known, aliases, values = fields_of(config), aliases_of(config), {}
    for key, value in read_yaml_values(path).items():
        key = aliases.get(key, key)
        if key not in known:
            raise ConfigError(f"{path}: unknown option {short(key)}{closest(key, list(known))}")
        annotation, field = known[key]
        try:
            values[key] = convert(key, value, annotation, field.metadata.get("choices", ()))
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
    return values


def without_local_rank(argv: Sequence[str]) -> list[str]:
    """The arguments without the ``--local-rank=0`` of ``python -m torch.distributed.launch``, whose
    environment says it as well."""
    return [word for word in argv if not re.fullmatch(r"--local[-_]rank=\d+", word)]


def parse(config: type[T], argv: Sequence[str], *, prog: str, description: str, positional: Sequence[str] = ()) -> T:
    """Build ``config`` from command line arguments. ``positional`` names fields that are given
    without a dash, those of type ``tuple[str, ...]`` any number of times, once at least where they
    have no default.

    Raises ConfigError for an unknown option or value, naming the closest; ``-h`` prints the options
    and exits with 0.
    """
    return build(config, parse_values(config, argv, prog=prog, description=description, positional=positional))


def build(config: type[T], values: Mapping[str, Any]) -> T:
    """Options from their values. Raises ConfigError for a number out of bounds, an input that
    cannot be read or an output that cannot be written, before any work is done.
    """
    fields = {field.name: field for field in dataclasses.fields(config)}  # type: ignore[arg-type]
    built = config(
        **{
            name: on_this_machine(value) if fields[name].metadata.get("place") else value
            for name, value in values.items()
        }
    )
    check_bounds(built)
    for name, field in fields.items():
        if name in values:
            check_option_place(field, getattr(built, name))
    return built


def check_option_place(field: dataclasses.Field[Any], given: Any) -> None:
    """Raises ConfigError if what an option names cannot be read, or written to, as its declaration
    says."""
    metadata, name = field.metadata, f"option -{field.name}"
    if not metadata.get("place") or given is None:
        return
    for word in map(str, given if isinstance(given, tuple) else (given,)):
        if is_url(word) and (metadata["plugin"] or (metadata["takes_stream"] and is_stream(word))):
            continue  # a name of a model, or an address of a camera
        if metadata["hub"] and is_hub_address(word):
            continue
        check_place(name, local_or_remote(name, word, metadata["remote"]), metadata["place"])


def parse_values(
    config: type, argv: Sequence[str], *, prog: str, description: str, positional: Sequence[str] = ()
) -> dict[str, Any]:
    """The options that are given, on the command line or in its YAML file, as ``parse`` takes
    them."""
    known = fields_of(config)
    if completing():
        offer_options(known, positional, prog)
    parser = _parser_of(known, positional, prog, description)
    options = [*(n for n in known if n not in positional), *aliases_of(config), "config", *_OF_EVERY_COMMAND]
    switches = {name for name, (annotation, _) in known.items() if kind_of(annotation)[0] is bool}
    words = prepared(argv, options, switches, bool(positional), prog)
    given = vars(parser.parse_intermixed_args(words))  # options may stand between the words of a positional one
    if wanted := given.pop(_LEVEL, None):
        be(wanted)
    path = given.pop("config", None)
    values = read_options(find_recipe(as_typed(path)), config) if path is not None else {}
    for name, value in given.items():
        annotation, field = known[name]
        if "-" in (value if isinstance(value, list) else (value,)) and not field.metadata.get("takes_stream"):
            stream = "standard input is not read here" if name in positional else "it cannot be standard output"
            raise ConfigError(f"option -{name}: {stream}; name a file or a folder (./- for one that is called '-').")
        if isinstance(value, list):
            values[name] = tuple(map(as_typed, value))
            for text in values[name]:
                check_text(name, text)
        else:
            values[name] = convert(f"-{name}", as_typed(value), annotation, field.metadata.get("choices", ()))
    values |= options_from_environment({name: known[name] for name in known if name not in positional}, prog)
    lacking = [name for name, (_, f) in known.items() if name not in values and f.default is dataclasses.MISSING]
    if lacking:
        raise ConfigError(f"option {', '.join('-' + n for n in lacking)} is required\nSee '{prog} -h'.")
    return values


_OF_EVERY_COMMAND = (*LEVELS, "h", "help", "help-all", "help_all")
_LEVEL = "-level"  # no option is called so


def _parser_of(known: Known, positional: Sequence[str], prog: str, description: str) -> argparse.ArgumentParser:
    """What reads the words of a command line as texts, or prints help."""
    parser = _Parser(prog=prog, allow_abbrev=False, add_help=False)
    parser._negative_number_matcher = NEGATIVE_NUMBER
    add_helps(parser, known, positional, description)
    for name, wanted in LEVELS.items():
        parser.add_argument(
            *_both_dashes(name), dest=_LEVEL, action="store_const", const=wanted, default=argparse.SUPPRESS
        )
    if "config" not in known:
        parser.add_argument(*_both_dashes("config"))
    for name, (annotation, field) in known.items():
        if name in positional:
            several = takes_several(annotation)
            required = field.default is dataclasses.MISSING
            count = ("+" if required else "*") if several else None if required else "?"
            parser.add_argument(name, nargs=count, default=argparse.SUPPRESS)
            continue
        # alone it means True
        switch: dict[str, Any] = {"nargs": "?", "const": "True"} if kind_of(annotation)[0] is bool else {}
        names = _both_dashes(name, *field.metadata.get("aliases", ()))
        parser.add_argument(*names, dest=name, default=argparse.SUPPRESS, **switch)
    return parser


def _both_dashes(*names: str) -> list[str]:
    return [dash + name for name in names for dash in ("-", "--")]
