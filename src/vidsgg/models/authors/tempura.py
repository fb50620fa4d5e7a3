"""Names in the authors' checkpoints of TEMPURA (sayaknag/unbiasedSGG), mapped on ours. Pure functions over names; no file is read here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vidsgg.errors import CheckpointError
from vidsgg.models.authors.renaming import HEADS, PAIR_TOKENS, TRANSFORMER, infer_transformer, renamed
from vidsgg.structures.widths import FeatureWidths

_MEMORY = (
    (r"glocal_transformer\.mem_attention\.(attention|spatial|contacting)\.", r"memory.attention.\1."),
    (r"glocal_transformer\.mem_attention\.", "memory.attention.joint."),
    (r"glocal_transformer\.selector\.", "memory.selector."),
)
# Everything but predcls uses these; they have weights in predcls too.
_OBJECTS = (
    (r"object_classifier\.obj_embed\.", "objects.embedding."),
    (r"object_classifier\.pos_embed\.0\.", "objects.position_norm."),
    (r"object_classifier\.pos_embed\.1\.", "objects.position."),
    (r"object_classifier\.encoder_tran\.layers\.(\d+)\.self_attn\.", r"sequences.\1.attention."),
    (r"object_classifier\.encoder_tran\.layers\.(\d+)\.linear", r"sequences.\1.feedforward.linear"),
    (r"object_classifier\.encoder_tran\.layers\.(\d+)\.norm", r"sequences.\1.norm"),
    (r"object_classifier\.mem_attention\.", "objects.memory.attention.joint."),
    (r"object_classifier\.selector\.", "objects.memory.selector."),
    (r"object_classifier\.intermediate\.0\.", "objects.hidden."),
    (r"object_classifier\.intermediate\.1\.", "objects.hidden_norm."),
    (r"object_classifier\.decoder_lin\.0\.", "objects.head."),
    (r"object_classifier\.decoder_lin\.heads\.", "objects.head.heads."),
)
_PARTS = {"mu": "mean", "var": "variance", "pi": "weight"}  # of a mixture head
_COMPONENT = re.compile(r"^(.*\.|)heads\.(mu|var|pi)_(\d+)\.(weight|bias)$")


def is_tempura(state: Mapping[str, object]) -> bool:
    """Whether these are the names of the authors' TEMPURA."""
    return "object_classifier.intermediate.0.weight" in state and any(name.startswith("glocal_transformer.") for name in state)


def tempura_state(authors: Mapping[str, Tensor], mode: str) -> tuple[dict[str, Tensor], list[str]]:
    """A TEMPURA checkpoint under the names of our model of ``mode``, without the prototypes, which are not in a state dict of theirs, and
    the authors' names that have no place in it. The layers of a mixture's components become one. Raises CheckpointError if nothing fits.
    """
    objects = () if mode == "predcls" else _OBJECTS
    ours, left_over = renamed(authors, (*PAIR_TOKENS, *TRANSFORMER, *_MEMORY, *HEADS, *objects), "TEMPURA")
    return joined_components(ours), left_over


def joined_components(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights ``<head>.heads.mu_1.weight``, ``mu_2``, ..., one linear layer a component, as those of a MixtureHead ``<head>.mean.weight``."""
    joined: dict[str, Tensor] = {}
    components: dict[str, dict[int, Tensor]] = {}
    for name, value in state.items():
        if match := _COMPONENT.match(name):
            head, part, number, kind = match.groups()
            components.setdefault(f"{head}{_PARTS[part]}.{kind}", {})[int(number)] = value
        else:
            joined[name] = value
    return joined | {name: torch.cat([values[i] for i in sorted(values)]) for name, values in components.items()}


def tempura_memory(rel_memory: object, obj_memory: object) -> dict[str, Tensor]:
    """The prototypes that a file holds beside its state dict, under the names of our buffers; empty lists are memories without any.

    rel_memory: rows by predicate group, or an empty list. obj_memory: (O - 1, D), or an empty list.
    Raises CheckpointError if they are anything else.
    """
    found: dict[str, Any] = {}
    if isinstance(rel_memory, Mapping):
        found |= {f"banks.{name}": rows for name, rows in rel_memory.items()}
    elif not _is_empty(rel_memory):
        raise CheckpointError(f"rel_memory is a {type(rel_memory).__name__}; rows by predicate group, or an empty list, are expected.")
    if not _is_empty(obj_memory):
        found["objects.bank"] = obj_memory
    strange = next((name for name, rows in found.items() if not isinstance(rows, Tensor) or rows.dim() != 2), None)
    if strange is not None:
        raise CheckpointError(f"the memory of {strange} is a {type(found[strange]).__name__}; a matrix is expected.")
    filled = {f"{name}.prototypes": rows.float() for name, rows in found.items()}
    return filled | {f"{name}.renewals": torch.tensor(1) for name in found}


def _is_empty(memory: object) -> bool:
    return isinstance(memory, list) and not memory


def infer_tempura(authors: Mapping[str, Tensor]) -> tuple[dict[str, Any], FeatureWidths]:
    """Options of our model as far as the weights tell them, and the widths of the features that it reads, see ``infer_transformer``.

    Not told are the mode, the share of memories, the place of the relation memory and how prototypes are weighted.
    """
    options: dict[str, Any]
    options, widths = infer_transformer(authors, "TEMPURA")
    heads = {"rel_head": "a_rel_compress.heads.mu_", "obj_head": "object_classifier.decoder_lin.heads.mu_"}
    components = {name: {key.split(".")[-2] for key in authors if key.startswith(prefix)} for name, prefix in heads.items()}
    options |= {name: "gmm" if found else "linear" for name, found in components.items()}
    if counts := [len(found) for found in components.values() if found]:
        options["num_mixtures"] = counts[0]
    options["tracking"] = any(name.startswith("object_classifier.encoder_tran.") for name in authors)
    options["obj_mem_compute"] = "object_classifier.mem_attention.in_proj_weight" in authors
    joint, separate = (f"glocal_transformer.mem_attention.{name}" for name in ("in_proj_weight", "attention.in_proj_weight"))
    options["rel_mem_compute"] = "joint" if joint in authors else "separate" if separate in authors else None
    options["mem_feat_selection"] = "automated" if any(".selector." in name for name in authors) else "manual"
    try:
        hidden, encoded = authors["object_classifier.intermediate.0.weight"].shape
        position = authors["object_classifier.pos_embed.1.weight"].shape[0]
        node = encoded - position - authors["object_classifier.obj_embed.weight"].shape[1]
    except KeyError as error:
        raise CheckpointError(f"a checkpoint of TEMPURA has a weight {error.args[0]!r}, but this one does not; is it whole?") from None
    options["take_obj_mem_feat"] = widths.node in ({encoded, hidden} - {node})
    return options, FeatureWidths(node=node, union=widths.union)


def longest_sequence(authors: Mapping[str, Tensor]) -> int | None:
    """Places in the table of positions of class sequences, 400 in predcls and sgcls, 600 in sgdet; None without sequences."""
    table = authors.get("object_classifier.positional_encoder.pe")
    return None if table is None else table.shape[1]
