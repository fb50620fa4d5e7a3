"""A detector that sees a person with a cup, and ends its process at black pictures: for ever at those
that are all black, once at those with a white corner. Nothing happens while a file DISARMED is in
the working folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from vidsgg.extend import NO_LABELS, BoxDetector, FoundBoxes, LabelFiles
from vidsgg.io.images import Image

DISARMED, ONCE = Path("DISARMED"), Path("ONCE")


class Mortal(BoxDetector):
    architecture = "mortal"

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)

    @classmethod
    def ready(cls, name: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> tuple[Self, str]:
        return cls(classes), "a detector that ends its process"

    def describe(self) -> dict[str, Any]:
        return {"detector": self.architecture}

    def digest(self) -> str:
        return "0" * 64

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def on_device(self, device: torch.device) -> Self:
        return self

    def find(self, images: Sequence[Image]) -> FoundBoxes:
        for image in images:
            if image[32:].mean() < 8 and not DISARMED.exists():
                if image[:16, :16].mean() < 128:
                    os._exit(9)
                if not ONCE.exists():
                    ONCE.touch()
                    os._exit(9)
        seen = len(images)
        step = torch.tensor([float(np.mean(image)) / 64 for image in images])  # what is seen depends on the picture
        box = torch.tensor([[20.0, 5, 60, 60], [34, 26, 42, 36]]).repeat(seen, 1)
        box[:, :2] += step.repeat_interleave(2)[:, None]
        klass = torch.tensor([1, self.classes.index("cup/glass/bottle")]).repeat(seen)
        given = torch.nn.functional.one_hot(klass, len(self.classes)).float()
        frame = torch.arange(seen).repeat_interleave(2)
        return FoundBoxes(frame, box, klass, torch.tensor([0.9, 0.8]).repeat(seen), given)
