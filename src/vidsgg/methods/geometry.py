"""Relations from boxes and counts as a method: what there is for somebody who has a video and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidsgg.methods.method import Method
from vidsgg.methods.training_options import NeuralOptions
from vidsgg.models.capabilities import Capabilities
from vidsgg.options import option
from vidsgg.structures.schema import MODES

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.datasets.base import VideoDataset
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class GeometryOptions(NeuralOptions):
    """Few weights, each with a plain meaning, so that large steps and few epochs do; probabilities, so that they are fitted as such."""

    lr: float = option(0.02, "learning rate of AdamW", low=0, high=1e3)
    weight_decay: float = option(
        1e-3, "weight decay of AdamW; it pulls the factors of rare geometry towards 1", low=0, high=1e3
    )
    epochs: int = option(
        8,
        "passes over the training videos; 0 only counts",
        low=0,
        aliases=("nepoch",),
        high=1_000_000,
        free=("run",),
    )
    warmup_steps: int = option(50, "optimiser steps of linear warm-up", low=0, high=10**9)
    eval_freq: int = option(2, "epochs between evaluations", low=1, high=1_000_000, free=("run",))
    bce_loss: bool = option(
        True, "binary cross entropy for groups with several labels, instead of the margin loss of other models"
    )
    count: bool = option(
        True,
        "count how often predicates hold in the training videos; False keeps the package's counts, if it has any",
    )


class GeometryMethod(Method[GeometryOptions]):
    name = "geometry"
    summary = "P(predicate | object class) times what the two boxes allow; works without training"
    source = "frequencies (M-FREQ) and the geometry of boxes"
    options = GeometryOptions
    network = "vidsgg.models.geometry:GeometryModel"
    capabilities = Capabilities(modes={"entity": MODES}, visual=False, all_subjects=True)

    def build(self, schema: Schema, widths: FeatureWidths, options: GeometryOptions) -> nn.Module:
        import numpy as np
        import torch

        from vidsgg.datasets.known_geometry import RULES, known_shares
        from vidsgg.models.geometry import GeometryModel

        shares = known_shares(schema.vocabulary)
        if shares is None:
            objects = len(schema.vocabulary.objects)
            shares = {group.name: np.zeros((objects, len(group)), np.float32) for group in schema.vocabulary.groups}
        return GeometryModel(schema, RULES, {name: torch.from_numpy(table) for name, table in shares.items()})

    def prepare(self, model: nn.Module, videos: VideoDataset, options: GeometryOptions) -> list[str]:
        """Counts how often predicates hold in the videos that it is trained on."""
        import torch

        from vidsgg.datasets.known_geometry import count_shares
        from vidsgg.models.geometry import GeometryModel

        assert isinstance(model, GeometryModel)
        if not options.count and model.knows:
            return [f"counts: those of {videos.schema.title}, from the package"]
        shares, pairs = count_shares(videos)
        model.count({name: torch.from_numpy(table) for name, table in shares.items()})
        return [f"counts: {pairs} pairs of the {len(videos)} videos to train on"]

    def ready_schema(self) -> Schema:
        from vidsgg.datasets.known_geometry import BUILT_IN

        return BUILT_IN

    def graph_notes(self, schema: Schema) -> tuple[str, ...]:
        return (f"Relations are guessed from boxes and {schema.title}'s statistics; no model saw the picture.",)


METHOD = GeometryMethod()
