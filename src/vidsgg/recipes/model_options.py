"""Options of a training run that depend on its model; fields as in ``recipes/options.py``."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.options import option
from vidsgg.recipes.options import NeuralOptions, TrainOptions


@dataclass(frozen=True)
class STTranOptions(NeuralOptions):
    spatial_layer: int = option(1, "encoder layers within a frame", low=0)
    temporal_layer: int = option(3, "decoder layers over two neighbouring frames", low=0)
    hidden_dim: int = option(512, "width of each visual part of a pair token", low=1)
    embedding_dim: int = option(200, "width of the class embeddings", low=1)
    embedding_std: float = option(1.0, "spread of the class embeddings' start; a small one suits many rare classes", low=0)
    feedforward_dim: int = option(2048, "hidden width of the feed-forward part of every layer", low=1)
    dropout: float = option(0.1, "share of activations dropped in training", low=0)


@dataclass(frozen=True)
class FrequencyOptions(TrainOptions):
    epochs: int = option(1, "counting takes one pass over the training videos", low=1)
