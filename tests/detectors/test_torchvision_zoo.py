"""torchvision's networks for boxes; weights are random, since tests download nothing."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch

from vidsgg.assembly.detectors import build_box_detector, build_detector
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.coco_classes import COCO_LABELS
from vidsgg.detectors.label_files import LabelFiles
from vidsgg.detectors.torchvision_zoo import RULES, TorchvisionBoxes
from vidsgg.errors import ConfigError

CPU = torch.device("cpu")
LIGHTEST = next(iter(RULES))
CUP = SCHEMA.vocabulary.objects.index("cup/glass/bottle")


def network(label: str) -> TorchvisionBoxes:
    """The lightest network, which takes everything for one thing."""
    detector = TorchvisionBoxes(LIGHTEST, SCHEMA.vocabulary.objects)
    with torch.no_grad():
        for block in detector.model.head.classification_head.module_list:
            block[-1].bias.zero_()
            block[-1].bias.view(-1, len(COCO_LABELS))[:, COCO_LABELS.index(label)] = 6
    return detector


def test_its_boxes_are_torchvisions_with_classes_of_the_vocabulary() -> None:
    rs = np.random.RandomState(0)
    pictures = [rs.randint(0, 256, size).astype(np.uint8) for size in ((90, 120, 3), (64, 64, 3), (64, 64, 3))]
    detector = network("wine glass")
    found = detector.find(pictures)
    assert set(found.klass.tolist()) == {CUP} and set(found.frame.tolist()) == {0, 1, 2}
    torch.testing.assert_close(found.distribution[:, CUP], torch.ones(len(found.box)))
    for at, picture in enumerate(pictures):
        (own,) = detector.model([torch.from_numpy(picture).permute(2, 0, 1) / 255])
        rows = found.rows(found.frame == at)
        torch.testing.assert_close(
            rows.score, own["scores"][own["labels"] == COCO_LABELS.index("wine glass")][: len(rows.score)]
        )
        assert float(rows.box.min()) >= 0 and (rows.box[:, 2] <= picture.shape[1]).all()
    assert len(network("dog").find(pictures[:1]).box) == 0  # no class of the vocabulary


@pytest.mark.parametrize("name", RULES)
def test_every_name_is_a_network_with_weights_of_coco(name: str) -> None:
    assert TorchvisionBoxes.download(name).name.endswith(".pth")
    rules = RULES[name]
    assert rules.least_score <= rules.track_score


def test_weights_are_downloaded_once_or_one_message_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr("torch.hub.urlopen", no_network)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    with pytest.raises(ConfigError, match=r"ssdlite320.*cannot be downloaded.*Fetch https://.*put it at"):
        build_box_detector(LIGHTEST, SCHEMA, CPU)
    state = network("cup").model.state_dict()
    monkeypatch.setattr("vidsgg.detectors.torchvision_zoo.fetch_weights", lambda weights: state)
    detector, line = build_box_detector(LIGHTEST, SCHEMA, CPU)
    assert line.startswith(f"{LIGHTEST} with torchvision's COCO weights; labels that are no class")
    assert set(detector.find([np.zeros((64, 64, 3), np.uint8)]).klass.tolist()) == {CUP}
    assert detector.digest() == network("cup").digest() != network("chair").digest()
    assert json.loads(json.dumps(detector.describe()))["network"] == LIGHTEST
    with pytest.raises(ConfigError, match="computes no features"):
        build_detector(LIGHTEST, SCHEMA, CPU)


def test_labels_can_be_mapped_otherwise(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("dog: bag\n")
    assert (
        SCHEMA.vocabulary.objects[
            TorchvisionBoxes(LIGHTEST, SCHEMA.vocabulary.objects, tmp_path / "map.yaml").labels.index[18]
        ]
        == "bag"
    )
    with pytest.raises(ConfigError, match="option -classes"):
        TorchvisionBoxes.ready(LIGHTEST, SCHEMA.vocabulary.objects, LabelFiles(classes=tmp_path / "map.yaml"))
