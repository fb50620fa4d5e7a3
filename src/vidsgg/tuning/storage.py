"""Where a study is kept: an SQLite file, a journal file, or a database."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileOpenLock
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError

from vidsgg.errors import ConfigError, VidsggError
from vidsgg.tuning.journal import CheckedJournal

JOURNAL = "journal:"
_WAIT_SECONDS = 60  # for another process that writes into the same SQLite file
_ATTEMPTS = 5


def open_storage(place: str) -> BaseStorage:
    """place: FILE.db (SQLite), journal:FILE, or the URL of a database as SQLAlchemy takes it.
    Folders of files are made.

    Raises ConfigError if it cannot be used.
    """
    try:
        if place.startswith(JOURNAL):
            path = Path(place.removeprefix(JOURNAL))
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = (
                JournalFileOpenLock(str(path)) if sys.platform == "win32" else None
            )  # by default a symbolic link, which Windows may refuse
            return JournalStorage(CheckedJournal(path, lock))
        if "://" in place:
            return _open_database(place, {})
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        return _open_database(f"sqlite:///{path.as_posix()}", {"timeout": _WAIT_SECONDS})
    except VidsggError:
        raise
    except (
        OSError,
        ImportError,
        RuntimeError,
        ValueError,
        SQLAlchemyError,
        optuna.exceptions.StorageInternalError,
    ) as error:
        first = (str(error).strip() or repr(error)).splitlines()[0]
        raise ConfigError(
            f"option -storage: cannot use {without_password(place)}: {first.rstrip('.')}. Give FILE.db, journal:FILE"
            " (for machines that share a folder), or the URL of a database whose driver is installed, such as"
            " postgresql+psycopg://USER:PASSWORD@HOST/NAME."
        ) from error


@contextmanager
def storage_errors(place: str) -> Iterator[None]:
    """What goes wrong with a storage while it is used, such as a full disk, becomes a
    ConfigError."""
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = (
            error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) and error.__cause__ else error
        )
        said = (str(getattr(cause, "orig", None) or cause).strip() or repr(cause)).splitlines()[0]
        raise ConfigError(
            f"option -storage: {without_password(place)} cannot be used any more: {said.rstrip('.')}. When it can"
            " be used again, run the same command to resume the search."
        ) from error


def without_password(place: str) -> str:
    """A storage for people to read: a URL without its password."""
    if "://" not in place:
        return place
    try:
        return make_url(place).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return place.split("://")[0] + "://..."


def _open_database(url: str, connect: dict[str, Any]) -> RDBStorage:
    """Processes may open, and so make, the same database at the same moment: then all but one fail
    to make its tables, and try again."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return RDBStorage(url, engine_kwargs={"connect_args": connect})
        except (OperationalError, IntegrityError, ProgrammingError, optuna.exceptions.StorageInternalError):
            if attempt == _ATTEMPTS:
                raise
            time.sleep(attempt * random.uniform(0.1, 0.3))
    raise AssertionError("the last attempt returns or raises")
