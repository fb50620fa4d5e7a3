"""SceneLLM through the command line: its stages in all modes, on both data sets, and what it says
where it cannot work."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from commands import prepare, run_block
from datasets.easg_files import write_easg
from detectors.tiny import sighted_set
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vidsgg.cli import evaluate, models, runs, train
from vidsgg.cli.main import run
from vidsgg.cli.train import parse_train
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.scenellm import SceneLLMOptions

NAME = "random:llama:hidden=64,layers=2,heads=4"
SIZES = {
    "token_dim": 16, "codes": 8, "code_hidden": 16, "frame_codes": 4, "max_words": 8, "word_step": 2, "decoder_layer": 1, "hidden_dim": 8,
    "embedding_dim": 4, "feedforward_dim": 16, "epochs": 3, "vq_epochs": 1, "freeze_llm_epochs": 1, "eval_freq": 1, "warmup_steps": 1,
    "num_workers": 0, "device": "cpu", "features": "off",
}  # fmt: skip
PRINTED = {
    "basic": (
        r"""
python train.py \
  -mode predcls \
  -model scenellm \
  -data_path data/action_genome \
  -lr 5e-5 \
  -batch_size 1
"""
    ),
    "with language model fine-tuning": (
        r"""
python train.py \
  -mode predcls \
  -model scenellm \
  -data_path data/action_genome \
  -lr 1e-5 \
  -llm_lr 1e-6 \
  -freeze_llm_epochs 10
"""
    ),
}
SHORT = [word for name, value in SIZES.items() for word in (f"-{name}", str(value))]


@pytest.fixture(autouse=True)
def small_language_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDSGG_LLM_NAME", NAME)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sighted_set(tmp_path_factory.mktemp("place") / "data" / "action_genome")


def trained(path: Path, data: Path, *arguments: str) -> str:
    """Train a small SceneLLM; returns its log."""
    assert (
        run(train.main, ["-model", "scenellm", "-data_path", str(data), "-save_path", str(path), *SHORT, *arguments])
        == 0
    )
    return (path / "logfile.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
@pytest.mark.parametrize("which", PRINTED)
def test_the_training_guides_commands_run_as_printed(
    which: str, mode: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through all stages, which the options of the environment make short, and TensorBoard hears of
    each."""
    place = data.parents[1]
    monkeypatch.chdir(place)
    monkeypatch.setenv("VIDSGG_OPTIONS", " ".join(f"{name}={value}" for name, value in SIZES.items()))
    assert len(run_block(PRINTED[which].replace("predcls", mode), place)) == 1
    folder = max(
        (place / "output" / "action_genome").glob(f"scenellm_{mode}_*"), key=lambda path: path.stat().st_mtime_ns
    )
    log = (folder / "logfile.txt").read_text(encoding="utf-8")
    assert (
        f"language model: {NAME}, 90,432 frozen weights in float32; adapters of 8,192 weights on q_proj and v_proj\n"
        in log
    )
    heard = EventAccumulator(str(folder))
    heard.Reload()
    epochs = {tag: [round(event.value, 9) for event in heard.Scalars(tag)] for tag in heard.Tags()["scalars"]}
    names = (
        "train/codes/used",
        "train/codes/perplexity",
        "train/loss/reconstruction",
        "train/words/count",
        "train/words/entropy",
    )
    assert [len(epochs[tag]) for tag in names] == [2, 2, 1, 1, 1]
    learnt = (
        ("attention", "spatial", "contacting")
        if mode == "predcls"
        else ("attention", "spatial", "contacting", "objects")
    )
    assert [len(epochs[f"train/loss/{name}"]) for name in learnt] == [2] * len(learnt)
    assert len(epochs["val/with/recall@20"]) == 2
    own = 5e-5 if which == "basic" else 1e-5
    assert max(epochs["train/lr/own"]) == pytest.approx(own)
    assert max(epochs["train/lr/llm"]) == pytest.approx(1e-6)


def test_the_launcher_trains_it_in_two_processes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = data.parents[1]
    prepare(place)
    monkeypatch.chdir(place)
    monkeypatch.setenv("VIDSGG_OPTIONS", " ".join(f"{name}={value}" for name, value in SIZES.items()))
    launch = (
        "python -m torch.distributed.launch --nproc_per_node=2 train.py -mode predcls -model scenellm -data_path"
        " data/action_genome"
    )
    run_block(f"{launch} -save_path output/launched -distributed True", place)
    log = (place / "output" / "launched" / "logfile.txt").read_text(encoding="utf-8")
    assert "on cpu, in 2 processes\n" in log
    assert [
        log.count(text) for text in (" stage 1:", " stage 2a:", " stage 2b:", "\ncodes: ", "\nwords: ", " - Loss: ")
    ] == [
        1,
        1,
        1,
        2,
        1,
        3,
    ]
    assert load_tensors(place / "output" / "launched" / "checkpoint_final.tar")["processes"] == 2


def test_all_modes_one_after_another(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = ["-lr", "1e-5", "-llm_lr", "1e-6"]
    log = trained(tmp_path / "predcls", data, "-mode", "predcls", *guide)
    assert "model: scenellm (re-implementation from the paper)" in log
    assert [line.split(":")[0] for line in log.splitlines() if " is stage " in line] == [
        "epoch 1 is stage 1", "epoch 2 is stage 2a", "epoch 3 is stage 2b",
    ]  # fmt: skip
    assert log.index("Epoch 2/3 - Loss") < log.index("words: ") < log.index("Epoch 3/3 - Loss")
    log = trained(tmp_path / "sgcls", data, "-mode", "sgcls", *guide, "-resume_from", str(tmp_path / "predcls"))
    (new,) = (line for line in log.splitlines() if "new, with their own start" in line)
    assert {part.split(".")[0].split()[0] for part in new.split(": ")[1].split(", ")} == {
        "object_classifier",
        "object_context",
    }
    log = trained(tmp_path / "sgdet", data, "-mode", "sgdet", *guide, "-resume_from", str(tmp_path / "sgcls"))
    assert "with their own start" not in log

    assert run(runs.main, [str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("\nscenellm: re-implementation from the paper\n")

    monkeypatch.setenv("VIDSGG_LLM_NAME", "not-the-one-it-was-trained-with")
    capsys.readouterr()
    for mode in ("predcls", "sgcls", "sgdet"):
        assert (
            run(
                evaluate.main,
                ["-checkpoint", str(tmp_path / mode), "-num_workers", "0", "-features", "off", "-charts", "False"],
            )
            == 0
        )
        assert f"scenellm (re-implementation from the paper), {mode}, " in "".join(capsys.readouterr())
        content = json.loads((tmp_path / mode / "evaluation_test.json").read_text(encoding="utf-8"))
        assert 0 <= content["recall"]["no"]["R"]["100"] <= 1
    saved = load_tensors(tmp_path / "sgdet" / "checkpoint_final.tar")
    assert saved["config"]["llm_name"] == NAME
    assert not [name for name in saved["model_state_dict"] if ".llm." in name and "lora_" not in name]


def test_events_without_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their classes stand in for codes, and so there is no stage 1; other modes than predcls need
    features."""
    data = write_easg(tmp_path / "easg", clips=4)
    log = trained(tmp_path / "run", data, "-mode", "predcls")
    assert "epoch 1 is stage 2a" in log
    assert "stage 1:" not in log
    assert run(evaluate.main, ["-checkpoint", str(tmp_path / "run"), "-num_workers", "0", "-charts", "False"]) == 0
    capsys.readouterr()
    assert (
        run(
            train.main,
            ["-model", "scenellm", "-mode", "sgcls", "-data_path", str(data), "-save_path", str(tmp_path / "x")],
        )
        == 2
    )
    assert "RoI features or given classes into codes, and 'easg' has neither here" in capsys.readouterr().err


@pytest.mark.parametrize(("epochs", "before"), [("1", "any relation is learnt"), ("2", "stage 2b")])
def test_a_run_that_ends_before_its_stages_do_is_warned_of(
    epochs: str, before: str, data: Path, tmp_path: Path
) -> None:
    assert f"\nwarning: -epochs {epochs} ends before {before}\n" in trained(tmp_path / "run", data, "-epochs", epochs)


def test_everything_can_be_left_out(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its language model the extra is not needed at all."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *package: None if name in ("transformers", "peft", "ot") else find(name, *package),
    )
    log = trained(tmp_path / "run", data, "-use_llm", "False", "-quantise", "False", "-ot_mode", "tconv")
    assert "epoch 1 is stage 2a" in log


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-llm_name", "/no/such/folder"],
            "error: model scenellm: option -llm_name: the language model '/no/such/folder' cannot be loaded",
        ),
        (["-llm_name", "random:t5"], "not a causal language model"),
        (["-llm_bits", "4"], "random weights, which are not quantised"),
        (["-ot_mode", "word"], "unknown value 'word'; choose from words, none, tconv, cluster; did you mean 'words'?"),
        (["-token_dim", "12"], "12 must be even and a multiple of the 8 attention heads"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    arguments: list[str], message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["-model", "scenellm", "-data_path", str(data), "-save_path", str(tmp_path / "run"), *SHORT, *arguments]
    assert run(train.main, given) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()


def test_the_missing_extra_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in ("transformers", "peft") else find(name, *rest)
    )
    assert (
        run(train.main, ["-model", "scenellm", "-data_path", str(data), "-save_path", str(tmp_path / "run"), *SHORT])
        == 2
    )
    assert (
        capsys.readouterr().err
        == "error: model scenellm: not installed: transformers, peft. Install with: pip install 'vidsgg[llm]'\n"
    )
    assert not (tmp_path / "run").exists()


def test_the_papers_settings_are_a_recipe() -> None:
    options, given = parse_train(["-config", "scenellm_paper", "-mode", "sgcls"], "vidsgg train")
    assert isinstance(options, SceneLLMOptions)
    assert {"llm_name", "llm_lr", "codes", "mode"} <= given
    assert (options.llm_name, options.llm_dtype, options.codes, options.token_dim) == (
        "huggyllama/llama-13b",
        "bfloat16",
        512,
        512,
    )
    assert options.epochs == options.vq_epochs + options.freeze_llm_epochs + 7


def test_the_list_of_models_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(models.main, []) == 0
    (line,) = (line for line in "".join(capsys.readouterr()).splitlines() if line.startswith("scenellm"))
    assert "re-implementation from the paper" in line
    assert "predcls sgcls sgdet" in line
