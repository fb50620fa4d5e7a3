import copy

import numpy as np
import pytest
import torch
from golden.deterministic import cases_of, read_case
from golden.sttran.inputs import make_optim

from vidsgg.engine.optimizer import ReferenceAdamW


def run(start, gradients, optimizer=None, parameter=None, **options):
    """Values after every step."""
    parameter = torch.nn.Parameter(torch.from_numpy(start.copy())) if parameter is None else parameter
    optimizer = ReferenceAdamW([parameter], **options) if optimizer is None else optimizer
    values = []
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        values.append(parameter.detach().numpy().copy())
    return np.array(values), optimizer, parameter


def reference(start, gradients, lr, eps=1e-8, weight_decay=0.01, beta1=0.9, beta2=0.999):
    """The formula in double precision."""
    p, m, v, values = start.astype(np.float64), 0.0, 0.0, []
    for t, g in enumerate(gradients.astype(np.float64), 1):
        p = p * (1 - lr * weight_decay)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        p = p - lr * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + eps)
        values.append(p)
    return np.array(values)


@pytest.mark.parametrize("case", [case["id"] for case in cases_of("sttran", "adamw")])
def test_equals_the_reference(case):
    config, recorded = read_case("sttran", case)
    start, gradients = make_optim(config["seed"], config["n"], config["steps"])
    values, _, _ = run(start, gradients, lr=config["lr"])
    np.testing.assert_allclose(values, recorded["values"], rtol=1e-6, atol=1e-8)


def test_torch_differs_where_gradients_are_as_small_as_eps():
    start, gradients = np.zeros(8, np.float32), np.full((3, 8), 1e-8, np.float32)
    values, _, _ = run(start, gradients, lr=1e-3)
    np.testing.assert_allclose(values, reference(start, gradients, 1e-3), rtol=1e-5)
    theirs, _, _ = run(
        start, gradients, torch.optim.AdamW([parameter := torch.nn.Parameter(torch.zeros(8))], lr=1e-3), parameter
    )
    assert np.abs(theirs - values).max() > 1e-4


def test_state_dict_round_trip_is_exact_and_holds_the_nominal_eps():
    start, gradients = make_optim(3, 20, 6)
    straight, _, _ = run(start, gradients, lr=1e-3)
    _, optimizer, parameter = run(start, gradients[:3], lr=1e-3)
    state = copy.deepcopy(optimizer.state_dict())
    assert state["param_groups"][0]["eps"] == 1e-8
    resumed = torch.nn.Parameter(parameter.detach().clone())
    fresh = ReferenceAdamW([resumed], lr=1.0, eps=1.0)
    fresh.load_state_dict(state)
    rest, _, _ = run(start, gradients[3:], fresh, resumed)
    np.testing.assert_array_equal(rest, straight[3:])


def test_a_parameter_that_sat_out_keeps_its_own_count():
    """Tiny gradients, where eps decides: each parameter must follow the formula with its own number
    of updates."""
    often, seldom = torch.nn.Parameter(torch.zeros(4)), torch.nn.Parameter(torch.zeros(4))
    optimizer = ReferenceAdamW([{"params": [often, seldom]}], lr=1e-3)
    gradient = np.full(4, 1e-8, np.float32)
    for step in range(4):
        often.grad = torch.from_numpy(gradient)
        seldom.grad = torch.from_numpy(gradient) if step % 2 else None
        optimizer.step()
    for parameter, updates in ((often, 4), (seldom, 2)):
        expected = reference(np.zeros(4), np.tile(gradient, (updates, 1)), 1e-3)[-1]
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=1e-5)


def test_schedulers_groups_and_closures_work():
    a, b = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = ReferenceAdamW([{"params": [a], "lr": 1e-2}, {"params": [b], "weight_decay": 0.0}], lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (a + 2 * b).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 6
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-3, 1e-4])
    assert a.tolist() == pytest.approx([1 - 1e-2 * 0.01 - 1e-2] * 2, abs=1e-6)
    assert b.tolist() == pytest.approx([1 - 1e-3] * 2, abs=1e-6)


def test_a_step_without_gradients_changes_nothing():
    parameter = torch.nn.Parameter(torch.ones(2))
    ReferenceAdamW([parameter]).step()
    assert parameter.tolist() == [1, 1]


@pytest.mark.parametrize("piece", [2**10, 2**21])
def test_one_pass_over_pieces_gives_the_same_bits(piece, monkeypatch):
    """As clipping, torch's step and rounding one after another: in sizes that are and are not whole
    pieces, with a parameter that falls behind."""
    monkeypatch.setattr("vidsgg.engine.optimizer.PIECE", piece)
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(size, generator=generator) for size in (2 * 2**10 + 37, 5, 2**10, 3)]
    one, other = ([torch.nn.Parameter(value.clone()) for value in start] for _ in range(2))
    weights = {p: p.detach().bfloat16() for p in one[:3]}
    mine, theirs = ReferenceAdamW(one, lr=1e-2), ReferenceAdamW(other, lr=1e-2)
    for step in range(3):
        gradients = {p: torch.randn(p.shape, generator=generator).bfloat16() for p in one}
        for a, b in zip(one, other, strict=True):
            b.grad = gradients[a].float()
        if step == 1:
            gradients[one[-1]] = other[-1].grad = None
        factor = torch.tensor(0.37)
        mine.scaled_step(gradients.get, factor, weights)
        for p in other:
            if p.grad is not None:
                p.grad.mul_(factor)
        theirs.step()
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert all(torch.equal(weight, p.bfloat16()) for p, weight in weights.items())
    assert [mine.state[p]["step"].item() for p in one] == [3, 3, 3, 2]
