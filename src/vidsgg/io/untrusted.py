"""Values out of files that others may have written become typed values here: JSON, YAML, and what
other readers unpacked.

What a document may hold is said by a type: a dataclass or a ``msgspec.Struct`` whose fields state
their bounds (``Annotated[int, msgspec.Meta(ge=0, le=9)]``), or a combination of plain types. A
value that does not fit ends in one DataError that names the place in the document
(``frames[3].nodes[0].score``), what stands there, cut to a sane length, and what should.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, overload

import msgspec
import yaml

from vidsgg.errors import DataError, short
from vidsgg.io.files import read_text
from vidsgg.io.locations import Location

T = TypeVar("T")

# What it may raise to take a value of unknown type for a table, a list or a number: what a pickle
# holds is anything.
MISFITS = (LookupError, TypeError, ValueError, AttributeError, OverflowError)

_DEPTH = 100  # levels of lists and tables within one another; our own files have at most ten
_YAML_SIZE = 1 << 18  # bytes; a file of options has a few thousand


@overload
def read_json(path: Location, kind: type[T], most: int) -> T: ...
@overload
def read_json(path: Location, kind: Any, most: int) -> Any: ...  # of types such as ``int | None``, which are no classes
def read_json(path: Location, kind: Any, most: int) -> Any:
    """Read an untrusted JSON file as a type.

    Args:
        path: the file.
        kind: a type that the content is checked against, such as a dataclass.
        most: greatest size of the file, in bytes.

    Raises:
        DataError: the content is wrong; the message names the file and the place in it.
    """
    try:
        return as_type(parse_json(read_text(path, most)), kind)
    except DataError as error:
        raise _in_file(path, error) from error.__cause__


def parse_json(text: str | bytes) -> Any:
    """Plain values of JSON as its standard has it: no NaN or infinity, no name twice, no unpaired
    surrogates. Raises DataError."""
    try:
        odd: list[float] = []  # numbers that JSON does not have
        content = json.loads(text, object_pairs_hook=_unique, parse_constant=_noting(odd), parse_float=_noting(odd))
        if odd:
            raise DataError(f"{_place_of(content, odd[0])} is {odd[0]}; expected a number that JSON has.")
        if (b"\\ud" if isinstance(text, bytes) else "\\ud") in text.lower():  # type: ignore[operator]
            json.dumps(content, ensure_ascii=False).encode()
        return content
    except RecursionError:
        raise DataError("is nested too deeply.") from None
    except UnicodeEncodeError as error:
        raise DataError(f"holds half a surrogate pair ({short(error.object[error.start : error.end])}).") from None
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"is not JSON: {_first_line(error)}.") from None


def read_yaml(path: Path) -> Any:
    """Plain values of a small YAML 1.2 file: None, booleans, numbers, texts, and lists and tables
    of them.

    Aliases, tags and names that stand twice are refused: a few hundred bytes of aliases can stand
    for gigabytes. Raises DataError.
    """
    text = read_text(path, _YAML_SIZE)
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except RecursionError:
        raise DataError(f"{path}: is nested too deeply.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path} is not valid YAML: {' '.join(str(error).split())[:300]}") from None


@overload
def as_type(value: object, kind: type[T], where: str = "") -> T: ...
@overload
def as_type(value: object, kind: object, where: str = "") -> Any: ...
def as_type(value: object, kind: Any, where: str = "") -> Any:
    """Plain values as ``kind``, whose bounds are checked. Nothing is converted but lists to tuples,
    whole numbers to float, tables to classes.

    where: what to put before the place in messages. Raises DataError naming the place.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise DataError(where + _explain(value, kind, str(error))) from None
    except RecursionError:
        raise DataError(f"{where}is nested too deeply.") from None
    except (ValueError, OverflowError) as error:  # texts that are not Unicode, numbers that no type holds
        raise DataError(f"{where}holds a value that cannot be read: {_first_line(error)}.") from None


def check_plain(value: Any, where: str, leaves: tuple[type, ...] = (), most: int = 10_000_000) -> None:
    """Raises DataError if ``value`` is more than plain values, and ``leaves``, in lists and tables
    of sane depth and number.

    leaves: further types that may stand in it, such as tensors. most: values in all. What stands in
    several places counts in each.
    """
    plain: tuple[type, ...] = (str, bytes, int, float, bool, type(None), *leaves)
    count, todo = 0, [(value, 0)]
    while todo:
        item, depth = todo.pop()
        count += 1
        if count > most:
            raise DataError(f"{where}holds more than {most:,} values.")
        if isinstance(item, (Mapping, list, tuple, set, frozenset)):
            if depth >= _DEPTH:
                raise DataError(f"{where}is nested more than {_DEPTH} levels deep.")
            todo += [(part, depth + 1) for part in item]
            if isinstance(item, Mapping):
                todo += [(part, depth + 1) for part in item.values()]
        elif not isinstance(item, plain):
            raise DataError(f"{where}holds {short(item)}, which is no plain value.")


def _explain(value: Any, kind: Any, message: str) -> str:
    """msgspec's message with the place in our words and the value that stands there."""
    said, _, place = message.partition(" - at ")
    found = _follow(value, _STEP.findall(place.strip("`")), said)
    if found is None:
        return f"{place.strip('`').removeprefix('$').removeprefix('.') or 'the whole'}: {said}."
    path, value = found
    path = path.removeprefix(".")
    place_of_it = f"{path} " if path else ""  # the file or entry stands before the message
    path = path or "the whole"
    if said.startswith("Expected"):
        return f"{path} is {short(value)}; expected {_words(said.removeprefix('Expected '))}."
    if lacking := _LACKS.fullmatch(said):
        return f"{place_of_it}lacks {short(lacking[1])}."
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", said):
        return f"{path} has the unknown entry {short(unknown[1])}."
    if said.startswith("Invalid enum value"):
        return f"{path} is {short(value)}, which is none of the values that it can have."
    return f"{path}: {said}."


_STEP = re.compile(r"\[\.\.\.\]|\[\d+\]|\.[^.\[]+")
_LACKS = re.compile(r"Object missing required field `(.*)`")


def _follow(value: Any, steps: list[str], said: str) -> tuple[str, Any] | None:
    """The place that steps lead to, and what stands there; None if it cannot be found.

    Of the entries of a table msgspec says only ``[...]``: that is the first one to which the
    message applies.
    """
    if not steps:
        return ("", value) if _is_meant(value, said) else None
    step, rest = steps[0], steps[1:]
    candidates: Iterator[tuple[str, Any]]
    if step == "[...]":
        entries = value.items() if isinstance(value, Mapping) else ()
        candidates = ((f"[{short(key)}]", item) for key, item in entries)
    elif step[0] == "[":
        at = int(step[1:-1])
        candidates = iter([(step, value[at])] if isinstance(value, (list, tuple)) and at < len(value) else [])
    else:
        candidates = iter([(step, value[step[1:]])] if isinstance(value, Mapping) and step[1:] in value else [])
    for name, item in candidates:
        if found := _follow(item, rest, said):
            return name + found[0], found[1]
    return None


def _is_meant(value: Any, said: str) -> bool:
    """Whether a message may be about a value."""
    if lacking := _LACKS.fullmatch(said):
        return isinstance(value, Mapping) and lacking[1] not in value
    expected = re.match(r"Expected `(\w+)", said)
    wanted = _PYTHON_TYPES.get(expected[1]) if expected else None
    if wanted is None:
        return not (expected and type(value).__name__ == expected[1])
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        return True
    bound = re.search(r"(>=|<=|>|<) (-?[\d.]+(?:e[+-]?\d+)?)", said)
    if bound and isinstance(value, (int, float)):
        return not _HOLDS[bound[1]](value, float(bound[2]))
    return ", got " not in said or "length" in said


_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (int, float), "str": (str,), "bool": (bool,), "array": (list, tuple), "object": (Mapping,),
}  # fmt: skip
_HOLDS = {
    ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, "<": lambda a, b: a < b,
}  # fmt: skip
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


def _words(expected: str) -> str:
    """``\\`int\\` >= 0, got \\`str\\``` as ``a whole number >= 0``."""
    expected = expected.split(", got ")[0]
    return re.sub(
        r"`([^`]*)`",
        lambda m: " or ".join(_WORDS.get(word.strip(), word.strip()) for word in m[1].split("|")),
        expected,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise DataError(f"the name {short(twice)} occurs twice in one table.")
    return table


def _noting(odd: list[float]) -> Callable[[str], float]:
    """A parser of numbers that adds those that are not finite to ``odd``."""

    def read(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            odd.append(number)
        return number

    return read


def _place_of(content: Any, wanted: float) -> str:
    """Where a number stands, itself and not an equal one."""
    todo: list[tuple[str, Any]] = [("", content)]
    while todo:
        place, value = todo.pop()
        if value is wanted:
            return place.removeprefix(".") or "the whole"
        if isinstance(value, dict):
            todo += [(f"{place}.{name[:60]}", part) for name, part in value.items()]
        elif isinstance(value, list):
            todo += [(f"{place}[{i}]", part) for i, part in enumerate(value)]
    return "a value"


def _in_file(path: Location, error: DataError) -> DataError:
    text = str(error)
    return error if text.startswith(str(path)) else DataError(f"{path}: {text}")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


class _PlainLoader(yaml.SafeLoader):
    """YAML 1.2's core schema. PyYAML follows 1.1, where ``1e-4`` is a text, ``on`` is true,
    ``1:30`` is 90 and ``010`` is 8."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # a class variable there too; the stubs do not say it

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]  # without types in the stubs
            raise yaml.composer.ComposerError(
                None,
                None,
                f"the alias *{event.anchor[:40]} is not read; write out what it stands for",
                event.start_mark,
            )
        return super().compose_node(parent, index)

    def construct_document(self, node: Any) -> Any:
        return self._plain(node, 0)

    def _plain(self, node: Any, depth: int) -> Any:
        if depth > _DEPTH:
            raise yaml.constructor.ConstructorError(None, None, f"more than {_DEPTH} levels", node.start_mark)
        if isinstance(node, yaml.ScalarNode):
            if node.tag not in _SCALARS:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the tag {node.tag[:60]!r} is not read", node.start_mark
                )
            try:
                return _SCALARS[node.tag](node.value)
            except ValueError:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{short(node.value)} is not read", node.start_mark
                ) from None
        if node.tag not in ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"):
            raise yaml.constructor.ConstructorError(
                None, None, f"the tag {node.tag[:60]!r} is not read", node.start_mark
            )
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(part, depth + 1) for part in node.value]
        table = {}
        for key_node, value_node in node.value:
            key = self._plain(key_node, depth + 1)
            if isinstance(key, (list, dict)):
                raise yaml.constructor.ConstructorError(
                    None, None, "a list or table as a name is not read", key_node.start_mark
                )
            if key in table:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the name {short(key)} occurs twice", key_node.start_mark
                )
            table[key] = self._plain(value_node, depth + 1)
        return table


def _yaml_float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: dict[str, Any] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": lambda text: int(text, {"0o": 8, "0x": 16}.get(text[:2], 10)),
    "tag:yaml.org,2002:float": _yaml_float,
    "tag:yaml.org,2002:str": str,
}
for _tag, _pattern, _first in (
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$",
        list("-+0123456789."),
    ),
):
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)
