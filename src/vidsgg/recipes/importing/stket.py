"""The authors' STKET, imported."""

from __future__ import annotations

from typing import Any

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import ConfigError
from vidsgg.methods.stket import StketOptions
from vidsgg.models.authors.stket import infer_stket, is_stket, stket_state
from vidsgg.recipes.importing.authors_file import AuthorsFile
from vidsgg.recipes.importing.method import Found, Method
from vidsgg.recipes.importing.options import ImportOptions
from vidsgg.structures.schema import MODES

CHOICES = ("N_layer", "pred_contact_threshold", "use_spatial_prior", "use_temporal_prior")


def _read(file: AuthorsFile, asked: ImportOptions) -> Found:
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


def _chosen(file: AuthorsFile, asked: ImportOptions, sizes: dict[str, int]) -> dict[str, Any]:
    """Options that the weights do not tell. Raises ConfigError naming all that have to be given."""
    spatial, temporal = sizes["spatial_layer"] > 0, sizes["temporal_layer"] > 0
    needed = {
        "mode": f"the mode that it was trained in: {', '.join(MODES)}",
        **({"use_spatial_prior": "whether the spatial part reads priors: True in the authors' scripts"} if spatial else {}),
        **({"use_temporal_prior": "whether the temporal part does: True in the authors' scripts"} if temporal else {}),
    }
    if temporal and asked.use_temporal_prior is not False:
        needed["pred_contact_threshold"] = "the threshold that it was trained with: 0.8 in the authors' scripts"
    lacking = [name for name in needed if getattr(asked, name) is None]
    if lacking:
        raise ConfigError(
            "\n".join(
                [
                    f"option {', '.join(f'-{name}' for name in lacking)} required: {file.path} holds STKET, whose file does not tell",
                    *(f"  -{name}: {needed[name]}" for name in lacking),
                    *(["  (-N_layer too, if it was not 1)"] if asked.N_layer is None else []),
                ]
            )
        )
    given = {name: getattr(asked, name) for name in ("mode", *CHOICES)}
    off = {} if spatial else {"use_spatial_prior": False}
    off |= {} if temporal else {"use_temporal_prior": False}
    return {name: value for name, value in given.items() if value is not None} | off


STKET = Method("stket", "STKET (Pu et al., IEEE TIP 2024)", "spatial_encoder..., temporal_decoder...", is_stket, _read, CHOICES)
