"""Names in the authors' checkpoints of STTran (yrcong/STTran) and of the STTran for EASG
(fpv-iplab/EASG), mapped on ours. Pure functions over names; no file is read here."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.datasets.easg_words import named_classes
from vidsgg.errors import ConfigError
from vidsgg.methods.authors_file import AuthorsFile, AuthorsFormat, Found
from vidsgg.methods.method import ImportOptions
from vidsgg.methods.renaming import (
    HEADS,
    OBJECT_CLASSIFIER,
    PAIR_TOKENS,
    TRANSFORMER,
    Rules,
    TransformerSizes,
    infer_transformer,
    renamed,
)
from vidsgg.methods.sttran import STTranOptions
from vidsgg.structures.schema import MODES, Mode
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


EASG_PAIR_TOKENS: Rules = (
    (r"obj_fc\.", "pair_encoder.object_visual."),
    (r"verb_fc\.", "pair_encoder.subject_visual."),
    (r"obj_embed\.", "pair_encoder.object_embedding."),
    (r"verb_embed\.", "pair_encoder.subject_embedding."),
    (r"rel_compress\.", "heads.relation."),
)
ACTION_CLASSIFIER: Rules = (
    (r"action_classifier\.decoder_lin\.0\.", "action_classifier.hidden."),
    (r"action_classifier\.decoder_lin\.1\.", "action_classifier.hidden_norm."),
    (r"action_classifier\.decoder_lin\.3\.", "action_classifier.decoder."),
)
# Our tables of object classes begin with the background, which no box of EASG is: its row is 0 and
# is never read.
WITH_BACKGROUND = (
    "pair_encoder.object_embedding.weight",
    "object_classifier.decoder.weight",
    "object_classifier.decoder.bias",
)


def is_easg_sttran(state: Mapping[str, object]) -> bool:
    """Whether these are the names of the STTran for EASG, whose tokens hold a verb."""
    return is_sttran(state) and "verb_fc.weight" in state


def easg_sttran_state(authors: Mapping[str, Tensor], mode: str) -> tuple[dict[str, Tensor], list[str]]:
    """A checkpoint of the STTran for EASG under the names of our model of ``mode``, and the
    authors' names that have no place in it.

    Raises CheckpointError if nothing fits.
    """
    guessed = {"predcls": (), "sgcls": OBJECT_CLASSIFIER, "sgdet": (*OBJECT_CLASSIFIER, *ACTION_CLASSIFIER)}[mode]
    state, left_over = renamed(authors, (*EASG_PAIR_TOKENS, *TRANSFORMER, *guessed), "STTran for EASG")
    for name in WITH_BACKGROUND:
        if name in state:
            weight = state[name]
            state[name] = F.pad(weight, (0, 0) * (weight.dim() - 1) + (1, 0))
    return state, left_over


def infer_easg_sttran(authors: Mapping[str, Tensor]) -> tuple[TransformerSizes, FeatureWidths]:
    """As ``infer_sttran``, of the STTran for EASG."""
    return infer_transformer(authors, "STTran for EASG", node="obj_fc.weight", union=None, action="verb_fc.weight")


def _read(file: AuthorsFile, asked: ImportOptions) -> Found:
    if asked.mode is None:
        raise ConfigError(
            f"option -mode is required: {file.path} holds STTran, whose file does not contain its mode. Name the"
            f" one that it was trained in: {', '.join(MODES)}."
        )
    return (_read_easg if is_easg_sttran(file.state) else _read_action_genome)(file, asked, asked.mode)


def _read_action_genome(file: AuthorsFile, asked: ImportOptions, mode: Mode) -> Found:
    sizes, widths = infer_sttran(file.state)
    vocabulary = SCHEMA.vocabulary
    heads = {f"{group.name[0]}_rel_compress.weight": len(group) for group in vocabulary.groups}
    file.check_rows({"obj_embed.weight": len(vocabulary.objects)} | heads)
    state, left_over = sttran_state(file.state, mode)
    reason = "the object classifier, which predcls does not use" if mode == "predcls" else "no place for them"
    return Found(_options(sizes, mode), widths, state, _about(sizes), tuple(left_over), reason)


def _read_easg(file: AuthorsFile, asked: ImportOptions, mode: Mode) -> Found:
    sizes, widths = infer_easg_sttran(file.state)
    features = {"object": widths.node, "action": widths.action}
    known = named_classes(asked.data_path, asked.words, str(file.path), features)
    schema, vocabulary = known.schema, known.schema.vocabulary
    rows = {"obj_embed.weight": len(vocabulary.objects) - 1, "verb_embed.weight": len(vocabulary.subjects)}
    file.check_rows(rows | {"rel_compress.weight": len(vocabulary.predicates)}, f"the words in {asked.data_path}")
    order = {
        **dict.fromkeys(
            ("obj_embed.", "object_classifier.obj_embed.", "object_classifier.decoder_lin.3."), known.objects
        ),
        **dict.fromkeys(("verb_embed.", "action_classifier.decoder_lin.3."), known.verbs),
        "rel_compress.": known.relations,
    }
    state, left_over = easg_sttran_state(file.in_order(order), mode)
    reason = f"convolutions that its authors never run, and classifiers that {mode} does not use"
    return Found(_options(sizes, mode), widths, state, _about(sizes), tuple(left_over), reason, schema=schema)


def _options(sizes: TransformerSizes, mode: Mode) -> STTranOptions:
    return STTranOptions(mode=mode, reference_compat=True, **sizes)


def _about(sizes: TransformerSizes) -> tuple[str, ...]:
    return tuple(f"{name}: {size}" for name, size in sizes.items())


AUTHORS = AuthorsFormat(
    "STTran (Cong et al., ICCV 2021; for EASG: Rodin et al., CVPR 2024)", "glocal_transformer...", is_sttran, _read
)
