"""TEMPURA's sizes and parts, and what its prototypes are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from vidsgg.errors import ConfigError
from vidsgg.models.layers.object_memory import HeadKind

WeightKind = Literal["simple", "al", "ep", "both"]


@dataclass(frozen=True)
class TempuraConfig:
    """Sizes and parts, under the names of the authors' flags where there are some; the defaults are the published PredCLS and SGDET
    settings but for num_mixtures, which is 6 in the published PredCLS. docs/tempura.md says more about each.

    rel_head, obj_head: whether predicates and objects are scored by mixtures of num_mixtures components or linearly. temporal_window:
    frames of a window. tracking: object sequences (outside predcls). rel_mem_compute: one attention over the prototypes of all predicate
    groups, one for each group, or no memory; obj_mem_compute: a memory of objects. mem_fusion: before or after the temporal decoder.
    mem_feat_selection, mem_feat_lambda: the share of the feature itself, given (None: plain sum) or learned. take_obj_mem_feat: pairs
    read the nodes' features after the object memory. rel_unc, obj_unc: uncertainty is recorded while training; *_mem_weight_type:
    how it weights a prototype's features; uncertainty_threshold: above it a sample is left out of them. memory_pass: prototypes and
    uncertainty come from a second forward in eval mode, as in the reference, instead of from the training forward itself.
    reference_compat: one-frame videos without temporal output, and the weights of ``both`` divided by twice the sum of exp(al).
    """

    spatial_layer: int = 1
    temporal_layer: int = 3
    hidden_dim: int = 512
    embedding_dim: int = 200
    embedding_std: float = 1.0
    heads: int = 8
    feedforward_dim: int = 2048
    dropout: float = 0.1
    rel_head: HeadKind = "gmm"
    obj_head: HeadKind = "linear"
    num_mixtures: int = 4
    temporal_window: int = 2
    tracking: bool = True
    rel_mem_compute: Literal["joint", "separate"] | None = "joint"
    obj_mem_compute: bool = False
    mem_fusion: Literal["early", "late"] = "late"
    mem_feat_selection: Literal["manual", "automated"] = "manual"
    mem_feat_lambda: float | None = 0.5
    take_obj_mem_feat: bool = False
    rel_unc: bool = False
    obj_unc: bool = False
    rel_mem_weight_type: WeightKind = "simple"
    obj_mem_weight_type: WeightKind = "simple"
    uncertainty_threshold: float = 1.25
    memory_pass: bool = False
    reference_compat: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigError for options that need another."""
        for kind, head in (("rel", self.rel_head), ("obj", self.obj_head)):
            recorded, weighting = getattr(self, f"{kind}_unc"), getattr(self, f"{kind}_mem_weight_type")
            if recorded and head != "gmm":
                raise ConfigError(f"option -{kind}_unc: a linear head has no uncertainty; use -{kind}_head gmm with it.")
            if weighting != "simple" and not recorded:
                raise ConfigError(f"option -{kind}_mem_weight_type {weighting} weights by uncertainty; use -{kind}_unc True with it.")


def prototype_weights(hot: Tensor, known: tuple[Tensor, Tensor] | None, kind: WeightKind, config: TempuraConfig) -> tuple[Tensor, Tensor]:
    """Weights of the rows (R, C) in every class that they carry, and what they are divided by (R, C), from their aleatoric and epistemic
    uncertainty where it is known: exp(u), so that the more uncertain weigh more, as in the reference.
    """
    taken = hot.float()
    if known is None:
        return taken, taken
    aleatoric, epistemic = known
    taken = taken * (aleatoric + epistemic <= config.uncertainty_threshold)
    if kind == "simple":
        return taken, taken
    unsure = {"al": aleatoric, "ep": epistemic, "both": aleatoric + epistemic}[kind]
    weight = taken * unsure.exp()
    doubled = config.reference_compat and kind == "both"  # the reference joins the list of al to itself (lib/Uncertainty.py:65)
    return weight, 2 * taken * aleatoric.exp() if doubled else weight
