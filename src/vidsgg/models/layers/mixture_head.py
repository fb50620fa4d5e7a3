"""Heads that give a mixture of Gaussians over logits, and what such a mixture says: probabilities
and two kinds of uncertainty.

Source: TEMPURA (Nag et al., CVPR 2023), section 3.4. Letters: R rows, K components, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.structures.vocabulary import Kind

Noise = Callable[[Tensor], Tensor]  # standard normal numbers of the shape, type and device of a tensor


@dataclass(frozen=True, eq=False)
class Mixture:
    """K components over the logits of C classes, float32. mean, log_variance (R, K, C), the
    variance in (0, 1); log_weight (R, K).

    kind: whether a component's probabilities are a softmax ("single") or sigmoids ("multi") of its
    logits. A mixture averages the probabilities of its components, not their logits.
    """

    mean: Tensor
    log_variance: Tensor
    log_weight: Tensor
    kind: Kind

    def sampled(self, noise: Noise) -> Mixture:
        """The mixture with means drawn from its components, as it is trained."""
        return replace(self, mean=self.mean + (self.log_variance / 2).exp() * noise(self.mean))

    def of(self, row: Tensor) -> Mixture:
        """The mixtures of some rows."""
        return replace(self, mean=self.mean[row], log_variance=self.log_variance[row], log_weight=self.log_weight[row])

    def without_background(self) -> Mixture:
        """The mixture over the classes but the first."""
        return replace(self, mean=self.mean[..., 1:], log_variance=self.log_variance[..., 1:])

    def logits(self) -> Tensor:
        """(R, C): log p for "single", log p / (1 - p) for "multi" mixtures, so that their softmax
        or sigmoid is p."""
        weight = self.log_weight[..., None]
        if self.kind == "single":
            return torch.logsumexp(weight + self.mean.log_softmax(-1), 1)
        return torch.logsumexp(weight + F.logsigmoid(self.mean), 1) - torch.logsumexp(
            weight + F.logsigmoid(-self.mean), 1
        )

    def uncertainty(self) -> tuple[Tensor, Tensor]:
        """Aleatoric (R, C) in (0, 1), the mean variance, and epistemic (R, C) in [0, 0.25], the
        spread of the components' probabilities."""
        weight = self.log_weight.exp()[..., None]
        p = self.mean.softmax(-1) if self.kind == "single" else self.mean.sigmoid()
        spread = p - (weight * p).sum(1, keepdim=True)
        return (weight * self.log_variance.exp()).sum(1), (weight * spread.square()).sum(1)


class MixtureHead(nn.Module):
    """From features (R, D) to a mixture: three linear layers, for means, variances and weights of
    all components."""

    def __init__(self, dim: int, classes: int, components: int, kind: Kind) -> None:
        super().__init__()
        self.components, self.kind = components, kind
        self.mean = nn.Linear(dim, components * classes)
        self.variance = nn.Linear(dim, components * classes)
        self.weight = nn.Linear(dim, components)

    def forward(self, x: Tensor) -> Mixture:
        shape = (self.components, -1)
        return Mixture(
            torch.unflatten(self.mean(x).float(), -1, shape),
            torch.unflatten(F.logsigmoid(self.variance(x).float()), -1, shape),
            self.weight(x).float().log_softmax(-1),
            self.kind,
        )
