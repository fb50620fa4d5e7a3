"""Videos that we write are read back: every picture at its time, the colours of before, the index
in front, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered_video import HEIGHT, WIDTH, number_of, numbered

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.encoding import TICK, Encoding, encode_video, write_video
from vidsgg.io.images import Image
from vidsgg.io.video import VideoReader


def pictures(times: list[float]) -> Iterator[tuple[float, Image]]:
    for i, time in enumerate(times):
        yield time, numbered(i + 1)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 3000), min_size=0, max_size=40), st.floats(0, 1e5), st.floats(0.01, 3))
def test_every_picture_is_at_its_time_to_a_tick(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], begin: float, last: float
) -> None:
    times = [begin + t / 1000 for t in np.cumsum([0, *steps])]
    path = tmp_path_factory.mktemp("v") / "v.mp4"
    lasts = write_video(path, pictures(times), last=last)
    reader = VideoReader(path)
    assert reader.times == pytest.approx([time - begin for time in times], abs=float(TICK))
    assert [number_of(picture) for picture in reader.frames(range(1, len(times) + 1))] == list(range(1, len(times) + 1))
    assert lasts == pytest.approx(times[-1] - begin + last, abs=2 * float(TICK))
    with av.open(str(path)) as file:
        # FFmpeg tells whole microseconds, MP4 milliseconds
        assert file.duration == pytest.approx(lasts * av.time_base, abs=1001)


@pytest.mark.parametrize(
    ("size", "width", "becomes"),
    [
        ((128, 96), None, (128, 96)),
        ((127, 95), None, (128, 96)),
        ((1920, 1080), 640, (640, 360)),
        ((640, 360), 1280, (640, 360)),
        ((101, 1000), 50, (50, 496)),
        ((1, 1), None, (2, 2)),
    ],
)
def test_sides_become_even_and_no_wider_than_asked(
    tmp_path: Path, size: tuple[int, int], width: int | None, becomes: tuple[int, int]
) -> None:
    write_video(tmp_path / "v.mp4", [(0, np.full((size[1], size[0], 3), 90, np.uint8))], Encoding(width))
    (picture,) = VideoReader(tmp_path / "v.mp4").read([1])
    assert picture.shape == (becomes[1], becomes[0], 3)
    assert np.abs(picture.astype(int) - 90).max() <= 2


COLOURS = [(255, 255, 255), (0, 0, 0), (220, 30, 40), (30, 200, 60), (20, 40, 230), (240, 200, 20)]


def test_colours_are_those_of_before_and_said_to_be(tmp_path: Path) -> None:
    stripes = np.repeat(np.array(COLOURS, np.uint8)[None], 96, axis=0).repeat(32, axis=1)
    write_video(tmp_path / "v.mp4", [(0, stripes), (1, stripes)])
    for picture in VideoReader(tmp_path / "v.mp4").read([1, 2]):
        for i, colour in enumerate(COLOURS):
            assert picture[48, 32 * i + 16] == pytest.approx(colour, abs=5)
    with av.open(str(tmp_path / "v.mp4")) as file:
        codec = file.streams.video[0].codec_context
        # ITU-R BT.709, limited
        assert (codec.name, codec.pix_fmt, codec.colorspace, codec.color_range) == ("h264", "yuv420p", 1, 1)


def test_pictures_of_another_shape_are_shrunk_onto_black(tmp_path: Path) -> None:
    wide, high = np.full((96, 192, 3), 200, np.uint8), np.full((192, 96, 3), 200, np.uint8)
    write_video(tmp_path / "v.mp4", [(0, wide), (1, high)])
    picture = VideoReader(tmp_path / "v.mp4").read([2])[0]
    assert picture.shape == wide.shape
    assert picture[48, 96].min() > 190 and picture[:, :64].max() < 20 and picture[:, 128:].max() < 20


def test_the_index_stands_before_the_pictures() -> None:
    content, lasts = encode_video(pictures([i / 25 for i in range(50)]))
    assert content.index(b"ftyp") < content.index(b"moov") < content.index(b"mdat")
    assert lasts == pytest.approx(2.0)


def test_better_quality_takes_more_room() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 96, 128, 3), dtype=np.uint8)
    fine, coarse = (
        len(encode_video(((i, image) for i, image in enumerate(noise)), Encoding(quality=q))[0]) for q in (10, 40)
    )
    assert fine > 3 * coarse


def test_what_goes_wrong_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes(b"old")

    def broken() -> Iterator[tuple[float, Image]]:
        yield from pictures([0, 1, 2])
        raise DataError("the source ends here")

    for frames, said in [
        (broken(), "ends here"),
        (pictures([0, 1, 1]), "times must increase"),
        (pictures([]), "no picture"),
    ]:
        with pytest.raises(DataError, match=said):
            write_video(path, frames)
        assert [file.name for file in tmp_path.iterdir()] == ["v.mp4"] and path.read_bytes() == b"old"
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"cannot write .*v\.mp4"):
        write_video(path, pictures([0]))


def test_pictures_are_not_gathered(tmp_path: Path) -> None:
    alive = 0

    class Counted(np.ndarray):
        def __array_finalize__(self, _: object) -> None:
            nonlocal alive
            alive += 1

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    most = 0

    def frames() -> Iterator[tuple[float, Image]]:
        nonlocal most
        for i in range(60):
            picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8).view(Counted)
            yield i, picture
            del picture
            most = max(most, alive)

    write_video(tmp_path / "v.mp4", frames())
    assert 0 < most <= 3


def test_without_an_encoder_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av.codec, "codecs_available", {"mpeg4"})
    with pytest.raises(ConfigError, match=r"without libx264.*pip install"):
        write_video(tmp_path / "v.mp4", pictures([0]))
    assert list(tmp_path.iterdir()) == []
