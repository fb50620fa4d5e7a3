"""What decides the numbers in a feature store, and how two such things differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

import msgspec

from vidsgg.datasets.older import read_schema
from vidsgg.detectors.backends.choice import TORCH, Inference
from vidsgg.detectors.base import RegionDetector
from vidsgg.detectors.record import DetectorRecord
from vidsgg.errors import short
from vidsgg.io.untrusted import as_type
from vidsgg.ops.detections import RawDetections
from vidsgg.structures.schema import Schema

_LONGEST = 100  # characters of a value in a message
# the only architecture whose detections version 0.1.0 brought down to one person in a frame
_KEPT_ONE = "faster-rcnn-c4"


class _Document(msgspec.Struct):
    """A key as plain values."""

    detector: dict[str, Any]
    weights: str
    mode: Literal["predcls", "sgcls", "sgdet"]
    reference_compat: bool
    schema: dict[str, Any]
    raw_detections: RawDetections = False
    inference: Inference = TORCH


@dataclass(frozen=True)
class StoreKey:
    """detector: what it says of itself. weights: SHA-256 of names and values. reference_compat,
    raw_detections: of the extraction, see ClipExtractor; only SGDET has any. inference: what computed
    the detector.
    """

    detector: Mapping[str, Any]
    weights: str
    mode: str
    reference_compat: bool
    schema: Schema
    raw_detections: RawDetections = False
    inference: Inference = TORCH

    @staticmethod
    def of(
        detector: RegionDetector,
        schema: Schema,
        mode: str,
        *,
        reference_compat: bool = False,
        raw_detections: RawDetections = False,
    ) -> StoreKey:
        record = DetectorRecord(detector.describe(), detector.digest())
        return StoreKey.of_record(
            record,
            schema,
            mode,
            reference_compat=reference_compat,
            raw_detections=raw_detections,
            inference=detector.inference,
        )

    @staticmethod
    def of_record(
        record: DetectorRecord,
        schema: Schema,
        mode: str,
        *,
        reference_compat: bool = False,
        raw_detections: RawDetections = False,
        inference: Inference = TORCH,
    ) -> StoreKey:
        """As ``of``, for a detector that need not be built."""
        description = json.loads(json.dumps(record.description))  # tuples become lists, as they come back from a file
        detects = mode == "sgdet"
        compat, raw = reference_compat and detects, detects and raw_detections
        return StoreKey(description, record.weights, mode, compat, schema, raw, inference)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything here."""
        return digest_of(self.to_json())

    @property
    def detector_name(self) -> str:
        name = str(self.detector.get("detector", "detector"))
        return name if self.inference.is_default else f"{name} ({self.inference})"

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` gives an equal key back."""
        # What is the default is left out: keys of stores that had no other choice stay what they were.
        inference = {} if self.inference.is_default else {"inference": asdict(self.inference)}
        return {
            "detector": dict(self.detector), "weights": self.weights, "mode": self.mode, "reference_compat": self.reference_compat,
            "raw_detections": self.raw_detections, "schema": _without_display(self.schema.to_dict()), **inference,
        }  # fmt: skip

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> StoreKey:
        """Raises DataError naming what is missing or wrong."""
        known = as_type(document, _Document)
        schema = read_schema(known.schema)
        if "version" not in known.schema and known.detector.get("detector") != _KEPT_ONE:
            schema = replace(schema, once_per_frame=())
        compat, raw = known.reference_compat, known.raw_detections
        return StoreKey(known.detector, known.weights, known.mode, compat, schema, raw, known.inference)

    def differences(self, wanted: StoreKey) -> list[str]:
        """What keeps features made under this key from being used where ``wanted`` is asked for;
        empty if nothing does."""
        reasons = []
        if self.mode != wanted.mode:
            reasons.append(f"mode {self.mode}, not {wanted.mode}")
        changed = [
            n for n in sorted({*self.detector, *wanted.detector}) if self.detector.get(n) != wanted.detector.get(n)
        ]
        if changed:
            told = ", ".join(
                f"{name} {_said(self.detector.get(name))} instead of {_said(wanted.detector.get(name))}"
                for name in changed
            )
            reasons.append(f"another detector or preprocessing: {told}")
        elif self.weights != wanted.weights:
            reasons.append("other weights of the detector")
        if self.inference != wanted.inference:
            reasons.append(f"a detector computed by {self.inference}, not by {wanted.inference}")
        if self.reference_compat != wanted.reference_compat:
            reasons.append(f"reference_compat {self.reference_compat}, not {wanted.reference_compat}")
        if self.raw_detections != wanted.raw_detections:
            kinds = {
                False: "cleaned detections",
                True: "raw detections, for models that clean them themselves",
                "any": "raw detections, for models that may copy any of them",
            }
            reasons.append(f"{kinds[self.raw_detections]}, not {kinds[wanted.raw_detections]}")
        if self.schema != wanted.schema:
            reasons.append(_schema_difference(self.schema, wanted.schema))
        return reasons


def _without_display(schema: dict[str, Any]) -> dict[str, Any]:
    """What graphs show by default changes no feature."""
    vocabulary = schema["vocabulary"]
    groups = [
        {name: value for name, value in group.items() if name not in ("shown_from", "on_request")}
        for group in vocabulary["groups"]
    ]
    return schema | {"vocabulary": vocabulary | {"groups": groups}}


def digest_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of what ``StoreKey.to_json`` gives, or an earlier version's gave."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _said(value: Any) -> str:
    """A value of a description in words: names and numbers as they are, lists with commas, tables
    entry by entry."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        value = [f"{name} {_said(entry)}" for name, entry in value.items()]
    text = (
        " ".join(map(_said, value))
        if isinstance(value, (list, tuple))
        else value
        if isinstance(value, str)
        else short(value)
    )
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _schema_difference(mine: Schema, wanted: Schema) -> str:
    theirs, ours = mine.vocabulary.objects, wanted.vocabulary.objects
    if theirs != ours:
        i = next(
            (i for i, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1]),
            min(len(theirs), len(ours)),
        )
        name, other = ((names[i] if i < len(names) else None) for names in (theirs, ours))
        return f"other classes: number {i} is {_said(name)}, not {_said(other)}"
    if replace(mine, max_pairs=wanted.max_pairs) == wanted:
        return f"-max_pairs {mine.max_pairs}, not {wanted.max_pairs}"
    return f"other data: {short(mine.name)} with predicates in groups or units unlike those of {short(wanted.name)}"
