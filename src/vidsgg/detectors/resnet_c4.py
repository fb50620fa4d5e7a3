"""ResNet as the two-stage detectors of 2017 cut it: a trunk for the frame, the last stage as head
for every box.

Letters: T frames, R regions, C channels of the trunk, D width of the head. Source: yrcong/STTran
``fasterRCNN``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from vidsgg.errors import ConfigError
from vidsgg.ops.undrawn import blank, draws

# Blocks per stage, and whether they are bottlenecks (He et al. 2016, table 1).
STAGES = {10: ((1, 1, 1, 1), False), 18: ((2, 2, 2, 2), False), 50: ((3, 4, 6, 3), True), 101: ((3, 4, 23, 3), True)}

# Of max(0, x) for a standard normal x: second moment 1/2 minus squared mean 1/(2 pi).
RELU_VARIANCE = 0.5 - 0.5 / math.pi


@dataclass(frozen=True)
class BackboneConfig:
    """What decides the features of a frame, apart from loaded weights.

    depth: 10, 18, 50 or 101 layers. base_width: channels of the first stage; all others follow.
    short_side: length in pixels to which the shorter side of a frame is scaled. seed: of the random
    start. stride: network pixels for a cell of the trunk's maps, 16 or 8, for objects that are
    small in network pixels; the third stage then keeps the size of its maps.
    """

    depth: Annotated[int, Meta(ge=1, le=1000)] = 101
    base_width: Annotated[int, Meta(ge=1, le=4096)] = 64
    short_side: Annotated[int, Meta(ge=32, le=4096)] = 600
    seed: Annotated[int, Meta(ge=0, le=2**62)] = 0
    stride: Annotated[int, Meta(ge=8, le=16)] = 16

    def __post_init__(self) -> None:
        if self.depth not in STAGES:
            raise ConfigError(f"backbone: depth is {self.depth}; use one of {', '.join(map(str, STAGES))}.")
        if self.stride not in (8, 16):
            raise ConfigError(f"backbone: stride is {self.stride}; use 8 or 16.")
        for name in ("base_width", "short_side"):
            if getattr(self, name) < 1:
                raise ConfigError(f"backbone: {name} is {getattr(self, name)}; it must be positive.")

    @property
    def widths(self) -> list[int]:
        """Channels within the blocks of the four stages."""
        return [self.base_width * 2**stage for stage in range(4)]

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the trunk's maps and of the head's features."""
        expansion = (Bottleneck if STAGES[self.depth][1] else BasicBlock).expansion
        return self.widths[2] * expansion, self.widths[3] * expansion


class Norm(nn.Module):
    """Batch normalisation: torch.nn.BatchNorm2d without its counter.

    settled: keeps to its stored statistics in training mode too, as the reference does with what it
    took from ImageNet.
    """

    running_mean: Tensor
    running_var: Tensor
    eps, momentum = 1e-5, 0.1

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.settled = False


class ResNetC4(nn.Module):
    """Trunk (stages 1 to 3) and head (stage 4).

    Starts from random weights that are a function of ``config`` alone and leaves the global random
    state untouched.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        blocks, bottleneck = STAGES[config.depth]
        block = Bottleneck if bottleneck else BasicBlock
        widths = config.widths
        self.conv1 = _conv(3, config.base_width, 7, stride=2)
        self.bn1 = Norm(config.base_width)
        channels = config.base_width
        stages = []
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            inputs = [channels] + [width * block.expansion] * (count - 1)
            halves = stage > 0 and not (stage == 2 and config.stride == 8)
            strides = [2 if halves else 1] + [1] * (count - 1)
            stages.append(nn.Sequential(*(block(i, width, s) for i, s in zip(inputs, strides, strict=True))))
            channels = width * block.expansion
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.trunk_channels, self.head_channels = config.channels
        if draws():
            self._start(torch.Generator().manual_seed(config.seed))

    def trunk(self, pixels: Tensor) -> Tensor:
        """Network input (T, 3, H, W) to maps (T, C, ~H/stride, ~W/stride), C =
        ``trunk_channels``."""
        x = F.relu(_convolve(pixels, self.conv1, self.bn1), inplace=True)
        x = F.max_pool2d(x, kernel_size=3, stride=2, padding=0, ceil_mode=True)
        maps: Tensor = self.layer3(self.layer2(self.layer1(x)))
        return maps

    def head(self, pooled: Tensor) -> Tensor:
        """Regions pooled from the trunk's maps, (R, C, 7, 7), to features (R, D), D =
        ``head_channels``."""
        feature: Tensor = self.layer4(pooled).mean(dim=(2, 3))
        return feature

    @torch.no_grad()
    def _start(self, random: torch.Generator) -> None:
        """Random weights under which activations keep a root mean square near 1 and different
        inputs stay different.

        He et al.'s start alone does neither here, without batch statistics: each block adds its
        variance to the stream, 2^33 times in ResNet-101, and since ReLU outputs are positive, all
        features drift towards their common mean. So each branch is scaled by 1 / sqrt(number of
        blocks), which bounds the growth of the variance by e, and kernels sum to zero, which
        removes the mean.
        """
        blocks = [module for module in self.modules() if isinstance(module, BasicBlock | Bottleneck)]
        last = {id(block.last_norm) for block in blocks}
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_in = module.weight[0].numel()
                weight = torch.randn(module.weight.shape, generator=random)
                if module is self.conv1:  # pixels are centred and have a root mean square of about 64
                    module.weight.copy_(weight / (64 * math.sqrt(fan_in)))
                else:
                    module.weight.copy_(
                        (weight - weight.mean(dim=(1, 2, 3), keepdim=True)) / math.sqrt(fan_in * RELU_VARIANCE)
                    )
            elif isinstance(module, Norm) and id(module) in last:
                module.weight.fill_(1 / math.sqrt(len(blocks)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions around a shortcut. Caffe's form: the stride is in the first, not
    in the 3x3 as in torchvision."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1, self.bn1 = _conv(inputs, width, 1, stride), Norm(width)
        self.conv2, self.bn2 = _conv(width, width, 3), Norm(width)
        self.conv3, self.bn3 = _conv(width, outputs, 1), Norm(outputs)
        self.downsample = _projection(inputs, outputs, stride)

    @property
    def last_norm(self) -> Norm:
        return self.bn3

    def forward(self, x: Tensor) -> Tensor:
        branch = F.relu(_convolve(x, self.conv1, self.bn1), inplace=True)
        branch = F.relu(_convolve(branch, self.conv2, self.bn2), inplace=True)
        branch = _convolve(branch, self.conv3, self.bn3)
        return F.relu(branch + _shortcut(x, self.downsample), inplace=True)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut, for small networks."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(inputs, width, 3, stride), Norm(width)
        self.conv2, self.bn2 = _conv(width, width, 3), Norm(width)
        self.downsample = _projection(inputs, width, stride)

    @property
    def last_norm(self) -> Norm:
        return self.bn2

    def forward(self, x: Tensor) -> Tensor:
        branch = F.relu(_convolve(x, self.conv1, self.bn1), inplace=True)
        branch = _convolve(branch, self.conv2, self.bn2)
        return F.relu(branch + _shortcut(x, self.downsample), inplace=True)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    # Without torch's own random start, which would draw from the global generator.
    return blank(nn.Conv2d, inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(_conv(inputs, outputs, 1, stride), Norm(outputs))


def _convolve(x: Tensor, conv: nn.Conv2d, norm: Norm) -> Tensor:
    """Convolution and normalisation. Stored statistics are folded into the kernel, which saves
    passes over the maps."""
    if norm.training and not norm.settled:
        x = F.conv2d(x, conv.weight, None, conv.stride, conv.padding)
        return F.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, True, norm.momentum, norm.eps
        )
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return F.conv2d(
        x, conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale, conv.stride, conv.padding
    )


def _shortcut(x: Tensor, downsample: nn.Sequential | None) -> Tensor:
    if downsample is None:
        return x
    conv, norm = downsample
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, Norm)
    return _convolve(x, conv, norm)
