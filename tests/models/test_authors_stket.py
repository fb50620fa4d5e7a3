"""The authors' names, without their weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from golden.deterministic import cases_of
from golden.stket.clips import shapes
from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import CheckpointError
from vidsgg.methods.stket.authors import infer_stket, is_stket, stket_state
from vidsgg.methods.sttran.authors import is_sttran
from vidsgg.models.configs import StketConfig
from vidsgg.models.stket import Stket
from vidsgg.structures.widths import FeatureWidths

SETTINGS = {"enc_layer_num": 2, "dec_layer_num": 2, "window_size": 4}
SIZES = {
    "spatial_layer": 2,
    "temporal_layer": 2,
    "window_size": 4,
    "hidden_dim": 512,
    "embedding_dim": 200,
    "feedforward_dim": 2048,
}
OPTIONS = {"mode": "sgcls", "use_spatial_prior": True, "use_temporal_prior": True}


def state(**changes: int) -> dict[str, Tensor]:
    """Every entry as a shape only."""
    return {name: torch.empty(shape, device="meta") for name, shape in shapes({**SETTINGS, **changes})}


def test_sizes_are_read_off_the_weights() -> None:
    assert infer_stket(state()) == (SIZES, FeatureWidths(node=2048, union=1024))
    assert infer_stket(state(enc_layer_num=1, dec_layer_num=3, window_size=3))[0] == SIZES | {
        "spatial_layer": 1,
        "temporal_layer": 3,
        "window_size": 3,
    }
    assert "window_size" not in infer_stket(state(enc_layer_num=0))[0]
    for case in cases_of("stket", "model"):
        assert (
            infer_stket(state(**{name: case["settings"][name] for name in SETTINGS}))[0]["spatial_layer"]
            == case["settings"]["enc_layer_num"]
        )


@pytest.mark.parametrize("layers", [(2, 2), (1, 0), (0, 2)], ids=str)
@pytest.mark.parametrize(
    "changes", [{}, {"mode": "predcls"}, {"use_spatial_prior": False}, {"use_temporal_prior": False}], ids=str
)
def test_every_weight_of_ours_is_one_of_theirs(layers: tuple[int, int], changes: dict[str, Any]) -> None:
    authors = state(enc_layer_num=layers[0], dec_layer_num=layers[1])
    sizes, widths = infer_stket(authors)
    options = {**OPTIONS, **changes}
    ours, left_over = stket_state(authors, {**sizes, **options})
    priors = {name: options[name] for name in ("use_spatial_prior", "use_temporal_prior")}
    with torch.device("meta"):
        model = Stket(SCHEMA, widths, StketConfig(**sizes, **priors), options["mode"])
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in model.state_dict().items()
    }
    assert len(ours) + len(left_over) == len(authors)
    never_used = ["a_rel_compress", "s_rel_compress", "c_rel_compress"] if layers[0] else []
    assert {name.split(".")[0] for name in left_over} >= set(never_used)


def test_what_is_not_stket_is_refused() -> None:
    assert is_stket(state())
    assert not is_sttran(state())
    assert not is_stket({"glocal_transformer.local_attention.layers.0.norm1.weight": 0, "a_rel_compress.weight": 0})
    with pytest.raises(CheckpointError, match="no weight of STKET among 1 entries, the first of which is 'x'"):
        stket_state({"x": torch.zeros(1)}, {**SIZES, **OPTIONS})
    with pytest.raises(CheckpointError, match=r"'subj_fc\.weight'"):
        infer_stket({name: value for name, value in state().items() if not name.startswith("subj_fc")})
