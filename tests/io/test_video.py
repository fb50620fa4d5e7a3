"""Frames out of video files: the right ones, by numbers that the pictures carry."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numbered_video import HEIGHT, WIDTH, mark_turned, number_of, write
from PIL import Image as Pillow

from vidsgg.errors import DataError
from vidsgg.io import video
from vidsgg.io.video import VideoReader, picture_sizes, read_dumped_frames

UNEVEN = np.cumsum([7 + 31 * (i % 3) for i in range(60)]).tolist()


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("even.mp4", {}),
        ("uneven.mp4", {"stamps": UNEVEN}),
        ("open.mp4", {"x264-params": "open-gop=1:keyint=12:min-keyint=12:scenecut=0:bframes=2"}),
        ("single-key.mp4", {"gop": 1000}),
        ("all-keys.mp4", {"gop": 1}),
        ("matroska.mkv", {}),
        ("transport.ts", {}),
        ("raw.h264", {"format": "h264"}),
        ("old.avi", {"codec": "mpeg4"}),
    ],
)
def test_every_frame_is_the_one_asked_for(tmp_path: Path, name: str, how: dict) -> None:
    reader = VideoReader(write(tmp_path / name, **how))
    assert reader.count == 60
    for numbers in ([1], [60], [40, 41], [3, 25, 26, 59], [50, 2, 50, 17], [1, 37, 60], list(range(1, 61))):
        pictures = reader.read(numbers)
        assert [number_of(picture) for picture in pictures] == numbers
        assert all(p.shape == (HEIGHT, WIDTH, 3) and p.dtype == np.uint8 for p in pictures)
    assert reader.read([]) == []


def test_seeking_decodes_fewer_frames_and_gives_the_same_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "v.mp4", frames=120)
    everything = read_dumped_frames(path, range(1, 121))
    decoded: list[int] = []
    decode = VideoReader._decode

    def spy(self, container, stream, start):
        for position, frame in decode(self, container, stream, start):
            decoded.append(position)
            yield position, frame

    monkeypatch.setattr(VideoReader, "_decode", spy)
    far = read_dumped_frames(path, [5, 118])
    assert len(decoded) < 30
    assert np.array_equal(far[0], everything[4]) and np.array_equal(far[1], everything[117])


def test_times_follow_the_stamps(tmp_path: Path) -> None:
    reader = VideoReader(write(tmp_path / "v.mp4", stamps=UNEVEN))
    assert reader.times == pytest.approx([(t - UNEVEN[0]) / 1000 for t in UNEVEN], abs=1e-3)
    assert VideoReader(write(tmp_path / "even.mp4")).fps == pytest.approx(25)
    assert VideoReader(write(tmp_path / "raw.h264", format="h264")).times is None


def test_a_reader_goes_to_another_process(tmp_path: Path) -> None:
    reader = pickle.loads(pickle.dumps(VideoReader(write(tmp_path / "v.mp4"))))
    assert number_of(reader.read([33])[0]) == 33


@pytest.mark.parametrize(
    ("matrix", "as_shown"),
    [
        ((1, 0, 0, 1), lambda plain: plain),
        ((0, 1, -1, 0), lambda plain: np.rot90(plain, -1)),  # a phone held upright: a quarter turn clockwise
        ((-1, 0, 0, -1), lambda plain: np.rot90(plain, 2)),
        ((0, -1, 1, 0), lambda plain: np.rot90(plain, 1)),
        ((-1, 0, 0, 1), lambda plain: plain[:, ::-1]),  # a selfie
        ((1, 0, 0, -1), lambda plain: plain[::-1]),
        ((0, 1, 1, 0), lambda plain: plain.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda plain: np.rot90(plain, 2).swapaxes(0, 1)),
    ],
)
def test_a_marked_video_is_turned_and_mirrored(
    tmp_path: Path, matrix: tuple[int, int, int, int], as_shown: Callable
) -> None:
    path = write(tmp_path / "v.mp4", frames=3)
    plain = read_dumped_frames(path, [2])[0]
    mark_turned(path, *matrix)
    assert np.array_equal(read_dumped_frames(path, [2])[0], as_shown(plain))
    assert np.array_equal(VideoReader(path).read([2])[0], as_shown(plain))


def test_a_slanted_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"v\.mp4: is marked as rotated by -?45 degrees"):
        read_dumped_frames(mark_turned(write(tmp_path / "v.mp4", frames=3), 1, 1, -1, 1), [2])


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts"])
@pytest.mark.parametrize(
    ("aspect", "size"), [(2, (HEIGHT, 2 * WIDTH)), (Fraction(1, 2), (2 * HEIGHT, WIDTH)), (Fraction(16, 11), (96, 186))]
)
def test_pixels_that_are_not_square_are_made_so_except_in_data_sets(
    tmp_path: Path, name: str, aspect: Fraction, size: tuple[int, int]
) -> None:
    path = write(tmp_path / name, frames=20, aspect=aspect)
    (shown,), (stored,) = VideoReader(path).read([2]), read_dumped_frames(path, [2])
    assert shown.shape == (*size, 3) and stored.shape == (HEIGHT, WIDTH, 3)
    back = np.asarray(Pillow.fromarray(shown).resize((WIDTH, HEIGHT), Pillow.Resampling.BOX), np.int16)
    assert np.abs(back - stored).mean() < 4
    assert np.array_equal(stored, read_dumped_frames(write(tmp_path / f"square-{name}", frames=20), [2])[0])


def test_pixels_are_stretched_before_the_picture_is_turned(tmp_path: Path) -> None:
    path = mark_turned(write(tmp_path / "v.mp4", frames=3, aspect=2), 0, 1, -1, 0)
    assert VideoReader(path).read([2])[0].shape == (2 * WIDTH, HEIGHT, 3)
    assert picture_sizes(path) == ((WIDTH, HEIGHT), (2 * WIDTH, HEIGHT))


@pytest.mark.parametrize("number", [0, -1, 61])
def test_a_frame_outside_the_video(tmp_path: Path, number: int) -> None:
    with pytest.raises(DataError, match=rf"v\.mp4: frame {number} .*1\.\.60"):
        read_dumped_frames(write(tmp_path / "v.mp4"), [1, number])


def test_missing_truncated_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.mp4: no such video"):
        read_dumped_frames(tmp_path / "gone.mp4", [1])
    whole = write(tmp_path / "v.mp4").read_bytes()
    for name, data in {
        "cut.mp4": whole[: len(whole) // 2],
        "empty.mp4": b"",
        "text.mp4": b"not a video at all" * 50,
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=name.replace(".", r"\.")):
            read_dumped_frames(tmp_path / name, [1])
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(DataError, match=r"folder\.mp4"):
        read_dumped_frames(tmp_path / "folder.mp4", [1])


def test_a_sound_file_has_no_video_track(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.wav"), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
    with pytest.raises(DataError, match=r"a\.wav: has no video track"):
        read_dumped_frames(tmp_path / "a.wav", [1])


def test_a_track_that_nobody_can_decode_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "film.mp4", frames=6)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))
    with pytest.raises(DataError, match=r"film\.mp4: FFmpeg has no decoder for its video track"):
        VideoReader(path)


def test_damage_in_the_middle_is_reported_and_not_shown(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", frames=60)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 1500
    data[start : len(data) * 2 // 3] = bytes(len(data) * 2 // 3 - start)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"v\.mp4"):
        read_dumped_frames(path, list(range(1, 61)))


def test_pictures_one_by_one_index_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed = []
    whole = video.index_frames
    monkeypatch.setattr(video, "index_frames", lambda opened: indexed.append(1) or whole(opened))
    path = write(tmp_path / "v.mp4", frames=4)
    assert [number_of(read_dumped_frames(path, [n])[0]) for n in (2, 4, 1)] == [2, 4, 1]
    assert len(indexed) == 1
    write(path, frames=9)
    assert number_of(read_dumped_frames(path, [9])[0]) == 9
    assert len(indexed) == 2
