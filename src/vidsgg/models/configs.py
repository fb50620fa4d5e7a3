"""Sizes and switches of the networks, each default beside its meaning; the options of a run contain
them. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vidsgg.errors import ConfigError
from vidsgg.options import option

HeadKind = Literal["gmm", "linear"]
STKET_PARTS = ("spatial", "temporal", "ensemble")
WeightKind = Literal["simple", "al", "ep", "both"]


@dataclass(frozen=True)
class ReferenceCompat:
    reference_compat: bool = option(False, "reproduce the reference's bugs that change published numbers")


@dataclass(frozen=True)
class TransformerConfig(ReferenceCompat):
    """What all transformers over pair tokens have; the defaults are the published ones."""

    hidden_dim: int = option(512, "width of each visual part of a pair token", low=1, high=65_536)
    embedding_dim: int = option(200, "width of the class embeddings", low=1, high=65_536)
    embedding_std: float = option(
        1.0, "standard deviation of the initial class embeddings; a small one suits many rare classes", low=0, high=1e6
    )
    heads: int = option(8, "attention heads, of which the width of a token must be a multiple", low=1, high=1024)
    feedforward_dim: int = option(2048, "hidden width of the feed-forward part of every layer", low=1, high=262_144)
    dropout: float = option(0.1, "share of activations dropped in training", low=0, high=1)


@dataclass(frozen=True)
class STTranConfig(TransformerConfig):
    """reference_compat: a one-frame video has no window in the reference, so its transformer output
    is zero and its predictions are constant; by default its pairs attend to each other.
    """

    spatial_layer: int = option(1, "encoder layers within a frame", low=0, high=1000)
    temporal_layer: int = option(3, "decoder layers over two neighbouring frames", low=0, high=1000)


@dataclass(frozen=True)
class DsgDetrConfig(TransformerConfig):
    """The defaults are DSG-DETR's. Without the object encoder it is what ImparTail calls STTran."""

    object_encoder: bool = option(
        True,
        "encode nodes within sequences over the video before they are classified and paired; False: the network that ImparTail calls STTran",
    )
    object_layer: int = option(3, "layers of the object encoder", low=1, high=1000)
    object_feedforward_dim: int = option(
        1024, "hidden width of the feed-forward part of its layers", low=1, high=262_144
    )
    indices: Literal["auto", "tracks", "class"] = option(
        "auto",
        "sequences of nodes: tracklets (Hungarian matching), or all nodes of a class; auto: tracklets in sgcls, classes else, as published",
    )
    track_norm: Literal["hw", "wh"] = option(
        "hw",
        "by what the tracker divides x and y: hw, x by the height as the authors' training does, or wh, x by the width; alike on square frames",
    )
    spatial_layer: int = option(1, "encoder layers within a frame", low=0, high=1000)
    temporal_layer: int = option(
        3, "encoder layers over the pairs of an object class in the whole video", low=0, high=1000
    )


@dataclass(frozen=True)
class OedConfig(ReferenceCompat):
    """Sizes of OED's network; the defaults are those of the published SGDET models.
    reference_compat: class 0, which is no class, may be said of an object.
    """

    backbone: Literal["resnet50", "resnet34", "resnet18", "c4-resnet101", "c4-small"] = option(
        "resnet50", "network that reads the pictures: a ResNet, or the trunk of a detector of that name"
    )
    depth: int | None = option(
        None,
        "layers of a c4 backbone: 10, 18, 50 or 101; by default 101 for c4-resnet101 and 10 for c4-small",
        low=10,
        high=1000,
    )
    base_width: int | None = option(
        None,
        "channels of the first stage of a c4 backbone; all others follow; by default 64 for c4-resnet101 and 32 for"
        " c4-small",
        low=1,
        high=4096,
    )
    short_side: int = option(600, "pixels to which the shorter side of a picture is resized", low=32, high=10_000)
    long_side: int = option(1000, "most pixels of the longer side", low=32, high=10_000)
    hidden_dim: int = option(256, "width of the transformers", low=2, high=65_536)
    heads: int = option(8, "attention heads, of which the width must be a multiple", low=1, high=1024)
    feedforward_dim: int = option(2048, "hidden width of the feed-forward part of every layer", low=1, high=262_144)
    dropout: float = option(0.1, "share of activations dropped in training", low=0, high=1)
    enc_layers: int = option(6, "layers of the encoder", low=0, high=1000)
    instance_layers: int = option(6, "layers of the instance decoder", low=1, aliases=("dec_layers_hopd",), high=1000)
    relation_layers: int = option(
        6, "layers of the relation decoder", low=1, aliases=("dec_layers_interaction",), high=1000
    )
    num_queries: int = option(100, "queries, and so the most pairs of a frame (sgdet)", low=1, high=10_000)
    num_ref_frames: int = option(2, "reference frames that refine a frame", low=1, high=1000)
    ref_interval: int = option(4, "greatest distance of reference frames, in annotated frames", low=1, high=10_000)
    oed_topk: str = option(
        "80,50,30",
        "reference queries that each temporal layer reads, per reference frame (sgdet); there are as many layers as"
        " numbers",
    )
    refine_layers: int = option(
        1,
        "temporal layers that read the same reference queries, one after another",
        low=1,
        aliases=("dec_layers_temporal",),
        high=100,
    )
    oed_predcls_heads: Literal["temporal", "spatial"] = option(
        "temporal", "heads of predicates in the temporal stage of predcls; spatial: as in the published models"
    )
    seq_sort: bool = option(False, "predcls: temporal layers read the order of frames")

    def kept(self, queries: int) -> tuple[int, ...]:
        """Reference queries, per reference frame, that each temporal layer reads, none above
        ``queries``. Raises ConfigError if oed_topk is not numbers.
        """
        try:
            counts = [int(word) for word in self.oed_topk.split(",")]
        except ValueError:
            counts = []
        if not counts or min(counts) < 1 or len(counts) > 100:
            raise ConfigError(
                f"option -oed_topk: {self.oed_topk!r} is not one to a hundred positive numbers such as 80,50,30"
            )
        return tuple(min(count, queries) for count in counts for _ in range(self.refine_layers))


@dataclass(frozen=True)
class StketConfig(TransformerConfig):
    """reference_compat: in a one-frame video what the temporal part gives is zero; without encoder
    layers the heads whose contacts it reads are never trained.
    """

    spatial_layer: int = option(
        2, "encoder layers within a frame", low=0, aliases=("enc_layer_num", "enc_layer"), high=1000
    )
    temporal_layer: int = option(
        2, "decoder layers over two neighbouring frames", low=0, aliases=("dec_layer_num", "dec_layer"), high=1000
    )
    N_layer: int = option(
        1, "number of passes through the encoder layers, each on the output of the last", low=1, high=1000
    )
    window_size: int = option(
        4, "frames of an object's class that the ensemble uses, including its own", low=1, high=10_000
    )
    pred_contact_threshold: float = option(0.8, "least probability of a predicted contact", low=0, high=1)
    use_spatial_prior: bool = option(True, "feed co-occurrence priors of the object's class to the spatial part")
    use_temporal_prior: bool = option(True, "feed transition priors of earlier contacts to the temporal part")
    part: Literal["spatial", "temporal", "ensemble"] | None = option(
        None, "part whose result is used; by default the last one"
    )
    oracle_contacts: bool = option(
        False,
        "read annotated contacts in place of predicted ones, as the published test command does; not comparable with"
        " other scores",
    )


def existing_parts(spatial_layer: int, temporal_layer: int) -> tuple[str, ...]:
    """Without encoder layers the spatial part is its heads on the tokens themselves; the ensemble
    needs layers of both others."""
    there = {"spatial": True, "temporal": temporal_layer, "ensemble": spatial_layer and temporal_layer}
    return tuple(part for part in STKET_PARTS if there[part])


@dataclass(frozen=True)
class TempuraHeads(ReferenceCompat):
    """What network and criterion of TEMPURA share."""

    rel_head: Literal["gmm", "linear"] = option("gmm", "score predicates by mixtures or linearly")
    obj_head: Literal["gmm", "linear"] = option("linear", "the same for objects, if they are predicted")


@dataclass(frozen=True)
class TempuraConfig(TransformerConfig, TempuraHeads):
    """Under the names of the authors' flags where there are some. The defaults are the published
    PredCLS and SGDET settings, but for num_mixtures, which is 6 in the published PredCLS;
    docs/tempura.md says more about each.

    reference_compat: one-frame videos without temporal output, and the weights of ``both`` divided
    by twice the sum of exp(al). Raises ConfigError for a field that needs another.
    """

    num_mixtures: int = option(4, "components of every mixture head", low=1, aliases=("K",), high=1000)
    uncertainty_threshold: float = option(
        1.25,
        "aleatoric plus epistemic uncertainty above which an edge of a graph is marked, and with -rel_unc or -obj_unc a"
        " training sample is left out of the prototypes; 1.25 is never reached",
        low=0,
        high=1e9,
    )
    temporal_window: int = option(2, "frames of a window of the temporal decoder", low=1, high=10_000)
    tracking: bool = option(True, "classify objects within sequences of their class over the video")
    rel_mem_compute: Literal["joint", "separate", "seperate"] | None = option(
        "joint", "memory of predicates: one attention over the prototypes of all groups, one for each group, or None"
    )
    obj_mem_compute: bool = option(False, "memory of objects")
    rel_mem_weight_type: Literal["simple", "al", "ep", "both"] = option(
        "simple", "weights of features in a prototype: equal, or the exponential of an uncertainty (with -rel_unc)"
    )
    obj_mem_weight_type: Literal["simple", "al", "ep", "both"] = option(
        "simple", "the same for objects (with -obj_unc)"
    )
    mem_fusion: Literal["early", "late"] = option(
        "late", "read the relation memory before or after the temporal decoder"
    )
    mem_feat_selection: Literal["manual", "automated"] = option(
        "manual", "the weight of a feature beside the memory's answer is given or learnt"
    )
    mem_feat_lambda: float | None = option(
        0.5, "that weight, if it is given; None: the plain sum of both", low=0, high=1e6
    )
    take_obj_mem_feat: bool = option(False, "pairs read the objects' features after the object memory")
    memory_pass: bool = option(
        False,
        "prototypes and uncertainty from a second forward pass in eval mode, as in the reference, instead of the"
        " training forward pass",
    )
    rel_unc: bool = option(False, "record the uncertainty of predicates in training")
    obj_unc: bool = option(False, "the same for objects")
    spatial_layer: int = option(1, "encoder layers within a frame", low=0, aliases=("enc_layer",), high=1000)
    temporal_layer: int = option(
        3, "decoder layers over the frames of a window", low=0, aliases=("dec_layer",), high=1000
    )

    def __post_init__(self) -> None:
        for kind, head in (("rel", self.rel_head), ("obj", self.obj_head)):
            recorded, weighting = getattr(self, f"{kind}_unc"), getattr(self, f"{kind}_mem_weight_type")
            if recorded and head != "gmm":
                raise ConfigError(
                    f"option -{kind}_unc: a linear head has no uncertainty; use -{kind}_head gmm with it."
                )
            if weighting != "simple" and not recorded:
                raise ConfigError(
                    f"option -{kind}_mem_weight_type {weighting} weights by uncertainty; use -{kind}_unc True with it."
                )


@dataclass(frozen=True)
class TempuraLossConfig(TempuraHeads):
    """reference_compat: with mlm and a weighting, the mean weight of all rows instead of each row's
    own."""

    mlm: bool = option(False, "multi-label margin loss instead of binary cross entropy")
    eos_coef: float = option(1.0, "weight of background boxes in the objects' loss", low=0, high=1e6)
    obj_con_loss: Literal["euc_con", "info_nce"] | None = option(None, "contrastive loss of the objects' features")
    lambda_con: float = option(1.0, "weight of the contrastive loss", low=0, high=1e6)
    rel_loss_weighting: Literal["al", "ep"] | None = option(
        None, "pairs with a larger uncertainty of this kind weigh more in the loss"
    )
    obj_loss_weighting: Literal["al", "ep"] | None = option(None, "the same for objects")
    gmm_regularization: float = option(0.0, "weight of a loss that keeps mixture components in use", low=0, high=1e9)


@dataclass(frozen=True)
class SceneLLMSizes(TransformerConfig):
    """All of SceneLLM's network but its language model."""

    token_dim: int = option(512, "width of codes, frame tokens and pair tokens", low=2, high=65_536)
    codes: int = option(512, "entries of the codebook", low=2, high=1_000_000)
    code_hidden: int = option(1024, "hidden width of the codebook's encoder and decoder", low=1, high=262_144)
    quantise: bool = option(True, "False: features are used directly, without a codebook (ablation)")
    graph_layers: int = option(2, "graph convolutions over the objects of a frame", low=0, high=1000)
    concatenate_places: bool = option(
        False, "join code and position of an object by a linear layer instead of adding them"
    )
    ot_mode: Literal["words", "none", "tconv", "cluster"] = option(
        "words",
        "how frames become words: optimal transport, not at all, after a temporal convolution, or runs of one cluster"
        " (ablations)",
    )
    frame_codes: int = option(512, "number of kinds of frames, which words are made of", low=2, high=1_000_000)
    max_words: int = option(1024, "words of several frames that the transport may choose from", low=0, high=1_000_000)
    memory_weight: float = option(
        0.5, "alpha: weight of the language model's state in the memory that pairs attend to", low=0, high=1
    )
    decoder_layer: int = option(3, "layers of the scene graph predictor", low=0, high=1000)
