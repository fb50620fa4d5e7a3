"""From what a network says of a picture to the boxes that are found in it.

Letters: N candidates of a picture, L labels of the detector, O classes with the background at 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vidsgg.detectors.base import SCORE_FLOOR, FoundBoxes
from vidsgg.detectors.labels import LabelMap
from vidsgg.errors import DataError, short
from vidsgg.ops.kernels import nms

OVERLAP = 0.6  # IoU above which the surer of two boxes of a class stays
MOST_BOXES = 100  # of a picture
_MOST_COMPARED = 2000  # the surest boxes of a picture, which suppress each other
_LEAST_SIDE = 1.0  # pixels


@dataclass(frozen=True, eq=False)
class BoxCandidates:
    """Boxes of one picture with the probabilities of their labels, before suppression.

    box (N, 4): xyxy in pixels of the picture, which it may leave. probability (N, L): 0..1.
    exclusive: labels exclude one another (a softmax), see ``LabelMap.grouped``.
    """

    box: Tensor
    probability: Tensor
    exclusive: bool = False


def one_label(box: Tensor, label: Tensor, score: Tensor, labels: int, source: str) -> BoxCandidates:
    """BoxCandidates of a network that says one label (N,) long and one score (N,) of each box.

    Raises DataError naming the source for a label beyond ``labels``.
    """
    if len(label) and not 0 <= int(label.min()) <= int(label.max()) < labels:
        wrong = int(label.max()) if int(label.max()) >= labels else int(label.min())
        raise DataError(
            f"{source}: says label number {wrong}, but its labels are numbered 0 to {labels - 1}; check -classes."
        )
    probability = score.new_zeros(len(box), labels)
    probability[torch.arange(len(box), device=box.device), label] = score
    return BoxCandidates(box, probability)


class Chooser:
    """Of what a network says of pictures, the boxes that are classes of the vocabulary.

    source: the detector, for messages. sure_from: the score from which a box counts in ``left_out``.
    """

    def __init__(self, labels: LabelMap, source: str, sure_from: float) -> None:
        self.labels, self.source, self.sure_from = labels, source, sure_from
        self.left_out = Counter[str]()  #: in how many pictures so far a label was seen that is no class

    def __call__(self, found: Sequence[BoxCandidates], sizes: Sequence[tuple[int, int]]) -> FoundBoxes:
        """The boxes of some pictures, the surest of those of a class that overlap.

        sizes: width and height of every picture. A box counts for every class that is likely enough
        for it, or, where labels exclude one another, for the likeliest; not at all for those that
        are less likely than a label that is no class. What stays is clipped to its picture. Raises
        DataError if the network's numbers are no boxes or no probabilities.
        """
        parts = [_of_picture(one, size, self.labels, self.source) for one, size in zip(found, sizes, strict=True)]
        for one in found:
            self.left_out.update(self.labels.left_out_of(one.probability, self.sure_from))
        counts = torch.tensor([len(box) for box, *_ in parts])
        box, klass, score, distribution = (torch.cat(column) for column in zip(*parts, strict=True))
        frame = torch.arange(len(parts)).repeat_interleave(counts).to(box.device)
        return FoundBoxes(frame, box, klass, score, distribution)


def _of_picture(
    found: BoxCandidates, size: tuple[int, int], labels: LabelMap, source: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """box, klass, score, distribution; by class and falling score."""
    box, probability = found.box.float(), found.probability.float()
    if probability.numel():
        least, most = probability.aminmax()
        if not (least >= -1e-3 and most <= 1 + 1e-3):  # also false for NaN
            between = f"from {short(float(least))} to {short(float(most))}"
            raise DataError(f"{source}: gives scores {between}, which are no probabilities.")
    if not found.exclusive:  # most candidates are far below; of a softmax labels may have to be added up first
        sure = (probability >= SCORE_FLOOR).any(1)
        box, probability = box[sure], probability[sure]
    of_class = labels.grouped(probability.clamp(0, 1), exclusive=found.exclusive).clamp(max=1)
    counts = (of_class >= SCORE_FLOOR) & (of_class >= of_class[:, :1])
    if found.exclusive:
        counts &= of_class == of_class.amax(1, keepdim=True)
    counts[:, 0] = False
    row, klass = counts.nonzero(as_tuple=True)
    box, score = box[row], of_class[row, klass]
    if not box.isfinite().all():
        raise DataError(f"{source}: returns boxes whose edges are not finite numbers.")
    order = score.argsort(descending=True, stable=True)[:_MOST_COMPARED]
    if len(order):
        # Classes are moved apart so that they do not suppress each other. In single precision that would move edges.
        apart = box[order].double()
        apart = apart + klass[order, None] * (apart.max() - apart.min() + 1)
        order = order[nms(apart, score[order].double(), OVERLAP)][:MOST_BOXES]
    order = order[klass[order].argsort(stable=True)]
    box = torch.minimum(box[order].clamp(min=0), box.new_tensor([*size, *size]))
    wide = (box[:, 2:] - box[:, :2] >= _LEAST_SIDE).all(1)
    order = order[wide]
    things = torch.nn.functional.pad(of_class[row[order], 1:], (1, 0))
    return box[wide], klass[order], score[order], things / things.sum(1, keepdim=True)
