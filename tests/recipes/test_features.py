"""``vidsgg features`` on tiny data: what it writes, goes on with, refuses and survives."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import re
import shutil
import signal
import sys
import time
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets.ag_files import plain, write, write_video
from datasets.easg_files import write_easg
from detectors.tiny import tiny_detector
from symlinks import link

from vidsgg.assembly.saved_run import read_run
from vidsgg.cli import evaluate, features, train
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import OBJECTS
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.files import load_detector, save_detector
from vidsgg.errors import ConfigError
from vidsgg.features.store import FeatureStore
from vidsgg.io.atomic import left_behind
from vidsgg.recipes.command_options import FeaturesOptions
from vidsgg.recipes.feature_estimate import estimate_features
from vidsgg.recipes.features import run_features

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits are POSIX")
TRAIN, TEST = 8, 3
PATIENCE = 240  # seconds


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with its detector, found by ``-detector auto``. Tests only read it, and write
    their stores elsewhere."""
    root = tmp_path_factory.mktemp("data")
    videos = {f"V{i}": ("train" if i < TRAIN else "test", [1, 3, 4 + i % 2, 8]) for i in range(TRAIN + TEST)}
    write(root, *plain(videos))
    first = write_video(root, "V0", 10)
    for name in list(videos)[1:]:
        shutil.copy(first, first.with_name(f"{name}.mp4"))
    save_detector(root / "detector.pth", tiny_detector(OBJECTS))
    return root


def copy_of(data: Path, root: Path) -> Path:
    return shutil.copytree(data, root, ignore=shutil.ignore_patterns("features"))


def options(data: Path, out: Path, **changes: Any) -> FeaturesOptions:
    return FeaturesOptions(
        **{"data_path": str(data), "out": str(out), "num_workers": 1, "device": "cpu", "mode": "sgdet", **changes}
    )


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a store."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """An sgdet store as it should be."""
    out = tmp_path_factory.mktemp("whole") / "s"
    run_features(options(data, out))
    return content(out)


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
def test_all_records_are_written_where_training_finds_them(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    root = copy_of(data, tmp_path / "data")
    assert run(features.main, ["-data_path", str(root), "-mode", mode, "-num_workers", "1"]) == 0
    printed = "".join(capsys.readouterr())
    (folder,) = (root / "features").iterdir()
    assert re.fullmatch(rf"{mode}_faster-rcnn-c4_[0-9a-f]{{12}}", folder.name)
    names = [path.name.split(".")[2] for path in folder.rglob("*.safetensors")]
    # Seven videos to learn from, one held out, three to test on.
    expected = {"both": TRAIN + TEST} if mode == "predcls" else {"learn": TRAIN, "score": TEST + 1}
    assert {form: names.count(form) for form in set(names)} == expected
    assert f"written: {sum(expected.values())} records" in printed
    assert f"folder: {folder}" in printed
    assert f"train with them: vidsgg train -data_path {root} -mode {mode} -detector auto\n" in printed


def test_parts_of_the_data_and_other_places(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "-data_path",
        str(data),
        "-mode",
        "sgcls",
        "-out",
        str(tmp_path / "s"),
        "-num_workers",
        "1",
        "-dtype",
        "float32",
    ]
    assert run(features.main, [*arguments, "-split", "test"]) == 0
    assert "written: 3 records" in "".join(capsys.readouterr())
    assert run(features.main, [*arguments, "-datasize", "mini"]) == 0
    printed = "".join(capsys.readouterr())
    # one video to learn from; of the held-out and the test videos there are one each
    assert "written: 3 records" in printed
    assert "; 1 were there already" in printed
    assert f"-datasize mini -features {tmp_path / 's'}" in printed
    assert run(features.main, arguments) == 0
    assert "written: 6 records" in "".join(capsys.readouterr())
    assert run(features.main, [*arguments, "-dtype", "float16"]) == 2
    assert "holds other features (float32, not float16)" in capsys.readouterr().err


def test_what_is_there_is_kept(data: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out = tmp_path / "s"
    first = run_features(options(data, out))
    assert content(out) == whole
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*.safetensors")}
    gone = sorted(times)[3]
    gone.unlink()
    again = run_features(options(data, out))
    assert (first.written, first.kept) == (TRAIN + TEST + 1, 0)
    assert (again.written, again.kept) == (1, TRAIN + TEST)
    assert {p for p in times if p.stat().st_mtime_ns != times[p]} == {gone}
    assert content(out) == whole


def test_with_everything_stored_the_detector_is_not_built(
    data: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = copy_of(data, tmp_path / "data")
    store = root / "features" / "sgdet"
    for name, held in whole.items():
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(held)
    weights = load_detector(root / "detector.pth").digest()
    built: list[type] = []

    def build(kind: type[FasterRCNN], *arguments: Any) -> FasterRCNN:
        built.append(kind)
        return from_description(*arguments)

    from_description = FasterRCNN.from_description
    monkeypatch.setattr(FasterRCNN, "from_description", classmethod(build))
    small = ["-hidden_dim", "8", "-embedding_dim", "4", "-feedforward_dim", "8", "-temporal_layer", "1"]
    common = ["-device", "cpu", "-num_workers", "0"]
    learn = ["-data_path", str(root), "-mode", "sgdet", *small, *common, "-epochs", "1", "-logger", "none"]
    score = ["-checkpoint", str(tmp_path / "run"), *common, "-charts", "False"]
    assert run(train.main, [*learn, "-save_path", str(tmp_path / "run")]) == 0
    assert run(evaluate.main, score) == 0
    assert not built
    record = read_run(tmp_path / "run").made.detector
    assert record is not None and record.weights == FeatureStore.open(store).key.weights == weights

    # A file that says other widths than the features have.
    detector = (root / "detector.pth").read_bytes()
    said = torch.load(root / "detector.pth", weights_only=True)
    torch.save({**said, "known": {**said["known"], "node_width": 7}}, root / "detector.pth")
    capsys.readouterr()
    assert run(evaluate.main, score) == 2
    assert re.search("columns and .* says 7 and .* one of the two is damaged", capsys.readouterr().err)
    (root / "detector.pth").write_bytes(detector)

    # Where features have to be computed, it is.
    for folder in filter(Path.is_dir, store.iterdir()):
        shutil.rmtree(folder)
    assert run(evaluate.main, score) == 0
    assert built

    # Another detector in its place is refused, without building it.
    built.clear()
    save_detector(root / "detector.pth", tiny_detector(OBJECTS, seed=2))
    assert run(evaluate.main, score) == 2
    assert run(evaluate.main, [*score, "-features", str(store)]) == 2


def test_damaged_records_are_named_and_written_again(data: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out = tmp_path / "s"
    run_features(options(data, out))
    cut, flipped, *_ = sorted(out.rglob("*.safetensors"))
    good = flipped.read_bytes()
    cut.write_bytes(cut.read_bytes()[:-7])
    flipped.write_bytes(good[:-9] + bytes([good[-9] ^ 4]) + good[-8:])
    quick = run_features(options(data, out))  # finds what needs no reading of everything
    assert quick.written == 1
    assert f"{cut}: is cut off" in next(iter(quick.repaired.values()))
    thorough = run_features(options(data, out, verify=True))
    assert thorough.written == 1
    assert f"written again: 1 record that were there; the first: {flipped.name.split('.')[0]}" in thorough.text()
    assert f"{flipped}: is damaged (wrong checksum)" in thorough.text()
    assert content(out) == whole


def test_records_of_a_changed_video_are_written_again(data: Path, tmp_path: Path) -> None:
    root, out = copy_of(data, tmp_path / "data"), tmp_path / "s"
    run_features(options(root, out))
    path = root / "annotations" / "person_bbox.pkl"
    persons = pickle.loads(path.read_bytes())
    persons["V1.mp4/000003.png"]["bbox"] += 1
    path.write_bytes(pickle.dumps(persons))
    write_video(root, "V2", 12)
    again = run_features(options(root, out))
    assert set(again.repaired) == {"V1 (learn)", "V2 (learn)"}
    assert "the annotation of video 'V1' has changed" in again.repaired["V1 (learn)"]
    assert "the pictures of video 'V2' have changed" in again.repaired["V2 (learn)"]
    assert run_features(options(root, out)).written == 0


def test_videos_that_cannot_be_read(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = copy_of(data, tmp_path / "data"), tmp_path / "s"
    video = root / "videos" / "V3.mp4"
    video.write_bytes(video.read_bytes()[:300])
    arguments = ["-data_path", str(root), "-out", str(out), "-num_workers", "1"]
    assert run(features.main, arguments) == 2
    assert "V3.mp4" in capsys.readouterr().err
    outcome = run_features(options(root, out, mode="predcls", skip_bad=True))
    assert list(outcome.left_out) == ["V3"]
    assert "left out: 1 video that could not be read; the first:" in outcome.text()
    assert "V3.mp4" in FeatureStore.open(out).left_out()["V3"]
    run_features(options(root, out, mode="predcls", skip_bad=True, split="test"))  # looks at others
    assert list(FeatureStore.open(out).left_out()) == ["V3"]
    shutil.copy(root / "videos" / "V1.mp4", video)
    run_features(options(root, out, mode="predcls", skip_bad=True))
    assert FeatureStore.open(out).left_out() == {}


@pytest.mark.parametrize(("mode", "tolerance"), [("predcls", 0.01), ("sgcls", 0.01), ("sgdet", 0.1)])
def test_the_estimate_is_close_and_writes_nothing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str, tolerance: float
) -> None:
    out = tmp_path / "s"
    assert (
        run(
            features.main, ["-data_path", str(data), "-mode", mode, "-out", str(out), "--estimate", "-num_workers", "1"]
        )
        == 0
    )
    printed = "".join(capsys.readouterr())
    assert "expected size: " in printed
    assert "expected time: about " in printed
    assert not out.exists()
    estimate = estimate_features(options(data, out, mode=mode))
    real = run_features(options(data, out, mode=mode))
    assert estimate.size == pytest.approx(real.bytes, rel=tolerance)
    assert sum(form.records for form in estimate.forms) == real.written
    assert sum(form.rows["frame"] for form in estimate.forms) == real.frames
    assert 0 < estimate.seconds < 100


def test_data_without_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_easg(tmp_path)
    assert run(features.main, ["-data_path", str(root)]) == 2
    assert "data set 'easg' has no pictures" in capsys.readouterr().err


def test_several_processes_write_the_same(data: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    outcome = run_features(options(data, tmp_path / "s", num_workers=2))
    assert outcome.written == TRAIN + TEST + 1
    assert content(tmp_path / "s") == whole


# What follows runs in processes of their own, which start at once from a server that has imported
# everything.


def _write(data: Path, out: Path, limit: int | None, slow_disk: float, stalls: bool) -> None:
    flush = os.fsync
    stalled = []

    def slowly(file: int) -> None:
        stall = stalls and not stalled and bool(list(out.rglob("*.safetensors")))
        if stall:
            stalled.append(file)
        time.sleep(PATIENCE if stall else slow_disk)
        flush(file)

    os.fsync = slowly
    if limit is not None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    arguments = ["-data_path", str(data), "-out", str(out), "-mode", "sgdet", "-num_workers", "1", "-device", "cpu"]
    with (out.parent / f"{out.name}.{os.getpid()}.log").open("w", encoding="utf-8") as log:
        sys.stdout = sys.stderr = log
        code = run(features.main, arguments)
    sys.exit(code)


def test_a_link_in_the_data_set_is_not_followed_unless_it_is_named(data: Path, tmp_path: Path) -> None:
    root = copy_of(data, tmp_path / "data")
    (tmp_path / "elsewhere").mkdir()
    link(root / "features", tmp_path / "elsewhere")
    with pytest.raises(
        ConfigError, match=r"features is a link, .*; if it is yours, name the folder that it leads to with -out"
    ):
        run_features(replace(options(root, root), out=None))
    assert not list((tmp_path / "elsewhere").iterdir())
    assert run_features(options(root, root / "features" / "mine", split="test")).written > 0


def temporaries(out: Path) -> list[Path]:
    return [path for folder in (out, *out.glob("[0-9a-f]?")) for path in left_behind(folder)]


def start(data: Path, out: Path, limit: int | None = None, slow_disk: float = 0.0, stalls: bool = False) -> BaseProcess:
    """slow_disk: seconds that every record takes to reach it. stalls: the second does not in our
    time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["vidsgg.recipes.features"])
    process = context.Process(target=_write, args=(data, out, limit, slow_disk, stalls))
    process.start()
    return process


def log_of(out: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in out.parent.glob(f"{out.name}.*.log"))


@posix
def test_killed_at_any_moment_it_goes_on_where_it_stopped(data: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out, rng, killed, torn = tmp_path / "s", random.Random(0), 0, 0
    for records in (0, 2, 5, 8):
        process = start(data, out, slow_disk=0.05)
        while process.is_alive() and len(list(out.rglob("*.safetensors"))) <= records:
            time.sleep(0.002)
        if records == 2:  # for sure while a record is on its way to the disk
            while process.is_alive() and not temporaries(out):
                pass
        else:
            time.sleep(rng.uniform(0, 0.06))
        process.kill()
        process.join()
        killed, torn = killed + (process.exitcode == -signal.SIGKILL), torn + len(temporaries(out))
        for path in out.rglob("*.safetensors"):  # nothing half-written has a name that anybody reads
            assert path.read_bytes() == whole[str(path.relative_to(out))]
    assert killed >= 3, log_of(out)
    assert torn >= 1
    outcome = run_features(options(data, out))
    assert 0 < outcome.written < TRAIN + TEST + 1
    assert content(out) == whole
    assert not temporaries(out)


@posix
def test_two_runs_at_once_write_one_good_store(data: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out = tmp_path / "s"
    processes = [start(data, out) for _ in range(2)]
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0], log_of(out)
    assert content(out) == whole


@posix
def test_a_full_disk_is_one_message(data: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    """A file size limit stands for a full disk."""
    out, sizes = tmp_path / "s", sorted(len(data) for name, data in whole.items() if name.endswith(".safetensors"))
    process = start(data, out, limit=sizes[len(sizes) // 2])
    process.join(120)
    assert process.exitcode == 2
    assert re.fullmatch(
        r"error: cannot write .*: File too large\. Once it is writable, run the same command again.*\n", log_of(out)
    )
    assert not temporaries(out)
    assert content(out).items() < whole.items()
    run_features(options(data, out))
    assert content(out) == whole


@posix
def test_an_interrupt_is_one_line(data: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    out = tmp_path / "s"
    process = start(data, out, stalls=True)
    while process.is_alive() and not (list(out.rglob("*.safetensors")) and temporaries(out)):
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGINT)  # while the second record is on its way to the disk
    process.join(PATIENCE / 2)
    assert process.exitcode == 130
    assert log_of(out) == "\ninterrupted\n"
    assert not temporaries(out)
    assert content(out).items() < whole.items()


def _peak_of_writing(folder: Path, videos: int, answer: Any) -> None:
    import torch
    from toys import PictureVideos

    from benchmarks.peak import peak_bytes
    from vidsgg.features.key import StoreKey
    from vidsgg.features.stored_clip import RecordSource
    from vidsgg.structures.clip import Clip
    from vidsgg.structures.widths import FeatureWidths

    torch.set_num_threads(1)
    toys = PictureVideos(1)
    annotation = toys.annotation(0)
    key = StoreKey({"detector": "none"}, "", "predcls", False, toys.schema)
    clip = Clip.from_annotation(annotation, pair_union=torch.rand(annotation.pairs, 4000, 7, 7))
    with FeatureStore.to_write(folder, key, "float16", FeatureWidths(0, 4000)) as store:
        for i in range(videos):
            source = RecordSource(f"v{i}", "", None)
            store.write(clip, source, learn=True)
            store.clip(store.open_record(source, learn=True))
    answer.send(peak_bytes())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module")
def test_peak_memory_does_not_grow_with_the_number_of_videos(tmp_path: Path) -> None:
    context, peaks = multiprocessing.get_context("forkserver"), []
    for videos in (5, 80):
        ours, theirs = context.Pipe()
        process = context.Process(target=_peak_of_writing, args=(tmp_path / str(videos), videos, theirs))
        process.start()
        peaks.append(ours.recv() / 2**20)
        process.join()
    size = next((tmp_path / "5").rglob("*.safetensors")).stat().st_size / 2**20
    assert size > 1
    assert peaks[1] - peaks[0] < 5 * size  # 75 records more
