"""The adapter against torchvision's own way through its model, and what becomes of COCO's
labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from vidsgg.datasets.action_genome import OBJECTS
from vidsgg.detectors.coco_classes import COCO_LABELS, EQUIVALENTS, labels_of
from vidsgg.detectors.coco_predictor import CocoPredictor
from vidsgg.detectors.files import load_detector
from vidsgg.detectors.pretrained import fetch_weights
from vidsgg.detectors.torchvision_fpn import COCO_WEIGHTS, FPNConfig, TorchvisionFPN
from vidsgg.errors import CheckpointError, ConfigError

CLASSES = ("__background__", "person", "cup/glass/bottle", "chair", "pillow")
SMALL = FPNConfig(
    min_size=64, max_size=110, rpn_post_nms_top_n_test=20, box_detections_per_img=10, box_batch_size_per_image=16
)
WEIGHTS_FILE = "fasterrcnn_resnet50_fpn_v2_coco-dd69338a.pth"


def pictures(*sizes: tuple[int, int]) -> list[np.ndarray]:
    rs = np.random.RandomState(5)
    return [rs.randint(0, 256, (height, width, 3)).astype(np.uint8) for width, height in sizes]


IMAGES = pictures((96, 64), (200, 45), (61, 83))  # the second one meets the limit of the longer side


@pytest.fixture(scope="module")
def small() -> TorchvisionFPN:
    return TorchvisionFPN(SMALL, CLASSES).requires_grad_(False).eval()


@pytest.fixture(scope="module")
def coco() -> TorchvisionFPN:
    return TorchvisionFPN.with_coco_labels(CLASSES, SMALL).requires_grad_(False).eval()


@pytest.fixture(scope="module")
def coco_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as torchvision publishes it, with other weights."""
    path = tmp_path_factory.mktemp("coco") / WEIGHTS_FILE
    model = TorchvisionFPN(replace(SMALL, seed=1), COCO_LABELS).model
    torch.save(model.state_dict(), path)
    return path


def as_tensors(images: list[np.ndarray]) -> list[torch.Tensor]:
    return [torch.from_numpy(image).permute(2, 0, 1) / 255 for image in images]


@torch.no_grad()
def test_detections_are_those_of_torchvision(small: TorchvisionFPN) -> None:
    found = small.detect(small.encode(IMAGES, small.canvas(IMAGES)))
    for t, theirs in enumerate(small.model(as_tensors(IMAGES))):
        rows = found.frame == t
        score, order = found.score[rows].sort(descending=True, stable=True)
        torch.testing.assert_close(score, theirs["scores"])
        torch.testing.assert_close(found.klass[rows][order], theirs["labels"])
        torch.testing.assert_close(found.box[rows][order], theirs["boxes"], rtol=1e-4, atol=1e-3)


@torch.no_grad()
def test_features_are_those_of_torchvision(small: TorchvisionFPN) -> None:
    boxes = [
        torch.tensor([[2.0, 3, 90, 60], [5, 6, 20, 30]]),
        torch.tensor([[100.0, 0, 180, 45]]),
        torch.tensor([[0.0, 0, 61, 83]]),
    ]
    frames, targets = small.model.transform(as_tensors(IMAGES), [{"boxes": box} for box in boxes])
    levels = small.model.backbone(frames.tensors)
    theirs = small.model.roi_heads.box_roi_pool(levels, [target["boxes"] for target in targets], frames.image_sizes)

    maps = small.encode(IMAGES, small.canvas(IMAGES))
    torch.testing.assert_close(maps.maps.frames.tensors, frames.tensors)
    ours = small.pool(maps, torch.tensor([0, 0, 1, 2]), torch.cat(boxes))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    feature = small.embed(ours)
    torch.testing.assert_close(feature, small.model.roi_heads.box_head(theirs), rtol=1e-4, atol=1e-4)
    logits = small.model.roi_heads.box_predictor.cls_score(feature)
    torch.testing.assert_close(small.classify(feature)[:, 1:], logits[:, 1:].softmax(1))


@torch.no_grad()
def test_what_is_seen_first_does_not_matter(small: TorchvisionFPN) -> None:
    """torchvision's pooler would guess the scales of its maps from a frame that is much lower than
    its canvas."""
    wide, high = pictures((200, 45), (45, 200))
    box = torch.tensor([[10.0, 5, 150, 40]])
    fresh = TorchvisionFPN(SMALL, CLASSES).eval()
    first = fresh.pool(fresh.encode([wide], fresh.canvas([wide, high])), torch.tensor([0]), box)
    both = small.pool(small.encode([wide, high], small.canvas([wide, high])), torch.tensor([0]), box)
    torch.testing.assert_close(first, both, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_a_frame_may_have_no_detection(small: TorchvisionFPN) -> None:
    maps = small.encode(IMAGES, small.canvas(IMAGES))
    found = small.detect(maps)
    best = torch.stack([found.score[found.frame == t].max() for t in range(3)])
    least = best.sort().values[:2].mean().item()  # the weakest frame has nothing above it
    heads = small.model.roi_heads
    for threshold, frames in ((least, 2), (1.0, 0)):
        heads.score_thresh = threshold
        fewer = small.detect(maps)
        heads.score_thresh = SMALL.box_score_thresh
        assert len(fewer.frame.unique()) == frames
        assert fewer.feature.shape == (len(fewer.frame), 1024)
        assert fewer.distribution.shape == (len(fewer.frame), len(CLASSES))


def test_the_start_is_a_function_of_the_seed() -> None:
    before = torch.get_rng_state()
    first, again, other = (TorchvisionFPN(replace(SMALL, seed=seed), CLASSES).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    name = "model.backbone.body.conv1.weight"
    assert not torch.equal(first[name], other[name])


def test_losses_belong_to_training(small: TorchvisionFPN, coco: TorchvisionFPN) -> None:
    boxes, classes = [torch.tensor([[5.0, 6, 70, 60]])], [torch.tensor([1])]
    with pytest.raises(RuntimeError, match="training mode"):
        small.losses(IMAGES[:1], boxes, classes)
    coco.train()
    with pytest.raises(RuntimeError, match="own classes"):
        coco.losses(IMAGES[:1], boxes, classes)
    coco.eval()


# COCO's labels


def test_every_label_of_the_table_exists_and_belongs_to_one_class() -> None:
    labels = [label for names in EQUIVALENTS.values() for label in names]
    assert len(set(labels)) == len(labels)
    assert set(labels) <= set(COCO_LABELS) and set(EQUIVALENTS) <= set(OBJECTS)
    assert not set(EQUIVALENTS) & set(COCO_LABELS)  # of the same name needs no entry


def test_labels_are_numbered_as_in_the_weights() -> None:
    assert tuple(COCO_WEIGHTS.meta["categories"]) == COCO_LABELS


def test_what_coco_knows_of_a_vocabulary() -> None:
    known = labels_of(OBJECTS)
    assert len(known) == 15 and "__background__" not in known
    assert known["book"] == ("book",) and known["sofa/couch"] == ("couch",)
    assert labels_of(("__background__", "knife", "N/A", "ladle")) == {"knife": ("knife",)}
    with pytest.raises(ConfigError, match="ladle"):
        TorchvisionFPN.with_coco_labels(("__background__", "ladle"))


def test_classes_that_coco_lacks_are_named(coco: TorchvisionFPN) -> None:
    assert coco.unseen == ("pillow",)


@torch.no_grad()
def test_labels_of_a_class_add_up_and_the_likeliest_moves_the_box() -> None:
    predictor = CocoPredictor(8, CLASSES, labels_of(CLASSES))
    feature = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(predictor.cls_score.weight, std=2.0, generator=torch.Generator().manual_seed(1))
    score, offset = predictor(feature)
    theirs = predictor.cls_score(feature).softmax(1)
    their_offset = predictor.bbox_pred(feature).view(6, 91, 4)
    person, cups, chair = (
        1,
        [COCO_LABELS.index(name) for name in ("bottle", "wine glass", "cup")],
        COCO_LABELS.index("chair"),
    )

    probability = score.softmax(1)
    expected = torch.stack([theirs[:, person], theirs[:, cups].sum(1), theirs[:, chair], torch.zeros(6)], 1)
    torch.testing.assert_close(probability[:, 1:], expected)
    # background, and all that is none of the classes
    torch.testing.assert_close(probability[:, 0], 1 - expected.sum(1))
    likeliest = torch.tensor(cups)[theirs[:, cups].argmax(1)]
    assert len(likeliest.unique()) > 1
    torch.testing.assert_close(offset.view(6, 5, 4)[:, 2], their_offset[torch.arange(6), likeliest])
    torch.testing.assert_close(offset.view(6, 5, 4)[:, 3], their_offset[:, chair])


@torch.no_grad()
def test_what_looks_like_no_class_is_no_detection_but_a_given_box_has_a_distribution(coco: TorchvisionFPN) -> None:
    maps = coco.encode(IMAGES, coco.canvas(IMAGES))
    bias = coco.model.roi_heads.box_predictor.cls_score.bias
    before = bias.clone()
    bias[1] += 1000  # all are persons
    assert coco.detect(maps).klass.unique().tolist() == [1]
    bias.copy_(before)
    feature = coco.embed(coco.pool(maps, torch.tensor([0, 1]), torch.tensor([[2.0, 3, 90, 60], [0, 0, 40, 40]])))
    as_usual = coco.classify(feature)
    bias[COCO_LABELS.index("dog")] += 1000
    assert len(coco.detect(maps).frame) == 0
    torch.testing.assert_close(coco.classify(feature), as_usual)
    assert (as_usual[:, [0, 4]] == 0).all()
    torch.testing.assert_close(as_usual.sum(1), torch.ones(2))
    bias.copy_(before)


# Weights from elsewhere


def test_a_file_of_torchvision_is_read_as_coco(coco_file: Path, tmp_path: Path, small: TorchvisionFPN) -> None:
    detector = load_detector(coco_file, CLASSES)
    assert isinstance(detector, TorchvisionFPN)
    assert detector.classes == CLASSES and detector.unseen == ("pillow",)
    weight = torch.load(coco_file, weights_only=True)["roi_heads.box_predictor.bbox_pred.weight"]
    torch.testing.assert_close(detector.model.roi_heads.box_predictor.bbox_pred.weight, weight)

    torch.save(small.model.state_dict(), tmp_path / "five.pth")
    with pytest.raises(CheckpointError, match=r"five\.pth.* 5 classes"):
        load_detector(tmp_path / "five.pth", CLASSES)


def test_weights_come_from_the_cache(coco_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(coco_file.parents[1]))
    place = coco_file.parents[1] / "hub" / "checkpoints"
    place.mkdir(parents=True)
    coco_file.rename(place / WEIGHTS_FILE)
    try:
        detector = TorchvisionFPN.from_coco(OBJECTS)
        assert len(detector.unseen) == 21
        assert detector.config == FPNConfig()
    finally:
        (place / WEIGHTS_FILE).rename(coco_file)


def test_without_a_network_the_message_names_the_file_and_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    place = tmp_path / "hub" / "checkpoints" / WEIGHTS_FILE
    with pytest.raises(ConfigError, match="no route to host") as caught:
        fetch_weights(COCO_WEIGHTS)
    assert str(place) in str(caught.value) and COCO_WEIGHTS.url in str(caught.value)

    place.write_bytes(b"half of a file")
    with pytest.raises(ConfigError, match="damaged") as caught:
        fetch_weights(COCO_WEIGHTS)
    assert str(place) in str(caught.value)

    weights = torch.ones(100)
    torch.save({"w": weights}, place)
    flipped = bytearray(place.read_bytes())
    flipped[flipped.index(weights.numpy().tobytes()) + 3] ^= 1
    place.write_bytes(flipped)
    with pytest.raises(ConfigError, match="is not what was written") as caught:
        fetch_weights(COCO_WEIGHTS)
    assert str(place) in str(caught.value)


@pytest.mark.parametrize("origin", ["coco", "imagenet"])
def test_pretrained_weights_are_taken_over_for_training(origin: str, coco_file: Path) -> None:
    given = torch.load(coco_file, weights_only=True) if origin == "coco" else resnet50(weights=None).state_dict()
    for name in given:
        if name.endswith("running_var"):
            given[name] *= 1.5
    detector = TorchvisionFPN(SMALL, CLASSES)
    head = detector.model.roi_heads.box_predictor.cls_score.weight.clone()
    detector.start_from(origin, given)
    part = detector.model if origin == "coco" else detector.model.backbone.body
    taken = {name: value for name, value in given.items() if not name.startswith(("roi_heads.box_predictor.", "fc."))}
    assert torch.equal(detector.model.roi_heads.box_predictor.cls_score.weight, head)

    detector.train()
    losses = detector.losses(
        IMAGES[:2], [torch.tensor([[5.0, 6, 70, 60]]), torch.zeros(0, 4)], [torch.tensor([1]), torch.zeros(0).long()]
    )
    sum(losses.values()).backward()
    state = part.state_dict()
    assert all(torch.equal(state[name], value) for name, value in taken.items())  # statistics have not moved
    body = detector.model.backbone.body
    assert body.conv1.weight.grad is None and body.layer1[0].conv1.weight.grad is None
    assert body.layer2[0].conv1.weight.grad.any()
    pyramid_norms = [module for module in detector.model.backbone.fpn.modules() if isinstance(module, nn.BatchNorm2d)]
    assert pyramid_norms and all(norm.training == (origin == "imagenet") for norm in pyramid_norms)


def test_weights_of_another_network_are_refused() -> None:
    detector = TorchvisionFPN(SMALL, CLASSES)
    state = resnet50(weights=None).state_dict()
    del state["layer3.0.conv2.weight"]
    with pytest.raises(CheckpointError, match=r"imagenet weights.*layer3\.0\.conv2\.weight"):
        detector.start_from("imagenet", state)
