from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from vidsgg.errors import DataError
from vidsgg.io.ahead import ahead


def numbers(count: int, said: list[str]) -> Iterator[int]:
    try:
        for i in range(count):
            said.append(f"read {i}")
            yield i
    finally:
        said.append("closed")


def test_items_come_in_their_order_and_all() -> None:
    assert list(ahead(numbers(50, []), lambda _: 1, most=3)) == list(range(50))
    assert list(ahead([], lambda _: 1)) == []


def test_no_more_is_held_than_is_allowed() -> None:
    said: list[str] = []
    reader = ahead(numbers(50, said), lambda _: 10, most=25)
    assert next(reader) == 0
    for _ in range(200):
        threading.Event().wait(0.005)
        if "read 4" in said:
            break
    threading.Event().wait(0.05)
    assert "read 4" in said and "read 5" not in said  # three wait to be taken, one for room
    before = threading.active_count()
    reader.close()
    assert said[-1] == "closed" and threading.active_count() == before - 1


def test_an_error_comes_behind_what_was_read() -> None:
    def torn() -> Iterator[int]:
        yield from (1, 2)
        raise DataError("torn")

    found = []
    with pytest.raises(DataError, match="torn"):
        for number in ahead(torn(), lambda _: 1):
            found.append(number)
    assert found == [1, 2]
