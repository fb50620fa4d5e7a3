"""torchvision's ImageNet weights as a start for the ResNet of the C4 detector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from vidsgg.detectors.preprocess import PIXEL_MEANS

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

DEPTHS = (18, 50, 101)  # of torchvision's ResNets with weights that fit
BASE_WIDTH = 64  # channels of their first stage
# Of torchvision's input: R, G, B from 0 to 1.
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# What remains different, for the log.
DIFFERENCES = "strides (in the second convolution of a block, here in the first) and padding of the max pool"


def imagenet_weights(depth: int) -> WeightsEnum:
    """torchvision's weights of the ResNet of a depth, one of ``DEPTHS``."""
    from torchvision.models import ResNet18_Weights, ResNet50_Weights, ResNet101_Weights

    kinds = dict(zip(DEPTHS, (ResNet18_Weights, ResNet50_Weights, ResNet101_Weights), strict=True))
    return kinds[depth].IMAGENET1K_V1


def backbone_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of torchvision's ResNet as one of ``ResNetC4``, without classifier and counters.

    The entries have the same names, but the input differs: torchvision reads R, G, B from 0 to 1,
    centred and divided by a spread, the detector B, G, R from 0 to 255, centred by Caffe's means.
    The difference goes into the first convolution and the mean of its normalisation, which makes
    the two equal except at the border, where the zeros around a picture stand for slightly
    different colours.
    """
    ours = {
        name: value
        for name, value in state.items()
        if not name.startswith("fc.") and not name.endswith("num_batches_tracked")
    }
    kernel = ours["conv1.weight"].flip(1)  # now B, G, R
    mean, spread, centre = (
        kernel.new_tensor(values)[None, :, None, None] for values in (MEAN[::-1], SPREAD[::-1], PIXEL_MEANS)
    )
    # What torchvision's input is where ours is 0.
    offset = (centre / 255 - mean) / spread
    ours["conv1.weight"] = kernel / (255 * spread)
    ours["bn1.running_mean"] = ours["bn1.running_mean"] - (kernel * offset).sum(dim=(1, 2, 3))
    return ours


def is_imagenet(state: Mapping[str, object]) -> bool:
    """Whether these are the names of torchvision's ResNet."""
    return {"conv1.weight", "bn1.running_mean", "layer4.0.conv1.weight", "fc.weight"} <= set(state)
