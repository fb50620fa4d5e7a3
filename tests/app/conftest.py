"""Checkpoints for the app: untrained ones of two modes, with a detector that finds things wherever
it looks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from datasets.ag_files import small_set
from numbered_video import write
from starlette.testclient import TestClient

from vidsgg.app.app_options import AppOptions
from vidsgg.app.checkpoints import Checkpoints
from vidsgg.app.jobs import JobFolder
from vidsgg.app.queue import JobQueue
from vidsgg.app.routes import Routes
from vidsgg.cli import train
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.region_proposals import ProposalLimits
from vidsgg.detectors.resnet_c4 import BackboneConfig

OWN = "http://127.0.0.1:8501"


@pytest.fixture(scope="session")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs; tests only read it."""
    root, output = small_set(tmp_path_factory.mktemp("data")), tmp_path_factory.mktemp("runs")
    detector = FasterRCNN(
        FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8, ProposalLimits(100, 6)), SCHEMA.vocabulary.objects
    )
    with torch.no_grad():
        detector.class_score.bias[[1, 8]] = 8.0  # a person and a chair
    save_detector(root / "detector.pth", detector)
    tiny = ["-epochs", "0", "-num_workers", "0", "-device", "cpu", "-features", "off"]
    narrow = [
        "-hidden_dim",
        "8",
        "-embedding_dim",
        "8",
        "-feedforward_dim",
        "8",
        "-spatial_layer",
        "1",
        "-temporal_layer",
        "1",
    ]
    for mode in ("predcls", "sgdet"):
        assert (
            run(train.main, ["-mode", mode, "-data_path", str(root), "-save_path", str(output / mode), *tiny, *narrow])
            == 0
        )
    shutil.copy(root / "detector.pth", output / "sgdet")
    return output


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("videos") / "walk.mp4", frames=60)


@pytest.fixture
def options(output: Path, tmp_path: Path) -> AppOptions:
    return AppOptions((str(output),), data=str(tmp_path / "app"), max_upload_mb=0.1, max_waiting=2, device="cpu")


@pytest.fixture
def queue(options: AppOptions) -> Iterator[JobQueue]:
    folder = Path(options.data)
    folder.mkdir()
    made = JobQueue(JobFolder(folder), options.device, options.max_minutes, options.max_waiting)
    yield made
    made.close()  # also where the test has failed


@pytest.fixture
def client(options: AppOptions, queue: JobQueue) -> Iterator[TestClient]:
    """The app without the thread that works: what is sent waits."""
    app = Routes(options, queue, Checkpoints(options.checkpoints)).app()
    yield TestClient(app, base_url=OWN, raise_server_exceptions=True)
