"""Accumulated gradients are those of the large batch; what is not finite is not applied."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from engine.training import Case, tiny_model
from toys import ToyVideos

from vidsgg.engine.precision import Precision
from vidsgg.engine.update import Update
from vidsgg.engine.watch import TrainingError
from vidsgg.io.tensors import load_tensors


def trained(path: Path, batch_size: int, accumulate: int, videos: int, broken: tuple[str, ...]) -> Case:
    """Two epochs of plain gradient descent, in which a wrong divisor would show."""
    dataset = ToyVideos(videos, broken=broken)
    case = Case(
        path,
        epochs=2,
        batch_size=batch_size,
        accumulate=accumulate,
        dropout=0.0,
        optimizer=torch.optim.SGD,
        lr=0.1,
        dataset=dataset,
    )
    case.loader.skip_bad = bool(broken)
    case.run()
    return case


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "videos", "broken"),
    [(1, 4, 8, ()), (2, 2, 10, ()), (1, 4, 7, ()), (2, 2, 8, ("v3",))],
    ids=["whole groups", "a short group", "one short batch", "one video unreadable"],
)
def test_accumulation_equals_the_large_batch(
    tmp_path: Path, batch_size: int, accumulate: int, videos: int, broken: tuple[str, ...]
) -> None:
    large = trained(tmp_path / "large", 4, 1, videos, broken)
    small = trained(tmp_path / "small", batch_size, accumulate, videos, broken)
    assert small.state.step == large.state.step == 2 * math.ceil(videos / 4)
    torch.testing.assert_close(small.state.model.state_dict(), large.state.model.state_dict(), rtol=1e-5, atol=1e-6)
    assert small.state.losses == pytest.approx(large.state.losses, rel=1e-5)
    start = tiny_model(dropout=0.0)
    assert (
        max((a - b).abs().max().item() for a, b in zip(start.parameters(), large.state.model.parameters(), strict=True))
        > 0.01
    )


@pytest.mark.parametrize("videos_of", [[2, 2], [2, 1], [1]], ids=["full", "short batch", "short group"])
def test_gradients_are_means_over_videos(videos_of: list[int]) -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    update = Update(torch.optim.SGD(layer.parameters(), lr=1.0), Precision(layer), videos=4)
    before = layer.weight.item()
    values = torch.arange(1.0, 1 + sum(videos_of))
    for part in values.split(videos_of):
        update.add({"total": layer(part[:, None]).mean()}, len(part))
    norm = update.step(0.5).norm
    assert norm == pytest.approx(values.mean().item())
    assert layer.weight.item() == pytest.approx(before - 0.5 * values.mean().item())
    assert update.lr == 0.5


def test_a_gradient_that_is_not_finite_is_not_applied() -> None:
    layer = torch.nn.Linear(1, 1)
    before = layer.weight.item()
    update = Update(torch.optim.SGD(layer.parameters(), lr=1.0), Precision(layer), clip_grad=1.0)
    update.add({"total": layer(torch.tensor([[math.inf]])).sum()}, 1)
    assert not math.isfinite(update.step(1.0).norm)
    assert layer.weight.item() == before
    assert layer.weight.grad is None


def test_a_run_whose_gradients_diverge_stops_before_its_weights_are_spoilt(tmp_path: Path) -> None:
    case = Case(tmp_path, epochs=3, save_minutes=0.0)
    original = case.criterion

    def diverging(logits: object, clip: object) -> dict[str, torch.Tensor]:
        losses = original(logits, clip)  # type: ignore[arg-type]
        if case.state.step == 4:
            weight = next(case.state.model.parameters())
            # 0 in value, not a number in its gradient
            losses["total"] = losses["total"] + (weight * 0).abs().sqrt().sum()
        return losses

    case.criterion = diverging  # type: ignore[assignment]
    with pytest.raises(TrainingError) as caught:
        case.run()
    message = str(caught.value)
    assert "the norm of the gradients is nan at step 4 of epoch 2, video v" in message
    assert "Gradient norms of the steps before: " in message
    assert len(message.split("before: ")[1].split(". Last")[0].split(", ")) == 4
    assert f"Last good checkpoint: checkpoint_last.tar in {tmp_path}" in message
    saved = load_tensors(tmp_path / "checkpoint_last.tar")["model_state_dict"]
    assert all(value.isfinite().all() for value in saved.values())


def test_clipping_bounds_the_step_and_reports_the_norm_before() -> None:
    model = tiny_model()
    parameters = list(model.parameters())
    update = Update(torch.optim.SGD(parameters, lr=1.0), Precision(model), clip_grad=0.5)
    before = [p.detach().clone() for p in parameters]
    update.add({"total": sum((3 * p).sum() for p in parameters)}, 1)  # type: ignore[arg-type]
    norm = update.step(1.0).norm
    assert norm == pytest.approx(3 * math.sqrt(sum(p.numel() for p in parameters)), rel=1e-5)
    moved = torch.cat([(a - b).flatten() for a, b in zip(before, parameters, strict=True)])
    assert moved.norm().item() == pytest.approx(0.5, rel=1e-3)
