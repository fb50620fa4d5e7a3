"""The largest batch that fits: counted on a processor, tried on a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from clips import entity_clip
from engine.training import Case
from torch import nn

from vidsgg.engine import batch_size
from vidsgg.engine.batch_size import MOST, find_batch_size, kept_bytes, largest
from vidsgg.io import memory
from vidsgg.structures.clip import Clip


@pytest.mark.parametrize("most", [1, 5, 64])
def test_the_largest_number_that_fits_is_found_in_few_tries(most: int) -> None:
    for limit in range(70):
        tried: list[int] = []

        def fits(size: int, limit: int = limit, tried: list[int] = tried) -> bool:
            tried.append(size)
            return size <= limit

        assert largest(fits, most) == min(limit, most)
        assert len(tried) == len(set(tried)) <= 12 and all(1 <= size <= most for size in tried)


def test_what_a_forward_pass_keeps_is_counted_once_and_without_the_weights() -> None:
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 5))
    given = torch.ones(3, 10)
    assert kept_bytes(lambda: model(given), model) == 4 * (3 * 10 + 3 * 20)  # the input, and what ReLU gives


@pytest.mark.parametrize(("videos", "found"), [(3, 3), (7, 7), (1, 1)])
def test_on_a_processor_free_memory_decides(
    videos: int, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, clip = Case(tmp_path), entity_clip([2, 3, 1])
    need = batch_size._need_of(case.state, case.criterion, clip)
    assert need(2) - need(1) > 0
    free = (need(videos) + need(videos + 1)) / 2
    monkeypatch.setattr(batch_size, "available_memory", lambda: 2 * free / batch_size._SHARE)
    result = find_batch_size(case.state, case.criterion, clip, videos=1000, sharing=2)
    assert result.videos == found
    assert result.why.startswith("the most that fit into 0.0 GiB of memory")


def test_no_more_are_taken_than_leave_an_epoch_its_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, clip = Case(tmp_path), entity_clip([2, 1])
    monkeypatch.setattr(batch_size, "available_memory", lambda: 2**60)
    for videos, want in ((5, 1), (45, 4), (10_000, MOST)):
        found = find_batch_size(case.state, case.criterion, clip, videos=videos, sharing=1)
        assert found.videos == want
        assert found.why == "the most that are taken (at most 64, and an epoch keeps 10 steps)"
    monkeypatch.setattr(batch_size, "available_memory", lambda: 0)
    found = find_batch_size(case.state, case.criterion, clip, videos=1000, sharing=1)
    assert (found.videos, found.why) == (1, "the least, and memory may not suffice for the largest video")


def test_on_a_gpu_steps_are_tried_until_memory_runs_out(tmp_path: Path) -> None:
    case, clip = Case(tmp_path), entity_clip([2, 1])
    forward = case.state.model.forward

    def limited(batch: Clip) -> Any:
        if batch.videos > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(batch)

    case.state.model.forward = limited
    fits = lambda size: batch_size._step_fits(case.state, case.criterion, Clip.cat([clip] * size))  # noqa: E731
    assert largest(fits, MOST) == 5
    assert all(parameter.grad is None for parameter in case.state.model.parameters())
    assert case.state.update.optimizer.state  # its moments were there when memory was measured


def test_memory_is_what_the_system_and_the_container_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  900 kB\nMemAvailable:     500 kB\n", encoding="ascii")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    assert memory.available_memory() == 500 * 1024
    for name, text in {"max": "400000", "current": "150000", "stat": "anon 1\ninactive_file 50000\n"}.items():
        (tmp_path / f"memory.{name}").write_text(text, encoding="ascii")
    assert memory.available_memory() == 300_000
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert memory.available_memory() == 500 * 1024
    monkeypatch.setattr(memory, "_OWN_GROUP", tmp_path / "cgroup")
    (tmp_path / "cgroup").write_text("1:cpu:/x\n0::/slurm/job_1/step\n", encoding="ascii")
    job = tmp_path / "slurm" / "job_1"  # its steps have no limits of their own
    (job / "step").mkdir(parents=True)
    for name, text in {"max": "90000", "current": "50000", "stat": "inactive_file 1000\n"}.items():
        (job / f"memory.{name}").write_text(text, encoding="ascii")
    assert memory.available_memory() == 41_000
    (tmp_path / "cgroup").write_text("0::/../slurm/job_1\n", encoding="ascii")
    assert memory.available_memory() == 500 * 1024


def test_memory_is_what_control_groups_of_version_1_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:  900 kB\nMemAvailable:     500 kB\n", encoding="ascii")
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    monkeypatch.setattr(memory, "_OWN_GROUP", tmp_path / "cgroup")

    def write(group: Path, limit: int, usage: int) -> None:
        group.mkdir(parents=True, exist_ok=True)
        for name, text in {
            "limit_in_bytes": limit,
            "usage_in_bytes": usage,
            "stat": "total_inactive_file 1000",
        }.items():
            (group / f"memory.{name}").write_text(f"{text}\n", encoding="ascii")

    (tmp_path / "cgroup").write_text("5:cpu,cpuacct:/a\n4:memory:/slurm/job_1/step\n0::/x\n", encoding="ascii")
    write(tmp_path / "memory", 9223372036854771712, 10_000_000)  # no limit
    assert memory.available_memory() == 500 * 1024
    write(tmp_path / "memory" / "slurm" / "job_1", 90_000, 50_000)
    assert memory.available_memory() == 41_000
    write(tmp_path / "memory", 80_000, 60_000)  # a container shows its own group as the root
    (tmp_path / "cgroup").write_text("4:memory:/docker/0123\nno line of its kind\n", encoding="ascii")
    assert memory.available_memory() == 21_000
