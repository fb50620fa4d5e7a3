"""Names in the authors' checkpoints of STKET (HCPLab-SYSU/STKET), mapped on ours. Pure functions
over names; no file is read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import ConfigError
from vidsgg.methods.authors_file import AuthorsFile, AuthorsFormat, Found
from vidsgg.methods.renaming import OBJECT_CLASSIFIER, PAIR_TOKENS, Rules, TransformerSizes, infer_transformer, renamed
from vidsgg.methods.stket import ImportOfStket, StketOptions
from vidsgg.structures.schema import MODES
from vidsgg.structures.widths import FeatureWidths

_LAYER = r"(spatial|temporal|ensemble)_(?:en|de)coder\.(?:en|de)coder\.layers\.(\d+)\."
_GROUPS = {"a": "attention", "s": "spatial", "c": "contacting"}
_PARTS = {"spa": "spatial", "tem": "temporal", "ens": "ensemble"}

_LAYERS: Rules = (
    (_LAYER + r"self_attn\.", r"\1.\2.attention."),
    (_LAYER + r"W_q\.", r"\1.\2.attention.query."),
    (_LAYER + r"W_k\.", r"\1.\2.attention.key."),
    (_LAYER + r"W_v\.", r"\1.\2.attention.value."),
    (_LAYER + r"linear", r"\1.\2.feedforward.linear"),
    (_LAYER + r"norm3\.", r"\1.\2.norm."),
    (_LAYER + r"norm", r"\1.\2.norm"),
    (r"temporal_decoder\.position_embedding\.", "frame_position."),
    (r"ensemble_decoder\.position_embedding\.", "key_position."),
)
_SPATIAL_PRIOR: Rules = (
    (r"spatial_encoder\.initialPrior$", "spatial_knowledge.initial"),
    (r"spatial_encoder\.state_fc\.", "spatial_knowledge.state."),
)
_TEMPORAL_PRIOR: Rules = (
    (r"temporal_decoder\.initialPrior$", "temporal_knowledge.initial"),
    (r"temporal_decoder\.specificPrior$", "temporal_knowledge.transition"),
    (r"temporal_decoder\.state_fc\.", "temporal_knowledge.state."),
)


def is_stket(state: Mapping[str, object]) -> bool:
    """Whether these are the names of the authors' STKET."""
    return any(name.startswith(("spa_a_rel_compress.", "spatial_encoder.", "temporal_decoder.")) for name in state)


def stket_state(authors: Mapping[str, Tensor], options: Mapping[str, object]) -> tuple[dict[str, Tensor], list[str]]:
    """An STKET checkpoint under the names of our model, and the authors' names that have no place
    in it.

    options: of our model, those of ``infer_stket`` with mode, use_spatial_prior and
    use_temporal_prior. Raises CheckpointError if nothing fits. Left out are weights that the
    reference has and never uses: the heads of parts that do not exist, the tables of priors that
    are off, the object classifier in predcls, and the heads on plain tokens, which are the spatial
    part where it has no layers.
    """
    layers = {"spa": options["spatial_layer"], "tem": options["temporal_layer"]}
    prefixes = {f"{short}_": part for short, part in _PARTS.items() if all(layers.values()) or layers.get(short)}
    if not layers["spa"]:
        prefixes[""] = "spatial"
    return renamed(
        authors,
        (
            *PAIR_TOKENS,
            *(OBJECT_CLASSIFIER if options["mode"] != "predcls" else ()),
            *_LAYERS,
            *(_SPATIAL_PRIOR if options["use_spatial_prior"] else ()),
            *(_TEMPORAL_PRIOR if options["use_temporal_prior"] else ()),
            *(
                (rf"{p}{g}_rel_compress\.", f"heads.{part}.{group}.")
                for p, part in prefixes.items()
                for g, group in _GROUPS.items()
            ),
        ),
        "STKET",
    )


class StketSizes(TransformerSizes):
    window_size: int  # not in the weights without an ensemble


def infer_stket(authors: Mapping[str, Tensor]) -> tuple[TransformerSizes, FeatureWidths]:
    """Sizes of an STKET checkpoint as options of our model, and the widths of the features that it
    reads.

    What weights without layers or an ensemble do not say does not matter. Raises CheckpointError if
    a weight is missing.
    """
    sizes, widths = infer_transformer(authors, "STKET", ("spatial_encoder.encoder", "temporal_decoder.decoder"))
    positions = authors.get("ensemble_decoder.position_embedding.weight")
    if positions is None:
        return sizes, widths
    with_window: StketSizes = {**sizes, "window_size": len(positions)}
    return with_window, widths


def _read(file: AuthorsFile, asked: ImportOfStket) -> Found:
    sizes, widths = infer_stket(file.state)
    chosen = _chosen(file, asked, sizes)
    vocabulary = SCHEMA.vocabulary
    heads = {f"spa_{group.name[0]}_rel_compress.weight": len(group) for group in vocabulary.groups}
    file.check_rows({"obj_embed.weight": len(vocabulary.objects)} | heads)
    state, left_over = stket_state(file.state, {**sizes, **chosen})
    return Found(
        StketOptions(model="stket", reference_compat=True, **sizes, **chosen),
        widths,
        state,
        tuple(f"{name}: {value}" for name, value in {**sizes, **chosen}.items() if name != "mode"),
        tuple(left_over),
        "which the reference has for parts that it does not use",
    )


def _chosen(file: AuthorsFile, asked: ImportOfStket, sizes: TransformerSizes) -> dict[str, Any]:
    """Options that the weights do not tell. Raises ConfigError naming all that have to be given."""
    spatial, temporal = sizes["spatial_layer"] > 0, sizes["temporal_layer"] > 0
    needed = {
        "mode": f"the mode that it was trained in: {', '.join(MODES)}",
        **(
            {"use_spatial_prior": "whether the spatial part reads priors: True in the authors' scripts"}
            if spatial
            else {}
        ),
        **({"use_temporal_prior": "whether the temporal part does: True in the authors' scripts"} if temporal else {}),
    }
    if temporal and asked.use_temporal_prior is not False:
        needed["pred_contact_threshold"] = "the threshold that it was trained with: 0.8 in the authors' scripts"
    lacking = [name for name in needed if getattr(asked, name) is None]
    if lacking:
        raise ConfigError(
            "\n".join(
                [
                    (
                        f"option {', '.join(f'-{name}' for name in lacking)} required: {file.path} holds STKET, whose"
                        " file does not tell"
                    ),
                    *(f"  -{name}: {needed[name]}" for name in lacking),
                    *(["  (-N_layer too, if it was not 1)"] if asked.N_layer is None else []),
                ]
            )
        )
    given = {field.name: getattr(asked, field.name) for field in fields(asked)}
    off = {} if spatial else {"use_spatial_prior": False}
    off |= {} if temporal else {"use_temporal_prior": False}
    return {name: value for name, value in given.items() if value is not None} | off


AUTHORS = AuthorsFormat("STKET (Pu et al., IEEE TIP 2024)", "spatial_encoder..., temporal_decoder...", is_stket, _read)
