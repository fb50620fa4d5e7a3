"""The files that hold a language model's weights, and a checksum of all numbers in them.

The checksum does not depend on how the numbers are spread over files, and rounds them to bfloat16,
the precision that every way of loading has: so a copy that was saved again, in other pieces or in
bfloat16, counts as the same model. Reading the files costs about as much as loading them;
``python -m benchmarks.checkpoints`` measures it.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from vidsgg.errors import CheckpointError, DataError, short
from vidsgg.io.names import is_one_name
from vidsgg.io.tensors import load_tensors
from vidsgg.io.untrusted import read_json

_INDEX_SIZE = 256 << 20  # bytes of a list of weights
_OUTPUT = "lm_head."  # the layer that we do not load
_ROUNDED = (torch.float64, torch.float32, torch.float16)


def weights_checksum(tensors: Iterable[tuple[str, Tensor]]) -> int:
    """A number of 32 bits that stands for named tensors, in any order."""
    marks = {}
    for name, tensor in tensors:
        mark = zlib.crc32(f"{name} {list(tensor.shape)}".encode())
        rounded = tensor.detach().to(torch.bfloat16) if tensor.dtype in _ROUNDED else tensor.detach()
        marks[name] = zlib.crc32(rounded.contiguous().flatten().view(torch.uint8).cpu().numpy().data, mark)
    whole = 0
    for name in sorted(marks):
        whole = zlib.crc32(marks[name].to_bytes(4, "little"), whole)
    return whole


def stored_tensors(name: str, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """What the files of a language model hold, but for its output layer, under the names of the
    model without it.

    name: a folder, or a model of the hub that has been fetched. prefix: what stands before these
    names in files of the whole model. Raises CheckpointError if the files cannot be read.
    """
    for file in _weight_files(name):
        for key, tensor in _tensors(file):
            if not key.startswith(_OUTPUT):
                yield key.removeprefix(f"{prefix}."), tensor


def _weight_files(name: str) -> list[Path]:
    """In the order in which the library looks for them."""
    from transformers.utils import SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME, WEIGHTS_INDEX_NAME, WEIGHTS_NAME

    for whole, index in ((SAFE_WEIGHTS_NAME, SAFE_WEIGHTS_INDEX_NAME), (WEIGHTS_NAME, WEIGHTS_INDEX_NAME)):
        if file := _there(name, whole):
            return [file]
        if listed := _there(name, index):
            try:
                table = read_json(listed, dict[str, object], _INDEX_SIZE).get("weight_map")
            except DataError as error:
                raise CheckpointError(str(error)) from error
            if not isinstance(table, dict):
                raise CheckpointError(f"{listed} does not say in which files the weights are.")
            parts = sorted({str(part) for part in table.values()})
            found = [_there(name, part) if is_one_name(part) else None for part in parts]
            if None in found:
                absent = short(parts[found.index(None)])
                raise CheckpointError(f"{listed} names {absent}, which is no file beside it.")
            return [file for file in found if file is not None]
    raise CheckpointError(f"{name} holds no weights.")


def _there(name: str, file: str) -> Path | None:
    from transformers.utils.hub import cached_file

    path = cached_file(
        name,
        file,
        local_files_only=True,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
    return None if path is None else Path(path)


def _tensors(file: Path) -> Iterator[tuple[str, Tensor]]:
    if file.suffix != ".safetensors":
        yield from load_tensors(file, mmap=zipfile.is_zipfile(file)).items()
        return
    from safetensors import safe_open

    with safe_open(file, "pt") as content:
        for key in content.keys():  # noqa: SIM118 (it is no dict)
            yield key, content.get_tensor(key)
