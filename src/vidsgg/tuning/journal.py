"""Studies in a journal file: Optuna's, each of whose lines is checked before Optuna acts on it.

Optuna takes what a line says on trust: a damaged one ends in a KeyError, an assertion, or much
later in a trial with values of a wrong type.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from optuna.distributions import json_to_distribution
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock

from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.untrusted import as_type, check_plain

_Lock = JournalFileSymlinkLock | JournalFileOpenLock
_TAIL = 1 << 20  # bytes that are searched for the end of the last whole line
_Number = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_State = Annotated[int, msgspec.Meta(ge=0, le=4)]
_One = Annotated[dict[str, Any], msgspec.Meta(min_length=1, max_length=1)]


class _Line(msgspec.Struct):
    op_code: Annotated[int, msgspec.Meta(ge=0, le=10)]
    worker_id: str


class _CreateStudy(_Line):
    study_name: str
    directions: Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=2)]], msgspec.Meta(min_length=1)]


class _OfStudy(_Line):
    study_id: _Number


class _StudyUserAttribute(_OfStudy):
    user_attr: _One


class _StudySystemAttribute(_OfStudy):
    system_attr: _One


class _CreateTrial(_OfStudy):
    datetime_start: datetime | None
    datetime_complete: datetime | msgspec.UnsetType = msgspec.UNSET
    state: _State = 0
    distributions: dict[str, str] = {}
    params: dict[str, float] = {}
    user_attrs: dict[str, Any] = {}
    system_attrs: dict[str, Any] = {}
    value: float | None = None
    values: list[float] | None = None
    intermediate_values: dict[str, float | None] = {}

    def __post_init__(self) -> None:
        if self.params.keys() != self.distributions.keys():
            raise ValueError("params and distributions name different options")
        if self.value is not None and self.values is not None:
            raise ValueError("it has both value and values")
        for name, text in self.distributions.items():
            _external(text, self.params[name])
        for step in self.intermediate_values:
            int(step)
        _check_times(self.datetime_start, self.datetime_complete)


class _OfTrial(_Line):
    trial_id: _Number


class _SetParam(_OfTrial):
    param_name: str
    param_value_internal: float
    distribution: str

    def __post_init__(self) -> None:
        _external(self.distribution, self.param_value_internal)


# By state: running, complete, pruned, failed.
_NEEDED_TIMES = {0: "datetime_start", 1: "datetime_complete", 2: "datetime_complete", 3: "datetime_complete"}


class _SetState(_OfTrial):
    state: _State
    values: list[float] | None
    datetime_start: datetime | msgspec.UnsetType = msgspec.UNSET
    datetime_complete: datetime | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        needed = _NEEDED_TIMES.get(self.state)
        if needed and getattr(self, needed) is msgspec.UNSET:
            raise ValueError(f"it has no {needed}")
        _check_times(self.datetime_start, self.datetime_complete)


class _SetIntermediate(_OfTrial):
    step: _Number
    intermediate_value: float | None


class _TrialUserAttribute(_OfTrial):
    user_attr: _One


class _TrialSystemAttribute(_OfTrial):
    system_attr: _One


# By the numbers of Optuna's operations, which are part of its file format.
_LINES: tuple[type[_Line], ...] = (
    _CreateStudy,
    _OfStudy,
    _StudyUserAttribute,
    _StudySystemAttribute,
    _CreateTrial,
    _SetParam,
    _SetState,
    _SetIntermediate,
    _TrialUserAttribute,
    _TrialSystemAttribute,
    _Line,
)


class CheckedJournal(JournalFileBackend):
    """A journal file. lock: by default a symbolic link beside it, as Optuna has it."""

    def __init__(self, path: Path, lock: _Lock | None = None) -> None:
        """Raises OSError if the file cannot be made or written to."""
        lock = lock or JournalFileSymlinkLock(str(path))
        super().__init__(str(path), lock)
        self._path = path
        _drop_torn_end(path, lock)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Raises ConfigError naming the first line that is damaged."""
        number = log_number_from
        try:
            for log in super().read_logs(log_number_from):
                number += 1
                _check(log)
                yield log
        except (ValueError, RecursionError, DataError) as error:
            number += not isinstance(error, DataError)  # of a line that is not even JSON, Optuna gives nothing
            raise ConfigError(
                f"option -storage: {self._path}, line {number}, is damaged: {str(error).rstrip('.')[:300]}. Restore the file"
                " from a copy, or name another -storage."
            ) from error


def _check(log: Any) -> None:
    """Raises DataError if a line is none of Optuna's."""
    line = as_type(log, _Line)
    check_plain(log, "")
    as_type(log, _LINES[line.op_code])


def _external(distribution: str, value: float) -> None:
    """Raises ValueError if a text describes no distribution, or one that does not hold a value."""
    try:
        json_to_distribution(distribution).to_external_repr(value)
    except Exception as error:  # Optuna takes the text apart unchecked
        raise ValueError(f"{short(distribution)} is no distribution of {short(value)}") from error


def _check_times(*times: datetime | msgspec.UnsetType | None) -> None:
    """Raises ValueError for a year from which Optuna cannot get to local time."""
    for time in times:
        if isinstance(time, datetime) and not 1970 <= time.year < 9999:
            raise ValueError(f"{time} is no time of a trial")


def _drop_torn_end(path: Path, lock: _Lock) -> None:
    """Cut off the beginning of a line that a killed process, or a full disk, left at the end: what
    is written next would be glued to it, and nobody could read the file any more."""
    if not _torn(path):
        return
    lock.acquire()  # nobody is in the middle of a line then
    try:
        if _torn(path):
            with path.open("r+b") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL))
                file.truncate(file.tell() + file.read().rfind(b"\n") + 1)
    finally:
        lock.release()


def _torn(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
