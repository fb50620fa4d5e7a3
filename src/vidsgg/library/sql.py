"""From the language of searches to SQL over the table ``relations`` (``tables.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from vidsgg.library.language import AskedRelation, AskedThing, QueryWord, fault, parse_query
from vidsgg.options import closest

STEP_COLUMNS = ("relation", "subject", "predicate", "object", "subject_track", "object_track", "begin", "end", "score")


@dataclass(frozen=True)
class KnownWords:
    """What a library can be asked for: the classes and the predicates of its relations."""

    classes: tuple[str, ...]
    predicates: tuple[str, ...]


def compile_query(text: str, words: KnownWords) -> tuple[str, int]:
    """The SQL of a query, and the number of relations in each of its hits.

    Its columns: video (number), begin and end (seconds), score (the lowest of the relations), and
    for relation i from 1 ``STEP_COLUMNS`` with ``_i``. Raises ConfigError that points at the word
    that is wrong, such as a class that the library does not have.
    """
    return _Compiler(text, words).sql()


class _Compiler:
    def __init__(self, text: str, words: KnownWords) -> None:
        self.text, self.words = text, words
        self.steps = parse_query(text)
        self.bound: dict[str, tuple[str, str]] = {}  # variable -> alias of a relation, and its side of it

    def sql(self) -> tuple[str, int]:
        there = [i for i, step in enumerate(self.steps) if not step.negated]
        alias = {i: f"r{n}" for n, i in enumerate(there, 1)}
        where: list[str] = []
        for i in there:
            where += self._conditions(self.steps[i], alias[i], bind=True)
        for before, i in pairwise(there):
            where.append(f"{alias[i]}.video = {alias[before]}.video")
            where += self._connection(self.steps[i], alias[before], alias[i])
        for i, step in enumerate(self.steps):
            if step.negated:
                before = max(j for j in there if j < i)
                after = min((j for j in there if j > i), default=None)
                where.append(self._absence(step, alias[before], None if after is None else alias[after]))
        names = list(alias.values())
        columns = [f"{names[0]}.video AS video"]
        columns += [_over("least", names, "begin"), _over("greatest", names, "end"), _over("least", names, "score")]
        columns += [f'{name}."{column}" AS {column}_{n}' for n, name in enumerate(names, 1) for column in STEP_COLUMNS]
        sources = ", ".join(f"relations AS {name}" for name in names)
        order = ["score DESC", "video", *(f"relation_{n}" for n in range(1, len(names) + 1))]
        lines = ["SELECT " + ",\n       ".join(columns), f"FROM {sources}"]
        if where:
            lines.append("WHERE " + "\n  AND ".join(where))
        return "\n".join([*lines, "ORDER BY " + ", ".join(order)]), len(names)

    def _conditions(self, step: AskedRelation, alias: str, *, bind: bool) -> list[str]:
        """What one relation must be by itself, and by the things that it shares with others."""
        found: list[str] = []
        for side, thing in (("subject", step.subject), ("object", step.object)):
            if thing.name is not None:
                found.append(_is_one_of(f"{alias}.{side}", self._labels(thing.name)))
            found += self._shared(thing, alias, side, bind=bind)
        if step.predicate is not None:
            found.append(_is_one_of(f"{alias}.predicate", [self._predicate(step.predicate)]))
        if step.least_seconds:
            found.append(f'{alias}."end" - {alias}.begin >= {step.least_seconds!r}')
        if step.least_score:
            found.append(f"{alias}.score >= {step.least_score!r}")
        return found

    def _shared(self, thing: AskedThing, alias: str, side: str, *, bind: bool) -> list[str]:
        if thing.variable is None:
            return []
        if thing.variable not in self.bound:
            if bind:
                self.bound[thing.variable] = (alias, side)
            return []
        other, its_side = self.bound[thing.variable]
        return [
            f"{alias}.{side}_track = {other}.{its_side}_track",
            f"{alias}.{side} = {other}.{its_side}",
        ]

    def _connection(self, step: AskedRelation, before: str, alias: str) -> list[str]:
        if step.connector == "while":
            return [f'{alias}.begin <= {before}."end"', f'{before}.begin <= {alias}."end"', _another(alias, before)]
        if step.connector == "before":
            return [f'{before}."end" <= {alias}.begin', _another(alias, before)]
        found = [f"{alias}.begin > {before}.begin"]
        if step.within is not None:
            found.append(f'{alias}.begin - {before}."end" <= {step.within!r}')
        return found

    def _absence(self, step: AskedRelation, before: str, after: str | None) -> str:
        conditions = [f"n.video = {before}.video", *self._connection(step, before, "n")]
        if after is not None and step.connector != "while":
            conditions.append(f"n.begin < {after}.begin")
        conditions += self._conditions(step, "n", bind=False)
        return "NOT EXISTS (SELECT 1 FROM relations AS n WHERE " + " AND ".join(conditions) + ")"

    def _labels(self, word: QueryWord) -> list[str]:
        """The classes that a word means: the one of that name, or those that have it as a part, as
        ``cup`` is one of ``cup/glass/bottle``."""
        found = labels_called(word.text, self.words.classes)
        if not found:
            raise self._unknown(word, "thing", self.words.classes)
        return found

    def _predicate(self, word: QueryWord) -> str:
        for predicate in self.words.predicates:
            if _plain(predicate) == _plain(word.text):
                return predicate
        raise self._unknown(word, "predicate", self.words.predicates)

    def _unknown(self, word: QueryWord, kind: str, known: Sequence[str]) -> Exception:
        if not known:
            return fault(self.text, word, "no graph of this library has a relation over time")
        named = [*known, *(part for name in known for part in name.split("/") if "/" in name)]
        hint = closest(word.text, named) or f"; it has {_list(known)}"
        return fault(self.text, word, f"no relation of this library has a {kind} of that name{hint}")


def labels_called(name: str, classes: Sequence[str]) -> list[str]:
    """The classes that a name means, see ``_Compiler._labels``; none if there is no such class."""
    wanted = _plain(name)
    found = [label for label in classes if _plain(label) == wanted]
    return found or [label for label in classes if wanted in map(_plain, label.split("/"))]


def sightings_sql(classes: Sequence[str]) -> str:
    """The SQL for the tracks of classes: video (number), label, track, begin and end
    (seconds), first frame, number of frames, the highest score. Things without a track are one."""
    return (
        "SELECT video, CAST(label AS VARCHAR) AS name, track, min(time) AS begin, max(time) AS last,"
        " min(frame) AS first, count(DISTINCT frame) AS frames, max(score) AS score FROM things"
        f" WHERE {_is_one_of('label', classes)} GROUP BY video, name, track"
    )


def _over(function: str, names: Sequence[str], column: str) -> str:
    parts = [f'{name}."{column}"' for name in names]
    value = parts[0] if len(parts) == 1 else f"{function}({', '.join(parts)})"
    return f'{value} AS "{column}"'


def _another(one: str, other: str) -> str:
    return f"{one}.relation <> {other}.relation"


def _is_one_of(column: str, values: Sequence[str]) -> str:
    quoted = ["'" + value.replace("'", "''") + "'" for value in values]
    return f"{column} = {quoted[0]}" if len(quoted) == 1 else f"{column} IN ({', '.join(quoted)})"


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _list(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
