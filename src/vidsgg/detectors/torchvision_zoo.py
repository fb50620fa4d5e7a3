"""torchvision's detectors with COCO's weights, for boxes: ``-detector ssdlite320_mobilenet_v3_large``, ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn
from torchvision.models import WeightsEnum, get_model, get_model_weights

from vidsgg.detectors.backends.parts import FrozenPart, picture_examples, region_examples
from vidsgg.detectors.base import SCORE_FLOOR, BoxDetector, FoundBoxes, join_found
from vidsgg.detectors.candidates import Chooser, one_label
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.detectors.labels import map_labels
from vidsgg.detectors.names import NAMES, ZOO
from vidsgg.detectors.pretrained import fetch_weights, fill, weights_place
from vidsgg.detectors.record import weights_digest
from vidsgg.io.images import Image
from vidsgg.structures.box_rules import BoxRules

_SURE, _DOUBTFUL = BoxRules(0.4, 0.55), BoxRules(0.3, 0.4)
# Two-stage detectors, which end in a softmax, are sure of much, one-stage detectors of little.
# Which scores count is a choice of ours, not measured.
RULES = {name: _SURE if name.startswith("fasterrcnn") else _DOUBTFUL for name in NAMES[ZOO]}
_BATCH_ON_GPU = 8  # on a CPU several pictures at a time are no faster


class TorchvisionBoxes(BoxDetector):
    """One of torchvision's networks, with its own resizing, decoding and suppression."""

    architecture = ZOO

    def __init__(self, name: str, classes: Sequence[str], label_map: Path | None = None) -> None:
        """With random weights (seed 0), in evaluation mode on the CPU. Raises ConfigError for labels that do not fit."""
        self.name, self.classes, self.rules = name, tuple(classes), RULES[name]
        self.labels = map_labels(_weights_of(name).meta["categories"], self.classes, label_map)
        self.choose = Chooser(self.labels, name, self.rules.least_score)
        # Their own thresholds lie elsewhere, and are meant for other uses.
        threshold = {"box_score_thresh" if name.startswith("fasterrcnn") else "score_thresh": SCORE_FLOOR}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            self.model: nn.Module = get_model(name, weights=None, weights_backbone=None, **threshold)
        self.model.requires_grad_(False).eval()

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return NAMES[ZOO]

    @classmethod
    def ready(cls, name: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> tuple[Self, str]:
        if labels.classes is not None:
            labels.refuse(name, "knows its labels, COCO's")
        detector = cls(name, classes, labels.label_map)
        weights = _weights_of(name)
        fill(detector.model, fetch_weights(weights), weights.url)
        return detector, f"{name} with torchvision's COCO weights"

    @classmethod
    def download(cls, name: str) -> Path:
        return weights_place(_weights_of(name))

    @property
    def remarks(self) -> tuple[str, ...]:
        return self.labels.remarks

    def frozen_parts(self) -> Sequence[FrozenPart]:
        model: Any = self.model
        if self.name.startswith("ssd"):  # its pictures are all of one size
            side = model.transform.fixed_size[0]
            return (
                FrozenPart("backbone", model.backbone, "forward", picture_examples((side, side), (side, side)), (0,)),
            )
        pictures = picture_examples((160, 192), (96, 128))
        backbone = FrozenPart("backbone", model.backbone, "forward", pictures, (0, 2, 3))
        if not self.name.startswith("fasterrcnn"):
            return (backbone,)
        regions = region_examples(model.backbone.out_channels)
        return backbone, FrozenPart("box_head", model.roi_heads.box_head, "forward", regions, (0,))

    @property
    def left_out(self) -> Mapping[str, int]:
        return self.choose.left_out

    def describe(self) -> dict[str, Any]:
        return {"detector": self.architecture, "network": self.name, "classes_of_labels": list(self.labels.index)}

    def digest(self) -> str:
        return weights_digest(self.model.state_dict())

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def on_device(self, device: torch.device) -> Self:
        self.model.to(device)
        return self

    @torch.no_grad()
    def find(self, images: Sequence[Image]) -> FoundBoxes:
        parts = []
        for begin, few in self._alike(images):
            pixels = [torch.from_numpy(np.array(image)).to(self.device).permute(2, 0, 1) / 255 for image in few]
            found = [
                one_label(one["boxes"], one["labels"], one["scores"], len(self.labels.labels), self.name)
                for one in self.model(pixels)
            ]
            chosen = self.choose(found, [(image.shape[1], image.shape[0]) for image in few])
            parts.append(chosen.shifted(begin))
        return join_found(parts, len(self.classes), self.device)

    def _alike(self, images: Sequence[Image]) -> Iterator[tuple[int, Sequence[Image]]]:
        """Pictures of one size that go through together: others would be filled up, which reaches into what is found."""
        begin, most = 0, 1 if self.device.type == "cpu" else _BATCH_ON_GPU
        for end in range(1, len(images) + 1):
            if end == len(images) or end - begin == most or images[end].shape != images[begin].shape:
                yield begin, images[begin:end]
                begin = end


def _weights_of(name: str) -> WeightsEnum:
    return get_model_weights(name).DEFAULT
