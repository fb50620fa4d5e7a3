"""Schemas as version 0.1.0 wrote them: without the rules by which graphs are made, or as class
names alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vidsgg.datasets import action_genome, easg
from vidsgg.structures.schema import Schema


def read_schema(document: object) -> Schema:
    """The schema of a file, with what earlier versions did not write down: 0.1.0 no rules, and 0.2
    not what graphs show by default. Raises DataError as ``Schema.from_dict`` does."""
    schema, known = Schema.from_dict(document), action_genome.SCHEMA
    if schema.vocabulary != known.vocabulary:
        return schema
    rules: dict[str, Any] = {}
    if isinstance(document, Mapping) and "version" not in document:
        names = ("title", "one_subject", "mutual", "often_wrong", "once_per_frame")
        rules = {name: getattr(known, name) for name in names}
    return replace(schema, vocabulary=known.vocabulary, **rules)


def schema_of_names(names: Mapping[str, Any], features: Mapping[str, int]) -> Schema | None:
    """The schema of a checkpoint of version 0.1.0, which held class names alone; None if they are
    of no data set that it knew.

    names: ``objects`` and ``subjects``, and the ``predicates`` of every group. features: widths
    that the data set's files brought along, see ``Schema``. Raises DataError if the names
    contradict each other.
    """
    if names == class_names(action_genome.SCHEMA):
        return action_genome.SCHEMA
    objects, subjects, predicates = (
        names.get("objects") or (),
        names.get("subjects") or (),
        names.get("predicates") or {},
    )
    if list(predicates) != ["relation"]:
        return None
    return easg.schema_of(tuple(subjects), tuple(objects[1:]), tuple(predicates["relation"]), features)


def class_names(schema: Schema) -> dict[str, Any]:
    """Class names as checkpoints of version 0.1.0 held them."""
    vocabulary = schema.vocabulary
    return {
        "objects": list(vocabulary.objects),
        "subjects": list(vocabulary.subjects),
        "predicates": {group.name: list(group.predicates) for group in vocabulary.groups},
    }
