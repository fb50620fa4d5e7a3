"""What a case must not do, seen while it runs: write, remove or rename anything outside its
folders, start programs, call addresses."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {
    "os.remove": (0,), "os.rename": (0, 1), "os.mkdir": (0,), "os.rmdir": (0,), "os.link": (1,), "os.symlink": (1,), "os.truncate": (0,),
    "os.chmod": (0,), "os.chown": (0,), "os.utime": (0,), "shutil.rmtree": (0,), "shutil.move": (0, 1), "sqlite3.connect": (0,),
}  # fmt: skip
_PROGRAMS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.startfile",
    "socket.connect",
    "socket.getaddrinfo",
    "urllib.Request",
}


class _Guard:
    """One for each process: what Python tells its audit hooks cannot be listened to for a while
    only."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] | None = None  # while nobody watches: None
        self.seen: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.allowed is None:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITES:
                self._check(event, path)
        elif event in _CHANGES:
            for place in _CHANGES[event]:
                self._check(event, arguments[place])
        elif event in _PROGRAMS and not _is_ours(event, arguments):
            self.seen.append(f"{event} {arguments!r:.300}")

    def _check(self, event: str, path: Any) -> None:
        if isinstance(path, int) or path is None or self.allowed is None:
            return
        try:
            whole = os.path.realpath(os.fsdecode(path)) if event == "open" else os.path.abspath(os.fsdecode(path))
        except (TypeError, ValueError):
            return
        if not whole.startswith(self.allowed):
            self.seen.append(f"{event} {whole}")


def _is_ours(event: str, arguments: tuple[Any, ...]) -> bool:
    """matplotlib asks the system for its fonts, and the app listens at this machine's own
    address."""
    return (event == "subprocess.Popen" and arguments[0] == "fc-list") or (
        event == "socket.getaddrinfo" and arguments[0] == "127.0.0.1"
    )


_guard: _Guard | None = None


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Raises AssertionError at the end of the block if anything outside a folder was changed by
    Python code, a program was started or an address was called. Temporary files go to a folder in
    it, and must be gone.
    """
    global _guard
    _guard = _guard or _Guard()
    temporary = folder / "temporary"
    temporary.mkdir()
    _guard.allowed, _guard.seen = (os.path.realpath(folder), os.devnull), []
    try:
        with patch.object(tempfile, "tempdir", str(temporary)):
            yield
    finally:
        _guard.allowed = None
    assert not _guard.seen, f"outside its folder: {_guard.seen[:5]}"
    left = [path.name for path in temporary.iterdir() if not path.name.startswith(("matplotlib", "torch", "pymp"))]
    assert not left, f"temporary files are left: {left[:5]}"


def listing(folder: Path) -> dict[str, str]:
    """Everything in a folder with its kind and content, to be compared later."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            content = os.readlink(path)
        elif stat.S_ISREG(mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = oct(stat.S_IFMT(mode))
        found[path.relative_to(folder).as_posix()] = content
    return found


def assert_same(before: Mapping[str, str], after: Mapping[str, str], may: Sequence[str] = ()) -> None:
    """Nothing was changed, added or removed, but by the beginnings of names in ``may``."""
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    wrong = sorted(name for name in changed if not name.startswith(tuple(may)))
    assert not wrong, f"changed, added or removed: {wrong[:10]}"
