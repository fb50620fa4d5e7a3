"""What the rest of the package relies on in every detector (detectors/base.py). Whoever adds one
puts it into the list."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vidsgg.detectors.base import SCORE_FLOOR, FrameMaps, RegionDetector
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import load_detector, save_detector
from vidsgg.detectors.registry import ARCHITECTURES
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.detectors.torchvision_fpn import FPNConfig, TorchvisionFPN
from vidsgg.errors import CheckpointError

CLASSES = ("__background__", "person", "cup/glass/bottle", "chair", "pillow")
SMALL = FPNConfig(
    min_size=64, max_size=110, rpn_post_nms_top_n_test=20, box_detections_per_img=10, box_batch_size_per_image=16
)
SMALL_COCO = FPNConfig(
    min_size=64, max_size=110, rpn_post_nms_top_n_test=20, box_detections_per_img=10, box_score_thresh=0
)
CLOSE = {"rtol": 1e-3, "atol": 1e-4}


def documented() -> RegionDetector:
    """The worked example of docs/detectors.md."""
    page = (Path(__file__).parents[2] / "docs" / "detectors.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, type[RegionDetector]] = {}
    exec(compile(code, "docs/detectors.md", "exec"), names)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return names["Windows"](CLASSES)


DETECTORS = {
    "c4": lambda: FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 8, 64), (1, 2, 4, 8), 16), CLASSES),
    "torchvision": lambda: TorchvisionFPN(SMALL, CLASSES),
    "torchvision-coco": lambda: TorchvisionFPN.with_coco_labels(CLASSES, SMALL_COCO),
    "documented": documented,
}
NOT_TRAINED = {"torchvision-coco"}  # its labels are COCO's; refusing to learn others is tested with it


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request: pytest.FixtureRequest) -> RegionDetector:
    return DETECTORS[request.param]().requires_grad_(False).eval()


def pictures(*sizes: tuple[int, int]) -> list[np.ndarray]:
    """Noise in blocks, so that something is left of it when it is scaled. Sizes are (width,
    height)."""
    rs = np.random.RandomState(3)
    return [
        rs.randint(0, 256, (-(-h // 8), -(-w // 8), 3)).repeat(8, 0).repeat(8, 1)[:h, :w].astype(np.uint8)
        for w, h in sizes
    ]


IMAGES = pictures((96, 64), (96, 64), (61, 83), (40, 30))
SIZE = torch.tensor([[96.0, 64], [96, 64], [61, 83], [40, 30]])
# Out of order, more than one in a frame, none in frame 1, one beyond the frame's edge and one
# thinner than a cell of any map.
FRAME = torch.tensor([3, 0, 2, 0, 2])
BOX = torch.tensor([[2.0, 3, 38, 30], [5, 6, 70, 60], [0, 0, 61, 83], [-3, 10, 100, 50], [20, 20, 21, 70]])


@pytest.fixture(scope="module")
def maps(detector: RegionDetector) -> FrameMaps:
    with torch.no_grad():
        return detector.encode(IMAGES, detector.canvas(IMAGES))


def test_it_says_what_it_is(detector: RegionDetector) -> None:
    description = detector.describe()
    assert description["detector"] == detector.architecture
    assert json.loads(json.dumps(description)).keys() == description.keys()
    assert detector.classes == CLASSES
    with pytest.raises(CheckpointError, match="lacks"):
        type(detector).from_description({"detector": detector.architecture}, CLASSES)


def test_every_frame_fits_the_canvas(detector: RegionDetector, maps: FrameMaps) -> None:
    assert len(maps) == len(IMAGES)
    assert maps.canvas == detector.canvas(IMAGES)
    assert (maps.size <= torch.tensor([maps.canvas[1], maps.canvas[0]])).all()
    torch.testing.assert_close(maps.size, SIZE * maps.scale[:, None], rtol=0, atol=1.0)


@torch.no_grad()
@pytest.mark.parametrize("rows", [slice(None), slice(0, 0)], ids=["boxes", "no box"])
def test_shapes_of_regions(detector: RegionDetector, maps: FrameMaps, rows: slice) -> None:
    pooled = detector.pool(maps, FRAME[rows], BOX[rows])
    regions = len(BOX[rows])
    assert pooled.shape == (regions, detector.union_channels, 7, 7) and pooled.dtype == torch.float32
    feature = detector.embed(pooled)
    assert feature.shape == (regions, detector.node_width) and feature.dtype == torch.float32
    distribution = detector.classify(feature)
    assert distribution.shape == (regions, len(CLASSES))
    assert pooled.isfinite().all() and feature.isfinite().all()
    torch.testing.assert_close(distribution.sum(1), torch.ones(regions))
    assert (distribution[:, 0] == 0).all() and (distribution >= 0).all()


@torch.no_grad()
def test_regions_are_told_apart_whatever_their_order(detector: RegionDetector, maps: FrameMaps) -> None:
    pooled = detector.pool(maps, FRAME, BOX)
    back = torch.arange(len(BOX)).flip(0)
    torch.testing.assert_close(detector.pool(maps, FRAME[back], BOX[back]), pooled[back])
    assert (pooled[:, None] - pooled).abs().amax((2, 3, 4)).fill_diagonal_(1).min() > 1e-3


def assert_same_features(actual: Tensor, expected: Tensor) -> None:
    """But for rounding, which is small beside what a feature is summed up from, so beside the
    spread of features, and not beside a sum near 0.

    Convolutions of other batches or with other threads differ by up to 6e-5 of the spread; a frame
    on a canvas of its own by a quarter.
    """
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-3 * expected.std().item())


@torch.no_grad()
def test_chunks_do_not_matter(detector: RegionDetector, maps: FrameMaps) -> None:
    """Also where the only frame of a chunk fills little of its video's canvas."""
    found, feature = detector.detect(maps), detector.embed(detector.pool(maps, FRAME, BOX))
    for first, end in ((0, 3), (3, 4)):
        chunk = detector.encode(IMAGES[first:end], maps.canvas)
        here = (first <= FRAME) & (end > FRAME)
        pooled = detector.pool(chunk, FRAME[here] - first, BOX[here])
        assert_same_features(detector.embed(pooled), feature[here])
        there, rows = detector.detect(chunk), (first <= found.frame) & (end > found.frame)
        torch.testing.assert_close(there.frame + first, found.frame[rows])
        torch.testing.assert_close(there.klass, found.klass[rows])
        torch.testing.assert_close(there.box, found.box[rows], rtol=1e-3, atol=1e-2)
        assert_same_features(there.feature, found.feature[rows])


@torch.no_grad()
def test_detections_are_ordered_and_within_their_frames(detector: RegionDetector, maps: FrameMaps) -> None:
    found = detector.detect(maps)
    assert set(found.frame.tolist()) == {0, 1, 2, 3}
    assert found.frame.dtype == found.klass.dtype == torch.long
    key = list(zip(found.frame.tolist(), found.klass.tolist(), (-found.score).tolist(), strict=True))
    assert key == sorted(key)
    assert (found.klass > 0).all() and (found.klass < len(CLASSES)).all()
    assert (found.score > 0).all() and (found.score <= 1).all()
    assert (found.box[:, :2] >= 0).all() and (found.box[:, 2:] <= SIZE[found.frame]).all()
    assert (found.box[:, :2] <= found.box[:, 2:]).all()  # of inclusive boxes those with equal sides are one pixel wide
    assert found.feature.shape == (len(found.box), detector.node_width)
    torch.testing.assert_close(found.distribution, detector.classify(found.feature), **CLOSE)


def test_boxes_alone_are_those_of_its_detections(detector: RegionDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the pictures beside it: pictures of one size share a canvas, others have their own."""
    assert (detector.find(IMAGES).score >= SCORE_FLOOR).all()
    monkeypatch.setattr("vidsgg.detectors.base.SCORE_FLOOR", 0.0)  # random weights are sure of little
    found = detector.find(IMAGES)
    assert len(found.box)
    torch.testing.assert_close(found.distribution.sum(1), torch.ones(len(found.box)))
    for at, image in enumerate(IMAGES):
        alone, rows = detector.find([image]), found.frame == at
        assert (alone.frame == 0).all()
        torch.testing.assert_close(alone.klass, found.klass[rows])
        torch.testing.assert_close(alone.box, found.box[rows], rtol=1e-3, atol=1e-2)
    with torch.no_grad():
        maps = detector.encode(IMAGES[:1], detector.canvas(IMAGES[:1]))
        whole = detector.detect(maps)
    torch.testing.assert_close(whole.box, detector.find(IMAGES[:1]).box)
    assert len(detector.find([]).box) == 0 and detector.find([]).distribution.shape == (0, len(CLASSES))


@torch.no_grad()
def test_a_file_brings_it_back(
    detector: RegionDetector, maps: FrameMaps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ARCHITECTURES._admitted, detector.architecture, type(detector))
    save_detector(tmp_path / "detector.pth", detector)
    again = load_detector(tmp_path / "detector.pth")
    assert type(again) is type(detector) and again.classes == CLASSES
    assert again.describe() == detector.describe()
    assert not again.training and not any(weight.requires_grad for weight in again.parameters())
    for one, other in zip(vars(again.detect(maps)).values(), vars(detector.detect(maps)).values(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", [name for name in DETECTORS if name not in NOT_TRAINED])
def test_losses_can_be_learnt_from(name: str) -> None:
    """With frames of two sizes, one of which has nothing annotated."""
    detector = DETECTORS[name]().train()
    boxes = [torch.tensor([[5.0, 6, 70, 60], [10, 10, 40, 50]]), torch.zeros(0, 4), torch.tensor([[3.0, 4, 50, 80]])]
    classes = [torch.tensor([1, 2]), torch.zeros(0, dtype=torch.long), torch.tensor([3])]
    torch.manual_seed(0)
    losses = detector.losses(IMAGES[:3], boxes, classes)
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()
    gradients = [weight.grad for weight in detector.parameters() if weight.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert sum(bool(gradient.any()) for gradient in gradients) > 0.8 * len(list(detector.parameters()))
