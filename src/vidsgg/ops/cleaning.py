"""Which detections become nodes when SGDET is scored: second chances for some classes, then suppression within every class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidsgg.ops.nms import nms_inclusive

# The classes that the published detector sees too often; a box of theirs may also be what it looks like next.
OFTEN_WRONG = ("book", "chair", "food")
OVERLAP = 0.6  # within a class, above which the weaker box goes


def clean(
    frame: Tensor, box: Tensor, distribution: Tensor, objects: Sequence[str], detected: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The boxes that stay, some of them copied.

    frame (R,) long. box (R, 4) xyxy in pixels of the original frame. distribution (R, O): class probabilities, the background's column
    first, which is not read. objects: the O class names. First, for each class of ``OFTEN_WRONG`` in the order of ``objects``, every box
    of that class is copied, and the copy cannot be of that class: its probability is set to 0. Then, in every frame and class, the box
    with the highest probability of the class suppresses those that overlap it by more than 0.6. detected: the classes (R,) by which boxes
    are copied, where they are not the most likely ones; a copy is of the most likely class that remains.

    Returns for the R' boxes that stay, by frame, class and falling probability: rows of the input (R',) long, and the distribution
    (R', O), not normalised again. Source: yrcong/STTran ``lib/sttran.py`` lines 178-214.
    """
    row = torch.arange(len(frame), device=frame.device)
    klass = _likeliest(distribution) if detected is None else detected
    for name in sorted(set(OFTEN_WRONG) & set(objects), key=objects.index):
        column = objects.index(name)
        again = (klass == column).nonzero().squeeze(1)
        copies = distribution[again]
        copies[:, column] = 0
        row, distribution, klass = torch.cat([row, row[again]]), torch.cat([distribution, copies]), torch.cat([klass, _likeliest(copies)])
    klass = _likeliest(distribution)
    score = distribution.gather(1, klass[:, None]).squeeze(1)
    group = frame[row] * distribution.shape[1] + klass
    order = score.argsort(descending=True, stable=True)
    order = order[group[order].argsort(stable=True)]
    order = order[nms_inclusive(box[row[order]], score[order], group[order], OVERLAP)]
    return row[order], distribution[order]


def _likeliest(distribution: Tensor) -> Tensor:
    """(R,) the most likely class of every row that is not the background; of equal ones the first."""
    return distribution[:, 1:].argmax(1) + 1
