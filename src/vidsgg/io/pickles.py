"""Reading annotation pickles as the untrusted files they are.

A pickle is a small program. Here it may build numpy arrays, numpy scalars and the plain types of
Python, and nothing else: every global it names is looked up in a table of our own functions, so no
name in a file is ever imported or resolved with getattr.
Nor does numpy take state from the file: a pickled dtype can carry offsets and flags that make numpy
read outside its memory, so dtypes and arrays are first placeholders, which check their state, and
are put in place at the end.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from vidsgg.errors import DataError, short
from vidsgg.io.files import check_regular
from vidsgg.io.locations import Location
from vidsgg.io.pickle_memo import check_memo

_NDARRAY = object()  # stands for the class numpy.ndarray, which a file may name but not call
# Numbers, and texts of a fixed width: no object arrays (each element could be anything), no
# structured types.
_PLAIN_DTYPE = re.compile(r"[<>|=]?(?:\?|[biufcSU][0-9]{1,9})")
_LATIN1 = ("latin1", "latin-1")


def load_pickle(path: Location) -> Any:
    """The object in the pickle file ``path``: numpy arrays and scalars, dict, list, tuple, set,
    str, bytes and numbers.

    Pickle protocols 0 to 5, arrays written by numpy 1 or 2, and files written by Python 2 (their
    strings are read as Latin-1). Raises DataError naming the file if it is missing, no pickle, cut
    short, or asks for anything else; the latter is not executed.
    """
    check_regular(path)
    try:
        content = path.read_bytes()
        check_memo(content)
        return _Unpickler(io.BytesIO(content)).load()
    except _Refused as refused:
        raise DataError(
            f"{path}: the pickle asks for {refused}, but only numpy arrays and plain Python values are read; it was not"
            " executed. If you trust the file, rewrite it with dicts, lists, strings, numbers and numeric arrays only."
        ) from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error
    # A damaged stream can make the unpickler raise nearly anything, in Python's words, which are of
    # no use to who has the file.
    except Exception as error:
        empty = " It is empty." if path.stat().st_size == 0 else " It may be cut short, or be another kind of file."
        raise DataError(f"{path}: not a readable pickle.{empty} Get the file again.") from error


class _Refused(Exception):
    """The file asks for something that is not allowed; the text says what."""


class _Unpickler(pickle.Unpickler):
    """The C unpickler in a closed world of globals."""

    def __init__(self, file: Any) -> None:
        # fix_imports would rename modules before we see them; our table holds Python 2's names
        # itself.
        super().__init__(file, fix_imports=False, encoding="latin1")
        # made anew for every file, because a pickle can set attributes of the functions it gets
        self._table = _globals()
        self._has_placeholders = False

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._table:
            raise _Refused(f"{module}.{name}"[:200])
        self._has_placeholders |= module.startswith("numpy")
        return self._table[module, name]

    def load(self) -> Any:
        result = super().load()
        return _put_in_place(result) if self._has_placeholders else result


class _Dtype:
    """Stands for a numpy dtype until the file is read."""

    __hash__ = None  # type: ignore[assignment]  # so that it cannot hide in a set or among the keys of a dict
    __slots__ = ("native", "value")

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or not _PLAIN_DTYPE.fullmatch(code):
            raise _Refused(f"an array of dtype {short(code)}")
        self.value = np.dtype(code)
        self.native = self.value.newbyteorder("=")

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, subdtype, names, fields, item size, alignment, flags[, metadata]);
        # numpy writes -1 for a fixed size.
        if not isinstance(state, tuple) or len(state) not in (8, 9):
            raise ValueError("unknown state of a numpy dtype")
        order, subdtype, names, fields, size = state[1:6]
        if (
            (subdtype, names, fields) != (None, None, None)
            or size not in (-1, self.value.itemsize)
            or order not in ("<", ">", "=", "|")
        ):
            raise _Refused("a structured or altered numpy dtype")
        self.value = self.value.newbyteorder(order)


class _Array:
    """Stands for a numpy array until the file is read."""

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = np.empty(0, np.int8)

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, fortran, data = state
        if version != 1 or type(shape) is not tuple:
            raise ValueError("unknown state of a numpy array")
        self.value = _array(data, dtype, shape, "F" if fortran else "C")


def _array(data: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> np.ndarray:
    """A writable array of native byte order from its bytes, or from their Latin-1 text as Python 2
    wrote them."""
    if type(dtype) is not _Dtype or not isinstance(data, bytes | bytearray | str):
        raise _Refused("numpy data of an unknown kind")
    if isinstance(data, str):
        data = data.encode("latin1")
    if -1 in shape:  # reshape would guess
        raise ValueError(f"an array of shape {shape}")
    return np.frombuffer(data, dtype.value).astype(dtype.native).reshape(shape, order=order)


def _put_in_place(root: Any) -> Any:
    """``root`` with every placeholder replaced by what it stands for; containers are changed in
    place."""
    tuples: dict[int, tuple[Any, Any]] = {}  # by id: the old one, held so that its id stays taken, and the new one
    seen: set[int] = set()
    todo: list[Any] = []

    def settle(value: Any) -> Any:
        kind = type(value)
        if kind is _Array or kind is _Dtype:
            return value.value
        if kind is dict or kind is list:
            todo.append(value)
        elif kind is tuple:
            if id(value) not in tuples:
                tuples[id(value)] = value, value  # a tuple that holds itself through a list meets this
                settled = tuple([settle(item) for item in value])
                if any(new is not old for new, old in zip(settled, value, strict=True)):
                    tuples[id(value)] = value, settled
            return tuples[id(value)][1]
        return value

    root = settle(root)
    while todo:
        container = todo.pop()
        if id(container) in seen:
            continue
        seen.add(id(container))
        for place, value in container.items() if type(container) is dict else enumerate(container):
            if type(value) in _TO_SETTLE:
                container[place] = settle(value)
    return root


_TO_SETTLE = (_Array, _Dtype, dict, list, tuple)


def _globals() -> dict[tuple[str, str], Any]:
    """What a file may name, by module and name, and what it gets."""

    def make_dtype(code: Any, align: Any = False, copy: Any = True) -> _Dtype:
        return _Dtype(code)

    def reconstruct(kind: Any, shape: Any, code: Any) -> _Array:
        # numpy always writes an empty array here and fills it from its state; a size would allocate
        # whatever the file says.
        if kind is not _NDARRAY or shape != (0,) or code not in ("b", b"b"):
            raise _Refused("an array of a preset shape or an unknown class")
        return _Array()

    def from_buffer(data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
        if order == "K" and axes is not None:
            return _array(data, dtype, shape, "C").transpose(axes)
        return _array(data, dtype, shape, order)

    def scalar(dtype: Any, data: Any = "") -> Any:
        if type(dtype) is _Dtype and dtype.value.itemsize == 0:  # numpy makes no array of empty texts
            return dtype.value.type()
        return _array(data, dtype, (), "C")[()]

    def encode(text: Any, codec: Any) -> bytes:
        # Protocols 0 to 2 have no bytes; Python 3 writes them there as Latin-1 text.
        if not isinstance(text, str) or codec not in _LATIN1:
            raise _Refused(f"_codecs.encode with codec {short(codec)}")
        return text.encode("latin1")

    def empty_bytes() -> bytes:
        return b""

    def byte_array(data: Any = b"", codec: Any = "latin1") -> bytearray:
        if isinstance(data, str):
            data = encode(data, codec)
        if not isinstance(data, bytes):
            raise _Refused("a bytearray that is not made of bytes")
        return bytearray(data)

    def complex_number(real: Any, imaginary: Any) -> complex:
        if not isinstance(real, float) or not isinstance(imaginary, float):
            raise _Refused("a complex number that is not made of two floats")
        return complex(real, imaginary)

    def collection(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def build(items: Any) -> Any:
            if not isinstance(items, list):
                raise _Refused("a set that is not made of a list")
            return make(items)

        return build

    table: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): _NDARRAY,
        ("numpy", "dtype"): make_dtype,
        ("_codecs", "encode"): encode,
    }
    for core in ("numpy.core", "numpy._core"):  # numpy 1 and 2
        table[f"{core}.multiarray", "_reconstruct"] = reconstruct
        table[f"{core}.multiarray", "scalar"] = scalar
        table[f"{core}.numeric", "_frombuffer"] = from_buffer
    for builtins in ("builtins", "__builtin__"):  # Python 3 and 2
        table[builtins, "bytes"] = empty_bytes
        table[builtins, "bytearray"] = byte_array
        table[builtins, "complex"] = complex_number
        table[builtins, "set"] = collection(set)
        table[builtins, "frozenset"] = collection(frozenset)
    return table
