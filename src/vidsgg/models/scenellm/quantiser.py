"""Stage 1 of SceneLLM: RoI features as entries of a codebook (VQ-VAE, van den Oord et al. 2017,
arXiv:1711.00937).

Letters: N features, W their width, K codes, D width of a code. Which statement comes from where:
docs/scenellm.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.ops.clusters import kmeans, nearest


@dataclass(frozen=True, eq=False)
class Quantised:
    """code (N,) long. vector (N, D): the codes' entries, whose gradient goes straight through to
    ``latent`` (N, D), what the encoder said. entry (N, D): the same numbers with a gradient to the
    codebook. feature, decoded (N, W): standardised, and what the decoder made.
    """

    code: Tensor
    vector: Tensor
    latent: Tensor
    entry: Tensor
    feature: Tensor
    decoded: Tensor


@dataclass(frozen=True)
class CodeUse:
    """How a sample of features uses the codebook. used: codes taken at least once. perplexity: exp
    of the entropy of their use, 1 to K."""

    used: int
    perplexity: float


class VectorQuantiser(nn.Module):
    """Encoder, codebook and decoder. Distances are computed in float32 whatever the precision
    around, so that codes do not depend on it."""

    full_precision = True

    mean: Tensor  # (W,), like scale: what features are standardised by
    scale: Tensor
    started: Tensor  # () bool: whether start_from was called

    def __init__(self, width: int, codes: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, dim))
        self.decoder = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, width))
        self.codebook = nn.Parameter(torch.randn(codes, dim))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def encode(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """(N, W) features, standardised, and their latents (N, D), float32."""
        with torch.autocast(feature.device.type, enabled=False):
            standardised = (feature.float() - self.mean) / self.scale
            return standardised, self.encoder(standardised)

    def discrete(self, feature: Tensor) -> Tensor:
        """(N, W) to the entries (N, D) that are nearest to their latents, as constants."""
        with torch.no_grad():
            return self.codebook[nearest(self.encode(feature)[1], self.codebook)]

    def forward(self, feature: Tensor) -> Quantised:
        standardised, latent = self.encode(feature)
        with torch.autocast(feature.device.type, enabled=False):
            code = nearest(latent.detach(), self.codebook.detach())
            entry = F.embedding(code, self.codebook)
            vector = latent + (entry - latent).detach()
            return Quantised(code, vector, latent, entry, standardised, self.decoder(vector))

    @torch.no_grad()
    def start_from(self, sample: Tensor, generator: torch.Generator) -> CodeUse:
        """Standardise by a sample (S, W) of features, and put the codes where its latents lie
        (k-means).

        Codes that start elsewhere than the data are mostly never taken: docs/scenellm.md has the
        numbers.
        """
        self.started.fill_(True)
        self.mean.copy_(sample.float().mean(0))
        self.scale.copy_(sample.float().std(0, correction=0).clamp(min=1e-3))
        self.codebook.copy_(kmeans(self.encode(sample)[1], len(self.codebook), generator))
        return self.use_of(sample)

    @torch.no_grad()
    def revive(self, sample: Tensor, generator: torch.Generator) -> CodeUse:
        """Move the codes that a sample (S, W) does not take to latents of it, at random; returns
        the use before."""
        latent = self.encode(sample)[1]
        code = nearest(latent, self.codebook)
        unused = torch.nonzero(torch.bincount(code, minlength=len(self.codebook)) == 0).squeeze(1)
        chosen = torch.randperm(len(latent), generator=generator)[: len(unused)].to(latent.device)
        self.codebook[unused[: len(chosen)]] = latent[chosen]
        return code_use(code)

    @torch.no_grad()
    def use_of(self, sample: Tensor) -> CodeUse:
        return code_use(nearest(self.encode(sample)[1], self.codebook))


def code_use(code: Tensor) -> CodeUse:
    """Of the codes (N,) of some features."""
    share = torch.bincount(code).double() / max(1, len(code))
    share = share[share > 0]
    return CodeUse(len(share), float(torch.exp(-(share * share.log()).sum())))
