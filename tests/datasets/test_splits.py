from __future__ import annotations

from pathlib import Path

import pytest

from vidsgg.datasets.base import Image, VideoDataset
from vidsgg.datasets.splits import hold_out_validation, take_datasize
from vidsgg.errors import ConfigError, DataError
from vidsgg.structures.annotation import VideoAnnotation


class Named(VideoDataset):
    """Videos that have nothing but a name."""

    schema = None
    split = "train"
    root = Path("nowhere")

    def __init__(self, names: list[str]) -> None:
        self.video_ids = names

    def annotation(self, index: int) -> VideoAnnotation:
        raise NotImplementedError

    def images(self, index: int) -> list[Image]:
        raise NotImplementedError


NAMES = [f"{i:05d}" for i in range(4000)]


def test_large_is_everything() -> None:
    data = Named(NAMES)
    assert take_datasize(data, "large") is data


def test_small_is_a_fixed_tenth() -> None:
    small = take_datasize(Named(NAMES), "small").video_ids
    assert 340 < len(small) < 460
    assert take_datasize(Named(NAMES), "mini").video_ids == small == sorted(small)
    # Part of the interface, since results depend on it; computed once with sha256sum.
    assert small[:5] == ["00022", "00025", "00030", "00036", "00051"]
    assert set(take_datasize(Named(NAMES[::-1]), "small").video_ids) == set(small)
    assert set(take_datasize(Named(NAMES[:1000]), "small").video_ids) == {name for name in small if name < "01000"}


def test_validation_is_held_out_of_training() -> None:
    training, validation = hold_out_validation(Named(NAMES))
    assert 340 < len(validation) < 460
    assert sorted([*training.video_ids, *validation.video_ids]) == NAMES
    assert validation.video_ids[:5] == ["00023", "00033", "00038", "00048", "00053"]


def test_the_two_choices_do_not_depend_on_each_other() -> None:
    small = take_datasize(Named(NAMES), "small")
    training, validation = hold_out_validation(small)
    assert len(small) / 20 < len(validation) < len(small) / 5
    assert len(training) + len(validation) == len(small)


@pytest.mark.parametrize("count", range(2, 40))
def test_neither_is_ever_empty(count: int) -> None:
    data = Named([f"video {i}" for i in range(count)])
    assert 1 <= len(take_datasize(data, "small")) <= count
    training, validation = hold_out_validation(data)
    assert len(training) >= 1 and len(validation) >= 1 and len(training) + len(validation) == count


def test_even_if_every_video_falls_into_the_tenth() -> None:
    chosen = hold_out_validation(Named(NAMES))[1].video_ids[:2]
    training, validation = hold_out_validation(Named(chosen))
    assert len(training) == len(validation) == 1
    assert hold_out_validation(Named(chosen[::-1]))[1].video_ids == validation.video_ids


def test_mistakes() -> None:
    with pytest.raises(ConfigError, match=r"'smal'.*did you mean 'small'"):
        take_datasize(Named(NAMES), "smal")
    with pytest.raises(DataError, match="one video"):
        hold_out_validation(Named(["a"]))
