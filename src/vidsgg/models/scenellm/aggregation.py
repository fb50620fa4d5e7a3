"""SceneLLM's spatial information aggregation: the objects of a frame and where they are, as one
frame token.

As a character is made of radicals in a layout (Zhang et al., section 3.3, as far as it is known;
docs/scenellm.md says how far).
Letters: N nodes, F frames, E edges, D width of a token.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidsgg.models.layers.layout_encoder import rounded_boxes
from vidsgg.ops.segments import segment_mean, segment_sum
from vidsgg.ops.trees import linkage_trees
from vidsgg.structures.clip import Clip


def box_places(clip: Clip) -> Tensor:
    """(N, 4): centre x, centre y, width and height of every node's box, as shares of its frame."""
    low, high = torch.split(rounded_boxes(clip.node_box, clip.node_frame, clip), 2, 1)
    return torch.cat([(low + high) / 2, high - low], 1)


class GraphConvolution(nn.Module):
    """x' = D^-1/2 (A + I) D^-1/2 x W, D the degrees of A + I (Kipf and Welling 2017, equation
    2)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, dim)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """x (N, D); edges (2, E) long, each between two nodes, said once."""
        x = self.linear(x)
        to, source = torch.cat([edges, edges.flip(0)], 1)
        weight = (1 + torch.bincount(to, minlength=len(x))).to(x.dtype).rsqrt()[:, None]
        return weight * (weight * x + segment_sum((weight * x)[source], to, len(x)))


class SpatialAggregation(nn.Module):
    """Node vectors and box places, linked by hierarchical clustering, fused along the links by a
    graph convolution, averaged per frame."""

    def __init__(self, dim: int, layers: int = 2, *, concatenate: bool = False) -> None:
        """concatenate: fuse vector and place by a linear layer over both instead of adding them
        up."""
        super().__init__()
        self.place = nn.Sequential(nn.Linear(4, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.fuse = nn.Linear(2 * dim, dim) if concatenate else None
        self.convolutions = nn.ModuleList(GraphConvolution(dim) for _ in range(layers))

    def forward(self, vector: Tensor, clip: Clip) -> Tensor:
        """(N, D) vectors of the nodes to (F, D) frame tokens; a frame without nodes has zeros."""
        place = self.place(box_places(clip))
        x = vector + place if self.fuse is None else self.fuse(torch.cat([vector, place], 1))
        edges = linkage_trees(x.detach(), clip.node_frame)
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x.relu() if i else x, edges)
        return segment_mean(x, clip.node_frame, clip.frames)
