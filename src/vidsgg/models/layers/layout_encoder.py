"""What boxes say where no feature of a picture is read: where they lie in their frames, and how the
two boxes of a pair lie to each other.

Letters: R boxes, P pairs.
"""

from __future__ import annotations

from dataclasses import fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.ops.pair_geometry import CELLS, PairGeometry, geometry_cells, pair_geometry
from vidsgg.structures.clip import Clip

# Boxes are rounded to 1/100 of the frame: EASG's hand-drawn boxes lie on a grid of 800 x 600 and its
# others do not, so that the last digits of a box would give its relation away (docs/architecture.md,
# "Leaks").
STEP = 1 / 100
PLACE = 6  # numbers that say where a box lies in its frame
_MEASURES = len(fields(PairGeometry))


def rounded_boxes(box: Tensor, frame: Tensor, clip: Clip) -> Tensor:
    """(R, 4) xyxy in shares of the frame, rounded, from boxes in pixels and their frames (R,)."""
    return (box / clip.frame_size[frame].repeat(1, 2) / STEP).round() * STEP


def places(box: Tensor) -> Tensor:
    """(R, 6): centre, sides and the logarithms of the sides of rounded boxes (R, 4)."""
    low, high = box[:, :2], box[:, 2:]
    side = (high - low).clamp(min=STEP)
    return torch.cat([(low + high) / 2, side, side.log()], 1)


class GeometryEncoder(nn.Module):
    """Where a box lies in its frame, and which frame of its label unit that is, for data sets that
    bring labels and boxes but no visual features."""

    def __init__(self, slots: int, out_dim: int) -> None:
        super().__init__()
        self.slots = slots
        self.layers = nn.Sequential(nn.Linear(PLACE + slots, out_dim), nn.ReLU(), nn.Linear(out_dim, out_dim))

    def forward(self, box: Tensor, frame: Tensor, clip: Clip) -> Tensor:
        """(R, out_dim) from boxes (R, 4) and the places of their frames (R,) in their units."""
        place = places(rounded_boxes(box, frame, clip))
        token: Tensor = self.layers(torch.cat([place, F.one_hot(clip.frame_slot[frame], self.slots)], 1))
        return token


class LayoutEncoder(nn.Module):
    """Both boxes of every pair and how they lie to each other, as one vector: in place of the features
    of both, of their union and of where they lie in it.

    It reads the places of both boxes, the measures of ``PairGeometry``, squashed, and the cells into
    which these fall.
    """

    def __init__(self, out_dim: int) -> None:
        super().__init__()
        width = 2 * PLACE + _MEASURES + CELLS
        self.layers = nn.Sequential(
            nn.Linear(width, out_dim), nn.ReLU(), nn.Linear(out_dim, out_dim), nn.ReLU(), nn.Linear(out_dim, out_dim)
        )

    def forward(self, clip: Clip) -> Tensor:
        """(P, out_dim) of the pairs of a clip whose subjects have boxes."""
        subject, thing = (
            rounded_boxes(clip.node_box[node], clip.pair_frame, clip) for node in (clip.pair_subject, clip.pair_object)
        )
        # Measures compare widths with heights, so they need the shape of the frame.
        size = clip.frame_size[clip.pair_frame].repeat(1, 2)
        geometry = pair_geometry(subject * size, thing * size, size[:, 1])
        measures = torch.stack([getattr(geometry, field.name) for field in fields(PairGeometry)], 1)
        squashed = measures.sign() * measures.abs().log1p()  # ratios of areas reach thousands
        token: Tensor = self.layers(torch.cat([places(subject), places(thing), squashed, geometry_cells(geometry)], 1))
        return token
