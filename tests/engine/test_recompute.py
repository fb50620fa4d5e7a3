"""Gradient checkpointing: the same bits, less memory."""

from __future__ import annotations

import torch
from clips import entity_clip
from engine.training import tiny_model

from vidsgg.engine.randomness import seed_step
from vidsgg.engine.recompute import recompute_layers
from vidsgg.methods.sttran import METHOD
from vidsgg.models.sttran import STTran


def gradients(model: STTran, kept: list[int] | None = None) -> dict[str, torch.Tensor]:
    seed_step(1, 1, 1)

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if kept is not None:
            kept.append(tensor.untyped_storage().nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(entity_clip([3, 2, 4, 1, 3]))
        loss = sum(value.square().mean() for value in logits.groups.values())
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_gradients_and_buffers_are_the_same_bits_under_dropout() -> None:
    plain, saving = (tiny_model(dropout=0.5, layers=3) for _ in range(2))
    assert recompute_layers(saving, METHOD.capabilities.recomputable) == 1 + 3
    one, other = gradients(plain), gradients(saving)
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert all(torch.equal(a, b) for a, b in zip(plain.buffers(), saving.buffers(), strict=True))
    assert plain.state_dict().keys() == saving.state_dict().keys()


def test_activations_within_layers_are_not_kept() -> None:
    plain, saving = (tiny_model(layers=3) for _ in range(2))
    recompute_layers(saving, METHOD.capabilities.recomputable)
    kept: dict[str, list[int]] = {"plain": [], "saving": []}
    gradients(plain, kept["plain"])
    gradients(saving, kept["saving"])
    assert len(kept["saving"]) < 0.7 * len(kept["plain"])


def test_without_gradients_nothing_is_recomputed() -> None:
    plain, saving = (tiny_model().eval() for _ in range(2))
    recompute_layers(saving, METHOD.capabilities.recomputable)
    clip = entity_clip([2, 1])
    with torch.inference_mode():
        one, other = plain(clip), saving(clip)
    assert all(torch.equal(value, other.groups[name]) for name, value in one.groups.items())
