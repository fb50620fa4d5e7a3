"""EASG's feature files made from videos: what is in them, how they are read, and what is refused."""

from __future__ import annotations

import pickle
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets.ag_files import small_set
from datasets.easg_files import write_easg, write_features
from detectors.tiny import tiny_detector
from numbered_video import number_of
from numbered_video import write as write_video

from vidsgg.cli import evaluate, features, train
from vidsgg.cli.main import run
from vidsgg.datasets.easg import EASG
from vidsgg.datasets.easg_features import MADE
from vidsgg.detectors.backends.choice import Inference
from vidsgg.detectors.files import load_detector, save_detector
from vidsgg.errors import ConfigError, DataError
from vidsgg.io.video import VideoReader
from vidsgg.recipes import made_features
from vidsgg.recipes.command_options import FeaturesOptions

FILES = ("roi_feats_train.pkl", "roi_feats_val.pkl", "verb_features.pt")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Annotations, the videos of their clips and a detector of other classes; no features."""
    root = tmp_path_factory.mktemp("source")
    write_easg(root / "easg", clips=2, graphs=2)
    (root / "videos").mkdir()
    video = write_video(root / "video.mp4", frames=226, preset="ultrafast")
    for split in ("train", "test"):
        for clip in EASG(root / "easg", split).video_ids:
            shutil.copyfile(video, root / "videos" / f"{clip}.mp4")
    save_detector(root / "detector.pth", tiny_detector(("__background__", "block")))
    return root


@pytest.fixture
def place(source: Path, tmp_path: Path) -> Path:
    shutil.copytree(source, tmp_path / "place")
    return tmp_path / "place"


def arguments(place: Path, *more: str) -> list[str]:
    where = ["-data_path", str(place / "easg"), "-videos", str(place / "videos")]
    return [*where, "-detector", str(place / "detector.pth"), "-device", "cpu", *more]


@pytest.fixture(scope="module")
def made(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made") / "place"
    shutil.copytree(source, place)
    assert run(features.main, arguments(place)) == 0
    return place


def test_files_have_the_authors_form_and_hold_what_the_detector_says(made: Path) -> None:
    annotations = pickle.loads((made / "easg" / "easg_train.pkl").read_bytes())
    boxes = pickle.loads((made / "easg" / "roi_feats_train.pkl").read_bytes())
    actions = torch.load(made / "easg" / "verb_features.pt", weights_only=True)
    detector = load_detector(made / "detector.pth")
    assert set(boxes) == set(annotations)
    for uid, graph in annotations.items():
        assert set(boxes[uid]) == set(graph["annotations"])
        for aid, entries in graph["annotations"].items():
            assert actions[aid].shape == (2 * detector.node_width,)
            for entry, cells in zip(entries, boxes[uid][aid], strict=True):
                shapes = {slot: cell.shape for slot, cell in cells.items()}
                assert shapes == {slot: (len(rows), detector.node_width) for slot, rows in entry["bbox"].items()}

    # One box in its own picture: the n-th of the clip is the (n + 1)-th of the video.
    uid, graph = next(iter(annotations.items()))
    aid, entries = next(iter(graph["annotations"].items()))
    slot, rows = next(iter(entries[0]["bbox"].items()))
    number = graph["clip_frame_number"][slot] + 1
    (picture,) = VideoReader(made / "videos" / f"{uid.rpartition('_')[0]}.mp4").read([number])
    assert number_of(picture) == number
    height, width = picture.shape[:2]
    x, y, w, h = rows[0]
    box = torch.tensor([[x, y, min(x + w, 1), min(y + h, 1)]]).clamp(0, 1) * torch.tensor([width, height] * 2)

    def described(image: np.ndarray, region: torch.Tensor) -> np.ndarray:
        with torch.no_grad():
            maps = detector.encode([image], detector.canvas([image]))
            found: np.ndarray = detector.embed(detector.pool(maps, torch.tensor([0]), region))[0].numpy()
        return found

    np.testing.assert_allclose(boxes[uid][aid][0][slot][0], described(picture, box), rtol=1e-3, atol=1e-4)
    first, last = (graph["clip_frame_number"][slot] + 1 for slot in ("pre", "post"))
    ends = VideoReader(made / "videos" / f"{uid.rpartition('_')[0]}.mp4").read([first, last])
    whole = torch.tensor([[0, 0, width, height]], dtype=torch.float32)
    change = described(ends[1], whole) - described(ends[0], whole)
    np.testing.assert_allclose(actions[aid].numpy()[detector.node_width :], change, rtol=1e-3, atol=1e-4)


def test_they_are_read_and_trained_on_and_said_not_to_be_the_authors(made: Path, tmp_path: Path, capsys: Any) -> None:
    data, width = EASG(made / "easg", "train"), load_detector(made / "detector.pth").node_width
    assert dict(data.schema.features) == {"object": width, "action": 2 * width}
    for i, video in enumerate(data):
        columns = data.features(i)
        assert columns["node_feature"].shape == (video.nodes, width)
        assert columns["action_feature"].shape == (video.units, 2 * width)
    for model in ("easg_baseline", "sttran"):
        options = ["-model", model, "-mode", "sgdet", "-data_path", str(made / "easg"), "-val", "test", "-epochs", "1"]
        options += ["-logger", "none", "-num_workers", "0", "-save_path", str(tmp_path / model)]
        narrow = ["-hidden_dim", "8", "-embedding_dim", "4", "-temporal_layer", "1"] * (model == "sttran")
        assert run(train.main, [*options, *narrow]) == 0
        said = f"object {width}, action {2 * width} wide, from the data set's files, made by vidsgg with"
        assert said in "".join(capsys.readouterr())

    # Features of as many columns, by a detector with other weights, are not those that were trained on.
    other = tmp_path / "other"
    shutil.copytree(made, other)
    for name in (*FILES, MADE):
        (other / "easg" / name).unlink()
    save_detector(other / "detector.pth", tiny_detector(("__background__", "block"), seed=2))
    assert run(features.main, arguments(other)) == 0
    again = ["-checkpoint", str(tmp_path / "sttran"), "-charts", "False"]
    assert run(evaluate.main, again) == 0
    assert run(evaluate.main, [*again, "-data_path", str(other / "easg")]) == 2
    assert "sttran/checkpoint_best.tar was trained on features made by vidsgg" in capsys.readouterr().err
    goes_on = ["-resume_from", str(tmp_path / "sttran"), "-data_path", str(other / "easg"), "-epochs", "2"]
    assert run(train.main, ["-mode", "sgdet", "-val", "test", *goes_on]) == 2
    assert "was trained on features made by vidsgg" in capsys.readouterr().err
    (other / "easg" / "roi_feats_val.pkl").unlink()
    assert run(train.main, ["-data_path", str(other / "easg"), "-val", "test"]) == 2
    assert "its splits have different features (train split: object" in capsys.readouterr().err


def test_a_run_goes_on_and_does_what_is_new(
    place: Path, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    describe, seen = made_features.describe, []

    def stopped(detector: Any, video: Any) -> Any:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(video.name)
        return describe(detector, video)

    monkeypatch.setattr(made_features, "describe", stopped)
    with pytest.raises(KeyboardInterrupt):
        features.main(arguments(place))
    assert not any((place / "easg" / name).exists() for name in (*FILES, MADE))
    monkeypatch.setattr(made_features, "describe", describe)
    assert run(features.main, arguments(place)) == 0
    assert "made: 2 videos; 2 were done already" in capsys.readouterr().out
    for name in FILES[:2]:
        assert (place / "easg" / name).read_bytes() == (made / "easg" / name).read_bytes()
    assert not (place / "easg" / made_features.PARTS).exists()

    when = [(place / "easg" / name).stat().st_mtime_ns for name in (*FILES, MADE)]
    assert run(features.main, arguments(place)) == 0
    assert "made: 0 videos; 4 were done already" in capsys.readouterr().out
    assert when == [(place / "easg" / name).stat().st_mtime_ns for name in (*FILES, MADE)]

    # One split alone leaves the other's; another detector for it would mix two kinds.
    (place / "easg" / FILES[1]).unlink()
    assert run(features.main, arguments(place, "-split", "test")) == 0
    assert "made: 2 videos; 0 were done already" in capsys.readouterr().out
    assert len(torch.load(place / "easg" / "verb_features.pt", weights_only=True)) == len(
        torch.load(made / "easg" / "verb_features.pt", weights_only=True)
    )
    save_detector(place / "detector.pth", tiny_detector(("__background__", "block"), seed=2))
    assert run(features.main, arguments(place, "-split", "test")) == 2
    assert "the features there were made otherwise" in capsys.readouterr().err


def test_a_worker_that_computes_otherwise_is_refused(source: Path) -> None:
    """A processor without bfloat16, in a cluster that was started on one that has it."""
    options = FeaturesOptions(data_path=str(source), engine="ray", device="cpu")
    setup = partial(made_features._Setup, options, str(source / "detector.pth"), EASG(source / "easg", "test").schema)
    setup = partial(setup, source / "parts", {}, 1, None)
    with pytest.raises(ConfigError, match=r"computed by torch, fp32 on cpu here, and by torch, bf16 on the machine"):
        setup(Inference(precision="bf16"))(0)
    assert callable(setup(Inference())(0))


def test_what_cannot_be_made_is_refused(place: Path, tmp_path: Path, capsys: Any) -> None:
    def refused(*more: str) -> str:
        assert run(features.main, arguments(place, *more)) == 2
        return str(capsys.readouterr().err)

    assert "option -mode: means nothing for feature files" in refused("-mode", "sgdet")
    write_features(place / "easg")
    assert "is there and was not made by vidsgg" in refused()
    for name in FILES:
        (place / "easg" / name).unlink(missing_ok=True)
    clip = EASG(place / "easg", "test").video_ids[0]
    video = place / "videos" / f"{clip}.mp4"
    kept = video.read_bytes()
    video.write_bytes(b"no video")
    assert str(video) in refused()
    assert run(features.main, arguments(place, "-skip_bad")) == 0
    assert f"left out: 1 video that could not be read; the first: {video}" in capsys.readouterr().out
    roi = pickle.loads((place / "easg" / "roi_feats_val.pkl").read_bytes())
    assert not any(uid.startswith(clip) for uid in roi)
    video.unlink()
    assert f"has no video of clip {clip}" in refused()
    write_video(video, frames=60, preset="ultrafast")
    assert "was asked for, the video has frames 1..60" in refused()
    video.write_bytes(kept)

    write_features(place / "easg", roi=False)
    with pytest.raises(DataError, match=r"has 2304 values, expected 64 as easg_features\.json beside it says"):
        EASG(place / "easg", "train").features(0)
    (place / "easg" / MADE).write_text("{}", encoding="utf-8")
    assert MADE in refused()
    pictures = ["-data_path", str(small_set(tmp_path / "ag")), "-videos_path", str(place / "videos")]
    assert run(features.main, pictures) == 2
    assert f"{place / 'videos'}: has no pictures of video" in capsys.readouterr().err
