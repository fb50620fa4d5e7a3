"""Videos and folders of pictures as frames with times: the right ones, also of files that are odd
or damaged."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numbered_video import number_of, numbered, write
from PIL import Image as Pillow

from vidsgg.errors import DataError
from vidsgg.io.footage import open_footage, picture_files, sample, shown


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60), st.sampled_from([0.5, 2, 7, 30, 1000]))
def test_a_sample_is_what_is_on_the_screen_at_every_tick(steps: list[int], fps: float) -> None:
    times = [t / 1000 for t in np.cumsum([0, *steps[1:]])]
    on_screen = {
        max(i for i, t in enumerate(times) if t <= k / fps + 1e-6) for k in range(int(times[-1] * fps + 1e-6) + 1)
    }
    assert sample(times, fps) == sorted(on_screen)


@pytest.mark.parametrize(
    ("name", "how"),
    [("v.mp4", {}), ("v.mkv", {}), ("v.avi", {"codec": "mpeg4"}), ("v.ts", {}), ("raw.h264", {"format": "h264"})],
)
def test_two_frames_a_second_of_any_container(tmp_path: Path, name: str, how: dict[str, str]) -> None:
    footage = open_footage(write(tmp_path / name, frames=60, **how), fps=2)
    frames = list(footage.frames())
    assert [f.number for f in frames] == [number_of(f.image) for f in frames] == list(footage.numbers)
    assert footage.numbers[:3] == [1, 13, 26]
    assert [f.time for f in frames[:3]] == pytest.approx([0, 0.48, 1.0], abs=1e-3)
    assert [f.key for f in frames[:2]] == [f"{name}/000001", f"{name}/000013"]
    assert footage.notes == []


def test_a_variable_rate_is_followed_by_its_times(tmp_path: Path) -> None:
    stamps = [0, 40, 80, 3000, 3040, 3080, 3120, 5000]
    frames = list(open_footage(write(tmp_path / "v.mp4", frames=8, stamps=stamps), fps=2).frames())
    assert [number_of(f.image) for f in frames] == [f.number for f in frames] == [1, 3, 4, 7, 8]
    assert [f.time for f in frames] == pytest.approx([0, 0.08, 3.0, 3.12, 5.0], abs=1e-3)


def test_the_only_frame_and_asking_for_more_than_there_are(tmp_path: Path) -> None:
    assert [f.number for f in open_footage(write(tmp_path / "one.mp4", frames=1), fps=2).frames()] == [1]
    assert [f.number for f in open_footage(write(tmp_path / "v.mp4", frames=9), fps=1000).frames()] == list(
        range(1, 10)
    )


def test_frames_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4")
    assert [number_of(f.image) for f in open_footage(path, 2, wanted=[50, 3]).frames()] == [3, 50]
    with pytest.raises(DataError, match=r"v\.mp4: frame 61 was asked for, there are frames 1\.\.60"):
        open_footage(path, 2, wanted=[61])


def remuxed(source: Path, path: Path, **options: str) -> Path:
    with av.open(str(source)) as given, av.open(str(path), "w", options=options) as out:
        track = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)
    return path


def test_a_video_whose_end_is_missing_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = remuxed(write(tmp_path / "v.mp4", frames=200), tmp_path / "web.mp4", movflags="faststart")
    whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    footage = open_footage(whole, fps=25)
    frames = list(footage.frames())
    assert 40 < len(frames) < 120
    assert [number_of(f.image) for f in frames] == list(range(1, len(frames) + 1))
    seconds = 0.04 * (200 - footage.numbers[-1])
    assert (
        footage.notes[0]
        == f"the end of the file is missing: {seconds + 0.04:.1f} seconds after frame {footage.numbers[-1]}"
    )


def test_damage_in_the_middle_costs_the_frames_up_to_the_next_key_frame(tmp_path: Path) -> None:
    whole = remuxed(write(tmp_path / "v.mp4", frames=120), tmp_path / "web.mp4", movflags="faststart")
    data = bytearray(whole.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes((7 * byte + 13) % 256 for byte in data[middle : middle + 200])
    whole.write_bytes(data)
    footage = open_footage(whole, fps=25)
    frames = list(footage.frames())
    numbers = [f.number for f in frames]
    gone = sorted(set(range(1, 121)) - set(numbers))
    assert 1 < gone[0] <= gone[-1] < gone[0] + 24  # two groups of pictures at most
    assert [number_of(f.image) for f in frames if f.number < gone[0] or f.number >= gone[0] + 24] == [
        n for n in numbers if n < gone[0] or n >= gone[0] + 24
    ]
    assert len(footage.notes) == 1
    assert footage.notes[0].startswith(f"{len(gone)} of 120 frames cannot be decoded and are left out: ")


@pytest.mark.parametrize("content", [b"", b"no video at all", b"\0" * 5000])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(DataError, match=r"v\.mp4: "):
        open_footage(tmp_path / "v.mp4", 2)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        track = out.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        out.mux(track.encode(sound))
        out.mux(track.encode())
    with pytest.raises(DataError, match="has no video track"):
        open_footage(tmp_path / "a.mp4", 2)


def pictures(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for i, name in enumerate(names):
        Pillow.fromarray(numbered(i + 1)).save(folder / name)
    return folder


def test_a_folder_of_pictures_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "walk", "2.png", "10.png", "1.png", ".hidden.png", "B.JPG")
    (folder / "notes.txt").write_text("not a picture")
    footage = open_footage(folder, fps=4)
    frames = list(footage.frames())
    assert [f.key for f in frames] == ["walk/1.png", "walk/2.png", "walk/10.png", "walk/B.JPG"]
    assert [number_of(f.image) for f in frames] == [3, 1, 2, 5]
    assert [(f.number, f.time) for f in frames] == [(1, 0.0), (2, 0.25), (3, 0.5), (4, 0.75)]


def test_broken_pictures_are_left_out_and_noted(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "walk", "1.png", "2.png", "3.png")
    (folder / "2.png").write_bytes(b"broken")
    footage = open_footage(folder, fps=2)
    assert [f.number for f in footage.frames()] == [1, 3]
    why = "not a picture of a known kind (JPEG, PNG, BMP, WEBP, TIFF); convert it, or copy it again."
    assert footage.notes == [f"1 of 3 frames cannot be decoded and are left out: 2 ({why})"]
    for file in picture_files(folder):
        file.write_bytes(b"broken")
    with pytest.raises(DataError, match="no picture can be read"):
        list(open_footage(folder, fps=2).frames())


def test_a_folder_without_pictures_and_a_single_picture(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no picture"):
        open_footage(tmp_path / "empty", 2)
    folder = pictures(tmp_path / "one", "a.png")
    assert [(f.key, f.time) for f in open_footage(folder / "a.png", 2).frames()] == [("a.png/a.png", 0.0)]


def test_names_that_are_no_text_can_be_written() -> None:
    assert shown("caf\udce9.mp4").encode() == b"caf?.mp4"


def odd(path: Path, width: int, height: int, frames: int, rate: int, codec: str, pixels: str, **options: str) -> Path:
    """Frames that brighten from black to white."""
    with av.open(str(path), "w") as out:
        track = out.add_stream(codec, rate=rate, options=options)
        track.width, track.height, track.pix_fmt = width, height, pixels
        for i in range(frames):
            grey = np.full((height, width, 3), 255 * i // max(1, frames - 1), np.uint8)
            out.mux(track.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(track.encode())
    return path


@pytest.mark.parametrize(
    ("name", "size", "how"),
    [
        ("odd.mkv", (127, 95), ("ffv1", "yuv420p")),
        ("deep.mp4", (128, 96), ("libx264", "yuv420p10le")),
        ("4k.mp4", (3840, 2160), ("libx264", "yuv420p")),
        ("high.webm", (90, 160), ("libvpx-vp9", "yuv444p")),
        ("tiny.mp4", (16, 16), ("mpeg4", "yuv420p")),
    ],
)
def test_sizes_and_depths_that_are_not_usual(
    tmp_path: Path, name: str, size: tuple[int, int], how: tuple[str, str]
) -> None:
    frames = list(open_footage(odd(tmp_path / name, *size, 3, 10, *how), fps=10).frames())
    assert [f.image.shape for f in frames] == [(size[1], size[0], 3)] * 3
    assert [f.image.mean() for f in frames] == pytest.approx([0, 127, 255], abs=4)


def test_three_hours_are_sampled_without_being_held(tmp_path: Path) -> None:
    path = odd(tmp_path / "long.mp4", 32, 32, 10800, 1, "libx264", "yuv420p", preset="ultrafast", g="60")
    footage = open_footage(path, fps=1 / 600)
    frames = [(f.number, f.time, f.image.mean()) for f in footage.frames()]
    assert [(number, time) for number, time, _ in frames] == [(600 * i + 1, 600.0 * i) for i in range(18)]
    assert [mean for _, _, mean in frames] == pytest.approx([255 * i / 18 for i in range(18)], abs=4)
