"""One writer of a library at a time: a lock of the system on this machine, an object in object
storage.

The object is made by a request that one of several writers wins. It says who has it and is written
again while they work, so that one that a killed writer left behind is noticed: at once on the same
machine, elsewhere after ``_LEASE`` seconds.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import msgspec

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.atomic import write_whole
from vidsgg.io.links import is_link
from vidsgg.io.locations import Location, RemotePath
from vidsgg.io.untrusted import as_type, parse_json

LOCK = ".vidsgg-library.lock"
_LEASE, _RENEWED = 600.0, 60.0  # seconds
_RETRY, _SETTLE = 0.5, 1.0  # seconds

Check = Callable[[], None]  # raises DataError if the lock is lost


class _Holder(msgspec.Struct, forbid_unknown_fields=True):
    """token: differs in every lock. machine: tells one from another. renewed: seconds since 1970."""

    token: str
    machine: str
    process: int
    renewed: float


@contextmanager
def sole_writer(folder: Location, patience: float = 0.0) -> Iterator[Check]:
    """Nobody else writes to the library in a folder inside. Gives a function that raises DataError
    if somebody else has taken over.

    patience: seconds to wait for another writer. Raises ConfigError if it takes longer.
    """
    busy = ConfigError(f"another process writes to the library {folder}; wait until it has ended.")
    if isinstance(folder, RemotePath):
        with _object(folder / LOCK, patience, busy) as check:
            yield check
        return
    if is_link(folder / LOCK):
        raise ConfigError(f"{folder / LOCK} is a link; remove it.")
    try:
        with filelock.FileLock(folder / LOCK, timeout=patience):
            yield lambda: None
    except filelock.Timeout:
        raise busy from None


@contextmanager
def _object(lock: RemotePath, patience: float, busy: ConfigError) -> Iterator[Check]:
    mine = _Holder(secrets.token_hex(8), _machine(), os.getpid(), time.time())
    ends = time.monotonic() + patience
    while not _taken(lock, mine):
        if time.monotonic() >= ends:
            raise busy
        time.sleep(_RETRY)

    def check() -> None:
        holder = _holder(lock)
        if holder is None or holder.token != mine.token:
            raise DataError(f"{lock}: another process has taken over the library; run the same command again.")

    done = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lock, mine, done), daemon=True)
    renewing.start()
    try:
        yield check
    finally:
        done.set()
        renewing.join()
        holder = _holder(lock)
        if holder is not None and holder.token == mine.token:
            lock.unlink(missing_ok=True)


def _taken(lock: RemotePath, mine: _Holder) -> bool:
    mine.renewed = time.time()
    for settle in (0.0, _SETTLE):
        try:
            lock.create(_text(mine))
        except FileExistsError:
            holder = _holder(lock)
            if holder is not None and not _is_gone(holder):
                return False
            lock.unlink(missing_ok=True)  # left behind; others may do the same now
        else:
            time.sleep(settle)
            holder = _holder(lock) if settle else mine
            return holder is not None and holder.token == mine.token
    return False


def _is_gone(holder: _Holder) -> bool:
    if time.time() - holder.renewed > _LEASE:
        return True
    if sys.platform == "win32" or holder.machine != _machine():
        return False
    try:
        os.kill(holder.process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _renew(lock: RemotePath, mine: _Holder, done: threading.Event) -> None:
    while not done.wait(_RENEWED):
        holder = _holder(lock)
        if holder is None or holder.token != mine.token:
            return
        mine.renewed = time.time()
        write_whole(lock, _text(mine))


def _holder(lock: RemotePath) -> _Holder | None:
    """Who has the lock; None if nobody has, or if it is not one of ours."""
    try:
        return as_type(parse_json(lock.read_bytes()), _Holder)
    except (FileNotFoundError, DataError):
        return None


def _text(holder: _Holder) -> bytes:
    plain: dict[str, Any] = msgspec.to_builtins(holder)
    return json.dumps(plain).encode()


def _machine() -> str:
    """A name that no other machine has, nor another container on this one."""
    space = Path("/proc/self/ns/pid")
    inside = str(space.stat().st_ino) if space.exists() else ""
    return f"{platform.node()} {uuid.getnode():x} {inside}".strip()
