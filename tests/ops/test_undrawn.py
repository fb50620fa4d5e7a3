from __future__ import annotations

import torch
from torch import nn

from vidsgg.ops.undrawn import blank, draws, undrawn


def test_nothing_is_drawn_and_the_rest_is_computed() -> None:
    before = torch.get_rng_state()
    with undrawn():
        linear, norm, words = nn.Linear(50, 70), nn.LayerNorm(9), nn.Embedding(5, 6)
        attention = nn.MultiheadAttention(8, 2)
        assert not draws()
    assert draws() and torch.equal(before, torch.get_rng_state())
    assert torch.equal(norm.weight, torch.ones(9))  # no draw
    assert words.weight.shape == (5, 6) and attention.in_proj_weight.shape == (24, 8)
    linear.load_state_dict(nn.Linear(50, 70).state_dict())
    assert not torch.equal(before, torch.get_rng_state())  # outside of it weights are drawn


def test_a_blank_module_leaves_the_random_state() -> None:
    before = torch.get_rng_state()
    assert blank(nn.Conv2d, 3, 4, 5, bias=False).weight.shape == (4, 3, 5, 5)
    assert draws() and torch.equal(before, torch.get_rng_state())
