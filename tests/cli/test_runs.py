"""Whole runs through the command line on a tiny data set, and every kind of bad input."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets.ag_files import dump_frames, plain, small_set, write, write_video

from vidsgg.cli import evaluate, models, predict, train
from vidsgg.cli.main import main, run
from vidsgg.io.tensors import load_tensors
from vidsgg.io.video import VideoReader

ROOT = Path(__file__).parents[2]
TINY = ["-epochs", "1", "-hidden_dim", "8", "-temporal_layer", "1", "-num_workers", "0", "-device", "cpu"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "sttran"
    assert run(train.main, ["-data_path", str(data), "-save_path", str(path), *TINY]) == 0
    return path


def test_training_leaves_a_complete_folder(trained: Path, data: Path) -> None:
    names = {p.name for p in trained.iterdir()}
    assert {"logfile.txt", "metrics.csv", "config.yaml", "checkpoint_best.tar", "checkpoint_final.tar"} <= names
    log = (trained / "logfile.txt").read_text(encoding="utf-8")
    assert "Epoch 1/1 - Loss: " in log
    assert "Epoch 1/1 - Eval - Recall@10: " in log
    assert "untrained weights" in log
    assert "warning: -warmup_steps 1000 shortened to 0, a tenth of this run's 1 steps" in log
    config = load_tensors(trained / "checkpoint_best.tar")["config"]
    assert config["data_path"] == str(data)
    assert config["hidden_dim"] == 8


def test_the_written_configuration_repeats_the_run(trained: Path, tmp_path: Path) -> None:
    assert run(train.main, ["-config", str(trained / "config.yaml"), "-save_path", str(tmp_path / "again")]) == 0
    first, second = (
        load_tensors(p / "checkpoint_final.tar")["model_state_dict"] for p in (trained, tmp_path / "again")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_evaluation_prints_and_writes_its_table(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(
            evaluate.main,
            ["-checkpoint", str(trained), "-save_path", str(tmp_path), "-mode", "predcls", "-num_workers", "0"],
        )
        == 0
    )
    printed = "".join(capsys.readouterr())
    assert "R@20" in printed
    assert "mR@20" in printed
    assert "predcls: R@K = share of" in printed
    assert "expected calibration error, in percent: attention " in printed
    single = (tmp_path / "predicates_test.csv").read_text(encoding="utf-8").splitlines()
    assert single[1].startswith("looking_at,attention,head,14,6,")  # two objects in each of seven and of three frames
    content = json.loads((tmp_path / "evaluation_test.json").read_text(encoding="utf-8"))
    assert content["split"] == "test"
    assert 0 <= content["recall"]["with"]["R"]["20"] <= 1
    assert (
        (tmp_path / "evaluation_test.csv")
        .read_text(encoding="utf-8")
        .startswith("protocol,constraint,measure,predicate,k,value")
    )


@pytest.mark.parametrize("split", ["val", "train"])
def test_other_splits_can_be_scored(trained: Path, tmp_path: Path, split: str) -> None:
    assert (
        run(
            evaluate.main,
            ["-checkpoint", str(trained), "-split", split, "-save_path", str(tmp_path), "-num_workers", "0"],
        )
        == 0
    )
    assert (tmp_path / f"evaluation_{split}.json").exists()


def test_prediction_writes_a_graph_and_a_page(trained: Path, tmp_path: Path) -> None:
    assert run(predict.main, ["-checkpoint", str(trained), "-video", "CCCCC", "-out", str(tmp_path)]) == 0
    graph = json.loads((tmp_path / "CCCCC.graph.json").read_text(encoding="utf-8"))
    assert [frame["number"] for frame in graph["frames"]] == [4, 9, 18]
    assert "<html" in (tmp_path / "CCCCC.html").read_text(encoding="utf-8")


def test_counting_takes_one_pass(data: Path, tmp_path: Path) -> None:
    assert run(train.main, ["-model", "frequency", "-data_path", str(data), "-save_path", str(tmp_path / "f")]) == 0
    assert run(evaluate.main, ["-checkpoint", str(tmp_path / "f"), "-charts", "False"]) == 0
    content = json.loads((tmp_path / "f" / "evaluation_test.json").read_text(encoding="utf-8"))
    # Every frame has the same eight relations; two pairs times three groups leave room for six of
    # them under the constraint.
    assert content["recall"]["with"]["R"]["20"] == 6 / 8
    assert content["recall"]["no"]["R"]["20"] == 1.0


def test_no_epochs_write_the_untrained_model(data: Path, tmp_path: Path) -> None:
    assert run(train.main, ["-data_path", str(data), "-save_path", str(tmp_path / "u"), *TINY, "-epochs", "0"]) == 0
    assert load_tensors(tmp_path / "u" / "checkpoint_best.tar")["epoch"] == 0


def test_frames_and_videos_train_alike(data: Path, trained: Path, tmp_path: Path) -> None:
    root = shutil.copytree(data, tmp_path / "dumped")
    for name in ("AAAAA", "BBBBB", "CCCCC"):
        dump_frames(root, name)
        (root / "videos" / f"{name}.mp4").unlink()
    assert run(train.main, ["-data_path", str(root), "-save_path", str(tmp_path / "run"), *TINY]) == 0
    first, second = (load_tensors(p / "checkpoint_final.tar")["model_state_dict"] for p in (trained, tmp_path / "run"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_frames_that_were_not_dumped_are_read_from_the_video_and_told_once(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(data, tmp_path / "partly")
    (dump_frames(root, "CCCCC") / "000009.png").unlink()
    capsys.readouterr()
    scoring = ["-checkpoint", str(trained), "-data_path", str(root), "-save_path", str(tmp_path), "-num_workers", "2"]
    assert run(evaluate.main, scoring) == 0
    told = "missing among the dumped frames, read from the video: 1 frame of 1 video (CCCCC)"
    assert "".join(capsys.readouterr()).count(f"pictures: {told}") == 1
    assert (
        run(
            predict.main,
            ["-checkpoint", str(trained), "-data_path", str(root), "-video", "CCCCC", "-out", str(tmp_path / "part")],
        )
        == 0
    )
    assert f"note:  {told}" in "".join(capsys.readouterr())
    assert run(predict.main, ["-checkpoint", str(trained), "-video", "CCCCC", "-out", str(tmp_path / "whole")]) == 0
    part, whole = (
        json.loads((tmp_path / n / "CCCCC.graph.json").read_text(encoding="utf-8")) for n in ("part", "whole")
    )
    assert part["frames"] == whole["frames"]
    assert part["made_by"]["source"].endswith("videos/CCCCC.mp4")


def test_word_vectors_start_the_embeddings(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "glove.txt"
    file.write_text("cup " + " ".join(["0.5"] * 200) + "\nzebra 1 2\n", encoding="utf-8")
    arguments = ["-data_path", str(data), *TINY, "-epochs", "0", "-word_vectors", str(file)]
    assert run(train.main, [*arguments, "-save_path", str(tmp_path / "w")]) == 0
    assert "word vectors: 1 of 37 class names" in "".join(capsys.readouterr())
    state = load_tensors(tmp_path / "w" / "checkpoint_best.tar")["model_state_dict"]
    assert torch.equal(state["pair_encoder.object_embedding.weight"][11], torch.full((200,), 0.5))
    file.write_text("cup 1 2 3\n", encoding="utf-8")
    assert run(train.main, [*arguments, "-save_path", str(tmp_path / "x")]) == 2
    assert "'cup' has 3 numbers, expected 200" in capsys.readouterr().err


def fails(capsys: pytest.CaptureFixture[str], command: Any, *argv: object) -> str:
    """The message of a command that must end with code 2, one message behind what it said before,
    and no traceback."""
    assert run(command, [str(a) for a in argv]) == 2
    error = capsys.readouterr().err
    assert len(re.findall(r"^error: ", error, re.MULTILINE)) == 1
    assert "Traceback" not in error
    return error[re.search(r"^error: ", error, re.MULTILINE).start() :]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-modle", "sttran"], "did you mean 'mode' or 'model'"),
        (["-mode", "predcl"], "did you mean 'predcls'"),
        (["-model", "tempur"], "unknown model 'tempur'"),
        (["-resume_from", "nowhere.tar"], "there is no file nowhere.tar"),
        (["-detector", "c4-smal"], "did you mean 'c4-small'"),
        (["-device", "cuda:99"], "cannot use 'cuda:99'"),
        (["-hidden_dim", "7"], "must be a multiple of 8"),
        (["-word_vectors", "none.txt"], "cannot read none.txt"),
    ],
)
def test_wrong_options(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert message in fails(capsys, train.main, "-data_path", data, "-save_path", tmp_path / "run", *argv)
    assert not (tmp_path / "run").exists()


def test_a_missing_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "does not exist" in fails(capsys, train.main, "-data_path", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "person_bbox.pkl" in fails(capsys, train.main, "-data_path", tmp_path / "empty")
    assert "-data_path is required" in fails(capsys, train.main)
    assert not (tmp_path / "output").exists()


def test_a_missing_annotation_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_set(tmp_path / "data")
    (root / "annotations" / "object_bbox_and_relationship.pkl").unlink()
    assert "object_bbox_and_relationship.pkl" in fails(
        capsys, train.main, "-data_path", root, "-save_path", tmp_path / "run"
    )


class Hostile:
    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.folder,)


def test_a_pickle_that_asks_for_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_set(tmp_path / "data")
    (root / "annotations" / "person_bbox.pkl").write_bytes(pickle.dumps({"a": Hostile(tmp_path / "pwned")}))
    error = fails(capsys, train.main, "-data_path", root, "-save_path", tmp_path / "run")
    assert "person_bbox.pkl" in error
    assert "mkdir" in error
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "run").exists()


def test_a_truncated_pickle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_set(tmp_path / "data")
    path = root / "annotations" / "person_bbox.pkl"
    path.write_bytes(path.read_bytes()[:200])
    assert "person_bbox.pkl" in fails(capsys, train.main, "-data_path", root, "-save_path", tmp_path / "run")


def four_videos(root: Path) -> Path:
    """Three training videos and a test video, with a frame dump."""
    videos = {name: ("train", [1, 2, 3]) for name in ("AAAAA", "BBBBB", "DDDDD")} | {"CCCCC": ("test", [1, 2, 3])}
    write(root, *plain(videos))
    for name in videos:
        write_video(root, name, 4)
        dump_frames(root, name)
    return root


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int) -> None:
    root = four_videos(tmp_path / "data")
    path = root / "frames" / "DDDDD.mp4" / "000002.png"
    path.write_bytes(path.read_bytes()[:500])
    arguments = ["-data_path", root, *TINY, "-num_workers", workers]
    error = fails(capsys, train.main, *arguments, "-save_path", tmp_path / "run")
    assert "000002.png" in error
    assert (
        run(train.main, [str(a) for a in (*arguments, "-save_path", tmp_path / "skipping", "-skip_bad", "True")]) == 0
    )
    assert "skipped 1 video " in "".join(capsys.readouterr())


def test_a_truncated_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_set(tmp_path / "data")
    for name in ("AAAAA", "BBBBB"):
        path = root / "videos" / f"{name}.mp4"
        path.write_bytes(path.read_bytes()[:300])
    assert ".mp4" in fails(capsys, train.main, "-data_path", root, *TINY, "-save_path", tmp_path / "run")


def test_a_loss_that_is_not_finite(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "glove.txt"
    file.write_text("person " + " ".join(["nan"] * 200) + "\n", encoding="utf-8")
    error = fails(capsys, train.main, "-data_path", data, *TINY, "-word_vectors", file, "-save_path", tmp_path / "run")
    assert "loss is nan at step 0" in error
    assert "Last good checkpoint: none" in error


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
def test_a_disk_that_fills_up(data: Path, tmp_path: Path) -> None:
    """A file size limit stands for a full disk: the run ends with a message and leaves no torn
    checkpoint."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000));"
        "from vidsgg.cli.main import run; from vidsgg.cli.train import main; sys.exit(run(main, sys.argv[1:]))"
    )
    arguments = ["-data_path", str(data), *TINY, "-save_path", str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [p.name for p in (tmp_path / "run").iterdir() if p.suffix in (".tar", ".tmp")]


def test_runs_are_not_overwritten(trained: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (trained / "logfile.txt").read_bytes()
    assert "holds another run" in fails(capsys, train.main, "-data_path", data, *TINY, "-save_path", trained)
    assert (trained / "logfile.txt").read_bytes() == before


def test_checkpoints_that_do_not_fit(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "-checkpoint is required" in fails(capsys, evaluate.main)
    assert "there is no file" in fails(capsys, evaluate.main, "-checkpoint", tmp_path / "none.tar")
    assert "is of mode 'predcls', not 'sgdet'" in fails(capsys, evaluate.main, "-checkpoint", trained, "-mode", "sgdet")
    content = load_tensors(trained / "checkpoint_best.tar")
    content["config"]["temporal_layer"] = 2
    torch.save(content, tmp_path / "other.tar")
    assert "does not fit model 'sttran'" in fails(capsys, evaluate.main, "-checkpoint", tmp_path / "other.tar")
    content["config"]["temporal_layer"] = 1
    content["schema"]["vocabulary"]["objects"][3] = "sofa"
    torch.save(content, tmp_path / "classes.tar")
    assert "trained on other classes" in fails(capsys, evaluate.main, "-checkpoint", tmp_path / "classes.tar")


def test_a_misspelt_video(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'CCCCC'" in fails(capsys, predict.main, "-checkpoint", trained, "-video", "CCCC")


def test_the_program_lists_its_commands_at_once() -> None:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "vidsgg", "--help"], capture_output=True, text=True, check=True)
    assert time.perf_counter() - started < 2  # importing torch alone takes longer
    assert "train" in done.stdout
    loaded = (
        "import sys; from vidsgg.cli.main import main; main(['--help']); assert not {'torch', 'numpy', 'av'} &"
        " set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True)


def test_unknown_commands_and_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert "did you mean 'train'" in capsys.readouterr().err
    assert run(models.main, []) == 0
    assert "sttran" in "".join(capsys.readouterr())


@pytest.mark.parametrize("script", ["train.py", "evaluate.py"])
def test_the_scripts_at_the_root(script: str) -> None:
    done = subprocess.run([sys.executable, ROOT / script, "-modle", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown option -modle; did you mean" in done.stderr


def test_a_graph_of_an_uneven_video_has_the_numbers_of_the_video(data: Path, trained: Path, tmp_path: Path) -> None:
    root = shutil.copytree(data, tmp_path / "uneven")
    # file 9 is in the gap, 18 is picture 14
    write_video(root, "CCCCC", 20, stamps=[i if i < 6 else i + 4 for i in range(20)])
    assert (
        run(
            predict.main,
            ["-checkpoint", str(trained), "-data_path", str(root), "-video", "CCCCC", "-out", str(tmp_path)],
        )
        == 0
    )
    graph = json.loads((tmp_path / "CCCCC.graph.json").read_text(encoding="utf-8"))
    whole = VideoReader(root / "videos" / "CCCCC.mp4").dumped_frames([4, 9, 18])
    assert whole != [4, 9, 18] and whole[0] == 4
    assert [(frame["key"], frame["number"]) for frame in graph["frames"]] == [
        (f"CCCCC.mp4/{file:06d}.png", number) for file, number in zip((4, 9, 18), whole, strict=True)
    ]
