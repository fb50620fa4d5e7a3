"""Starting a run from the weights of another: by name and shape, with a report of what became of
every weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidsgg.errors import CheckpointError


@dataclass(frozen=True)
class Takeover:
    """Names of state-dict entries. taken: now in the model. new: the model's own start, since the
    checkpoint lacks them. reshaped: in both, but of different shapes, so the model's own start too.
    left_out: only in the checkpoint.
    """

    taken: tuple[str, ...]
    new: tuple[str, ...]
    reshaped: tuple[str, ...]
    left_out: tuple[str, ...]

    def lines(self) -> list[str]:
        """Lines for the log, one per kind; entries are counted by the part of the model
        that they belong to."""
        kinds = (
            ("taken over", self.taken),
            ("new, with their own start", self.new),
            ("of another shape, with their own start", self.reshaped),
            ("left out", self.left_out),
        )
        return [f"  {what}: {_parts(names)}" for what, names in kinds if names]


@torch.no_grad()
def take_over(model: nn.Module, state: Mapping[str, Tensor]) -> Takeover:
    """Copy every entry of ``state`` that the model has under the same name in the same shape.
    Raises CheckpointError if there is none."""
    mine = model.state_dict()
    taken = tuple(name for name, value in mine.items() if name in state and state[name].shape == value.shape)
    if not any(name in taken for name, _ in model.named_parameters()):
        raise CheckpointError(
            f"none of the checkpoint's {len(state)} weights fits the model: no name and shape agree. Start from a"
            " checkpoint of the same model."
        )
    for name in taken:
        mine[name].copy_(state[name])  # state_dict() shares its memory with the model
    return Takeover(
        taken,
        tuple(name for name in mine if name not in state),
        tuple(name for name in mine if name in state and name not in taken),
        tuple(name for name in state if name not in mine),
    )


def _parts(names: Sequence[str]) -> str:
    """``heads.attention (2), spatial (12)``: the first name, and for collections such as heads the
    second, with numbers of entries."""
    pieces = [name.split(".") for name in names]
    parts = Counter(".".join(piece[: 2 if len(piece) > 2 and not piece[1].isdecimal() else 1]) for piece in pieces)
    return ", ".join(f"{part} ({count})" for part, count in parts.items())
