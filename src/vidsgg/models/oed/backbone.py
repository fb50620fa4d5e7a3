"""What reads OED's pictures: a ResNet, or the trunk of the field's detector."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from torch import Tensor, nn
from torchvision.models import resnet
from torchvision.ops import FrozenBatchNorm2d

from vidsgg.detectors.faster_rcnn import DETECTORS, memory_layout
from vidsgg.detectors.preprocess import PIXEL_MEANS
from vidsgg.detectors.resnet_c4 import STAGES, BackboneConfig, Norm, ResNetC4
from vidsgg.errors import ConfigError
from vidsgg.models.configs import OedConfig
from vidsgg.models.oed.pictures import MEAN, STD

STEM = ("conv1", "bn1", "layer1")  # parts that pretrained weights keep


class OedBackbone(nn.Module):
    """From normalised pictures (F, 3, H, W) to feature maps (F, channels, h, w).

    body: its layers, under torchvision's names of a ResNet's. Batch norms do not learn.
    """

    body: nn.Module
    channels: int

    def keep_stem(self, kept: bool) -> None:
        """Whether the first stages stay as they are in training."""
        for name in STEM:
            getattr(self.body, name).requires_grad_(not kept)


class ResNetBackbone(OedBackbone):
    """The last stage of a ResNet (He et al., CVPR 2016): a cell has 32 x 32 pixels."""

    body: resnet.ResNet

    def __init__(self, name: str) -> None:
        super().__init__()
        body = getattr(resnet, name)(weights=None, norm_layer=FrozenBatchNorm2d)
        self.channels = cast(int, body.fc.in_features)
        del body.fc, body.avgpool
        self.body = body

    def forward(self, pictures: Tensor) -> Tensor:
        body = self.body
        x = body.maxpool(body.relu(body.bn1(body.conv1(pictures))))
        features: Tensor = body.layer4(body.layer3(body.layer2(body.layer1(x))))
        return features


class TrunkBackbone(OedBackbone):
    """The trunk of a c4 detector, that is the first three stages of a ResNet. The detector's input
    is B, G, R from 0 to 255, centred."""

    body: ResNetC4

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.body = ResNetC4(config)
        del self.body.layer4
        self.config, self.channels = config, self.body.trunk_channels
        self._layout = memory_layout(config.base_width)
        for norm in self._norms():
            norm.settled = True
            norm.requires_grad_(False)

    def forward(self, pictures: Tensor) -> Tensor:
        mean, spread, centre = (pictures.new_tensor(values)[:, None, None] for values in (MEAN, STD, PIXEL_MEANS[::-1]))
        pixels = (255 * (pictures * spread + mean) - centre).flip(1)
        return self.body.trunk(pixels.contiguous(memory_format=self._layout)).contiguous()

    def keep_stem(self, kept: bool) -> None:
        super().keep_stem(kept)
        for norm in self._norms():
            norm.requires_grad_(False)

    def _norms(self) -> list[Norm]:
        return [module for module in self.body.modules() if isinstance(module, Norm)]


def backbone_of(config: OedConfig) -> OedBackbone:
    """Raises ConfigError if sizes are given for a backbone whose size is fixed, or a depth that no ResNet has."""
    sizes = {name: value for name in ("depth", "base_width") if (value := getattr(config, name)) is not None}
    if config.depth is not None and config.depth not in STAGES:
        raise ConfigError(f"option -depth: {config.depth}; use one of {', '.join(map(str, STAGES))}.")
    if config.backbone in DETECTORS:
        return TrunkBackbone(replace(DETECTORS[config.backbone].backbone, **sizes))
    if sizes:
        raise ConfigError(
            f"option -{next(iter(sizes))}: the size of -backbone {config.backbone} is fixed; leave it out, or use"
            f" -backbone {' or '.join(sorted(DETECTORS))}."
        )
    return ResNetBackbone(config.backbone)


def trunk_options(config: BackboneConfig) -> dict[str, str | int]:
    """The options with which ``backbone_of`` gives the trunk of a detector."""
    name = next(name for name, known in DETECTORS.items() if known.backbone.stride == config.stride)
    return {"backbone": name, "depth": config.depth, "base_width": config.base_width}
