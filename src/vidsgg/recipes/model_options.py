"""Options of a training run that depend on its model; fields as in ``recipes/options.py``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from vidsgg.errors import ConfigError
from vidsgg.options import option
from vidsgg.recipes.options import NeuralOptions, TrainOptions


@dataclass(frozen=True)
class TransformerOptions(NeuralOptions):
    """Sizes that all transformers over pair tokens have."""

    hidden_dim: int = option(512, "width of each visual part of a pair token", low=1, high=65_536)
    embedding_dim: int = option(200, "width of the class embeddings", low=1, high=65_536)
    embedding_std: float = option(1.0, "spread of the class embeddings' start; a small one suits many rare classes", low=0, high=1e6)
    feedforward_dim: int = option(2048, "hidden width of the feed-forward part of every layer", low=1, high=262_144)
    dropout: float = option(0.1, "share of activations dropped in training", low=0, high=1)


@dataclass(frozen=True)
class STTranOptions(TransformerOptions):
    spatial_layer: int = option(1, "encoder layers within a frame", low=0, high=1000)
    temporal_layer: int = option(3, "decoder layers over two neighbouring frames", low=0, high=1000)


@dataclass(frozen=True)
class TempuraOptions(TransformerOptions):
    """The authors' flags under their names, with the published settings that all modes share; docs/tempura.md says more about each."""

    num_mixtures: int = option(4, "components of every mixture head", low=1, aliases=("K",), high=1000)
    uncertainty_threshold: float = option(
        1.25,
        "aleatoric plus epistemic uncertainty above which an edge of a graph is marked, and with -rel_unc or -obj_unc a training sample is"
        " left out of the prototypes; 1.25 is never reached",
        low=0,
        high=1e9,
    )
    gmm_regularization: float = option(0.0, "weight of a loss that keeps components from dying", low=0, high=1e9)
    temporal_window: int = option(2, "frames of a window of the temporal decoder", low=1, high=10_000)
    rel_head: Literal["gmm", "linear"] = option("gmm", "predicates are scored by mixtures or linearly")
    obj_head: Literal["gmm", "linear"] = option("linear", "the same for objects, where they are guessed")
    tracking: bool | None = option(None, "classify objects within sequences of their class over the video; by default outside predcls")
    rel_mem_compute: Literal["joint", "separate", "seperate"] | None = option(
        "joint", "memory of predicates: one attention over the prototypes of all groups, one for each group, or None"
    )
    obj_mem_compute: bool = option(False, "memory of objects")
    rel_mem_weight_type: Literal["simple", "al", "ep", "both"] = option(
        "simple", "features weigh alike in a prototype, or by the exponential of an uncertainty (with -rel_unc)"
    )
    obj_mem_weight_type: Literal["simple", "al", "ep", "both"] = option("simple", "the same for objects (with -obj_unc)")
    mem_fusion: Literal["early", "late"] = option("late", "the relation memory is asked before or after the temporal decoder")
    mem_feat_selection: Literal["manual", "automated"] = option(
        "manual", "the share of a feature beside the memory's answer is given or learnt"
    )
    mem_feat_lambda: float | None = option(0.5, "that share if it is given; None: the plain sum of both", low=0, high=1e6)
    take_obj_mem_feat: bool = option(False, "pairs read the objects' features after the object memory")
    memory_pass: bool = option(
        False, "prototypes and uncertainty from a second forward in eval mode, as in the reference, instead of from the training forward"
    )
    rel_unc: bool = option(False, "record the uncertainty of predicates in training")
    obj_unc: bool = option(False, "the same for objects")
    rel_loss_weighting: Literal["al", "ep"] | None = option(None, "pairs of larger uncertainty of this kind weigh more in the loss")
    obj_loss_weighting: Literal["al", "ep"] | None = option(None, "the same for objects")
    bce_loss: bool = option(True, "binary cross entropy for groups with several labels; False is -mlm True")
    mlm: bool = option(False, "the multi-label margin loss in its place")
    eos_coef: float = option(1.0, "weight of background boxes in the objects' loss", low=0, high=1e6)
    obj_con_loss: Literal["auto", "euc_con", "info_nce", "none"] = option(
        "auto", "contrastive loss of the objects' features; auto: euc_con outside predcls"
    )
    lambda_con: float = option(1.0, "weight of the contrastive loss", low=0, high=1e6)
    spatial_layer: int = option(1, "encoder layers within a frame", low=0, aliases=("enc_layer",), high=1000)
    temporal_layer: int = option(3, "decoder layers over the frames of a window", low=0, aliases=("dec_layer",), high=1000)

    def __post_init__(self) -> None:
        """Raises ConfigError for an option of objects where these are given, and for one that needs another."""
        super().__post_init__()
        if self.mode == "predcls":
            off = {"obj_con_loss": ("auto", "none")}
            for name in ("tracking", "obj_mem_compute", "take_obj_mem_feat", "obj_unc", "obj_loss_weighting", "obj_con_loss"):
                if getattr(self, name) not in off.get(name, (None, False)):
                    raise ConfigError(
                        f"option -{name}: mode predcls gives the objects' classes, so that there is nothing for it; leave it out."
                    )
        for kind in ("rel", "obj"):
            if getattr(self, f"{kind}_loss_weighting") and not getattr(self, f"{kind}_unc"):
                raise ConfigError(f"option -{kind}_loss_weighting weights by uncertainty; use -{kind}_unc True with it.")


DEFAULT_LANGUAGE_MODEL = "HuggingFaceTB/SmolLM2-135M"


@dataclass(frozen=True)
class SceneLLMOptions(TransformerOptions):
    llm_name: str | None = option(
        None,
        "causal language model: a name on the Hugging Face hub, a folder, or random:llama:hidden=64,layers=2,heads=4; by default what the"
        f" environment variable VIDSGG_LLM_NAME says, else {DEFAULT_LANGUAGE_MODEL}",
    )
    llm_lr: float = option(1e-6, "learning rate of the language model's adapters", low=0, high=1e3)
    llm_dtype: Literal["auto", "float32", "bfloat16"] = option(
        "auto", "precision of the language model's weights; auto: bfloat16 from a billion parameters on, else float32"
    )
    llm_bits: Literal["none", "8", "4"] = option("none", "quantise the language model's weights while loading (bitsandbytes, CUDA)")
    use_llm: bool = option(True, "False: no language model (ablation)")
    lora_rank: int = option(16, "rank of the adapters", low=1, high=65_536)
    lora_alpha: float = option(32.0, "the adapters' product counts lora_alpha / lora_rank", low=0, high=1e6)
    lora_dropout: float = option(0.05, "share of the adapters' inputs dropped in training", low=0, high=1)
    vq_epochs: int = option(10, "stage 1: epochs in which only the codebook is learnt; they count among -epochs", low=0, high=1_000_000)
    vq_lr: float = option(3e-4, "learning rate of stage 1", low=0, high=1e3)
    freeze_llm_epochs: int = option(10, "stage 2a: epochs after stage 1 in which the language model is frozen", low=0, high=1_000_000)
    quantise: bool = option(True, "False: features go on as they are, without a codebook (ablation)")
    codes: int = option(512, "entries of the codebook", low=2, high=1_000_000)
    code_hidden: int = option(1024, "hidden width of the codebook's encoder and decoder", low=1, high=262_144)
    commitment_cost: float = option(0.25, "weight of the encoder's commitment to its codes", low=0, high=1e6)
    token_dim: int = option(512, "width of codes, frame tokens and pair tokens", low=2, high=65_536)
    graph_layers: int = option(2, "graph convolutions over the objects of a frame", low=0, high=1000)
    concatenate_places: bool = option(False, "join code and place of an object by a linear layer instead of adding them")
    ot_mode: Literal["words", "none", "tconv", "cluster"] = option(
        "words", "how frames become words: optimal transport, not at all, after a temporal convolution, or runs of one cluster (ablations)"
    )
    frame_codes: int = option(512, "kinds of frames that words are made of", low=2, high=1_000_000)
    max_words: int = option(1024, "words of several frames that the transport may choose from", low=0, high=1_000_000)
    word_step: int = option(64, "words by which the vocabularies that are compared grow", low=1, high=1_000_000)
    memory_weight: float = option(0.5, "alpha: share of the language model's state in what pairs attend to", low=0, high=1)
    decoder_layer: int = option(3, "layers of the scene graph predictor", low=0, high=1000)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.llm_name is None:  # said once and for all: the base model is not in checkpoints
            object.__setattr__(self, "llm_name", os.environ.get("VIDSGG_LLM_NAME") or DEFAULT_LANGUAGE_MODEL)


@dataclass(frozen=True)
class StketOptions(TransformerOptions):
    @property
    def remark(self) -> str:
        said = [f"{self.part} part"] * (self.part is not None) + ["oracle contacts: reads ground truth"] * self.oracle_contacts
        return "; ".join(said)

    spatial_layer: int = option(2, "encoder layers within a frame", low=0, aliases=("enc_layer_num", "enc_layer"), high=1000)
    temporal_layer: int = option(2, "decoder layers over two neighbouring frames", low=0, aliases=("dec_layer_num", "dec_layer"), high=1000)
    N_layer: int = option(1, "how often the encoder layers run, each time on what they gave before", low=1, high=1000)
    window_size: int = option(4, "frames of an object's class that the ensemble looks back on, its own included", low=1, high=10_000)
    pred_contact_threshold: float = option(0.8, "probability from which on a predicted contact is taken for one", low=0, high=1)
    use_spatial_prior: bool = option(True, "tell the spatial part what is usual for the class of an object")
    use_temporal_prior: bool = option(True, "tell the temporal part what usually follows the contacts before")
    spatial_prior_loss: bool = option(True, "train what the spatial part is told by a loss of its own")
    temporal_prior_loss: bool = option(True, "train what the temporal part is told by a loss of its own")
    bce_loss: bool = option(True, "binary cross entropy for groups with several labels; False: margin loss")
    priors: str | None = option(
        None, "file of priors such as the authors' TrainPrior.json; by default counted on the training videos", place="input"
    )
    part: Literal["spatial", "temporal", "ensemble"] | None = option(None, "part that answers; by default the last that there is")
    oracle_contacts: bool = option(
        False, "read annotated contacts in place of predicted ones, as the published test command does; not comparable with other scores"
    )


@dataclass(frozen=True)
class FrequencyOptions(TrainOptions):
    epochs: int = option(1, "counting takes one pass over the training videos", low=1, high=1_000_000)
