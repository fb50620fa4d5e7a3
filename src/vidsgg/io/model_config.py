"""``config.json`` of networks of the transformers library, looked at before the library reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from vidsgg.errors import DataError, short
from vidsgg.io.files import read_text
from vidsgg.io.untrusted import check_plain

_CONFIG_SIZE = 4 << 20  # bytes of a config.json
_LARGEST = 1 << 40  # of a whole number in it
# Names of numbers of things that the library makes one by one in Python, before any memory is asked
# for: num_hidden_layers, n_layer, encoder_layers, num_local_experts, depths, but no width such as
# shared_expert_intermediate_size.
_COUNTS = re.compile(r"(^|_)(n|nb|num)_\w*(layer|expert|block|head|group|stage)|layers$|^depths?$")
_MOST = 8192
# These name code of the hub (kernels-community/...) or another file of options.
_CODE = re.compile(r"_?(attn|attention|experts)_implementation(_internal)?")
_ELSEWHERE = "configuration_files"


def check_model_config(path: Path) -> None:
    """Raises DataError if a config.json holds values by which the library would run for ever or run
    code. What else is wrong with it, the library says."""
    try:
        # Not parse_json: these files may hold Infinity and NaN, which json.loads takes.
        values = json.loads(read_text(path, _CONFIG_SIZE))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON: {_first_line(error)}") from error
    if not isinstance(values, dict):
        raise DataError(f"{path} holds {short(values)}, expected a table of options.")
    check_plain(values, f"{path} ")
    try:
        check_model_values(values)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def check_model_values(values: dict[str, Any]) -> None:
    """Raises DataError naming a value out of bounds, or one that names code. values: plain, of
    limited depth."""
    todo: list[tuple[str, Any]] = list(values.items())
    for key, value in todo:  # it grows
        if isinstance(value, dict):
            todo += [(str(name), part) for name, part in value.items()]
        elif isinstance(value, list):
            todo += [(key, part) for part in value]
        elif isinstance(value, int):
            most = _MOST if _COUNTS.search(key) else _LARGEST
            if abs(value) > most:
                raise DataError(f"{short(key)} is {short(value)}; at most {most:,} is possible.")
        elif key == _ELSEWHERE or (_CODE.fullmatch(key) and isinstance(value, str) and re.search(r"[/:]", value)):
            raise DataError(f"{short(key)} is {short(value)}, and a file does not choose other files or code.")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
