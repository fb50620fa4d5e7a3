"""Names in the authors' checkpoints of STTran (yrcong/STTran), mapped on ours. Pure functions over
names; no file is read here."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import ConfigError
from vidsgg.methods.authors_file import AuthorsFile, AuthorsFormat, Found
from vidsgg.methods.method import ImportOptions
from vidsgg.methods.renaming import (
    HEADS,
    OBJECT_CLASSIFIER,
    PAIR_TOKENS,
    TRANSFORMER,
    TransformerSizes,
    infer_transformer,
    renamed,
)
from vidsgg.methods.sttran import STTranOptions
from vidsgg.structures.schema import MODES
from vidsgg.structures.widths import FeatureWidths


def is_sttran(state: Mapping[str, object]) -> bool:
    """Whether these are the names of the authors' STTran, and not those of a method that was built
    on it and has names of its own."""
    own = ("object_classifier.intermediate.", "object_classifier.encoder_tran.")
    return any(name.startswith("glocal_transformer.") for name in state) and not any(
        name.startswith(own) for name in state
    )


def sttran_state(authors: Mapping[str, Tensor], mode: str) -> tuple[dict[str, Tensor], list[str]]:
    """An STTran checkpoint under the names of our model of ``mode``, and the authors' names that
    have no place in it.

    Raises CheckpointError if nothing fits.
    """
    objects = () if mode == "predcls" else OBJECT_CLASSIFIER
    return renamed(authors, (*PAIR_TOKENS, *TRANSFORMER, *HEADS, *objects), "STTran")


def infer_sttran(authors: Mapping[str, Tensor]) -> tuple[TransformerSizes, FeatureWidths]:
    """Sizes of an STTran checkpoint as options of our model, and the widths of the features that it
    reads, see ``infer_transformer``."""
    return infer_transformer(authors, "STTran")


def _read(file: AuthorsFile, asked: ImportOptions) -> Found:
    if asked.mode is None:
        raise ConfigError(
            f"option -mode is required: {file.path} holds STTran, whose file does not tell its mode. Name the one that"
            f" it was trained in: {', '.join(MODES)}."
        )
    sizes, widths = infer_sttran(file.state)
    vocabulary = SCHEMA.vocabulary
    heads = {f"{group.name[0]}_rel_compress.weight": len(group) for group in vocabulary.groups}
    file.check_rows({"obj_embed.weight": len(vocabulary.objects)} | heads)
    state, left_over = sttran_state(file.state, asked.mode)
    return Found(
        STTranOptions(mode=asked.mode, reference_compat=True, **sizes),
        widths,
        state,
        tuple(f"{name}: {size}" for name, size in sizes.items()),
        tuple(left_over),
        "the object classifier, which predcls does not use" if asked.mode == "predcls" else "no place for them",
    )


AUTHORS = AuthorsFormat("STTran (Cong et al., ICCV 2021)", "glocal_transformer...", is_sttran, _read)
