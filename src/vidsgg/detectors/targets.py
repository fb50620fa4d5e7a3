"""What a two-stage detector is taught: which windows and regions are objects, and a random part of them for a step.

Letters: T frames, K windows or regions of a frame, G annotated boxes of a frame. Boxes are xyxy in network pixels; sides count
inclusively, x2 - x1 + 1. Source: jwyang/faster-rcnn.pytorch ``model/rpn/{anchor_target_layer,proposal_target_layer_cascade}.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

WINDOW_IS_OBJECT, WINDOW_IS_BACKGROUND = 0.7, 0.3  # least and largest overlap
REGION_IS_OBJECT = 0.5


@dataclass(frozen=True, eq=False)
class Truth:
    """The annotated boxes of some frames. box (T, G, 4); klass (T, G) long, 0 in the rows that fill up frames with fewer."""

    box: Tensor
    klass: Tensor

    @classmethod
    def of(cls, boxes: Sequence[Tensor], classes: Sequence[Tensor]) -> Truth:
        """boxes (n, 4) and classes (n,) of every frame; n may be 0."""
        return cls(pad_sequence(list(boxes), batch_first=True), pad_sequence(list(classes), batch_first=True))

    def overlap(self, box: Tensor) -> Tensor:
        """Intersection over union (T, K, G) of boxes (T, K, 4) with the annotated ones; 0 with rows that only fill up."""
        corner = torch.minimum(box[:, :, None, 2:], self.box[:, None, :, 2:]) - torch.maximum(box[:, :, None, :2], self.box[:, None, :, :2])
        shared = (corner + 1).clamp(min=0).prod(dim=3)
        area, own_area = ((b[..., 2:] - b[..., :2] + 1).prod(dim=2) for b in (box, self.box))
        overlap = shared / (area[:, :, None] + own_area[:, None] - shared)
        return overlap.masked_fill(self.klass[:, None] == 0, 0)

    def take(self, match: Tensor) -> tuple[Tensor, Tensor]:
        """Box (T, K, 4) and class (T, K) of the annotated boxes ``match`` (T, K)."""
        return self.box.gather(1, match[..., None].expand(-1, -1, 4)), self.klass.gather(1, match)


@dataclass(frozen=True, eq=False)
class Targets:
    """is_object, is_background (T, K) bool: never both; a row that is neither teaches nothing. match (T, K): row of the best annotated box."""

    is_object: Tensor
    is_background: Tensor
    match: Tensor

    def sample(self, count: int, most_objects: int) -> Targets:
        """A random part, at most ``count`` rows of every frame and ``most_objects`` objects among them; background fills up."""
        is_object = _some(self.is_object, torch.full_like(self.match[:, 0], most_objects))
        return Targets(is_object, _some(self.is_background, count - is_object.sum(1)), self.match)


def window_targets(windows: Tensor, truth: Truth, size: Tensor) -> Targets:
    """The windows (K, 4) of the proposal network. size (T, 2): width and height of every frame.

    Objects are windows that overlap an annotated box by at least 0.7, and those that overlap one as much as no other does, however
    little; background is what overlaps all by less than 0.3. Windows that leave the frame are neither.
    """
    inside = (windows[:, :2] >= 0).all(1) & (windows[None, :, 2:] < size[:, None]).all(2)
    overlap = truth.overlap(windows.expand(len(size), -1, -1)) * inside[..., None]
    best, match = overlap.max(2)
    best_of_box = overlap.amax(1, keepdim=True)
    is_object = (best >= WINDOW_IS_OBJECT) | ((overlap == best_of_box) & (best_of_box > 0)).any(2)
    return Targets(is_object, inside & ~is_object & (best < WINDOW_IS_BACKGROUND), match)


def region_targets(regions: Tensor, truth: Truth) -> Targets:
    """The regions (T, K, 4) of the second stage: objects from an overlap of 0.5, background below. Rows without extent are neither."""
    best, match = truth.overlap(regions).max(2)
    real = (regions[..., 2:] > regions[..., :2]).all(2)
    return Targets(real & (best >= REGION_IS_OBJECT), real & (best < REGION_IS_OBJECT), match)


def _some(candidates: Tensor, count: Tensor) -> Tensor:
    """A random part of the candidates (T, K) bool, at most ``count`` (T,) of every frame."""
    lot = torch.rand(candidates.shape, device=candidates.device).masked_fill(~candidates, 2)
    return candidates & (lot.argsort(dim=1).argsort(dim=1) < count[:, None])
