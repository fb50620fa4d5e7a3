"""All kinds of cases."""

from __future__ import annotations

from fuzz import app_attack, kills, lines, readers
from fuzz.runner import Kind


def all_kinds() -> list[Kind]:
    return [*lines.KINDS.values(), *readers.KINDS.values(), *app_attack.KINDS.values(), *kills.KINDS.values()]
