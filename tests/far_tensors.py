"""A second device on every machine: tensors that say that they lie there and are computed on the CPU.

It finds what otherwise only a GPU refuses: tensors of two devices in one operation, and numpy's view of a tensor
that is not on the CPU. It runs everything, also what depends on values, which torch's fake tensors do not. The
device is torch's ``meta``, since ``cuda`` asks for a driver before any operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

FAR = torch.device("meta")
# What takes tensors of two devices: copies, and indices on the CPU.
_MIXES = ("copy_", "_to_copy", "index", "index_put_", "index_put", "_index_put_impl_")


_INDEXING = (Tensor.__getitem__, Tensor.__setitem__)
_WHOLE = (F.scaled_dot_product_attention, F.one_hot)  # of many operations, which make tensors of their own


class FarTensor(Tensor):
    """near: the same tensor on the CPU."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> FarTensor:
        far: FarTensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, near.shape, strides=near.stride(), storage_offset=near.storage_offset(), dtype=near.dtype, device=FAR
        )
        far.near = near
        return far

    def __repr__(self, *, tensor_contents: object = None) -> str:
        return f"FarTensor({self.near!r})"

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        name = func.overloadpacket.__name__
        leaves = [leaf for leaf in tree_leaves((args, given)) if isinstance(leaf, Tensor)]
        if name not in _MIXES:
            _check_together(func, leaves)
        to = given.get("device")
        if to is not None:
            given["device"] = torch.device("cpu")
        args, given = tree_map(_near, (args, given))
        found = func(*args, **given)
        if to is not None and torch.device(to).type == "cpu":
            return found
        known = {id(leaf.near): leaf for leaf in leaves if isinstance(leaf, FarTensor)}  # written in place

        def wrapped(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            return known[id(leaf)] if id(leaf) in known else FarTensor(leaf)

        return tree_map(wrapped, found)


def _check_together(func: Any, tensors: Sequence[Tensor]) -> None:
    near = [tensor for tensor in tensors if not isinstance(tensor, FarTensor) and tensor.dim()]
    assert not near, f"{func}: a tensor of shape {tuple(near[0].shape)} on the CPU meets one on {FAR}"


def _near(leaf: Any) -> Any:
    return leaf.near if isinstance(leaf, FarTensor) else leaf


class _Factories(TorchFunctionMode):
    """Makes tensors there, and moves them there: torch would look for a driver first."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func is Tensor.to and args[1:] and isinstance(args[1], (str, torch.device)):
            given, args = {**given, "device": args[1]}, (args[0], *args[2:])
            given |= {"dtype": args[1]} if args[1:] else {}
            args = args[:1]
        if func is Tensor.to and args[1:] and isinstance(args[1], Tensor):
            given, args = {**given, "device": args[1].device, "dtype": args[1].dtype}, args[:1]
        if func is Tensor.new_tensor and isinstance(args[0], FarTensor):
            func, args, given = torch.tensor, args[1:], {"dtype": args[0].dtype, **given, "device": FAR}
        if func in _INDEXING and isinstance(args[0], FarTensor):  # indices may lie on the CPU
            found = func(*tree_map(_near, args))
            return None if found is None else FarTensor(found)
        if func is Tensor.tolist:
            return func(*tree_map(_near, args))
        if func in _WHOLE:
            tensors = [leaf for leaf in tree_leaves((args, given)) if isinstance(leaf, Tensor)]
            if any(isinstance(leaf, FarTensor) for leaf in tensors):
                _check_together(func, tensors)
                return FarTensor(func(*tree_map(_near, args), **tree_map(_near, given)))
        where = given.get("device")
        if where is None or torch.device(where).type != FAR.type:
            return func(*args, **given)
        if func is Tensor.to:
            moved = args[0].near if isinstance(args[0], FarTensor) else args[0]
            rest = {name: value for name, value in given.items() if name not in ("device", "non_blocking")}
            changed = moved.to(**rest) if rest else moved
            same = changed is moved
            return (
                args[0] if same and isinstance(args[0], FarTensor) else FarTensor(changed.clone() if same else changed)
            )
        return FarTensor(func(*args, **{**given, "device": torch.device("cpu")}))


@contextmanager
def another_device() -> Iterator[torch.device]:
    """Inside, tensors can be made and moved there, without gradients."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)  # weights that move become tensors of our kind
    try:
        with torch.no_grad(), _Factories():
            yield FAR
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)
