"""Messages of commands in the words of the app.

Everything that the app uses names options as the command line does, ``-threshold``. Here alone such
a name becomes that of the field on the app's page, or it is said which command has the option.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

from vidsgg.app.app_options import AppOptions
from vidsgg.options import fields_of
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.recipes.view_options import ViewOptions

_FIELD = re.compile(r'<label>([^<]+) <input name="(\w+)"')
# A whole command in quotes stays; else an option: 'option -fps', 'option fps:', '-fps'.
_OPTION = re.compile(r"'vidsgg [^']*'|\boptions? ([a-z][a-z_]*)(?=:)|(?:\boptions? |(?<![\w/.'-]))-([a-z][a-z_]*)\b")


def in_app(text: str) -> str:
    """A message of a command as a user of the app needs it."""
    found: dict[str, list[str]] = {}

    def called(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in _fields():
            return f"'{_fields()[name]}'"
        if name in _commands():
            found.setdefault(_commands()[name], []).append(f"-{name}")
        return match[0]

    said = _OPTION.sub(called, text)
    for command, names in found.items():
        distinct = list(dict.fromkeys(names))
        are = "is an option" if len(distinct) == 1 else "are options"
        said = f"{said.rstrip('. ')}. {' and '.join(distinct)} {are} of 'vidsgg {command}'."
    return said


@cache
def _fields() -> Mapping[str, str]:
    """What the app's page calls its fields."""
    page = (resources.files("vidsgg.app") / "page" / "start.html").read_text(encoding="utf-8")
    return {name: label for label, name in _FIELD.findall(page)}


@cache
def _commands() -> Mapping[str, str]:
    """The command of every option that a message can name; the app's own options come first."""
    commands = {"view": ViewOptions, "predict": PredictOptions, "app": AppOptions}
    return {name: command for command, options in commands.items() for name in fields_of(options)}
