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

from vidsgg.detectors.backends.choice import TORCH, Inference
from vidsgg.detectors.backends.parts import FrozenPart
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
    """The backbone's output for T frames of one video."""

    maps: Any  #: what the detector pools regions from
    scale: Tensor  #: (T,) float32: network pixels = original pixels * scale
    size: Tensor  #: (T, 2) float32, width and height of every frame in network pixels
    canvas: tuple[int, int]  #: height and width of the network's input, in which every frame fits

    def __len__(self) -> int:
        return len(self.scale)


@dataclass(frozen=True, eq=False)
class FoundBoxes:
    """R boxes found in some pictures, ordered by picture, class and falling score."""

    frame: Tensor  #: (R,) long, position among the pictures
    box: Tensor  #: (R, 4) float32, xyxy in pixels of the original picture, within it
    klass: Tensor  #: (R,) long, the class under which the box was found, never 0
    score: Tensor  #: (R,) 0..1, the probability of that class
    distribution: Tensor  #: (R, O) class distribution, sums to 1, with 0 for the background

    def once(self, classes: Sequence[int]) -> Self:
        """Keep only the best box of a frame for each of ``classes``; other classes keep all boxes."""
        same = torch.zeros_like(self.frame, dtype=torch.bool)
        same[1:] = (self.frame[1:] == self.frame[:-1]) & (self.klass[1:] == self.klass[:-1])
        again = same & torch.isin(self.klass, torch.tensor(classes, dtype=torch.long, device=self.klass.device))
        return self.rows(~again)

    def rows(self, which: Tensor) -> Self:
        """Some of the boxes. which: (R,) bool, or positions that keep the order."""
        return type(self)(**{column.name: getattr(self, column.name)[which] for column in fields(self)})

    def shifted(self, pictures: int) -> Self:
        """The same boxes with ``pictures`` added to their picture numbers."""
        return replace(self, frame=self.frame + pictures)


@dataclass(frozen=True, eq=False)
class Detections(FoundBoxes):
    """Boxes with their features. ``distribution`` is that of ``RegionDetector.classify``."""

    feature: Tensor = field(kw_only=True)  #: (R, D) RoI features


class BoxDetector(ABC):
    """A detector that finds boxes and their classes, and is not trained here.

    The labels of its network are mapped to the classes when the detector is built
    (``detectors/labels.py``).
    """

    architecture: str  #: name in files and logs
    classes: tuple[str, ...]  #: object classes of the vocabulary by index, the background first
    rules = BoxRules()  #: which of its boxes are used by default
    inference: Inference = TORCH  # what computes its frozen parts, see ``backends.parts.choose_backend``

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Its names in ``-detector``: one, or one for each of its sizes."""
        return (cls.architecture,)

    @classmethod
    @abstractmethod
    def ready(cls, name: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> tuple[Self, str]:
        """Make the detector of a name, ready for use, on the CPU; also return a line that describes it.

        Args:
            name: one of ``names``.
            classes: object classes of the vocabulary, the background first.
            labels: the user's files about its labels.

        Raises:
            ConfigError: the weights are not available, or the detector has no such labels.
        """

    @classmethod
    def download(cls, name: str) -> Path | None:
        """The file that ``ready`` downloads if it is missing; None if it needs none."""
        return None

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks to show with its name, such as classes that it never finds."""
        return ()

    @property
    def left_out(self) -> Mapping[str, int]:
        """In how many pictures so far it saw each label that is no class; empty if it has no others."""
        return {}

    def frozen_parts(self) -> Sequence[FrozenPart]:
        """What another backend may compute in torch's place (-backend, -precision); none by default."""
        return ()

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Plain values that, together with classes and weights, determine its output: ``detector``
        (its architecture), preprocessing, ..."""

    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of its weights."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """The device on which it computes and returns tensors."""

    @abstractmethod
    def on_device(self, device: torch.device) -> Self:
        """The detector on another device. Raises ConfigError if it cannot run there."""

    @abstractmethod
    def find(self, images: Sequence[Image]) -> FoundBoxes:
        """Find boxes with a score of at least SCORE_FLOOR (0.05).

        Of boxes of one class that overlap strongly, only the one with the highest score is returned;
        boxes of different classes may overlap. The boxes of a picture do not depend on the other
        pictures.

        Args:
            images: pictures, RGB (H, W, 3) uint8, of any sizes.
        """


class RegionDetector(nn.Module, BoxDetector):
    """A two-stage detector, which also computes features of regions. It is frozen except while it is
    trained itself.

    Letters: T frames, R regions, O classes with the background at 0, C channels, D width. Regions are
    pooled to 7 x 7 cells.
    """

    node_width: int  #: D
    union_channels: int  #: C
    rules = BoxRules(least_score=0.3, track_score=0.3)
    reference_compat = False  #: whether ``detect`` reproduces the bugs of the reference implementation

    @classmethod
    def widths(cls, name: str) -> FeatureWidths | None:
        """Widths of the features of the detector of a name, without building it; None if they are
        unknown before."""
        node, union = (getattr(cls, width, None) for width in ("node_width", "union_channels"))
        return FeatureWidths(node=node, union=union) if isinstance(node, int) and isinstance(union, int) else None

    @classmethod
    def untrained(cls, name: str, classes: Sequence[str], seed: int, shape: Mapping[str, int]) -> Self:
        """Make the detector of a name with new weights, for training.

        Args:
            name: one of ``names``.
            classes: object classes of the vocabulary, the background first.
            seed: seed of the weights.
            shape: the given values of ``-depth``, ``-base_width`` and ``-short_side``.

        Raises:
            ConfigError: the detector does not have one of these options.
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
        """Pretrained weights that ``start_from`` accepts, the best first: ``imagenet``, ``coco``."""
        return ()

    def start_from(self, origin: str, weights: Mapping[str, Tensor] | None = None) -> str:
        """Load pretrained weights for further training; return a remark about them, or "".

        Args:
            origin: one of ``origins``.
            weights: torchvision's state dict; None for the one that torchvision publishes.

        Raises:
            ConfigError: the weights are not available.
            CheckpointError: the weights do not fit.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """Freeze what must not change while trained weights are trained further, such as statistics
        of normalisation. By default nothing."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Plain values that, together with classes and weights, determine its output: ``detector``
        (its architecture), preprocessing, ...

        ``from_description(description, classes)`` builds it again, without its weights.
        """

    @classmethod
    @abstractmethod
    def from_description(cls, description: Mapping[str, Any], classes: Sequence[str]) -> Self:
        """Build the detector with random weights. Raises CheckpointError if the description is
        incomplete."""

    @abstractmethod
    def canvas(self, images: Sequence[Image]) -> tuple[int, int]:
        """Height and width of the network input that holds all frames of one video."""

    @abstractmethod
    def encode(self, images: Sequence[Image], canvas: tuple[int, int]) -> FrameMaps:
        """Run the backbone on some frames of a video, RGB (H, W, 3) uint8."""

    @abstractmethod
    def pool(self, maps: FrameMaps, frame: Tensor, box: Tensor) -> Tensor:
        """Pool regions to small maps (R, C, 7, 7).

        Args:
            maps: output of ``encode``.
            frame: (R,) long, position among the frames of ``maps``.
            box: (R, 4) xyxy in pixels of the original frame.
        """

    @abstractmethod
    def embed(self, pooled: Tensor) -> Tensor:
        """RoI features (R, D) of pooled regions (R, C, 7, 7)."""

    @abstractmethod
    def classify(self, feature: Tensor) -> Tensor:
        """(R, O) class distribution of features (R, D): a softmax over the objects alone, 0 for the
        background."""

    @abstractmethod
    def detect(self, maps: FrameMaps) -> Detections:
        """Find the objects in the frames."""

    @abstractmethod
    def losses(self, images: Sequence[Image], boxes: Sequence[Tensor], classes: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute the losses of a training step by name, which are summed.

        Args:
            images: pictures, RGB (H, W, 3) uint8.
            boxes: (n, 4) of every image, xyxy in its original pixels.
            classes: (n,) long of every image.
        """

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
        """The boxes that ``detect`` finds, without features. Pictures of one size form batches."""
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
