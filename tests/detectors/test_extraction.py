"""What clips look like behind a detector, with random weights and with one that finds what a test
tells it to find."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from clips import ACTION, ENTITY, action_annotation, entity_annotation
from golden.deterministic import read_case, read_json
from golden.fasterrcnn_ag.inputs import make_roi
from torch import Tensor

from vidsgg.detectors import extraction
from vidsgg.detectors.base import CANVAS_PIXELS_AT_ONCE, CANVAS_PIXELS_ON_CPU, Detections, FrameMaps, frames_at_once
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig, pool_regions
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.errors import ConfigError, DataError
from vidsgg.ops.masks import union_boxes, union_masks
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip

OBJECTS = ENTITY.vocabulary.objects
PERSON, CUP, CHAIR, DOOR = 1, 2, 3, 4
TINY = FasterRCNNConfig(
    BackboneConfig(depth=18, base_width=4, short_side=64), anchor_scales=(0.5, 1, 2, 3), rpn_width=8
)
FORMS = [("predcls", True), ("sgcls", True), ("sgcls", False), ("sgdet", True), ("sgdet", False)]


@pytest.fixture(scope="module")
def tiny():
    """Random weights under which every class of every region is likely enough to be a detection,
    and classes differ."""
    detector = FasterRCNN(TINY, OBJECTS).requires_grad_(False).eval()
    random = torch.Generator().manual_seed(1)
    for layer, spread in (
        (detector.class_score, 0.2),
        (detector.box_offset, 0.5),
        (detector.rpn.score, 1),
        (detector.rpn.offset, 0.5),
    ):
        layer.weight.copy_(spread * torch.randn(layer.weight.shape, generator=random))
    return detector


class Scripted(FasterRCNN):
    """Finds in the frame of every number, which its picture begins with, what ``script`` says:
    boxes and their likely classes."""

    def __init__(self, script: dict[int, list[tuple[list[float], dict[int, float]]]]) -> None:
        super().__init__(TINY, OBJECTS)
        self.script, self.numbers, self.chunks = script, [], []

    def encode(self, images: Sequence[np.ndarray], canvas: tuple[int, int]) -> FrameMaps:
        self.numbers = [int(image[0, 0, 0]) for image in images]
        self.chunks.append(self.numbers)
        return super().encode(images, canvas)

    def detect(self, maps: FrameMaps) -> Detections:
        found = [
            (t, box, likely) for t, number in enumerate(self.numbers) for box, likely in self.script.get(number, [])
        ]
        frame = torch.tensor([t for t, _, _ in found], dtype=torch.int64)
        box = torch.tensor([box for _, box, _ in found], dtype=torch.float32).view(-1, 4)
        distribution = torch.zeros(len(found), len(OBJECTS))
        for row, (_, _, likely) in zip(distribution, found, strict=True):
            row[list(likely)] = torch.tensor(list(likely.values()))
        score = distribution.amax(1) / 2
        feature = self.embed(self.pool(maps, frame, box))
        return Detections(frame, box, distribution.argmax(1), score, distribution, feature=feature)


def pictures(annotation: VideoAnnotation, seed: int = 0) -> list[np.ndarray]:
    rs = np.random.RandomState(seed)
    images = [
        rs.randint(0, 256, (int(height), int(width), 3)).astype(np.uint8) for width, height in annotation.frame_size
    ]
    for t, image in enumerate(images):
        image[0, 0] = t
    return images


def video(
    objects_of: list[int], size: tuple[int, int] = (100, 100), name: str = "a", seed: int = 0
) -> tuple[list[np.ndarray], VideoAnnotation]:
    """Pictures of one size (width, height) and their annotation."""
    annotation = entity_annotation(objects_of, seed, name)
    annotation = replace(
        annotation,
        frame_size=np.tile(size, (annotation.frames, 1)),
        node_box=annotation.node_box * np.tile(size, 2) / 100,
    )
    return pictures(annotation, seed), annotation


def annotated(frames: list[list[tuple[int, list[float]]]]) -> VideoAnnotation:
    """A video of the given classes and boxes; the first of each frame is the person. Pairs are told
    apart by their predicates."""
    counts = np.array([len(nodes) for nodes in frames])
    plain = entity_annotation((counts - 1).tolist(), 0)
    labels = {name: np.zeros_like(hot) for name, hot in plain.labels.items()}
    labels["attention"][:, 0] = True
    for i in range(plain.pairs):
        labels["contacting"][i, i % 4] = True
    node_class, node_box = [c for nodes in frames for c, _ in nodes], [b for nodes in frames for _, b in nodes]
    return replace(plain, node_class=node_class, node_box=node_box, labels=labels)


def square(x: float, y: float, side: float = 30) -> list[float]:
    return [x, y, x + side, y + side]


def assert_features_belong_to_boxes(detector: FasterRCNN, images: list[np.ndarray], clip: Clip) -> None:
    """Every node's and pair's features are those of its own box in its own frame."""
    maps = detector.encode(images, detector.canvas(images))
    with torch.no_grad():
        torch.testing.assert_close(
            clip.node_feature, detector.embed(detector.pool(maps, clip.node_frame, clip.node_box))
        )
        subject, obj = clip.node_box[clip.pair_subject], clip.node_box[clip.pair_object]
        torch.testing.assert_close(clip.pair_union, detector.pool(maps, clip.pair_frame, union_boxes(subject, obj)))
    assert torch.equal(clip.node_frame[clip.pair_subject], clip.pair_frame)
    assert torch.equal(clip.node_frame[clip.pair_object], clip.pair_frame)
    if clip.pair_mask is not None:
        assert torch.equal(clip.pair_mask, union_masks(subject, obj) - 0.5)


def columns(clip: Clip) -> dict[str, Tensor]:
    found = {name: value for name, value in vars(clip).items() if isinstance(value, Tensor)}
    return found | {f"labels {name}": hot for name, hot in (clip.labels or {}).items()}


@pytest.mark.parametrize("case", [c["id"] for c in read_json("fasterrcnn_ag", "cases.json") if c["kind"] == "roi"])
def test_regions_pool_as_in_the_reference(case):
    """Odd regions too: outside the image, thinner than a cell and one with its corners swapped."""
    config, recorded = read_case("fasterrcnn_ag", case)
    maps, regions = make_roi(config)
    pooled = pool_regions(torch.from_numpy(maps), torch.from_numpy(regions))
    np.testing.assert_allclose(pooled.numpy(), recorded["pooled"], rtol=1e-4, atol=2e-5)


def test_predcls(tiny):
    images, annotation = video([2, 0, 3, 1, 1])
    clip = Clip.from_annotation(annotation)
    read = ClipExtractor(tiny, "predcls", learn=True)(images, clip)
    assert_features_belong_to_boxes(tiny, images, read)
    assert read.pair_mask is not None and not read.node_feature.requires_grad and read.node_feature.isfinite().all()
    new = {"node_feature", "pair_union", "pair_mask"}
    assert columns(read).keys() - columns(clip).keys() == new and clip.node_feature is None
    assert all(torch.equal(value, columns(read)[name]) for name, value in columns(clip).items())
    again = ClipExtractor(tiny, "predcls", learn=False)(images, clip)
    assert all(torch.equal(value, columns(again)[name]) for name, value in columns(read).items())


def test_sgcls_to_learn_from(tiny):
    images, annotation = video([2, 0, 3])
    clip = Clip.from_annotation(annotation, "sgcls")
    read = ClipExtractor(tiny, "sgcls", learn=True)(images, clip)
    assert_features_belong_to_boxes(tiny, images, read)
    assert not read.classes_given and not read.pairs_open and (read.node_class == -1).all()
    torch.testing.assert_close(read.node_distribution, tiny.classify(read.node_feature))
    assert torch.equal(read.node_score, read.node_distribution.amax(1))
    given = ("node_target", "node_box", "pair_subject", "pair_object", "labels contacting")
    assert all(torch.equal(columns(read)[name], columns(clip)[name]) for name in given)


def test_sgcls_to_be_scored(tiny):
    """Which box is the person's is not known, so any two of a frame may be a pair, the earlier one
    first."""
    images, annotation = video([2, 0, 1])
    read = ClipExtractor(tiny, "sgcls", learn=False)(images, Clip.from_annotation(annotation, "sgcls"))
    assert_features_belong_to_boxes(tiny, images, read)
    assert torch.stack([read.pair_subject, read.pair_object], 1).tolist() == [[0, 1], [0, 2], [1, 2], [4, 5]]
    assert read.pair_frame.tolist() == [0, 0, 0, 2]
    assert read.pairs_open and not read.classes_given
    assert read.pair_mask is None and read.labels is None


def test_sgdet_to_learn_from():
    """Three frames: the chair is missing; the person is missing; everything is."""
    annotation = annotated([
        [(PERSON, square(0, 0)), (CHAIR, square(60, 60)), (CUP, square(0, 60))],
        [(PERSON, square(0, 0)), (DOOR, square(60, 0))],
        [(PERSON, square(0, 0)), (CUP, square(60, 60))],
    ])  # fmt: skip
    detector = Scripted({
        0: [(square(40, 0), {DOOR: 0.5}), (square(2, 0), {PERSON: 0.9}), (square(0, 62), {CHAIR: 0.6})],
        1: [(square(40, 60), {CUP: 0.8}), (square(60, 2), {DOOR: 0.7})],
    })  # fmt: skip
    images = pictures(annotation)
    clip = Clip.from_annotation(annotation, "sgdet")
    read = ClipExtractor(detector, "sgdet", learn=True)(images, clip)
    assert_features_belong_to_boxes(detector, images, read)
    assert read.node_frame.tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2]
    assert read.node_target.tolist() == [0, PERSON, CUP, CHAIR, 0, DOOR, PERSON, PERSON, CUP]
    supplied = torch.tensor([3, 6, 7, 8])
    assert torch.equal(read.node_box[supplied], clip.node_box[[1, 3, 5, 6]])
    np.testing.assert_allclose(read.node_score, [0.25, 0.45, 0.3, 1, 0.4, 0.35, 1, 1, 1])
    torch.testing.assert_close(read.node_distribution[supplied], detector.classify(read.node_feature[supplied]))
    assert read.node_distribution[2].argmax() == CHAIR  # what it looks like, not what it is
    # The cup was found and comes before the chair, though it was annotated after it.
    assert torch.stack([read.pair_subject, read.pair_object], 1).tolist() == [[1, 2], [1, 3], [6, 5], [7, 8]]
    assert torch.equal(read.labels["contacting"], clip.labels["contacting"][[1, 0, 2, 3]])
    assert not read.classes_given and (read.node_class == -1).all() and (read.node_identity == -1).all()

    compat = ClipExtractor(detector, "sgdet", learn=True, reference_compat=True)(images, clip)
    # A person that was found is "number 0", a missing one has as many before it as were found: here
    # 1, then 0.
    assert compat.pair_subject.tolist() == [0, 0, 5, 7]
    assert torch.equal(compat.pair_object, read.pair_object)
    assert_features_belong_to_boxes(detector, images, compat)


def test_the_reference_takes_no_box_of_another_frame():
    """One box stands for three objects and the person is missing: its number, 3, is beyond the two
    boxes of the frame."""
    annotation = annotated([[(PERSON, square(60, 60)), *[(c, square(0, 0)) for c in (CUP, CHAIR, DOOR)]]] * 2)
    detector = Scripted({0: [(square(0, 0), {CUP: 0.9})], 1: [(square(0, 0), {CUP: 0.9})]})
    clip = Clip.from_annotation(annotation, "sgdet")
    read = ClipExtractor(detector, "sgdet", learn=True, reference_compat=True)(pictures(annotation), clip)
    assert read.pair_subject.tolist() == [1, 1, 1, 3, 3, 3] and read.pair_object.tolist() == [0, 0, 0, 2, 2, 2]


def test_sgdet_to_be_scored():
    """Frames: three things of which two are one; nothing; only a person; two that look like
    persons."""
    annotation = video([1, 1, 1, 1])[1]
    detector = Scripted({
        0: [(square(0, 0), {CUP: 0.7, PERSON: 0.1}), (square(1, 0), {CUP: 0.6}), (square(60, 60), {PERSON: 0.9, DOOR: 0.1})],
        2: [(square(0, 0), {PERSON: 0.8, CUP: 0.2})],
        3: [(square(0, 0), {PERSON: 0.8, CUP: 0.2}), (square(60, 0), {PERSON: 0.7, DOOR: 0.3})],
    })  # fmt: skip
    images, clip = pictures(annotation), Clip.from_annotation(annotation, "sgdet")
    extractor = ClipExtractor(detector, "sgdet", learn=False)
    assert extractor(images, clip).node_frame.tolist() == [0, 0, 2, 3]  # by the data set's rule a frame has one person
    read = extractor(images, replace(clip, schema=replace(ENTITY, once_per_frame=())))
    assert_features_belong_to_boxes(detector, images, read)
    assert read.node_frame.tolist() == [0, 0, 2, 3, 3]
    assert read.node_class.tolist() == [PERSON, CUP, PERSON, PERSON, DOOR]
    np.testing.assert_allclose(read.node_score, [0.9, 0.7, 0.8, 0.8, 0.3])
    assert read.node_box.tolist() == [square(60, 60), square(0, 0), square(0, 0), square(0, 0), square(60, 0)]
    assert torch.stack([read.pair_subject, read.pair_object], 1).tolist() == [[0, 1], [3, 4]]
    assert read.classes_given and not read.pairs_open and read.pair_mask is not None
    assert read.labels is None and read.node_target is None


def test_raw_detections_are_left_to_the_model():
    """Every detection, every two of a frame, and the doubted chair with itself, since it may make a
    pair with its copy."""
    annotation = video([1, 1, 1])[1]
    detector = Scripted({
        0: [(square(0, 0), {CUP: 0.7, PERSON: 0.1}), (square(1, 0), {CUP: 0.6}), (square(60, 60), {CHAIR: 0.9})],
        2: [(square(0, 0), {PERSON: 0.8, CUP: 0.2})],
    })  # fmt: skip
    images, extractor = pictures(annotation), ClipExtractor(detector, "sgdet", learn=False, raw_detections=True)
    read = extractor(images, Clip.from_annotation(annotation, "sgdet"))
    assert_features_belong_to_boxes(detector, images, read)
    assert read.node_frame.tolist() == [0, 0, 0, 2]
    assert torch.stack([read.pair_subject, read.pair_object], 1).tolist() == [[0, 1], [0, 2], [1, 2], [2, 2]]
    assert read.pairs_open and not read.classes_given and (read.node_class == -1).all()
    assert read.pair_mask is None and read.labels is None and read.node_target is None
    np.testing.assert_allclose(read.node_distribution[0], [0, 0.1, 0.7, 0, 0])
    learnt, cleaned = (
        ClipExtractor(detector, "sgdet", learn=True, raw_detections=raw)(
            images, Clip.from_annotation(annotation, "sgdet")
        )
        for raw in (True, False)
    )
    assert all(torch.equal(value, columns(cleaned)[name]) for name, value in columns(learnt).items())


def test_a_chair_may_be_something_else():
    """Chairs are doubted: a copy that may not be one counts as a door."""
    annotation = video([1])[1]
    detector = Scripted({0: [(square(0, 0), {PERSON: 0.9}), (square(50, 50), {CHAIR: 0.6, DOOR: 0.4})]})
    read = ClipExtractor(detector, "sgdet", learn=False)(
        pictures(annotation), Clip.from_annotation(annotation, "sgdet")
    )
    assert read.node_class.tolist() == [PERSON, CHAIR, DOOR]
    torch.testing.assert_close(read.node_distribution[1:], torch.tensor([[0, 0, 0, 0.6, 0.4], [0, 0, 0, 0, 0.4]]))
    assert read.node_box[1].equal(read.node_box[2]) and read.node_feature[1].equal(read.node_feature[2])


def test_nothing_found_in_the_whole_video():
    images, annotation = video([1, 2])
    clip = Clip.from_annotation(annotation, "sgdet")
    read = ClipExtractor(Scripted({}), "sgdet", learn=False)(images, clip)
    assert (read.frames, read.nodes, read.pairs) == (2, 0, 0)
    assert (
        read.node_feature.shape == (0, 32)
        and read.pair_union.shape == (0, 16, 7, 7)
        and read.pair_mask.shape == (0, 2, 27, 27)
    )
    learnt = ClipExtractor(Scripted({}), "sgdet", learn=True)(images, clip)
    assert torch.equal(learnt.node_box, clip.node_box) and torch.equal(learnt.node_target, clip.node_target)
    assert torch.equal(learnt.pair_object, clip.pair_object) and torch.equal(learnt.pair_subject, clip.pair_subject)


def test_a_video_without_annotation_is_scored():
    """What prediction does: frames, and nothing known about them."""
    images, annotation = video([1, 1])
    clip = Clip.from_annotation(annotation, "sgdet")
    none, long = torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
    bare = {"node_box": none, "node_score": none[:, 0], "labels": None, "node_target": None}
    bare |= dict.fromkeys(
        ("node_class", "node_frame", "node_identity", "pair_subject", "pair_object", "pair_frame"), long
    )
    detector = Scripted({1: [(square(0, 0), {PERSON: 0.9}), (square(50, 50), {DOOR: 0.4})]})
    extractor = ClipExtractor(detector, "sgdet", learn=False)
    with_truth, without = columns(extractor(images, clip)), columns(extractor(images, replace(clip, **bare)))
    assert with_truth.keys() == without.keys()
    assert all(torch.equal(value, without[name]) for name, value in with_truth.items())


@pytest.mark.parametrize(("mode", "learn"), FORMS)
def test_a_batch_equals_its_videos(tiny, mode, learn):
    """Also when sizes differ between videos: each has its own canvas. And longer ones go through
    the backbone in parts."""
    videos = [
        video([1, 2, 1], (80, 60), "a", 1),
        video([3] + [0, 1] * 5, (50, 90), "b", 2),
        video([0, 1], (80, 60), "c", 3),
    ]
    clips = [Clip.from_annotation(annotation, mode) for _, annotation in videos]
    extractor = ClipExtractor(tiny, mode, learn=learn)
    batch = extractor([image for images, _ in videos for image in images], Clip.cat(clips))
    alone = Clip.cat([extractor(images, clip) for (images, _), clip in zip(videos, clips, strict=True)])
    assert batch.video_ids == alone.video_ids and columns(batch).keys() == columns(alone).keys()
    for name, value in columns(batch).items():
        assert torch.equal(value, columns(alone)[name]), name
    assert batch.nodes and batch.pairs


@pytest.mark.parametrize(("mode", "learn"), FORMS[:3])
def test_the_size_of_the_parts_does_not_matter(tiny, mode, learn, monkeypatch):
    images, annotation = video([2, 0, 3, 1, 1])
    extractor, clip = ClipExtractor(tiny, mode, learn=learn), Clip.from_annotation(annotation, mode)
    whole = extractor(images, clip)
    pixels = math.prod(tiny.canvas(images))
    monkeypatch.setattr(extraction, "CANVAS_PIXELS_ON_CPU", 2 * pixels)
    spy = mock.Mock(wraps=tiny.encode)
    monkeypatch.setattr(tiny, "encode", spy)
    for name, value in columns(extractor(images, clip)).items():
        torch.testing.assert_close(value, columns(whole)[name], rtol=1e-4, atol=1e-5)
    assert [len(call.args[0]) for call in spy.call_args_list] == [2, 2, 1]


@pytest.mark.parametrize(
    ("size", "count"),
    [((1, 1), 10), ((600, 1067), 10), ((800, 1333), 10), ((600, 2400), 8), ((600, 12000), 1), ((9999, 9999), 1)],
)
def test_large_frames_are_fewer(size, count):
    assert frames_at_once(*size, CANVAS_PIXELS_AT_ONCE) == count


@pytest.mark.parametrize(("size", "count"), [((96, 171), 10), ((600, 800), 4), ((600, 1067), 3), ((600, 2400), 1)])
def test_on_a_cpu_fewer_frames_go_together(size, count):
    """Ten frames of 1920 x 1080 through the ResNet-101 of Action Genome's detector took 2.7 GB."""
    assert frames_at_once(*size, CANVAS_PIXELS_ON_CPU) == count


def test_ten_frames_of_one_video_at_once():
    """The reference's parts, of which it clips the first frame only."""
    videos = [video([1] * 12, name="a"), video([1], name="b")]
    detector = Scripted({})
    clip = Clip.cat([Clip.from_annotation(annotation, "sgdet") for _, annotation in videos])
    ClipExtractor(detector, "sgdet", learn=False)([image for images, _ in videos for image in images], clip)
    assert detector.chunks == [list(range(10)), [10, 11], [0]]


def test_a_smaller_frame_keeps_its_own_scale(tiny):
    """A frame shrunk to half has boxes of half the size: both then meet the network at one
    scale."""
    _, annotation = video([1, 1], (128, 128))
    smooth = np.kron(np.random.RandomState(5).randint(0, 256, (8, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    box = annotation.node_box[:2]
    annotation = replace(annotation, frame_size=[[128, 128], [64, 64]], node_box=np.concatenate([box, box / 2]))
    images = [smooth, np.ascontiguousarray(smooth[::2, ::2])]
    read = ClipExtractor(tiny, "predcls", learn=True)(images, Clip.from_annotation(annotation))
    first, second = read.node_feature[:2], read.node_feature[2:]
    assert torch.nn.functional.cosine_similarity(first, second, dim=1).min() > 0.99
    assert torch.equal(read.pair_mask[0], read.pair_mask[1])


def test_regions_see_what_lies_in_them(tiny):
    """Painting over one box changes its own features more than those of a box far away."""
    images, annotation = video([1], (128, 64))
    clip = Clip.from_annotation(replace(annotation, node_box=[[4, 4, 30, 60], [98, 4, 124, 60]]))
    painted = images[0].copy()
    painted[4:60, 98:124] = (255, 0, 0)
    extractor = ClipExtractor(tiny, "predcls", learn=True)
    change = (extractor([painted], clip).node_feature - extractor(images, clip).node_feature).norm(dim=1)
    assert change[1] > 5 * change[0]


def test_actions_have_no_union_with_their_objects(tiny):
    """Units of three frames, of which the fourth lies in two parts."""
    annotation = action_annotation([1, 2, 0, 3])
    clip = Clip.from_annotation(annotation)
    read = ClipExtractor(tiny, "predcls", learn=True)(pictures(annotation), clip)
    assert read.node_feature.shape == (clip.nodes, 32)
    assert read.pair_union is None and read.pair_mask is None
    assert all(torch.equal(value, columns(read)[name]) for name, value in columns(clip).items())


def test_the_detector_is_frozen():
    detector = FasterRCNN(TINY, OBJECTS).train()
    ClipExtractor(detector, "sgdet", learn=True)
    assert not detector.training and not any(parameter.requires_grad for parameter in detector.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: images[:1], "1 image for 2 frames"),
        (lambda images: [images[0], images[1][:50]], r"image 1 is uint8 of shape \(50, 80, 3\); its frame is 80 x 60"),
        (lambda images: [images[0][..., 0], images[1]], r"image 0 is uint8 of shape \(60, 80\)"),
        (lambda images: [images[0], images[1] / 255], "image 1 is float64"),
    ],
    ids=["count", "size", "grey", "float"],
)
def test_images_that_do_not_fit_are_refused(tiny, change, message):
    images, annotation = video([1, 1], (80, 60))
    with pytest.raises(DataError, match=f"clip of a: {message}"):
        ClipExtractor(tiny, "predcls", learn=True)(change(images), Clip.from_annotation(annotation))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((*OBJECTS[:-1], "sofa"), "class 4 is 'sofa' and should be 'door'"),
        ((*OBJECTS[:3], *OBJECTS[:2:-1]), "class 3 is 'door' and should be 'chair'"),
        (
            OBJECTS[:4],
            "has 4 classes, data set 'toy_frames' has 5; its class 4 is nothing and should be 'door'",
        ),
    ],
    ids=["another", "order", "fewer"],
)
def test_a_detector_of_other_classes_is_refused(classes, message):
    images, annotation = video([1])
    with pytest.raises(ConfigError, match=message):
        ClipExtractor(FasterRCNN(TINY, classes), "sgcls", learn=True)(images, Clip.from_annotation(annotation, "sgcls"))
    # reads no class
    ClipExtractor(FasterRCNN(TINY, classes), "predcls", learn=True)(images, Clip.from_annotation(annotation))


def test_actions_are_not_detected():
    annotation = action_annotation([1])
    with pytest.raises(ConfigError, match="Use mode predcls"):
        ClipExtractor(FasterRCNN(TINY, ACTION.vocabulary.objects), "sgdet", learn=False)(
            pictures(annotation), Clip.from_annotation(annotation, "sgdet")
        )
