"""What a config.json may not say, and what real ones do."""

from __future__ import annotations

import pytest

from vidsgg.errors import DataError
from vidsgg.io.model_config import check_model_values


@pytest.mark.parametrize(
    "name", ["num_hidden_layers", "n_layer", "encoder_layers", "num_local_experts", "n_routed_experts", "depths"]
)
def test_numbers_of_parts_are_bounded(name: str) -> None:
    check_model_values({"text_config": {name: 8192}})
    with pytest.raises(DataError, match="at most 8,192 is possible"):
        check_model_values({"text_config": {name: [2, 8193]}})


def test_sizes_of_real_models_are_taken() -> None:
    check_model_values(
        {"shared_expert_intermediate_size": 20480, "vocab_size": 262208, "max_position_embeddings": 10485760,
         "block_size": 131072, "attn_implementation": "sdpa", "rope_theta": 1e6, "sliding_window": None}
    )  # fmt: skip


@pytest.mark.parametrize("name", ["attn_implementation", "_attn_implementation", "experts_implementation"])
def test_code_is_not_chosen_by_a_file(name: str) -> None:
    with pytest.raises(DataError, match="a file does not choose other files or code"):
        check_model_values({"vision_config": {name: "kernels-community/x:attention"}})
