"""Names in the authors' checkpoints of STTran (yrcong/STTran), mapped on ours. Pure functions over names; no file is read here."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vidsgg.models.authors.renaming import HEADS, PAIR_TOKENS, TRANSFORMER, infer_transformer, renamed
from vidsgg.structures.widths import FeatureWidths

# It has weights in every mode of the reference; predcls does not use them.
_OBJECT_CLASSIFIER = (
    (r"object_classifier\.obj_embed\.", "object_classifier.embedding."),
    (r"object_classifier\.pos_embed\.0\.", "object_classifier.position_norm."),
    (r"object_classifier\.pos_embed\.1\.", "object_classifier.position."),
    (r"object_classifier\.decoder_lin\.0\.", "object_classifier.hidden."),
    (r"object_classifier\.decoder_lin\.1\.", "object_classifier.hidden_norm."),
    (r"object_classifier\.decoder_lin\.3\.", "object_classifier.decoder."),
)


def is_sttran(state: Mapping[str, object]) -> bool:
    """Whether these are the names of the authors' STTran."""
    return any(name.startswith("glocal_transformer.") for name in state)


def sttran_state(authors: Mapping[str, Tensor], mode: str) -> tuple[dict[str, Tensor], list[str]]:
    """An STTran checkpoint under the names of our model of ``mode``, and the authors' names that have no place in it.

    Raises CheckpointError if nothing fits.
    """
    objects = () if mode == "predcls" else _OBJECT_CLASSIFIER
    return renamed(authors, (*PAIR_TOKENS, *TRANSFORMER, *HEADS, *objects), "STTran")


def infer_sttran(authors: Mapping[str, Tensor]) -> tuple[dict[str, int], FeatureWidths]:
    """Sizes of an STTran checkpoint as options of our model, and the widths of the features that it reads, see ``infer_transformer``."""
    return infer_transformer(authors, "STTran")
