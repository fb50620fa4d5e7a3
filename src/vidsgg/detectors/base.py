"""What a detector has to offer so that everything else works with it: boxes, or boxes and features.

Letters: T frames, R regions, C channels and D width of region features, O object classes with the
background at 0.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.detectors.record import weights_digest
from vidsgg.errors import ConfigError
from vidsgg.io.images import Image
from vidsgg.structures.box_rules import BoxRules
from vidsgg.structures.widths import FeatureWidths

FRAMES_AT_ONCE = 10  # the reference's chunk: how many frames go through a backbone together, if they are not large
CANVAS_PIXELS_AT_ONCE = 12 * 2**20  # of the network's input: ten frames of 600 x 2048 or 800 x 1500
CANVAS_PIXELS_ON_CPU = 2 * 2**20  # the same on a CPU, which ten frames make no faster: three frames of 600 x 1067
SCORE_FLOOR = 0.05  # least score of a box that ``find`` returns
SOURCE_PIXELS_AT_ONCE = 20 * 2**20  # as they were decoded: ten frames of 1920 x 1080


def frames_at_once(height: int, width: int, pixels: int) -> int:
    """How many frames of that size are held together: FRAMES_AT_ONCE, fewer where they have more
    than ``pixels``, one at least."""
    return max(1, min(FRAMES_AT_ONCE, pixels // (height * width)))


@dataclass(frozen=True, eq=False)
class FrameMaps:
    """Some frames of one video behind a backbone.

    maps: whatever the detector pools regions from. scale (T,) float32: network pixels = original
    pixels * scale. size (T, 2) float32: width and height of every frame in network pixels. canvas:
    height and width of the network's input, at least every frame's.
    """

    maps: Any
    scale: Tensor
    size: Tensor
    canvas: tuple[int, int]

    def __len__(self) -> int:
        return len(self.scale)


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """Boxes found in some pictures, ordered by picture, class and falling score. R boxes."""

    frame: Tensor  # (R,) long, position among the pictures
    box: Tensor  # (R, 4) float32, xyxy in pixels of the original picture, within it
    klass: Tensor  # (R,) long, the class under which the box was found, never 0
    score: Tensor  # (R,) 0..1, the probability of that class
    distribution: Tensor  # (R, O) what it is, given that it is something: adds up to 1, 0 for the background

    def once(self, classes: Sequence[int]) -> Self:
        """Without those of ``classes`` that are not the best of their class in their frame."""
        same = torch.zeros_like(self.frame, dtype=torch.bool)
        same[1:] = (self.frame[1:] == self.frame[:-1]) & (self.klass[1:] == self.klass[:-1])
        again = same & torch.isin(self.klass, torch.tensor(classes, dtype=torch.long, device=self.klass.device))
        return self.rows(~again)

    def rows(self, which: Tensor) -> Self:
        """Some of the boxes. which: (R,) bool, or positions that keep the order."""
        return type(self)(**{column.name: getattr(self, column.name)[which] for column in fields(self)})

    def shifted(self, pictures: int) -> Self:
        """The same boxes where so many other pictures come before theirs."""
        return replace(self, frame=self.frame + pictures)


@dataclass(frozen=True, eq=False)
class Detections(FoundBoxes):
    """Boxes with their features. ``distribution`` is as ``RegionDetector.classify`` gives it."""

    feature: Tensor = field(kw_only=True)  # (R, D)


class BoxDetector(ABC):
    """Anything that finds boxes in pictures and says what they are. It learns nothing here.

    classes: names by index, the background first; the objects of the vocabulary that it is used
    with. What a network calls its labels is mapped on them when the detector is built
    (``detectors/labels.py``). architecture: its name in files and logs.
    """

    architecture: str
    classes: tuple[str, ...]
    rules = BoxRules()  # which of its boxes count where nothing else is said

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """What ``-detector`` may call it: one name, or one for each of its sizes."""
        return (cls.architecture,)

    @classmethod
    @abstractmethod
    def ready(cls, name: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> tuple[Self, str]:
        """The detector of a name to look with, on the CPU, and one line that says what it is.

        labels: what the user says of its labels. Raises ConfigError if weights cannot be had, or if
        something is said of labels that it does not have.
        """

    @classmethod
    def download(cls, name: str) -> Path | None:
        """The file that ``ready`` downloads unless it is there; None if it needs none."""
        return None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What should be known of it wherever it is named, such as classes that it never finds."""
        return ()

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Plain values that, with classes and weights, decide every number it gives: ``detector``
        (its architecture), preprocessing, ..."""

    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of its weights."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where it computes, and where the tensors are that it gives."""

    @abstractmethod
    def on_device(self, device: torch.device) -> Self:
        """Itself, at work there. Raises ConfigError if it cannot work there."""

    @abstractmethod
    def find(self, images: Sequence[Image]) -> FoundBoxes:
        """The boxes of some pictures, RGB (H, W, 3) uint8 of any sizes, as sure as SCORE_FLOOR or
        surer.

        Of boxes of one class that overlap much the surer stays; boxes of different classes may
        overlap. What a picture gets does not depend on the others.
        """


class RegionDetector(nn.Module, BoxDetector):
    """A two-stage detector, which also describes regions by features; frozen except while it is
    trained itself.

    node_width: D. union_channels: C. Regions are pooled to 7 x 7 cells.
    """

    node_width: int
    union_channels: int
    rules = BoxRules(least_score=0.3, track_score=0.3)
    reference_compat = False  # whether ``detect`` brings back plain bugs of its reference, if it has any

    @classmethod
    def widths(cls, name: str) -> FeatureWidths | None:
        """Widths of the features of the detector of a name, without building it; None if that
        cannot be."""
        node, union = (getattr(cls, width, None) for width in ("node_width", "union_channels"))
        return FeatureWidths(node=node, union=union) if isinstance(node, int) and isinstance(union, int) else None

    @classmethod
    def untrained(cls, name: str, classes: Sequence[str], seed: int, shape: Mapping[str, int]) -> Self:
        """The detector of a name with new weights, to be trained.

        shape: values of -depth, -base_width and -short_side that are given. Raises ConfigError
        naming one that it does not have.
        """
        raise ConfigError(
            f"option -detector: {name} has no new weights to start from; name a file of its weights, or another"
            " detector."
        )

    @classmethod
    def ready(cls, name: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> tuple[Self, str]:
        labels.refuse(name, "tells the classes of the data set apart, not labels of its own")
        line = (
            f"{name} with untrained weights (seed 0): its features tell things apart, but it finds nothing;"
            " train one with 'vidsgg train-detector' and name its file with -detector"
        )
        return cls.untrained(name, classes, 0, {}), line

    @property
    def origins(self) -> tuple[str, ...]:
        """Pretrained weights that ``start_from`` takes, the best first: some of "imagenet" and
        "coco"."""
        return ()

    def start_from(self, origin: str, weights: Mapping[str, Tensor] | None = None) -> str:
        """Takes over pretrained weights, one of ``origins``, to be trained further; returns what
        else is to be said of them, or "".

        weights: torchvision's state dict; None: the one that torchvision publishes. Raises
        ConfigError if that cannot be had, CheckpointError if the weights do not fit.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """Keeps what trained weights know while they are trained further, such as statistics of
        normalisation. Nothing by default."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Plain values that, with classes and weights, decide every number it gives: ``detector``
        (its architecture), preprocessing, ...

        ``from_description(description, classes)`` builds it again, without its weights.
        """

    @classmethod
    @abstractmethod
    def from_description(cls, description: Mapping[str, Any], classes: Sequence[str]) -> Self:
        """A detector with random weights. Raises CheckpointError if the description lacks
        something."""

    @abstractmethod
    def canvas(self, images: Sequence[Image]) -> tuple[int, int]:
        """Height and width of the network input that holds all frames of one video."""

    @abstractmethod
    def encode(self, images: Sequence[Image], canvas: tuple[int, int]) -> FrameMaps:
        """Some frames of a video, RGB (H, W, 3) uint8, through the backbone."""

    @abstractmethod
    def pool(self, maps: FrameMaps, frame: Tensor, box: Tensor) -> Tensor:
        """Regions as small maps (R, C, 7, 7). frame (R,) long among ``maps``; box (R, 4) in pixels
        of the original frame."""

    @abstractmethod
    def embed(self, pooled: Tensor) -> Tensor:
        """RoI features (R, D) of pooled regions (R, C, 7, 7)."""

    @abstractmethod
    def classify(self, feature: Tensor) -> Tensor:
        """(R, O) class distribution of features (R, D): a softmax over the objects alone, 0 for the
        background."""

    @abstractmethod
    def detect(self, maps: FrameMaps) -> Detections:
        """What is in the frames."""

    @abstractmethod
    def losses(self, images: Sequence[Image], boxes: Sequence[Tensor], classes: Sequence[Tensor]) -> dict[str, Tensor]:
        """Losses of a training step by name, to be added up. boxes (n, 4) and classes (n,) of every
        image, in its original pixels."""

    @property
    def device(self) -> torch.device:
        first = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if first is None else first.device

    def on_device(self, device: torch.device) -> Self:
        return self.requires_grad_(False).eval().to(device)

    def digest(self) -> str:
        return weights_digest(self.state_dict())

    @torch.no_grad()
    def find(self, images: Sequence[Image]) -> FoundBoxes:
        """What ``detect`` finds. Pictures of one size go through together; their features are
        dropped."""
        parts: list[FoundBoxes] = []
        most = CANVAS_PIXELS_ON_CPU if self.device.type == "cpu" else CANVAS_PIXELS_AT_ONCE
        for start, stop in _alike(images):
            canvas = self.canvas(images[start:stop])
            step = frames_at_once(*canvas, most)
            for begin in range(start, stop, step):
                found = self.detect(self.encode(images[begin : min(begin + step, stop)], canvas))
                columns = (found.frame + begin, found.box, found.klass, found.score, found.distribution)
                parts.append(FoundBoxes(*columns).rows(found.score >= SCORE_FLOOR))
        return join_found(parts, len(self.classes), self.device)


def join_found(parts: Sequence[FoundBoxes], classes: int, device: torch.device) -> FoundBoxes:
    """The boxes of successive pictures as one; ``frame`` counts through all of them already."""
    none = torch.zeros(0, dtype=torch.long, device=device)
    score = torch.zeros(0, device=device)
    empty = FoundBoxes(none, score.view(0, 4), none, score, score.view(0, classes))
    return FoundBoxes(*(torch.cat([getattr(one, name.name) for one in (empty, *parts)]) for name in fields(FoundBoxes)))


def _alike(images: Sequence[Image]) -> Iterator[tuple[int, int]]:
    """Runs of pictures of one size: a smaller one is filled up, which reaches into its features."""
    start = 0
    for i in range(1, len(images) + 1):
        if i == len(images) or images[i].shape != images[start].shape:
            yield start, i
            start = i
