"""How the two boxes of a pair lie to each other.

Letters: P pairs; w, h width and height of the subject's box; K cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST = 1e-3  # pixels that a side has at least, so that nothing is divided by zero


@dataclass(frozen=True, eq=False)
class PairGeometry:
    """All (P,) float, but for the last."""

    gap: Tensor  # distance between the boxes, in max(w, h); 0 if they overlap
    cover: Tensor  # share of the thing inside the subject's box
    covered: Tensor  # share of the subject inside the thing's box
    ratio: Tensor  # area of the thing in areas of the subject
    u: Tensor  # the thing's centre from the subject's left side, in w: 0..1 within it
    v: Tensor  # the thing's centre from the subject's top, in h
    top: Tensor  # the thing's upper side from the subject's top, in h
    bottom: Tensor  # its lower side
    foot: Tensor  # how far the subject's lower side is below the thing's upper one, in heights of the thing
    width: Tensor  # of the thing, in w
    overlap: Tensor  # from left to right, in w
    wide: Tensor  # w / h
    feet: Tensor  # (P,) float: how far the subject's lower side is above the picture's, in heights of the picture

    @property
    def within(self) -> Tensor:
        """(P,) bool: the thing's centre is within the subject's width."""
        return (self.u >= 0) & (self.u <= 1)


def pair_geometry(subject: Tensor, thing: Tensor, height: Tensor) -> PairGeometry:
    """subject, thing (P, 4): boxes, xyxy in pixels. height (P,): of their pictures."""
    sx1, sy1, sx2, sy2 = subject.unbind(1)
    ox1, oy1, ox2, oy2 = thing.unbind(1)
    w, h = (sx2 - sx1).clamp(min=_LEAST), (sy2 - sy1).clamp(min=_LEAST)
    ow, oh = (ox2 - ox1).clamp(min=_LEAST), (oy2 - oy1).clamp(min=_LEAST)
    across = torch.minimum(sx2, ox2) - torch.maximum(sx1, ox1)
    down = torch.minimum(sy2, oy2) - torch.maximum(sy1, oy1)
    shared = across.clamp(min=0) * down.clamp(min=0)
    return PairGeometry(
        gap=torch.hypot((-across).clamp(min=0), (-down).clamp(min=0)) / torch.maximum(w, h),
        cover=shared / (ow * oh),
        covered=shared / (w * h),
        ratio=(ow * oh) / (w * h),
        u=((ox1 + ox2) / 2 - sx1) / w,
        v=((oy1 + oy2) / 2 - sy1) / h,
        top=(oy1 - sy1) / h,
        bottom=(oy2 - sy1) / h,
        foot=(sy2 - oy1) / oh,
        width=ow / w,
        overlap=across.clamp(min=0) / w,
        wide=w / h,
        feet=(height - sy2) / height.clamp(min=_LEAST),
    )


# Borders of the cells into which geometry_cells sorts pairs, by column of PairGeometry; ``a border or more`` opens the next cell.
_BORDERS: dict[str, tuple[float, ...]] = {
    "gap": (1e-6, 0.03, 0.1, 0.3, 1.0),
    "cover": (1e-6, 0.15, 0.35, 0.7, 0.95),
    "covered": (0.05, 0.12, 0.3, 0.6),
    "ratio": (0.02, 0.08, 0.25, 0.7, 1.4, 3.0),
    "u": (-0.5, 0.0, 0.25, 0.75, 1.0, 1.5),
    "v": (-0.05, 0.2, 0.38, 0.6, 0.8, 1.0),
    "top": (-0.2, 0.2, 0.55, 0.9),
    "bottom": (0.0, 0.3, 0.55, 0.9, 1.1),
    "foot": (0.0, 0.1, 0.5, 1.0),
    "wide": (0.35, 0.5, 0.8, 1.4),
    "feet": (0.02,),
}
CELLS = sum(len(borders) + 1 for borders in _BORDERS.values())


def geometry_cells(geometry: PairGeometry) -> Tensor:
    """(P, K) float of zeros and ones, K = CELLS: for every measure the cell that it falls into."""
    found = []
    for name, borders in _BORDERS.items():
        value: Tensor = getattr(geometry, name)
        cell = torch.bucketize(value.contiguous(), value.new_tensor(borders), right=True)
        found.append(F.one_hot(cell, len(borders) + 1))
    return torch.cat(found, 1).to(geometry.gap.dtype)
