"""Boxes of training videos that are moved and left out."""

from __future__ import annotations

import torch
from clips import entity_clip
from toys import ToyVideos

from vidsgg.datasets.box_noise import BoxNoise
from vidsgg.engine.loading import ClipLoader
from vidsgg.structures.clip import Clip


def clip() -> Clip:
    return entity_clip([3, 2, 4, 1] * 6, seed=1)


def test_edges_move_as_far_as_is_asked_and_stay_boxes_within_their_frames() -> None:
    before, after = clip(), BoxNoise(0.1, 0.0, 3).applied(clip(), 1)
    side = (before.node_box[:, 2:] - before.node_box[:, :2]).repeat(1, 2)
    moved = ((after.node_box - before.node_box) / side).flatten()
    assert after.nodes == before.nodes and 0.07 < moved.std() < 0.12 and moved.mean().abs() < 0.03
    assert (after.node_box[:, 2:] - after.node_box[:, :2] >= 1 - 1e-4).all() and (after.node_box >= 0).all()
    wild = BoxNoise(1.0, 0.0, 3).applied(clip(), 1)
    size = wild.frame_size[wild.node_frame]
    assert (wild.node_box[:, 2:] - wild.node_box[:, :2] >= 1 - 1e-4).all() and (wild.node_box[:, 2:] <= size).all()


def test_boxes_are_left_out_with_their_pairs_and_labels() -> None:
    before, after = clip(), BoxNoise(0.0, 0.3, 5).applied(clip(), 2)
    assert 0 < after.pairs < before.pairs and after.nodes < before.nodes and after.frames == before.frames
    kept = [before.node_box.tolist().index(box) for box in after.node_box.tolist()]
    pairs = list(zip(before.pair_subject.tolist(), before.pair_object.tolist(), strict=True))
    rows = [row for row, pair in enumerate(pairs) if set(pair) <= set(kept)]
    theirs = [(kept[s], kept[o]) for s, o in zip(after.pair_subject.tolist(), after.pair_object.tolist(), strict=True)]
    assert theirs == [pairs[row] for row in rows]
    assert before.labels is not None and after.labels is not None
    assert all(torch.equal(after.labels[name], before.labels[name][rows]) for name in before.labels)
    assert BoxNoise(0.0, 0.9, 0).applied(entity_clip([1], seed=0), 1).pairs == 1  # something has to be learnt from


def test_the_draw_is_a_function_of_seed_video_and_epoch() -> None:
    videos = ToyVideos(6)

    def boxes(epoch: int, first: int = 0, seed: int = 1, noise: bool = True) -> list[torch.Tensor]:
        loader = ClipLoader(videos, "predcls", learn=True, noise=BoxNoise(0.1, 0.2, seed) if noise else None)
        return [batch.clip.node_box for batch in loader.batches(epoch, first)]

    def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
        return len(one) == len(other) and all(map(torch.equal, one, other))

    assert same(boxes(2)[3:], boxes(2, first=3)) and same(boxes(2), boxes(2))
    assert not same(boxes(2), boxes(3)) and not same(boxes(2), boxes(2, seed=2))
    assert same(boxes(0), boxes(0, noise=False))  # a pass in which nothing is learnt
