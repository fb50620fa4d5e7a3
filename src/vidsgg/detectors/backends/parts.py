"""The frozen parts of a detector, and putting a backend in torch's place for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor, nn

from vidsgg.detectors.backends.choice import Inference
from vidsgg.errors import ConfigError

if TYPE_CHECKING:
    from vidsgg.detectors.base import BoxDetector

Output: TypeAlias = Tensor | Mapping[str, Tensor]
Computed: TypeAlias = Callable[[Tensor], Output]
# How far a backend may be from torch: the length of the difference, in lengths of torch's output.
TOLERANCE = {"fp32": 1e-3, "bf16": 0.1}


@dataclass(frozen=True, eq=False)
class FrozenPart:
    """A method of a module, from one tensor to a tensor or to several by name, that has no state.

    Its owner must not be trained while a backend is in its place.
    """

    name: str
    owner: nn.Module
    method: str
    examples: tuple[Tensor, ...]  # inputs of two shapes, such as it gets; the first is what exports are traced with
    free: tuple[int, ...]  # axes of an input that may have any length
    layout: torch.memory_format = torch.contiguous_format  # of inputs, for torch


def picture_examples(*sizes: tuple[int, int], scale: float = 1.0) -> tuple[Tensor, ...]:
    """Random pictures as networks read them, one of the first size (height, width), two of the next, ...

    scale: root mean square of their values.
    """
    random = torch.Generator().manual_seed(0)
    return tuple(
        scale * torch.randn(count, 3, height, width, generator=random)
        for count, (height, width) in enumerate(sizes, start=1)
    )


def region_examples(channels: int, side: int = 7) -> tuple[Tensor, ...]:
    """Three and five random regions (R, C, side, side), not negative, as after a ReLU."""
    random = torch.Generator().manual_seed(0)
    return tuple(torch.randn(count, channels, side, side, generator=random).relu() for count in (3, 5))


def choose_backend(detector: BoxDetector, asked: Inference, device: torch.device) -> str:
    """Have the parts of a frozen detector computed as asked from now on; returns what has to be said of it, or "".

    device: where it is going to work. The first use exports or compiles, and compares the results with torch's: of
    exports on random pictures of two sizes, else on what it is given. Raises ConfigError for a detector without such
    parts, or if the backend does not work there. ``detector.inference`` is what is used.
    """
    used, remark = asked.on(device)
    parts = detector.frozen_parts()
    if not asked.is_default and not parts:
        raise ConfigError(
            f"option -backend: detector {detector.architecture} has no parts for {asked}; leave out -backend and"
            " -precision."
        )
    for part in parts:
        part.owner.__dict__.pop(part.method, None)  # what an earlier choice put there
        if not used.is_default:
            original = getattr(part.owner, part.method)
            setattr(part.owner, part.method, _FromFirstUseOn(detector, part, original, used))
    detector.inference = used
    said = "" if used.is_default else f"computed by {used}"
    return "; ".join(filter(None, (said, remark)))


class _FromFirstUseOn:
    """Takes the place of a method. It compares with torch when it is called first."""

    def __init__(self, detector: BoxDetector, part: FrozenPart, original: Computed, used: Inference) -> None:
        self._identity = partial(_identity, detector)
        self._part, self._original, self._used = part, original, used
        self._run: Computed | None = None

    def __call__(self, values: Tensor) -> Output:
        # Outside of inference mode, whose tensors would be compiled for anew.
        with torch.inference_mode(False), torch.no_grad():
            if values.is_inference():
                values = values.clone()
            if not len(values):
                return self._original(values)
            if self._run is None:
                self._run = self._opened(values)
            return self._run(values)

    def _opened(self, values: Tensor) -> Computed:
        """values: the first that it is called with."""
        part, original, used = self._part, self._original, self._used
        if used.backend in ("torch", "compile"):
            from vidsgg.detectors.backends.in_torch import opened_in_torch

            run = opened_in_torch(part, original, used)
            # Of random pictures of other sizes torch would compile anew.
            _compare(part.name, used, original(values), run(values))
            return run
        from vidsgg.detectors.backends.exported import opened_export

        def check(run: Computed) -> None:
            for example in part.examples:
                _compare(part.name, used, original(example), run(example))

        return opened_export(part, original, used, self._identity(), check)


def _identity(detector: BoxDetector) -> str:
    """What decides the parts of a detector: its description and its weights."""
    text = json.dumps([detector.describe(), detector.digest()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def tensors_of(output: Output) -> tuple[Sequence[str] | None, list[Tensor]]:
    """Names, None of a single tensor, and tensors."""
    if isinstance(output, Tensor):
        return None, [output]
    return list(output), list(output.values())


def as_output(names: Sequence[str] | None, tensors: Sequence[Tensor]) -> Output:
    """What ``tensors_of`` took apart."""
    return tensors[0] if names is None else dict(zip(names, tensors, strict=True))


def _compare(name: str, used: Inference, wanted: Output, given: Output) -> None:
    """Raises ConfigError if what a backend gives is not what torch gives."""
    (names, theirs), (own_names, ours) = tensors_of(wanted), tensors_of(given)
    problem = None
    if names != own_names or [one.shape for one in theirs] != [one.shape for one in ours]:
        problem = "gives outputs of other shapes than torch"
    else:
        off = max(_difference(one, other) for one, other in zip(ours, theirs, strict=True))
        allowed = TOLERANCE[used.precision]
        if not off <= allowed:  # nor what is not a number
            problem = f"is {100 * off:.3g} % off torch; {100 * allowed:g} % are allowed"
    if problem is not None:
        raise ConfigError(
            f"option -backend: {used} cannot be used for this detector: its {name} {problem}. Take -backend torch, or"
            " another version of the backend's package."
        )


def _difference(given: Tensor, wanted: Tensor) -> float:
    """Length of the difference in lengths of what is wanted."""
    # In double precision: squares of small numbers are 0 in single.
    given, wanted = given.double(), wanted.double()
    return float((given - wanted).norm() / wanted.norm().clamp(min=1e-150))
