import numpy as np
import pytest
import torch
from golden.deterministic import read_case, read_json
from golden.fasterrcnn_ag.inputs import make_image, sample_index

from vidsgg.detectors.faster_rcnn import pool_regions
from vidsgg.detectors.resnet_c4 import BackboneConfig, Norm, ResNetC4
from vidsgg.errors import ConfigError


@pytest.mark.parametrize("case", [c["id"] for c in read_json("fasterrcnn_ag", "cases.json") if c["kind"] == "backbone"])
def test_equals_the_reference_at_every_stage(case, published):
    config, recorded = read_case("fasterrcnn_ag", case)
    given = make_image(config)
    tolerance = {"rtol": 1e-4, "atol": 2e-4 * config.get("amp", 1)}
    net = published.backbone
    stages = []
    hooks = [
        stage.register_forward_hook(lambda *args: stages.append(args[2]))
        for stage in (net.layer1, net.layer2, net.layer3)
    ]
    with torch.no_grad():
        maps = net.trunk(torch.from_numpy(given["im_data"])).contiguous()
        pooled = pool_regions(maps, torch.from_numpy(given["rois"]))
        features = net.head(pooled)
    for hook in hooks:
        hook.remove()
    for stage, shape, stats in zip(stages, recorded["stage_shapes"][2:], recorded["stage_stats"][2:], strict=True):
        assert list(stage.shape) == shape.tolist()
        np.testing.assert_allclose(
            [stage.mean(), stage.std(correction=0), stage.min(), stage.max()], stats, **tolerance
        )
    for name, ours, count in (("base_sampled", maps, 4000), ("pooled_sampled", pooled, 2000)):
        np.testing.assert_allclose(
            ours.flatten()[sample_index(ours.numel(), count)].numpy(), recorded[name], **tolerance
        )
    np.testing.assert_allclose(features.numpy(), recorded["roi_features"], **tolerance)


@pytest.mark.parametrize(("depth", "expansion"), [(18, 1), (50, 4), (101, 4)])
def test_shapes_follow_the_config(depth, expansion):
    net = ResNetC4(BackboneConfig(depth=depth, base_width=4)).eval()
    assert (net.trunk_channels, net.head_channels) == (16 * expansion, 32 * expansion)
    with torch.no_grad():
        maps = net.trunk(torch.randn(2, 3, 65, 96))
        assert maps.shape == (2, net.trunk_channels, 4, 6)
        assert net.head(torch.randn(3, net.trunk_channels, 7, 7)).shape == (3, net.head_channels)
        assert net.head(torch.randn(0, net.trunk_channels, 7, 7)).shape == (0, net.head_channels)


def test_a_random_start_is_a_function_of_its_seed_alone():
    before = torch.get_rng_state()
    first, again, other = (ResNetC4(BackboneConfig(18, 4, seed=seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["layer4.0.conv1.weight"], other["layer4.0.conv1.weight"])


@pytest.mark.parametrize(
    "config", [BackboneConfig(18, 16), BackboneConfig(50, 8), BackboneConfig(101, 8)], ids=lambda c: f"ResNet-{c.depth}"
)
def test_a_random_start_neither_vanishes_nor_explodes_nor_forgets(config):
    """On smooth pictures of pixel amplitude: root mean square near 1 at every stage, and regions
    stay apart in direction."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.nn.functional.interpolate(
        64 * torch.randn(6, 3, 12, 16, generator=random), (96, 128), mode="bilinear"
    )
    net = ResNetC4(config).eval()
    with torch.no_grad():
        x = net.layer1(torch.nn.functional.max_pool2d(net.conv1(pixels).relu(), 3, 2, ceil_mode=True))
        stages = [x, net.layer2(x), net.layer3(net.layer2(x))]
        torch.testing.assert_close(stages[-1], net.trunk(pixels), rtol=1e-3, atol=1e-3)
        features = net.head(stages[-1][:, :, :, 1:])
    for stage in (*stages, features):
        assert 0.2 < stage.square().mean().sqrt() < 5
    cosine = torch.nn.functional.cosine_similarity(features[:, None], features[None], dim=2)
    assert (cosine - torch.eye(6)).max() < 0.99


@pytest.mark.parametrize(("field", "value"), [("depth", 34), ("base_width", 0), ("short_side", -1)])
def test_impossible_configs_are_refused(field, value):
    with pytest.raises(ConfigError, match=f"{field} is {value}"):
        BackboneConfig(**{field: value})


def test_normalisation_is_that_of_the_batch_in_training_unless_it_is_settled():
    pixels = 30 + 64 * torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    net = ResNetC4(BackboneConfig(18, 8))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    maps = net.eval().trunk(pixels)
    for norm in (module for module in net.modules() if isinstance(module, Norm)):
        norm.settled = True
    torch.testing.assert_close(net.train().trunk(pixels), maps)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    for norm in (module for module in net.modules() if isinstance(module, Norm)):
        norm.settled = False
    for _ in range(100):
        in_training = net.trunk(pixels)
    assert not torch.allclose(in_training, maps, rtol=0.1, atol=0.1)
    # the stored statistics have arrived
    torch.testing.assert_close(net.eval().trunk(pixels), in_training, rtol=0.02, atol=0.02)
