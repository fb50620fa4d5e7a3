"""Detectors in ONNX files: each convention says the same, hostile files end in one message, real files find real things."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from detectors.onnx_files import NAMES, SIDE, write_network

from vidsgg.assembly.detectors import build_box_detector, build_detector
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.coco_classes import COCO_LABELS
from vidsgg.detectors.label_files import LabelFiles
from vidsgg.detectors.onnx_detector import OnnxDetector
from vidsgg.errors import CheckpointError, ConfigError, DataError, VidsggError

CPU = torch.device("cpu")
CLASSES = ("__background__", "person", "cup/glass/bottle", "chair")
PICTURE = np.full((128, 192, 3), 90, np.uint8)  # twice the networks' input
# A person and, in it, a cup, both in pixels of the network's input; another person that overlaps the first by 0.82; a dog.
BOXES = np.array([[10, 8, 50, 60], [20, 20, 30, 32], [12, 10, 50, 60], [60, 10, 90, 40]], np.float32)
SCORES = np.array([0.9, 0.6, 0.5, 0.95], np.float32)
LABELS = np.array([0, 1, 0, 2])
FOUND = [(1, 0.9, [20, 16, 100, 120]), (2, 0.6, [40, 40, 60, 64])]  # in pixels of the picture
logit = np.vectorize(lambda p: np.log(p / (1 - p)), otypes=[np.float32])


def one_hot(scores: np.ndarray = SCORES, labels: np.ndarray = LABELS, rest: float = 0.0) -> np.ndarray:
    """(boxes, labels) probabilities."""
    table = np.full((len(scores), len(NAMES)), rest, np.float32)
    table[np.arange(len(scores)), labels] = scores
    return table


def centred(box: np.ndarray) -> np.ndarray:
    return np.concatenate([(box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]], 1)


def rows(fill: int = 0) -> np.ndarray:
    table = np.concatenate([BOXES, SCORES[:, None], LABELS[:, None]], 1).astype(np.float32)
    return np.concatenate([table[[3, 0, 1, 2]], np.zeros((fill, 6), np.float32)])


def grid(extra: int = 0) -> np.ndarray:
    """YOLOv8's rows for 40 places, of which four say something."""
    table = np.zeros((4 + len(NAMES) + extra, 40), np.float32)
    table[:, [3, 11, 17, 30]] = np.concatenate([centred(BOXES).T, one_hot().T, np.full((extra, 4), 7)])
    return table[None]


def queries(exclusive: bool) -> dict[str, np.ndarray]:
    boxes = (centred(BOXES) / np.array([SIDE[1], SIDE[0]] * 2, np.float32))[None]
    if not exclusive:
        return {"logits": logit(np.clip(one_hot(), 1e-4, 1))[None], "pred_boxes": boxes}
    likely = one_hot(rest=1e-6)
    nothing = 1 - likely.sum(1, keepdims=True)
    return {"logits": np.log(np.concatenate([likely, nothing], 1))[None], "pred_boxes": boxes}


def tables() -> dict[str, np.ndarray]:
    """NanoDet's: BOXES seen from the places of stride 8 near their centres, by distances of whole bins."""
    given: dict[str, np.ndarray] = {}
    for stride in (8, 16):
        places = (SIDE[0] // stride) * (SIDE[1] // stride)
        given[f"cls_pred_stride_{stride}"] = np.full((1, places, len(NAMES)), 0.001, np.float32)
        given[f"dis_pred_stride_{stride}"] = np.zeros((1, places, 44), np.float32)
    for number, (box, row) in enumerate(zip(BOXES, one_hot(), strict=True)):
        column, line = int((box[0] + box[2]) // 16), int((box[1] + box[3]) // 16)
        column += number == 2  # beside the place that says the surer person
        centre = np.array([(column + 0.5) * 8, (line + 0.5) * 8])
        distance = np.concatenate([centre - box[:2], box[2:] - centre]) / 8
        place = line * (SIDE[1] // 8) + column
        given["cls_pred_stride_8"][0, place] = row
        for edge, value in enumerate(distance):  # between two bins, so that the mean is the distance
            low = int(value)
            table = np.full(11, -40, np.float32)
            table[low], table[low + 1] = np.log(max(1 - (value - low), 1e-9)), np.log(max(value - low, 1e-9))
            given["dis_pred_stride_8"][0, place, 11 * edge : 11 * edge + 11] = table
    return given


CONVENTIONS: dict[str, Callable[[Path], Path]] = {
    "suppressed": lambda path: write_network(path, {"detections": rows()}),
    "suppressed, filled up": lambda path: write_network(path, {"output0": rows(fill=5)[None]}),
    "lists": lambda path: write_network(
        path, {"labels": LABELS[None], "boxes": BOXES[None], "scores": SCORES[None]}, size_input=True
    ),
    "lists of one picture": lambda path: write_network(path, {"boxes": BOXES, "labels": LABELS, "scores": SCORES}),
    "YOLOv8": lambda path: write_network(path, {"output0": grid()}),
    "YOLOv8 with masks": lambda path: write_network(
        path, {"output0": grid(extra=4), "output1": np.zeros((1, 4, 8, 8), np.float32)}, metadata={"task": "segment"}
    ),
    "YOLOv8, sides unknown": lambda path: write_network(
        path, {"output0": grid()}, side=("height", "width"), batch="N", metadata={"imgsz": str(list(SIDE))}
    ),
    "DETR": lambda path: write_network(path, queries(exclusive=True)),
    "RT-DETR": lambda path: write_network(path, queries(exclusive=False)),
    "NanoDet": lambda path: write_network(path, tables()),
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_conventions_say_the_same(convention: str, tmp_path: Path) -> None:
    """The doubtful person and the dog, which is no class, are left out; the cup within the person stays."""
    detector = OnnxDetector(CONVENTIONS[convention](tmp_path / "a.onnx"), CLASSES)
    found = detector.find([PICTURE, PICTURE])
    assert found.frame.tolist() == [0, 0, 1, 1]
    for klass, score, box in [(k, s, b) for k, s, b in FOUND]:
        (row,) = ((found.klass == klass) & (found.frame == 1)).nonzero()[:, 0].tolist()
        assert float(found.score[row]) == pytest.approx(score, abs=1e-3)
        assert found.box[row].tolist() == pytest.approx(box, abs=0.05)
    torch.testing.assert_close(found.distribution.sum(1), torch.ones(4))
    assert detector.labels.left_out == ("dog",) and detector.labels.unseen == ("chair",)
    json.dumps(detector.describe())


def test_a_tall_picture_lies_in_the_middle(tmp_path: Path) -> None:
    """64 x 128 in 96 x 64: scaled by 1/2 to 32 x 64, 32 pixels from the left."""
    box = np.array([[32, 0, 64, 32, 0.9, 0]], np.float32)
    detector = OnnxDetector(write_network(tmp_path / "a.onnx", {"output": box}), CLASSES)
    found = detector.find([np.zeros((128, 64, 3), np.uint8)])
    assert found.box.tolist() == [[0, 0, 64, 64]]


@pytest.mark.parametrize(
    ("author", "convention", "mean"),
    [
        ("", grid, 100 / 255 * 32 / 96),  # black beside the picture
        ("Ultralytics", grid, (100 * 32 + 114 * 64) / 96 / 255),  # grey
    ],
)
def test_what_a_network_sees(author: str, convention: Callable[[], np.ndarray], mean: float, tmp_path: Path) -> None:
    given = convention()
    given[:, 4:] *= 0
    path = write_network(tmp_path / "a.onnx", {"output0": given}, metadata={"author": author}, by_picture=["output0"])
    found = OnnxDetector(path, ("__background__", "person")).find([np.full((128, 64, 3), 100, np.uint8)])
    assert len(found.score) == 0 or float(found.score.max()) == pytest.approx(mean, abs=1e-4)
    seen = OnnxDetector(path, ("__background__", "person")).input([np.full((128, 64, 3), 100, np.uint8)])[0]
    assert float(seen.mean()) == pytest.approx(mean, abs=1e-5)


def test_names_from_elsewhere(tmp_path: Path) -> None:
    path = write_network(tmp_path / "a.onnx", {"output": rows()}, names=None)
    with pytest.raises(CheckpointError, match=r"tells no names.*-classes FILE"):
        OnnxDetector(path, CLASSES)
    (tmp_path / "names.txt").write_text("chair\nperson\ncup\n")
    found = OnnxDetector(path, CLASSES, LabelFiles(classes=tmp_path / "names.txt")).find([PICTURE])
    assert found.klass.tolist() == [1, 2, 3]  # what the other tests call cup, dog and person
    (tmp_path / "map.yaml").write_text("person: chair\ncup: null\nchair: null\n")
    both = LabelFiles(tmp_path / "names.txt", tmp_path / "map.yaml")
    assert OnnxDetector(path, CLASSES, both).find([PICTURE]).klass.tolist() == [3]  # the person of this list
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "person", "1": "cup", "2": "chair"}}))
    assert OnnxDetector(path, CLASSES).labels.labels == ("person", "cup", "chair")


def test_what_transformers_says_beside_the_network(tmp_path: Path) -> None:
    path = write_network(tmp_path / "a.onnx", queries(exclusive=False))
    said = {"do_normalize": True, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25], "do_pad": False}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    detector = OnnxDetector(path, CLASSES)
    assert not detector.input.letterbox
    seen, _ = detector.input([np.full((10, 10, 3), 255, np.uint8)])
    torch.testing.assert_close(seen, torch.full((1, 3, *SIDE), 2.0))


def test_a_model_that_reads_features_refuses_it(tmp_path: Path) -> None:
    path = write_network(tmp_path / "a.onnx", {"output": rows()})
    with pytest.raises(ConfigError, match="computes no features"):
        build_detector(str(path), SCHEMA, CPU)


def cut(path: Path) -> Path:
    whole = write_network(path, {"output": rows()}).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def text(path: Path) -> Path:
    path.write_text("this is no network")
    return path


def custom_operator(path: Path) -> Path:
    import onnx

    write_network(path, {"output": rows()})
    model = onnx.load(path)
    model.graph.node[0].domain = "somebody"
    model.opset_import.append(onnx.helper.make_opsetid("somebody", 1))
    onnx.save(model, path)
    return path


def other_file(path: Path) -> Path:
    """Weights that are said to lie in another file, here one of the system's."""
    import onnx

    write_network(path, {"output": rows()})
    model = onnx.load(path)
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")
    path.write_bytes(model.SerializeToString())
    return path


def network(path: Path, **given: object) -> Path:
    return write_network(path, given.pop("outputs", {"output": rows()}), **given)  # type: ignore[arg-type]


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "cut off": (cut, "no ONNX network"),
    "text": (text, "no ONNX network"),
    "an operator of its own": (custom_operator, "no ONNX network"),
    "weights in another file": (other_file, "no ONNX network"),
    "unknown outputs": (
        lambda p: network(p, outputs={"x": np.zeros((1, 2, 3, 4), np.float32)}),
        "not a known form of boxes",
    ),
    "YOLOv5's rows": (
        lambda p: network(p, outputs={"output": np.zeros((1, 40, 8), np.float32)}),
        "not a known form of boxes",
    ),
    "too few names": (lambda p: network(p, outputs={"output": grid()}, names=["a"]), "3 labels apart, but there are 1"),
    "too many logits": (lambda p: network(p, outputs=queries(True), names=["person"]), "4 logits a box"),
    "names that are code": (lambda p: network(p, names="__import__('os').getcwd()"), "cannot be read"),
    "names without end": (lambda p: network(p, names={10**8: "person"}), "have numbers from"),
    "nested names": (lambda p: network(p, names="[" * 5000), "cannot be read"),
    "another task": (lambda p: network(p, metadata={"task": "obb"}), "made for the task 'obb'"),
    "five channels": (lambda p: _five_channels(p), r"\(N, 3, height, width\)"),
}
NUMBERS: dict[str, tuple[np.ndarray, str]] = {
    "no number": (rows() * np.array([1, 1, 1, 1, np.nan, 1], np.float32), "no probabilities"),
    "logits": (rows() * np.array([1, 1, 1, 1, 40, 1], np.float32), "no probabilities"),
    "endless boxes": (rows() + np.array([0, np.inf, 0, 0, 0, 0], np.float32), "not finite numbers"),
    "a label too many": (rows() + np.array([0, 0, 0, 0, 0, 3], np.float32), "label number 5"),
    "a label that is no number": (rows() * np.array([1, 1, 1, 1, 1, np.nan], np.float32), "not numbers"),
}


def _five_channels(path: Path) -> Path:
    import onnx

    write_network(path, {"output": rows()})
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_one_message(kind: str, tmp_path: Path) -> None:
    make, message = HOSTILE[kind]
    path = make(tmp_path / "bad.onnx")
    with pytest.raises(VidsggError, match=message) as caught:
        build_box_detector(str(path), SCHEMA, CPU)
    assert "bad.onnx" in str(caught.value) and len(str(caught.value)) < 700


def test_weights_in_a_file_of_the_current_folder_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where onnxruntime looks by itself for what a file that was read as a whole lacks."""
    import onnx

    path = write_network(tmp_path / "good.onnx", {"output": rows()})
    model = onnx.load(path)
    weight = model.graph.initializer[0]
    (tmp_path / "beside.bin").write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="beside.bin")
    path.write_bytes(model.SerializeToString())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no ONNX network that can be run"):
        OnnxDetector(path, CLASSES)


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_that_mean_nothing_are_one_message(kind: str, tmp_path: Path) -> None:
    given, message = NUMBERS[kind]
    detector = OnnxDetector(write_network(tmp_path / "bad.onnx", {"output": given}), CLASSES)
    with pytest.raises((DataError, CheckpointError), match=message) as caught:
        detector.find([PICTURE])
    assert "bad.onnx" in str(caught.value)


@pytest.mark.parametrize("content", [b"", None], ids=["empty", "a folder"])
def test_what_is_no_file(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(VidsggError, match=r"a\.onnx"):
        build_box_detector(str(path), SCHEMA, CPU)


# ---- real files, real pictures

FOLDER = os.environ.get("VIDSGG_DETECTORS")
needs_files = pytest.mark.skipif(not FOLDER, reason="VIDSGG_DETECTORS names no folder with nanodet_coco*.onnx")
FILES = ("nanodet_coco", "nanodet_coco_decoded", "nanodet_coco_nms")
COCO = ("__background__", *(label for label in COCO_LABELS[1:] if label != "N/A"))


def real(name: str, classes: tuple[str, ...] = COCO) -> OnnxDetector:
    return OnnxDetector(Path(FOLDER or "") / f"{name}.onnx", classes)


@needs_files
@pytest.mark.parametrize("name", FILES)
def test_the_astronaut_is_found_as_recorded(name: str) -> None:
    """The record's picture was scaled by OpenCV, which rounds greys otherwise than torch: hence the tolerances."""
    data = pytest.importorskip("skimage.data")
    expected = json.loads((Path(FOLDER or "") / "expected.json").read_text())["astronaut"]["rows_above_0.25"]
    found = real(name).find([data.astronaut()])
    rows = found.rows(found.score > 0.25)
    order = rows.score.argsort(descending=True)
    assert (rows.klass[order] - 1).tolist() == [int(row[5]) for row in expected]
    wanted = torch.tensor(expected)
    torch.testing.assert_close(rows.score[order], wanted[:, 4], rtol=0, atol=3e-3)
    torch.testing.assert_close(rows.box[order] * 416 / 512, wanted[:, :4], rtol=0, atol=0.3)


@needs_files
def test_the_tables_of_a_pattern_are_as_recorded() -> None:
    """Numbers of the bare network, and the mean of its decoded boxes, for a picture made by a formula."""
    record = json.loads((Path(FOLDER or "") / "expected.json").read_text())["pattern"]
    y, x = np.mgrid[:416, :416].astype(np.float32)
    waves = [np.sin(x / 17 + y / 29), np.sin(x / 23 - y / 13), np.cos((x * y) / 4000)]
    picture = np.stack([127.5 + 127.5 * wave for wave in waves], 2).astype(np.uint8)
    detector = real("nanodet_coco")
    pixels, _ = detector.input([picture])
    outputs = detector._run(pixels.numpy(), (416, 416))
    for name, value in outputs.items():
        said = record[name]
        assert list(value.shape) == said["shape"]
        for figure, own in (("mean", value.mean()), ("std", value.std(correction=0)), ("max", value.max())):
            assert float(own) == pytest.approx(said[figure], rel=2e-3, abs=1e-5), (name, figure)
    box = detector.convention.candidates(outputs, 0, "").box
    means = [(box[:, 0] + box[:, 2]).mean() / 2, (box[:, 1] + box[:, 3]).mean() / 2]
    means += [(box[:, 2] - box[:, 0]).mean(), (box[:, 3] - box[:, 1]).mean()]
    assert [float(mean) for mean in means] == pytest.approx(record["decoded_mean_boxes"], rel=1e-4)


@needs_files
def test_three_ways_of_saying_it_find_the_same() -> None:
    """A picture of another shape than the network's input, so that it is letterboxed."""
    data = pytest.importorskip("skimage.data")
    one, *others = (real(name).find([data.coffee(), data.astronaut()]) for name in FILES)
    sure = one.rows(one.score > 0.2)
    for other in others:
        rows = other.rows(other.score > 0.2)
        assert rows.klass.tolist() == sure.klass.tolist() and rows.frame.tolist() == sure.frame.tolist()
        torch.testing.assert_close(rows.box, sure.box, rtol=0, atol=0.05)
        torch.testing.assert_close(rows.score, sure.score, rtol=0, atol=1e-3)


@needs_files
def test_a_person_and_a_cup_are_found_on_photos() -> None:
    data = pytest.importorskip("skimage.data")
    detector, line = build_box_detector(str(Path(FOLDER or "") / "nanodet_coco.onnx"), SCHEMA, CPU)
    assert "classes that it never finds: blanket" in line and "onnxruntime on the CPU" in line
    found = detector.find([data.astronaut(), data.coffee()])
    rows = found.rows(found.score >= detector.rules.least_score)
    seen = {(int(at), SCHEMA.vocabulary.objects[k]) for at, k in zip(rows.frame, rows.klass, strict=True)}
    assert {(0, "person"), (1, "cup/glass/bottle"), (1, "table")} <= seen
