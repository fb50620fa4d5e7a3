"""Search strings: what they mean, and one clear message for each that is wrong."""

from __future__ import annotations

import pytest

from vidsgg.errors import ConfigError
from vidsgg.methods.sttran import STTranOptions
from vidsgg.options import fields_of
from vidsgg.tuning.space import Choice, Range, grid, parse_search

OPTIONS = fields_of(STTranOptions)


def test_ranges_and_choices_take_the_types_of_their_options() -> None:
    space = parse_search(
        "lr=log:1e-5:1e-3 batch_size=1,2,4\n dropout=0.0:0.5 hidden_dim=int:64:512:64 scheduler=step,cosine", OPTIONS
    )
    assert space == {
        "lr": Range(1e-5, 1e-3, log=True),
        "batch_size": Choice((1, 2, 4)),
        "dropout": Range(0.0, 0.5),
        "hidden_dim": Range(64, 512, 64, whole=True),
        "scheduler": Choice(("step", "cosine")),
    }
    assert parse_search("bce_loss=True,False num_workers=none,2", OPTIONS) == {
        "bce_loss": Choice((True, False)),
        "num_workers": Choice((None, 2)),
    }
    assert parse_search("-lr=float:0:1:0.25", OPTIONS) == {"lr": Range(0.0, 1.0, 0.25)}
    assert parse_search("warmup_steps=log:1:1e3", OPTIONS) == {"warmup_steps": Range(1, 1000, log=True, whole=True)}


def test_a_step_that_does_not_meet_the_end_stops_before_it() -> None:
    assert parse_search("hidden_dim=64:500:64", OPTIONS) == {"hidden_dim": Range(64, 448, 64, whole=True)}
    assert parse_search("dropout=0:0.3:0.1", OPTIONS)["dropout"].points() == (0.0, 0.1, 0.2, 0.3)  # type: ignore[union-attr]


def test_a_grid_is_every_combination_in_order() -> None:
    points = grid(parse_search("spatial_layer=1:2 lr=1e-4,1e-3", OPTIONS))
    assert points == [
        {"spatial_layer": 1, "lr": 1e-4},
        {"spatial_layer": 1, "lr": 1e-3},
        {"spatial_layer": 2, "lr": 1e-4},
        {"spatial_layer": 2, "lr": 1e-3},
    ]


@pytest.mark.parametrize("text", ["lr=1e-5:1e-3", "lr=log:1e-5:1e-3", "hidden_dim=log:8:64"])
def test_a_grid_needs_an_end(text: str) -> None:
    with pytest.raises(ConfigError, match="a grid needs single values or a step"):
        grid(parse_search(text, OPTIONS))


@pytest.mark.parametrize("text", ["lr=log:1e-05:0.001", "batch_size=1,2,4", "hidden_dim=64:512:64", "dropout=0.0:0.5"])
def test_what_is_written_reads_the_same(text: str) -> None:
    ((name, dimension),) = parse_search(text, OPTIONS).items()
    assert f"{name}={dimension}" == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "option -search is required"),
        ("lr", "'lr': write NAME=VALUE"),
        ("lr=", "'lr=': write NAME=VALUE"),
        ("batchsize=1,2", "'batchsize=1,2': there is no option 'batchsize'; did you mean 'batch_size'"),
        ("save_path=a,b", "save_path cannot be searched: every trial has its own"),
        ("lr=1e-4 batch_size=1,x", "'batch_size=1,x': option -batch_size: expected a whole number or auto, got 'x'"),
        ("batch_size=1,1.5", "expected a whole number or auto, got '1.5'"),
        ("batch_size=0,1", "'batch_size=0,1': 0 is too small; the least is 1"),
        ("batch_size=1,2,1", "a value occurs twice"),
        ("lr=1e-4 lr=1e-3", "lr occurs twice"),
        ("lr=1e-3:1e-4", "0.001 is not below 0.0001"),
        ("lr=1e-3:", "a range is LOW:HIGH"),
        ("lr=0:1:", "a range is LOW:HIGH"),
        ("lr=0:1:2:3", "a range is LOW:HIGH"),
        ("lr=log:0:1", "a log range begins above 0"),
        ("lr=log:1e-5:1e-3:1e-4", "a log range has no step"),
        ("lr=0:1:0", "a step is above 0"),
        ("lr=0:inf", "inf is too large"),
        ("lr=nan,1", "nan is not a number"),
        ("lr=int:1:2", "the option takes any number; leave 'int:' away"),
        ("hidden_dim=float:8:16", "the option takes whole numbers; leave 'float:' away"),
        (
            "scheduler=step,cosin",
            "unknown value 'cosin'; choose from step, cosine, plateau, wave; did you mean 'cosine'",
        ),
        ("scheduler=step:cosine", "unknown value 'step:cosine'"),
    ],
)
def test_a_wrong_part_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_search(text, OPTIONS, refused={"save_path": "every trial has its own"})
    assert message in str(caught.value)
