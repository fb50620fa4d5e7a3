"""Which rows of a clip say the same: an object of an event has a row in every frame in which it is seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidsgg.ops.segments import segment_sum
from vidsgg.structures.clip import Clip


@dataclass(frozen=True, eq=False)
class EventObjects:
    """The objects of a clip's label units, each once. M objects, N nodes, U units.

    Objects are ordered by unit, then identity. A node of unknown identity is an object of its own.
    """

    of_node: Tensor  # (N,) long, the object of every node
    unit: Tensor  # (M,) long, never decreasing
    first_node: Tensor  # (M,) long, the first node of every object

    @staticmethod
    def of(clip: Clip) -> EventObjects:
        """Which objects the nodes of a clip are."""
        row = torch.arange(clip.nodes, device=clip.device)
        identity = torch.where(clip.node_identity < 0, -1 - row, clip.node_identity)
        key = torch.stack([clip.frame_unit[clip.node_frame], identity], 1)
        objects, of_node = key.unique(dim=0, return_inverse=True)
        last = torch.full((len(objects),), clip.nodes, dtype=torch.long, device=clip.device)
        return EventObjects(of_node, objects[:, 0], last.scatter_reduce(0, of_node, row, "amin"))

    def mean(self, values: Tensor, weight: Tensor | None) -> Tensor:
        """(N, D) rows of nodes averaged by object, (M, D). weight: (N,) of the nodes; None: all weigh the same."""
        weight = values.new_ones(len(values)) if weight is None else weight.to(values.dtype)
        total = segment_sum(weight, self.of_node, len(self.unit))
        return segment_sum(values * weight[:, None], self.of_node, len(self.unit)) / total[:, None]
