"""What the authors' detector hands to STTran in every mode, from the network's input on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import read_case, read_json
from golden.fasterrcnn_ag.inputs import make_gt, make_image, sample_index
from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.base import FRAMES_AT_ONCE, FrameMaps
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.ops.masks import union_boxes
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip

TOLERANCE = {"rtol": 1e-4, "atol": 2e-4}
CASES = [case["id"] for case in read_json("fasterrcnn_ag", "cases.json") if case["kind"] == "detector"]


class Prepared(FasterRCNN):
    """The published detector with network input that is given instead of made; a picture's first
    value says which it is."""

    pixels: Tensor
    network_scale: float

    def encode(self, images: Sequence[np.ndarray], canvas: tuple[int, int]) -> FrameMaps:
        pixels = self.pixels[[int(image[0, 0, 0]) for image in images]]
        size = torch.tensor([pixels.shape[3], pixels.shape[2]], dtype=torch.float32).repeat(len(pixels), 1)
        return self.encode_pixels(pixels, torch.full((len(pixels),), self.network_scale), size)


@pytest.fixture(scope="module")
def prepared(published: FasterRCNN) -> Prepared:
    detector = Prepared(published.config, published.classes, reference_compat=True)
    detector.load_state_dict(published.state_dict(), assign=True)
    return detector


def annotation(config: dict[str, Any]) -> VideoAnnotation:
    truth = make_gt(config)
    counts = np.array([1 + len(frame["boxes"]) for frame in truth])
    first, node_frame = np.cumsum(counts) - counts, np.repeat(np.arange(len(truth)), counts)
    objects = np.setdiff1d(np.arange(counts.sum()), first)
    labels = {}
    for group in SCHEMA.vocabulary.groups:
        labels[group.name] = np.zeros((len(objects), len(group)), bool)
        for row, chosen in zip(labels[group.name], (ids for frame in truth for ids in frame[group.name]), strict=True):
            row[chosen] = True
    return VideoAnnotation(
        schema=SCHEMA, video_id="golden", source_id="golden", split="test", fps=None,
        frame_key=tuple(map(str, range(len(truth)))), frame_number=np.arange(len(truth)), frame_unit=np.arange(len(truth)),
        frame_slot=np.zeros(len(truth)), frame_size=np.tile([config["width"], config["height"]], (len(truth), 1)) / config["scale"],
        node_box=np.concatenate([boxes for frame in truth for boxes in (frame["person"], frame["boxes"])]),
        node_class=[klass for frame in truth for klass in (1, *frame["classes"])], node_frame=node_frame,
        node_identity=np.full(len(node_frame), -1), action_class=[], pair_subject=first[node_frame[objects]], pair_object=objects,
        pair_frame=node_frame[objects], labels=labels,
    )  # fmt: skip


def extracted(prepared: Prepared, config: dict[str, Any], **changes: bool) -> Clip:
    prepared.pixels, prepared.network_scale = torch.from_numpy(make_image(config)["im_data"]), config["scale"]
    clip = Clip.from_annotation(annotation(config), config["mode"])
    width, height = clip.frame_size[0].int().tolist()
    images = [np.full((height, width, 3), t, np.uint8) for t in range(clip.frames)]
    options = {"learn": config["phase"] == "train", "reference_compat": True} | changes
    return ClipExtractor(prepared, config["mode"], **options)(images, clip)


def assert_sampled(ours: Tensor | None, recorded: dict[str, np.ndarray], name: str) -> None:
    assert ours is not None
    assert list(ours.shape) == recorded[f"{name}_shape"].tolist()
    np.testing.assert_allclose(
        ours.flatten()[sample_index(ours.numel())], recorded[f"{name}_sampled"], err_msg=name, **TOLERANCE
    )


def framed(frame: Tensor, box: Tensor) -> Tensor:
    return torch.cat([frame[:, None], box], dim=1)


def assert_pairs(clip: Clip, recorded: dict[str, np.ndarray]) -> None:
    np.testing.assert_array_equal(torch.stack([clip.pair_subject, clip.pair_object], dim=1), recorded["pair_idx"])
    np.testing.assert_array_equal(clip.pair_frame, recorded["im_idx"])
    assert clip.labels is not None
    for name, hot in clip.labels.items():
        np.testing.assert_array_equal(hot.sum(1), recorded[f"{name}_gt_lengths"])
        np.testing.assert_array_equal(hot.nonzero()[:, 1], recorded[f"{name}_gt_values"])
    assert_sampled(clip.pair_union, recorded, "union_feat")
    assert_sampled(clip.pair_mask, recorded, "spatial_masks")


@pytest.mark.parametrize("case", CASES)
def test_equals_the_reference(case: str, prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    config, recorded = read_case("fasterrcnn_ag", case)
    if config["mode"] == "sgdet" and config["phase"] == "test":  # recorded before STTran cleans them
        monkeypatch.setattr(
            "vidsgg.detectors.extraction.clean",
            lambda frame, box, distribution, _: (torch.arange(len(box)), distribution),
        )
    clip = extracted(prepared, config)

    np.testing.assert_allclose(framed(clip.node_frame, clip.node_box), recorded["boxes"], rtol=1e-4, atol=1e-3)
    assert_sampled(clip.node_feature, recorded, "features")
    if config["mode"] == "predcls":
        np.testing.assert_array_equal(clip.node_class, recorded["labels"])
        np.testing.assert_array_equal(clip.node_score, recorded["scores"])
    else:
        assert clip.node_distribution is not None
        np.testing.assert_allclose(clip.node_distribution[:, 1:], recorded["distribution"], **TOLERANCE)
        assert not clip.node_distribution[:, 0].any()
    if config["mode"] == "sgcls":
        np.testing.assert_allclose(clip.node_score, recorded["scores"], **TOLERANCE)
        np.testing.assert_array_equal(clip.node_distribution.argmax(1), recorded["pred_labels"])
        assert (clip.node_class == -1).all()
    if "labels" in recorded:
        np.testing.assert_array_equal(clip.node_target, recorded["labels"])
    if "union_box" in recorded:
        union = union_boxes(clip.node_box[clip.pair_subject], clip.node_box[clip.pair_object])
        np.testing.assert_allclose(framed(clip.pair_frame, union * config["scale"]), recorded["union_box"], rtol=1e-5)

    if config["phase"] == "train":
        assert not clip.classes_given and not clip.pairs_open
        assert_pairs(clip, recorded)
        if config["mode"] == "sgdet":
            np.testing.assert_allclose(clip.node_score, recorded["scores"], **TOLERANCE)
    elif config["mode"] == "predcls":
        assert_pairs(clip, recorded)
    elif config["mode"] == "sgcls":
        assert_candidates_hold_the_pairs(clip, recorded)
    else:
        np.testing.assert_array_equal(clip.node_distribution.argmax(1), recorded["pred_labels"])
        np.testing.assert_allclose(clip.node_distribution.amax(1), recorded["scores"], **TOLERANCE)
        beyond = clip.node_frame[
            (clip.node_box[:, 2:] > clip.frame_size[0] - 1 / config["scale"] + 1e-3).any(1)
        ].unique()
        assert beyond.tolist() == config["facts"]["frames_with_boxes_beyond_the_image"]


def assert_candidates_hold_the_pairs(clip: Clip, recorded: dict[str, np.ndarray]) -> None:
    """The annotated pairs are among the candidates, and every candidate has the map of its union
    box."""
    assert clip.pairs_open and clip.labels is None and clip.pair_mask is None and clip.pair_union is not None
    candidates = set(zip(clip.pair_subject.tolist(), clip.pair_object.tolist(), strict=True))
    assert {tuple(pair) for pair in recorded["pair_idx"].astype(int).tolist()} <= candidates
    counts = torch.bincount(clip.node_frame)
    assert len(candidates) == clip.pairs == (counts * (counts - 1) // 2).sum()


def test_every_frame_is_clipped_unless_the_reference_is_wanted(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = read_case("fasterrcnn_ag", "open-detector-sgdet-test")
    monkeypatch.setattr(prepared, "reference_compat", False)
    clip = extracted(prepared, config)
    limit = (torch.tensor([config["width"], config["height"]]) - 1) / config["scale"]
    assert (clip.node_box[:, 2:] <= limit + 1e-4).all()
    assert set(clip.node_frame.tolist()) == set(range(config["frames"])) and config["frames"] <= FRAMES_AT_ONCE


def test_the_person_of_a_pair_is_the_box_that_stands_for_it(prepared: Prepared) -> None:
    """Where the reference takes box 0 of the frame, which is nothing here, we take the one that
    overlaps the annotated person."""
    config, _ = read_case("fasterrcnn_ag", "open-detector-sgdet-train")
    compat, ours = extracted(prepared, config), extracted(prepared, config, reference_compat=False)
    truth = annotation(config)
    assert torch.equal(ours.pair_object, compat.pair_object)
    assert (compat.node_target[compat.pair_subject] == 0).all()
    assert (ours.node_target[ours.pair_subject] == 1).all()
    person = torch.from_numpy(truth.node_box[truth.node_class == 1])[ours.pair_frame]
    assert (ours.node_box[ours.pair_subject] - person).abs().max() < 0.25 * (person[:, 2:] - person[:, :2]).min()
    assert ours.pair_mask is not None and not torch.equal(ours.pair_mask, compat.pair_mask)
