"""The detector that every published Action Genome model was trained with: Faster R-CNN on ResNet C4
(Ren et al. 2015).

Source: yrcong/STTran ``fasterRCNN/lib/model/faster_rcnn``, ``lib/object_detector.py``. Letters as
in ``detectors/base.py``; K proposals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from vidsgg.detectors.anchors import clip_boxes, decode_offsets, encode_offsets
from vidsgg.detectors.backends.parts import FrozenPart, picture_examples, region_examples
from vidsgg.detectors.base import Detections, FrameMaps, RegionDetector
from vidsgg.detectors.imagenet import BASE_WIDTH, DEPTHS, DIFFERENCES, backbone_state, imagenet_weights
from vidsgg.detectors.names import C4, NAMES
from vidsgg.detectors.preprocess import frame_scales, network_input, network_size, scaled_size
from vidsgg.detectors.pretrained import fetch_weights, fill
from vidsgg.detectors.region_proposals import AT_TEST, ProposalLimits, RegionProposals
from vidsgg.detectors.resnet_c4 import BackboneConfig, Norm, ResNetC4
from vidsgg.detectors.targets import Truth, WindowSampling, region_targets
from vidsgg.errors import CheckpointError
from vidsgg.io.images import Image
from vidsgg.io.untrusted import as_type
from vidsgg.ops.kernels import roi_align
from vidsgg.ops.nms import nms_inclusive
from vidsgg.ops.undrawn import blank, draws
from vidsgg.structures.widths import FeatureWidths

POOLED = 7  # cells per side of a pooled region
OFFSET_SCALE = (0.1, 0.1, 0.2, 0.2)  # standard deviations by which the second stage's offsets were divided in training
LEAST_PROBABILITY, OVERLAP = 0.1, 0.4  # of a detection; of two boxes of one class


@dataclass(frozen=True)
class Lesson:
    """What a training step looks at in every frame.

    windows: those that the proposal network learns from. proposals: how many it hands on. regions:
    how many of these and the annotated boxes go through the second stage; object_share: how many of
    them at most are objects. shaken: how many copies of every annotated box, a little beside it,
    are among the regions too: until small objects are proposed they would hardly be learnt.
    """

    windows: WindowSampling = field(default_factory=WindowSampling)
    proposals: ProposalLimits = field(default_factory=lambda: ProposalLimits(12000, 2000))
    regions: int = 128
    object_share: float = 0.25
    shaken: int = 0


REFERENCE = Lesson()
# Most of a small network's work is the second stage, and what it lacks are frames.
QUICK = Lesson(WindowSampling(128, 0.6, 0.5), ProposalLimits(1000, 100), regions=32, object_share=0.5, shaken=4)


@dataclass(frozen=True)
class FasterRCNNConfig:
    """backbone; anchor_scales: sides of the proposal windows in cells of its maps; rpn_width:
    channels of the proposal network;
    proposals: which of them ``detect`` looks at.
    """

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    anchor_scales: tuple[Annotated[int, Meta(ge=1, le=1_000_000)] | Annotated[float, Meta(gt=0, le=1_000_000)], ...] = (
        4,
        8,
        16,
        32,
    )
    rpn_width: Annotated[int, Meta(ge=1, le=65_536)] = 512
    proposals: ProposalLimits = AT_TEST

    @property
    def lesson(self) -> Lesson:
        """How it is trained."""
        return REFERENCE if self.backbone.depth >= 50 else QUICK


DETECTORS = {
    "c4-resnet101": FasterRCNNConfig(),  # the published one
    # For CPUs. The windows are 20 to 136 network pixels wide.
    "c4-small": FasterRCNNConfig(
        BackboneConfig(depth=10, base_width=32, short_side=240, stride=8), (2.5, 4, 6.5, 10.5, 17), 96
    ),
}


def memory_layout(base_width: int) -> torch.memory_format:
    """In which order the values of maps lie: channels last, which is faster, but only where 8
    divides all numbers of channels.

    Over maps of 2, 3 or 4 channels that come last, oneDNN's weight gradient of a 1 x 1 convolution
    of stride 2 writes outside its memory (seen with torch 2.14 on an AVX2 processor): the process
    ends at once, or later. In the usual order it does not, nor with 8 or 16.
    """
    return torch.channels_last if base_width % 8 == 0 else torch.contiguous_format


class FasterRCNN(RegionDetector):
    """Faster R-CNN, ResNet C4.

    reference_compat: of every ten frames that go through ``detect`` together only the first is
    clipped to the picture, as in the reference, from whose frames 2 to 10 boxes may reach beyond
    the right and bottom edge; by default all are clipped.
    """

    architecture = C4

    def __init__(self, config: FasterRCNNConfig, classes: Sequence[str], *, reference_compat: bool = False) -> None:
        super().__init__()
        self.config, self.classes, self.reference_compat = config, tuple(classes), reference_compat
        # Channels last makes convolutions on CPUs about twice as fast.
        self._layout = memory_layout(config.backbone.base_width)
        self.backbone = ResNetC4(config.backbone).to(memory_format=self._layout)
        self.node_width, self.union_channels = self.backbone.head_channels, self.backbone.trunk_channels
        self.rpn = RegionProposals(self.union_channels, config.rpn_width, config.anchor_scales, config.backbone.stride)
        self.class_score = blank(nn.Linear, self.node_width, len(self.classes))
        self.box_offset = blank(nn.Linear, self.node_width, 4 * len(self.classes))
        if draws():
            self._start(torch.Generator().manual_seed(config.backbone.seed))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return NAMES[C4]

    @classmethod
    def widths(cls, name: str) -> FeatureWidths | None:
        union, node = DETECTORS[name].backbone.channels
        return FeatureWidths(node=node, union=union)

    @classmethod
    def untrained(cls, name: str, classes: Sequence[str], seed: int, shape: Mapping[str, int]) -> FasterRCNN:
        config = DETECTORS[name]
        return cls(replace(config, backbone=replace(config.backbone, **shape, seed=seed)), classes)

    @property
    def origins(self) -> tuple[str, ...]:
        """What ``start_from`` takes: "imagenet", if torchvision has weights for a backbone of this
        depth and width."""
        backbone = self.config.backbone
        return ("imagenet",) if backbone.depth in DEPTHS and backbone.base_width == BASE_WIDTH else ()

    def start_from(self, origin: str, weights: Mapping[str, Tensor] | None = None) -> str:
        """Takes over pretrained weights of the backbone, one of ``origins``, to be trained further,
        and settles it.

        weights: torchvision's state dict; None: the one that torchvision publishes. Raises
        ConfigError if that cannot be had, CheckpointError if the weights do not fit.
        """
        given = fetch_weights(imagenet_weights(self.config.backbone.depth)) if weights is None else weights
        fill(self.backbone, backbone_state(given), f"{origin} weights")
        self.settle()
        return f", which had been learnt with other {DIFFERENCES}"

    def settle(self) -> None:
        """Keeps what pretrained weights know: the first stage and all normalisation stay as they
        are in training too, as in the reference."""
        frozen = [
            self.backbone.conv1,
            self.backbone.layer1,
            *(module for module in self.modules() if isinstance(module, Norm)),
        ]
        for module in frozen:
            module.requires_grad_(False)
            if isinstance(module, Norm):
                module.settled = True

    def frozen_parts(self) -> Sequence[FrozenPart]:
        # Pixels are centred and have a root mean square of about 64.
        pictures, regions = picture_examples((161, 193), (97, 130), scale=64), region_examples(self.union_channels)
        return (
            FrozenPart("trunk", self.backbone, "trunk", pictures, (0, 2, 3), self._layout),
            FrozenPart("head", self.backbone, "head", regions, (0,), self._layout),
        )

    def describe(self) -> dict[str, Any]:
        return {
            "detector": self.architecture,
            **asdict(self.config.backbone),
            "anchor_scales": list(self.config.anchor_scales),
            "rpn_width": self.config.rpn_width,
            "proposals": asdict(self.config.proposals),
            "least_probability": LEAST_PROBABILITY,
            "overlap": OVERLAP,
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Any], classes: Sequence[str]) -> FasterRCNN:
        needed = [*(f.name for f in fields(BackboneConfig)), "anchor_scales", "rpn_width", "proposals"]
        lacking = [name for name in needed if name not in description]
        if lacking:
            raise CheckpointError(f"the description of a {cls.architecture} detector lacks {lacking[0]!r}.")
        return cls(as_type({**description, "backbone": description}, FasterRCNNConfig, "its description: "), classes)

    def canvas(self, images: Sequence[Image]) -> tuple[int, int]:
        return network_size(images, self.config.backbone.short_side)

    def encode(self, images: Sequence[Image], canvas: tuple[int, int]) -> FrameMaps:
        short_side, device = self.config.backbone.short_side, self.device
        sides = [scaled_size(image.shape[0], image.shape[1], short_side)[1::-1] for image in images]
        pixels = network_input(images, short_side, canvas, device)
        return self.encode_pixels(pixels, frame_scales(images, short_side).to(device), pixels.new_tensor(sides))

    def encode_pixels(self, pixels: Tensor, scale: Tensor, size: Tensor) -> FrameMaps:
        """Frames that are network input already: pixels (T, 3, H, W) as ``network_input`` makes
        them; scale (T,), size (T, 2)."""
        maps = self.backbone.trunk(pixels.contiguous(memory_format=self._layout)).contiguous()
        return FrameMaps(maps, scale, size, (pixels.shape[2], pixels.shape[3]))

    def pool(self, maps: FrameMaps, frame: Tensor, box: Tensor) -> Tensor:
        return self._pool(maps, frame, box * maps.scale[frame, None])

    def embed(self, pooled: Tensor) -> Tensor:
        return self.backbone.head(pooled.contiguous(memory_format=self._layout))

    def classify(self, feature: Tensor) -> Tensor:
        return nn.functional.pad(self.class_score(feature)[:, 1:].softmax(dim=1), (1, 0))

    def detect(self, maps: FrameMaps) -> Detections:
        score, offset = self.rpn(maps.maps)
        regions = self.rpn.propose(score, offset, self.rpn.anchors(maps.maps), maps.canvas, self.config.proposals)
        frames, proposals = regions.shape[:2]
        frame = torch.arange(frames, device=regions.device).repeat_interleave(proposals)
        # Features are those of the proposal, not of the box that it is moved to.
        feature = self.embed(self._pool(maps, frame, regions.flatten(0, 1)))
        probability, box = self.second_stage(feature, regions.flatten(0, 1))
        box = self._clip(box.view(frames, proposals, -1, 4), maps).flatten(0, 1)

        klass, row = (probability[:, 1:] > LEAST_PROBABILITY).T.nonzero(as_tuple=True)
        klass = klass + 1
        score = probability[row, klass]
        order = score.argsort(descending=True, stable=True)
        order = order[(frame[row] * len(self.classes) + klass)[order].argsort(stable=True)]
        klass, row, score = klass[order], row[order], score[order]
        box = box[row, klass]
        group = frame[row] * len(self.classes) + klass
        kept = nms_inclusive(box, score, group, OVERLAP)
        row = row[kept]
        distribution = self.classify(feature[row])
        return Detections(
            frame[row], box[kept].clamp(min=0), klass[kept], score[kept], distribution, feature=feature[row]
        )

    def second_stage(self, feature: Tensor, region: Tensor) -> tuple[Tensor, Tensor]:
        """Class probabilities (R, O), background included, and the box of every class (R, O, 4) of
        regions with their features.

        Regions (R, 4) and boxes are in network pixels; nothing is clipped.
        """
        offset = self.box_offset(feature).view(-1, len(self.classes), 4) * feature.new_tensor(OFFSET_SCALE)
        return self.class_score(feature).softmax(dim=1), decode_offsets(region[:, None].expand_as(offset), offset)

    def losses(self, images: Sequence[Image], boxes: Sequence[Tensor], classes: Sequence[Tensor]) -> dict[str, Tensor]:
        maps, lesson = self.encode(images, self.canvas(images)), self.config.lesson
        truth = Truth.of([box * scale for box, scale in zip(boxes, maps.scale, strict=True)], classes)
        score, offset = self.rpn(maps.maps)
        windows = self.rpn.anchors(maps.maps)
        regions = self.rpn.propose(score, offset, windows, maps.canvas, lesson.proposals)
        # The annotated boxes themselves are among the regions, or at first there would be no
        # objects to learn.
        first = self.rpn.losses(score, offset, windows, truth, maps.size, lesson.windows)
        return first | self._second_stage_losses(
            maps, torch.cat([regions, truth.box, truth.shaken(lesson.shaken)], dim=1), truth, lesson
        )

    def _second_stage_losses(self, maps: FrameMaps, regions: Tensor, truth: Truth, lesson: Lesson) -> dict[str, Tensor]:
        """regions (T, K, 4) in network pixels."""
        targets = region_targets(regions, truth).sample(lesson.regions, round(lesson.object_share * lesson.regions))
        target_box, target_class = truth.take(targets.match)
        chosen = targets.is_object | targets.is_background
        region = regions[chosen]
        feature = self.embed(self._pool(maps, chosen.nonzero()[:, 0], region))
        is_object = targets.is_object[chosen]
        klass = target_class[chosen] * is_object
        offset = self.box_offset(feature).view(len(region), len(self.classes), 4)[is_object, klass[is_object]]
        wanted = encode_offsets(region[is_object], target_box[chosen][is_object]) / offset.new_tensor(OFFSET_SCALE)
        return {
            "class": F.cross_entropy(self.class_score(feature), klass),
            "box": F.smooth_l1_loss(offset, wanted, reduction="sum") / len(region),
        }

    def _pool(self, maps: FrameMaps, frame: Tensor, region: Tensor) -> Tensor:
        """As ``pool``, but of regions (R, 4) in network pixels."""
        return pool_regions(maps.maps, torch.cat([frame[:, None], region], dim=1), self.config.backbone.stride)

    def _clip(self, box: Tensor, maps: FrameMaps) -> Tensor:
        """Boxes (T, K, O, 4) in network pixels, held within their frames and given in original
        pixels."""
        if self.reference_compat:
            canvas = maps.size.new_tensor([maps.canvas[1], maps.canvas[0]])
            box = torch.cat([clip_boxes(box[:1], canvas), box[1:]])
        else:
            box = clip_boxes(box, maps.size[:, None, None])
        return box / maps.scale[:, None, None, None]

    @torch.no_grad()
    def _start(self, random: torch.Generator) -> None:
        """Small random weights around zero for everything behind the backbone, as in the reference,
        from their own generator."""
        for layer, spread in (
            (self.rpn.conv, 0.01), (self.rpn.score, 0.01), (self.rpn.offset, 0.01), (self.class_score, 0.01), (self.box_offset, 0.001),
        ):  # fmt: skip
            layer.weight.copy_(spread * torch.randn(layer.weight.shape, generator=random))
            assert layer.bias is not None
            layer.bias.zero_()


def pool_regions(maps: Tensor, region: Tensor, stride: int = 16) -> Tensor:
    """RoIAlign in its first form: no half-pixel shift, as many samples per bin as it has cells,
    regions of at least one cell.

    maps: (T, C, h, w), a cell for every ``stride`` network pixels. region: (R, 5), frame and xyxy
    in network pixels. Returns (R, C, 7, 7).
    """
    return roi_align(maps, region, POOLED, 1 / stride)
