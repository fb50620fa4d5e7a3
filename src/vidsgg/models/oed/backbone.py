"""The ResNet that reads OED's pictures."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torchvision.models import resnet
from torchvision.ops import FrozenBatchNorm2d

STRIDE = 32
FROZEN = ("conv1", "bn1", "layer1")  # parts that pretrained weights keep


class OedBackbone(nn.Module):
    """The last stage of a ResNet (He et al., CVPR 2016), with batch norms that do not learn."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.body = getattr(resnet, name)(weights=None, norm_layer=FrozenBatchNorm2d)
        self.channels = cast(int, self.body.fc.in_features)
        del self.body.fc, self.body.avgpool

    def forward(self, pictures: Tensor) -> Tensor:
        """(F, 3, H, W) normalised pictures to (F, channels, ceil(H / 32), ceil(W / 32))."""
        body = self.body
        x = body.maxpool(body.relu(body.bn1(body.conv1(pictures))))
        features: Tensor = body.layer4(body.layer3(body.layer2(body.layer1(x))))
        return features

    def keep_stem(self, kept: bool) -> None:
        """Whether the first stages stay as they are in training."""
        for name in FROZEN:
            getattr(self.body, name).requires_grad_(not kept)
