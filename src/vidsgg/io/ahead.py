"""Reading ahead: a thread reads on while what was read is worked at."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T], size: Callable[[T], int], most: int = 1 << 26) -> Iterator[T]:
    """The same items in their order. size: bytes of one; the thread waits while more than ``most``
    are read and not yet taken.

    What goes wrong in ``items`` is raised where it would be without the thread. Whoever stops early
    closes the iterator, which ends the thread and closes ``items``.
    """
    shelf: _Shelf[T] = _Shelf(most)

    def read() -> None:
        try:
            for item in items:
                if not shelf.put(item, size(item)):
                    break
        except BaseException as error:  # raised again by whoever takes
            shelf.error = error
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
            shelf.end()

    thread = threading.Thread(target=read, name="vidsgg reading ahead", daemon=True)
    thread.start()
    try:
        while (taken := shelf.take()) is not None:
            yield taken[0]
        if shelf.error is not None:
            raise shelf.error
    finally:
        shelf.end()
        thread.join()


class _Shelf(Generic[T]):
    """What was read and not yet taken."""

    def __init__(self, most: int) -> None:
        self.error: BaseException | None = None
        self._most, self._held, self._ended = most, 0, False
        self._items: deque[tuple[T, int]] = deque()
        self._changed = threading.Condition()

    def put(self, item: T, size: int) -> bool:
        """Waits for room; False once nothing more is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._held < self._most)
            if self._ended:
                return False
            self._items.append((item, size))
            self._held += size
            self._changed.notify_all()
            return True

    def take(self) -> tuple[T] | None:
        """The next item; None behind the last one."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended)
            if not self._items:
                return None
            item, size = self._items.popleft()
            self._held -= size
            self._changed.notify_all()
            return (item,)

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
