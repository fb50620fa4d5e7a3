"""Damage for the tests of readers: the same seed gives the same damage."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

import numpy as np
import torch

TOKENS = (
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"NaN", b"Infinity", b"1e999", b"9" * 5000, b"-1", b"9223372036854775808", b"1000000000000",
    b"[" * 2000, b"{" * 500, b'"', b"\\ud800", b"null", b"true", b"*a", b"&a [*a]", b"!!python/none", b": ", b"\n", b",", b";", b"../../x",
    b"\xf0\x9f\x98\x80", b"\xed\xa0\x80",
)  # fmt: skip


def damaged(content: bytes, random: Random) -> bytes:
    """Some bytes with a little damage: bits and parts that are changed, lost, doubled, swapped or
    put in."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        begin = random.randrange(len(data) + 1)
        end = min(len(data), begin + random.choice((1, 1, 4, 16, 100)))
        what = random.randrange(7)
        if what == 0 and begin < len(data):
            data[begin] ^= 1 << random.randrange(8)
        elif what == 1:
            data[begin:end] = b""
        elif what == 2:
            data[begin:begin] = random.choice(TOKENS)
        elif what == 3:
            data[begin:end] = random.choice(TOKENS)
        elif what == 4:
            data[begin:begin] = data[begin:end]
        elif what == 5:
            del data[begin:]
        else:
            data[begin:end] = bytes(random.randrange(256) for _ in range(end - begin))
    return bytes(data)


def odd_value(random: Random) -> Any:
    """A value that nobody expects."""
    bomb: list[Any] = ["lol"]
    for _ in range(12):
        bomb = [bomb, bomb]
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    return random.choice(
        [
            None,
            True,
            0,
            -1,
            1,
            1.5,
            float("nan"),
            float("inf"),
            10**12,
            2**63,
            -(2**63) - 1,
            10**5000,
            "",
            "x",
            "x" * 10**5,
            "\ud800",
            "a/../b",
            "\0",
            b"bytes",
            [],
            {},
            (),
            [1, 2],
            {"a": 1},
            {1: 2},
            deep,
            bomb,
            [None] * 5,
            {"a": {"b": "c"}},
            np.float64(2),
            np.zeros((2, 3)),
            np.array(["a"]),
            np.int64(-5),
            torch.zeros(2),
            torch.zeros(0, 3),
            torch.ones(3, 4, dtype=torch.int64),
        ]
    )


def odd_part(content: Any, random: Random, values: Any = odd_value) -> Any:
    """A nested value, copied, in which one part has been replaced, removed, doubled or renamed."""
    content = copy.deepcopy(content)
    places = []
    todo = [content]
    while todo:
        item = todo.pop()
        keys = list(item) if isinstance(item, dict) else list(range(len(item))) if isinstance(item, list) else []
        places += [(item, key) for key in keys]
        todo += [item[key] for key in keys]
    if not places or random.random() < 0.02:
        return values(random)
    item, key = random.choice(places)
    what = random.randrange(8)
    if what == 0:
        del item[key]
    elif what == 1 and isinstance(item, dict):
        item[random.choice(["", "x", 7, None, "a/b", "\ud800"])] = item.pop(key)
    elif what == 2 and isinstance(item, list):
        item.append(item[key])
    else:
        item[key] = values(random)
    return content
