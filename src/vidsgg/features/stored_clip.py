"""A clip as the columns of a record, and what such a record was made from. N nodes, P pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidsgg.datasets.base import VideoDataset
from vidsgg.errors import ConfigError
from vidsgg.io.locations import name_below
from vidsgg.io.records import Record
from vidsgg.ops.masks import union_masks
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema

_ROUNDED = ("node_feature", "pair_union")  # kept in the store's type; all other columns stay as they are
COUNTING = "constant rate"  # see io/constant_rate.py
LABELS = "labels."  # before the names of predicate groups


@dataclass(frozen=True)
class RecordSource:
    """What a record is made from."""

    video_id: str
    annotation: str  # digest of the annotation
    pictures: str | None  # digest of the picture files' names and sizes; None: there are none
    uneven: Callable[[], str | None] = field(default=lambda: None, compare=False)  # see VideoDataset.uneven

    @staticmethod
    def of(dataset: VideoDataset, index: int, annotation: VideoAnnotation) -> RecordSource:
        """The source as it is now."""
        uneven = partial(dataset.uneven, index)
        return RecordSource(
            annotation.video_id, annotation_digest(annotation), _pictures_digest(dataset, index), uneven
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a record. counting: how frames of uneven videos are counted; version
        0.1.0, which wrote none, took frame N for the N-th picture."""
        return {
            "video_id": self.video_id,
            "annotation": self.annotation,
            "pictures": self.pictures,
            "counting": COUNTING,
        }


def columns_of(clip: Clip, dtype: torch.dtype) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The columns of a clip of one video with features rounded to ``dtype``, and the plain values
    that belong to them.

    ``pair_mask`` is left out: it follows from the boxes. Raises ConfigError if a feature is not
    finite or too large for the type.
    """
    columns = {}
    for column in fields(Clip):
        value = getattr(clip, column.name)
        if isinstance(value, Tensor) and column.name != "pair_mask":
            columns[column.name] = _rounded(clip, column.name, dtype) if column.name in _ROUNDED else value
    columns |= {f"{LABELS}{name}": hot for name, hot in (clip.labels or {}).items()}
    about = {
        "classes_given": clip.classes_given,
        "pairs_open": clip.pairs_open,
        "labels": clip.labels is not None,
        "masks": clip.pair_mask is not None,
    }
    return columns, about


def clip_of(record: Record, schema: Schema, device: torch.device) -> Clip:
    """The clip of a record of ``columns_of``, on a device, with features in float32."""
    columns: dict[str, Any] = {name: _loaded(record[name], device) for name in record if not name.startswith(LABELS)}
    if record.about["masks"]:
        box = columns["node_box"]
        columns["pair_mask"] = union_masks(box[columns["pair_subject"]], box[columns["pair_object"]]) - 0.5
    if record.about["labels"]:
        columns["labels"] = {
            name.removeprefix(LABELS): _loaded(record[name], device) for name in record if name.startswith(LABELS)
        }
    flags = {name: record.about[name] for name in ("classes_given", "pairs_open")}
    return Clip(schema=schema, video_ids=(record.about["video_id"],), **flags, **columns)


def _rounded(clip: Clip, name: str, dtype: torch.dtype) -> Tensor:
    value: Tensor = getattr(clip, name)
    rounded = value.to(dtype)
    if _all_finite(rounded):
        return rounded
    where = f"video {clip.video_ids[0]!r}: {name}"
    if not _all_finite(value):
        raise ConfigError(f"{where} is not finite; the detector's weights are broken.")
    kind, largest = str(dtype).removeprefix("torch."), torch.finfo(dtype).max
    raise ConfigError(
        f"{where} reaches {value.abs().max():.3g}, but the largest value of {kind} is {largest:.3g}; write the"
        " features with -dtype bfloat16 or float32."
    )


def _all_finite(values: Tensor) -> bool:
    """A NaN becomes the minimum and the maximum. Many times faster than asking every value, which
    takes longer than all the rest."""
    return not values.numel() or all(bool(end.isfinite()) for end in values.aminmax())


def _loaded(stored: Tensor, device: torch.device) -> Tensor:
    """In memory of its own: arithmetic may depend on how numbers are aligned, and in the file they
    are not."""
    kind = torch.float32 if stored.dtype in (torch.float16, torch.bfloat16) else stored.dtype
    if device.type == "cpu":
        return stored.to(kind, copy=True)
    return stored.to(device).to(kind)  # the smaller type travels


def annotation_digest(annotation: VideoAnnotation) -> str:
    """SHA-256 of everything in an annotation, in hexadecimal."""
    digest = hashlib.sha256("\n".join(annotation.frame_key).encode("utf-8", "surrogatepass"))
    columns = {f.name: getattr(annotation, f.name) for f in fields(annotation)} | {
        f"{LABELS}{n}": v for n, v in annotation.labels.items()
    }
    for name, value in columns.items():
        if isinstance(value, np.ndarray):
            digest.update(f"\n{name} {value.dtype} {value.shape}\n".encode())
            digest.update(value.data)
    return digest.hexdigest()


def _pictures_digest(dataset: VideoDataset, index: int) -> str | None:
    # wherever the files are: features stay those of the same pictures
    names = {} if dataset.videos_path is None else {s.file: s.name for s in dataset.frame_sources(index) if s.name}
    sizes = {
        names.get(file) or name_below(file, dataset.picture_root): dataset.picture_size(file)
        for file in dataset.picture_files(index)
    }
    if all(size is None for size in sizes.values()):
        return None
    return hashlib.sha256(json.dumps(sizes).encode()).hexdigest()
