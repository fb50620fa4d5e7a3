"""Priors that were counted before: a small file beside the annotation cache for every choice of
videos."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.priors import PredicatePriors, count_priors
from vidsgg.errors import DataError
from vidsgg.io.columns import load_columns, save_columns
from vidsgg.io.links import check_no_links
from vidsgg.io.locations import Location
from vidsgg.ops.contacts import contact_group
from vidsgg.structures.schema import Schema

_FORMAT, _VERSION = "vidsgg-priors", 1
_KINDS = {"initial": np.float32, "transition": np.float32, "contacts": np.bool_, "pairs": np.int64}

_log = logging.getLogger(__name__)


def known_priors(dataset: VideoDataset) -> PredicatePriors:
    """What ``count_priors`` gives, from the file that an earlier count of exactly these annotations
    left, else counted and kept.

    A file that is torn or was made of other annotations is made again; a folder that cannot be
    written to costs the next count only. Raises what ``count_priors`` raises.
    """
    contact_group(dataset.schema)
    fingerprint = dataset.fingerprint()
    if fingerprint is None:
        return count_priors(dataset)
    places = [place.with_name(f"{place.stem}_priors_{fingerprint[:16]}.npz") for place in dataset.cache_places()]
    for place in places:
        priors = _read(place, fingerprint, dataset.schema)
        if priors is not None:
            return priors
    priors = count_priors(dataset)
    _write(dataset.root, places, priors, fingerprint)
    return priors


def _read(place: Path, fingerprint: str, schema: Schema) -> PredicatePriors | None:
    if not place.is_file():
        return None
    objects, predicates, contacts = (
        len(schema.vocabulary.objects),
        len(schema.vocabulary.predicates),
        len(contact_group(schema)[0]),
    )
    shapes = ((objects, predicates), (objects, contacts, predicates), (objects, contacts), (objects,))
    try:
        columns, header = load_columns(place)
        if (header.get("format"), header.get("version"), header.get("annotations")) != (_FORMAT, _VERSION, fingerprint):
            return None
        tables = {name: columns[name] for name in _KINDS}
    except (DataError, KeyError) as error:
        _log.warning("%s is not a usable cache (%s) and is made again", place, error)
        return None
    fits = all(
        table.dtype == _KINDS[name] and table.shape == shape
        for (name, table), shape in zip(tables.items(), shapes, strict=True)
    )
    return PredicatePriors(**tables) if fits else None


def _write(root: Location, places: list[Path], priors: PredicatePriors, fingerprint: str) -> None:
    for place in places:
        try:
            check_no_links(place.parent, below=root)
            save_columns(
                place,
                {name: getattr(priors, name) for name in _KINDS},
                {"format": _FORMAT, "version": _VERSION, "annotations": fingerprint},
            )
            return
        except OSError as error:
            _log.info("cannot keep the priors at %s: %s", place, error)
