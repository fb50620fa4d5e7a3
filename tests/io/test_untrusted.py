"""The decoder of outside values: whatever a file holds, one message that names the file and the
place."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
import torch

from vidsgg.errors import DataError, short
from vidsgg.io.untrusted import as_type, check_plain, parse_json, read_json, read_yaml


class Node(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    score: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    box: tuple[float, float, float, float] | None = None
    track: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] | None = None


class Document(msgspec.Struct, forbid_unknown_fields=True):
    nodes: list[Node]
    counts: dict[str, Annotated[int, msgspec.Meta(ge=0, le=9)]] = {}


def message(content: bytes, tmp_path: Path, most: int = 100_000) -> str:
    file = tmp_path / "document.json"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_json(file, Document, most)
    assert str(caught.value).startswith(str(file)) and len(str(caught.value)) < len(str(file)) + 300
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (b'{"nodes": [', "is not JSON"),
        (b"[" * 50_000, "nested too deeply"),
        (b'{"nodes": ' + b"[" * 40_000 + b"]" * 40_000 + b"}", "nested too deeply"),
        (b'{"nodes": [{"name": "a", "score": NaN}]}', "nodes[0].score is nan; expected a number"),
        (b'{"nodes": [{"name": "a", "score": -Infinity}]}', "nodes[0].score is -inf"),
        (b'{"nodes": [{"name": "a", "score": 1e999}]}', "nodes[0].score is inf"),
        (b'{"nodes": [{"name": "a", "track": ' + b"9" * 5000 + b"}]}", "is not JSON: Exceeds the limit"),
        (
            b'{"nodes": [{"name": "a", "track": ' + b"9" * 400 + b"}]}",
            "nodes[0].track is a whole number of about 400 digits; expected",
        ),
        (
            b'{"nodes": [{"name": "a", "track": 9223372036854775808}]}',
            "nodes[0].track is 9223372036854775808; expected",
        ),
        (b'{"nodes": [{"name": "a", "track": true}]}', "nodes[0].track is True; expected a whole number"),
        (b'{"nodes": [{"name": "a"}, {"name": "b", "score": 1.5}]}', "nodes[1].score is 1.5; expected a number <= 1"),
        (b'{"nodes": [{"name": "a", "box": [1, 2, 3]}]}', "nodes[0].box is [1, 2, 3]; expected a list of length 4"),
        (b'{"nodes": [{"name": "a", "box": [1, 2, 3, "4"]}]}', "nodes[0].box[3] is '4'; expected a number"),
        (b'{"nodes": [{"score": 1}]}', "nodes[0] lacks 'name'."),
        (b'{"nodes": [{"name": "a", "colour": 1}]}', "nodes[0] has the unknown entry 'colour'."),
        (b'{"nodes": [], "counts": {"a": 1, "b": 10}}', "counts['b'] is 10; expected a whole number <= 9"),
        (b'{"nodes": [], "counts": {"a": 1, "b": "x"}}', "counts['b'] is 'x'; expected a whole number"),
        (b'{"nodes": [{"name": "a", "name": "b"}]}', "'name' occurs twice"),
        (b'{"nodes": [{"name": "\\ud800"}]}', "half a surrogate pair"),
        (b'{"nodes": [{"name": "\xff"}]}', "not text in UTF-8 (byte 21 is 0xff)"),
        ('{"nodes": []}'.encode("utf-16"), "UTF-16"),
        (b'{"nodes": "' + b"x" * 50_000 + b'"}', "nodes is 'xxx"),
        (b'"' + b"x" * 200_000 + b'"', "at most 100,000"),
        (b"[]", "the whole is []; expected a table"),
    ],
)
def test_a_bad_document_ends_in_one_message_with_the_place(content: bytes, said: str, tmp_path: Path) -> None:
    assert said in message(content, tmp_path)


def test_a_good_document_is_typed_and_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    file = tmp_path / "document.json"
    file.write_bytes(b'\xef\xbb\xbf{"nodes": [{"name": "\\ud83d\\ude00", "box": [1, 2, 3, 4.5]}], "counts": {"a": 9}}')
    assert read_json(file, Document, 1000) == Document([Node("\N{GRINNING FACE}", 1.0, (1.0, 2.0, 3.0, 4.5))], {"a": 9})


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes lie elsewhere on Windows")
def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (lambda path: read_json(path, Document, 1000), read_yaml):
        with pytest.raises(DataError, match="is a named pipe, not a file"):
            read(tmp_path / "pipe")


def test_folders_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, not a file"):
        read_yaml(tmp_path)
    with pytest.raises(DataError, match=r"nothing\.yaml: cannot be read"):
        read_yaml(tmp_path / "nothing.yaml")


def plain(text: str, tmp_path: Path) -> Any:
    file = tmp_path / "options.yaml"
    file.write_text(text, encoding="utf-8")
    return read_yaml(file)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1e-4", 1e-4),
        ("-.5", -0.5),
        (".inf", float("inf")),
        ("on", "on"),
        ("yes", "yes"),
        ("True", True),
        ("~", None),
        ("", None),
        ("2026-11-30", "2026-11-30"),
        ("'5'", "5"),
        ("[1, [2, {b: 3}]]", [1, [2, {"b": 3}]]),
        ("=", "="),
    ],
)
def test_yaml_is_that_of_its_version_1_2(text: str, value: Any, tmp_path: Path) -> None:
    assert plain(f"a: {text}\n", tmp_path) == {"a": value}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "\n".join([f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'lol'}]" for i in range(9)]),
            "the alias *a0 is not read",
        ),
        ("a: &x {b: *x}", "the alias *x is not read"),
        ("base: &b {lr: 1}\nother:\n  <<: *b", "the alias *b is not read"),
        ("lr: 1\nlr: 2", "the name 'lr' occurs twice"),
        ("a: " + "9" * 5000, "is not read"),
        ("a: " + "[" * 20_000, "nested too deeply"),
        ("a: " + "[" * 150 + "]" * 150, "more than 100 levels"),
        (
            "a: !!python/object/apply:os.system [x]",
            "the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not read",
        ),
        ("a: !!binary aGk=", "is not read"),
        ("? [1, 2]\n: 3", "a list or table as a name"),
        ("a: b: c", "not valid YAML"),
        ("a: 1\n---\na: 2", "not valid YAML"),
        ("a: \x01", "not valid YAML"),
        ("a: 1\n" * 100_000, "at most 262,144"),
    ],
    ids=range(14),
)
def test_bad_yaml_ends_in_one_message(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        plain(text, tmp_path)
    assert said in str(caught.value) and "options.yaml" in str(caught.value) and len(str(caught.value)) < 600


def test_yaml_in_utf_16_is_named(tmp_path: Path) -> None:
    (tmp_path / "options.yaml").write_text("lr: 1\n", encoding="utf-16")
    with pytest.raises(DataError, match="UTF-16; save it as UTF-8"):
        read_yaml(tmp_path / "options.yaml")


def test_values_that_other_readers_unpacked_are_typed_too() -> None:
    assert as_type({"nodes": [{"name": "a", "box": (1, 2, 3, 4)}]}, Document).nodes[0].box == (1.0, 2.0, 3.0, 4.0)
    weights = {"a": torch.zeros(2)}
    assert as_type(weights, dict[str, torch.Tensor])["a"] is weights["a"]
    with pytest.raises(DataError, match=r"^file: \['b'\]|^file: .*expected Tensor"):
        as_type({"a": torch.zeros(2), "b": 3}, dict[str, torch.Tensor], "file: ")
    with pytest.raises(DataError, match=r"nodes\[0\].score is nan"):
        as_type({"nodes": [{"name": "a", "score": float("nan")}]}, Document)


def test_plain_values_are_counted_and_their_depth_is_limited() -> None:
    check_plain({"a": [1, 2.0, None, ("x", b"y")], "w": torch.zeros(2)}, "file ", leaves=(torch.Tensor,))
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(DataError, match="file is nested more than 100 levels deep"):
        check_plain(deep, "file ")
    bomb: list[Any] = ["lol"]
    for _ in range(30):
        bomb = [bomb, bomb]
    with pytest.raises(DataError, match="file holds more than 1,000 values"):
        check_plain(bomb, "file ", most=1000)
    with pytest.raises(DataError, match="file holds Tensor of shape"):
        check_plain({"w": torch.zeros(2)}, "file ")


def test_messages_quote_any_value_shortly_and_at_once() -> None:
    bomb: list[Any] = ["lol" * 100]
    for _ in range(60):
        bomb = [bomb] * 9
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    values = [
        "x" * 10**7,
        b"x" * 10**7,
        10**100_000,
        -(10**5000),
        bomb,
        cycle,
        torch.zeros(1000, 1000),
        list(range(10**6)),
        "\ud800",
        "\x1b[31m",
        object(),
    ]
    for value in values:
        assert 0 < len(short(value)) <= 60
        short(value).encode()
        assert short(value).isprintable()
    assert short("abc") == "'abc'"
    assert short([1, "a", {"b": None}]) == "[1, 'a', {'b': None}]"
    assert short(torch.zeros(2, 3)) == "Tensor of shape (2, 3)"


def test_json_of_our_own_is_read_back() -> None:
    document = {"a": [1, -2.5, None, True, "é\N{GRINNING FACE}"], "b": {}}
    for ascii_only in (True, False):
        assert parse_json(json.dumps(document, ensure_ascii=ascii_only)) == document
