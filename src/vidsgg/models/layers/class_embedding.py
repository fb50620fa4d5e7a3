"""Word vectors of class names."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def word_of(name: str) -> str:
    """The word under which a class stands in a table of word vectors: ``cup/glass/bottle`` is
    looked up as ``cup``."""
    return name.split("/")[0]


class ClassEmbedding(nn.Embedding):
    """One learned vector per class, with a start that depends on the class name alone.

    Without a table of word vectors the start is normal with standard deviation ``std``, drawn from
    a generator seeded by the name: the same class starts alike in every run, data set and process,
    whatever was drawn before. A class without training examples keeps its start. With a small
    ``std`` that is nearly zero for all of them, which says "unknown"; with a large one it is a code
    like any other.
    """

    def __init__(self, names: Sequence[str], dim: int, std: float = 1.0) -> None:
        super().__init__(len(names), dim)
        self.names = tuple(names)
        with torch.no_grad():
            for row, name in zip(self.weight, self.names, strict=True):
                generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
                row.copy_(std * torch.randn(dim, generator=generator))

    @torch.no_grad()
    def start_from(self, vectors: Mapping[str, Tensor]) -> list[str]:
        """Take over the vectors of the classes' words; returns the names that the table lacks."""
        lacking = []
        for row, name in zip(self.weight, self.names, strict=True):
            if (vector := vectors.get(word_of(name))) is None:
                lacking.append(name)
            else:
                row.copy_(vector)
        return lacking
