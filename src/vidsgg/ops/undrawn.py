"""Networks whose weights are read from a file anyway: built without drawing any.

torch's own way, the meta device, imports sympy, which takes longer than drawing the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from torch.overrides import TorchFunctionMode

Built = TypeVar("Built")
# Methods of tensors and functions of torch.nn.init, which fill the tensor that they are given.
_DRAWS = frozenset(
    ("normal_", "uniform_", "bernoulli_", "trunc_normal_", "orthogonal_", "sparse_")
    + ("xavier_normal_", "xavier_uniform_", "kaiming_normal_", "kaiming_uniform_")
)
_undrawn: ContextVar[bool] = ContextVar("undrawn", default=False)


class _WithoutDraws(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__name__", "") in _DRAWS:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


@contextmanager
def undrawn(when: bool = True) -> Iterator[None]:
    """Modules that are built in here start with undefined weights where they would draw them; what
    is computed otherwise is as ever. The random state is left as it is. when: False changes nothing."""
    if not when:
        yield
        return
    token = _undrawn.set(True)
    try:
        with _WithoutDraws():
            yield
    finally:
        _undrawn.reset(token)


def blank(kind: Callable[..., Built], *args: Any, **kwargs: Any) -> Built:
    """A module with undefined weights, which whoever builds it fills."""
    with undrawn():
        return kind(*args, **kwargs)


def draws() -> bool:
    """Whether weights are to be drawn: false within ``undrawn``. For modules with a generator of their own."""
    return not _undrawn.get()
