"""What to search over: ``lr=log:1e-5:1e-3 batch_size=1,2,4 dropout=0:0.5
hidden_dim=int:64:512:64``.

A part is NAME=VALUE,VALUE,... (a choice), or NAME=LOW:HIGH or NAME=LOW:HIGH:STEP (a range, both
ends included), with ``log:`` before the range for equal chances per factor, and ``int:`` or
``float:`` to say what the option's own type says anyway.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vidsgg.errors import ConfigError, short
from vidsgg.options import check_bound, closest, convert, kind_of

Number = int | float
KnownOptions = Mapping[str, tuple[Any, dataclasses.Field[Any]]]  # as vidsgg.options.fields_of gives them


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.values))


@dataclass(frozen=True)
class Range:
    """From low to high, both included, in steps from low if there is a step. whole: of whole
    numbers. log: equal chances per factor."""

    low: Number
    high: Number
    step: Number | None = None
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{'log:' if self.log else ''}{self.low}:{self.high}{'' if self.step is None else f':{self.step}'}"

    def points(self) -> tuple[Number, ...] | None:
        """All values, or None if there is no end of them."""
        step = self.step or (1 if self.whole and not self.log else None)
        if step is None:
            return None
        return tuple(_at(self.low, step, i) for i in range(_steps(self.low, self.high, step) + 1))


Space = dict[str, Choice | Range]


def parse_search(text: str, options: KnownOptions, refused: Mapping[str, str] | None = None) -> Space:
    """options: those that may be searched. refused: options that may not, each with the reason.

    Raises ConfigError naming the part that is wrong.
    """
    space: Space = {}
    for part in text.split():
        where = f"option -search: {short(part)}:"
        name, equals, values = part.partition("=")
        if not equals or not values:
            raise ConfigError(
                f"{where} write NAME=VALUE,VALUE,... or NAME=LOW:HIGH, such as batch_size=1,2,4 or lr=log:1e-5:1e-3"
            )
        name = name.lstrip("-")
        if name in (refused or {}):
            raise ConfigError(f"{where} {name} cannot be searched: {(refused or {})[name]}")
        if name not in options:
            raise ConfigError(f"{where} there is no option {short(name)}{closest(name, list(options))}")
        if name in space:
            raise ConfigError(f"{where} {name} occurs twice; put all of its values into one part")
        annotation, field = options[name]
        try:
            space[name] = _dimension(values, annotation, field)
        except ConfigError as error:
            raise ConfigError(f"{where} {error}") from error
    if not space:
        raise ConfigError(
            'option -search is required: what to search over, such as "lr=log:1e-5:1e-3 batch_size=1,2,4"'
        )
    return space


def grid(space: Space) -> list[dict[str, Any]]:
    """Every combination of values, the last option changing fastest. Raises ConfigError for a range
    without a step."""
    values: list[tuple[Any, ...]] = []
    for name, dimension in space.items():
        if isinstance(dimension, Choice):
            values.append(dimension.values)
            continue
        points = dimension.points()
        if points is None:
            raise ConfigError(
                f"option -search: '{name}={dimension}': a grid needs single values or a step, such as"
                f" {name}={dimension.low:g},{dimension.high:g}"
                f"{'' if dimension.log else f' or {name}={dimension}:{(dimension.high - dimension.low) / 4:g}'}"
            )
        values.append(points)
    return [dict(zip(space, point, strict=True)) for point in itertools.product(*values)]


def _dimension(text: str, annotation: Any, field: dataclasses.Field[Any]) -> Choice | Range:
    kind, _, words = kind_of(annotation)
    if ":" in text and kind in (int, float):
        return _range(text, annotation, field)
    words = words or field.metadata.get("choices", ())
    values = tuple(_value(word, annotation, field, words) for word in text.split(","))
    if len(set(values)) < len(values):
        raise ConfigError("a value occurs twice")
    return Choice(values)


def _range(text: str, annotation: Any, field: dataclasses.Field[Any]) -> Range:
    kind = kind_of(annotation)[0]
    log = text.startswith("log:")
    rest = text.removeprefix("log:")
    for word, wanted in (("int:", int), ("float:", float)):
        if rest.startswith(word) and kind is not wanted:
            raise ConfigError(
                f"the option takes {'whole numbers' if kind is int else 'any number'}; leave {word!r} away"
            )
        rest = rest.removeprefix(word)
    low, high, step = (*rest.split(":"), "", "")[:3]
    if not low or not high or rest.count(":") > 2 or (rest.count(":") == 2 and not step):
        raise ConfigError("a range is LOW:HIGH or LOW:HIGH:STEP, with log: before it for equal chances per factor")
    low, high = _value(low, annotation, field, ()), _value(high, annotation, field, ())
    if not low < high:
        raise ConfigError(f"{low} is not below {high}")
    if log and low <= 0:
        raise ConfigError("a log range begins above 0")
    if not step:
        return Range(low, high, log=log, whole=kind is int)
    if log:
        raise ConfigError("a log range has no step")
    step = convert("step", step, kind)
    if not step > 0:
        raise ConfigError(f"a step is above 0, not {step}")
    return Range(low, _at(low, step, _steps(low, high, step)), step, whole=kind is int)


def _value(word: str, annotation: Any, field: dataclasses.Field[Any], words: tuple[str, ...]) -> Any:
    value = convert(f"-{field.name}", word, annotation, words)
    check_bound("", value, field)
    return value


def _steps(low: Number, high: Number, step: Number) -> int:
    return int((high - low) / step + 1e-9)  # 0.3 / 0.1 is a little less than 3


def _at(low: Number, step: Number, index: int) -> Number:
    return round(low + index * step, 12)
