"""Names in the authors' checkpoints of OED (guanw-pku/OED), mapped on ours. Pure functions over
names; no file is read here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.methods.authors_file import AuthorsFile, AuthorsFormat, Found
from vidsgg.methods.method import ImportOptions
from vidsgg.methods.oed import OedOptions
from vidsgg.methods.renaming import Rules, renamed
from vidsgg.structures.widths import FeatureWidths

BACKBONE: Rules = ((r"backbone\.0\.body\.", "backbone.body."),)
TRANSFORMER: Rules = (
    (r"input_proj\.", "network.input_proj."),
    (r"transformer\.encoder\.", "network.encoder."),
    (r"transformer\.decoder\.", "network.instance_decoder."),
)
_QUERIES: Rules = (
    (r"query_embed\.", "network.query_embed."),
    (r"transformer\.interaction_decoder\.", "network.relation_decoder."),
)
_GIVEN: Rules = (
    (r"transformer\.interaction_decoder\.", "network.relation_decoder."),
    (r"transformer\.obj_classes_embed$", "network.class_vectors.weight"),
    (r"transformer\.query_(content|spatial)\.", r"network.query_\1."),
)
_REFINER = r"transformer\.temporal_query_(layer|decoder)"
_GROUPS = {"attn": "attention", "spatial": "spatial", "contacting": "contacting"}
_HEADS: Rules = (
    (r"(temporal_)?obj_class_embed\.", r"network.\1heads.object_class."),
    (r"(temporal_)?sub_bbox_embed\.", r"network.\1heads.subject_box."),
    (r"(temporal_)?obj_bbox_embed\.", r"network.\1heads.object_box."),
    *((rf"(temporal_)?{a}_class_embed\.", rf"network.\1heads.groups.{b}.") for a, b in _GROUPS.items()),
)
ONE_TOPK = "10"  # reference queries of the authors' only layer (--one_temp), per frame
# ResNets by the number of blocks in their third stage, and whether a block has three convolutions.
_BACKBONES = {(6, True): "resnet50", (6, False): "resnet34", (2, False): "resnet18"}


def is_oed(state: Mapping[str, object]) -> bool:
    """Whether these are the names of the authors' OED."""
    return any(name.startswith("transformer.interaction_decoder.") for name in state)


def is_given(state: Mapping[str, object]) -> bool:
    """Whether it is a model for predcls."""
    return "transformer.obj_classes_embed" in state


def is_temporal(state: Mapping[str, object]) -> bool:
    """Whether it was trained in the second stage."""
    return any(re.match(_REFINER, name) for name in state)


def oed_state(authors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """A checkpoint under the names of our model, and the authors' names that have no place in it.

    Raises CheckpointError if nothing fits, or if the temporal stage has a part that we do not know.
    """
    queries = _GIVEN if is_given(authors) else _QUERIES
    ours, left_over = renamed(authors, (*BACKBONE, *TRANSFORMER, *queries, *_refiners(authors), *_HEADS), "OED")
    for name in left_over:
        if re.match(_REFINER, name):
            raise CheckpointError(f"the weight {name!r} of this OED's temporal stage has no place in our model.")
    return ours, left_over


def _refiners(authors: Mapping[str, object]) -> Rules:
    """Three layers as published, one (``--one_temp``), or three times several
    (``--dec_layers_temporal``)."""
    each = _layers_of(authors, "transformer.temporal_query_decoder1")
    return (
        (r"transformer\.temporal_query_layer\.", "network.refiners.0."),
        *((rf"transformer\.temporal_query_layer{i + 1}\.", f"network.refiners.{i}.") for i in range(3)),
        *(
            (rf"transformer\.temporal_query_decoder{i + 1}\.layers\.{j}\.", f"network.refiners.{i * each + j}.")
            for i in range(3)
            for j in range(each)
        ),
    )


def _layers_of(authors: Mapping[str, object], stack: str) -> int:
    begin = f"{stack}.layers."
    return len({name.removeprefix(begin).split(".")[0] for name in authors if name.startswith(begin)})


def infer_oed(authors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Sizes as options of our model; the number of heads is not in the weights. Raises
    CheckpointError if a weight is missing."""
    try:
        options: dict[str, Any] = {
            "hidden_dim": authors["input_proj.weight"].shape[0],
            "enc_layers": _layers_of(authors, "transformer.encoder"),
            "instance_layers": _layers_of(authors, "transformer.decoder"),
            "relation_layers": _layers_of(authors, "transformer.interaction_decoder"),
            "feedforward_dim": authors["transformer.decoder.layers.0.linear1.weight"].shape[0],
        }
        if not is_given(authors):
            options["num_queries"] = authors["query_embed.weight"].shape[0]
        if any(name.startswith("transformer.temporal_query_layer.") for name in authors):
            options["oed_topk"] = ONE_TOPK
        if each := _layers_of(authors, "transformer.temporal_query_decoder1"):
            options["refine_layers"] = each
    except KeyError as error:
        raise CheckpointError(
            f"a checkpoint of OED has a weight {error.args[0]!r}, but this one does not; is it whole?"
        ) from None
    blocks = {name.split(".")[4] for name in authors if name.startswith("backbone.0.body.layer3.")}
    deep = any(".conv3." in name for name in authors if name.startswith("backbone.0.body.layer3."))
    if blocks:
        options["backbone"] = _BACKBONES.get((len(blocks), deep), "")
        if not options["backbone"]:
            raise CheckpointError(
                f"the backbone of this OED, with {len(blocks)} blocks in its third stage, is not known."
            )
    return options


def _read(file: AuthorsFile, asked: ImportOptions) -> Found:
    mode, temporal = "predcls" if is_given(file.state) else "sgdet", is_temporal(file.state)
    if asked.mode not in (None, mode):
        raise ConfigError(f"option -mode: {file.path} is an OED for {mode}, not for {asked.mode}.")
    options = infer_oed(file.state)
    vocabulary = SCHEMA.vocabulary
    single = {group.name: group.kind == "single" for group in vocabulary.groups}
    rows = {
        f"{a}_class_embed.weight": len(vocabulary.groups[i]) + single[b] for i, (a, b) in enumerate(_GROUPS.items())
    }
    file.check_rows({"obj_class_embed.weight": len(vocabulary.objects) + 1} | rows)
    state, left_over = oed_state(file.state)
    state["in_temporal_stage"] = torch.tensor(temporal)
    stages = {"temporal_epochs": 6 if temporal else 0, "oed_predcls_heads": "spatial"}
    return Found(
        OedOptions(model="oed", mode=mode, reference_compat=True, **options, **stages),  # type: ignore[arg-type]
        FeatureWidths(),
        state,
        (f"stage: {2 if temporal else 1}", *(f"{name}: {value}" for name, value in options.items())),
        tuple(left_over),
        "which the reference has and does not read",
    )


AUTHORS = AuthorsFormat("OED (Wang et al., CVPR 2024)", "transformer.interaction_decoder...", is_oed, _read)
