"""Mixed precision: what is computed in which type, and that the float32 weights are those that
count."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from clips import ENTITY, entity_clip
from engine.training import Case, tiny_model
from torch import nn

from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.precision import Precision, product_rate
from vidsgg.engine.update import Update
from vidsgg.errors import ConfigError
from vidsgg.io.tensors import load_tensors
from vidsgg.losses.relations import RelationCriterion


@pytest.mark.parametrize(("level", "kind"), [("O0", torch.float32), ("O1", torch.bfloat16), ("O2", torch.bfloat16)])
def test_levels_compute_in_their_types(level: str, kind: torch.dtype) -> None:
    model, clip = tiny_model(dropout=0.0), entity_clip([2, 1, 3])
    full = model(clip).groups
    precision = Precision(model, level, torch.bfloat16)
    with precision.autocast():
        logits = model(clip)
    assert all(value.dtype is kind for value in logits.groups.values())
    for name, value in logits.groups.items():
        torch.testing.assert_close(value.float(), full[name], rtol=0.1, atol=0.1)
    losses = RelationCriterion(ENTITY)(logits, clip)
    assert losses["total"].dtype is torch.float32


def test_only_o2_rounds_weights_and_leaves_norms_and_embeddings_alone() -> None:
    model = tiny_model()
    Precision(model, "O1", torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    Precision(model, "O2", torch.bfloat16)
    kinds = {type(module).__name__: {p.dtype for p in module.parameters(recurse=False)} for module in model.modules()}
    assert kinds["LayerNorm"] == kinds["VideoBatchNorm"] == kinds["ClassEmbedding"] == {torch.float32}
    assert kinds["Linear"] == kinds["Conv2d"] == kinds["RaggedAttention"] == {torch.bfloat16}
    assert all(buffer.dtype is not torch.bfloat16 for buffer in model.buffers())


def test_o2_sums_up_steps_that_bfloat16_would_lose() -> None:
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    precision = Precision(layer, "O2", torch.bfloat16)
    update = Update(torch.optim.SGD(precision.updated(layer.parameters()), lr=1.0), precision)
    for _ in range(64):
        update.add({"total": (layer.weight * 2**-12).sum()}, 1)  # next to 1, bfloat16 knows steps of 2**-7 only
        update.step(1.0)
    assert layer.weight.dtype is torch.bfloat16
    with precision.full_weights():
        assert layer.weight.dtype is torch.float32
        assert layer.weight.item() == 1 - 64 * 2**-12
        state = layer.state_dict()
    assert layer.weight.item() == torch.tensor(1 - 64 * 2**-12).bfloat16().item()
    assert state["weight"].item() == 1 - 64 * 2**-12


def test_weights_that_do_not_learn_stay_what_they_are() -> None:
    layer = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    layer[0].weight.requires_grad_(False)
    before = layer[0].weight.clone()
    precision = Precision(layer, "O2", torch.bfloat16)
    update = Update(torch.optim.SGD(precision.updated(layer.parameters()), lr=1.0), precision)
    with precision.autocast():
        update.add({"total": layer(torch.ones(1, 2)).sum().float()}, 1)
    update.step(1.0)
    with precision.full_weights():
        assert torch.equal(layer[0].weight, before)
        assert not layer[0].weight.requires_grad


def test_float16_lowers_its_scale_where_gradients_overflow() -> None:
    layer = nn.Linear(1, 1, bias=False)
    before = layer.weight.item()
    precision = Precision(layer, "O1", torch.float16)
    update = Update(torch.optim.SGD(layer.parameters(), lr=1.0), precision)
    scale = precision.scaler.get_scale()
    with precision.autocast():
        output = layer(torch.full((1, 1), 100.0))
    update.add({"total": output.float().sum() * 1e30 * 1e30}, 1)
    assert update.step(1.0).norm == float("inf")
    assert layer.weight.item() == before
    assert precision.scaler.get_scale() == scale / 2
    with precision.autocast():
        update.add({"total": layer(torch.ones(1, 1)).float().sum()}, 1)
    assert update.step(1.0).norm == pytest.approx(1.0)
    assert layer.weight.item() == pytest.approx(before - 1)


def test_o2_needs_bfloat16() -> None:
    with pytest.raises(ConfigError, match=r"-opt_level O2 needs bfloat16.*use -opt_level O1"):
        Precision(nn.Linear(1, 1), "O2", torch.float16)


@pytest.mark.parametrize("level", ["O1", "O2"])
def test_a_processor_without_bfloat16_stays_in_float32_and_says_so(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"avx512_f": True, "avx512_bf16": False, "architecture": "x86_64"}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    layer = nn.Linear(2, 2)
    precision = Precision(layer, level)
    assert precision.remarks() == [
        f"warning: this processor does not compute in bfloat16, so that -opt_level {level} trains in float32"
    ]
    with precision.autocast():
        assert layer(torch.ones(1, 2)).dtype is layer.weight.dtype is torch.float32
    found["avx512_bf16"] = True
    assert Precision(layer, level).remarks()[0] == f"mixed precision: {level}, bfloat16"


@pytest.mark.parametrize(("bfloat16", "warned"), [(90.0, True), (340.0, False)])
def test_a_processor_on_which_bfloat16_is_slower_is_named(
    bfloat16: float, warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {torch.bfloat16: bfloat16, torch.float32: 170.0}
    monkeypatch.setattr("vidsgg.engine.precision.product_rate", rates.__getitem__)
    told = Precision(nn.Linear(2, 2), "O2", torch.bfloat16).remarks()
    assert any("its products reach 90 GFLOP/s a core, those of float32 170" in line for line in told) == warned


def test_the_products_of_both_types_are_measured() -> None:
    assert product_rate(torch.float32, rows=8, width=16) > 0
    assert product_rate(torch.bfloat16, rows=8, width=16) > 0


def trained_with_masters(one_pass: bool) -> tuple[nn.Module, Update]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(70, 80), nn.LayerNorm(80), nn.Linear(80, 3))
    precision = Precision(model, "O2", torch.bfloat16)
    update = Update(ReferenceAdamW(precision.updated(model.parameters()), lr=1e-2), precision, clip_grad=0.1)
    for step in range(3):
        with precision.autocast():
            loss = model(torch.randn(4, 70, generator=torch.Generator().manual_seed(step))).float().square().sum()
        update.add({"total": loss}, 1)
        if not one_pass:
            assert precision.masters is not None
            precision.masters.hand_over_gradients()
        assert update.step(1.0).norm > 0.1
    return model, update


def test_one_pass_over_masters_is_the_passes_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients from bfloat16, clipped, applied, and the weights rounded."""
    monkeypatch.setattr("vidsgg.engine.update.PIECE", 1000)
    monkeypatch.setattr("vidsgg.engine.optimizer.PIECE", 1000)
    (one, update), (other, _) = trained_with_masters(True), trained_with_masters(False)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=2**-7, atol=1e-6)  # a step of bfloat16
        assert a.grad is None
    rounded = [p.clone() for p in one.parameters()]
    with update.precision.full_weights():
        masters = [p.detach() for p in one.parameters()]
        assert all(torch.equal(a, b.to(a.dtype)) for a, b in zip(rounded, masters, strict=True))
        assert not torch.equal(rounded[0].float(), masters[0])  # they hold more than the weights


def test_gradients_of_several_batches_are_added_in_float32() -> None:
    layer = nn.Linear(1, 1, bias=False)
    precision = Precision(layer, "O2", torch.bfloat16)
    update = Update(torch.optim.SGD(precision.updated(layer.parameters()), lr=1.0), precision, videos=2)
    for size in (2.0, 2.0**-8):  # their sum, 2.00390625, is 2 in bfloat16
        update.add({"total": layer.weight.float().sum() * size}, 1)
    assert update.step(1.0).norm == 1 + 2.0**-9


@pytest.mark.parametrize("level", ["O1", "O2"])
def test_training_learns_and_is_scored_with_float32_weights(tmp_path: Path, level: str) -> None:
    case = Case(tmp_path, epochs=8, level=level)
    validate, seen = case.validate, set[torch.dtype]()

    def looking() -> object:
        seen.update(p.dtype for p in case.state.model.parameters())
        return validate()

    case.validate = looking
    case.run()
    assert seen == {torch.float32}
    assert case.state.losses[-1] < 0.9 * case.state.losses[0]
    content = load_tensors(tmp_path / "checkpoint_final.tar")
    assert {value.dtype for value in content["model_state_dict"].values()} == {torch.float32, torch.int64}
    moments = [state["exp_avg"].dtype for state in content["optimizer_state_dict"]["state"].values()]
    assert set(moments) == {torch.float32}
    fresh = tiny_model()
    fresh.load_state_dict(content["model_state_dict"])  # as evaluation and prediction do
