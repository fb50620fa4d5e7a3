"""``-o -``: the one document of a command on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

STDOUT = "-"


@contextmanager
def folder_for_stdout() -> Iterator[Path]:
    """An empty folder, which is gone afterwards. The one file that a command leaves in it goes to
    standard output, unless it raises."""
    with TemporaryDirectory(prefix="vidsgg-") as folder:
        yield Path(folder)
        (document,) = (path for path in Path(folder).rglob("*") if path.is_file())
        write_out(document.read_bytes())


def write_out(content: bytes) -> None:
    """Raises BrokenPipeError if nobody reads it."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
