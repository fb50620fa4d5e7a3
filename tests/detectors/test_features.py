from dataclasses import replace

import numpy as np
import pytest
import torch
from golden.deterministic import read_case
from golden.fasterrcnn_ag.inputs import make_gt, make_image, make_roi, sample_index

from vidsgg.detectors.features import RoiFeatureExtractor, pool_regions
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.errors import DataError
from vidsgg.ops.masks import union_boxes, union_masks
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import PredicateGroup, Vocabulary

VOCABULARY = Vocabulary(("__background__", "person", "cup"), ("person",), (PredicateGroup("relation", ("holds", "sees")),))
SCHEMA = Schema("toy", VOCABULARY, "entity")
EVENTS = Schema("events", replace(VOCABULARY, subjects=("wash",)), "action", unit="event", slots=("pre", "post"))


@pytest.fixture(scope="module")
def small():
    return RoiFeatureExtractor(BackboneConfig(depth=18, base_width=4, short_side=64), frames_at_once=2)


def video(pairs_per_frame, size=(80, 60), video_id="a", seed=0, schema=SCHEMA):
    """Pictures of one size (width, height) and their clip: a subject in every frame and as many objects as it has pairs."""
    rs = np.random.RandomState(seed)
    counts = np.array(pairs_per_frame)
    frames, nodes = len(counts), counts.sum() + len(counts)
    node_frame = np.repeat(np.arange(frames), counts + 1)
    first = np.cumsum(counts + 1) - counts - 1
    objects = np.setdiff1d(np.arange(nodes), first)
    corner = rs.uniform(0, 0.5, (nodes, 2)) * size
    annotation = VideoAnnotation(
        schema=schema,
        video_id=video_id,
        source_id=video_id,
        split="test",
        fps=None,
        frame_key=tuple(str(i) for i in range(frames)),
        frame_number=np.arange(1, frames + 1),
        frame_unit=np.arange(frames) if schema.unit == "frame" else np.zeros(frames),
        frame_slot=np.zeros(frames),
        frame_size=np.tile(size, (frames, 1)),
        node_box=np.concatenate([corner, corner + rs.uniform(0.1, 0.5, (nodes, 2)) * size], 1),
        node_class=np.where(np.isin(np.arange(nodes), first), 1, 2),
        node_frame=node_frame,
        node_identity=np.full(nodes, -1),
        action_class=[] if schema.subject_has_box else [0],
        pair_subject=first[node_frame[objects]] if schema.subject_has_box else np.zeros(len(objects)),
        pair_object=objects,
        pair_frame=node_frame[objects],
        labels={"relation": np.zeros((len(objects), 2), bool)},
    )
    images = list(rs.randint(0, 256, (frames, size[1], size[0], 3)).astype(np.uint8))
    return images, Clip.from_annotation(annotation)


def test_pooling_equals_the_reference():
    """Including a region outside the map, one thinner than a cell and one with its corners swapped."""
    config, recorded = read_case("fasterrcnn_ag", "open-roi-align")
    maps, regions = make_roi(config)
    pooled = pool_regions(torch.from_numpy(maps), torch.from_numpy(regions))
    np.testing.assert_allclose(pooled.numpy(), recorded["pooled"], rtol=1e-4, atol=2e-5)


def test_features_equal_the_reference_detector(published):
    """The reference's predcls entry, from the network input on."""
    config, recorded = read_case("fasterrcnn_ag", "open-detector-predcls")
    pixels = torch.from_numpy(make_image(config)["im_data"])
    boxes, frame, pair = [], [], []
    for t, truth in enumerate(make_gt(config)):
        pair += [(len(boxes), len(boxes) + 1 + i) for i in range(len(truth["boxes"]))]
        boxes += [*truth["person"], *truth["boxes"]]
        frame += [t] * (1 + len(truth["boxes"]))
    boxes, frame, pair = torch.from_numpy(np.array(boxes, np.float32)), torch.tensor(frame), torch.tensor(pair)
    np.testing.assert_array_equal(pair, recorded["pair_idx"])

    node_region = torch.cat([frame[:, None], boxes * config["scale"]], dim=1)
    pair_box = union_boxes(*node_region[pair, 1:].unbind(1))
    pair_region = torch.cat([frame[pair[:, :1]], pair_box], dim=1)
    np.testing.assert_allclose(pair_region, recorded["union_box"], rtol=1e-5)
    with torch.no_grad():
        node_feature, pair_union = published.pool(pixels, node_region, pair_region)
    masks = union_masks(*boxes[pair].unbind(1)) - 0.5
    for name, ours in (("features", node_feature), ("union_feat", pair_union), ("spatial_masks", masks)):
        assert list(ours.shape) == recorded[f"{name}_shape"].tolist()
        np.testing.assert_allclose(ours.flatten()[sample_index(ours.numel())], recorded[f"{name}_sampled"], rtol=1e-4, atol=2e-4)


def test_columns_and_their_shapes(small):
    images, clip = video([2, 0, 3, 1, 1])
    filled = small(images, clip)
    assert (small.node_width, small.union_channels) == (32, 16)
    assert filled.node_feature.shape == (clip.nodes, 32)
    assert filled.pair_union.shape == (clip.pairs, 16, 7, 7)
    assert torch.equal(filled.pair_mask, union_masks(clip.node_box[clip.pair_subject], clip.node_box[clip.pair_object]) - 0.5)
    assert not filled.node_feature.requires_grad and filled.node_feature.isfinite().all()
    assert clip.node_feature is None


def test_frames_at_once_do_not_matter(small):
    images, clip = video([2, 0, 3, 1, 1])
    whole = RoiFeatureExtractor(BackboneConfig(depth=18, base_width=4, short_side=64))
    for column in ("node_feature", "pair_union"):
        torch.testing.assert_close(getattr(small(images, clip), column), getattr(whole(images, clip), column), rtol=1e-4, atol=1e-5)


def test_a_batch_equals_its_videos(small):
    """Also when sizes differ between videos: each has its own canvas."""
    videos = [video([1, 2, 1], (80, 60), "a", 1), video([3], (50, 90), "b", 2), video([0, 0], (80, 60), "c", 3)]
    batch = small([image for images, _ in videos for image in images], Clip.cat([clip for _, clip in videos]))
    alone = [small(images, clip) for images, clip in videos]
    for column in ("node_feature", "pair_union", "pair_mask"):
        together = torch.cat([getattr(one, column) for one in alone])
        torch.testing.assert_close(getattr(batch, column), together, rtol=1e-4, atol=1e-5)


def test_a_smaller_frame_keeps_its_own_scale(small):
    """A frame shrunk to half has boxes of half the size: both then meet the network at one scale."""
    _, clip = video([1, 1], (128, 128))
    smooth = np.kron(np.random.RandomState(5).randint(0, 256, (8, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    clip = replace(
        clip,
        frame_size=torch.tensor([[128.0, 128.0], [64.0, 64.0]]),
        node_box=torch.cat([clip.node_box[:2], clip.node_box[:2] / 2]),
    )
    filled = small([smooth, np.ascontiguousarray(smooth[::2, ::2])], clip)
    first, second = filled.node_feature[:2], filled.node_feature[2:]
    assert torch.nn.functional.cosine_similarity(first, second, dim=1).min() > 0.99
    assert torch.equal(filled.pair_mask[0], filled.pair_mask[1])


def test_regions_see_what_lies_in_them(small):
    """Painting over one box changes its own features more than those of a box far away."""
    images, clip = video([1], (128, 64))
    clip = replace(clip, node_box=torch.tensor([[4.0, 4, 30, 60], [98, 4, 124, 60]]))
    painted = images[0].copy()
    painted[4:60, 98:124] = (255, 0, 0)
    change = (small([painted], clip).node_feature - small(images, clip).node_feature).norm(dim=1)
    assert change[1] > 5 * change[0]


def test_actions_have_no_union_with_their_objects(small):
    images, clip = video([1, 2], schema=EVENTS)
    filled = small(images, clip)
    assert filled.node_feature.shape == (clip.nodes, 32)
    assert filled.pair_union is None and filled.pair_mask is None


def test_stays_frozen_in_training(small):
    assert not small.train().training and not small.backbone.training
    assert not any(parameter.requires_grad for parameter in small.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: images[:1], "1 images for 2 frames"),
        (lambda images: [images[0], images[1][:50]], r"image 1 is uint8 of shape \(50, 80, 3\); its frame is 80 x 60"),
        (lambda images: [images[0][..., 0], images[1]], r"image 0 is uint8 of shape \(60, 80\)"),
        (lambda images: [images[0], images[1] / 255], "image 1 is float64"),
    ],
    ids=["count", "size", "grey", "float"],
)
def test_images_that_do_not_fit_are_refused(small, change, message):
    images, clip = video([1, 1])
    with pytest.raises(DataError, match=f"clip of a: {message}"):
        small(change(images), clip)
