"""The authors' names, without their weights."""

from __future__ import annotations

import pytest
import torch
from golden.deterministic import read_json
from torch import Tensor

from vidsgg.errors import CheckpointError
from vidsgg.methods.sttran.authors import infer_sttran, is_sttran, sttran_state
from vidsgg.structures.widths import FeatureWidths


@pytest.fixture(scope="module")
def published() -> dict[str, Tensor]:
    """Every entry of the published STTran, as a shape only."""
    return {name: torch.empty(shape, device="meta") for name, shape in read_json("sttran", "params.json").items()}


def test_predcls_leaves_the_object_classifier_out(published: dict[str, Tensor]) -> None:
    assert is_sttran(published)
    predcls, left_over = sttran_state(published, "predcls")
    assert left_over == [name for name in published if name.startswith("object_classifier.")]
    for mode in ("sgcls", "sgdet"):
        whole, left_over = sttran_state(published, mode)
        assert not left_over
        assert {name: whole[name].shape for name in predcls} == {name: value.shape for name, value in predcls.items()}
        assert {name.split(".")[0] for name in whole.keys() - predcls.keys()} == {"object_classifier"}
        assert len(whole) == len(published)


def test_sizes_are_read_off_the_weights(published: dict[str, Tensor]) -> None:
    sizes, widths = infer_sttran(published)
    assert sizes == {
        "spatial_layer": 1,
        "temporal_layer": 3,
        "hidden_dim": 512,
        "embedding_dim": 200,
        "feedforward_dim": 2048,
    }
    assert widths == FeatureWidths(node=2048, union=1024)
    bare = {name: value for name, value in published.items() if ".layers." not in name}
    assert infer_sttran(bare)[0] == {"spatial_layer": 0, "temporal_layer": 0, "hidden_dim": 512, "embedding_dim": 200}


def test_what_is_not_sttran_is_refused(published: dict[str, Tensor]) -> None:
    assert not is_sttran({"RCNN_base.0.weight": 0})
    with pytest.raises(CheckpointError, match="no weight of STTran among 1 entries, the first of which is 'x'"):
        sttran_state({"x": torch.zeros(1)}, "sgdet")
    with pytest.raises(CheckpointError, match=r"'subj_fc\.weight'"):
        infer_sttran({name: value for name, value in published.items() if not name.startswith("subj_fc")})
