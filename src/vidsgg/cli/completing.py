"""What a shell asks for at the Tab key: commands, options and their values. argcomplete talks to the
shells; the line is in the environment (``vidsgg completion`` sets this up).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Collection, Sequence
from functools import partial

from vidsgg.cli.help import Known, help_of
from vidsgg.options import kind_of, takes_several

_SETUP = "_ARGCOMPLETE"


def completing() -> bool:
    """Whether a shell asks, instead of somebody calling a command."""
    return _SETUP in os.environ


def words_before() -> list[str]:
    """The words of the line, without the program's name and the one under the cursor."""
    return list(_split()[1][1:])


def offer_commands(commands: Collection[str], behind: int) -> None:
    """Offer the names of commands, and end the process. behind: words, from the program's name on,
    that stand before the name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=list(commands))
    _offer(parser, behind)


def offer_options(known: Known, positional: Sequence[str], prog: str) -> None:
    """Offer the options of a command, the words that they take and files, and end the process."""
    from vidsgg.detectors.registry import detector_names
    from vidsgg.io.exporters.formats import FORMATS
    from vidsgg.methods.registry import METHODS
    from vidsgg.recipes.recipe_files import recipe_files

    named = {"model": (METHODS.names, False), "detector": (detector_names, True), "format": (FORMATS.names, False)}
    dash = "--" if _split()[0].startswith("--") else "-"  # as it was begun; both mean the same
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name in ("h", "help-all", "q", "v"):
        parser.add_argument(dash + name, action="store_true")
    if "config" not in known:
        _complete_by(
            parser.add_argument(f"{dash}config", help="file of options"), _words(lambda: [*recipe_files()], True)
        )
    for name, (annotation, field) in known.items():
        kind, _, words = kind_of(annotation)
        words = words or field.metadata.get("choices", ())
        about = help_of(name, known).splitlines()[0][:60]
        if name in positional:
            several = "*" if takes_several(annotation) else "?"
            action = parser.add_argument(name, nargs=several, help=about)
        else:
            action = parser.add_argument(dash + name, nargs="?" if kind is bool else None, help=about)
        if kind is bool:
            words = ("True", "False")
        if words:
            _complete_by(action, _words(partial(tuple, words)))
        elif name in named:
            _complete_by(action, _words(*named[name]))
        elif not field.metadata.get("place"):
            _complete_by(action, _words(tuple))
    _offer(parser, len(prog.split()), unasked=not positional)


def _offer(parser: argparse.ArgumentParser, behind: int, *, unasked: bool = False) -> None:
    """unasked: offer options before a dash is typed."""
    import argcomplete

    os.environ[_SETUP] = str(behind)
    argcomplete.autocomplete(parser, always_complete_options=unasked)


def _split() -> tuple[str, list[str]]:
    """The word under the cursor as far as it is typed, and those before it."""
    from argcomplete.lexers import split_line

    _, prefix, _, words, _ = split_line(os.environ["COMP_LINE"], int(os.environ["COMP_POINT"]))
    return prefix, words


def _words(look_up: Callable[[], Sequence[str]], files: bool = False) -> Callable[..., list[str]]:
    """A completer that offers words, and files where it may be one of both."""

    def complete(prefix: str, **given: object) -> list[str]:
        from argcomplete.completers import FilesCompleter

        found = [word for word in look_up() if word.startswith(prefix)]
        return [*found, *(FilesCompleter()(prefix) if files else ())]

    return complete


def _complete_by(action: argparse.Action, completer: Callable[..., list[str]]) -> None:
    action.completer = completer  # type: ignore[attr-defined]  # where argcomplete looks for it
