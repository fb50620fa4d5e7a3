"""From the language of searches to SQL over the tables ``relations`` and ``things`` (``tables.py``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from vidsgg.errors import ConfigError, short
from vidsgg.library.language import AskedRelation, AskedThing, QueryWord, asked_class, fault, parse_query
from vidsgg.options import closest

STEP_COLUMNS = ("relation", "subject", "predicate", "object", "subject_track", "object_track", "begin", "end", "score")


@dataclass(frozen=True)
class KnownWords:
    """Classes and predicates, the most frequent ones first."""

    classes: tuple[str, ...]
    predicates: tuple[str, ...]


class LibraryWords(Protocol):
    """The words that a library knows. Most queries need the first kind only."""

    @property
    def of_relations(self) -> KnownWords:
        """Those of its relations over time."""

    @property
    def of_graphs(self) -> KnownWords:
        """Those of things and relations in the frames of its graphs."""

    @property
    def of_vocabularies(self) -> KnownWords:
        """Those that its graphs can use; graphs may come without a vocabulary."""


@dataclass(frozen=True)
class CompiledQuery:
    """A query as SQL.

    The columns: video (number), begin and end (seconds), score (of several relations the lowest),
    and for relation i from 1 ``STEP_COLUMNS`` with ``_i``; or of a thing label, track, first (frame,
    from 0) and frames (how many).
    """

    select: str
    order: str  # the columns by which its rows are ordered
    relations: int  # in each hit; 0 if a thing is searched
    notes: tuple[str, ...] = ()  # words that the library knows, but has nowhere

    @property
    def sql(self) -> str:
        """The whole statement."""
        return f"{self.select}\nORDER BY {self.order}"


def compile_query(text: str, words: LibraryWords) -> CompiledQuery:
    """The SQL of a query.

    A word that the library knows and has nowhere finds nothing. Raises ConfigError that points at
    the word that is wrong, such as a class that no vocabulary of the library has.
    """
    thing = asked_class(text)
    return _Compiler(text, words).of_relations() if thing is None else _Compiler(text, words).of_thing(thing)


class _Compiler:
    def __init__(self, text: str, words: LibraryWords) -> None:
        self.text, self.words = text, words
        self.bound: dict[str, tuple[str, str]] = {}  # variable -> alias of a relation, and its side of it
        self.notes: list[str] = []

    def of_thing(self, word: QueryWord) -> CompiledQuery:
        """The tracks of a class, each with the first and last time at which it is seen. All things
        of a video without a track are one."""
        known, more = self.words.of_graphs.classes, self.words.of_vocabularies.classes
        labels = labels_called(word.text, known)
        if not labels:
            labels = labels_called(word.text, more)
            if not labels:
                raise self._no_thing(word, known, more)
            self.notes.append(f"no graph of this library has a thing called {_quoted(labels)}")
        select = (
            'SELECT video, min(time) AS begin, max(time) AS "end", max(score) AS score,\n'
            "       CAST(label AS VARCHAR) AS label, track, min(frame) AS first, count(DISTINCT frame) AS frames\n"
            f"FROM things\nWHERE {_is_one_of('label', labels)}\nGROUP BY video, label, track"
        )
        return CompiledQuery(select, "score DESC, video, first, label, track", 0, tuple(self.notes))

    def of_relations(self) -> CompiledQuery:
        steps = parse_query(self.text)
        there = [i for i, step in enumerate(steps) if not step.negated]
        alias = {i: f"r{n}" for n, i in enumerate(there, 1)}
        where: list[str] = []
        for i in there:
            where += self._conditions(steps[i], alias[i], bind=True)
        for before, i in pairwise(there):
            where.append(f"{alias[i]}.video = {alias[before]}.video")
            where += self._connection(steps[i], alias[before], alias[i])
        for i, step in enumerate(steps):
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
        return CompiledQuery("\n".join(lines), ", ".join(order), len(names), tuple(dict.fromkeys(self.notes)))

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
        known = self.words.of_relations.classes
        if found := labels_called(word.text, known):
            return found
        more = (*self.words.of_graphs.classes, *self.words.of_vocabularies.classes)
        found = labels_called(word.text, tuple(dict.fromkeys(more)))
        if not found:
            raise self._unknown(word, "thing", known, more)
        self._note_unused(f"a thing called {_quoted(found)}")
        return found

    def _predicate(self, word: QueryWord) -> str:
        known = self.words.of_relations.predicates
        if (found := _called(word.text, known)) is not None:
            return found
        more = (*self.words.of_graphs.predicates, *self.words.of_vocabularies.predicates)
        found = _called(word.text, more)
        if found is None:
            raise self._unknown(word, "predicate", known, more)
        self._note_unused(f"the predicate {_quoted([found])}")
        return found

    def _note_unused(self, word: str) -> None:
        if self.words.of_relations.predicates:
            self.notes.append(f"no relation over time of this library has {word}")
        else:
            self.notes.append("no graph of this library has a relation over time")

    def _no_thing(self, word: QueryWord, known: Sequence[str], more: Sequence[str]) -> ConfigError:
        """An error about a word that stands alone and is no class. known, more: as for ``_unknown``."""
        predicates = (*self.words.of_graphs.predicates, *self.words.of_vocabularies.predicates)
        if _called(word.text, predicates) is None:
            return self._unknown(word, "thing", known, more)
        written = self.text[word.begin : word.end]
        return fault(self.text, word, f"a predicate, and a class is expected; for its relations, write * {written} *")

    def _unknown(self, word: QueryWord, kind: str, known: Sequence[str], more: Sequence[str]) -> ConfigError:
        """An error about a word that is unknown. known: what the library has; more: what else its
        vocabularies have."""
        names = tuple(dict.fromkeys([*known, *more]))
        if not names:
            return fault(self.text, word, "no graph of this library has a thing or a relation")
        named = [*names, *(part for name in names for part in name.split("/") if "/" in name)]
        hint = closest(word.text, named) or f"; it has {_list(known or names)}"
        where = "no graph and no vocabulary" if self.words.of_vocabularies.classes else "no graph"
        return fault(self.text, word, f"{where} of this library has a {kind} of that name{hint}")


def labels_called(name: str, classes: Sequence[str]) -> list[str]:
    """The classes that a name means, see ``_Compiler._labels``; none if there is no such class."""
    wanted = _plain(name)
    found = [label for label in classes if _plain(label) == wanted]
    return found or [label for label in classes if wanted in map(_plain, label.split("/"))]


def _called(name: str, predicates: Sequence[str]) -> str | None:
    wanted = _plain(name)
    return next((predicate for predicate in predicates if _plain(predicate) == wanted), None)


def _over(function: str, names: Sequence[str], column: str) -> str:
    parts = [f'{name}."{column}"' for name in names]
    value = parts[0] if len(parts) == 1 else f"{function}({', '.join(parts)})"
    return f'{value} AS "{column}"'


def _another(one: str, other: str) -> str:
    return f"{one}.relation <> {other}.relation"


def _is_one_of(column: str, values: Sequence[str]) -> str:
    quoted = ["'" + value.replace("'", "''") + "'" for value in values]
    return f"{column} = {quoted[0]}" if len(quoted) == 1 else f"{column} IN ({', '.join(quoted)})"


def _quoted(names: Sequence[str]) -> str:
    return " or ".join(map(short, names))


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _list(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
