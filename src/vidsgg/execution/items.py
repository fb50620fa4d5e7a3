"""What workers are made from, and what they say."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from vidsgg.errors import VidsggError, is_lack_of_memory

Item = TypeVar("Item")
Result = TypeVar("Result")
# Called once in every worker with its number; what it returns is called with every item.
Setup = Callable[[int], Callable[[Item], Result]]


class WorkerError(VidsggError):
    """Workers that end again and again, whatever they work on."""


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """An item that has no result, because its workers ended, one after another. problem: how, and
    what to do."""

    item: Item
    problem: str


@dataclass(frozen=True)
class Ready:
    """A worker is set up. node: the machine that it runs on."""

    node: str = ""


@dataclass(frozen=True)
class Answer:
    """The result of an item."""

    result: Any


@dataclass(frozen=True)
class WorkFailed:
    """An error in a worker: the user's, or ours with its traceback."""

    error: VidsggError | None
    trace: str


@dataclass(frozen=True)
class Ended:
    """A worker is gone, or has to be replaced. how: it ended."""

    how: str


Message = Ready | Answer | WorkFailed | Ended


class WorkerHandle(Protocol):
    """A worker, seen from the process that hands out the items."""

    number: int

    def give(self, item: Any) -> None:
        """Start the work on an item. A worker that is gone says so when it is waited for."""

    def stop(self) -> None:
        """End the worker at once, wherever it is."""


Handle = TypeVar("Handle", bound=WorkerHandle)


class Workplace(Protocol[Handle]):
    """Where workers run."""

    def room(self) -> int:
        """How many workers there may be now."""

    def start(self, number: int) -> Handle:
        """A new worker. Its first message is ``Ready``, then one follows for every item."""

    def wait(self, workers: list[Handle], seconds: float) -> list[tuple[Handle, Message]]:
        """The next messages of workers that are starting or at work; none if none came in time."""

    def close(self, workers: list[Handle]) -> None:
        """Stop the workers and wait until they are gone."""


class ItemWorker:
    """The worker's own side. Whatever happens becomes a message."""

    def __init__(self, setup: bytes, number: int) -> None:
        """setup: pickled; to read it imports PyTorch, which takes seconds."""
        self._setup, self._number = setup, number
        self._work: Callable[[Any], Any] | None = None

    def prepare(self, node: str = "") -> Message:
        def ready() -> Ready:
            self._work = pickle.loads(self._setup)(self._number)  # our own, from our own process
            return Ready(node)

        return _told(ready)

    def do(self, item: Any) -> Message:
        assert self._work is not None
        work = self._work
        return _told(lambda: Answer(work(item)))


def _told(act: Callable[[], Message]) -> Message:
    try:
        return act()
    except VidsggError as error:
        return WorkFailed(error, "")
    except Exception as error:
        if is_lack_of_memory(error):  # perhaps of others' making: worth another try, in a fresh process
            return Ended(f"for lack of memory ({str(error).splitlines()[0][:200] if str(error) else 'MemoryError'})")
        return WorkFailed(None, traceback.format_exc())
