"""Counters of every scored video on disk: what a comparison of models starts from, without scoring
them again.

``per_video_<split>.npz`` holds plain numbers only. What decides them is in it too: the checkpoint,
by the checksums of its parts, every video's annotation, by its digest, and how was scored.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import msgspec

from vidsgg.assembly.saved_run import SavedRun
from vidsgg.datasets.base import VideoDataset
from vidsgg.detectors.record import DetectorRecord
from vidsgg.engine.checkpoint_files import SHARED
from vidsgg.errors import CheckpointError, ConfigError, DataError
from vidsgg.features.stored_clip import annotation_digest
from vidsgg.io.columns import Texts, load_columns, save_columns, texts_from_columns, texts_to_columns
from vidsgg.io.records import record_digest
from vidsgg.io.untrusted import as_type
from vidsgg.methods.training_options import TrainOptions
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.recall import RecallCounts
from vidsgg.options import free_options
from vidsgg.recipes.training_counts import triplets_digest
from vidsgg.structures.checks import Array

_FORMAT, _VERSION = "vidsgg-scored-videos", 2
_AGAIN = "score the checkpoint again with 'vidsgg evaluate'"


class _Header(msgspec.Struct):
    made_by: dict[str, Any]
    predicates: tuple[str, ...]


class _Cuts(msgspec.Struct):
    constraints: list[Any]
    ks: list[Any]


class _MadeBy(msgspec.Struct):
    protocol: _Cuts


@dataclass(frozen=True, eq=False)
class ScoredVideos:
    """made_by: what decides the counters, see ``origin``. predicates: names by global id.
    annotations: digest of every video's, by its id, in the order of the counters.
    """

    made_by: Mapping[str, Any]
    predicates: tuple[str, ...]
    annotations: Mapping[str, str]
    counts: RecallCounts

    def save(self, path: Path) -> Path:
        """Raises ConfigError if the file cannot be written."""
        texts = {"video_id": Texts.of(self.annotations), "annotation": Texts.of(self.annotations.values())}
        header = {"format": _FORMAT, "version": _VERSION, "made_by": self.made_by, "predicates": self.predicates}
        try:
            save_columns(
                path,
                {**{f.name: getattr(self.counts, f.name) for f in fields(RecallCounts)}, **texts_to_columns(texts)},
                header,
            )
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}.") from error
        return path

    @staticmethod
    def load(path: Path) -> ScoredVideos:
        """Raises DataError naming the file if it is missing, damaged or of another format."""
        columns, header = load_columns(path)
        if (header.get("format"), header.get("version")) != (_FORMAT, _VERSION):
            raise DataError(f"{path}: does not hold scored videos as this version of vidsgg writes them; {_AGAIN}.")
        try:
            document = as_type(header, _Header)
            ids, digests = (tuple(texts_from_columns(columns, name)) for name in ("video_id", "annotation"))
            scored = ScoredVideos(
                document.made_by,
                document.predicates,
                dict(zip(ids, digests, strict=True)),
                RecallCounts(**{f.name: columns[f.name] for f in fields(RecallCounts)}),
            )
            protocol = as_type(document.made_by, _MadeBy, "made_by: ").protocol
            scored.counts.check(len(ids), len(protocol.constraints), len(protocol.ks), len(scored.predicates))
        except KeyError as error:
            raise DataError(f"{path}: lacks {error}; {_AGAIN}.") from error
        except ValueError as error:  # a DataError is one too
            raise DataError(f"{path}: is damaged: {str(error).rstrip('.')}; {_AGAIN}.") from error
        return scored


def origin(
    run: SavedRun,
    used: TrainOptions,
    protocol: Protocol,
    detector: DetectorRecord | None,
    unseen: Array | None,
    *,
    exclusive: bool,
) -> dict[str, Any]:
    """What decides the counters of a checkpoint's videos, as plain values. used: the run's options
    as they are to score it. detector: its record. unseen: the triplets that training lacks,
    None without training annotations."""
    given, had = used.to_dict(), run.options.to_dict()
    free = free_options(type(used), "scores", given, had)  # of the detector its record is compared
    made_by = {
        "checkpoint": _parts_digest(run.file),
        "changed": {name: given[name] for name, value in had.items() if given[name] != value and name not in free},
        "detector": None if detector is None else asdict(detector),
        "exclusive_decoding": exclusive,
        "protocol": asdict(protocol),
        "unseen": None if unseen is None else triplets_digest(unseen),
    }
    plain: dict[str, Any] = json.loads(json.dumps(made_by))
    return plain


def annotations_of(dataset: VideoDataset, video_ids: Sequence[str]) -> dict[str, str]:
    """Digest of the annotation of each of some videos."""
    place = {video_id: i for i, video_id in enumerate(dataset.video_ids)}
    return {video_id: annotation_digest(dataset.annotation(place[video_id])) for video_id in video_ids}


def _parts_digest(file: Path) -> str:
    """Tells a checkpoint by the sizes and checksums of its parts, which it lists: no part is read.
    Raises CheckpointError."""
    if file.suffix == Path(SHARED).suffix:
        return record_digest(file)
    try:
        with zipfile.ZipFile(file) as parts:
            listed = sorted((part.filename, part.file_size, part.CRC) for part in parts.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()
