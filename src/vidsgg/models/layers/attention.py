"""Multi-head attention among the tokens of ragged sequences."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.ops.ragged import RaggedLayout


class RaggedAttention(nn.Module):
    """Scaled dot-product attention (Vaswani et al. 2017, section 3.2) on packed tokens, each within
    its own sequence.

    Parameter names and layout are those of ``torch.nn.MultiheadAttention``: the rows of
    ``in_proj_weight`` (3 D, D) give queries, keys and values.
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(
                f"attention over {dim} features cannot be split into {heads} heads; {dim} must be a multiple of {heads}"
            )
        self.heads, self.dropout = heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (T, D) of packed tokens (T, D)."""
        q, k, v = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, -1)
        return q, k, v

    def project_apart(self, for_q: Tensor, for_k: Tensor, for_v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of different tokens. One chunk of the weight has a far cheaper
        gradient than three slices."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (F.linear(x, w, b) for x, w, b in zip((for_q, for_k, for_v), weights, biases, strict=True))
        return q, k, v

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, layout: RaggedLayout, q_layout: RaggedLayout | None = None
    ) -> Tensor:
        """Packed projected queries (Q, D), keys and values (T, D) to packed outputs (Q, D).

        layout: sequences of keys and values; q_layout: of the queries, with the same rows, when
        fewer tokens ask than answer.
        """
        q_layout = q_layout or layout
        mixed = F.scaled_dot_product_attention(
            self._split(q_layout.pad(q)),
            self._split(layout.pad(k)),
            self._split(layout.pad(v)),
            attn_mask=layout.valid[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        packed: Tensor = self.out_proj(q_layout.pack(mixed.transpose(1, 2).flatten(2)))
        return packed

    def _split(self, padded: Tensor) -> Tensor:
        """(B, T, D) to (B, heads, T, D / heads)."""
        return torch.unflatten(padded, -1, (self.heads, -1)).transpose(1, 2)
