"""``vidsgg train-detector`` on a small synthetic data set, with a network that is far too small to
be any good."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml
from datasets.coco_sets import write_set
from datasets.easg_files import write_easg
from torchvision.models import resnet18

from vidsgg.cli import train_detector
from vidsgg.cli.main import main, run
from vidsgg.datasets.action_genome import OBJECTS
from vidsgg.datasets.registry import open_whole_split
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.files import load_detector
from vidsgg.engine.fit_detector import score_detector
from vidsgg.engine.frames import FrameLoader
from vidsgg.io.tensors import load_tensors

TINY = [
    "-depth",
    "10",
    "-base_width",
    "8",
    "-short_side",
    "64",
    "-num_workers",
    "0",
    "-device",
    "cpu",
    "-batch_size",
    "8",
]


def train(data: Path, path: Path, *options: str) -> int:
    return run(train_detector.main, ["-data_path", str(data), "-save_path", str(path), *TINY, *options])


@pytest.fixture(scope="module")
def trained(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "detector"
    assert train(synthetic, path, "-epochs", "2", "-eval_freq", "1") == 0
    return path


def test_the_folder_holds_what_a_run_leaves(trained: Path) -> None:
    assert {"config.yaml", "logfile.txt", "metrics.csv", "detector_best.pth", "detector_final.pth"} <= {
        file.name for file in trained.iterdir()
    }
    assert any(file.name.startswith("events.") for file in trained.iterdir())
    log = (trained / "logfile.txt").read_text(encoding="utf-8")
    assert "weights: random (seed 42)" in log
    assert log.count(" - Eval - mAP50 ") == 2
    assert "test videos, detector_best.pth:" in log
    rows = {line.split(",")[2] for line in (trained / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:]}
    assert {"train/loss/rpn_box", "train/loss/total", "val/mAP50", "val/AP50/person", "test/mAP50"} <= rows
    config = yaml.safe_load((trained / "config.yaml").read_text(encoding="utf-8"))
    assert (config["base_width"], config["epochs"]) == (8, 2)


def test_the_file_is_the_detector_that_was_scored(trained: Path, synthetic: Path) -> None:
    detector = load_detector(trained / "detector_final.pth")
    assert isinstance(detector, FasterRCNN)
    assert detector.config.backbone.base_width == 8
    assert detector.classes == OBJECTS
    assert load_tensors(trained / "detector_final.pth")["about"]["epoch"] == 2
    videos = open_whole_split(synthetic, "test", "sgdet")
    test = score_detector(load_detector(trained / "detector_best.pth"), FrameLoader(videos, 10), "test")
    rows = (trained / "metrics.csv").read_text(encoding="utf-8").splitlines()
    written = next(row.split(",")[3] for row in rows if ",test/mAP50," in row)
    assert written == f"{test.map50:.6g}"


def test_the_same_seed_gives_the_same_weights(trained: Path, synthetic: Path, tmp_path: Path) -> None:
    assert train(synthetic, tmp_path / "again", "-epochs", "2", "-eval_freq", "2", "-test", "False") == 0
    first, again = (load_tensors(path / "detector_final.pth")["state_dict"] for path in (trained, tmp_path / "again"))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert train(synthetic, tmp_path / "other", "-epochs", "1", "-seed", "7", "-test", "False") == 0
    other = load_tensors(tmp_path / "other" / "detector_final.pth")["state_dict"]
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])


def test_a_detector_of_a_file_is_scored_or_trained_on(trained: Path, synthetic: Path, tmp_path: Path) -> None:
    start = [
        "-data_path",
        str(synthetic),
        "-pretrained",
        str(trained / "detector_best.pth"),
        "-num_workers",
        "0",
        "-device",
        "cpu",
    ]
    assert main(["train-detector", *start, "-save_path", str(tmp_path / "scored"), "-epochs", "0"]) == 0
    before, scored = (load_tensors(path / "detector_best.pth")["state_dict"] for path in (trained, tmp_path / "scored"))
    assert all(torch.equal(before[name], scored[name]) for name in before)
    assert main(["train-detector", *start, "-save_path", str(tmp_path / "more"), "-epochs", "1", "-test", "False"]) == 0
    more = load_tensors(tmp_path / "more" / "detector_final.pth")["state_dict"]
    changed = {name for name in before if not torch.equal(before[name], more[name])}
    assert "class_score.weight" in changed and "backbone.layer2.0.conv1.weight" in changed
    assert not any(
        "bn" in name or "downsample.1" in name or name.startswith(("backbone.conv1", "backbone.layer1"))
        for name in changed
    )


def test_a_budget_of_time_ends_the_run(synthetic: Path, tmp_path: Path) -> None:
    assert train(synthetic, tmp_path / "run", "-epochs", "1000", "-minutes", "0.01", "-test", "False") == 0
    rows = (tmp_path / "run" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    rates = [float(row.split(",")[3]) for row in rows if ",train/lr," in row]
    assert (tmp_path / "run" / "detector_best.pth").exists()
    assert int(rows[-1].split(",")[0]) < 1000
    assert all(0 < rate <= 3e-3 for rate in rates)


def test_imagenet_weights_of_a_file(synthetic: Path, tmp_path: Path) -> None:
    weights = resnet18(weights=None).state_dict()
    torch.save(weights, tmp_path / "resnet18.pth")
    options = [
        "-data_path",
        str(synthetic),
        "-device",
        "cpu",
        "-num_workers",
        "0",
        "-epochs",
        "0",
        "-test",
        "False",
        "-depth",
        "18",
        "-datasize",
        "small",
    ]
    start = ["-pretrained", str(tmp_path / "resnet18.pth"), "-base_width", "64", "-short_side", "32"]
    assert main(["train-detector", *options, *start, "-save_path", str(tmp_path / "run")]) == 0
    state = load_tensors(tmp_path / "run" / "detector_final.pth")["state_dict"]
    assert torch.equal(state["backbone.layer4.1.conv2.weight"], weights["layer4.1.conv2.weight"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-detector", "c4-smal"], "unknown architecture 'c4-smal'; .*did you mean 'c4-small'"),
        (["-pretrained", "nowhere.pth"], "'nowhere.pth' is neither a file nor one of imagenet, coco, none, auto"),
        (["-pretrained", "imagenet"], "no imagenet weights for this architecture; c4-small starts from none"),
        (
            ["-pretrained", "coco", "-detector", "c4-resnet101"],
            "no coco weights .* c4-resnet101 starts from imagenet or none",
        ),
        (["-detector", "fasterrcnn_resnet50_fpn_v2", "-depth", "18"], "-depth, -base_width: .* has one size"),
        (["-depth", "34"], "depth is 34"),
        (["-epochs", "-1"], "option -epochs: -1 is too small"),
        (["-learning_rate", "1"], "unknown option -learning_rate"),
        (["-data_path", "nowhere"], "data set folder nowhere does not exist"),
    ],
)
def test_mistakes_are_told(
    options: list[str], message: str, synthetic: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(train_detector.main, ["-data_path", str(synthetic), "-save_path", str(tmp_path / "run"), *options]) == 2
    assert re.search(message, capfd.readouterr().err)
    assert not (tmp_path / "run").exists()


def test_a_file_decides_its_architecture(
    trained: Path, synthetic: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    start = [
        "-data_path",
        str(synthetic),
        "-pretrained",
        str(trained / "detector_best.pth"),
        "-save_path",
        str(tmp_path / "run"),
    ]
    assert run(train_detector.main, [*start, "-base_width", "16"]) == 2
    assert "option -base_width: the file of -pretrained decides; leave it out." in capfd.readouterr().err


def test_without_a_network_a_start_that_was_asked_for_is_an_error_and_auto_says_so(
    synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.urlopen", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("no route to host")))
    wide = [
        "-data_path",
        str(synthetic),
        "-depth",
        "18",
        "-base_width",
        "64",
        "-short_side",
        "64",
        "-num_workers",
        "0",
        "-device",
        "cpu",
    ]
    options = [*wide, "-epochs", "0", "-test", "False", "-datasize", "small"]
    assert run(train_detector.main, [*options, "-save_path", str(tmp_path / "a"), "-pretrained", "imagenet"]) == 2
    told = capfd.readouterr().err
    assert "option -pretrained imagenet: torchvision's weights resnet18" in told and "no route to host" in told
    assert not (tmp_path / "a").exists()
    assert run(train_detector.main, [*options, "-save_path", str(tmp_path / "b")]) == 0
    log = (tmp_path / "b" / "logfile.txt").read_text(encoding="utf-8")
    assert "weights: random (seed 42), since torchvision's weights resnet18" in log


def test_a_data_set_without_pictures_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = write_easg(tmp_path)
    assert run(train_detector.main, ["-data_path", str(root), "-save_path", str(tmp_path / "run")]) == 2
    assert "has no pictures" in capfd.readouterr().err


def test_any_vocabulary_may_be_learnt(tmp_path: Path) -> None:
    root = write_set(tmp_path / "own")
    assert train(root, tmp_path / "run", "-epochs", "1", "-datasize", "large") == 0
    detector = load_detector(tmp_path / "run" / "detector_best.pth")
    assert detector.classes == open_whole_split(root, "train", "sgdet").schema.vocabulary.objects
    log = (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8")
    assert "test videos, detector_best.pth:" in log and "table" in log.rpartition("test videos")[2]
