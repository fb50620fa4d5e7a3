"""Losses of labels that take part in part, against recordings of ImparTail's code."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from clips import entity_clip
from golden.deterministic import cases_of, read_case
from golden.impartail import inputs

from vidsgg.losses.relations import binary_cross_entropy, mean_of_videos, multi_label_margin


def hot_of(rows: list[list[int]], masks: list[list[int]] | None, width: int) -> torch.Tensor:
    table = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        for k, label in enumerate(row):
            table[i, label] = masks is None or bool(masks[i][k])
    return table


def group_loss(case: dict[str, Any], group: str, logits: torch.Tensor, hot: torch.Tensor, use: Any) -> torch.Tensor:
    clip = entity_clip([len(hot)])
    if group == "attention":
        rows = F.cross_entropy(logits, hot.int().argmax(1), reduction="none")
    else:
        rows = (binary_cross_entropy if case["bce"] else multi_label_margin)(logits, hot, use)
    return mean_of_videos(rows, clip.pair_frame, clip, use)


@pytest.mark.parametrize("case", cases_of("impartail", "loss"), ids=lambda case: case["id"])
def test_losses_and_gradients_equal_the_reference(case: dict[str, Any]) -> None:
    _, want = read_case("impartail", case["id"])
    batch = inputs.make_batch({k: v for k, v in case.items() if k in (*inputs.BATCH, "seed")})
    order = ("object", "attention", "spatial", "contacting")
    for group, width in inputs.GROUPS.items():
        given = torch.from_numpy(batch[group]).double().requires_grad_()
        logits = given if group == "attention" else torch.logit(given)
        whole = hot_of(batch[f"{group}_gt"], None, width)
        on = hot_of(batch[f"{group}_gt"], batch[f"{group}_gt_mask"], width)
        use = on.any(1)[:, None].expand(-1, width)  # masked labels count as negatives in the reference
        loss = group_loss(case, group, logits, on, use)
        loss.backward()
        i = order.index(group)
        recorded = float(want["losses"][i])
        # The mean of nothing is no number in the reference; ours is 0, with the same gradient.
        assert loss.item() == pytest.approx(0.0 if np.isnan(recorded) else recorded, abs=1e-5), group
        np.testing.assert_allclose(given.grad.numpy(), want[f"grad_{group}"], rtol=1e-4, atol=1e-6)
        if not np.isnan(want["full_losses"][i]):
            full = group_loss(case, group, logits, whole, None)
            assert full.item() == pytest.approx(float(want["full_losses"][i]), abs=1e-5), group
    if want["present"][0]:
        objects = F.cross_entropy(torch.from_numpy(batch["distribution"]), torch.from_numpy(batch["labels"]))
        assert objects.item() == pytest.approx(float(want["losses"][0]), abs=1e-5)


@pytest.mark.parametrize("loss", [binary_cross_entropy, multi_label_margin])
def test_what_is_not_read_has_no_gradient(loss: Any) -> None:
    logits = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    hot = torch.tensor([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]], dtype=torch.bool)
    use = torch.ones_like(hot)
    use[0, 2] = use[1, 4] = False
    loss(logits, hot, use).sum().backward()
    assert (logits.grad[~use] == 0).all() and (logits.grad[use] != 0).any()
    torch.testing.assert_close(loss(logits, hot, torch.ones_like(hot)), loss(logits, hot))
