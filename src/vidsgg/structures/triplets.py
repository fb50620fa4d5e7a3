"""Triplets of classes as single numbers: class of the subject, class of the object, predicate."""

from __future__ import annotations

import numpy as np

from vidsgg.structures.checks import Array
from vidsgg.structures.instances import Triplet
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import Vocabulary


def triplet_codes(vocabulary: Vocabulary, subject: Array, obj: Array, predicate: Array) -> Array:
    """(R,) int64, one number for each triplet. subject, obj (R,): classes by their index; predicate
    (R,): global ids."""
    joint: Array = (np.asarray(subject, np.int64) * len(vocabulary.objects) + obj) * len(
        vocabulary.predicates
    ) + predicate
    return joint


def triplet_names(schema: Schema, code: int) -> Triplet:
    """The names of a triplet, in the direction in which its predicate reads."""
    vocabulary = schema.vocabulary
    rest, predicate = divmod(int(code), len(vocabulary.predicates))
    subject, obj = divmod(rest, len(vocabulary.objects))
    subjects = vocabulary.objects if schema.subject_has_box else vocabulary.subjects
    ends = subjects[subject], vocabulary.objects[obj]
    group = next(g for g in vocabulary.groups if vocabulary.predicates[predicate] in g.predicates)
    first, last = ends if group.direction == "subject->object" else ends[::-1]
    return first, vocabulary.predicates[predicate], last
