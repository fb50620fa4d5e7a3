"""Several processes learn and score as one does: real processes, over gloo."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from clips import ENTITY
from engine.teams import in_team
from engine.training import Case, assert_same_bits, tiny_model
from toys import ToyVideos

from vidsgg.engine.distributed import ALONE, Team, join_team
from vidsgg.engine.evaluate import evaluate_model
from vidsgg.engine.fit import FitResult
from vidsgg.engine.loading import ClipLoader, NoBatch
from vidsgg.engine.running_statistics import RunningStatistics
from vidsgg.errors import ConfigError, ProcessLost
from vidsgg.io.tensors import load_tensors
from vidsgg.metrics.protocol import protocol_for

PREDCLS = protocol_for(ENTITY, "predcls")
FINAL, LAST = "checkpoint_final.tar", "checkpoint_last.tar"
SGD = partial(torch.optim.SGD, momentum=0.9)  # Adam makes large differences of small ones
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_tensors(path / FINAL)["model_state_dict"]


# What every process does is a function of its rank.


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_shares_are_even_and_together_the_whole(count: int, size: int) -> None:
    shares = [Team(rank, size).share(range(count)) for rank in range(size)]
    assert [item for share in shares for item in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(("videos", "size"), [(5, 2), (7, 3), (8, 2), (1, 2)])
def test_loaders_cut_the_same_batches_into_shares(videos: int, size: int) -> None:
    def ids(batch: Any) -> tuple[str, ...]:
        return () if isinstance(batch, NoBatch) else batch.clip.video_ids

    data = ToyVideos(videos)
    whole = [batch.clip.video_ids for batch in ClipLoader(data, "predcls", 2 * size, shuffle=True).batches(3)]
    parts = [ClipLoader(data, "predcls", 2, shuffle=True, team=Team(rank, size)) for rank in range(size)]
    assert {len(part) for part in parts} == {len(whole)}
    places = [list(part.places(3)) for part in parts]
    assert [[place.number for place in part] for part in places] == [list(range(len(whole)))] * size
    assert [sum(map(ids, together), ()) for together in zip(*places, strict=True)] == whole
    assert [list(map(ids, part.places(3, first=1))) for part in parts] == [list(map(ids, part))[1:] for part in places]


def test_statistics_joined_are_those_of_one_after_the_other() -> None:
    def network() -> torch.nn.Module:
        torch.manual_seed(0)
        norms = torch.nn.Sequential(
            torch.nn.BatchNorm1d(3, momentum=0.3), torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2, momentum=0.01)
        )
        norms(torch.randn(5, 3))
        return norms

    inputs = torch.randn(5, 4, 3)
    sequential = network()
    for batch in inputs:
        sequential(batch)
    apart = [network() for _ in range(4)]
    statistics = [RunningStatistics(module) for module in apart]
    for module, batches in zip(apart, (inputs[:2], inputs[2:2], inputs[2:3], inputs[3:]), strict=True):
        for batch in batches:
            module(batch)
    told = torch.stack([each.since_start() for each in statistics])
    for each in statistics:
        each.join(told)
    for module in apart:
        torch.testing.assert_close(module.state_dict(), sequential.state_dict(), rtol=1e-6, atol=1e-7)
    before = [value.clone() for value in apart[0].state_dict().values()]
    statistics[0].join(torch.stack([each.since_start() for each in statistics]))  # nobody has seen anything since
    assert all(torch.equal(a, b) for a, b in zip(before, apart[0].state_dict().values(), strict=True))


def test_a_norm_that_averages_plainly_is_refused() -> None:
    with pytest.raises(ValueError, match="momentum"):
        RunningStatistics(torch.nn.BatchNorm1d(2, momentum=None))


# One process with a batch of four is two with a batch of two.


def train(team: Team, path: Path, batch_size: int, **changes: Any) -> FitResult:
    case = Case(path, batch_size=batch_size, team=team, **changes)
    result = case.run()
    torch.save(case.state.model.state_dict(), path / f"weights_of_{team.rank}.pt")
    return result


KINDS: dict[str, dict[str, Any]] = {
    "a last batch for one of them": {"videos": 5},
    "a last batch for both, clipped": {"videos": 7, "clip_grad": 0.5},
    "accumulation": {"videos": 11, "accumulate": 2},
    "fewer videos than processes": {"videos": 1},
}


def train_kinds(team: Team, path: Path) -> None:
    for name, changes in KINDS.items():
        train(team, path / name, 2, optimizer=SGD, lr=0.05, epochs=3, dropout=0.0, **changes)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the processes of a team have. With more of them convolutions round differently, and a max
    pooling passes its gradient to another of two cells that are the same but for rounding: no small
    difference any more.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_two_by_two_is_one_by_four(tmp_path: Path) -> None:
    assert in_team(train_kinds, tmp_path / "two") == ["", ""]
    for name, changes in KINDS.items():
        train(ALONE, tmp_path / "one" / name, 4, optimizer=SGD, lr=0.05, epochs=3, dropout=0.0, **changes)
        one, two = weights(tmp_path / "one" / name), weights(tmp_path / "two" / name)
        start = tiny_model().state_dict()
        assert (
            max((one[key] - start[key]).abs().max() for key in one if key.endswith("weight")) > 0.002
        )  # a thousand times what is tolerated
        for key, value in one.items():
            # With several batches a step, the running statistics have seen the same videos in
            # another order.
            if not ("running" in key and "accumulate" in changes):
                torch.testing.assert_close(two[key], value, rtol=1e-4, atol=2e-6, msg=f"{name}: {key}")
        mine, other = (torch.load(tmp_path / "two" / name / f"weights_of_{rank}.pt") for rank in range(2))
        assert all(torch.equal(value, other[key]) for key, value in mine.items())
        a, b = (load_tensors(tmp_path / count / name / FINAL)["training_state"] for count in ("one", "two"))
        assert a["losses"] == pytest.approx(b["losses"], rel=1e-5)
        assert (a["step"], a["best_epoch"]) == (b["step"], b["best_epoch"])


def train_precisely(team: Team, path: Path) -> None:
    train(team, path / "O1", 1, level="O1", half=torch.float16, videos=2, epochs=1)
    train(team, path / "O2", 1, level="O2", videos=5)
    train(team, path / "O2 again", 1, level="O2", videos=5)


def test_mixed_precision_gives_the_same_bits_in_all_processes_and_again(tmp_path: Path) -> None:
    assert in_team(train_precisely, tmp_path) == ["", ""]
    assert_same_bits(tmp_path / "O2" / FINAL, tmp_path / "O2 again" / FINAL)
    for level in ("O1", "O2"):
        mine, other = (torch.load(tmp_path / level / f"weights_of_{rank}.pt") for rank in range(2))
        assert all(torch.equal(value, other[key]) for key, value in mine.items())
        assert not torch.equal(
            mine["frame_position.weight"].float(), tiny_model().state_dict()["frame_position.weight"]
        )


def drift(team: Team, path: Path) -> None:
    case = Case(path, team=team, level="O2")
    update, model = case.state.update, case.state.model
    update.learn_with(team, model)
    assert update.settle() == ""
    norm = model.pair_encoder.union.mask_norm2
    if team.rank == 1:
        norm.running_var[0] += 1e-7
        norm.num_batches_tracked += 1
    assert update.settle() == "pair_encoder.union.mask_norm2.running_var"
    assert norm.running_var[0] == 1
    assert norm.num_batches_tracked == 0
    assert update.settle() == ""


def test_processes_that_differ_are_found_and_made_the_same(tmp_path: Path) -> None:
    assert in_team(drift, tmp_path) == ["", ""]


# Every video once.


def note_what_is_seen(team: Team, path: Path) -> None:
    case, seen = Case(path / "run", videos=7, batch_size=2, epochs=3, team=team), list[tuple[int, str]]()
    criterion = case.criterion

    def noting(logits: Any, clip: Any) -> dict[str, torch.Tensor]:
        if case.state.model.training:
            seen.extend((case.state.epoch, video) for video in clip.video_ids)
        return criterion(logits, clip)

    case.criterion = noting  # type: ignore[assignment]
    case.run()
    (path / f"seen_{team.rank}.json").write_text(json.dumps(seen), encoding="utf-8")
    for videos in (5, 1):
        loader = ClipLoader(ToyVideos(videos), "predcls", team=team)
        result, losses = evaluate_model(tiny_model(), loader, PREDCLS, criterion=criterion)
        torch.save([result.to_json(), losses], path / f"result_{videos}_{team.rank}.pt")


def _make_in_the_first(team: Team) -> None:
    calls: list[int] = []

    def make() -> tuple[str, int]:
        calls.append(team.rank)
        return "made by", team.rank

    assert team.made_by_first(make) == ("made by", 0)
    assert calls == ([0] if team.leads else [])
    assert team.from_first(team.rank) == 0


def test_only_the_first_process_makes_what_all_of_them_get() -> None:
    assert in_team(_make_in_the_first) == ["", ""]
    assert Team().made_by_first(lambda: 3) == 3


def test_every_video_counts_once_in_an_epoch_and_in_an_evaluation(tmp_path: Path) -> None:
    assert in_team(note_what_is_seen, tmp_path) == ["", ""]
    seen = [json.loads((tmp_path / f"seen_{rank}.json").read_text(encoding="utf-8")) for rank in range(2)]
    assert sorted(seen[0] + seen[1]) == [[epoch, f"v{i}"] for epoch in (1, 2, 3) for i in range(7)]
    assert min(map(len, seen)) >= 9
    for videos in (5, 1):
        result, losses = evaluate_model(
            tiny_model(), ClipLoader(ToyVideos(videos), "predcls"), PREDCLS, criterion=Case(tmp_path).criterion
        )
        for rank in range(2):
            of_two, losses_of_two = torch.load(tmp_path / f"result_{videos}_{rank}.pt")
            assert of_two == result.to_json()
            assert losses_of_two == pytest.approx(losses)


def skip(team: Team, path: Path) -> None:
    bad = ("v1", "v2", "v3") if path.name == "some" else tuple(f"v{i}" for i in range(4))
    case = Case(path, dataset=ToyVideos(4, broken=bad), batch_size=1, team=team)
    case.loader.skip_bad = True
    case.run()


def test_unreadable_videos_are_left_out_whoever_reads_them(tmp_path: Path) -> None:
    assert in_team(skip, tmp_path / "some") == ["", ""]
    # the steps that there would have been
    assert load_tensors(tmp_path / "some" / FINAL)["training_state"]["step"] == 4 * 2
    assert in_team(skip, tmp_path / "all") == ["DataError: toy: no video could be read in epoch 1."] * 2


# Dropout.


def draw(team: Team, path: Path) -> None:
    from vidsgg.engine.randomness import seed_step

    seed_step(1, 2, 3, team.rank)
    torch.save(torch.rand(4), path / f"drawn_{team.rank}.pt")
    train(team, path / "first", 2, dropout=0.5)
    train(team, path / "second", 2, dropout=0.5)


def test_processes_draw_differently_but_the_same_every_time(tmp_path: Path) -> None:
    assert in_team(draw, tmp_path) == ["", ""]
    assert not torch.equal(*(torch.load(tmp_path / f"drawn_{rank}.pt") for rank in range(2)))
    assert_same_bits(tmp_path / "first" / FINAL, tmp_path / "second" / FINAL)


# Ends.


def train_until(team: Team, path: Path, kill_at: int | None, victim: int) -> None:
    """Go on with the run in the folder; in the middle of step ``kill_at`` one of the processes is
    killed."""
    case = Case(
        path,
        team=team,
        epochs=3,
        save_minutes=0.0,
        dropout=0.3,
        videos=7,
        batch_size=1,
        schedule="plateau",
        patience=9,
        eval_freq=1,
    )
    criterion = case.criterion

    def deadly(*inputs: Any) -> dict[str, torch.Tensor]:
        if case.state.step == kill_at and team.rank == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return criterion(*inputs)

    case.criterion = deadly  # type: ignore[assignment]
    case.run()


@posix
def test_a_killed_process_ends_the_others_and_the_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    assert in_team(train_until, tmp_path / "whole", None, 0) == ["", ""]
    for step, victim in zip(sorted(random.Random(0).sample(range(2, 12), 3)), (1, 0, 1), strict=True):
        ends = in_team(train_until, tmp_path / "killed", step, victim)
        assert ends[victim] == "SIGKILL"
        assert ends[1 - victim].startswith(f"ProcessLost: process {1 - victim} of 2 lost another process")
    log = (tmp_path / "killed" / "logfile.txt").read_text(encoding="utf-8")
    assert log.count("stopped by ProcessLost") == 2  # not where the writer itself was killed
    assert in_team(train_until, tmp_path / "killed", None, 0) == ["", ""]
    assert_same_bits(tmp_path / "whole" / FINAL, tmp_path / "killed" / FINAL)
    assert_same_bits(tmp_path / "whole" / "checkpoint_best.tar", tmp_path / "killed" / "checkpoint_best.tar")


def read_a_broken_video(team: Team, path: Path) -> None:
    Case(path, dataset=ToyVideos(8, broken=("v3",)), team=team).run()


def test_an_error_in_one_process_is_no_hang_in_the_others(tmp_path: Path) -> None:
    reader, other = sorted(in_team(read_a_broken_video, tmp_path))
    assert reader == "DataError: v3 cannot be read"
    assert other.startswith("ProcessLost: ")
    assert "its own message says why" in other


def fall_silent(team: Team, path: Path) -> None:
    began = time.monotonic()
    if team.rank == 1:
        time.sleep(4)
        return
    with pytest.raises(ProcessLost, match="silent for 1 seconds"):
        team.gather(None)
    (path / "waited").write_text(str(time.monotonic() - began), encoding="utf-8")


def test_a_process_that_hangs_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    assert in_team(fall_silent, tmp_path, silence=timedelta(seconds=1)) == ["", ""]
    assert 0.9 < float((tmp_path / "waited").read_text(encoding="utf-8")) < 5


def receive(team: Team, path: Path) -> None:
    case = Case(path, team=team, videos=6, batch_size=1)
    criterion = case.criterion

    def signalling(*inputs: Any) -> dict[str, torch.Tensor]:
        if case.state.step == 3 and team.rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)  # a launcher and a batch system send one each
        return criterion(*inputs)

    case.criterion = signalling  # type: ignore[assignment]
    case.run()


@posix
def test_a_signal_to_one_process_stops_all_after_the_same_step(tmp_path: Path) -> None:
    said = f"Stopped: stopped by SIGTERM at step 4 of epoch 2: saved. Go on with: vidsgg train -resume_from {tmp_path}"
    assert in_team(receive, tmp_path) == [said, said]
    content = load_tensors(tmp_path / LAST)["training_state"]
    assert (content["step"], content["epoch"], content["batch"]) == (4, 2, 1)


# Starts.


def test_without_a_launcher_there_is_one_process_or_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(sys, "argv", ["train.py", "-lr", "1e-4", "-save_path", "a b"])
    with join_team() as team:
        assert team == ALONE
    with (
        pytest.raises(
            ConfigError, match=r"-distributed: .*\n  torchrun --nproc_per_node=\d train.py -lr 1e-4 -save_path 'a b'$"
        ),
        join_team(True),
    ):
        pass
