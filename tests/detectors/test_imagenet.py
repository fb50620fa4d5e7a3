"""torchvision's ImageNet weights in our ResNet: the same numbers from the same picture, as far as
the two agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision

from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.imagenet import backbone_state, is_imagenet
from vidsgg.detectors.preprocess import network_input
from vidsgg.detectors.resnet_c4 import BackboneConfig, Norm
from vidsgg.errors import CheckpointError

CLASSES = ("__background__", "person", "cup")


@pytest.fixture(scope="module")
def theirs() -> torchvision.models.ResNet:
    """torchvision's ResNet-18 with statistics such as training leaves."""
    torch.manual_seed(0)
    net = torchvision.models.resnet18(weights=None).eval()
    for norm in (module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        norm.weight.data.uniform_(0.5, 1.5)
        norm.bias.data.normal_()
    return net


@torch.no_grad()
def test_the_first_convolution_sees_the_same_colours(theirs: torchvision.models.ResNet) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 64, 64)), CLASSES).eval()
    detector.start_from("imagenet", theirs.state_dict())
    net = detector.backbone
    pixels = network_input([image], 64, (64, 96))
    ours = torch.nn.functional.conv2d(pixels, net.conv1.weight, None, 2, 3)
    norm = net.bn1
    ours = torch.nn.functional.batch_norm(
        ours, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0, norm.eps
    )
    mean, spread = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    rgb = ((torch.from_numpy(image) / 255 - mean) / spread).permute(2, 0, 1)[None]
    expected = theirs.bn1(theirs.conv1(rgb))
    torch.testing.assert_close(ours[:, :, 2:-2, 2:-2], expected[:, :, 2:-2, 2:-2], rtol=1e-4, atol=1e-4)
    # At the border the zeros around the picture are Caffe's mean colour here and ImageNet's there,
    # 0.9 grey levels apart.
    torch.testing.assert_close(ours, expected, rtol=0, atol=0.1)
    # Behind the pool, in which the two differ, all is the same again.
    maps = torch.rand(1, 64, 16, 24)
    torch.testing.assert_close(
        net.layer3(net.layer2(net.layer1(maps))),
        theirs.layer3(theirs.layer2(theirs.layer1(maps))),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("depth", [50, 101])
def test_the_names_are_those_of_deeper_networks_too(depth: int) -> None:
    with torch.device("meta"):
        theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    names = {
        name for name in theirs.state_dict() if not name.startswith("fc.") and not name.endswith("num_batches_tracked")
    }
    state = {name: torch.zeros(value.shape) for name, value in theirs.state_dict().items()}
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(depth, 64)), CLASSES)
    assert set(detector.backbone.state_dict()) == names
    detector.backbone.load_state_dict(backbone_state(state))


def test_what_was_learnt_there_is_settled(theirs: torchvision.models.ResNet) -> None:
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 64, 32)), CLASSES)
    assert detector.origins == ("imagenet",)
    assert all(parameter.requires_grad for parameter in detector.parameters())
    detector.start_from("imagenet", theirs.state_dict())
    norms = {name for name, module in detector.named_modules() if isinstance(module, Norm)}
    for name, parameter in detector.named_parameters():
        settled = name.rpartition(".")[0] in norms or name.startswith(("backbone.conv1", "backbone.layer1"))
        assert parameter.requires_grad != settled, name
    before = {name: value.clone() for name, value in detector.backbone.state_dict().items() if "running" in name}
    images = [np.full((32, 48, 3), 90, np.uint8)]
    losses = detector.train().losses(images, [torch.tensor([[4.0, 4, 20, 20]])], [torch.tensor([2])])
    torch.stack(list(losses.values())).sum().backward()
    assert detector.backbone.layer4[0].conv1.weight.grad is not None
    assert all(torch.equal(detector.backbone.state_dict()[name], value) for name, value in before.items())


def test_weights_of_another_network_do_not_fit(theirs: torchvision.models.ResNet) -> None:
    assert is_imagenet(theirs.state_dict())
    assert not is_imagenet(FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 4)), CLASSES).state_dict())
    narrow = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 32)), CLASSES)
    assert narrow.origins == ()
    with pytest.raises(CheckpointError, match="imagenet weights: the weights do not fit"):
        narrow.start_from("imagenet", theirs.state_dict())
