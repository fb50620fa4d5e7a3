"""The training guide that users of this field hold in their hands: each of its commands runs as
printed, each option means what it says.

Its command lines and tables stand here as facts to be checked; our own guide is docs/guide.md.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import SHORT, prepare, run_block
from datasets.easg_files import write_easg

from vidsgg.cli.main import main
from vidsgg.cli.train import parse_train
from vidsgg.methods.registry import find_method
from vidsgg.methods.training_options import TrainOptions
from vidsgg.options import fields_of

DEFAULTS = {
    "mode": "predcls", "model": "sttran", "datasize": "large", "lr": 1e-4, "batch_size": 1, "epochs": 100, "weight_decay": 1e-5, "clip_grad": 5.0,
    "warmup_steps": 1000, "scheduler": "step", "save_freq": 10, "eval_freq": 5,
}  # fmt: skip
OF_MODELS = {
    "sttran": (
        "spatial_layer",
        "temporal_layer",
        "hidden_dim",
        "use_amp",
        "opt_level",
        "accumulate_grad_batches",
        "grad_checkpointing",
    ),
    "tempura": ("num_mixtures", "uncertainty_threshold", "gmm_regularization", "temporal_window"),
    "scenellm": ("llm_lr", "freeze_llm_epochs", "llm_name"),
}
WORDS = {
    "mode": ("predcls", "sgcls", "sgdet"),
    "datasize": ("small", "large"),
    "scheduler": ("step", "cosine", "plateau"),
}

FIRST = "python train.py -mode predcls -datasize large -data_path data/action_genome -model sttran"
COMPLETE = r"""
python train.py \
  -mode predcls \
  -datasize large \
  -data_path data/action_genome \
  -model sttran \
  -lr 1e-4 \
  -batch_size 1 \
  -epochs 100 \
  -save_path output/sttran_predcls
"""
STTRAN = r"""
python train.py -mode predcls -model sttran -data_path data/action_genome -lr 1e-4 -spatial_layer 4 -temporal_layer 2 -hidden_dim 512
python train.py -mode predcls -model sttran -data_path data/action_genome -lr 5e-5 -batch_size 2 -warmup_steps 2000 -scheduler cosine
"""
TEMPURA = r"""
python train.py -mode predcls -model tempura -data_path data/action_genome -lr 1e-4 -num_mixtures 3 -uncertainty_threshold 0.5
python train.py -mode predcls -model tempura -data_path data/action_genome -lr 8e-5 -gmm_regularization 0.01 -temporal_window 5
"""
STKET = "python train.py -mode predcls -model stket -data_path data/action_genome"
SCENELLM = r"""
python train.py -mode predcls -model scenellm -data_path data/action_genome -lr 5e-5 -batch_size 1
python train.py -mode predcls -model scenellm -data_path data/action_genome -lr 1e-5 -llm_lr 1e-6 -freeze_llm_epochs 10
"""
OPTIMISATION = r"""
python train.py -mode predcls -model sttran -use_amp True -opt_level O1
python train.py \
  -mode predcls \
  -model sttran \
  -batch_size 1 \
  -accumulate_grad_batches 4  # Effective batch size: 4
"""
LAUNCH = r"""
python -m torch.distributed.launch --nproc_per_node=4 train.py \
  -mode predcls \
  -model sttran \
  -distributed True
"""
GRID = r"""
for lr in 1e-5 1e-4 5e-4; do
  for batch_size in 1 2 4; do
    python train.py -lr $lr -batch_size $batch_size
  done
done
"""


@pytest.fixture(scope="module")
def place(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the guide has it: Action Genome and EASG in data/, train.py beside them."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(synthetic, folder / "data" / "action_genome")
    write_easg(folder / "data" / "EASG", clips=4)
    prepare(folder)
    # for speed
    assert (
        main(["features", "-data_path", str(folder / "data" / "action_genome"), "-mode", "predcls", "-device", "cpu"])
        == 0
    )
    return folder


@pytest.fixture(autouse=True)
def short(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("VIDSGG_OPTIONS", SHORT)
    monkeypatch.setenv("VIDSGG_LLM_NAME", "random:llama:hidden=64,layers=2,heads=4")


def newest(folder: Path, name: str) -> Path:
    return max(folder.glob(f"output/**/{name}"), key=lambda path: path.stat().st_mtime_ns)


@pytest.mark.parametrize(
    "text",
    [FIRST, COMPLETE, STTRAN, TEMPURA, STKET, SCENELLM, OPTIMISATION],
    ids=lambda text: text.split("-model ")[1].split()[0],
)
def test_its_commands_run(text: str, place: Path) -> None:
    assert run_block(text, place)
    log = newest(place, "logfile.txt").read_text(encoding="utf-8")
    assert re.search(r"^Epoch 1/\d+ - Loss: [\d.]+ - LR: \S+ - Time: \d+s$", log, re.MULTILINE)
    assert re.search(r"^Epoch 1/\d+ - Eval - Recall@10: [\d.]+ - Recall@20: [\d.]+", log, re.MULTILINE)


def test_its_launcher_and_its_grid_run(place: Path) -> None:
    run_block(LAUNCH, place)
    assert "in 4 processes" in newest(place, "logfile.txt").read_text(encoding="utf-8")
    before = len(list(place.glob("output/action_genome/sttran_predcls_*")))
    # two by two
    run_block("\n".join(line for line in GRID.replace(" 5e-4", "").replace(" 2 4", " 2").splitlines() if line), place)
    assert len(list(place.glob("output/action_genome/sttran_predcls_*"))) == before + 4


def test_from_easy_to_hard_and_from_one_data_set_to_another(place: Path) -> None:
    run_block("python train.py -mode predcls -model sttran -epochs 50", place)
    shutil.copy(newest(place, "checkpoint_best.tar"), place / "checkpoint_predcls.pth")
    run_block("python train.py -mode sgcls -model sttran -resume_from checkpoint_predcls.pth -epochs 25", place)
    shutil.copy(newest(place, "checkpoint_best.tar"), place / "checkpoint_sgcls.pth")
    run_block("python train.py -mode sgdet -model sttran -resume_from checkpoint_sgcls.pth -epochs 25", place)
    shutil.copy(newest(place, "checkpoint_best.tar"), place / "checkpoint_sgdet.pth")
    assert "starts from the weights of checkpoint_sgcls.pth (sttran, sgcls" in newest(place, "logfile.txt").read_text(
        encoding="utf-8"
    )

    run_block("python train.py -mode predcls -data_path data/action_genome -epochs 80", place)
    shutil.copy(newest(place, "checkpoint_final.tar"), place / "ag_checkpoint.pth")
    run_block("python train.py -mode predcls -data_path data/EASG -resume_from ag_checkpoint.pth -epochs 20", place)
    log = newest(place, "logfile.txt").read_text(encoding="utf-8")
    assert "starts from the weights of ag_checkpoint.pth" in log
    assert re.search(r"taken over: .*temporal", log)
    assert re.search(r"new, with their own start: .*heads", log)

    for mode in ("sgcls", "sgdet"):  # the same in the other modes, from the Action Genome checkpoint of the mode
        old = f"checkpoint_{mode}.pth"
        run_block(f"python train.py -mode {mode} -data_path data/EASG -resume_from {old} -epochs 20", place)
        log = newest(place, "logfile.txt").read_text(encoding="utf-8")
        assert f"starts from the weights of {old} (sttran, {mode}" in log
        assert re.search(r"taken over: .*temporal", log)
        assert re.search(r"new, with their own start: .*object_classifier", log)


def test_it_goes_on_from_a_checkpoint(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_block("python train.py -mode predcls -model sttran", place)
    shutil.copy(newest(place, "checkpoint_final.tar"), place / "output" / "checkpoint_epoch_50.tar")
    monkeypatch.setenv("VIDSGG_OPTIONS", SHORT.replace("epochs=1", "epochs=2"))
    run_block("python train.py -mode predcls -model sttran -resume_from output/checkpoint_epoch_50.tar", place)
    content = torch.load(newest(place, "checkpoint_final.tar"), weights_only=True)
    assert content["epoch"] == 2
    assert {"epoch", "model_state_dict", "optimizer_state_dict", "loss", "config"} <= content.keys()


@pytest.mark.parametrize(("name", "default"), DEFAULTS.items())
def test_options_that_every_model_has(name: str, default: Any) -> None:
    for model in ("sttran", "tempura", "stket", "scenellm"):
        known = fields_of(find_method(model).options)
        assert name in known
    assert fields_of(TrainOptions)[name][1].default == default


@pytest.mark.parametrize(("model", "name"), [(model, name) for model, names in OF_MODELS.items() for name in names])
def test_options_of_one_model(model: str, name: str) -> None:
    assert name in fields_of(find_method(model).options)


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, words in WORDS.items() for word in words])
def test_words_that_an_option_takes(name: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDSGG_OPTIONS")
    options, given = parse_train([f"-{name}", word], "train.py")
    assert (getattr(options, name), given) == (word, {name})


def test_its_python(place: Path) -> None:
    """Early stopping, the search with Optuna (whose ``suggest_loguniform`` is gone) and the stages
    of a curriculum."""
    import optuna

    from vidsgg import EarlyStopping, train_model
    from vidsgg.datasets.curricula import get_easy_samples, get_full_dataset, get_medium_samples
    from vidsgg.datasets.registry import open_whole_split

    early_stopping = EarlyStopping(patience=10, min_delta=0.001, monitor="val_recall@20")
    assert not any(early_stopping.observe(score) for score in [0.5] * 10)
    assert early_stopping.observe(0.5)

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Any) -> float:
        lr = trial.suggest_float("lr", 1e-5, 1e-3, log=True)
        batch_size = trial.suggest_categorical("batch_size", [1, 2, 4])
        return train_model(lr=lr, batch_size=batch_size)

    study = optuna.create_study()
    study.optimize(objective, n_trials=1)
    assert 0 <= study.best_value <= 1

    videos = open_whole_split(place / "data" / "action_genome", "train", "predcls")
    sizes = [len(get(videos)) for get in (get_easy_samples, get_medium_samples, get_full_dataset)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(videos)
