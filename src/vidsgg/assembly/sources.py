"""Where the features of a run's clips come from: a store, a detector as they are needed, the data
set's own files, or nowhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from vidsgg.assembly.detectors import (
    build_box_detector,
    build_default_detector,
    default_detector,
    find_detector,
    in_data_folder,
    known_by_file,
    open_detector,
)
from vidsgg.datasets.base import VideoDataset, WithoutFeatures
from vidsgg.datasets.box_noise import BoxNoise
from vidsgg.datasets.partial_labels import PartialLabels
from vidsgg.datasets.pictures import picture_notes
from vidsgg.detectors.backends.choice import TORCH, Inference
from vidsgg.detectors.base import BoxDetector, RegionDetector
from vidsgg.detectors.box_extraction import BoxExtractor
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.detectors.record import DetectorRecord
from vidsgg.engine.distributed import ALONE, Team
from vidsgg.engine.loading import ClipLoader, Extractor
from vidsgg.engine.picture_clips import PictureClips
from vidsgg.errors import CheckpointError, ConfigError, DataError
from vidsgg.features.key import StoreKey
from vidsgg.features.store import FeatureStore, Needed, find_store
from vidsgg.io.locations import Location, location
from vidsgg.methods.training_options import LAYOUT
from vidsgg.ops.detections import RawDetections
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True, eq=False)
class FeatureSource:
    """widths: of the features that models read. lines: what it is, for the log. detector: the
    frozen one that looks at pictures; store:
    what it gave before, read instead. name: the name or file by which the detector was asked for.
    key: what decides the features. made_by: who made those of the data set's files, where that has
    to be said.
    """

    mode: str
    device: torch.device
    widths: FeatureWidths
    lines: tuple[str, ...]
    detector: RegionDetector | None = None
    store: FeatureStore | None = None
    name: str | None = None
    key: StoreKey | None = None
    pictures: bool = False  # models read the pictures themselves
    boxes: BoxDetector | None = None  # what finds boxes in videos for a model that reads boxes alone
    made_by: str = ""
    layout: bool = False  # of a data set nothing but boxes and classes is read

    @property
    def kind(self) -> str:
        """Where features come from, for checkpoints."""
        if self.layout:
            return "none: boxes and classes alone"
        if self.made_by:
            return f"from files {self.made_by}"
        return f"stored as {self.store.dtype}" if self.store else "computed as they are needed"

    def check_makers(self, had: str | None, what: str) -> None:
        """Raises CheckpointError if the data set's files of features were made by others than those
        that a checkpoint was trained on. had: ``kind`` of these. what: the checkpoint."""
        start = "from files "
        before = had.removeprefix(start) if had is not None and had.startswith(start) else ""
        if before != self.made_by:
            others = "the data set's authors made"
            raise CheckpointError(
                f"{what} was trained on features {before or others}; the present files hold features"
                f" {self.made_by or others}. Restore the old files, or train again."
            )

    def loader(
        self,
        dataset: VideoDataset,
        *,
        learn: bool,
        batch_size: int,
        workers: int | None,
        skip_bad: bool,
        shuffle: bool = False,
        seed: int = 0,
        stages: Sequence[tuple[int, Sequence[int]]] = (),
        team: Team = ALONE,
        partial: PartialLabels | None = None,
        noise: BoxNoise | None = None,
    ) -> ClipLoader:
        """Batches of a data set; learn: clips to learn from, with what is annotated, or to be
        scored, with what the mode gives.

        The rest is as in ClipLoader; workers: None for as many as are worth their while.
        """
        extractor = self.extractor(learn=learn)
        if workers is None:  # without pictures a worker costs more than it saves
            workers = max(1, min(4, (os.cpu_count() or 1) // team.local_size)) if extractor is not None else 0
        # What is annotated is learnt from with its boxes and classes, whoever finds them later.
        given = self.layout and learn and dataset.schema.subject_has_box
        return ClipLoader(
            WithoutFeatures(dataset) if self.layout else dataset,
            "predcls" if given else self.mode,
            batch_size,
            shuffle,
            seed,
            workers,
            self.device,
            extractor,
            skip_bad,
            self.store,
            learn,
            stages,
            team,
            partial,
            noise,
        )

    def extractor(self, *, learn: bool, subjects_from: float | None = None) -> Extractor | None:
        """What makes of pictures the clips that a model reads; None where no picture is looked at.
        subjects_from: see ClipExtractor."""
        if self.pictures:
            return PictureClips(self.mode, learn=learn)
        if self.layout and self.boxes is not None and not learn:
            return BoxExtractor(self.boxes)
        if self.detector is None:
            return None
        assert self.key is not None
        compat, raw = self.key.reference_compat, self.key.raw_detections
        return ClipExtractor(
            self.detector,
            self.mode,
            learn=learn,
            reference_compat=compat,
            raw_detections=raw,
            subjects_from=subjects_from,
        )

    def detector_record(self) -> DetectorRecord | None:
        """What the detector is, for checkpoints."""
        if self.boxes is not None:
            return DetectorRecord(self.boxes.describe(), self.boxes.digest())
        return None if self.key is None else DetectorRecord(dict(self.key.detector), self.key.weights)

    def check_inference(self, asked: Inference) -> None:
        """Raises ConfigError if another backend or precision than the default is asked for and there is no
        detector to compute."""
        if not asked.is_default and self.detector_record() is None:
            raise ConfigError(
                "option -backend: no detector is used here; leave out -backend and -precision, which choose how a"
                " detector is computed."
            )


def open_source(
    root: Location,
    schema: Schema,
    mode: str,
    device: torch.device,
    *,
    looks: bool,
    detector: str = "auto",
    features: str = "off",
    reference_compat: bool = False,
    raw_detections: RawDetections = False,
    pictures: bool = False,
    needed: Sequence[Needed] = (),
    labels: LabelFiles = NO_LABELS,
    inference: Inference = TORCH,
) -> FeatureSource:
    """looks, raw_detections, pictures: whether pictures have to be looked at, and how (see
    Capabilities). features: "auto", "off", "layout" or a store's folder, as -features. needed: the
    videos that will be read. labels: what the user says of the labels of a detector of boxes, with
    "layout". inference: what computes the detector. Raises ConfigError or DataError if what was asked for does not fit.
    """
    if features == LAYOUT:
        named = detector if looks and schema.has_frames else None
        return _layout_source(root, schema, mode, device, named, labels, inference)
    if pictures:
        if detector != "auto" or features not in ("auto", "off") or not inference.is_default:
            name = "detector" if detector != "auto" else "backend" if not inference.is_default else "features"
            raise ConfigError(f"option -{name}: the model reads pictures itself; leave the option out.")
        if not schema.has_frames:
            raise ConfigError(f"the model reads pictures, which data set {schema.name!r} does not have.")
        notes = (f"pictures: {note}" for note in picture_notes(dataset for dataset, _ in needed))
        return FeatureSource(
            mode, device, FeatureWidths(), ("pictures: read by the model itself", *notes), pictures=True
        )
    if not looks:
        return FeatureSource(mode, device, _file_widths(schema), ("features: not used",))
    if not schema.has_frames:
        listed = _listed(schema)
        made_by = _check_files(schema, [dataset for dataset, _ in needed])
        line = f"features: {listed} wide, from the data set's files{made_by and f', {made_by}'}"
        line = line if schema.features else "features: none; labels and boxes only"
        return FeatureSource(mode, device, _file_widths(schema), (line,), made_by=made_by)
    name = find_detector(detector, root)
    known = known_by_file(name, schema) if features != "off" and inference.is_default else None
    if known is not None:
        said, line = known
        key = StoreKey.of_record(
            said.record, schema, mode, reference_compat=reference_compat, raw_detections=raw_detections
        )
        store, reasons = _stored(root, features, key, needed)
        if store is not None:  # the detector is not needed, so it is not built
            return _from_store(store, said.widths, line, mode, device, name, key)
    built, line = open_detector(name, schema, device, reference_compat=reference_compat, inference=inference)
    widths = FeatureWidths(node=built.node_width, union=built.union_channels)
    key = StoreKey.of(built, schema, mode, reference_compat=reference_compat, raw_detections=raw_detections)
    store, reasons = _stored(root, features, key, needed)
    if store is not None:
        return _from_store(store, widths, line, mode, device, name, key)
    built.inference.check_installed()
    lines = (
        f"features: computed as they are needed, by {line}",
        *(f"  not used: {reason}" for reason in reasons),
        *(f"pictures: {note}" for note in picture_notes(dataset for dataset, _ in needed)),
    )
    # Only now: a detector of which nothing but the key is needed never comes to the GPU.
    return FeatureSource(mode, device, widths, lines, built.on_device(device), None, name, key)


def _stored(
    root: Location, features: str, key: StoreKey, needed: Sequence[Needed]
) -> tuple[FeatureStore | None, list[str]]:
    """The store that -features asks for, and why each of those below the data set's folder does not
    fit. Raises DataError if the one that is named does not."""
    if features == "off":
        return None, []
    if features == "auto":
        return find_store(root, key, needed)
    store = FeatureStore.open(location(features))
    store.require(key, needed)
    return store, []


def _from_store(
    store: FeatureStore,
    widths: FeatureWidths,
    line: str,
    mode: str,
    device: torch.device,
    name: str,
    key: StoreKey,
) -> FeatureSource:
    """Raises DataError if the file of the detector says other widths than the store."""
    if store.widths != widths:
        raise DataError(
            f"the features in {store.folder} have {store.widths.node} columns and {store.widths.union} channels, but"
            f" {name} says {widths.node} and {widths.union} of its own, so one of the two is damaged. Copy the detector"
            " again, or write the features again with 'vidsgg features'."
        )
    said = f"features: {store.dtype} from {store.folder}, by {line}"
    return FeatureSource(mode, device, widths, (said,), store=store, name=name, key=key)


def _layout_source(
    root: Location,
    schema: Schema,
    mode: str,
    device: torch.device,
    detector: str | None,
    labels: LabelFiles,
    inference: Inference,
) -> FeatureSource:
    """Boxes and classes alone. detector: what finds boxes, as -detector; None: they are annotated."""
    nothing, line = FeatureWidths(), "features: none; boxes and classes alone (layout)"
    if detector is None:
        return FeatureSource(mode, device, nothing, (line,), layout=True)
    name = in_data_folder(root) if detector == "auto" else detector
    by = (
        open_default_box_source(schema, device, nothing, labels, inference)
        if name is None
        else open_box_source(schema, device, nothing, name, labels, inference)
    )
    return replace(by, mode=mode, lines=(line, *by.lines), layout=True)


def open_box_source(
    schema: Schema,
    device: torch.device,
    widths: FeatureWidths,
    detector: str | None,
    labels: LabelFiles = NO_LABELS,
    inference: Inference = TORCH,
) -> FeatureSource:
    """What a model reads of videos that reads boxes alone: those of any detector, or given ones.

    widths: of the features that the model was built for. detector: a name or a file; None: boxes
    are given. labels: what the user says of its labels. Raises as ``build_box_detector``.
    """
    if detector is None:
        return FeatureSource("predcls", device, widths, ("boxes: given",))
    found, line = build_box_detector(detector, schema, device, labels, inference)
    return FeatureSource("sgdet", device, widths, (f"boxes: by {line}",), name=detector, boxes=found)


def open_default_box_source(
    schema: Schema,
    device: torch.device,
    widths: FeatureWidths,
    labels: LabelFiles = NO_LABELS,
    inference: Inference = TORCH,
) -> FeatureSource:
    """As ``open_box_source``, by the detector that is taken where none is named. Raises ConfigError that says how to
    get one."""
    labels.refuse("the detector that is taken where none is named", "knows its labels")
    found, line = build_default_detector(schema, device, inference)
    name, _ = default_detector()
    return FeatureSource("sgdet", device, widths, (f"boxes: by {line}",), name=name, boxes=found)


def _check_files(schema: Schema, datasets: Sequence[VideoDataset]) -> str:
    """Who made the features that all of these videos bring along. Raises DataError if they bring
    different ones."""
    makers = {dataset.features_by: dataset for dataset in datasets}
    for dataset in datasets:
        if dataset.schema.features != schema.features or len(makers) > 1:
            splits = "; ".join(
                f"{other.split} split: {_listed(other.schema)} {other.features_by}".rstrip() for other in datasets
            )
            raise DataError(
                f"{dataset.root}: its splits have different features ({splits}). Give both splits files of the same"
                " kind, or none."
            )
    return next(iter(makers), "")


def _listed(schema: Schema) -> str:
    return ", ".join(f"{name} {width}" for name, width in schema.features.items()) or "none"


def _file_widths(schema: Schema) -> FeatureWidths:
    """Widths of what the data set's own files bring along."""
    return FeatureWidths(node=schema.features.get("object", 0), action=schema.features.get("action", 0))
