"""Names in the authors' checkpoints of TEMPURA (sayaknag/unbiasedSGG), mapped on ours. Pure
functions over names; no file is read here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.methods.authors_file import AuthorsFile, AuthorsFormat, Found
from vidsgg.methods.renaming import HEADS, PAIR_TOKENS, TRANSFORMER, infer_transformer, renamed
from vidsgg.methods.tempura import ImportOfTempura, TempuraOptions
from vidsgg.structures.schema import MODES, Mode
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
    return "object_classifier.intermediate.0.weight" in state and any(
        name.startswith("glocal_transformer.") for name in state
    )


def tempura_state(authors: Mapping[str, Tensor], mode: str) -> tuple[dict[str, Tensor], list[str]]:
    """A TEMPURA checkpoint under the names of our model of ``mode``, without the prototypes, which
    are not in a state dict of theirs, and the authors' names that have no place in it. The layers
    of a mixture's components become one. Raises CheckpointError if nothing fits.
    """
    objects = () if mode == "predcls" else _OBJECTS
    ours, left_over = renamed(authors, (*PAIR_TOKENS, *TRANSFORMER, *_MEMORY, *HEADS, *objects), "TEMPURA")
    return joined_components(ours), left_over


def joined_components(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights ``<head>.heads.mu_1.weight``, ``mu_2``, ..., one linear layer a component, as those
    of a MixtureHead ``<head>.mean.weight``."""
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
    """The prototypes that a file holds beside its state dict, under the names of our buffers; empty
    lists are memories without any.

    rel_memory: rows by predicate group, or an empty list. obj_memory: (O - 1, D), or an empty list.
    Raises CheckpointError if they are anything else.
    """
    found: dict[str, Any] = {}
    if isinstance(rel_memory, Mapping):
        found |= {f"banks.{name}": rows for name, rows in rel_memory.items()}
    elif not _is_empty(rel_memory):
        raise CheckpointError(
            f"rel_memory is a {type(rel_memory).__name__}; rows by predicate group, or an empty list, are expected."
        )
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
    """Options of our model as far as the weights tell them, and the widths of the features that it
    reads, see ``infer_transformer``.

    Not told are the mode, the share of memories, the place of the relation memory and how
    prototypes are weighted.
    """
    sizes, widths = infer_transformer(authors, "TEMPURA")
    options: dict[str, Any] = {**sizes}
    heads = {"rel_head": "a_rel_compress.heads.mu_", "obj_head": "object_classifier.decoder_lin.heads.mu_"}
    components = {
        name: {key.split(".")[-2] for key in authors if key.startswith(prefix)} for name, prefix in heads.items()
    }
    options |= {name: "gmm" if found else "linear" for name, found in components.items()}
    if counts := [len(found) for found in components.values() if found]:
        options["num_mixtures"] = counts[0]
    options["tracking"] = any(name.startswith("object_classifier.encoder_tran.") for name in authors)
    options["obj_mem_compute"] = "object_classifier.mem_attention.in_proj_weight" in authors
    joint, separate = (
        f"glocal_transformer.mem_attention.{name}" for name in ("in_proj_weight", "attention.in_proj_weight")
    )
    options["rel_mem_compute"] = "joint" if joint in authors else "separate" if separate in authors else None
    options["mem_feat_selection"] = "automated" if any(".selector." in name for name in authors) else "manual"
    try:
        hidden, encoded = authors["object_classifier.intermediate.0.weight"].shape
        position = authors["object_classifier.pos_embed.1.weight"].shape[0]
        node = encoded - position - authors["object_classifier.obj_embed.weight"].shape[1]
    except KeyError as error:
        raise CheckpointError(
            f"a checkpoint of TEMPURA has a weight {error.args[0]!r}, but this one does not; is it whole?"
        ) from None
    options["take_obj_mem_feat"] = widths.node in ({encoded, hidden} - {node})
    return options, FeatureWidths(node=node, union=widths.union)


def longest_sequence(authors: Mapping[str, Tensor]) -> int | None:
    """Places in the table of positions of class sequences, 400 in predcls and sgcls, 600 in sgdet;
    None without sequences."""
    table = authors.get("object_classifier.positional_encoder.pe")
    return None if table is None else table.shape[1]


PUBLISHED_SHARE = {"predcls": 0.5, "sgcls": 0.3, "sgdet": 0.5}  # -mem_feat_lambda of the authors' README
_PLACES = {"predcls": 400, "sgcls": 400, "sgdet": 600}  # in their table of positions, where there is one
_OF_OBJECTS = ("tracking", "obj_head", "obj_mem_compute", "take_obj_mem_feat")


def _read(file: AuthorsFile, asked: ImportOfTempura) -> Found:
    mode = _mode(file, asked)
    told, widths = infer_tempura(file.state)
    vocabulary = SCHEMA.vocabulary
    head = "heads.mu_1.weight" if told["rel_head"] == "gmm" else "weight"
    file.check_rows(
        {"obj_embed.weight": len(vocabulary.objects)}
        | {f"{group.name[0]}_rel_compress.{head}": len(group) for group in vocabulary.groups}
    )
    if mode == "predcls":
        told = {name: value for name, value in told.items() if name not in _OF_OBJECTS}
    state, left_over = tempura_state(file.state, mode)
    share, place = _diffusion(file, asked, mode, told)
    options = TempuraOptions(
        model="tempura", mode=mode, reference_compat=True, mem_feat_lambda=share, mem_fusion=place, **told
    )
    about = [f"{name}: {value}" for name, value in told.items()]
    about += (
        [f"mem_fusion: {place}", f"mem_feat_lambda: {share}"]
        if told["rel_mem_compute"] or told.get("obj_mem_compute")
        else []
    )
    if asked.memory:
        kept = ("banks.",) * bool(told["rel_mem_compute"]) + ("objects.bank.",) * bool(told.get("obj_mem_compute"))
        memory = {
            name: value
            for name, value in tempura_memory(
                file.content.get("rel_memory", []), file.content.get("object_memory", [])
            ).items()
            if name.startswith(kept)
        }
        if not memory:
            raise CheckpointError(f"{file.path} holds no memory that its model could read; leave out -memory.")
        state |= memory
        about.append("memory: restored; the authors' test.py scores without it")
    else:
        about.append(
            "memory: none, as in the authors' test.py; -memory True restores that of the file, if there is one"
        )
    reason = (
        "the object part, which predcls does not use"
        if mode == "predcls"
        else "the table of positions, which is computed"
    )
    return Found(options, widths, state, tuple(about), tuple(left_over), reason, keeps=("banks.", "objects.bank."))


def _mode(file: AuthorsFile, asked: ImportOfTempura) -> Mode:
    """The mode that was asked for; SGDET is recognised by the length of the table of positions."""
    places = longest_sequence(file.state)
    if asked.mode is None and places == _PLACES["sgdet"]:
        return "sgdet"
    if asked.mode is None:
        raise ConfigError(
            f"option -mode is required: {file.path} holds TEMPURA, whose file does not contain its mode. Name the"
            f" one that it was trained in: {', '.join(MODES)}."
        )
    if places is not None and places != _PLACES[asked.mode]:
        fitting = [mode for mode, count in _PLACES.items() if count == places]
        raise ConfigError(
            f"option -mode: {file.path} has a table of {places} positions, which is that of"
            f" {' or '.join(fitting) or 'no mode'}, not of {asked.mode}."
        )
    return asked.mode


def _diffusion(file: AuthorsFile, asked: ImportOfTempura, mode: str, told: dict[str, Any]) -> tuple[float | None, Any]:
    """The share of features beside the memory's answer, and the place of the relation memory;
    without a memory they have no effect."""
    share, place = asked.mem_feat_lambda, asked.mem_fusion
    learnt = told["mem_feat_selection"] == "automated"
    lacking = ["-mem_feat_lambda"] * (share is None and not learnt) + ["-mem_fusion"] * (place is None)
    if asked.memory and lacking:
        raise ConfigError(
            f"option {' and '.join(lacking)}: {file.path} does not contain how its memory is mixed in. Name the"
            f" values of its training; the authors' README has -mem_feat_lambda {PUBLISHED_SHARE[mode]}"
            f" -mem_fusion late for {mode}."
        )
    if share is None:
        return PUBLISHED_SHARE[mode], place or "late"
    if share == "sum":
        return None, place or "late"
    try:
        return float(share), place or "late"
    except ValueError:
        raise ConfigError(f"option -mem_feat_lambda: expected a number or 'sum', got {share!r}") from None


AUTHORS = AuthorsFormat("TEMPURA (Nag et al., CVPR 2023)", "object_classifier.intermediate...", is_tempura, _read)
