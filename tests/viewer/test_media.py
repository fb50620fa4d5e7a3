"""What stands behind a page: small enough, of the right moments, and of the right video."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from vidsgg.errors import DataError
from vidsgg.io.encoding import Encoding, write_video
from vidsgg.io.video import VideoReader
from vidsgg.structures.graph import GraphFrame, VideoGraph
from vidsgg.viewer import media
from vidsgg.viewer.media import media_of, picture_media, times_of


def graph(numbers: tuple[int, ...] = (1, 5), width: int = 160, height: int = 120) -> VideoGraph:
    return VideoGraph("v.mp4", "toy", tuple(GraphFrame(f"v/{n}", n, None, width, height, (), ()) for n in numbers))


def noise(count: int, width: int = 160, height: int = 120, rate: float = 10) -> Iterator[tuple[float, np.ndarray]]:
    rng = np.random.default_rng(0)
    for i in range(count):
        yield i / rate, rng.integers(0, 256, (height, width, 3), np.uint8)


def read(content: bytes, path: Path) -> VideoReader:
    path.write_bytes(content)
    return VideoReader(path)


def test_noise_stays_small(tmp_path: Path) -> None:
    """No picture is harder to write: 2 seconds of it stay within what 30 seconds may take in 15 MB
    of text."""
    write_video(tmp_path / "v.mp4", noise(60, 320, 240, 30), Encoding(quality=10, preset="ultrafast"))
    given = graph((1, 30), 320, 240)
    found = media_of(given, [0.0, 29 / 30], tmp_path / "v.mp4", 640)
    assert found.video is not None and len((tmp_path / "v.mp4").read_bytes()) > 4 * len(found.video)
    assert len(found.encoded()[0]) * 30 / found.duration < 15_000_000


def test_the_video_of_the_page_has_the_moments_of_the_file(tmp_path: Path) -> None:
    write_video(
        tmp_path / "v.mp4", ((t, image) for t, (_, image) in zip((0.0, 0.1, 0.5, 0.6, 2.0), noise(5), strict=True))
    )
    found = media_of(graph(), [0.0, 2.0], tmp_path / "v.mp4", 80)
    assert found.video is not None
    reader = read(found.video, tmp_path / "small.mp4")
    assert reader.times == pytest.approx([0.0, 0.1, 0.5, 0.6, 2.0], abs=1e-3)
    assert reader.read([1])[0].shape == (60, 80, 3)
    part = media_of(graph(), [0.0, 2.0], tmp_path / "v.mp4", 80, 0.3, 1.0)
    assert part.video is not None and part.begin == pytest.approx(0.5)
    assert read(part.video, tmp_path / "part.mp4").times == pytest.approx([0.0, 0.1], abs=1e-3)


def test_no_more_than_thirty_pictures_a_second_and_one_a_second_to_jump_to(tmp_path: Path) -> None:
    still = np.full((120, 160, 3), 90, np.uint8)
    write_video(tmp_path / "v.mp4", ((i / 60, still) for i in range(121)))
    found = media_of(graph(), [0.0, 4 / 60], tmp_path / "v.mp4", 80)
    assert found.video is not None
    with av.open(io.BytesIO(found.video)) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert len(keys) == 61 and [i for i, key in enumerate(keys) if key] == [0, 30, 60]


def test_times_come_from_the_graph_else_from_the_video(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", noise(6))
    assert times_of(graph(), tmp_path / "v.mp4") == pytest.approx([0.0, 0.4], abs=1e-3)
    assert times_of(graph(), None) is None and times_of(graph(), tmp_path) is None
    with pytest.raises(DataError, match=r"has 6 frames, the graph of 'v.mp4' one with number 7"):
        times_of(graph((1, 7)), tmp_path / "v.mp4")


def test_another_video_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", noise(6))
    with pytest.raises(DataError, match=r"is 160x120 pixels, the graph of 'v.mp4' is of 100x100"):
        media_of(graph(width=100, height=100), [0.0, 0.4], tmp_path / "v.mp4", 80)
    assert media_of(graph(width=320, height=240), [0.0, 0.4], tmp_path / "v.mp4", 80).video  # the same, scaled


def test_without_an_encoder_there_is_a_picture_for_each_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "v.mp4", noise(6))
    monkeypatch.setattr(media, "has_encoder", lambda: False)
    notes: list[str] = []
    found = media_of(graph(), [0.0, 0.4], tmp_path / "v.mp4", 80, notes=notes)
    assert found.kind == "pictures" and len(found.pictures) == 2 and "no H.264 encoder" in notes[0]
    with Image.open(io.BytesIO(found.pictures[1] or b"")) as picture:
        assert picture.size == (80, 60)


def test_pictures_are_never_enlarged() -> None:
    with Image.open(io.BytesIO(picture_media([np.zeros((30, 40, 3), np.uint8)], 640).pictures[0] or b"")) as picture:
        assert picture.size == (40, 30)
