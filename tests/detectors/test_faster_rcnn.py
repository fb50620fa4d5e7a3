"""The whole detector against numbers recorded from the authors' implementation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden.deterministic import read_case, read_json
from golden.fasterrcnn_ag.inputs import make_decode, make_image, sample_index

from vidsgg.detectors.anchors import clip_boxes, decode_offsets, encode_offsets
from vidsgg.detectors.base import FrameMaps
from vidsgg.detectors.faster_rcnn import DETECTORS, QUICK, REFERENCE, FasterRCNN, FasterRCNNConfig, pool_regions
from vidsgg.detectors.resnet_c4 import BackboneConfig

CASES = read_json("fasterrcnn_ag", "cases.json")
TOLERANCE = {"rtol": 1e-4, "atol": 2e-4}
TINY = FasterRCNNConfig(BackboneConfig(18, 8, 64), (1, 2, 4, 8), 16)
CLASSES = ("__background__", "person", "cup", "chair")


def cases(kind: str) -> list[str]:
    return [case["id"] for case in CASES if case["kind"] == kind]


def sampled(values: torch.Tensor, count: int = 2000) -> np.ndarray:
    return values.flatten()[sample_index(values.numel(), count)].numpy()


@pytest.mark.parametrize("case", cases("decode"))
def test_boxes_are_decoded_and_clipped_as_in_the_reference(case: str) -> None:
    config, recorded = read_case("fasterrcnn_ag", case)
    boxes, deltas, info = map(torch.from_numpy, make_decode(config))
    offset = deltas.view(1, config["n"], config["classes"], 4)
    decoded = decode_offsets(boxes[:, :, None].expand_as(offset), offset)
    np.testing.assert_allclose(decoded.flatten(2).numpy(), recorded["decoded"], rtol=1e-5, atol=1e-4)
    clipped = clip_boxes(decoded, info[0, [1, 0]])
    np.testing.assert_allclose(clipped.flatten(2).numpy(), recorded["clipped"], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("case", cases("full"))
@torch.no_grad()
def test_proposals_and_second_stage_equal_the_reference(case: str, published: FasterRCNN) -> None:
    config, recorded = read_case("fasterrcnn_ag", case)
    given = make_image(config)
    pixels = torch.from_numpy(given["im_data"])
    info = torch.from_numpy(given["im_info"])
    maps = published.encode_pixels(pixels, info[:, 2], info[:, [1, 0]])
    score, offset = published.rpn(maps.maps)
    frames, _, h, w = maps.maps.shape
    anchors = len(published.rpn.cell)
    probability = (
        score.softmax(2).view(frames, h, w, anchors, 2).permute(0, 4, 3, 1, 2).reshape(frames, 2 * anchors, h, w)
    )
    np.testing.assert_allclose(sampled(probability), recorded["rpn_prob_sampled"], **TOLERANCE)
    channels = offset.view(frames, h, w, 4 * anchors).permute(0, 3, 1, 2)
    np.testing.assert_allclose(sampled(channels), recorded["rpn_bbox_sampled"], **TOLERANCE)
    np.testing.assert_array_equal(published.rpn.cell.numpy(), recorded["anchors"])

    regions = published.rpn.propose(score, offset, published.rpn.anchors(maps.maps), maps.canvas)
    frame = torch.arange(frames)[:, None, None].expand(-1, regions.shape[1], 1)
    np.testing.assert_allclose(torch.cat([frame, regions], 2).numpy(), recorded["rois"], rtol=1e-4, atol=2e-3)
    feature = published.embed(pool_regions(maps.maps, torch.cat([frame, regions], 2).flatten(0, 1)))
    np.testing.assert_allclose(sampled(feature), recorded["features_sampled"], **TOLERANCE)
    found, _ = published.second_stage(feature, regions.flatten(0, 1))
    np.testing.assert_allclose(
        found.view(frames, -1, found.shape[1]).numpy(), recorded["cls_prob"], rtol=1e-3, atol=2e-4
    )
    np.testing.assert_allclose(sampled(published.box_offset(feature)), recorded["bbox_pred_sampled"], **TOLERANCE)


def test_offsets_say_how_to_get_from_one_box_to_another() -> None:
    box, target = torch.tensor([[10.0, 20, 50, 60], [0, 0, 9, 9]]), torch.tensor([[12.0, 18, 70, 90], [0, 0, 9, 9]])
    torch.testing.assert_close(decode_offsets(box, encode_offsets(box, target)), target)


def test_random_weights_depend_on_the_seed_alone() -> None:
    before = torch.get_rng_state()
    first, again = FasterRCNN(TINY, CLASSES).state_dict(), FasterRCNN(TINY, CLASSES).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)


@torch.no_grad()
def everything_is_a_cup(compat: bool) -> tuple[FasterRCNN, FrameMaps]:
    """A detector that calls every proposal a cup and makes it three times as wide and high."""
    detector = FasterRCNN(TINY, CLASSES, reference_compat=compat).eval()
    detector.class_score.bias.copy_(torch.tensor([0.0, 0.0, 9.0, 0.0]))
    detector.box_offset.bias.view(4, 4)[:, 2:] = torch.tensor(3.0).log() / 0.2
    pixels = 64 * torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    size = torch.tensor([[96.0, 64], [96, 64], [80, 64]])
    return detector, detector.encode_pixels(pixels, torch.tensor([0.5, 0.5, 0.5]), size)


@torch.no_grad()
def test_boxes_stay_within_their_own_frame() -> None:
    detector, maps = everything_is_a_cup(compat=False)
    found = detector.detect(maps)
    limit = (maps.size - 1) / 0.5
    assert set(found.frame.tolist()) == {0, 1, 2}
    assert (found.box >= 0).all()
    assert (found.box[:, 2:] <= limit[found.frame]).all()
    assert (found.box[:, 2] == limit[found.frame, 0]).any()  # some would have reached further


@torch.no_grad()
def test_the_reference_clips_the_first_of_the_frames_only() -> None:
    detector, maps = everything_is_a_cup(compat=True)
    found = detector.detect(maps)
    beyond = (found.box[:, 2] > 190) | (found.box[:, 3] > 126)
    assert (found.box >= 0).all()
    assert not beyond[found.frame == 0].any()
    assert beyond[found.frame == 1].any()


@torch.no_grad()
def test_detections_are_ordered_and_a_frame_has_one_person() -> None:
    detector, maps = everything_is_a_cup(compat=False)
    detector.class_score.bias.copy_(torch.tensor([0.0, 5.0, 5.0, 0.0]))
    found = detector.detect(maps).once([1])
    key = list(zip(found.frame.tolist(), found.klass.tolist(), (-found.score).tolist(), strict=True))
    assert key == sorted(key)
    assert [(found.frame == t)[found.klass == 1].sum().item() for t in range(3)] == [1, 1, 1]
    several = detector.detect(maps)
    for t in range(3):  # the one that stays is the best
        assert (
            found.score[(found.frame == t) & (found.klass == 1)]
            == several.score[(several.frame == t) & (several.klass == 1)].max()
        )
    assert (several.klass == 1).sum() > 3
    assert (found.klass == 2).sum() > 3
    torch.testing.assert_close(found.distribution.sum(1), torch.ones(len(found.frame)))
    assert (found.distribution[:, 0] == 0).all()
    torch.testing.assert_close(found.distribution, detector.classify(found.feature))


@torch.no_grad()
def test_nothing_above_the_least_probability_is_an_empty_result() -> None:
    detector, maps = everything_is_a_cup(compat=False)
    detector.class_score.bias.copy_(torch.tensor([9.0, 0.0, 0.0, 0.0]))
    found = detector.detect(maps)
    assert found.box.shape == (0, 4)
    assert found.feature.shape == (0, detector.node_width)
    assert found.distribution.shape == (0, 4)


def test_presets():
    """Widths and windows that files of features and of weights rely on."""
    published = DETECTORS["c4-resnet101"]
    assert (published.backbone, published.anchor_scales, published.rpn_width) == (
        BackboneConfig(101, 64, 600),
        (4, 8, 16, 32),
        512,
    )
    assert published.lesson == REFERENCE
    small = FasterRCNN(DETECTORS["c4-small"], CLASSES)
    assert (small.union_channels, small.node_width, small.config.lesson) == (128, 256, QUICK)
    windows = small.rpn.cell[:, 2:] - small.rpn.cell[:, :2] + 1
    assert windows[5:10, 0].tolist() == [20, 32, 52, 84, 136]


def test_maps_of_half_the_stride_have_twice_as_many_cells():
    pixels = torch.zeros(1, 3, 64, 96)
    shapes = {}
    for stride in (8, 16):
        config = FasterRCNNConfig(BackboneConfig(10, 4, 64, stride=stride), (1, 2), 8)
        detector = FasterRCNN(config, CLASSES).eval()
        maps = detector.encode_pixels(pixels, torch.ones(1), torch.tensor([[96.0, 64]]))
        centre = detector.rpn.anchors(maps.maps).view(-1, 6, 4)[:, 2, :2]
        shapes[stride] = (tuple(maps.maps.shape[2:]), (centre[1] - centre[0]).tolist())
    assert shapes == {8: ((8, 12), [8, 0]), 16: ((4, 6), [16, 0])}
