"""What ONNX detectors give, by the conventions of those who export them, told apart by names and shapes of the outputs.

Letters: T pictures of a batch, L labels, A places of a grid, Q queries, D boxes. Boxes of the network are in pixels of its input.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vidsgg.detectors.candidates import BoxCandidates, one_label
from vidsgg.errors import CheckpointError

Outputs = Mapping[str, Tensor]  # by name, as the network gives them
_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))  # mean and deviation of R, G, B
_TABLE = re.compile(r"(cls|dis)_pred_stride_(\d{1,4})")
_BINS = 11  # NanoDet's distances 0 ... 10


@dataclass(frozen=True)
class InputStyle:
    """How the networks of a convention read their pictures, unless the file says otherwise; see ``NetworkInput``."""

    bgr: bool = False
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (255.0, 255.0, 255.0)


class OutputConvention(ABC):
    """A way of saying which boxes there are."""

    name: str  # in words
    style = InputStyle()

    @abstractmethod
    def candidates(self, outputs: Outputs, picture: int, source: str) -> BoxCandidates:
        """The boxes of one picture of the batch, in pixels of the network's input. source: the file, for messages."""


@dataclass(frozen=True)
class Suppressed(OutputConvention):
    """(D, 6) or (T, D, 6): x1, y1, x2, y2, score and number of the label; ends with rows of score 0 where D is fixed."""

    output: str
    labels: int
    name = "boxes that are decoded and suppressed"

    def candidates(self, outputs: Outputs, picture: int, source: str) -> BoxCandidates:
        found = outputs[self.output]
        rows = found if found.ndim == 2 else found[picture]
        rows = rows[rows[:, 4] != 0]
        return one_label(rows[:, :4], whole(rows[:, 5], source), rows[:, 4], self.labels, source)


@dataclass(frozen=True)
class ThreeLists(OutputConvention):
    """boxes (T, D, 4) xyxy, scores (T, D) and labels (T, D), of one picture also without T, as torchvision and RT-DETR's authors export."""

    boxes: str
    scores: str
    numbers: str
    labels: int
    name = "lists of boxes, scores and labels"

    def candidates(self, outputs: Outputs, picture: int, source: str) -> BoxCandidates:
        box, score, number = (outputs[name] for name in (self.boxes, self.scores, self.numbers))
        if box.ndim == 3:
            box, score, number = box[picture], score[picture], number[picture]
        return one_label(box, whole(number, source), score, self.labels, source)


@dataclass(frozen=True)
class GridRows(OutputConvention):
    """(T, 4 + L, A): centre x, centre y, width, height, then a probability of every label, as YOLOv8 and its successors have it.

    Further rows (masks, key points) are passed over.
    """

    output: str
    labels: int
    name = "YOLOv8's rows"

    def candidates(self, outputs: Outputs, picture: int, source: str) -> BoxCandidates:
        found = outputs[self.output][picture]
        return BoxCandidates(corners(found[:4].T), found[4 : 4 + self.labels].T)


@dataclass(frozen=True)
class Queries(OutputConvention):
    """Logits (T, Q, L) or, with one more for nothing, (T, Q, L + 1), and boxes (T, Q, 4), as DETR and its successors have it.

    Boxes are centre x, centre y, width and height as parts of the input. With a logit for nothing, labels exclude one
    another (a softmax) and pictures are normalised as ImageNet's; without, neither.
    """

    logits: str
    boxes: str
    exclusive: bool
    width: int
    height: int
    name = "DETR's logits and boxes"

    @property
    def style(self) -> InputStyle:  # type: ignore[override]
        return InputStyle(False, *_IMAGENET) if self.exclusive else InputStyle()

    def candidates(self, outputs: Outputs, picture: int, source: str) -> BoxCandidates:
        logits, box = outputs[self.logits][picture].float(), outputs[self.boxes][picture].float()
        probability = logits.softmax(1)[:, :-1] if self.exclusive else logits.sigmoid()
        side = box.new_tensor([self.width, self.height] * 2)
        return BoxCandidates(corners(box) * side, probability, self.exclusive)


@dataclass(frozen=True)
class StrideTables(OutputConvention):
    """NanoDet's tables: for each stride s ``cls_pred_stride_<s>`` (T, A, L), probabilities, and ``dis_pred_stride_<s>`` (T, A, 4 * 11).

    Of the places row by row, centres at ((column + 0.5) s, (row + 0.5) s); the distances to the left, top, right and
    bottom edge are means of the softmax of 11 logits, times s; clipped to the input. Source: RangiLyu/nanodet, Generalized Focal Loss (Li et al. 2020).
    """

    strides: tuple[int, ...]
    width: int
    height: int
    name = "NanoDet's tables"
    style = InputStyle(bgr=True, mean=_IMAGENET[0][::-1], std=_IMAGENET[1][::-1])

    def candidates(self, outputs: Outputs, picture: int, source: str) -> BoxCandidates:
        boxes, probabilities = [], []
        for stride in self.strides:
            probability = outputs[f"cls_pred_stride_{stride}"][picture]
            columns, rows = -(-self.width // stride), -(-self.height // stride)
            distance = outputs[f"dis_pred_stride_{stride}"][picture].view(-1, 4, _BINS).softmax(2)
            distance = stride * (distance @ torch.arange(_BINS, dtype=distance.dtype, device=distance.device))
            x = stride * (torch.arange(columns, device=distance.device) + 0.5)
            y = stride * (torch.arange(rows, device=distance.device) + 0.5)
            centre = torch.stack([x.repeat(rows), y.repeat_interleave(columns)], 1)
            boxes.append(torch.cat([centre - distance[:, :2], centre + distance[:, 2:]], 1))
            probabilities.append(probability)
        box = torch.cat(boxes)
        box = torch.minimum(box.clamp(min=0), box.new_tensor([self.width, self.height] * 2))
        return BoxCandidates(box, torch.cat(probabilities))


def recognise(outputs: Outputs, labels: int | None, size: tuple[int, int], where: str) -> OutputConvention:
    """The convention that a network follows, by what it gave for one picture.

    labels: how many names there are; None if the file tells none. size: width and height of the input. where: the
    file. Raises CheckpointError saying what it gives if that is no convention known here, or if there are no
    names or as many as it needs.
    """
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    lower = {name.lower(): name for name in outputs}
    if strides := _strides(shapes, size):
        _check_labels(labels, shapes[f"cls_pred_stride_{strides[0]}"][2], where)
        return StrideTables(strides, *size)
    if pair := _logits_and_boxes(shapes):
        logits, boxes = pair
        count = shapes[logits][2]
        if labels is not None and count not in (labels, labels + 1):
            raise CheckpointError(
                f"{where}: gives {count} logits a box, but there are {labels} labels; name its own with -classes FILE."
            )
        _check_labels(labels, labels if labels in (count, count - 1) else count, where)
        return Queries(logits, boxes, count == (labels or 0) + 1, *size)
    if {"boxes", "scores", "labels"} <= set(lower):
        box, score, number = (shapes[lower[name]] for name in ("boxes", "scores", "labels"))
        if len(box) in (2, 3) and box[-1] == 4 and score == number == box[:-1]:
            _check_labels(labels, None, where)
            return ThreeLists(lower["boxes"], lower["scores"], lower["labels"], labels or 0)
    for name, shape in shapes.items():
        if len(shape) in (2, 3) and shape[-1] == 6 and (len(shape) == 2 or shape[1] != 4 + (labels or 0)):
            _check_labels(labels, None, where)
            return Suppressed(name, labels or 0)
    for name, shape in shapes.items():
        if len(shape) == 3 and 5 <= shape[1] < shape[2]:
            _check_labels(labels, shape[1] - 4, where, more=len(shapes) > 1)
            return GridRows(name, labels or 0)
    given = ", ".join(f"{name[:60]} {shape}" for name, shape in list(shapes.items())[:8])
    raise CheckpointError(
        f"{where}: gives {given}, which is not a known form of boxes. Known are (D, 6) after suppression, YOLOv8's (N, 4"
        " + C, A), DETR's logits and boxes, lists of boxes, scores and labels, or NanoDet's tables. Export it"
        " with one of them (YOLOv5 and YOLOX: with suppression in the graph)."
    )


def _strides(shapes: Mapping[str, tuple[int, ...]], size: tuple[int, int]) -> tuple[int, ...]:
    """NanoDet's strides, increasing; none if these are not its tables."""
    found = sorted(int(match[2]) for name in shapes if (match := _TABLE.fullmatch(name)) and match[1] == "cls")
    for stride in found:
        places = 0 if stride == 0 else -(-size[0] // stride) * -(-size[1] // stride)
        classes, distances = shapes[f"cls_pred_stride_{stride}"], shapes.get(f"dis_pred_stride_{stride}", ())
        if len(classes) != 3 or classes[1] != places or distances[1:] != (places, 4 * _BINS):
            return ()
    return tuple(found)


def _logits_and_boxes(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, str] | None:
    """DETR's two outputs, by name."""
    logits = [name for name, shape in shapes.items() if "logit" in name.lower() and len(shape) == 3]
    boxes = [name for name, shape in shapes.items() if "box" in name.lower() and len(shape) == 3 and shape[2] == 4]
    if len(logits) == len(boxes) == 1 and shapes[logits[0]][:2] == shapes[boxes[0]][:2]:
        return logits[0], boxes[0]
    return None


def _check_labels(labels: int | None, needed: int | None, where: str, *, more: bool = False) -> None:
    """more: the network may give further numbers beside those of labels."""
    if labels is None:
        count = "" if needed is None else f" of {needed} labels"
        raise CheckpointError(
            f"{where}: tells no names{count}; give them with -classes FILE, one per line in the network's order."
        )
    if needed is not None and labels != needed and not (more and labels < needed):
        raise CheckpointError(
            f"{where}: tells {needed} labels apart, but there are {labels} names; give its own with -classes FILE."
        )


def corners(box: Tensor) -> Tensor:
    """Boxes (N, 4) of centre x, centre y, width and height as xyxy."""
    centre, half = box[:, :2], box[:, 2:] / 2
    return torch.cat([centre - half, centre + half], 1)


def whole(number: Tensor, source: str) -> Tensor:
    """Numbers of labels, which may come as float. Raises CheckpointError if some are no numbers."""
    if number.is_floating_point() and not bool((number.isfinite() & (number.abs() < 2**31)).all()):
        raise CheckpointError(f"{source}: returns label numbers that are not numbers.")
    return number.long()
