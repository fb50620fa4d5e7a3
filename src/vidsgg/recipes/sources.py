"""Where the features of a run's clips come from: a detector as they are needed, the data set's own files, or nowhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from vidsgg.datasets.base import VideoDataset
from vidsgg.detectors.base import Detector
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.engine.loading import ClipLoader
from vidsgg.recipes.detectors import build_detector, find_detector
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True, eq=False)
class FeatureSource:
    """widths: of the features that models read. line: what it is, for the log. detector: the frozen one that looks at pictures, and the
    name or file that it was asked for by; None where nothing is looked at. reference_compat: with the reference's bugs in assigning boxes.
    """

    mode: str
    device: torch.device
    widths: FeatureWidths
    line: str
    detector: Detector | None = None
    detector_name: str | None = None
    reference_compat: bool = False

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
    ) -> ClipLoader:
        """Batches of a data set; learn: clips to learn from, with what is annotated, or to be scored, with what the mode gives."""
        extractor = None
        if self.detector is not None:
            extractor = ClipExtractor(self.detector, self.mode, learn=learn, reference_compat=self.reference_compat)
        if workers is None:  # without pictures a worker costs more than it saves
            workers = min(4, os.cpu_count() or 1) if extractor is not None else 0
        return ClipLoader(dataset, self.mode, batch_size, shuffle, seed, workers, self.device, extractor, skip_bad)


def open_source(
    root: Path, schema: Schema, mode: str, device: torch.device, *, needed: bool, detector: str, reference_compat: bool = False
) -> FeatureSource:
    """needed: whether pictures have to be looked at at all (Capabilities.needs_detector)."""
    if not needed:
        return FeatureSource(mode, device, file_widths(schema), "features: not used")
    if not schema.has_frames:
        widths = ", ".join(f"{name} {width}" for name, width in schema.features.items())
        line = f"features: {widths} wide, from the data set's files" if widths else "features: none; labels and boxes only"
        return FeatureSource(mode, device, file_widths(schema), line)
    name = find_detector(detector, root)
    built, line = build_detector(name, schema, device, reference_compat=reference_compat)
    widths = FeatureWidths(node=built.node_width, union=built.union_channels)
    return FeatureSource(mode, device, widths, f"features: {line}", built, name, reference_compat)


def file_widths(schema: Schema) -> FeatureWidths:
    """Widths of what the data set's own files bring along."""
    return FeatureWidths(node=schema.features.get("object", 0), action=schema.features.get("action", 0))
