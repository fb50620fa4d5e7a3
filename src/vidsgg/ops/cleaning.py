"""Which detections become nodes when SGDET is scored: second chances for some classes, then
suppression within every class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidsgg.ops.nms import nms_inclusive
from vidsgg.ops.pairing import most_likely

OVERLAP = 0.6  # within a class, above which the weaker box goes


def clean(
    frame: Tensor,
    box: Tensor,
    distribution: Tensor,
    often_wrong: Sequence[int],
    detected: Tensor | None = None,
    *,
    overlap: float = OVERLAP,
) -> tuple[Tensor, Tensor]:
    """The boxes that stay, some of them copied.

    frame (R,) long. box (R, 4) xyxy in pixels of the original frame. distribution (R, O): class
    probabilities, the background's column
    first, which is not read. often_wrong: increasing. First, for each of these classes, every box
    of that class is copied, and the
    copy cannot be of that class: its probability is set to 0. Then, in every frame and class, the
    box with the highest probability of the class suppresses those that overlap it by more than
    ``overlap``.
    detected: the classes (R,) by which boxes are copied, where they are not the most likely ones; a
    copy is of the most likely class that remains.

    Returns for the R' boxes that stay, by frame, class and falling probability: rows of the input
    (R',) long, and the distribution (R', O), not normalised again. Source: yrcong/STTran
    ``lib/sttran.py`` lines 178-214.
    """
    row = torch.arange(len(frame), device=frame.device)
    klass = most_likely(distribution) if detected is None else detected
    for column in often_wrong:
        again = (klass == column).nonzero().squeeze(1)
        copies = distribution[again]
        copies[:, column] = 0
        row, distribution, klass = (
            torch.cat([row, row[again]]),
            torch.cat([distribution, copies]),
            torch.cat([klass, most_likely(copies)]),
        )
    klass = most_likely(distribution)
    score = distribution.gather(1, klass[:, None]).squeeze(1)
    group = frame[row] * distribution.shape[1] + klass
    order = score.argsort(descending=True, stable=True)
    order = order[group[order].argsort(stable=True)]
    order = order[nms_inclusive(box[row[order]], score[order], group[order], overlap)]
    return row[order], distribution[order]
