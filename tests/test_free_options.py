"""Which options may change between runs is said beside each of them."""

from __future__ import annotations

import pytest

from vidsgg.methods.registry import methods
from vidsgg.methods.training_options import NeuralOptions
from vidsgg.options import Free, free_options
from vidsgg.recipes.command_options import TrainDetectorOptions

# How fast and where a run works, and what it keeps: of no consequence for its scores.
UPKEEP = {
    "save_path",
    "data_path",
    "videos_path",
    "num_workers",
    "device",
    "logger",
    "profile",
    "save_minutes",
    "save_freq",
}
FREE: dict[Free, set[str]] = {
    "run": UPKEEP
    | {"epochs", "patience", "min_delta", "eval_freq", "resume_from", "detector", "features", "skip_bad"}
    | {"distributed", "deterministic", "grad_checkpointing"},
    "study": UPKEEP | {"features", "distributed", "deterministic"},
    "list": UPKEEP | {"detector"},
    "scores": {"detector", "features"},
}


@pytest.mark.parametrize("where", FREE)
def test_what_may_differ(where: Free) -> None:
    assert free_options(NeuralOptions, where) == FREE[where]


@pytest.mark.parametrize("name", methods())
def test_an_option_of_a_method_is_held_fixed(name: str) -> None:
    kind = methods()[name].options
    for where, names in FREE.items():
        assert free_options(kind, where) <= names, where


def test_what_may_differ_when_a_detectors_training_begins_again() -> None:
    assert free_options(TrainDetectorOptions, "run") == {
        "data_path",
        "videos_path",
        "save_path",
        "num_workers",
        "device",
        "skip_bad",
        "test",
        "minutes",
    }
