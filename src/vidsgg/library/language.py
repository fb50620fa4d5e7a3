"""The language of searches: a thing, or relations and how they follow one another in time.

    query     = class | relation { connector [ "not" ] relation }
    connector = "then" [ "within" duration ] | "before" | "while"
    relation  = thing predicate thing { "for" duration | "score" number }
    thing     = "*" | class | ?name | class ?name
    duration  = number [ "s" | "m" | "h" ]

A class or predicate that is one of the language's own words, or has a space in it, stands in
quotes. docs/library.md says what each word means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from vidsgg.errors import ConfigError, short

Connector = Literal["then", "before", "while"]
RESERVED = ("then", "before", "while", "not", "within", "for", "score")
_MOST_LETTERS = 2000
_MOST_RELATIONS = 8  # each is a join
_TOKEN = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|(\S+))""")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class QueryWord:
    """A word of a query. begin, end: its letters there. quoted: then it is a name, whatever it
    says."""

    text: str
    begin: int
    end: int
    quoted: bool = False

    def says(self, *words: str) -> bool:
        return not self.quoted and self.text.lower() in words


@dataclass(frozen=True)
class AskedThing:
    """What stands at one end of a relation. name: a class, None for any. variable: the same thing
    wherever it stands again, None if it has none. begin, end: its letters in the query."""

    name: QueryWord | None
    variable: str | None
    begin: int
    end: int


@dataclass(frozen=True)
class AskedRelation:
    """A relation of a query. connector, within: how it lies to the relation before, within in
    seconds. negated: it must not be there. least_seconds, least_score: what it must reach."""

    subject: AskedThing
    predicate: QueryWord | None
    object: AskedThing
    connector: Connector | None = None
    within: float | None = None
    negated: bool = False
    least_seconds: float = 0.0
    least_score: float = 0.0


def parse_query(text: str) -> tuple[AskedRelation, ...]:
    """The relations of a query, in its order. Raises ConfigError that points at the word that is
    wrong."""
    return _Parser(text).steps()


def asked_class(text: str) -> QueryWord | None:
    """The only word of a query, if it is a class: then a thing is searched and no relation. Raises
    ConfigError if the query is too long."""
    words = _words(text)
    alone = len(words) == 1 and (words[0].quoted or not (words[0].says("*", *RESERVED) or words[0].text[0] == "?"))
    return words[0] if alone else None


def turned_query(text: str) -> str | None:
    """A query of one relation with its subject and object exchanged, None if it has several."""
    step, *others = parse_query(text)
    if others:
        return None
    subject, object_ = step.subject, step.object
    said = (
        text[object_.begin : object_.end],
        text[subject.end : object_.begin],
        text[subject.begin : subject.end],
        text[object_.end :],
    )
    return " ".join(part.strip() for part in said if part.strip())


def fault(text: str, word: QueryWord | None, what: str) -> ConfigError:
    """An error about a word of a query, None for its end, that shows where the word is."""
    begin, end = (len(text), len(text) + 1) if word is None else (word.begin, word.end)
    named = "the end of the query" if word is None else short(word.text)
    before, shown = max(0, begin - 60), text[max(0, begin - 60) : min(end, begin + 60) + 20].replace("\n", " ")
    dots = "..." if before else ""
    return ConfigError(
        f"{named}: {what}\n  {dots}{shown}\n  {' ' * (len(dots) + begin - before)}{'^' * min(end - begin, 60)}"
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.words = _words(text)

    def steps(self) -> tuple[AskedRelation, ...]:
        found: list[AskedRelation] = []
        variables: set[str] = set()
        while True:
            connector, within, negated = self._connection(first=not found)
            if len(found) == _MOST_RELATIONS:
                raise self._fault(f"a query has at most {_MOST_RELATIONS} relations")
            step = self._relation(connector, within, negated)
            if negated:
                self._check_bound(step, variables)
            else:
                variables |= {thing.variable for thing in (step.subject, step.object) if thing.variable}
            found.append(step)
            if self._peek() is None:
                return tuple(found)

    def _connection(self, *, first: bool) -> tuple[Connector | None, float | None, bool]:
        if first:
            if self._takes("not"):
                self.at -= 1
                raise self._fault("the first relation must be there; put 'not' behind 'then', 'before' or 'while'")
            return None, None, False
        word = self._peek()
        if word is None or not word.says("then", "before", "while"):
            raise self._fault("expected 'then', 'before', 'while', 'for' or 'score'")
        self.at += 1
        connector: Connector = word.text.lower()  # type: ignore[assignment]  # it says one of them
        within = None
        negated = self._takes("not")
        if connector == "then" and self._takes("within"):
            within = self._duration()
        negated = negated or self._takes("not")
        return connector, within, negated

    def _relation(self, connector: Connector | None, within: float | None, negated: bool) -> AskedRelation:
        subject = self._thing("the subject")
        predicate = self._name("a predicate, or *")
        object_ = self._thing("the object")
        seconds = score = 0.0
        while True:
            if self._takes("for"):
                seconds = self._duration()
            elif self._takes("score"):
                score = self._score()
            else:
                return AskedRelation(subject, predicate, object_, connector, within, negated, seconds, score)

    def _thing(self, role: str) -> AskedThing:
        first = self.at
        name = None if self._at_variable() else self._name(f"{role}: a class, * or ?name")
        variable = self._variable() if self._at_variable() else None
        return AskedThing(name, variable, self.words[first].begin, self.words[self.at - 1].end)

    def _at_variable(self) -> bool:
        word = self._peek()
        return word is not None and word.text.startswith("?") and not word.quoted

    def _variable(self) -> str:
        word = self.words[self.at]
        if not re.fullmatch(r"\?[A-Za-z_]\w*", word.text):
            raise self._fault("a name for a thing is a question mark and letters, such as ?x")
        self.at += 1
        return word.text[1:]

    def _name(self, expected: str) -> QueryWord | None:
        word = self._peek()
        if word is None or word.says(*RESERVED) or self._at_variable():
            raise self._fault(f"expected {expected}")
        self.at += 1
        return None if word.says("*") else word

    def _duration(self) -> float:
        word = self._peek()
        match = word and _DURATION.fullmatch(word.text.lower())
        if not match:
            raise self._fault("expected a time, such as 5s, 2m or 1.5h")
        self.at += 1
        return float(match[1]) * _SECONDS[match[2] or "s"]

    def _score(self) -> float:
        word = self._peek()
        try:
            value = float(word.text) if word else -1.0
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise self._fault("expected a score from 0 to 1")
        self.at += 1
        return value

    def _check_bound(self, step: AskedRelation, variables: set[str]) -> None:
        """What must not be there cannot say which thing it is."""
        for thing in (step.subject, step.object):
            if thing.variable and thing.variable not in variables:
                index = next(i for i, word in enumerate(self.words) if word.text == f"?{thing.variable}")
                raise fault(self.text, self.words[index], "no relation before 'not' names this thing")

    def _peek(self) -> QueryWord | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def _takes(self, text: str) -> bool:
        word = self._peek()
        if word is None or not word.says(text):
            return False
        self.at += 1
        return True

    def _fault(self, what: str) -> ConfigError:
        return fault(self.text, self._peek(), what)


def _words(text: str) -> list[QueryWord]:
    if len(text) > _MOST_LETTERS:
        raise ConfigError(f"the query has {len(text):,} letters; at most {_MOST_LETTERS:,} are read.")
    return [_word(match) for match in _TOKEN.finditer(text) if match.group().strip()]


def _word(match: re.Match[str]) -> QueryWord:
    group = next(i for i in (1, 2, 3) if match[i] is not None)
    begin = match.start(group) - (group < 3)
    return QueryWord(match[group], begin, match.end(group) + (group < 3), quoted=group < 3)
