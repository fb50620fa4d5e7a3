"""What an ONNX detector's file says of itself: its labels, and how it reads pictures."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from vidsgg.detectors.labels import LONGEST_FILE, numbered_labels
from vidsgg.errors import CheckpointError, DataError, short
from vidsgg.io.untrusted import as_type, parse_json, read_json

_SIDE = Annotated[int, msgspec.Meta(ge=16, le=8192)]
_Three = Annotated[tuple[float, ...], msgspec.Meta(min_length=3, max_length=3)]
_YOLO_GREY = 114  # what YOLO's letterbox is filled with in training
_READABLE_TASKS = ("detect", "segment", "pose")


class Processor(msgspec.Struct):
    """``preprocessor_config.json``, which exporters of transformers write beside the network."""

    do_normalize: bool | None = None
    image_mean: _Three | None = None
    image_std: _Three | None = None
    do_pad: bool | None = None
    do_rescale: bool | None = None
    size: dict[str, Any] | int | None = None


class _Config(msgspec.Struct):
    """``config.json`` beside it."""

    id2label: dict[str, str] = {}


@dataclass(frozen=True)
class OnnxNotes:
    """labels: None if the file tells none. side: height and width of the input, None if not said. grey: of the margin."""

    labels: tuple[str, ...] | None
    side: tuple[int, int] | None
    grey: int
    processor: Processor | None


def read_notes(path: Path, metadata: Mapping[str, str]) -> OnnxNotes:
    """metadata: the file's own. Raises CheckpointError naming the file for what cannot be understood."""
    task = metadata.get("task", "detect")
    if task not in _READABLE_TASKS:
        raise CheckpointError(
            f"{path}: is made for the task {short(task)}, not for finding upright boxes ({', '.join(_READABLE_TASKS)})."
        )
    try:
        labels = _labels(metadata["names"]) if "names" in metadata else None
        if labels is None:
            config = _beside(path, "config.json", _Config)
            if config is not None and config.id2label:
                labels = numbered_labels({_number(key): label for key, label in config.id2label.items()})
        side = _side(metadata["imgsz"]) if "imgsz" in metadata else None
    except DataError as error:
        raise CheckpointError(f"{path}: its labels or sizes cannot be read: {error}") from error
    grey = _YOLO_GREY if metadata.get("author", "").strip().lower() == "ultralytics" else 0
    return OnnxNotes(labels, side, grey, _beside(path, "preprocessor_config.json", Processor))


def _labels(text: str) -> tuple[str, ...]:
    """A Python literal or JSON: ``{0: 'person', ...}`` or a list."""
    value = _literal(text)
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        value = {_number(key) if isinstance(key, str) else key: label for key, label in value.items()}
    return numbered_labels(as_type(value, dict[int, str], "names: "))


def _side(text: str) -> tuple[int, int]:
    """``[416, 416]`` or ``416``: height and width."""
    value = _literal(text)
    return as_type(
        [value, value] if isinstance(value, int) else list(value) if isinstance(value, tuple) else value,
        tuple[_SIDE, _SIDE],
        "imgsz: ",
    )


def _literal(text: str) -> Any:
    if len(text) > LONGEST_FILE:
        raise DataError(f"an entry has {len(text):,} letters.")
    try:
        return ast.literal_eval(text)  # what Ultralytics writes
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return parse_json(text)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise DataError(f"{short(text)} is no number of a label.")
    return int(text)


def _beside(path: Path, name: str, kind: type[Any]) -> Any:
    """A JSON file in the folder of the network; None if there is none, or one that is not meant for it."""
    file = path.parent / name
    return read_json(file, kind, LONGEST_FILE) if file.is_file() else None
