"""Detectors in ONNX files, run by onnxruntime: ``-detector FILE.onnx``."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidsgg.detectors.base import BoxDetector, FoundBoxes, join_found
from vidsgg.detectors.candidates import BoxCandidates, Chooser
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.detectors.labels import LabelMap, map_labels, read_labels
from vidsgg.detectors.letterbox import NetworkInput
from vidsgg.detectors.onnx_file import OnnxNotes, read_notes
from vidsgg.detectors.onnx_outputs import InputStyle, OutputConvention, Outputs, recognise
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.io.files import read_bytes
from vidsgg.io.images import Image

SUFFIX = ".onnx"
_LARGEST = 2**31 - 1  # bytes; one protobuf message holds no more
_USUAL_SIDE = 640  # of inputs of any size whose file names none
_BATCH_ON_GPU = 8  # on a CPU several pictures at a time are no faster
_LONGEST_NAME = 200
_WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
_TYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class OnnxDetector(BoxDetector):
    """A network in an ONNX file, whose outputs follow one of the conventions of ``onnx_outputs.py``.

    The file is read as a whole, and weights that it looks for in others are refused. It holds
    standard operators only, none of which reads or writes anything.
    """

    architecture = "onnx"

    def __init__(self, path: Path, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> None:
        """Raises CheckpointError naming the file if it is damaged, no network, or gives nothing that is known
        here; ConfigError or DataError for labels that do not fit, and ConfigError if onnxruntime is missing."""
        self.path, self.classes, self.name = path, tuple(classes), path.name
        self._content = read_bytes(path, _LARGEST)
        self._device = torch.device("cpu")
        self.session = self._opened(["CPUExecutionProvider"])
        try:
            metadata = self.session.get_modelmeta().custom_metadata_map
            names = [one.name for one in (*self.session.get_inputs(), *self.session.get_outputs())]
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path}: holds names that are no text; it is damaged.") from error
        if any(len(name) > _LONGEST_NAME for name in names):
            raise CheckpointError(f"{path}: has an input or output whose name has more than {_LONGEST_NAME} letters.")
        notes = read_notes(path, metadata)
        self._own = notes.labels if labels.classes is None else read_labels(labels.classes)
        self._picture, self._size_input, side, self._batch = self._inputs(notes)
        first = self._run(np.zeros((1, 3, *side), np.float32), side)
        count = None if self._own is None else len(self._own)
        self.convention = recognise(first, count, (side[1], side[0]), str(path))
        assert self._own is not None  # or recognise had refused
        self.labels: LabelMap = map_labels(self._own, self.classes, labels.label_map)
        self.choose = Chooser(self.labels, str(path), self.rules.least_score)
        self.input = _network_input(side, self.convention, notes)

    @classmethod
    def ready(cls, name: str, classes: Sequence[str], labels: LabelFiles = NO_LABELS) -> tuple[OnnxDetector, str]:
        """name: the file."""
        detector = cls(Path(name), classes, labels)
        shape = f"{detector.input.width} x {detector.input.height}"
        return detector, f"{name}, an ONNX network for {shape} pixels that gives {detector.convention.name}"

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return ()

    @property
    def remarks(self) -> tuple[str, ...]:
        where = "the CPU" if self._device.type == "cpu" else "the GPU"
        return (f"onnxruntime on {where}", *self.labels.remarks)

    @property
    def left_out(self) -> Mapping[str, int]:
        return self.choose.left_out

    def describe(self) -> dict[str, Any]:
        return {
            "detector": self.architecture,
            "convention": self.convention.name,
            "input": {name: list(v) if isinstance(v, tuple) else v for name, v in vars(self.input).items()},
            "labels": list(self.labels.labels),
            "classes_of_labels": list(self.labels.index),
        }

    def digest(self) -> str:
        return hashlib.sha256(self._content).hexdigest()

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")  # onnxruntime hands its results back in main memory

    def on_device(self, device: torch.device) -> OnnxDetector:
        """A CUDA device is used if this onnxruntime can; otherwise it stays on the CPU, and ``remarks`` says so."""
        runtime = import_onnxruntime()
        if device.type == "cuda" and "CUDAExecutionProvider" in runtime.get_available_providers():
            gpu = ("CUDAExecutionProvider", {"device_id": device.index or 0})
            self.session = self._opened([gpu, "CPUExecutionProvider"])
            # Where CUDA's libraries do not fit, onnxruntime goes on with the next provider.
            on_gpu = "CUDAExecutionProvider" in self.session.get_providers()
            self._device = device if on_gpu else torch.device("cpu")
        return self

    def find(self, images: Sequence[Image]) -> FoundBoxes:
        parts = []
        step = 1 if self._batch == 1 or self._device.type == "cpu" else min(self._batch or _BATCH_ON_GPU, _BATCH_ON_GPU)
        for begin in range(0, len(images), step):
            few = images[begin : begin + step]
            pixels, placements = self.input(few)
            outputs = self._run(pixels.numpy(), (self.input.height, self.input.width))
            found, sizes = [], []
            for at, (image, placement) in enumerate(zip(few, placements, strict=True)):
                one = self.convention.candidates(outputs, at, str(self.path))
                found.append(BoxCandidates(placement.to_picture(one.box.float()), one.probability, one.exclusive))
                sizes.append((image.shape[1], image.shape[0]))
            parts.append(self.choose(found, sizes).shifted(begin))
        return join_found(parts, len(self.classes), self.device)

    def _opened(self, providers: list[Any]) -> Any:
        runtime = import_onnxruntime()
        settings = runtime.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        settings.log_severity_level = 4
        # Threads that spin while they wait take a shared core from decoding.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Weights may be said to lie in other files, which onnxruntime looks for in the current
        # folder: it gets an empty one instead.
        with tempfile.TemporaryDirectory(prefix="vidsgg-") as nothing:
            settings.add_session_config_entry(_WEIGHTS_FOLDER, nothing)
            try:
                return runtime.InferenceSession(self._content, settings, providers=providers)
            except Exception as error:  # onnxruntime raises a dozen kinds, whose names it does not publish
                raise CheckpointError(f"{self.path}: is no ONNX network that can be run: {_said(error)}") from error

    def _inputs(self, notes: OnnxNotes) -> tuple[Any, Any, tuple[int, int], int | None]:
        """The input for pictures, the one for their size if there is one, height and width, and the size of a
        batch, None for any."""
        picture, size = None, None
        for one in self.session.get_inputs():
            if len(one.shape) == 4 and picture is None:
                picture = one
            elif len(one.shape) == 2 and one.shape[1] == 2 and one.type == "tensor(int64)" and size is None:
                size = one
            else:
                raise CheckpointError(
                    f"{self.path}: has the input {one.name[:60]!r} {one.shape}, which vidsgg does not provide."
                )
        if picture is None or picture.type not in _TYPES or picture.shape[1] not in (3, "3"):
            shown = "none" if picture is None else f"{picture.name[:60]!r} {picture.shape} {picture.type}"
            raise CheckpointError(
                f"{self.path}: its input for pictures is {shown}; (N, 3, height, width) of float is expected."
            )
        batch, _, height, width = (value if isinstance(value, int) else None for value in picture.shape)
        fallback = notes.side or (_USUAL_SIDE, _USUAL_SIDE)
        side = height or fallback[0], width or fallback[1]
        if not all(16 <= one <= 8192 for one in side):
            raise CheckpointError(f"{self.path}: its input is {side[1]} x {side[0]} pixels; 16 to 8192 are possible.")
        return picture, size, side, batch

    def _run(self, pixels: Any, side: tuple[int, int]) -> Outputs:
        """pixels: (T, 3, H, W) float32. Raises CheckpointError if the network fails on them."""
        feed = {self._picture.name: pixels.astype(_TYPES[self._picture.type], copy=False)}
        if self._size_input is not None:  # of the network's input, so that boxes come in its pixels
            feed[self._size_input.name] = np.array([[side[1], side[0]]] * len(pixels), np.int64)
        names = [one.name for one in self.session.get_outputs()]
        try:
            values = self.session.run(names, feed)
        except Exception as error:  # as above
            raise CheckpointError(f"{self.path}: the network fails on a picture: {_said(error)}") from error
        return {name: _tensor(value, name, self.path) for name, value in zip(names, values, strict=True)}


def import_onnxruntime() -> Any:
    """The library. Raises ConfigError saying how to install it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            "ONNX files need onnxruntime: pip install 'vidsgg[onnx]' (on a machine with an NVIDIA GPU: pip install"
            " onnxruntime-gpu)."
        ) from error
    return onnxruntime


def _network_input(side: tuple[int, int], convention: OutputConvention, notes: OnnxNotes) -> NetworkInput:
    style, letterbox = convention.style, True
    if (said := notes.processor) is not None:  # of a network of the transformers library
        style = InputStyle()
        if said.do_normalize and said.image_mean is not None and said.image_std is not None:
            mean, std = (tuple(255 * value for value in values) for values in (said.image_mean, said.image_std))
            style = InputStyle(False, (mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))
        letterbox = bool(said.do_pad)
    return NetworkInput(*side, letterbox, notes.grey, style.bgr, style.mean, style.std)


def _tensor(value: Any, name: str, path: Path) -> Tensor:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        raise CheckpointError(f"{path}: its output {name[:60]!r} is no table of numbers.")
    return torch.from_numpy(value.astype(np.float32) if value.dtype.kind == "f" else value.astype(np.int64))


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
