"""What the processes of a team exchange at every step of training: one message, after which
all hold the same state."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn

from vidsgg.engine.distributed import Team
from vidsgg.engine.running_statistics import RunningStatistics

_ALIGNED = 64  # numbers to a multiple of which gradients lie in the message: kernels are slower on crooked addresses


@dataclass(frozen=True)
class Step:
    """What an optimiser step learns from. videos: how many. losses: by part, each times its videos.
    stop: whether a process was asked to
    stop after it. norm: of the gradients before clipping; 0 without videos.
    """

    videos: int
    losses: dict[str, Tensor]
    stop: bool
    norm: float = 0.0


class Exchange:
    """Sums gradients, losses and counts over the processes of a team, and joins the running
    statistics of batch normalisations.

    Gradients are weighted by their videos before, and so only have to be added. A parameter that
    has a gradient nowhere has none afterwards either, as with one process. A process without a
    video in a step takes part like the others.

    The message, float32: the gradients | for every parameter, in how many processes it has one |
    videos, requests to stop, losses | for every process its running statistics, which the others
    leave zero. One sum makes it complete.
    """

    def __init__(self, team: Team, model: nn.Module) -> None:
        """Everybody goes on from the weights and buffers of the first process, which must be
        float32 now (Precision.full_weights)."""
        self.team, self.model = team, model
        team.copy_from_first(model.state_dict().values())
        self._statistics = RunningStatistics(model)
        self._parts: tuple[str, ...] = ()  # of the loss, in the order of the message
        self._room = torch.zeros(0, device=next(model.parameters()).device)

    @torch.no_grad()
    def __call__(self, parameters: Sequence[nn.Parameter], mine: Step) -> Step:
        """Replace the gradients of the parameters by their sums over all processes; returns the
        other sums."""
        if not self._parts:  # what is known only once somebody has seen a video
            self._parts = self.team.from_first(tuple(dict.fromkeys(chain(*self.team.gather(list(mine.losses))))))
        sizes = [-(-parameter.numel() // _ALIGNED) * _ALIGNED for parameter in parameters]
        sizes += [len(parameters), 2, len(self._parts), self.team.size * len(self._statistics)]
        if len(self._room) != sum(sizes):
            self._room = self._room.new_zeros(sum(sizes))
        *places, given, counts, losses, statistics = self._room.split(sizes)
        gradients = [place[: p.numel()].view_as(p) for place, p in zip(places, parameters, strict=True)]

        for gradient, parameter in zip(gradients, parameters, strict=True):
            if parameter.grad is None:
                gradient.zero_()
            else:
                gradient.copy_(parameter.grad)
        given.copy_(torch.tensor([float(parameter.grad is not None) for parameter in parameters]))
        counts.copy_(torch.tensor([float(mine.videos), float(mine.stop)]))
        for place, part in zip(losses, self._parts, strict=True):
            place.copy_(mine.losses.get(part, torch.zeros(())))
        statistics = statistics.zero_().view(self.team.size, -1 if len(self._statistics) else 0)
        statistics[self.team.rank] = self._statistics.since_start()

        self.team.sum_(self._room)

        *having, videos, stops = torch.cat([given, counts]).tolist()
        for gradient, parameter, count in zip(gradients, parameters, having, strict=True):
            parameter.grad = gradient if count else None
        self._statistics.join(statistics)
        return Step(int(videos), dict(zip(self._parts, losses.clone(), strict=True)), stops > 0)

    def settle(self) -> str:
        """At the end of an epoch: compare weights and buffers of all processes; returns "" or the
        first name that differs, after which all have the first's. The next epoch may learn from
        losses with other names.

        They cannot differ but on machines of different makes, or where a model changes a buffer in
        a way of its own.
        """
        self._parts = ()
        state = self.model.state_dict()
        mine = {name: _checksum(value) for name, value in state.items()}
        told = self.team.gather(mine)
        differing = self.team.from_first(
            next((name for name in mine if any(other[name] != mine[name] for other in told)), "")
        )
        if differing:
            self.team.copy_from_first(state.values())
            self._statistics = RunningStatistics(self.model)
        return differing


def _checksum(values: Tensor) -> int:
    return zlib.crc32(values.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
