"""The benchmark of the feature store runs."""

from __future__ import annotations

from benchmarks.store import RandomVideos, speeds


def test_every_way_of_writing_and_reading_is_timed() -> None:
    table = speeds(2, repeats=1)
    for row in (
        "plain files, the same bytes",
        "records from float32 clips",
        "records to float32 clips",
        "batches of one, 2 workers",
    ):
        assert f"| {row} | " in table


def test_videos_are_told_apart_by_their_names_alone() -> None:
    videos = RandomVideos(9)
    assert videos.annotation(8).video_id == "random8"
    assert videos.annotation(8).pairs == videos.annotation(0).pairs == videos.clip(0).pairs
