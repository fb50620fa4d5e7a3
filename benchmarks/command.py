"""Benchmarks as commands: a user's mistake ends in one message and exit status 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from vidsgg.errors import VidsggError


def command(name: str, main: Callable[[Sequence[str]], Any]) -> None:
    """Run ``main`` with what follows ``python -m NAME``; an int that it returns is the exit status."""
    try:
        sys.exit(main(sys.argv[1:]))
    except VidsggError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
