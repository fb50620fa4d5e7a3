"""What ``-detector`` may be, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from detectors.tiny import tiny_detector

from vidsgg.assembly.detectors import build_detector, find_detector
from vidsgg.datasets.action_genome import OBJECTS, SCHEMA
from vidsgg.detectors.coco_classes import COCO_LABELS
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.torchvision_fpn import DEFAULTS, TorchvisionFPN
from vidsgg.errors import ConfigError
from vidsgg.recipes.command_options import TrainDetectorOptions
from vidsgg.recipes.new_detector import new_detector

CPU = torch.device("cpu")


def test_auto_prefers_what_lies_in_the_data_folder(tmp_path: Path) -> None:
    assert find_detector("auto", tmp_path) == "c4-small"
    for name in ("faster_rcnn_ag.pth", "detector.pth"):  # the later one is preferred
        (tmp_path / name).touch()
        assert find_detector("auto", tmp_path) == str(tmp_path / name)
    assert find_detector("c4-resnet101", tmp_path) == "c4-resnet101"


def test_the_folder_of_a_run_stands_for_its_best_detector(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    with pytest.raises(ConfigError, match=r"option -detector: .*run is a folder without detector_best\.pth"):
        build_detector(str(run), SCHEMA, CPU)
    save_detector(run / "detector_best.pth", tiny_detector(OBJECTS))
    torch.save({}, run / "detector_final.pth")
    assert find_detector(str(run), tmp_path) == str(run / "detector_best.pth")
    line = build_detector(str(run), SCHEMA, CPU)[1]
    assert str(run / "detector_best.pth") in line
    options = TrainDetectorOptions(pretrained=str(run))
    assert str(run / "detector_best.pth") in new_detector(options, OBJECTS)[2]


def test_an_untrained_detector_says_so() -> None:
    detector, line = build_detector("c4-small", SCHEMA, CPU, reference_compat=True)
    assert isinstance(detector, FasterRCNN) and detector.reference_compat
    assert "untrained" in line and not detector.training


def test_a_file_has_to_have_the_classes_of_the_data_set(tmp_path: Path) -> None:
    save_detector(tmp_path / "good.pth", tiny_detector(OBJECTS))
    detector, line = build_detector(str(tmp_path / "good.pth"), SCHEMA, CPU)
    assert detector.classes == OBJECTS and str(tmp_path / "good.pth") in line
    save_detector(tmp_path / "other.pth", tiny_detector((*OBJECTS[:3], "bunk", *OBJECTS[4:])))
    with pytest.raises(
        ConfigError, match=r"other\.pth was trained on other classes.*'bunk' stands where the data set has 'bed'"
    ):
        build_detector(str(tmp_path / "other.pth"), SCHEMA, CPU)


def test_a_misspelt_name_gets_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"-detector: 'c4-smal' .*did you mean 'c4-small'"):
        build_detector("c4-smal", SCHEMA, CPU)


def test_coco_weights_say_which_classes_they_lack(tmp_path: Path) -> None:
    torch.save(TorchvisionFPN(replace(DEFAULTS, seed=1), COCO_LABELS).model.state_dict(), tmp_path / "coco.pth")
    detector, line = build_detector(str(tmp_path / "coco.pth"), SCHEMA, CPU)
    assert isinstance(detector, TorchvisionFPN)
    assert line.endswith(f"never finds: {', '.join(detector.unseen)}") and "blanket" in detector.unseen
