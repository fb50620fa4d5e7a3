"""What a two-stage detector is taught: which windows and regions are objects, and a random part of
them for a step.

Letters: T frames, K windows or regions of a frame, G annotated boxes of a frame. Boxes are xyxy in
network pixels; sides count inclusively, x2 - x1 + 1. Source: jwyang/faster-rcnn.pytorch
``model/rpn/{anchor_target_layer,proposal_target_layer_cascade}.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

REGION_IS_OBJECT = 0.5  # least overlap


@dataclass(frozen=True)
class WindowSampling:
    """Which windows of a frame the proposal network learns from: ``count``, at most half of them
    objects.

    Objects are windows that overlap an annotated box by ``least`` or more, and those that overlap
    one as much as no other does, however little; background is what overlaps all by less than
    ``most``.
    """

    count: int = 256
    least: float = 0.7
    most: float = 0.3


@dataclass(frozen=True, eq=False)
class Truth:
    """The annotated boxes of some frames. box (T, G, 4); klass (T, G) long, 0 in the rows that fill
    up frames with fewer."""

    box: Tensor
    klass: Tensor

    @classmethod
    def of(cls, boxes: Sequence[Tensor], classes: Sequence[Tensor]) -> Truth:
        """boxes (n, 4) and classes (n,) of every frame; n may be 0."""
        # One more with a single row, taken away again: G is at least 1, which spares everybody else
        # the case of 0.
        padded = [
            pad_sequence([*rows, rows[0].new_zeros(1, *rows[0].shape[1:])], batch_first=True)[:-1]
            for rows in (boxes, classes)
        ]
        return cls(*padded)

    def overlap(self, box: Tensor) -> Tensor:
        """Intersection over union (T, K, G) of boxes (T, K, 4) with the annotated ones; 0 with rows
        that only fill up."""
        corner = torch.minimum(box[:, :, None, 2:], self.box[:, None, :, 2:]) - torch.maximum(
            box[:, :, None, :2], self.box[:, None, :, :2]
        )
        shared = (corner + 1).clamp(min=0).prod(dim=3)
        area, own_area = ((b[..., 2:] - b[..., :2] + 1).prod(dim=2) for b in (box, self.box))
        overlap = shared / (area[:, :, None] + own_area[:, None] - shared)
        return overlap.masked_fill(self.klass[:, None] == 0, 0)

    def shaken(self, copies: int) -> Tensor:
        """(T, copies * G, 4): the annotated boxes with every edge moved at random by up to a fifth
        of the side; rows that fill up stay."""
        box = self.box.repeat(1, copies, 1)
        side = (box[..., 2:] - box[..., :2]).repeat(1, 1, 2)
        return box + 0.4 * (torch.rand_like(box) - 0.5) * side

    def take(self, match: Tensor) -> tuple[Tensor, Tensor]:
        """Box (T, K, 4) and class (T, K) of the annotated boxes ``match`` (T, K)."""
        return self.box.gather(1, match[..., None].expand(-1, -1, 4)), self.klass.gather(1, match)


@dataclass(frozen=True, eq=False)
class Targets:
    """is_object, is_background (T, K) bool: never both; a row that is neither teaches nothing.
    match (T, K): row of the best annotated box."""

    is_object: Tensor
    is_background: Tensor
    match: Tensor

    def sample(self, count: int, most_objects: int) -> Targets:
        """A random part, at most ``count`` rows of every frame and ``most_objects`` objects among
        them; background fills up.

        The objects are taken from all annotated boxes in turn. The reference takes them as they
        come, and since the more rows overlap a box the larger it is, it learns mostly persons and
        furniture at first.
        """
        lot, again = torch.rand(2, *self.match.shape, device=self.match.device)
        turn = _rank_within(self.match, lot.masked_fill(~self.is_object, 2))
        is_object = _least(self.is_object, turn + again, torch.full_like(self.match[:, 0], most_objects), most_objects)
        return Targets(is_object, _least(self.is_background, lot, count - is_object.sum(1), count), self.match)


def window_targets(windows: Tensor, truth: Truth, size: Tensor, sampling: WindowSampling) -> Targets:
    """The windows (K, 4) of the proposal network. size (T, 2): width and height of every frame.
    Windows that leave it are neither."""
    inside = (windows[:, :2] >= 0).all(1) & (windows[None, :, 2:] < size[:, None]).all(2)
    overlap = truth.overlap(windows.expand(len(size), -1, -1)) * inside[..., None]
    best, match = overlap.max(2)
    best_of_box = overlap.amax(1, keepdim=True)
    is_object = (best >= sampling.least) | ((overlap == best_of_box) & (best_of_box > 0)).any(2)
    return Targets(is_object, inside & ~is_object & (best < sampling.most), match)


def region_targets(regions: Tensor, truth: Truth) -> Targets:
    """The regions (T, K, 4) of the second stage: objects from an overlap of 0.5, background below.
    Rows without extent are neither."""
    best, match = truth.overlap(regions).max(2)
    real = (regions[..., 2:] > regions[..., :2]).all(2)
    return Targets(real & (best >= REGION_IS_OBJECT), real & (best < REGION_IS_OBJECT), match)


def _least(candidates: Tensor, key: Tensor, count: Tensor, limit: int) -> Tensor:
    """The candidates (T, K) bool with the least keys (T, K), at most ``count`` (T,) of every frame,
    which is at most ``limit``."""
    limit = min(limit, key.shape[1])
    rows = key.masked_fill(~candidates, torch.inf).topk(limit, dim=1, largest=False).indices
    wanted = torch.arange(limit, device=count.device) < count[:, None]
    return candidates & torch.zeros_like(candidates).scatter_(1, rows, wanted)


def _rank_within(group: Tensor, key: Tensor) -> Tensor:
    """(T, K): how many rows of the same frame and group (T, K) have a smaller key (T, K), which is
    less than 3."""
    order = (3 * group + key).argsort(dim=1)
    sorted_group = group.gather(1, order)
    rank = torch.arange(group.shape[1], device=group.device) - torch.searchsorted(sorted_group, sorted_group)
    return torch.empty_like(rank).scatter_(1, order, rank)
