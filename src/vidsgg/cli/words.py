"""The words of a command line before argparse sees them: which are options, which are values that
only look like options."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from vidsgg.errors import ConfigError
from vidsgg.options import closest

# argparse's own pattern for negative numbers knows no exponents and takes "-1e-4" for an option.
NEGATIVE_NUMBER = re.compile(r"^-(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$")
_MARK = "\0"  # no word of a command line holds it
_BOOLEANS = ("true", "false", "1", "0", "yes", "no")


def prepared(
    argv: Sequence[str], options: Sequence[str], switches: Collection[str], positional: bool, prog: str
) -> list[str]:
    """The words for argparse: those behind ``--`` as plain values, whatever they begin with;
    ``as_typed`` gives them back.

    options: names without dashes. switches: those of them that need no value; in a command with
    positional words one takes the next word only if that says yes or no. Raises ConfigError for an
    unknown option, naming the closest, or how to give a value that begins with a dash.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    words = []
    for i, word in enumerate(argv[:end]):
        name = word.lstrip("-").split("=")[0]
        if word.startswith("-") and word != "-" and not NEGATIVE_NUMBER.match(word) and name not in options:
            raise ConfigError(
                f"unknown option {word.split('=')[0][:60]}{_hint(word, name, options, argv[i - 1] if i else '')}\nSee"
                f" '{prog} -h'."
            )
        following = argv[i + 1].lower() if i + 1 < end else ""
        bare = (
            positional and word.startswith("-") and "=" not in word and name in switches and following not in _BOOLEANS
        )
        given, equals, value = word.partition("=")
        if equals and value == "--":  # argparse would drop it, and the option would have no value
            word = f"{given}={_MARK}--"
        words.append(f"{word}=True" if bare else word)
    return words + [_MARK + word for word in argv[end + 1 :]]


def as_typed(text: str) -> str:
    """A word, or a message about words, as it was typed."""
    return text.replace(_MARK, "")


def _hint(word: str, name: str, options: Sequence[str], before: str) -> str:
    if len(word.encode("utf-8", "surrogateescape")) <= 255 and Path(word).exists():
        return f"; for the file that is called so, write ./{word}, or put it behind --, at the end"
    if near := closest(name, options):
        return near
    if before.startswith("-") and before.lstrip("-") in options:
        return f"; a value that begins with a dash is given as {before}={word}"
    return ""
