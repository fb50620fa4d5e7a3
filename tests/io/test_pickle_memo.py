"""The memo of pickles, beside pickletools, which reads every operation in Python."""

from __future__ import annotations

import pickle
import pickletools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.io.pickle_memo import check_memo

LOOKALIKE = b"r\xff\xff\xff\x7fp21474836470\n"  # in data, where it stores nothing
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=400),
        st.sampled_from([LOOKALIKE, LOOKALIKE * 40, "ä" * 300, 10**80, -(10**700)]),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner), st.tuples(inner, inner)),
)  # fmt: skip


def far(content: bytes) -> bool:
    try:
        check_memo(content)
    except ValueError:
        return True
    return False


def insertable(content: bytes) -> list[int]:
    """Where an operation can stand: before each that is there."""
    return [at for _, _, at in pickletools.genops(content) if at is not None]


@settings(max_examples=100, deadline=None)
@given(values, st.sampled_from(PROTOCOLS), st.data())
def test_what_stores_far_out_is_found_wherever_it_stands(value: Any, protocol: int, data: st.DataObject) -> None:
    content = pickle.dumps([value, LOOKALIKE.decode("latin-1")], protocol)
    assert not far(content)
    at = data.draw(st.sampled_from(insertable(content)))
    for store in (b"r\xff\xff\xff\x7f", b"p2147483647\n", b"p 2147483647\n", b"p+2147483647\n"):
        assert far(content[:at] + store + content[at:]), (at, store)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pickles_of_many_arrays_are_read(protocol: int) -> None:
    """More places than a byte counts, among numbers that look like such operations."""
    random = np.random.default_rng(protocol)
    frames = {f"video {i}": random.integers(0, 256, i, np.uint8) for i in range(600)}
    content = pickle.dumps([frames, LOOKALIKE], protocol)
    assert not far(content)
    size = len(content) + 6
    for place in (size, size + 1):
        assert far(content[:-1] + b"r" + place.to_bytes(4, "little") + b"0.") == (place > size)


@pytest.mark.parametrize("size", [12, 255, 256, 257, 65_535, 65_536, 70_000])
def test_the_largest_place_is_the_size_of_the_file(size: int) -> None:
    for place in (size, size + 1):
        content = b"U\x05" + LOOKALIKE[:5] + b"r" + place.to_bytes(4, "little")
        assert far(content.ljust(size, b"N")) == (place > size)


def test_what_is_no_pickle_is_left_to_the_unpickler() -> None:
    for content in (
        b"",
        b".",
        LOOKALIKE[:3],
        b"\xff" + LOOKALIKE,
        b"T\xff\xff\xff\xff" + LOOKALIKE,
        b"X\xff\xff" + LOOKALIKE,
    ):
        assert not far(content)
