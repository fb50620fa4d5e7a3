"""Names in the authors' published checkpoints, mapped on ours. Pure functions over names; no file is read here."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from vidsgg.errors import CheckpointError

# yrcong/STTran: prefix there -> here.
_STTRAN = (
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
    (r"glocal_transformer\.local_attention\.layers\.(\d+)\.self_attn\.", r"spatial.\1.attention."),
    (r"glocal_transformer\.local_attention\.layers\.(\d+)\.linear", r"spatial.\1.feedforward.linear"),
    (r"glocal_transformer\.local_attention\.layers\.(\d+)\.norm", r"spatial.\1.norm"),
    (r"glocal_transformer\.global_attention\.layers\.(\d+)\.multihead2\.", r"temporal.\1.attention."),
    (r"glocal_transformer\.global_attention\.layers\.(\d+)\.linear", r"temporal.\1.feedforward.linear"),
    (r"glocal_transformer\.global_attention\.layers\.(\d+)\.norm3\.", r"temporal.\1.norm."),
    (r"glocal_transformer\.position_embedding\.", "frame_position."),
    (r"a_rel_compress\.", "heads.attention."),
    (r"s_rel_compress\.", "heads.spatial."),
    (r"c_rel_compress\.", "heads.contacting."),
)

# The object classifier has weights in every mode of the reference; predcls does not use them.
_OBJECT_CLASSIFIER = (
    (r"object_classifier\.obj_embed\.", "embedding."),
    (r"object_classifier\.pos_embed\.0\.", "position_norm."),
    (r"object_classifier\.pos_embed\.1\.", "position."),
    (r"object_classifier\.decoder_lin\.0\.", "hidden."),
    (r"object_classifier\.decoder_lin\.1\.", "hidden_norm."),
    (r"object_classifier\.decoder_lin\.3\.", "decoder."),
)


def sttran_state(authors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The relation part of an STTran checkpoint under our names, and the authors' names that have no place in it.

    Raises CheckpointError if nothing fits.
    """
    return _rename(authors, _STTRAN, "STTran")


def object_classifier_state(authors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The same for the object classifier of the STTran family."""
    return _rename(authors, _OBJECT_CLASSIFIER, "the object classifier")


def _rename(authors: Mapping[str, Tensor], rules: tuple[tuple[str, str], ...], what: str) -> tuple[dict[str, Tensor], list[str]]:
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
        raise CheckpointError(f"no weight of {what} among {len(authors)} entries, the first of which is {next(iter(authors), None)!r}.")
    return ours, left_over
