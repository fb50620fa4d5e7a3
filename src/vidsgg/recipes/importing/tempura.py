"""The authors' TEMPURA, imported."""

from __future__ import annotations

from typing import Any

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.methods.tempura import TempuraOptions
from vidsgg.models.authors.tempura import infer_tempura, is_tempura, longest_sequence, tempura_memory, tempura_state
from vidsgg.recipes.importing.authors_file import AuthorsFile
from vidsgg.recipes.importing.method import Found, Method
from vidsgg.recipes.importing.options import ImportOptions
from vidsgg.structures.schema import MODES

PUBLISHED_SHARE = {"predcls": 0.5, "sgcls": 0.3, "sgdet": 0.5}  # -mem_feat_lambda of the authors' README
_PLACES = {"predcls": 400, "sgcls": 400, "sgdet": 600}  # in their table of positions, where there is one
_OF_OBJECTS = ("tracking", "obj_head", "obj_mem_compute", "take_obj_mem_feat")


def _read(file: AuthorsFile, asked: ImportOptions) -> Found:
    mode = _mode(file, asked)
    told, widths = infer_tempura(file.state)
    vocabulary = SCHEMA.vocabulary
    head = "heads.mu_1.weight" if told["rel_head"] == "gmm" else "weight"
    file.check_rows(
        {"obj_embed.weight": len(vocabulary.objects)} | {f"{group.name[0]}_rel_compress.{head}": len(group) for group in vocabulary.groups}
    )
    if mode == "predcls":
        told = {name: value for name, value in told.items() if name not in _OF_OBJECTS}
    state, left_over = tempura_state(file.state, mode)
    share, place = _diffusion(file, asked, mode, told)
    options = TempuraOptions(model="tempura", mode=mode, reference_compat=True, mem_feat_lambda=share, mem_fusion=place, **told)
    about = [f"{name}: {value}" for name, value in told.items()]
    about += [f"mem_fusion: {place}", f"mem_feat_lambda: {share}"] if told["rel_mem_compute"] or told.get("obj_mem_compute") else []
    if asked.memory:
        kept = ("banks.",) * bool(told["rel_mem_compute"]) + ("objects.bank.",) * bool(told.get("obj_mem_compute"))
        memory = {
            name: value
            for name, value in tempura_memory(file.content.get("rel_memory", []), file.content.get("object_memory", [])).items()
            if name.startswith(kept)
        }
        if not memory:
            raise CheckpointError(f"{file.path} holds no memory that its model could read; leave out -memory.")
        state |= memory
        about.append("memory: restored; the authors' test.py scores without it")
    else:
        about.append("memory: none, as in the authors' test.py; -memory True restores that of the file, if there is one")
    reason = "the object part, which predcls does not use" if mode == "predcls" else "the table of positions, which is computed"
    return Found(options, widths, state, tuple(about), tuple(left_over), reason, keeps=("banks.", "objects.bank."))


def _mode(file: AuthorsFile, asked: ImportOptions) -> str:
    """The mode that was asked for; SGDET is told by the length of the table of positions."""
    places = longest_sequence(file.state)
    if asked.mode is None and places == _PLACES["sgdet"]:
        return "sgdet"
    if asked.mode is None:
        raise ConfigError(
            f"option -mode is required: {file.path} holds TEMPURA, whose file does not tell its mode. Name the one that it was trained in:"
            f" {', '.join(MODES)}."
        )
    if places is not None and places != _PLACES[asked.mode]:
        fitting = [mode for mode, count in _PLACES.items() if count == places]
        raise ConfigError(
            f"option -mode: {file.path} has a table of {places} positions, which is that of {' or '.join(fitting) or 'no mode'}, not of {asked.mode}."
        )
    return asked.mode


def _diffusion(file: AuthorsFile, asked: ImportOptions, mode: str, told: dict[str, Any]) -> tuple[float | None, Any]:
    """The share of features beside the memory's answer, and the place of the relation memory; without a memory they have no effect."""
    share, place = asked.mem_feat_lambda, asked.mem_fusion
    learnt = told["mem_feat_selection"] == "automated"
    lacking = ["-mem_feat_lambda"] * (share is None and not learnt) + ["-mem_fusion"] * (place is None)
    if asked.memory and lacking:
        raise ConfigError(
            f"option {' and '.join(lacking)}: {file.path} does not tell how its memory is mixed in. Name what it was trained with; the authors'"
            f" README has -mem_feat_lambda {PUBLISHED_SHARE[mode]} -mem_fusion late for {mode}."
        )
    if share is None:
        return PUBLISHED_SHARE[mode], place or "late"
    if share == "sum":
        return None, place or "late"
    try:
        return float(share), place or "late"
    except ValueError:
        raise ConfigError(f"option -mem_feat_lambda: expected a number or 'sum', got {share!r}") from None


TEMPURA = Method(
    "tempura",
    "TEMPURA (Nag et al., CVPR 2023)",
    "object_classifier.intermediate...",
    is_tempura,
    _read,
    choices=("memory", "mem_feat_lambda", "mem_fusion"),
)
