"""A transformer encoder over sequences of nodes or pairs of a video (TEMPURA, section 3.2;
DSG-DETR, sections 3.2 and 3.3)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.models.layers.relation_transformer import EncoderLayer, LayerConfig
from vidsgg.ops.sequences import Sequences, sine_positions


class SequenceEncoder(nn.ModuleList):
    """Encoder layers within sequences, with sine codes of the positions added before the first one.

    Sequences of any length are possible; the references keep a table of 400 positions (600 for
    objects in SGDET).
    """

    def __init__(self, layers: int, dim: int, config: LayerConfig) -> None:
        super().__init__(EncoderLayer(dim, config) for _ in range(layers))
        self.dropout = config.dropout

    def forward(self, rows: Tensor, sequences: Sequences) -> Tensor:
        """rows (R, D) to (R, D)."""
        if len(self) == 0 or len(rows) == 0:
            return rows
        placed = rows[sequences.order] + sine_positions(sequences.place, rows.shape[1]).to(rows.dtype)
        placed = F.dropout(placed, self.dropout, self.training)
        for layer in self:
            placed = layer(placed, sequences.layout)
        return placed[sequences.order.argsort()]
