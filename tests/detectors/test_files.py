from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from detectors.tiny import TINY, tiny_detector

from vidsgg.datasets.action_genome import OBJECTS
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.files import known_detector, load_detector, save_detector, share_detector
from vidsgg.detectors.record import DetectorRecord
from vidsgg.errors import CheckpointError
from vidsgg.structures.widths import FeatureWidths

CLASSES = ("__background__", "person", "cup")


def changed(path: Path, change: Mapping[str, object]) -> Path:
    """A file of a tiny detector with some of its entries replaced."""
    save_detector(path, tiny_detector(CLASSES))
    torch.save({**torch.load(path, weights_only=True), **change}, path)
    return path


@pytest.mark.parametrize("wrapper", ["", "fasterRCNN."], ids=["detector", "inside STTran"])
def test_the_published_file_is_read_as_it_is(
    wrapper: str, reference_state: Mapping[str, torch.Tensor], published, tmp_path: Path
) -> None:
    torch.save(
        {"session": 1, "model": {wrapper + name: value for name, value in reference_state.items()}},
        tmp_path / "faster_rcnn_ag.pth",
    )
    detector = load_detector(tmp_path / "faster_rcnn_ag.pth")
    assert isinstance(detector, FasterRCNN)
    assert detector.classes == OBJECTS and detector.config.backbone.depth == 101
    assert not detector.training and not any(weight.requires_grad for weight in detector.parameters())
    expected = published.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in detector.state_dict().items())


@pytest.mark.parametrize("name", ["own.pth", "shared.safetensors"])
def test_a_file_says_what_its_detector_is(name: str, tmp_path: Path) -> None:
    detector = tiny_detector(CLASSES)
    (share_detector if name.startswith("shared") else save_detector)(tmp_path / name, detector)
    known = known_detector(tmp_path / name)
    built = load_detector(tmp_path / name)
    assert known is not None
    assert known.record == DetectorRecord(built.describe(), built.digest())
    assert known.classes == CLASSES and known.remarks == built.remarks
    assert known.widths == FeatureWidths(node=built.node_width, union=built.union_channels)


def test_files_that_do_not_say_what_their_detector_is(tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    save_detector(path, tiny_detector(CLASSES))
    content = torch.load(path, weights_only=True)
    known = content.pop("known")
    torch.save(content, path)  # as earlier versions wrote it
    assert known_detector(path) is None and load_detector(path).classes == CLASSES
    torch.save({"model": {}}, path)  # of the authors
    assert known_detector(path) is None
    wrong = [
        *({"known": {**known, **part}} for part in ({"weights": "0"}, {"weights": known["weights"] + "\n"})),
        *({"known": {**known, **part}} for part in ({"node_width": 0}, {"remarks": 1})),
        *({"known": part} for part in ([], {})),
        *({"description": {**content["description"], "x": value}} for value in (torch.zeros(2), b"a", {(1, 2): 3})),
        *({"description": part} for part in ({}, {"detector": [1]})),
    ]
    for parts in wrong:
        torch.save({**content, "known": known, **parts}, path)
        with pytest.raises(CheckpointError, match=r"own\.pth holds no detector that can be built: "):
            known_detector(path)


def test_what_is_no_detector_is_named(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other\.pth holds no detector.*'weight'"):
        load_detector(tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"it is a 'yolo'; known are faster-rcnn-c4, fasterrcnn_resnet50_fpn_v2"):
        load_detector(changed(tmp_path / "yolo.pth", {"description": {"detector": "yolo"}}))


def test_a_description_has_to_be_whole_and_to_fit_the_weights(tmp_path: Path) -> None:
    description = FasterRCNN(TINY, CLASSES).describe()
    with pytest.raises(CheckpointError, match="lacks 'rpn_width'"):
        load_detector(
            changed(tmp_path / "a.pth", {"description": {k: v for k, v in description.items() if k != "rpn_width"}})
        )
    with pytest.raises(CheckpointError, match=r"b\.pth: the weights do not fit.*rpn\.conv"):
        load_detector(changed(tmp_path / "b.pth", {"description": {**description, "rpn_width": 16}}))
    with pytest.raises(CheckpointError, match=r"c\.pth: the weights do not fit.*class_score"):
        load_detector(changed(tmp_path / "c.pth", {"classes": [*CLASSES, "chair"]}))
