"""Average precision of detected boxes, as COCO defines it (Lin et al. 2014;
cocodataset.org/#detection-eval).

Letters: R detections, N annotated boxes, O classes with the background at 0. Boxes are xyxy in
pixels on a continuous axis: a side is x2 - x1, as COCO counts, and not x2 - x1 + 1 as the recall of
relations does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidsgg.errors import counted
from vidsgg.structures.checks import Array

MOST_PER_FRAME = 100  # detections of a class in a frame that count, the best ones
OVERLAPS = np.linspace(0.5, 0.95, 10)  # over which ``ap`` averages


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """Average precision by class, as fractions of 1.

    ap50 (O,): at an overlap of 0.5. ap (O,): mean over the overlaps 0.5, 0.55, ..., 0.95. Both are
    nan for the background and for classes that are not annotated anywhere. boxes (O,): annotated
    boxes of every class. frames: how many were scored.
    """

    classes: tuple[str, ...]
    ap50: Array
    ap: Array
    boxes: Array
    frames: int

    @property
    def scored(self) -> int:
        """How many classes the means are over: those with an annotated box."""
        return int((self.boxes > 0).sum())

    @property
    def map50(self) -> float:
        """Mean of ``ap50`` over the classes with an annotated box."""
        return float(np.nanmean(self.ap50))

    @property
    def map(self) -> float:
        """Mean of ``ap`` over the classes with an annotated box."""
        return float(np.nanmean(self.ap))

    def describe(self) -> str:
        """``mAP50 51.20 - mAP 28.40 (mean over 32 of 36 classes, 658 frames)``, in percent."""
        over = f"mean over {self.scored} of {len(self.classes) - 1} classes, {counted(self.frames, 'frame')}"
        return f"mAP50 {100 * self.map50:.2f} - mAP {100 * self.map:.2f} ({over})"

    def table(self) -> str:
        """Every annotated class with its precision in percent, the most common first, and the
        means."""
        width = max(len(name) for name in self.classes)
        lines = [f"{'class':<{width}}  boxes   AP50     AP"]
        for k in np.argsort(-self.boxes, kind="stable")[: self.scored]:
            lines.append(
                f"{self.classes[k]:<{width}}  {self.boxes[k]:>5}  {100 * self.ap50[k]:>5.1f}  {100 * self.ap[k]:>5.1f}"
            )
        lines.append(f"{'mean':<{width}}  {self.boxes.sum():>5}  {100 * self.map50:>5.1f}  {100 * self.map:>5.1f}")
        absent = [name for name, count in zip(self.classes[1:], self.boxes[1:], strict=True) if not count]
        return "\n".join(
            [*lines, *([f"not annotated here and not in the mean: {', '.join(absent)}"] if absent else [])]
        )


@dataclass(frozen=True, eq=False)
class LabelledBoxes:
    """Boxes of some frames. frame (R,) int: number of the frame. klass (R,) int. box (R, 4). score
    (R,): only of detections."""

    frame: Array
    klass: Array
    box: Array
    score: Array | None = None


def average_precision(
    frames: int, truth: LabelledBoxes, found: LabelledBoxes, classes: Sequence[str]
) -> DetectionResult:
    """Precision of what was ``found`` in frames 0 to ``frames`` - 1, all of which count, against
    the annotated boxes.

    classes: names by index, the background first. Raises ValueError if nothing is annotated.
    """
    from faster_coco_eval import COCO, COCOeval_faster  # here: it loads a library that only this needs

    if not len(truth.klass):
        raise ValueError("no annotated box: precision has no meaning")
    base = {
        "images": [{"id": frame} for frame in range(frames)],
        "categories": [{"id": k} for k in range(1, len(classes))],
    }
    evaluation = COCOeval_faster(
        COCO({**base, "annotations": _records(truth)}), COCO({**base, "annotations": _records(found)}), "bbox"
    )
    evaluation.params.iouThrs, evaluation.params.maxDets = OVERLAPS, [MOST_PER_FRAME]
    evaluation.evaluate()
    evaluation.accumulate()
    # (overlap, recall, class, range of areas, most detections); -1 where a class is not annotated.
    precision = evaluation.eval["precision"][:, :, :, 0, 0]
    precision = np.where(precision < 0, np.nan, precision).mean(1)
    absent = np.full(1, np.nan)
    return DetectionResult(
        classes=tuple(classes),
        ap50=np.concatenate([absent, precision[0]]),
        ap=np.concatenate([absent, precision.mean(0)]),
        boxes=np.bincount(truth.klass, minlength=len(classes)),
        frames=frames,
    )


class DetectionScores:
    """Collects frames, a few at a time, for ``average_precision`` over all of them."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes, self.frames = tuple(classes), 0
        self._truth: list[LabelledBoxes] = []
        self._found: list[LabelledBoxes] = []

    def update(self, frames: int, truth: LabelledBoxes, found: LabelledBoxes) -> None:
        """Some more frames, numbered from 0."""
        for kept, new in ((self._truth, truth), (self._found, found)):
            kept.append(LabelledBoxes(new.frame + self.frames, new.klass, new.box, new.score))
        self.frames += frames

    def compute(self) -> DetectionResult:
        return average_precision(self.frames, _together(self._truth), _together(self._found), self.classes)


def _together(parts: Sequence[LabelledBoxes]) -> LabelledBoxes:
    frame, klass, box = (np.concatenate([getattr(part, name) for part in parts]) for name in ("frame", "klass", "box"))
    scores = [part.score for part in parts if part.score is not None]
    return LabelledBoxes(frame, klass, box, np.concatenate(scores) if scores else None)


def _records(boxes: LabelledBoxes) -> list[dict[str, object]]:
    side = boxes.box[:, 2:] - boxes.box[:, :2]
    xywh, area = np.concatenate([boxes.box[:, :2], side], 1).tolist(), side.prod(1).tolist()
    score = np.ones(len(xywh)) if boxes.score is None else boxes.score
    columns = zip(boxes.frame.tolist(), boxes.klass.tolist(), xywh, area, score.tolist(), strict=True)
    return [
        {"id": i, "image_id": frame, "category_id": klass, "bbox": box, "area": size, "score": s, "iscrowd": 0}
        for i, (frame, klass, box, size, s) in enumerate(columns, 1)
    ]
