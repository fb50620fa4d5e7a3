"""Parts of a detector as ONNX files, which ONNX Runtime or OpenVINO computes on the CPU.

Torch exports a part once; the file stays in the user's cache folder, where it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vidsgg.datasets.annotation_cache import cache_home
from vidsgg.detectors.backends.choice import Inference
from vidsgg.detectors.backends.parts import Computed, FrozenPart, Output, as_output, tensors_of
from vidsgg.errors import ConfigError
from vidsgg.io.atomic import whole_path
from vidsgg.status import say

FORMAT = 1  # raised whenever exports change
FOLDER = "backends"  # in the user's cache folder
OPSET = 17
_FAILURES = (RuntimeError, ValueError, OSError)  # what both libraries raise, in dozens of kinds

_log = logging.getLogger(__name__)


def opened_export(
    part: FrozenPart, original: Computed, used: Inference, identity: str, check: Callable[[Computed], None]
) -> Computed:
    """A part computed from its export. identity: what decides its numbers. check: raises ConfigError if results
    differ from torch's.

    A file of the cache that is damaged is made again. Raises ConfigError if a package is missing, if the cache cannot
    be written or its file not opened, and what ``check`` raises.
    """
    used.check_installed()
    names, _ = tensors_of(original(part.examples[0]))
    file = export_place(part, identity)
    if file.is_file():
        try:
            run = _opened_file(file, names, used)
            check(run)
            return run
        except Exception as error:  # whatever it is, the file is made again, and then it counts
            _log.warning("%s cannot be used and is made again: %s", file, _short(error))
    say(f"exporting the detector's {part.name} for {used.backend}, once")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_path(file) as temporary:
            export(part, original, temporary)
    except OSError as error:
        raise ConfigError(
            f"option -backend: cannot keep the export in {file.parent}: {error.strerror or error}. Name another cache"
            " folder in the environment variable VIDSGG_CACHE, or take -backend torch."
        ) from error
    try:
        run = _opened_file(file, names, used)
    except Exception as error:  # both libraries raise kinds of their own
        raise ConfigError(
            f"option -backend: {used.backend} cannot open {file}: {_short(error)}. Take -backend torch, or another"
            " version of the backend's package."
        ) from error
    check(run)
    return run


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def export_place(part: FrozenPart, identity: str) -> Path:
    """The file of a part in the cache. Precision is chosen when it is opened."""
    made_of = [FORMAT, OPSET, identity, part.name, part.free, torch.__version__]
    return cache_home() / FOLDER / f"{part.name}-{hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]}.onnx"


class _Traced(nn.Module):
    """A part as a module that gives a tensor, or several without names."""

    def __init__(self, part: FrozenPart, original: Computed) -> None:
        super().__init__()
        self.owner, self._original = part.owner, original

    def forward(self, values: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensors_of(self._original(values))[1])


def export(part: FrozenPart, original: Computed, file: Path) -> None:
    """Writes a part as ONNX. Raises ConfigError if torch cannot."""
    count = len(tensors_of(original(part.examples[0]))[1])
    axes = {axis: f"axis{axis}" for axis in part.free}
    try:
        with warnings.catch_warnings():
            # Of shapes that a trace takes as constants; the comparison with a second shape finds those that matter.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Traced(part, original).eval(),
                (part.examples[0],),
                str(file),
                dynamo=False,  # the other exporter needs one more package
                input_names=["input"],
                output_names=[f"output{i}" for i in range(count)],
                dynamic_axes={"input": axes},
                opset_version=OPSET,
            )
    except _FAILURES as error:
        raise ConfigError(
            f"option -backend: torch cannot export this detector's {part.name}: {_short(error)}. Take -backend"
            " torch or compile."
        ) from error


def _opened_file(file: Path, names: Sequence[str] | None, used: Inference) -> Computed:
    compute = _in_openvino(file, used) if used.backend == "openvino" else _in_onnxruntime(file)

    def run(values: Tensor) -> Output:
        return as_output(names, [torch.from_numpy(one) for one in compute(values.contiguous().numpy())])

    return run


@cache
def _openvino_core() -> Any:
    """The one of this process, to its end.

    Every core makes a stack for signals and takes it away when it is freed. Of several that are freed
    in the order in which they were made, the next signal is written to memory that is gone.
    """
    import openvino

    return openvino.Core()


def _in_openvino(file: Path, used: Inference) -> Callable[[Any], list[Any]]:
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if used.precision == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # other work shares the cores
    }
    core = _openvino_core()
    request = core.compile_model(core.read_model(str(file)), "CPU", settings).create_infer_request()

    one_at_a_time = threading.Lock()  # a request has one place for its results

    def compute(values: Any) -> list[Any]:
        with one_at_a_time:
            found = request.infer({0: values}, share_inputs=True)
            return [np.array(found[i], np.float32) for i in range(len(found))]

    return compute


def _in_onnxruntime(file: Path) -> Callable[[Any], list[Any]]:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.log_severity_level = 4
    # Threads that spin while they wait take a shared core from decoding.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(file), settings, providers=["CPUExecutionProvider"])

    def compute(values: Any) -> list[Any]:
        found: list[Any] = session.run(None, {"input": values})
        return found

    return compute
