"""The backends that compute the frozen parts of detectors (detectors/backends)."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from detectors.test_contract import BOX, FRAME, IMAGES, documented, pictures
from detectors.tiny import sighted_set, tiny_detector
from PIL import Image
from torch import Tensor, nn

import vidsgg
from vidsgg.cli.main import main
from vidsgg.datasets.action_genome import OBJECTS, SCHEMA
from vidsgg.detectors.backends import choice, exported, in_torch, parts
from vidsgg.detectors.backends.choice import TORCH, Inference
from vidsgg.detectors.backends.parts import FrozenPart, choose_backend
from vidsgg.detectors.base import RegionDetector
from vidsgg.detectors.torchvision_fpn import FPNConfig, TorchvisionFPN
from vidsgg.detectors.torchvision_zoo import TorchvisionBoxes
from vidsgg.errors import ConfigError
from vidsgg.features.key import StoreKey
from vidsgg.io.graphs import read_graph

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
CHOICES = [Inference("onnx"), Inference("openvino"), Inference("openvino", "bf16"), Inference("torch", "bf16")]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDSGG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def _bfloat16_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slower without the instructions, but the numbers are the same."""
    monkeypatch.setattr(choice, "has_bfloat16", lambda device: True)


@torch.no_grad()
def features(detector: RegionDetector) -> Tensor:
    return detector.embed(detector.pool(detector.encode(IMAGES, detector.canvas(IMAGES)), FRAME, BOX))


def off(given: Tensor, wanted: Tensor) -> float:
    return float((given.double() - wanted.double()).norm() / wanted.double().norm())


@pytest.mark.usefixtures("_bfloat16_everywhere")
@pytest.mark.parametrize("used", CHOICES, ids=str)
def test_a_backend_gives_what_torch_gives(used: Inference) -> None:
    if used.backend == "openvino":
        pytest.importorskip("openvino")
    detector = tiny_detector(OBJECTS)
    plain, alone = features(detector), detector.find(pictures((80, 60)))
    digest, state = detector.digest(), set(detector.state_dict())
    assert choose_backend(detector, used, CPU) == f"computed by {used}"
    near = 1e-5 if used.precision == "fp32" else 0.05
    given = features(detector)
    assert 0 < off(given, plain) < near  # not torch itself
    with torch.inference_mode():
        found = detector.find(pictures((80, 60)))  # another size
    if used.precision == "fp32":
        assert torch.equal(found.klass, alone.klass)
        assert off(found.box, alone.box) < near
    assert detector.embed(torch.zeros(0, detector.union_channels, 7, 7)).shape == (0, detector.node_width)
    assert (detector.digest(), set(detector.state_dict())) == (digest, state)
    choose_backend(detector, TORCH, CPU)
    assert torch.equal(features(detector), plain)


DROPPED = """
import gc, os, signal
import torch
from vidsgg.detectors.backends.choice import Inference
from vidsgg.detectors.backends.exported import opened_export
from vidsgg.detectors.backends.parts import FrozenPart

signal.signal(signal.SIGUSR1, lambda *_: None)
opened = []
for name in ("trunk", "head"):
    layer = torch.nn.Linear(3, 3).requires_grad_(False)
    part = FrozenPart(name, layer, "forward", (torch.ones(2, 3), torch.ones(4, 3)), (0,))
    opened.append(opened_export(part, layer.forward, Inference("openvino"), name, lambda run: None))
while opened:
    del opened[0]
    gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
print("alive")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_signals_arrive_when_detectors_are_gone() -> None:
    """OpenVINO's cores have a stack for signals each, which has to outlive them."""
    pytest.importorskip("openvino")
    done = subprocess.run([sys.executable, "-c", DROPPED], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_outputs_with_names_keep_them() -> None:
    detector = TorchvisionBoxes("fasterrcnn_mobilenet_v3_large_320_fpn", OBJECTS)
    backbone, box_head = detector.frozen_parts()
    wanted, wanted_head = backbone.owner(backbone.examples[1]), box_head.owner(box_head.examples[0])
    choose_backend(detector, Inference("onnx"), CPU)
    given = backbone.owner(torch.cat([backbone.examples[1], backbone.examples[1]]))
    assert list(given) == list(wanted)
    for level in wanted:
        assert 0 < off(given[level][2:], wanted[level]) < 1e-5
    assert 0 < off(box_head.owner(box_head.examples[0]), wanted_head) < 1e-5


def test_the_pyramid_has_parts_of_any_size() -> None:
    detector = TorchvisionFPN(FPNConfig(min_size=64, max_size=110), OBJECTS).requires_grad_(False).eval()
    assert [part.name for part in detector.frozen_parts()] == ["backbone", "box_head"]
    with torch.no_grad():
        for part in detector.frozen_parts():
            for example in part.examples:
                names, tensors = parts.tensors_of(part.owner(example))
                assert all(len(tensor) == len(example) for tensor in tensors)
                assert names == (list("0123") + ["pool"] if part.name == "backbone" else None)


def test_an_export_is_kept_and_a_damaged_one_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = tiny_detector(OBJECTS)
    choose_backend(detector, Inference("onnx"), CPU)
    wanted = features(detector)
    files = sorted((tmp_path / "cache" / "backends").iterdir())
    assert [file.name.split("-")[0] for file in files] == ["head", "trunk"]

    made = []
    export = exported.export
    monkeypatch.setattr(exported, "export", lambda part, *rest: made.append(part.name) or export(part, *rest))
    choose_backend(detector, Inference("onnx"), CPU)
    assert torch.equal(features(detector), wanted)
    assert made == []
    files[1].write_bytes(files[1].read_bytes()[:1000])
    choose_backend(detector, Inference("onnx"), CPU)
    assert torch.equal(features(detector), wanted)
    assert made == ["trunk"]
    other = tiny_detector(OBJECTS, seed=2)  # the same backbone, but not the same detector
    choose_backend(other, Inference("onnx"), CPU)
    features(other)
    assert made == ["trunk", "trunk", "head"]


@pytest.mark.parametrize("fails", ["mkdir", "open"])
def test_an_export_that_cannot_be_kept_or_opened_is_one_message(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: Any) -> Any:
        raise RuntimeError("unsupported\nmodel version")

    if fails == "mkdir":
        (tmp_path / "cache").write_text("a file")
    else:
        monkeypatch.setattr(exported, "_in_onnxruntime", broken)
    detector = tiny_detector(OBJECTS)
    choose_backend(detector, Inference("onnx"), CPU)
    said = {
        "mkdir": r"cannot keep the export in .*backends: .*VIDSGG_CACHE.*-backend torch",
        "open": r"onnx cannot open .*: unsupported model version\. .*-backend torch",
    }
    with pytest.raises(ConfigError, match=said[fails]):
        features(detector)


@pytest.mark.parametrize("wrong", [0.01, float("nan")])
def test_results_unlike_torchs_are_refused(wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = tiny_detector(OBJECTS)
    opened = exported._opened_file
    monkeypatch.setattr(exported, "_opened_file", lambda *given: lambda values: opened(*given)(values) * (1 + wrong))
    choose_backend(detector, Inference("onnx"), CPU)
    with pytest.raises(ConfigError, match=r"its trunk is (1|nan) % off torch; 0\.1 % are allowed.*-backend torch"):
        features(detector)


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    root = sighted_set(tmp_path / "data")
    assert main(["features", "-data_path", str(root), "-backend", "openvino", "-device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert "-backend: openvino needs openvino and onnx: pip install 'vidsgg[openvino]'" in said
    assert not (root / "features").exists()
    with pytest.raises(ConfigError, match=r"onnx needs onnxruntime and onnx: pip install 'vidsgg\[onnx\]'"):
        Inference("onnx").check_installed()


def test_bfloat16_is_float32_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_bfloat16", lambda device: False)
    detector = tiny_detector(OBJECTS)
    plain = features(detector)
    assert choose_backend(detector, Inference("torch", "bf16"), CPU) == (
        "float32, not bfloat16: the processor has none"
    )
    assert detector.inference == TORCH
    assert torch.equal(features(detector), plain)
    assert choose_backend(detector, Inference("compile", "bf16"), CPU).startswith(
        "computed by compile, fp32; float32, not"
    )


@pytest.mark.parametrize(
    ("asked", "device", "said"),
    [
        (Inference("openvino"), GPU, "openvino computes on the CPU, and the detector is on cuda:0"),
        (Inference("onnx"), GPU, "onnx computes on the CPU"),
        (Inference("onnx", "bf16"), CPU, "ONNX Runtime has no bfloat16"),
    ],
)
def test_what_does_not_go_together_is_refused(asked: Inference, device: torch.device, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        asked.on(device)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"backend": "tensorrt"},
            "option backend: unknown value 'tensorrt'; choose from torch, compile, openvino, onnx",
        ),
        ({"precision": "fp16"}, "option precision: unknown value 'fp16'; choose from fp32, bf16; did you mean 'bf16'"),
    ],
)
def test_unknown_choices_are_refused_from_python_too(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        vidsgg.load("geometry", **asked)


def test_a_detector_without_parts_is_refused() -> None:
    with pytest.raises(ConfigError, match="detector windows has no parts for onnx, fp32; leave out -backend"):
        choose_backend(documented(), Inference("onnx"), CPU)
    assert choose_backend(documented(), TORCH, CPU) == ""


class Compiler:
    """Stands for torch.compile, which takes seconds."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, function: Any, options: dict[str, bool]) -> Any:
        assert options == {"freezing": True}

        def compiled(values: Tensor) -> Tensor:
            self.seen.append(len(values))
            return function(values)

        return compiled


def test_the_compiler_sees_one_picture_at_a_time_and_never_one_region(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler, owner = Compiler(), nn.Flatten()
    monkeypatch.setattr(in_torch.torch, "compile", compiler)
    for free, counts, seen in (((0, 2, 3), (1, 3), [1, 1, 1, 1]), ((0,), (1, 3), [2, 3])):
        part = FrozenPart("part", owner, "forward", (), free)
        compiled = in_torch.opened_in_torch(part, owner.forward, Inference("compile"))
        for count in counts:
            values = torch.randn(count, 3, 5, 4)
            assert torch.equal(compiled(values), values.flatten(1))
        assert compiler.seen == seen
        compiler.seen.clear()


def test_a_compiler_that_fails_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: Any, options: dict[str, bool]) -> Any:
        def compiled(values: Tensor) -> Tensor:
            raise RuntimeError("no g++\nanywhere")

        return compiled

    monkeypatch.setattr(in_torch.torch, "compile", broken)
    detector = tiny_detector(OBJECTS)
    choose_backend(detector, Inference("compile"), CPU)
    with pytest.raises(ConfigError, match=r"needs a C\+\+ compiler .* It said: no g\+\+ anywhere"):
        features(detector)


def test_a_store_is_known_by_what_computed_it() -> None:
    detector = tiny_detector(OBJECTS)
    plain = StoreKey.of(detector, SCHEMA, "sgdet")
    assert "inference" not in plain.to_json()  # as it was before there was a choice
    choose_backend(detector, Inference("onnx"), CPU)
    other = StoreKey.of(detector, SCHEMA, "sgdet")
    assert other.digest != plain.digest
    assert StoreKey.from_json(json.loads(json.dumps(other.to_json()))) == other
    assert StoreKey.from_json(json.loads(json.dumps(plain.to_json()))) == plain
    assert plain.differences(other) == ["a detector computed by torch, fp32, not by onnx, fp32"]
    assert (plain.detector_name, other.detector_name) == ("faster-rcnn-c4", "faster-rcnn-c4 (onnx, fp32)")
    assert dataclasses.replace(other, inference=TORCH) == plain


def test_a_graph_names_what_computed_its_detector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    detector = sighted_set(tmp_path / "data") / "detector.pth"
    video = tmp_path / "video"
    video.mkdir()
    for i, picture in enumerate(pictures((96, 64), (96, 64))):
        Image.fromarray(np.asarray(picture)).save(video / f"{i}.png")
    made_by = {}
    for backend in ("torch", "onnx"):
        out = tmp_path / backend
        words = ["predict", str(video), "-detector", str(detector), "-device", "cpu", "-o", str(out)]
        assert main([*words, *([] if backend == "torch" else ["-backend", backend])]) == 0, capsys.readouterr().err
        (file,) = out.glob("*.json")
        made_by[backend] = read_graph(file).made_by
    assert made_by["torch"].detector == "faster-rcnn-c4"
    assert made_by["onnx"] == dataclasses.replace(made_by["torch"], detector="faster-rcnn-c4 (onnx, fp32)")
    assert "computed by onnx, fp32" in capsys.readouterr().err
    words = ["predict", str(video), "-boxes", str(file), "-device", "cpu", "-o", str(tmp_path / "given")]
    assert main([*words, "-precision", "bf16"]) == 2  # given boxes need no detector
    assert "option -backend: no detector is used here; leave out" in capsys.readouterr().err


def test_a_choice_without_a_detector_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = sighted_set(tmp_path / "data")
    words = ["train", "-data_path", str(root), "-model", "frequency", "-save_path", str(tmp_path / "run")]
    assert main([*words, "-device", "cpu", "-backend", "onnx"]) == 2
    assert "option -backend: no detector is used here" in capsys.readouterr().err
