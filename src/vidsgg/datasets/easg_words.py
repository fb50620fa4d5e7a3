"""The classes of models of EASG's authors, whose files do not name them: taken from word lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vidsgg.datasets.easg import schema_of
from vidsgg.datasets.easg_files import VOCABULARY_FILES, read_names
from vidsgg.datasets.easg_layout import find_layout
from vidsgg.errors import ConfigError, short
from vidsgg.io.locations import location
from vidsgg.structures.schema import Schema


@dataclass(frozen=True)
class NamedClasses:
    """schema: of the data set. verbs, objects, relations: for every class of it, in its order, the
    row of the model's tables, from 0; objects without the background."""

    schema: Schema
    verbs: tuple[int, ...]
    objects: tuple[int, ...]
    relations: tuple[int, ...]


def named_classes(folder: str | None, words: str | None, file: str, features: Mapping[str, int]) -> NamedClasses:
    """The classes of a model by the word lists in the data set's folder. words: a folder with lists
    in the order of the model's classes, None if that is the data set's. file: the model's, for
    messages. features: widths of what it reads.

    Raises ConfigError if no folder is given or the lists do not hold the same words, DataError
    naming a list that cannot be read.
    """
    if folder is None:
        raise ConfigError(
            f"option -data_path is required: {file} holds a model for EASG and does not name its classes. Give the folder"
            f" of the data set, whose {', '.join(VOCABULARY_FILES)} do."
        )
    lists = _lists(folder)
    theirs = lists if words is None else _lists(words)
    orders = []
    for name, mine, other in zip(VOCABULARY_FILES, lists, theirs, strict=True):
        if odd := set(mine) ^ set(other):
            raise ConfigError(
                f"option -words: {name} in {words} and in {folder} do not hold the same words, such as {short(min(odd))}."
            )
        place = {word: row for row, word in enumerate(other)}
        orders.append(tuple(place[word] for word in mine))
    return NamedClasses(schema_of(*lists, features), *orders)


def _lists(folder: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    annotations = find_layout(location(folder)).annotations
    verbs, objects, relations = (read_names(annotations / name) for name in VOCABULARY_FILES)
    return verbs, objects, relations
