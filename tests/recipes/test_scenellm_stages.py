"""SceneLLM's stages on toy videos: what learns when, at which rate, and that a run that was stopped
anywhere goes on exactly."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from clips import ENTITY
from engine.teams import in_team
from engine.training import Case, assert_same_bits
from models.scenellm.tiny import TINY, tiny
from toys import ToyVideos

from vidsgg.engine.distributed import ALONE, Team
from vidsgg.engine.evaluate import evaluate_model
from vidsgg.engine.fit import FitResult
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.precision import Precision
from vidsgg.engine.schedule import Schedule
from vidsgg.engine.state import TrainingState
from vidsgg.engine.update import Update
from vidsgg.io.tensors import load_tensors
from vidsgg.losses.scenellm import SceneLLMCriterion
from vidsgg.methods.scenellm import DEFAULT_LANGUAGE_MODEL, SceneLLMOptions
from vidsgg.methods.scenellm import course as stages
from vidsgg.methods.scenellm.course import SceneLLMCourse
from vidsgg.metrics.protocol import protocol_for
from vidsgg.models.scenellm.scenellm import SceneLLM, Stage

FINAL, LAST = "checkpoint_final.tar", "checkpoint_last.tar"
LEAD, FROZEN, EPOCHS, STEPS = 2, 1, 5, 3  # steps of an epoch
RATES = {"own": 1e-2, "codes": 3e-3, "llm": 5e-3}


class Staged(Case):
    """A run of SceneLLM; ``at`` is called in the middle of every step."""

    def __init__(
        self,
        path: Path,
        *,
        level: str = "O0",
        team: Team = ALONE,
        workers: int = 0,
        at: Callable[[int], None] | None = None,
        **model: Any,
    ) -> None:
        super().__init__(
            path, epochs=EPOCHS, save_minutes=0.0, eval_freq=1, team=team, workers=workers, batch_size=2 // team.size
        )
        scene: SceneLLM = tiny(**model)
        lead = LEAD if scene.quantiser is not None else 0
        self.course = SceneLLMCourse(
            lead=lead, frozen=FROZEN, epochs=EPOCHS, vq_lr=RATES["codes"], llm_lr=RATES["llm"], word_step=2, seed=1
        )
        precision = Precision(scene, level, torch.bfloat16)
        groups = self.course.groups(scene, RATES["own"])
        optimizer = ReferenceAdamW([{**group, "params": precision.updated(group["params"])} for group in groups])
        schedule = Schedule("cosine", STEPS * (EPOCHS - lead), 1, STEPS * lead)
        self.state = TrainingState(scene, Update(optimizer, precision, clip_grad=5.0, videos=2), schedule)
        criterion = SceneLLMCriterion(ENTITY, commitment=0.25)

        def noticing(*inputs: Any) -> dict[str, torch.Tensor]:
            if at is not None and scene.training:
                at(self.state.step)
            return criterion(*inputs)

        self.criterion = noticing  # type: ignore[assignment]
        protocol, held_out = protocol_for(ENTITY, "predcls"), ClipLoader(ToyVideos(2), "predcls", team=team)
        self.validate = lambda: evaluate_model(scene, held_out, protocol, criterion=criterion)

    def run(self, **named: Any) -> FitResult:
        return super().run(course=self.course, **named)


def scalars(path: Path) -> dict[tuple[int, str], float]:
    with (path / "metrics.csv").open(encoding="utf-8") as file:
        rows = [
            (int(row["epoch"]), row["name"], float(row["value"]))
            for row in csv.DictReader(file)
            if not row["name"].startswith("time/")
        ]
    assert len({row[:2] for row in rows}) == len(rows)
    return {(epoch, name): value for epoch, name, value in rows}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("staged") / "whole"
    Staged(path).run()
    return path


def test_each_stage_moves_its_own_weights_alone(tmp_path: Path) -> None:
    before: dict[str, torch.Tensor] = {}
    moved: dict[int, set[str]] = {}

    def kinds() -> set[str]:
        state = case.state.model.state_dict()
        changed = {name for name, value in state.items() if not torch.equal(value, before.get(name, torch.zeros(0)))}
        before.update({name: value.clone() for name, value in state.items()})
        return {
            (
                "llm"
                if name.startswith("language.llm.")
                else name.split(".")[0]
                if name.startswith(("quantiser", "words"))
                else "own"
            )
            for name in changed
        }

    def look(step: int) -> None:
        found = kinds()
        if step % STEPS:  # between two steps of one epoch
            moved.setdefault(case.state.epoch, set()).update(found)

    case = Staged(tmp_path / "run", at=look)
    kinds()
    case.run()
    assert moved == {1: {"quantiser"}, 2: {"quantiser"}, 3: {"own"}, 4: {"own", "llm"}, 5: {"own", "llm"}}


def test_the_log_and_the_metrics_tell_each_stage(whole: Path) -> None:
    log = (whole / "logfile.txt").read_text(encoding="utf-8")
    assert "epochs 1 to 2 are stage 1: the codebook" in log
    assert "epoch 3 is stage 2a: all but the codebook and the language model learns\n" in log
    assert "epochs 4 to 5 are stage 2b: all but the codebook learns, the language model by its adapters\n" in log
    assert log.count(" - Eval - ") == EPOCHS - LEAD
    assert "warning" not in log
    values = scalars(whole)
    assert {epoch for epoch, name in values if name == "train/loss/reconstruction"} == {1, 2}
    assert {epoch for epoch, name in values if name == "train/loss/attention"} == {3, 4, 5}
    assert {epoch for epoch, name in values if name == "val/with/recall@20"} == {3, 4, 5}
    assert {epoch for epoch, name in values if name == "train/words/count"} == {4}
    # the last of what stage 1 has come to
    assert {epoch for epoch, name in values if name == "train/codes/used"} == {1, 2, 3}
    assert 1 < values[1, "train/codes/used"] <= TINY.codes
    assert 1 <= values[2, "train/codes/perplexity"] <= values[2, "train/codes/used"]
    assert values[4, "train/words/entropy"] <= values[4, "train/words/entropy_of_frames"]
    assert values[2, "train/loss/reconstruction"] < values[1, "train/loss/reconstruction"]


def test_every_group_has_its_own_rate_and_the_schedule_begins_after_the_lead() -> None:
    case = Staged(Path("unused"))
    update, schedule = case.state.update, case.state.schedule
    assert [group["name"] for group in update.optimizer.param_groups] == ["own", "codes", "llm"]
    counted = sum(len(group["params"]) for group in update.optimizer.param_groups)
    assert counted == sum(p.requires_grad for p in case.state.model.parameters())
    assert [schedule.factor(step) for step in range(STEPS * LEAD)] == [1.0] * (STEPS * LEAD)
    assert schedule.factor(STEPS * EPOCHS - 1) < 0.1
    update.step(0.5)
    assert update.rates() == {"train/lr": 5e-3, "train/lr/own": 5e-3, "train/lr/codes": 1.5e-3, "train/lr/llm": 2.5e-3}
    case.state.model.learn(Stage.CODES)
    assert update.lr == 1.5e-3


def stopped_at(path: Path, steps: list[int], **changes: Any) -> None:
    """Train in the folder, ending by an error in the middle of each of these steps and going on
    from the last checkpoint."""
    for step in steps:

        def fail(now: int, step: int = step) -> None:
            if now == step:
                raise RuntimeError("the power fails")

        with pytest.raises(RuntimeError, match="the power fails"):
            Staged(path, at=fail, **changes).run()
    Staged(path, **changes).run()


def test_stopped_anywhere_it_ends_with_the_same_bits(whole: Path, tmp_path: Path) -> None:
    # In the middle of stage 1, at its second epoch (which revives codes), at the first steps of 2a
    # and 2b (which learns words), within both.
    stopped_at(tmp_path / "run", [1, 3, 4, 6, 7, 9, 10, 13])
    assert_same_bits(whole / FINAL, tmp_path / "run" / FINAL)
    assert scalars(whole) == scalars(tmp_path / "run")


def test_samples_that_end_early_leave_workers_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the first batch is enough; what workers have read ahead is not to come up in the epoch
    monkeypatch.setattr(stages, "SAMPLE", 1)
    Staged(tmp_path / "alone").run()
    Staged(tmp_path / "together", workers=2).run()
    assert_same_bits(tmp_path / "alone" / FINAL, tmp_path / "together" / FINAL)


@pytest.mark.parametrize("level", ["O1", "O2"])
def test_mixed_precision_goes_on_exactly_too(level: str, tmp_path: Path) -> None:
    Staged(tmp_path / "whole", level=level).run()
    stopped_at(tmp_path / "run", [4, 9, 11], level=level)
    assert_same_bits(tmp_path / "whole" / FINAL, tmp_path / "run" / FINAL)
    state = load_tensors(tmp_path / "run" / FINAL)["model_state_dict"]
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float32}


def test_checkpoints_hold_no_base_model(whole: Path) -> None:
    content = load_tensors(whole / FINAL)
    llm = [name for name in content["model_state_dict"] if ".llm." in name]
    assert llm
    assert all("lora_" in name for name in llm)
    model = tiny()
    model.load_state_dict(content["model_state_dict"])
    assert bool(model.words.learnt)
    assert bool(model.quantiser.started)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"quantise": False, "ot_mode": "cluster"},
            ("2a: all but the language model learns", "2b: all learns, the language model by its adapters"),
        ),
        (
            {"language": None, "ot_mode": "tconv"},
            ("2a: all but the codebook learns", "2b: all but the codebook learns"),
        ),
    ],
)
def test_ablations_go_through_their_stages(changes: dict[str, Any], said: tuple[str, str], tmp_path: Path) -> None:
    Staged(tmp_path / "run", **changes).run()
    values, log = scalars(tmp_path / "run"), (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8")
    assert ("stage 1" in log) == ("quantise" not in changes)
    assert all(f" stage {line}\n" in log for line in said)
    assert ((1, "train/loss/attention") in values) == ("quantise" in changes)
    assert not any(name == "train/words/count" for _, name in values)


def team_run(team: Team, path: Path) -> None:
    Staged(path, team=team).run()


def test_two_processes_learn_as_one_does(whole: Path, tmp_path: Path) -> None:
    assert in_team(team_run, tmp_path / "two") == ["", ""]
    log = (tmp_path / "two" / "logfile.txt").read_text(encoding="utf-8")
    assert "processes had come to differ" not in log
    one, two = scalars(whole), scalars(tmp_path / "two")
    assert one.keys() == two.keys()
    for (epoch, name), value in one.items():
        if "recall" not in name and "mR" not in name:
            assert two[epoch, name] == pytest.approx(value, rel=0.05, abs=0.02), (epoch, name)


def test_the_environment_replaces_the_default_model_and_the_choice_is_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("VIDSGG_LLM_NAME", raising=False)
    assert SceneLLMOptions().llm_name == DEFAULT_LANGUAGE_MODEL
    monkeypatch.setenv("VIDSGG_LLM_NAME", "random:llama:hidden=64,layers=2,heads=4")
    assert SceneLLMOptions().to_dict()["llm_name"] == os.environ["VIDSGG_LLM_NAME"]
    assert SceneLLMOptions(llm_name="mine").llm_name == "mine"
    config = SceneLLMOptions(use_llm=False, ot_mode="tconv", frame_codes=7).network_config()
    assert (config.language, config.ot_mode, config.frame_codes) == (None, "tconv", 7)
