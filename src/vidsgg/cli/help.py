"""The help of a command: the common options first, every option in one spelling. ``-h`` is short,
``-help-all`` tells everything."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from vidsgg.cli.colours import bold
from vidsgg.options import COMMON, kind_of, takes_several

Known = Mapping[str, tuple[Any, dataclasses.Field[Any]]]


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """One spelling of each option, and bold headings on terminals."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        value = "" if action.nargs in (0, "?") else f" {action.metavar}"
        return action.option_strings[0] + value

    def start_section(self, heading: str | None) -> None:
        super().start_section(bold(heading, sys.stdout) if heading else heading)


class _Print(argparse.Action):
    """Prints the help of another parser, which has the same options, and ends with exit code 0."""

    def __init__(self, option_strings: Sequence[str], dest: str, make: Callable[[], argparse.ArgumentParser]) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, nargs=0)
        self._make = make

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        self._make().print_help()
        parser.exit()


def add_helps(parser: argparse.ArgumentParser, known: Known, positional: Sequence[str], description: str) -> None:
    """Let a parser answer ``-h`` and ``-help-all``."""
    make = partial(help_parser, parser.prog, known, positional, description)
    for names, everything in ((("h", "help"), False), (("help-all", "help_all"), True)):
        spelt = [dash + name for name in names for dash in ("-", "--")]
        parser.add_argument(*spelt, action=_Print, make=partial(make, everything=everything))


def help_parser(
    prog: str, known: Known, positional: Sequence[str], description: str, *, everything: bool
) -> argparse.ArgumentParser:
    """A parser that serves to print help only. known: every option of the command."""
    sections = sections_of(known, positional)
    short = not everything and COMMON in sections
    shown = {COMMON: sections[COMMON]} if short else sections
    parser = argparse.ArgumentParser(
        prog=prog,
        usage=" ".join([prog, *(_usage_of(name, known) for name in positional), "[options]"]),
        description=description,
        epilog=_more(prog, sum(map(len, sections.values())) - len(sections[COMMON])) if short else None,
        formatter_class=HelpFormatter,
        add_help=False,
    )
    words = parser.add_argument_group("arguments") if positional else parser
    for name in positional:
        words.add_argument(name, metavar=name.upper(), help=help_of(name, known))
    for title, names in shown.items():
        group = parser.add_argument_group(title)
        for name in names:
            annotation, field = known[name]
            switch = "?" if kind_of(annotation)[0] is bool else None
            aliases = field.metadata.get("aliases", ())
            also = f" (also {', '.join('-' + alias for alias in aliases)})" if aliases else ""
            group.add_argument(
                f"-{name}", metavar=metavar_of(annotation, field), nargs=switch, help=help_of(name, known) + also
            )
    everywhere = parser.add_argument_group("every command")
    if "config" not in known:
        everywhere.add_argument("-config", metavar="FILE", help="YAML file of options, or the name of a recipe of ours")
    everywhere.add_argument("-q", action="store_true", help="quiet: results, warnings and errors only")
    everywhere.add_argument(
        "-v", action="store_true", help="verbose: versions, what libraries log, and where an error comes from"
    )
    everywhere.add_argument("-h", action="store_true", help="the common options" if COMMON in sections else "this help")
    if COMMON in sections:
        everywhere.add_argument("-help-all", action="store_true", help="all options")
    return parser


def sections_of(known: Known, positional: Sequence[str]) -> dict[str, list[str]]:
    """The options of a command by the titles that they stand under, the common ones first."""
    sections: dict[str, list[str]] = {COMMON: []}
    for name, (_, field) in known.items():
        if name not in positional:
            sections.setdefault(field.metadata.get("group") or "options", []).append(name)
    if not sections[COMMON]:
        del sections[COMMON]
    elif "options" in sections:
        sections["further options"] = sections.pop("options")
    return sections


def metavar_of(annotation: Any, field: dataclasses.Field[Any]) -> str:
    """What the value of an option is, in a word."""
    kind, _, words = kind_of(annotation)
    if kind in (int, float):
        return "N" if kind is int else "X"
    place = {"new file": "FILE", "new folder": "FOLDER", "input": "PATH", "new": "PATH"}.get(
        field.metadata.get("place") or ""
    )
    return place or ("WORD" if words or field.metadata.get("choices") else "TEXT")


def help_of(name: str, known: Known) -> str:
    """What an option means, which words it takes and what it is by default, for argparse."""
    annotation, field = known[name]
    default = "" if field.default in (dataclasses.MISSING, None, (), False, "") else f" (default {field.default})"
    if field.default is True:
        default = f" (default True; -{name} False turns it off)"
    choices = kind_of(annotation)[2] or field.metadata.get("choices", ())
    listed = f" [{', '.join(choices)}]" if choices else ""
    return str(field.metadata.get("help", "") + listed + default).strip().replace("%", "%%")


def _usage_of(name: str, known: Known) -> str:
    several = takes_several(known[name][0])
    word = name.upper() + (" ..." if several else "")
    return word if known[name][1].default is dataclasses.MISSING else f"[{word}]"


def _more(prog: str, number: int) -> str:
    return f"{number} more options: '{prog} -help-all' lists them."
