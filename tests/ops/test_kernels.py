from __future__ import annotations

import pytest
import torch
import torchvision.ops

from vidsgg.ops import kernels

MAPS = torch.rand(2, 3, 12, 16, generator=torch.Generator().manual_seed(0))
REGIONS = torch.tensor([[0.0, 3, 5, 90, 70], [1, 0, 0, 255, 191], [1, 40, 40, 41, 40]])
BOX = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60], [0, 0, 9, 10]])
SCORE = torch.tensor([0.5, 0.9, 0.1, 0.8])


@pytest.fixture(params=[True, False], ids=["the library alone", "the package"])
def loaded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        assert kernels._loaded()
    else:
        monkeypatch.setattr(kernels, "_loaded", lambda: False)


@pytest.mark.usefixtures("loaded")
def test_operators_are_those_of_torchvision() -> None:
    pooled = kernels.roi_align(MAPS, REGIONS, 7, 1 / 16)
    assert torch.equal(pooled, torchvision.ops.roi_align(MAPS, REGIONS, (7, 7), 1 / 16))
    assert torch.equal(kernels.nms(BOX, SCORE, 0.5), torchvision.ops.nms(BOX, SCORE, 0.5))


def test_gradients_go_through() -> None:
    ours, theirs = MAPS.clone().requires_grad_(), MAPS.clone().requires_grad_()
    kernels.roi_align(ours, REGIONS, 7, 1 / 16).sum().backward()
    torchvision.ops.roi_align(theirs, REGIONS, (7, 7), 1 / 16).sum().backward()
    assert ours.grad is not None and ours.grad.abs().sum() > 0 and torch.equal(ours.grad, theirs.grad)


def test_half_precision_maps_are_pooled_under_autocast() -> None:
    """The library alone refuses maps and regions of two types."""
    with torch.autocast("cpu", torch.bfloat16):
        pooled = kernels.roi_align(MAPS.bfloat16(), REGIONS, 7, 1 / 16)
    assert pooled.dtype == torch.bfloat16
    torch.testing.assert_close(pooled.float(), kernels.roi_align(MAPS, REGIONS, 7, 1 / 16), rtol=0.02, atol=0.01)


def test_shapes_are_known_without_values() -> None:
    assert kernels.roi_align(MAPS.to("meta"), REGIONS.to("meta"), 7, 1 / 16).shape == (3, 3, 7, 7)
