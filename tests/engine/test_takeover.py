"""A run may start from another's weights, and says what it took."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidsgg.engine.takeover import take_over
from vidsgg.errors import CheckpointError


class Net(nn.Module):
    def __init__(self, classes: int, extra: bool = False) -> None:
        super().__init__()
        self.body = nn.ModuleList([nn.Linear(3, 4), nn.Linear(4, 4)])
        self.heads = nn.ModuleDict({"a": nn.Linear(4, classes), "b": nn.Linear(4, 2)})
        if extra:
            self.classifier = nn.Linear(4, 7)


def test_every_weight_is_taken_new_reshaped_or_left_out() -> None:
    old, new = Net(3), Net(5, extra=True)
    own_head = new.heads["a"].weight.detach().clone()
    report = take_over(new, {**old.state_dict(), "gone.weight": torch.zeros(1)})
    assert torch.equal(new.body[1].weight, old.body[1].weight)
    assert torch.equal(new.heads["a"].weight, own_head)
    assert report.reshaped == ("heads.a.weight", "heads.a.bias")
    assert report.new == ("classifier.weight", "classifier.bias")
    assert report.left_out == ("gone.weight",)
    assert len(report.taken) == 6
    assert report.lines() == [
        "  taken over: body (4), heads.b (2)",
        "  new, with their own start: classifier (2)",
        "  of another shape, with their own start: heads.a (2)",
        "  left out: gone (1)",
    ]


def test_the_checkpoint_keeps_its_own_memory() -> None:
    old, new = Net(3), Net(3)
    state = {name: value.clone() for name, value in old.state_dict().items()}
    take_over(new, state)
    with torch.no_grad():
        new.body[0].weight.zero_()
    assert state["body.0.weight"].abs().sum() > 0


def test_weights_of_something_else_are_refused() -> None:
    with pytest.raises(CheckpointError, match="none of the checkpoint's 1 weights fits"):
        take_over(Net(3), {"conv.weight": torch.zeros(3)})
