"""Names in checkpoints of DSG-DETR (Shengyu-Feng/DSG-DETR) and of ImparTail
(rohithpeddi/ImparTail), mapped on ours.

ImparTail's DSG-DETR has the same names; its STTran is DSG-DETR without the object encoder, with
other names for the two encoders of pairs. Pure functions over names; no file is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.methods.authors_file import AuthorsFile, AuthorsFormat, Found
from vidsgg.methods.dsgdetr import DsgDetrOptions
from vidsgg.methods.method import ImportOptions
from vidsgg.methods.renaming import HEADS, PAIR_TOKENS, Rules, infer_transformer, renamed
from vidsgg.structures.schema import MODES, Mode
from vidsgg.structures.widths import FeatureWidths

_STACKS = {
    True: ("local_transformer", "global_transformer"),
    False: ("spatial_transformer", "temporal_transformer"),
}  # by object encoder
_CLASSIFIER: Rules = (
    (r"object_classifier\.decoder_lin\.0\.", "nodes.hidden."),
    (r"object_classifier\.decoder_lin\.1\.", "nodes.hidden_norm."),
    (r"object_classifier\.decoder_lin\.3\.", "nodes.decoder."),
)
_NODES: Rules = (
    (r"object_classifier\.obj_embed\.", "nodes.embedding."),
    (r"object_classifier\.pos_embed\.0\.", "nodes.position_norm."),
    (r"object_classifier\.pos_embed\.1\.", "nodes.position."),
)
_PLACES = {
    400: ("predcls", "sgcls"),
    600: ("sgdet",),
}  # in the object encoder's table of positions: the modes that have so many


def _encoder(theirs: str, ours: str) -> Rules:
    return (
        (rf"{theirs}\.layers\.(\d+)\.self_attn\.", rf"{ours}.\1.attention."),
        (rf"{theirs}\.layers\.(\d+)\.linear", rf"{ours}.\1.feedforward.linear"),
        (rf"{theirs}\.layers\.(\d+)\.norm", rf"{ours}.\1.norm"),
    )


def has_object_encoder(state: Mapping[str, object]) -> bool:
    return any(name.startswith("object_classifier.encoder_tran.") for name in state)


def is_dsgdetr(state: Mapping[str, object]) -> bool:
    """Whether these are the names of DSG-DETR, or of ImparTail's STTran, which is none of ICCV
    2021."""
    return any(name.startswith(f"{temporal}.layers.") for name in state for _, temporal in _STACKS.values())


def dsgdetr_state(authors: Mapping[str, Tensor], mode: str) -> tuple[dict[str, Tensor], list[str]]:
    """A checkpoint under the names of our model of ``mode``, and the authors' names that have no
    place in it.

    Raises CheckpointError if nothing fits.
    """
    encoder = has_object_encoder(authors)
    spatial, temporal = _STACKS[encoder]
    objects = _encoder(r"object_classifier\.encoder_tran", "sequences")
    nodes = _NODES if encoder or mode != "predcls" else ()
    classifier = _CLASSIFIER if mode != "predcls" else ()
    pairs = (*PAIR_TOKENS, *HEADS, *_encoder(spatial, "spatial"), *_encoder(temporal, "temporal"))
    rules = (*pairs, *objects, *nodes, *classifier)
    return renamed(authors, rules, "DSG-DETR")


def infer_dsgdetr(authors: Mapping[str, Tensor]) -> tuple[dict[str, Any], FeatureWidths]:
    """Sizes as options of our model, and the widths of the features that it reads.

    Raises CheckpointError if a weight is missing.
    """
    encoder = has_object_encoder(authors)
    sizes, widths = infer_transformer(authors, "DSG-DETR", _STACKS[encoder])
    options: dict[str, Any] = {"object_encoder": encoder, **sizes}
    if not encoder:
        return options, widths
    try:
        words = authors["object_classifier.obj_embed.weight"].shape[1]
        position = authors["object_classifier.pos_embed.1.weight"].shape[0]
        options["object_feedforward_dim"] = authors["object_classifier.encoder_tran.layers.0.linear1.weight"].shape[0]
    except KeyError as error:
        raise CheckpointError(
            f"a checkpoint of DSG-DETR has a weight {error.args[0]!r}, but this one does not; is it whole?"
        ) from None
    layers = {name.split(".")[3] for name in authors if name.startswith("object_classifier.encoder_tran.layers.")}
    options["object_layer"] = len(layers)
    return options, FeatureWidths(node=widths.node - words - position, union=widths.union)


def _read(file: AuthorsFile, asked: ImportOptions) -> Found:
    mode = _mode(file, asked)
    sizes, widths = infer_dsgdetr(file.state)
    vocabulary = SCHEMA.vocabulary
    heads = {f"{group.name[0]}_rel_compress.weight": len(group) for group in vocabulary.groups}
    file.check_rows({"obj_embed.weight": len(vocabulary.objects)} | heads)
    state, left_over = dsgdetr_state(file.state, mode)
    return Found(
        DsgDetrOptions(model="dsgdetr", mode=mode, reference_compat=True, **sizes),
        widths,
        state,
        tuple(f"{name}: {size}" for name, size in sizes.items()),
        tuple(left_over),
        "tables of positions, which are computed" + (", and what predcls does not use" if mode == "predcls" else ""),
    )


def _mode(file: AuthorsFile, asked: ImportOptions) -> Mode:
    """The mode that was asked for; SGDET is recognised by the length of the object encoder's table
    of positions."""
    table = file.state.get("object_classifier.positional_encoder.pe")
    fitting = MODES if table is None or table.dim() != 3 else _PLACES.get(table.shape[1], MODES)
    if asked.mode is None and len(fitting) == 1:
        return fitting[0]  # type: ignore[return-value]
    if asked.mode is None:
        raise ConfigError(
            f"option -mode is required: {file.path} holds DSG-DETR, whose file does not contain its mode. Name the"
            f" one that it was trained in: {', '.join(fitting)}."
        )
    if asked.mode not in fitting:
        raise ConfigError(
            f"option -mode: {file.path} has the table of positions of {' or '.join(fitting)}, not of {asked.mode}."
        )
    return asked.mode


AUTHORS = AuthorsFormat(
    "DSG-DETR (Feng et al., WACV 2023; also ImparTail's files)",
    "global_transformer... or temporal_transformer...",
    is_dsgdetr,
    _read,
)
