"""Checking values out of a JSON file against a JSON Schema: the words of draft 2020-12 that our
schemas use, and no others.

Not jsonschema: it takes several times as long for the graph of a long video, takes whole numbers
that no float holds, and says neither what is expected nor which entry was meant. That both refuse
the same is a test (``tests/io/test_graph_files.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vidsgg.errors import DataError, short
from vidsgg.options import closest

Rules = Mapping[str, Any]
_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
}
_SAYS_NOTHING = {"$schema", "$defs", "title", "description"}


def check_json(value: Any, schema: Rules) -> None:
    """Raises DataError naming the place in ``value`` (``frames[3].nodes[0].score``), what stands
    there and what should.

    Raises KeyError for a word of JSON Schema that is not known here, so that no rule is passed
    over.
    """
    try:
        _check(value, schema, schema.get("$defs", {}))
    except _Wrong as wrong:
        place = "".join(
            f"[{step}]" if isinstance(step, int) else f".{step}" for step in reversed(wrong.path)
        ).removeprefix(".")
        raise DataError(f"{place or 'the whole'} {wrong}") from None


class _Wrong(Exception):
    """path: steps to the value that is wrong, the last one first."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.path: list[str | int] = []


def _check(value: Any, schema: Rules, definitions: Rules) -> None:
    for word, wanted in schema.items():
        if word in _VALUE_RULES:
            fits, expected = _VALUE_RULES[word]
            if not fits(value, wanted):
                raise _Wrong(f"is {short(value)}; expected {expected.format(_words(wanted))}.")
        elif word == "$ref":
            _check(value, definitions[wanted.removeprefix("#/$defs/")], definitions)
        elif word == "anyOf":
            _check_choices(value, wanted, definitions)
        elif word == "required":
            if lacking := [name for name in wanted if isinstance(value, dict) and name not in value]:
                raise _Wrong(f"lacks {lacking[0]!r}.")
        elif word not in _SAYS_NOTHING:
            for step, part, rules in _INSIDE[word](value, wanted, schema):
                try:
                    _check(part, rules, definitions)
                except _Wrong as wrong:
                    wrong.path.append(step)
                    raise


def _check_choices(value: Any, choices: list[Rules], definitions: Rules) -> None:
    for choice in choices[:-1]:
        try:
            return _check(value, choice, definitions)
        except _Wrong:
            continue
    return _check(value, choices[-1], definitions)  # the last one holds the most, so its message tells the most


def _is(value: Any, kind: str) -> bool:
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300  # false for nan
    return isinstance(value, _TYPES[kind]) and not (kind == "integer" and isinstance(value, bool))


def _is_one_of(value: Any, kinds: str | list[str]) -> bool:
    return any(_is(value, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _equals(value: Any, wanted: Any) -> bool:
    return type(value) is type(wanted) and bool(value == wanted)


_VALUE_RULES: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "type": (_is_one_of, "{}"),
    "const": (_equals, "{}"),
    "enum": (lambda value, wanted: any(_equals(value, word) for word in wanted), "{}"),
    "minimum": (lambda value, wanted: not _is(value, "number") or value >= wanted, "{} or more"),
    "maximum": (lambda value, wanted: not _is(value, "number") or value <= wanted, "{} or less"),
    "exclusiveMinimum": (lambda value, wanted: not _is(value, "number") or value > wanted, "more than {}"),
    "minItems": (lambda value, wanted: not isinstance(value, list) or len(value) >= wanted, "{} values or more"),
    "maxItems": (lambda value, wanted: not isinstance(value, list) or len(value) <= wanted, "{} values or fewer"),
}


def _items(value: Any, rules: Rules, schema: Rules) -> Iterator[tuple[int, Any, Rules]]:
    return ((i, item, rules) for i, item in enumerate(value if isinstance(value, list) else ()))


def _properties(value: Any, rules: Rules, schema: Rules) -> Iterator[tuple[str, Any, Rules]]:
    return ((name, value[name], rule) for name, rule in rules.items() if isinstance(value, dict) and name in value)


def _others(value: Any, rules: bool | Rules, schema: Rules) -> Iterator[tuple[str, Any, Rules]]:
    known = schema.get("properties", {})
    for name in value if isinstance(value, dict) else ():
        if name not in known:
            if isinstance(rules, bool):
                raise _Wrong(f"has the unknown entry {short(name)}{closest(name, list(known)) or '.'}")
            yield name, value[name], rules


_INSIDE: dict[str, Callable[[Any, Any, Rules], Iterator[tuple[str | int, Any, Rules]]]] = {
    "items": _items,
    "properties": _properties,
    "additionalProperties": _others,
}


def _words(wanted: Any) -> str:
    return " or ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)
