from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import ToyVideos

from vidsgg.engine import frames
from vidsgg.engine.frames import Frame, FrameLoader, flip_half
from vidsgg.errors import DataError
from vidsgg.io.images import Image


class NumberedVideos(ToyVideos):
    """Three frames a video; every picture shows its video's number and its own."""

    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        if self.video_ids[index] in self.broken:
            raise DataError(f"{self.video_ids[index]} has no pictures")
        return [
            np.full((100, 100, 3), 10 * index + frame, np.uint8) for frame in (range(3) if frames is None else frames)
        ]

    def annotation(self, index: int):
        return self.annotations[index]


def seen(loader: FrameLoader, epoch: int = 0) -> list[list[int]]:
    return [[int(frame.image[0, 0, 0]) for frame in batch] for batch in loader.batches(epoch)]


def flat(batches: list[list[int]]) -> list[int]:
    return [value for batch in batches for value in batch]


@pytest.mark.parametrize("workers", [0, 2])
def test_every_frame_comes_once_an_epoch_in_an_order_of_its_own(workers: int) -> None:
    loader = FrameLoader(NumberedVideos(4), 5, shuffle=True, seed=3, workers=workers)
    first, second = seen(loader, 1), seen(loader, 2)
    assert [len(batch) for batch in first] == [5, 5, 2] and len(loader) == 3 and loader.frames == 12
    assert (
        sorted(flat(first)) == sorted(flat(second)) == [10 * video + frame for video in range(4) for frame in range(3)]
    )
    assert flat(first) != flat(second)
    assert len({value // 10 for value in first[0]}) > 1  # a batch has frames of several videos
    assert seen(FrameLoader(NumberedVideos(4), 5, shuffle=True, seed=3), 2) == second


def test_without_shuffling_no_batch_has_frames_of_two_videos() -> None:
    loader = FrameLoader(NumberedVideos(3), 2)
    assert seen(loader) == [[0, 1], [2], [10, 11], [12], [20, 21], [22]]
    assert len(loader) == 6


def test_frames_have_their_own_boxes() -> None:
    videos = NumberedVideos(2)
    found = [frame for batch in FrameLoader(videos, 3).batches() for frame in batch]
    for i, annotation in enumerate(videos.annotations):
        mine = found[3 * i : 3 * i + 3]
        assert [frame.name for frame in mine] == list(annotation.frame_key)
        np.testing.assert_array_equal(torch.cat([frame.box for frame in mine]), annotation.node_box)
        np.testing.assert_array_equal(torch.cat([frame.klass for frame in mine]), annotation.node_class)
        assert [len(frame.box) for frame in mine] == np.bincount(annotation.node_frame).tolist()


def test_videos_that_cannot_be_read_end_the_run_or_are_left_out_and_listed() -> None:
    videos = NumberedVideos(3, broken=("v1",))
    with pytest.raises(DataError, match="v1 has no pictures"):
        seen(FrameLoader(videos, 4, shuffle=True))
    loader = FrameLoader(videos, 4, shuffle=True, skip_bad=True)
    assert sorted(flat(seen(loader))) == [0, 1, 2, 20, 21, 22]
    assert list(loader.skipped) == ["v1 has no pictures"]
    with pytest.raises(DataError, match=r"no frame could be read; .*v0 has no pictures"):
        seen(FrameLoader(NumberedVideos(2, broken=("v0", "v1")), 4, skip_bad=True))


def test_about_half_of_the_frames_are_mirrored_with_their_boxes() -> None:
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    frame = Frame(image, torch.tensor([[0.0, 1, 2, 3], [5, 0, 6, 4]]), torch.tensor([2, 1]), "a")
    results = [flip_half(frame, np.random.default_rng(seed)) for seed in range(40)]
    mirrored = [result for result in results if result is not frame]
    assert 10 < len(mirrored) < 30
    for result in mirrored:
        np.testing.assert_array_equal(result.image, image[:, ::-1])
        assert result.box.tolist() == [[4, 1, 6, 3], [0, 0, 1, 4]]
        assert result.klass.tolist() == [2, 1] and result.name == "a"


def test_what_is_done_to_a_frame_depends_on_seed_and_epoch_alone() -> None:
    def noisy(frame: Frame, random: np.random.Generator) -> Frame:
        return Frame(np.full_like(frame.image, random.integers(256)), frame.box, frame.klass, frame.name)

    def drawn(seed: int, epoch: int, size: int) -> dict[str, int]:
        loader = FrameLoader(NumberedVideos(3), size, shuffle=True, seed=seed, augment=noisy)
        return {frame.name: int(frame.image[0, 0, 0]) for batch in loader.batches(epoch) for frame in batch}

    assert drawn(0, 1, 2) == drawn(0, 1, 5)
    assert drawn(0, 1, 2) != drawn(0, 2, 2)
    assert drawn(0, 1, 2) != drawn(1, 1, 2)


class RareVideos(NumberedVideos):
    """Forty videos of one frame with a person; one frame also has a chair, ten have a door."""

    def __init__(self) -> None:
        super().__init__(40)
        for number, annotation in enumerate(self.annotations):
            seen = [3] if number == 7 else [4] if number % 4 == 0 else []
            rows = slice(0, 1 + len(seen))
            self.annotations[number] = replace(
                annotation, frame_key=annotation.frame_key[:1], frame_number=annotation.frame_number[:1], frame_unit=np.zeros(1, int),
                frame_slot=np.zeros(1, int), frame_size=annotation.frame_size[:1], node_box=annotation.node_box[rows],
                node_class=np.array([1, *seen]), node_frame=np.zeros(1 + len(seen), int), node_identity=annotation.node_identity[rows],
                pair_subject=np.zeros(0, int), pair_object=np.zeros(0, int), pair_frame=np.zeros(0, int),
                labels={name: hot[:0] for name, hot in annotation.labels.items()},
            )  # fmt: skip


def test_frames_with_rare_classes_come_more_often() -> None:
    """The chair is in a share of 1 / 40: sqrt(0.1 / 0.025) = 2 times. The door is frequent
    enough."""
    videos = RareVideos()
    loader = FrameLoader(videos, 6, shuffle=True)
    assert loader.frames == 40
    for epoch in range(5):
        counts = Counter(video for batch in loader.order(epoch) for video, _ in batch)
        assert counts == {video: 2 if video == 7 else 1 for video in range(40)}
    assert len(loader) == 7
    assert sorted(video for batch in FrameLoader(videos, 6).order(0) for video, _ in batch) == list(range(40))


class ReadVideos(NumberedVideos):
    """Notes which frames are read."""

    def __init__(self, videos: int) -> None:
        super().__init__(videos)
        self.read: list[int] = []

    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        found = super().images(index, frames)
        self.read += [int(image[0, 0, 0]) for image in found]
        return found


def test_pictures_of_a_shuffled_pass_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    videos = ReadVideos(4)
    loader = FrameLoader(videos, 5, shuffle=True, seed=3)
    first, second = flat(seen(loader, 1)), flat(seen(loader, 2))
    assert sorted(videos.read) == sorted(first) == sorted(second) and first != second

    size = videos.images(0, [0])[0].nbytes
    monkeypatch.setattr(frames, "KEPT", 3 * size)
    few = ReadVideos(4)
    loader = FrameLoader(few, 5, shuffle=True, seed=3)
    assert (flat(seen(loader, 1)), flat(seen(loader, 2))) == (first, second)
    assert len(few.read) == 12 + (12 - 3)

    in_order = ReadVideos(4)
    loader = FrameLoader(in_order, 5)
    seen(loader), seen(loader)
    assert len(in_order.read) == 24
