"""Sequences of different lengths, packed one after another, and the padded view that a fused
attention kernel wants.

Everything but the attention itself runs on packed tokens, so no linear layer ever computes on
padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class RaggedLayout:
    """Where packed tokens lie in a padded (sequences, length) table.

    slot (T,) long: row-major position of each packed token in the table. valid (sequences, length)
    bool: True where a token lies.
    """

    slot: Tensor
    valid: Tensor

    @staticmethod
    def from_sorted(sequence: Tensor) -> RaggedLayout:
        """Layout of tokens whose sequence ids ``sequence`` (T,) never decrease; ids need not be
        consecutive."""
        ids, row = torch.unique_consecutive(sequence, return_inverse=True)
        return RaggedLayout.of_rows(row, len(ids))

    @staticmethod
    def of_rows(row: Tensor, rows: int) -> RaggedLayout:
        """Layout of tokens whose sequences are ``row`` (T,) of ``rows``, never decreasing; a row
        may be left without tokens."""
        count = torch.bincount(row, minlength=rows)
        start = count.cumsum(0) - count
        column = torch.arange(len(row), device=row.device) - start[row]
        length = int(count.max()) if rows else 0
        return RaggedLayout(slot=row * length + column, valid=torch.arange(length, device=row.device) < count[:, None])

    def subset(self, tokens: Tensor) -> RaggedLayout:
        """The layout of some of the tokens, every sequence keeping its row. tokens (K,): packed
        positions, increasing."""
        sequences, length = self.valid.shape
        return RaggedLayout.of_rows(self.slot[tokens] // max(length, 1), sequences)

    def pad(self, packed: Tensor) -> Tensor:
        """(T, ...) packed tokens as a (sequences, length, ...) table, zero where no token lies."""
        sequences, length = self.valid.shape
        table = packed.new_zeros(sequences * length, *packed.shape[1:])
        return table.index_copy(0, self.slot, packed).view(sequences, length, *packed.shape[1:])

    def pack(self, padded: Tensor) -> Tensor:
        """The inverse of ``pad``: (sequences, length, ...) to (T, ...)."""
        return padded.flatten(0, 1).index_select(0, self.slot)


def take_rows(table: Tensor, rows: Tensor) -> Tensor:
    """``table[rows]`` for a (T, D) table and (R,) rows that may repeat, with a gradient that is the
    same bits every time.

    The gradient of plain indexing adds up repeated rows in whatever order the threads come; that of
    a look-up does not.
    """
    return F.embedding(rows, table)
