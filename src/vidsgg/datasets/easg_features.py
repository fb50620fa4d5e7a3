"""EASG's feature files, as the authors' scripts write them. All are optional; each split reads
those that lie next to its pickle. Files of the same form may be made here (``easg_made.py``); a note
beside them, ``easg_features.json``, then tells their widths and what made them.

``verb_features.pt``: a dict from annotation id to the 2304-d SlowFast feature of the action.
``roi_feats_train.pkl`` and
``roi_feats_val.pkl``: graph uid -> annotation id -> list with a place for every entry -> key frame
-> (k, 1024) box features, k as in the annotations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from vidsgg.datasets.easg_files import SLOTS, MergedGraphs
from vidsgg.errors import CheckpointError, DataError, short
from vidsgg.io.atomic import write_whole
from vidsgg.io.files import check_regular
from vidsgg.io.locations import Location
from vidsgg.io.pickles import load_pickle
from vidsgg.io.untrusted import MISFITS, read_json
from vidsgg.structures.checks import Array
from vidsgg.structures.widths import Width

WIDTHS = {"object": 1024, "action": 2304}
FEATURE_FILES = {
    "train": {"object": "roi_feats_train.pkl", "action": "verb_features.pt"},
    "test": {"object": "roi_feats_val.pkl", "action": "verb_features.pt"},
}


MADE = "easg_features.json"
_FORMAT, _VERSION = "vidsgg-easg-features", 1
_MADE_SIZE = 1 << 24  # bytes at most


class _Note(msgspec.Struct):
    """What stands in ``easg_features.json``."""

    format: str
    version: int
    widths: Annotated[dict[str, Width], msgspec.Meta(max_length=100)]
    made_by: dict[str, Any]
    sources: Annotated[dict[str, str], msgspec.Meta(max_length=100_000)]


@dataclass(frozen=True)
class MadeFeatures:
    """Which feature files in a folder were made by vidsgg, and how."""

    widths: Mapping[str, int]  # columns, by name of the file
    made_by: Mapping[str, Any]  # plain values
    sources: Mapping[str, str]  # digest of what was described, by name of a video

    @staticmethod
    def beside(folder: Location) -> MadeFeatures | None:
        """The note in a folder; None if there is none. Raises DataError naming the file if it is
        damaged."""
        path = folder / MADE
        if not path.exists():
            return None
        note = read_json(path, _Note, _MADE_SIZE)
        if (note.format, note.version) != (_FORMAT, _VERSION):
            raise DataError(
                f"{path}: is {short(note.format)} version {note.version}, not {_FORMAT} version {_VERSION}."
            )
        return MadeFeatures(note.widths, note.made_by, note.sources)

    def write(self, folder: Path) -> Path:
        """Raises OSError if the disk refuses."""
        path = folder / MADE
        parts = {"widths": dict(self.widths), "made_by": dict(self.made_by), "sources": dict(self.sources)}
        write_whole(path, json.dumps({"format": _FORMAT, "version": _VERSION, **parts}, indent=1) + "\n")
        return path


def width_of(kind: str, path: Location) -> int:
    """Columns of a file of features: the authors', unless a note beside it says otherwise. kind:
    "object" or "action". Raises DataError if the note is damaged."""
    made = MadeFeatures.beside(path.parent)
    return WIDTHS[kind] if made is None else made.widths.get(path.name, WIDTHS[kind])


def _said(path: Location) -> str:
    """Where an expected width comes from, and what to do if that is out of date."""
    made = MadeFeatures.beside(path.parent)
    if made is None or path.name not in made.widths:
        return ""
    return f" as {MADE} beside it says (if the file is the authors', remove that note)"


class ClipFeatures:
    """Features of actions, by annotation id, ``width`` columns each. Raises DataError if the file
    cannot be read."""

    def __init__(self, path: Location, width: int = WIDTHS["action"]) -> None:
        from vidsgg.io.tensors import load_tensors  # torch

        self.path, self.width = path, width
        check_regular(path)
        try:
            self._features = load_tensors(path)
        except CheckpointError as error:
            raise DataError(f"{error} A dict of tensors by annotation id is expected; get the file again.") from error

    def rows(self, annotation_ids: Iterable[str]) -> Array:
        """(U, width) float32. Raises DataError naming the annotation that is missing or of another
        size."""
        rows = []
        for aid in annotation_ids:
            if aid not in self._features:
                raise DataError(
                    f"{self.path}: no feature for annotation {short(aid)}; get the file that belongs to the"
                    " annotations."
                )
            try:
                row = np.asarray(self._features[aid], dtype=np.float32).reshape(-1)
            except (*MISFITS, RuntimeError) as error:
                raise DataError(
                    f"{self.path}: feature of annotation {short(aid)} is {short(self._features[aid])}, no numbers."
                ) from error
            if row.shape != (self.width,):
                raise DataError(
                    f"{self.path}: feature of annotation {short(aid)} has {row.size} values, expected"
                    f" {self.width}{_said(self.path)}."
                )
            rows.append(row)
        return np.stack(rows)


class RoiFeatures:
    """Features of boxes, ``width`` columns each. Raises DataError if the file cannot be read."""

    def __init__(self, path: Location, width: int = WIDTHS["object"]) -> None:
        self.path, self.width = path, width
        self._features = load_pickle(path)

    def rows(self, merged: MergedGraphs, boxes: Array) -> Array:
        """(len(boxes), width) float32, a row for each of the boxes, given by their index in
        ``merged``.

        Raises DataError naming the annotation whose features are missing or do not fit its boxes.
        """
        cell = merged.box_entry * len(SLOTS) + merged.box_slot
        new_cell = np.diff(cell, prepend=-1) != 0
        start = np.maximum.accumulate(np.where(new_cell, np.arange(len(cell)), 0))
        size = np.bincount(np.cumsum(new_cell) - 1)[np.cumsum(new_cell) - 1]
        loaded: dict[int, Array] = {}
        rows = []
        for box in boxes.tolist():
            if cell[box] not in loaded:
                loaded[cell[box]] = self._cell(
                    merged.entry_key[merged.box_entry[box]], SLOTS[merged.box_slot[box]], int(size[box])
                )
            rows.append(loaded[cell[box]][box - start[box]])
        return np.stack(rows)

    def _cell(self, key: tuple[str, str, int], slot: str, size: int) -> Array:
        uid, aid, entry = key
        where = f"{self.path}: graph {short(uid)}, annotation {short(aid)}, entry {entry}, frame {short(slot)}"
        try:
            features = np.asarray(self._features[uid][aid][entry][slot], dtype=np.float32)
        except MISFITS:
            raise DataError(f"{where}: no feature; get the file that belongs to the annotations.") from None
        if features.shape != (size, self.width):
            raise DataError(
                f"{where}: features of shape {features.shape} for {size} boxes, expected"
                f" {(size, self.width)}{_said(self.path)}; get the file that belongs to the annotations."
            )
        return features


def mean_rows(values: Array, group: Array, groups: int) -> Array:
    """(B, D) rows averaged by ``group`` (B,) into (groups, D) float32. Every group has a row."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    total = np.add.reduceat(values[order].astype(np.float32), starts, axis=0)
    mean: Array = total / np.bincount(group, minlength=groups).astype(np.float32)[:, None]
    return mean
