"""Options of a training run that depend on its model; fields as in ``recipes/options.py``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

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


DEFAULT_LANGUAGE_MODEL = "HuggingFaceTB/SmolLM2-135M"


@dataclass(frozen=True)
class SceneLLMOptions(NeuralOptions):
    llm_name: str | None = option(
        None,
        "causal language model: a name on the Hugging Face hub, a folder, or random:llama:hidden=64,layers=2,heads=4; by default what the"
        f" environment variable VIDSGG_LLM_NAME says, else {DEFAULT_LANGUAGE_MODEL}",
    )
    llm_lr: float = option(1e-6, "learning rate of the language model's adapters", low=0)
    llm_dtype: Literal["auto", "float32", "bfloat16"] = option(
        "auto", "precision of the language model's weights; auto: bfloat16 from a billion parameters on, else float32"
    )
    llm_bits: Literal["none", "8", "4"] = option("none", "quantise the language model's weights while loading (bitsandbytes, CUDA)")
    use_llm: bool = option(True, "False: no language model (ablation)")
    lora_rank: int = option(16, "rank of the adapters", low=1)
    lora_alpha: float = option(32.0, "the adapters' product counts lora_alpha / lora_rank", low=0)
    lora_dropout: float = option(0.05, "share of the adapters' inputs dropped in training", low=0)
    vq_epochs: int = option(10, "stage 1: epochs in which only the codebook is learnt; they count among -epochs", low=0)
    vq_lr: float = option(3e-4, "learning rate of stage 1", low=0)
    freeze_llm_epochs: int = option(10, "stage 2a: epochs after stage 1 in which the language model is frozen", low=0)
    quantise: bool = option(True, "False: features go on as they are, without a codebook (ablation)")
    codes: int = option(512, "entries of the codebook", low=2)
    code_hidden: int = option(1024, "hidden width of the codebook's encoder and decoder", low=1)
    commitment_cost: float = option(0.25, "weight of the encoder's commitment to its codes", low=0)
    token_dim: int = option(512, "width of codes, frame tokens and pair tokens", low=2)
    graph_layers: int = option(2, "graph convolutions over the objects of a frame", low=0)
    concatenate_places: bool = option(False, "join code and place of an object by a linear layer instead of adding them")
    ot_mode: Literal["words", "none", "tconv", "cluster"] = option(
        "words", "how frames become words: optimal transport, not at all, after a temporal convolution, or runs of one cluster (ablations)"
    )
    frame_codes: int = option(512, "kinds of frames that words are made of", low=2)
    max_words: int = option(1024, "words of several frames that the transport may choose from", low=0)
    word_step: int = option(64, "words by which the vocabularies that are compared grow", low=1)
    memory_weight: float = option(0.5, "alpha: share of the language model's state in what pairs attend to", low=0)
    decoder_layer: int = option(3, "layers of the scene graph predictor", low=0)
    hidden_dim: int = option(512, "width of each visual part of a pair before it is projected", low=1)
    embedding_dim: int = option(200, "width of the class embeddings", low=1)
    embedding_std: float = option(1.0, "spread of the class embeddings' start; a small one suits many rare classes", low=0)
    feedforward_dim: int = option(2048, "hidden width of the feed-forward part of every layer", low=1)
    dropout: float = option(0.1, "share of activations dropped in training", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.llm_name is None:  # said once and for all: the base model is not in checkpoints
            object.__setattr__(self, "llm_name", os.environ.get("VIDSGG_LLM_NAME") or DEFAULT_LANGUAGE_MODEL)


@dataclass(frozen=True)
class FrequencyOptions(TrainOptions):
    epochs: int = option(1, "counting takes one pass over the training videos", low=1)
