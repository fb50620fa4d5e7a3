import numpy as np
import pytest
import torch
from golden.deterministic import read_case, read_json
from golden.fasterrcnn_ag.inputs import make_frames, sample_index

from vidsgg.detectors.preprocess import PIXEL_MEANS, frame_scales, network_input, network_size, scaled_size


def bilinear(image, scale, size):
    """Half-pixel centres, exact scale, replicated borders, in double precision: (H, W, 3) to
    (*size, 3)."""

    def weights(count, length):
        source = np.clip((np.arange(count) + 0.5) / scale - 0.5, 0, length - 1)
        low = np.floor(source).astype(int)
        return low, np.minimum(low + 1, length - 1), source - low

    y0, y1, fy = weights(size[0], image.shape[0])
    x0, x1, fx = weights(size[1], image.shape[1])
    rows = image[y0] * (1 - fy)[:, None, None] + image[y1] * fy[:, None, None]
    return rows[:, x0] * (1 - fx)[None, :, None] + rows[:, x1] * fx[None, :, None]


@pytest.mark.parametrize("case", [c["id"] for c in read_json("fasterrcnn_ag", "cases.json") if c["kind"] == "prep"])
def test_equals_the_reference(case):
    config, recorded = read_case("fasterrcnn_ag", case)
    frames = make_frames(config)
    pixels = network_input(frames, 600, network_size(frames, 600))
    assert list(pixels.shape) == recorded["im_data_shape"].tolist()
    np.testing.assert_allclose(frame_scales(frames, 600).numpy(), recorded["scales"], rtol=1e-7)
    np.testing.assert_allclose(
        recorded["im_info"], [[*network_size(frames, 600), frame_scales(frames, 600)[0]]] * len(frames), rtol=1e-7
    )
    np.testing.assert_allclose(
        pixels.flatten()[sample_index(pixels.numel(), 4000)].numpy(), recorded["sampled"], atol=4e-5
    )
    stats = [pixels.mean(), pixels.std(correction=0), pixels.min(), pixels.max()]
    np.testing.assert_allclose(stats, recorded["stats"], rtol=1e-4)


@pytest.mark.parametrize(
    "size", [(90, 60), (41, 120), (70, 90), (30, 31)], ids=["portrait", "wide, no cap", "shrinking", "growing"]
)
def test_equals_the_formula(size):
    """Reversed channels, means, exact scale; also when shrinking, where nothing is smoothed."""
    image = np.random.RandomState(0).randint(0, 256, (*size, 3)).astype(np.uint8)
    height, width, scale = scaled_size(*size, 50)
    assert min(height, width) == 50
    pixels = network_input([image], 50, (height, width))[0].permute(1, 2, 0)
    expected = bilinear(image[:, :, ::-1].astype(np.float64) - PIXEL_MEANS, scale, (height, width))
    np.testing.assert_allclose(pixels.numpy(), expected, atol=2e-5)


def test_sizes_are_rounded_not_floored():
    assert scaled_size(270, 480, 600) == (600, 1067, 600 / 270)


def test_frames_of_several_sizes_share_a_canvas():
    rs = np.random.RandomState(1)
    images = [rs.randint(0, 256, (*size, 3)).astype(np.uint8) for size in [(40, 60), (60, 40), (40, 60)]]
    size = network_size(images, 20)
    assert size == (30, 30)
    together = network_input(images, 20, size)
    for i, (height, width) in enumerate([(20, 30), (30, 20), (20, 30)]):
        alone = network_input(images[i : i + 1], 20, (height, width))[0]
        torch.testing.assert_close(together[i, :, :height, :width], alone)
        assert not together[i, :, height:].any() and not together[i, :, :, width:].any()
