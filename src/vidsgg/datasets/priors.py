"""How often predicates hold given the class of an object, and given the contact before: STKET's
knowledge (IEEE TIP 2024, section 3.2).

Letters: O object classes, R predicates of all groups, C predicates of the contact group.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vidsgg.datasets.action_genome import compact_name
from vidsgg.datasets.base import VideoDataset
from vidsgg.errors import DataError, short
from vidsgg.io.atomic import write_whole
from vidsgg.io.untrusted import as_type, read_json
from vidsgg.ops.contacts import contact_group
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Schema

_LARGEST = 100_000_000  # bytes of a file of priors; the authors' has half a million


@dataclass(frozen=True, eq=False)
class PredicatePriors:
    """initial (O, R) float32: share of a class's pairs that have the predicate. transition (O, C,
    R) float32: the same of pairs whose predecessor, the pair of that class before in the same
    video, has the contact; first within every video, then the mean over videos. Zero where there is
    nothing to count. contacts (O, C) bool: those that occur with the class. pairs (O,) int64: how
    many were counted, or None where a file does not tell.
    """

    initial: Array
    transition: Array
    contacts: Array
    pairs: Array | None = None

    def summary(self) -> str:
        """How much there is to know, in one line."""
        known = self.initial.any(1)
        pairs = "" if self.pairs is None else f"{int(self.pairs.sum()):,} pairs, "
        lacking = int((self.contacts & ~self.transition.any(2)).sum())
        return (
            f"{pairs}{int(known.sum())} classes with {int(self.contacts.sum())} contacts, {lacking} of which nothing"
            " follows"
        )


def count_priors(dataset: VideoDataset) -> PredicatePriors:
    """Counted over the annotations of all videos. Two pairs of a class in one frame follow each
    other, and no frame is too far away.

    Raises ConfigError if the schema has no group of contacts, DataError if there is no pair to
    count.
    """
    vocabulary = dataset.schema.vocabulary
    group, _ = contact_group(dataset.schema)
    of_video = [
        (a.node_class[a.pair_object], np.concatenate([a.labels[g.name] for g in vocabulary.groups], 1)) for a in dataset
    ]
    if not sum(len(klass) for klass, _ in of_video):
        raise DataError(f"{dataset.root}: the {dataset.split} split has no pair to count priors from.")
    klass, hot = (np.concatenate(column) for column in zip(*of_video, strict=True))
    video = np.repeat(np.arange(len(of_video)), [len(k) for k, _ in of_video])
    order = np.lexsort((video, klass))  # stable: pairs of a class and video stay in the order of frames
    klass, video, hot = klass[order], video[order], hot[order].astype(np.float64)

    classes, first = len(vocabulary.objects), vocabulary.offsets[group.name]
    contact = hot[:, first : first + len(group)]
    follows = (klass[1:] == klass[:-1]) & (video[1:] == video[:-1])
    row, c = np.nonzero(contact[:-1] * follows[:, None])
    cell = klass[row] * len(group) + c
    # Sums over rows of equal class, contact and video, then over videos.
    _, group_of, size = np.unique(cell * len(of_video) + video[row], return_inverse=True, return_counts=True)
    means = _sums(group_of, hot[row + 1], len(size)) / size[:, None]
    cell_of = np.zeros(len(size), np.int64)
    cell_of[group_of] = cell
    cells = classes * len(group)
    transition = _means(cell_of, means, cells).reshape(classes, len(group), -1)
    return PredicatePriors(
        initial=_means(klass, hot, classes).astype(np.float32),
        transition=transition.astype(np.float32),
        contacts=_sums(klass, contact, classes) > 0,
        pairs=np.bincount(klass, minlength=classes),
    )


def write_priors(path: Path, priors: PredicatePriors, schema: Schema) -> None:
    """Write ``priors_document``. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, priors_document(priors, schema))


def priors_document(priors: PredicatePriors, schema: Schema) -> str:
    """JSON of the form of the authors' ``TrainPrior.json``, with the classes that were counted."""
    group, _ = contact_group(schema)
    document = {}
    for k in np.flatnonzero(priors.initial.any(1)).tolist():
        found = np.flatnonzero(priors.contacts[k]).tolist()
        document[str(k)] = {
            "obj_cls_name": schema.vocabulary.objects[k],
            "c_rel_name": [group.predicates[c] for c in found],
            "c_rel_idx": found,
            "initial_prior": priors.initial[k].tolist(),
            "specific_prior": priors.transition[k, found].tolist(),
        }
    return json.dumps(document)


def read_priors(path: Path, schema: Schema) -> PredicatePriors:
    """The authors' ``TrainPrior.json``, or one of ``write_priors``. Raises DataError naming the
    file, the class and what is wrong."""
    group, _ = contact_group(schema)
    objects, predicates = schema.vocabulary.objects, len(schema.vocabulary.predicates)
    try:
        document = read_json(path, dict[str, Any], _LARGEST)
    except DataError as error:
        raise DataError(
            f"{error} The authors' TrainPrior.json, or a file of 'vidsgg data priors -out FILE', is expected."
        ) from error
    if not document:
        raise DataError(
            f"{path}: holds no priors; an entry for each class of objects is expected, as 'vidsgg data priors -out"
            " FILE' writes."
        )
    initial = np.zeros((len(objects), predicates), np.float32)
    transition = np.zeros((len(objects), len(group), predicates), np.float32)
    contacts = np.zeros((len(objects), len(group)), np.bool_)
    for key, said in document.items():
        where = f"{path}: class {short(key)}"
        if not key.isdecimal() or len(key) > 9 or not 0 < int(key) < len(objects):
            raise DataError(
                f"{where} is no number of a class of objects; {short(schema.name)} has 1..{len(objects) - 1}."
            )
        k = int(key)
        entry = as_type(said, _Entry, f"{where}: ")
        name, found = entry.obj_cls_name, entry.c_rel_idx
        if compact_name(name) != compact_name(objects[k]):
            raise DataError(f"{where} is called {short(name)}; in {short(schema.name)} it is {short(objects[k])}.")
        if not all(0 <= c < len(group) for c in found) or len(set(found)) != len(found):
            raise DataError(
                f"{where}: c_rel_idx is {short(found)}, expected different numbers of {group.name} predicates,"
                f" 0..{len(group) - 1}."
            )
        initial[k] = _shares(where, "initial_prior", entry.initial_prior, (predicates,))
        transition[k, found] = _shares(where, "specific_prior", entry.specific_prior, (len(found), predicates))
        contacts[k, found] = True
    return PredicatePriors(initial, transition, contacts)


class _Entry(msgspec.Struct):
    """What the file says of a class of objects."""

    obj_cls_name: str
    c_rel_idx: list[int]
    initial_prior: list[float]
    specific_prior: list[list[float]]


def _shares(where: str, name: str, values: list[Any], shape: tuple[int, ...]) -> Array:
    try:
        table: Array = np.array(values, np.float64).reshape(shape) if shape[0] else np.zeros(shape)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where}: {name} is not a table of {' x '.join(map(str, shape))} numbers.") from error
    if not ((table >= 0) & (table <= 1 + 1e-6)).all():
        raise DataError(f"{where}: {name} holds {table.min():g} to {table.max():g}; shares lie between 0 and 1.")
    return table


def _sums(group: Array, rows: Array, groups: int) -> Array:
    """(groups, columns) sums of the rows of equal group."""
    return np.stack([np.bincount(group, column, minlength=groups) for column in rows.T], 1)


def _means(group: Array, rows: Array, groups: int) -> Array:
    return _sums(group, rows, groups) / np.maximum(np.bincount(group, minlength=groups), 1)[:, None]
