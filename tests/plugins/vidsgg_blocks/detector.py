"""A detector that goes by colours. It has nothing to learn, but offers all that a trained one does.

Letters: T frames, R regions, O classes with the background at 0, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import roi_align

from vidsgg.extend import NO_LABELS, ConfigError, Detections, FrameMaps, Image, LabelFiles, RegionDetector

COLOURS = {"robot": (200, 30, 30), "child": (30, 60, 200), "cube": (30, 160, 60), "ball": (220, 200, 40)}
CELLS = 7  # on each side of a region


class ColourDetector(RegionDetector):
    architecture = "colours"
    node_width, union_channels = 3 * CELLS * CELLS, 3
    colours: Tensor  # (O, 3) float, 0..1

    def __init__(self, classes: Sequence[str], tolerance: float = 0.25) -> None:
        """tolerance: how far a pixel may be from the colour of its class, 0..1. Raises ConfigError
        for a class without a colour."""
        super().__init__()
        self.classes, self.tolerance = tuple(classes), tolerance
        if unknown := [name for name in self.classes[1:] if name not in COLOURS]:
            raise ConfigError(
                f"detector colours: knows no colour of {', '.join(unknown[:5])}; it finds {', '.join(COLOURS)}."
            )
        colours = torch.tensor([(128, 128, 128), *(COLOURS[name] for name in self.classes[1:])]) / 255
        self.register_buffer("colours", colours)

    @classmethod
    def ready(cls, name: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> tuple[ColourDetector, str]:
        labels.refuse(name, "has labels of its own")
        return cls(classes), f"{name}, by rule"

    def describe(self) -> dict[str, Any]:
        return {"detector": self.architecture, "tolerance": self.tolerance}

    @classmethod
    def from_description(cls, description: Mapping[str, Any], classes: Sequence[str]) -> ColourDetector:
        return cls(classes, float(description["tolerance"]))

    def canvas(self, images: Sequence[Image]) -> tuple[int, int]:
        return max(image.shape[0] for image in images), max(image.shape[1] for image in images)

    def encode(self, images: Sequence[Image], canvas: tuple[int, int]) -> FrameMaps:
        """The maps are the pictures themselves, (T, 3, H, W) from 0 to 1, on one grey canvas."""
        maps = torch.full((len(images), 3, *canvas), 0.5, device=self.device)
        for picture, image in zip(maps, images, strict=True):
            height, width = image.shape[:2]
            picture[:, :height, :width] = torch.from_numpy(np.array(image)).to(self.device).permute(2, 0, 1) / 255
        size = torch.tensor([image.shape[1::-1] for image in images], dtype=torch.float32, device=self.device)
        return FrameMaps(maps, torch.ones(len(images), device=self.device), size, canvas)

    def pool(self, maps: FrameMaps, frame: Tensor, box: Tensor) -> Tensor:
        pooled: Tensor = roi_align(maps.maps, torch.cat([frame[:, None].to(box), box], 1), CELLS, aligned=True)
        return pooled

    def embed(self, pooled: Tensor) -> Tensor:
        return pooled.flatten(1)

    def classify(self, feature: Tensor) -> Tensor:
        """By the middle of the region."""
        middle = feature.view(-1, 3, CELLS, CELLS)[:, :, CELLS // 2, CELLS // 2]
        likeness = -20 * torch.cdist(middle, self.colours[1:])
        return torch.cat([torch.zeros_like(likeness[:, :1]), likeness.softmax(1)], 1)

    def detect(self, maps: FrameMaps) -> Detections:
        """One thing of every class at most: the pixels of its colour and the box around them."""
        rows = []
        for f, picture in enumerate(maps.maps):
            away = (picture[None] - self.colours[:, :, None, None]).square().sum(1).sqrt()  # (O, H, W)
            for klass in range(1, len(self.classes)):
                y, x = (away[klass] < self.tolerance).nonzero(as_tuple=True)
                if len(x) > 8:
                    edges = (float(x.min()), float(y.min()), float(x.max()) + 1, float(y.max()) + 1)
                    rows.append((f, klass, edges, 1 - float(away[klass][y, x].mean())))
        device = self.device
        frame = torch.tensor([row[0] for row in rows], dtype=torch.long, device=device)
        klass_of = torch.tensor([row[1] for row in rows], dtype=torch.long, device=device)
        box = torch.tensor([row[2] for row in rows], dtype=torch.float32, device=device).view(-1, 4)
        score = torch.tensor([row[3] for row in rows], dtype=torch.float32, device=device)
        feature = self.embed(self.pool(maps, frame, box))
        return Detections(frame, box, klass_of, score, self.classify(feature), feature=feature)

    def losses(self, images: Sequence[Image], boxes: Sequence[Tensor], classes: Sequence[Tensor]) -> dict[str, Tensor]:
        raise ConfigError("detector colours: has no weights that could be trained.")
