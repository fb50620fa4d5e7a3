"""What the authors' checkpoints of several methods have in common: names of the parts that they
took over from STTran."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from torch import Tensor

from vidsgg.errors import CheckpointError
from vidsgg.structures.widths import FeatureWidths

Rules = Sequence[tuple[str, str]]  # pattern of the beginning of a name there -> here

# of layers: within a frame, over frames
STACKS = ("glocal_transformer.local_attention", "glocal_transformer.global_attention")
PAIR_TOKENS: Rules = (
    (r"union_func1\.", "pair_encoder.union.features."),
    (r"conv\.0\.", "pair_encoder.union.mask_conv1."),
    (r"conv\.2\.", "pair_encoder.union.mask_norm1."),
    (r"conv\.4\.", "pair_encoder.union.mask_conv2."),
    (r"conv\.6\.", "pair_encoder.union.mask_norm2."),
    (r"subj_fc\.", "pair_encoder.subject_visual."),
    (r"obj_fc\.", "pair_encoder.object_visual."),
    (r"vr_fc\.", "pair_encoder.union.flatten."),
    (r"obj_embed\.", "pair_encoder.subject_embedding."),
    (r"obj_embed2\.", "pair_encoder.object_embedding."),
)
# It has weights in every mode of STTran's authors; predcls does not use them.
OBJECT_CLASSIFIER: Rules = (
    (r"object_classifier\.obj_embed\.", "object_classifier.embedding."),
    (r"object_classifier\.pos_embed\.0\.", "object_classifier.position_norm."),
    (r"object_classifier\.pos_embed\.1\.", "object_classifier.position."),
    (r"object_classifier\.decoder_lin\.0\.", "object_classifier.hidden."),
    (r"object_classifier\.decoder_lin\.1\.", "object_classifier.hidden_norm."),
    (r"object_classifier\.decoder_lin\.3\.", "object_classifier.decoder."),
)
TRANSFORMER: Rules = (
    (r"glocal_transformer\.local_attention\.layers\.(\d+)\.self_attn\.", r"spatial.\1.attention."),
    (r"glocal_transformer\.local_attention\.layers\.(\d+)\.linear", r"spatial.\1.feedforward.linear"),
    (r"glocal_transformer\.local_attention\.layers\.(\d+)\.norm", r"spatial.\1.norm"),
    (r"glocal_transformer\.global_attention\.layers\.(\d+)\.multihead2\.", r"temporal.\1.attention."),
    (r"glocal_transformer\.global_attention\.layers\.(\d+)\.linear", r"temporal.\1.feedforward.linear"),
    (r"glocal_transformer\.global_attention\.layers\.(\d+)\.norm3\.", r"temporal.\1.norm."),
    (r"glocal_transformer\.position_embedding\.", "frame_position."),
)
HEADS: Rules = (
    (r"a_rel_compress\.", "heads.attention."),
    (r"s_rel_compress\.", "heads.spatial."),
    (r"c_rel_compress\.", "heads.contacting."),
)


def renamed(authors: Mapping[str, Tensor], rules: Rules, method: str) -> tuple[dict[str, Tensor], list[str]]:
    """The entries that the first fitting rule gives a name, under it, and the authors' names of the
    others.

    Raises CheckpointError if nothing fits.
    """
    ours: dict[str, Tensor] = {}
    left_over = []
    for name, value in authors.items():
        for pattern, replacement in rules:
            if re.match(pattern, name):
                ours[re.sub(f"^{pattern}", replacement, name)] = value
                break
        else:
            left_over.append(name)
    if not ours:
        raise CheckpointError(
            f"no weight of {method} among {len(authors)} entries, the first of which is {next(iter(authors), None)!r}."
        )
    return ours, left_over


class TransformerSizes(TypedDict):
    """Options of our models that weights tell."""

    spatial_layer: int
    temporal_layer: int
    hidden_dim: int
    embedding_dim: int
    feedforward_dim: NotRequired[int]  # not in the weights without any layer


def infer_transformer(
    authors: Mapping[str, Tensor],
    method: str,
    stacks: tuple[str, str] = STACKS,
    *,
    node: str = "subj_fc.weight",
    union: str | None = "union_func1.weight",
    action: str | None = None,
) -> tuple[TransformerSizes, FeatureWidths]:
    """Sizes of pair tokens and transformer as options of our models, and the widths of the features
    that they read.

    stacks: names of the layers within a frame and of those over frames, without
    ``.layers.<number>``. node, union, action: the weights that read these features; None: nothing
    reads them. Without any layer the feed-forward width is not in the weights, nor does it matter.
    Raises CheckpointError if a weight is missing.
    """
    try:
        hidden_dim, node_width = authors[node].shape
        options: TransformerSizes = {
            "spatial_layer": _layers(authors, stacks[0]),
            "temporal_layer": _layers(authors, stacks[1]),
            "hidden_dim": hidden_dim,
            "embedding_dim": authors["obj_embed.weight"].shape[1],
        }
        others = [0 if name is None else authors[name].shape[1] for name in (union, action)]
    except KeyError as error:
        raise CheckpointError(
            f"a checkpoint of {method} has a weight {error.args[0]!r}, but this one does not; is it whole?"
        ) from None
    for name, value in authors.items():
        if name.startswith(stacks) and name.endswith(".linear1.weight"):
            options["feedforward_dim"] = value.shape[0]
    return options, FeatureWidths(node_width, *others)


def _layers(authors: Mapping[str, Tensor], stack: str) -> int:
    layers = f"{stack}.layers."
    return len({name.removeprefix(layers).split(".")[0] for name in authors if name.startswith(layers)})
