"""EASG's feature files, as the authors' scripts write them. All are optional; each split reads
those that lie next to its pickle.

``verb_features.pt``: a dict from annotation id to the 2304-d SlowFast feature of the action.
``roi_feats_train.pkl`` and
``roi_feats_val.pkl``: graph uid -> annotation id -> list with a place for every entry -> key frame
-> (k, 1024) box features, k as in the annotations.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vidsgg.datasets.easg_files import SLOTS, MergedGraphs
from vidsgg.errors import CheckpointError, DataError, short
from vidsgg.io.files import check_regular
from vidsgg.io.pickles import load_pickle
from vidsgg.io.untrusted import MISFITS
from vidsgg.structures.checks import Array

WIDTHS = {"object": 1024, "action": 2304}
FEATURE_FILES = {
    "train": {"object": "roi_feats_train.pkl", "action": "verb_features.pt"},
    "test": {"object": "roi_feats_val.pkl", "action": "verb_features.pt"},
}


class ClipFeatures:
    """Features of actions, by annotation id. Raises DataError if the file cannot be read."""

    def __init__(self, path: Path) -> None:
        from vidsgg.io.tensors import load_tensors  # torch

        self.path = path
        check_regular(path)
        try:
            self._features = load_tensors(path)
        except CheckpointError as error:
            raise DataError(f"{error} A dict of tensors by annotation id is expected; get the file again.") from error

    def rows(self, annotation_ids: Iterable[str]) -> Array:
        """(U, 2304) float32. Raises DataError naming the annotation that is missing or of another
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
            if row.shape != (WIDTHS["action"],):
                raise DataError(
                    f"{self.path}: feature of annotation {short(aid)} has {row.size} values, expected"
                    f" {WIDTHS['action']}."
                )
            rows.append(row)
        return np.stack(rows)


class RoiFeatures:
    """Features of boxes. Raises DataError if the file cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._features = load_pickle(path)

    def rows(self, merged: MergedGraphs, boxes: Array) -> Array:
        """(len(boxes), 1024) float32, a row for each of the boxes, given by their index in
        ``merged``.

        Raises DataError naming the annotation whose features are missing or do not fit its boxes.
        """
        cell = merged.box_entry * len(SLOTS) + merged.box_slot
        new_cell = np.diff(cell, prepend=-1) != 0
        start = np.maximum.accumulate(np.where(new_cell, np.arange(len(cell)), 0))
        size = np.bincount(np.cumsum(new_cell) - 1)[np.cumsum(new_cell) - 1]
        loaded: dict[int, Array] = {}
        rows = np.empty((len(boxes), WIDTHS["object"]), np.float32)
        for i, box in enumerate(boxes.tolist()):
            if cell[box] not in loaded:
                loaded[cell[box]] = self._cell(
                    merged.entry_key[merged.box_entry[box]], SLOTS[merged.box_slot[box]], int(size[box])
                )
            rows[i] = loaded[cell[box]][box - start[box]]
        return rows

    def _cell(self, key: tuple[str, str, int], slot: str, size: int) -> Array:
        uid, aid, entry = key
        where = f"{self.path}: graph {short(uid)}, annotation {short(aid)}, entry {entry}, frame {short(slot)}"
        try:
            features = np.asarray(self._features[uid][aid][entry][slot], dtype=np.float32)
        except MISFITS:
            raise DataError(f"{where}: no feature; get the file that belongs to the annotations.") from None
        if features.shape != (size, WIDTHS["object"]):
            raise DataError(
                f"{where}: features of shape {features.shape} for {size} boxes, expected {(size, WIDTHS['object'])};"
                " get the file that belongs to the annotations."
            )
        return features


def mean_rows(values: Array, group: Array, groups: int) -> Array:
    """(B, D) rows averaged by ``group`` (B,) into (groups, D) float32. Every group has a row."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    total = np.add.reduceat(values[order].astype(np.float32), starts, axis=0)
    mean: Array = total / np.bincount(group, minlength=groups).astype(np.float32)[:, None]
    return mean
