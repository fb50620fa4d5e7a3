"""torchvision's Faster R-CNN with a feature pyramid, version 2 (Li et al. 2021, arXiv:2111.11429),
as one of our detectors.

Letters as in ``detectors/base.py``: T frames, R regions, O object classes. Its boxes are
continuous: a side is x2 - x1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from msgspec import Meta
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_V2_Weights, fasterrcnn_resnet50_fpn_v2
from torchvision.models.detection.image_list import ImageList

from vidsgg.detectors.backends.parts import FrozenPart, picture_examples, region_examples
from vidsgg.detectors.base import Detections, FrameMaps, RegionDetector
from vidsgg.detectors.coco_classes import COCO_LABELS, labels_of
from vidsgg.detectors.coco_predictor import CocoPredictor
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.detectors.names import FPN
from vidsgg.detectors.pretrained import fetch_weights, fill, weights_place
from vidsgg.errors import CheckpointError, ConfigError, short
from vidsgg.io.images import Image
from vidsgg.io.untrusted import as_type

CLASS_HEAD = "roi_heads.box_predictor."
# torchvision's names of losses, and ours, which the C4 port has too.
LOSSES = {
    "loss_objectness": "rpn_score",
    "loss_rpn_box_reg": "rpn_box",
    "loss_classifier": "class",
    "loss_box_reg": "box",
}
COCO_WEIGHTS = FasterRCNN_ResNet50_FPN_V2_Weights.DEFAULT
PRETRAINED = {"coco": COCO_WEIGHTS, "imagenet": ResNet50_Weights.DEFAULT}


@dataclass(frozen=True)
class FPNConfig:
    """What can be set, under torchvision's names and with its values. seed: of the random start.

    box_score_thresh is not torchvision's 0.05 but that of the published Action Genome detector: in
    SGDET every detection costs a pair.
    """

    min_size: Annotated[int, Meta(ge=16, le=8192)] = 800
    max_size: Annotated[int, Meta(ge=16, le=16_384)] = 1333
    rpn_post_nms_top_n_test: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    box_score_thresh: Annotated[float, Meta(ge=0, le=1)] = 0.1
    box_nms_thresh: Annotated[float, Meta(ge=0, le=1)] = 0.5
    box_detections_per_img: Annotated[int, Meta(ge=1, le=100_000)] = 100
    box_batch_size_per_image: Annotated[int, Meta(ge=1, le=100_000)] = 512
    seed: Annotated[int, Meta(ge=0, le=2**62)] = 0


DEFAULTS = FPNConfig()


@dataclass(frozen=True, eq=False)
class Pyramid:
    """frames: network input, with each frame's height and width in it. levels: its maps by name.
    original (T, 2): width and height."""

    frames: ImageList
    levels: dict[str, Tensor]
    original: Tensor


class TorchvisionFPN(RegionDetector):
    """``fasterrcnn_resnet50_fpn_v2`` with random weights.

    coco_labels: which of COCO's labels stand for which class, for COCO's weights (``from_coco``);
    None: a class head for ``classes``.
    """

    architecture = FPN
    node_width, union_channels = 1024, 256

    def __init__(
        self, config: FPNConfig, classes: Sequence[str], coco_labels: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        super().__init__()
        self.config, self.classes = config, tuple(classes)
        self.coco_labels = (
            None if coco_labels is None else {name: tuple(labels) for name, labels in coco_labels.items()}
        )
        settings = asdict(config)
        # Only the CPU's generator draws here; torch.manual_seed would disturb those of all devices.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(settings.pop("seed"))
            self.model = fasterrcnn_resnet50_fpn_v2(
                weights=None, weights_backbone=None, num_classes=len(self.classes), **settings
            )
            if self.coco_labels is not None:
                self.model.roi_heads.box_predictor = CocoPredictor(self.node_width, self.classes, self.coco_labels)
        self._fix_pooling_scales()
        self._settled: tuple[nn.Module, ...] = ()

    @classmethod
    def with_coco_labels(cls, classes: Sequence[str], config: FPNConfig = DEFAULTS) -> TorchvisionFPN:
        """Into ``model`` of this one COCO's weights fit, which name those of ``classes`` that COCO
        knows (``unseen``: the others).

        Raises ConfigError if COCO knows none.
        """
        labels = labels_of(classes)
        if not labels:
            raise ConfigError(
                f"detector {cls.architecture}: COCO has none of the classes {', '.join(classes[1:6])}, ...; train one"
                " with them."
            )
        return cls(config, classes, labels)

    @classmethod
    def from_coco(cls, classes: Sequence[str]) -> TorchvisionFPN:
        """With the COCO weights that torchvision publishes. Raises ConfigError also if they cannot
        be had (``fetch_weights``)."""
        detector = cls.with_coco_labels(classes)
        fill(detector.model, fetch_weights(COCO_WEIGHTS), COCO_WEIGHTS.url)
        return detector

    @classmethod
    def untrained(cls, name: str, classes: Sequence[str], seed: int, shape: Mapping[str, int]) -> TorchvisionFPN:
        if {"depth", "base_width"} & set(shape):
            raise ConfigError(f"option -depth, -base_width: {name} has one size; these are for c4 detectors.")
        return cls(replace(DEFAULTS, min_size=shape.get("short_side", DEFAULTS.min_size), seed=seed), classes)

    @classmethod
    def ready(cls, name: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> tuple[TorchvisionFPN, str]:
        labels.refuse(name, "has a table of its own for COCO's labels")
        return cls.from_coco(classes), f"{name} with torchvision's COCO weights"

    @classmethod
    def download(cls, name: str) -> Path:
        return weights_place(COCO_WEIGHTS)

    @property
    def origins(self) -> tuple[str, ...]:
        """What ``start_from`` takes."""
        return tuple(PRETRAINED)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Classes that it never finds and to which it gives probability 0, because COCO has no
        label for them."""
        return (
            () if self.coco_labels is None else tuple(name for name in self.classes[1:] if name not in self.coco_labels)
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        return (f"COCO does not know, so it never finds: {', '.join(self.unseen)}",) if self.unseen else ()

    def start_from(self, origin: str, weights: Mapping[str, Tensor] | None = None) -> str:
        """Takes over pretrained weights to be trained further: "coco", all but the class head, or
        "imagenet", the backbone.

        What was taken over is settled. weights: torchvision's state dict; None: the one that
        torchvision publishes. Raises ConfigError if that cannot be had, CheckpointError if the
        weights do not fit.
        """
        part, left = (self.model, CLASS_HEAD) if origin == "coco" else (self.model.backbone.body, "fc.")
        given = fetch_weights(PRETRAINED[origin]) if weights is None else weights
        taken = {name: value for name, value in given.items() if not name.startswith(left)}
        kept = {name: value for name, value in part.state_dict().items() if name.startswith(left)}
        fill(part, {**taken, **kept}, f"{origin} weights")
        self._settle(part)
        return ""

    def settle(self) -> None:
        """Keeps what pretrained weights know: the first stage of the backbone and all normalisation
        stay as they are in training too.

        A few frames, many of one video, give poor statistics.
        """
        self._settle(self.model)

    def _settle(self, part: nn.Module) -> None:
        self._settled = tuple(module for module in part.modules() if isinstance(module, nn.BatchNorm2d))
        body = self.model.backbone.body
        for module in (*self._settled, body.conv1, body.layer1):
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> TorchvisionFPN:
        super().train(mode)
        for module in self._settled:
            module.eval()
        return self

    def frozen_parts(self) -> Sequence[FrozenPart]:
        pictures, regions = picture_examples((160, 192), (96, 128)), region_examples(self.union_channels)
        return (
            FrozenPart("backbone", self.model.backbone, "forward", pictures, (0, 2, 3)),
            FrozenPart("box_head", self.model.roi_heads.box_head, "forward", regions, (0,)),
        )

    def describe(self) -> dict[str, Any]:
        labels = None if self.coco_labels is None else {name: list(labels) for name, labels in self.coco_labels.items()}
        return {"detector": self.architecture, **asdict(self.config), "coco_labels": labels}

    @classmethod
    def from_description(cls, description: Mapping[str, Any], classes: Sequence[str]) -> TorchvisionFPN:
        lacking = [
            name for name in (*(field.name for field in fields(FPNConfig)), "coco_labels") if name not in description
        ]
        if lacking:
            raise CheckpointError(f"the description of a {cls.architecture} detector lacks {lacking[0]!r}.")
        config = as_type(description, FPNConfig, "its description: ")
        labels: dict[str, tuple[str, ...]] | None = as_type(
            description["coco_labels"], dict[str, tuple[str, ...]] | None, "its description: coco_labels: "
        )
        if labels is not None and (unknown := {label for own in labels.values() for label in own} - set(COCO_LABELS)):
            raise CheckpointError(f"its description: coco_labels has the unknown label {short(min(unknown))}.")
        return cls(config, classes, labels)

    def canvas(self, images: Sequence[Image]) -> tuple[int, int]:
        # The model's own resizing of tensors without contents tells sizes without doing the work.
        sizes = [
            self._resized(torch.empty(3, *shape[:2], device="meta")).shape[1:]
            for shape in {image.shape for image in images}
        ]
        step = self.model.transform.size_divisible
        height, width = (-(-max(sides) // step) * step for sides in zip(*sizes, strict=True))
        return height, width

    def encode(self, images: Sequence[Image], canvas: tuple[int, int]) -> FrameMaps:
        normalize = self.model.transform.normalize
        scaled = [self._resized(normalize(_pixels(image, self.device))) for image in images]
        pixels = torch.zeros(len(images), 3, *canvas, device=self.device)
        for place, frame in zip(pixels, scaled, strict=True):
            place[:, : frame.shape[1], : frame.shape[2]] = frame
        size = pixels.new_tensor([[frame.shape[2], frame.shape[1]] for frame in scaled])
        original = pixels.new_tensor([[image.shape[1], image.shape[0]] for image in images])
        frames = ImageList(pixels, [(frame.shape[1], frame.shape[2]) for frame in scaled])
        pyramid = Pyramid(frames, self.model.backbone(pixels), original)
        return FrameMaps(pyramid, (size / original).amax(1), size, canvas)

    def pool(self, maps: FrameMaps, frame: Tensor, box: Tensor) -> Tensor:
        # torchvision rounds sides down when it scales, so the two axes have scales of their own.
        scaled = box * (maps.size / maps.maps.original)[frame].repeat(1, 2)
        order = frame.argsort(stable=True)
        of_frames = scaled[order].split(torch.bincount(frame, minlength=len(maps)).tolist())
        pooled = self.model.roi_heads.box_roi_pool(maps.maps.levels, list(of_frames), maps.maps.frames.image_sizes)
        regions: Tensor = pooled[order.argsort()]
        return regions

    def embed(self, pooled: Tensor) -> Tensor:
        feature: Tensor = self.model.roi_heads.box_head(pooled)
        return feature

    def classify(self, feature: Tensor) -> Tensor:
        """With COCO's weights the softmax is over the classes that COCO knows: what a region is,
        given that it is one of them."""
        return nn.functional.pad(self.model.roi_heads.box_predictor(feature)[0][:, 1:].softmax(dim=1), (1, 0))

    def detect(self, maps: FrameMaps) -> Detections:
        """Features and distributions are those of the found box, so equal to what the box would get
        if it were given."""
        pyramid = maps.maps
        proposals, _ = self.model.rpn(pyramid.frames, pyramid.levels)
        found, _ = self.model.roi_heads(pyramid.levels, proposals, pyramid.frames.image_sizes)
        box, klass, score = (torch.cat([one[name] for one in found]) for name in ("boxes", "labels", "scores"))
        count = torch.tensor([len(one["boxes"]) for one in found], device=box.device)
        frame = torch.arange(len(maps), device=box.device).repeat_interleave(count)

        order = score.argsort(descending=True, stable=True)
        order = order[(frame * len(self.classes) + klass)[order].argsort(stable=True)]
        frame, box, klass, score = frame[order], box[order], klass[order], score[order]
        # Clipped in network pixels already, but scaling back may round beyond the edge.
        box = torch.minimum(
            box * (pyramid.original / maps.size)[frame].repeat(1, 2), pyramid.original[frame].repeat(1, 2)
        )
        feature = self.embed(self.pool(maps, frame, box))
        return Detections(frame, box, klass, score, self.classify(feature), feature=feature)

    def losses(self, images: Sequence[Image], boxes: Sequence[Tensor], classes: Sequence[Tensor]) -> dict[str, Tensor]:
        """torchvision's four. Raises RuntimeError outside training mode, and with COCO's labels,
        some classes of which cannot be learnt."""
        if not self.training or self.coco_labels is not None:
            raise RuntimeError("losses need training mode and a class head of the detector's own classes.")
        device = self.device
        targets = [
            {"boxes": box.to(device), "labels": klass.to(device)} for box, klass in zip(boxes, classes, strict=True)
        ]
        losses = self.model([_pixels(image, device) for image in images], targets)
        return {ours: losses[theirs] for theirs, ours in LOSSES.items()}

    def _resized(self, image: Tensor) -> Tensor:
        resized: Tensor = self.model.transform.resize(image)[0]
        return resized

    def _fix_pooling_scales(self) -> None:
        """The pooler guesses the scales of its maps from the first frames that it meets, wrongly if
        these fill little of their canvas."""
        sides = {"0": 8, "1": 4, "2": 2, "3": 1}
        levels = {name: torch.zeros(1, self.union_channels, side, side) for name, side in sides.items()}
        self.model.roi_heads.box_roi_pool(levels, [torch.zeros(0, 4)], [(32, 32)])


def _pixels(image: Image, device: torch.device) -> Tensor:
    """(H, W, 3) uint8 to (3, H, W) float from 0 to 1."""
    return torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1) / 255
