"""A criterion reads the logits of its own method's network."""

from __future__ import annotations

import pytest
import torch

from vidsgg.losses.criterion import logits_of
from vidsgg.models.stket import StketLogits
from vidsgg.models.tempura import TempuraLogits
from vidsgg.structures.logits import RelationLogits


def test_the_logits_of_its_own_network_are_passed_on() -> None:
    logits = StketLogits({"attention": torch.zeros(2, 3)})
    assert logits_of(logits, StketLogits) is logits
    assert logits_of(logits, RelationLogits) is logits


@pytest.mark.parametrize("other", [RelationLogits, StketLogits])
def test_those_of_another_network_are_refused_by_name(other: type[RelationLogits]) -> None:
    with pytest.raises(TypeError, match=rf"reads TempuraLogits, but the model gives {other.__name__}"):
        logits_of(other({"attention": torch.zeros(2, 3)}), TempuraLogits)
