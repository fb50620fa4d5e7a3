"""Difficulty counted by hand, the videos of each level, and the words of -curriculum."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import entity_annotation
from toys import ToyVideos

from vidsgg.datasets.base import Image, Subset, VideoDataset
from vidsgg.datasets.curricula import (
    CurriculumStage,
    difficulty,
    easiest,
    get_easy_samples,
    get_full_dataset,
    get_medium_samples,
    parse_curriculum,
)
from vidsgg.errors import ConfigError
from vidsgg.structures.annotation import VideoAnnotation


class Counted(VideoDataset):
    """Videos given as (pairs of each frame, attention predicate of every pair); counts how often an
    annotation is asked for."""

    root, split = Path("counted"), "train"

    def __init__(self, videos: dict[str, tuple[list[int], int]]) -> None:
        self.annotations = []
        for name, (pairs_of, predicate) in videos.items():
            annotation = entity_annotation(pairs_of, name=name)
            labels = {group: np.zeros_like(hot) for group, hot in annotation.labels.items()}
            labels["attention"][:, predicate] = True
            self.annotations.append(replace(annotation, labels=labels))
        self.schema, self.video_ids, self.asked = self.annotations[0].schema, list(videos), 0

    def annotation(self, index: int) -> VideoAnnotation:
        self.asked += 1
        return self.annotations[index]

    def images(self, index: int, frames: object = None) -> list[Image]:
        raise AssertionError("difficulty looks at no picture")


def test_difficulty_is_the_mean_of_three_ranks() -> None:
    videos = Counted({"a": ([1, 1], 0), "b": ([2, 0, 0], 1), "c": ([2, 2, 1], 0)})
    # pairs 2, 2, 5: ranks 1/4, 1/4, 1. frames 2, 3, 3: ranks 0, 3/4, 3/4.
    # Predicate 0 is on 7 of 9 pairs and predicate 1 on 2 of 9, so b is the rarest: ranks 1/4, 1,
    # 1/4.
    assert difficulty(videos) == pytest.approx(
        [(1 / 4 + 0 + 1 / 4) / 3, (1 / 4 + 3 / 4 + 1) / 3, (1 + 3 / 4 + 1 / 4) / 3]
    )


def test_rare_predicates_alone_make_a_video_harder() -> None:
    names = [f"v{i}" for i in range(6)]
    videos = Counted({name: ([1, 2], int(name == "v2")) for name in names})
    assert difficulty(videos).argmax() == 2
    assert 2 not in easiest(videos, "medium")


def test_annotations_are_read_once() -> None:
    videos = Counted({f"v{i}": ([1 + i], 0) for i in range(5)})
    first = difficulty(videos)
    assert difficulty(videos) is first
    assert videos.asked == 5


def test_levels_grow_and_keep_the_order_of_the_data_set() -> None:
    videos = Counted({f"v{i}": ([i + 1] * (i + 1), 0) for i in (5, 3, 1, 0, 2, 4)})
    easy, medium, full = get_easy_samples(videos), get_medium_samples(videos), get_full_dataset(videos)
    assert easy.video_ids == ["v1", "v0"]
    assert medium.video_ids == ["v3", "v1", "v0", "v2"]
    assert full.video_ids == list(videos.video_ids)
    assert easy.annotation(1).video_id == "v0"


def test_levels_do_not_depend_on_the_order_of_the_files() -> None:
    videos = ToyVideos(12)
    turned = Subset(videos, [7, 2, 11, 0, 5, 9, 1, 8, 3, 10, 6, 4])
    for level in ("easy", "medium"):
        assert {videos.video_ids[i] for i in easiest(videos, level)} == {
            turned.video_ids[i] for i in easiest(turned, level)
        }


def test_equally_difficult_videos_are_taken_by_name() -> None:
    videos = Counted({name: ([1], 0) for name in "fbdace"})
    assert [videos.video_ids[i] for i in easiest(videos, "easy")] == ["b", "a"]


@pytest.mark.parametrize("kind", ["entity", "action"])
def test_a_single_video_and_both_kinds_of_subjects(kind: str) -> None:
    videos = ToyVideos(1, kind)
    assert easiest(videos, "easy") == easiest(videos, "full") == [0]
    assert difficulty(videos).tolist() == [0.0]


def test_stages_are_read() -> None:
    assert parse_curriculum("0:easy,20:medium,60:full") == (
        CurriculumStage(0, "easy"),
        CurriculumStage(20, "medium"),
        CurriculumStage(60, "full"),
    )
    assert parse_curriculum(" 0 : full ") == (CurriculumStage(0, "full"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("easy", "stage 1 is 'easy'; write EPOCH:LEVEL"),
        ("0:easy,20", "stage 2 is '20'; write EPOCH:LEVEL"),
        ("0:easy,", "stage 2 is ''"),
        ("0:easy,-3:full", "stage 2 is '-3:full'; write EPOCH:LEVEL"),
        ("0:easi", "the levels are easy, medium, full; did you mean 'easy'"),
        ("5:easy", "stage 1 is '5:easy'; the first stage starts at epoch 0"),
        ("0:easy,20:medium,20:full", "stage 3 is '20:full'; it must start after the stage before, which starts at 20"),
    ],
)
def test_wrong_stages_are_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match="option -curriculum") as caught:
        parse_curriculum(text)
    assert message in str(caught.value)
