"""The frame numbers of ``ffmpeg -i VIDEO %06d.png``, on films of uneven rate: as recorded from the
program, and as it says itself."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest
from numbered_video import number_of, write
from PIL import Image as Pillow

from vidsgg.errors import DataError
from vidsgg.io.video import VideoReader, read_dumped_frames


def stamps(kind: str, frames: int = 40) -> list[int]:
    """Milliseconds of films at about 25 pictures a second."""
    rng = random.Random(kind)
    steps = {
        "even": [40] * frames,
        "gap": [40] * 10 + [400] + [40] * (frames - 11),
        "faster": [40] * (frames // 2) + [13] * (frames - frames // 2),
        "slower": [40] * (frames // 2) + [120] * (frames - frames // 2),
        "jitter": [rng.randint(24, 56) for _ in range(frames)],
        "mixed": [rng.choice([13, 20, 40, 40, 40, 80, 120]) for _ in range(frames)],
    }[kind]
    return np.cumsum([0, *steps[:-1]]).tolist()


def dumped_by_ffmpeg(video: Path) -> list[int]:
    """The pictures' numbers, by the authors' command."""
    folder = video.with_suffix("")
    folder.mkdir()
    subprocess.run(["ffmpeg", "-loglevel", "panic", "-i", video, folder / "%06d.png"], check=True)
    return [number_of(np.asarray(Pillow.open(file).convert("RGB"))) for file in sorted(folder.iterdir())]


def dumped(video: Path) -> list[int]:
    found = VideoReader(video).dumped()
    assert found is not None
    return [found.picture(number) for number in range(1, found.count + 1)]


def runs(numbers: list[int]) -> str:
    """As in ``1-9 10x3 12``: 1 to 9, then 10 three times, 11 not at all, then 12."""
    parts: list[list[int]] = []  # first, last, times
    for number in numbers:
        if parts and parts[-1][1] == number:
            if parts[-1][0] < number and parts[-1][2] == 1:
                parts[-1][1] -= 1
                parts.append([number, number, 1])
            parts[-1][2] += 1
        elif parts and parts[-1][1] == number - 1 and parts[-1][2] == 1:
            parts[-1][1] = number
        else:
            parts.append([number, number, 1])
    return " ".join(f"{a}-{b}" if a < b else f"{a}x{n}" if n > 1 else str(a) for a, b, n in parts)


# By kind and number of B-frames: what ``runs(dumped_by_ffmpeg(...))`` says of these films with
# ffmpeg 5.1.9.
RECORDED = {
    ("even", "0"): "1-40",
    ("even", "2"): "1-40",
    ("gap", "0"): "1-10 11x10 12-40",
    ("gap", "2"): "1-10 11x9 12x2 13-40",
    ("faster", "0"): "1-24 27 30 33 37 40",
    ("faster", "2"): "1-24 27 30 33 37 40",
    (
        "slower",
        "0",
    ): "1-20 21x3 22x3 23x3 24x3 25x3 26x3 27x3 28x3 29x3 30x3 31x3 32x3 33x3 34x3 35x3 36x3 37x3 38x3 39x3 40",
    (
        "slower",
        "2",
    ): "1-20 21x2 22x3 23x3 24x3 25x3 26x3 27x3 28x3 29x3 30x3 31x3 32x3 33x3 34x3 35x3 36x3 37x3 38x3 39x3 40x3",
    ("jitter", "0"): "1-22 23x2 24-40",
    ("jitter", "2"): "1-5 6x2 7-40",
    ("mixed", "0"): "1-4 5x2 6-11 12x2 13x2 14x2 15x2 16 17x2 18x2 19-27 29 31 33-35 37 39-40",
    ("mixed", "2"): "1-4 5x2 6-11 12x2 13x2 14x2 15x2 16 17x2 18x2 19-28 30 32-35 38-39",
}


@pytest.mark.parametrize(
    ("kind", "bf"), [(kind, bf) for kind in ("even", "gap", "faster", "slower", "jitter", "mixed") for bf in ("0", "2")]
)
def test_numbers_are_those_recorded_from_ffmpeg(tmp_path: Path, kind: str, bf: str) -> None:
    video = write(tmp_path / "v.mp4", frames=40, stamps=stamps(kind), bf=bf)
    assert runs(dumped(video)) == RECORDED[kind, bf]
    found = VideoReader(video).dumped()
    assert found is not None and found.even == (kind == "even")


def old_ffmpeg() -> bool:
    if shutil.which("ffmpeg") is None:
        return False
    said = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True).stdout
    version = re.match(r"ffmpeg version n?(\d+)", said)
    return version is not None and int(version[1]) < 6


with_ffmpeg = pytest.mark.skipif(
    not old_ffmpeg(), reason="no ffmpeg program of version 2.8 to 5.1 here, whose rule the authors' dump follows"
)


@with_ffmpeg
@pytest.mark.parametrize("seed", range(12))
def test_numbers_are_those_of_the_program(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    kind = rng.choice(["gap", "faster", "slower", "jitter", "mixed"])
    begin = rng.choice([0, 0, 90, 210])
    times = [begin + t for t in stamps(kind, rng.randint(15, 60))]
    video = write(tmp_path / "v.mp4", frames=len(times), stamps=times, bf=rng.choice(["0", "2"]))
    if rng.random() < 0.5:
        video = with_sound(video, tmp_path / "sound.mp4")
    assert runs(dumped(video)) == runs(dumped_by_ffmpeg(video))


def with_sound(video: Path, path: Path) -> Path:
    """The same with another track: ffmpeg then fills the time before the first picture."""
    with av.open(str(video)) as given, av.open(str(path), "w") as out:
        track = out.add_stream_from_template(given.streams.video[0])
        sound = out.add_stream("aac", rate=44100)
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)
        for i in range(40):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = 44100, 1024 * i
            out.mux(sound.encode(frame))
        out.mux(sound.encode())
    return path


def test_the_pictures_of_the_files(tmp_path: Path) -> None:
    video = write(tmp_path / "v.mp4", frames=40, stamps=stamps("gap"))
    numbers = dumped(video)
    assert len(numbers) > 45 and numbers != list(range(1, len(numbers) + 1))
    assert [number_of(picture) for picture in read_dumped_frames(video, [48, 3, 15, 20])] == [
        numbers[n - 1] for n in (48, 3, 15, 20)
    ]
    with pytest.raises(
        DataError,
        match=rf"v\.mp4: frame 200 was asked for, the video has frames 1\.\.{len(numbers)} as ffmpeg dumps them",
    ):
        read_dumped_frames(video, [200])


def test_the_longest_gap_costs_no_memory(tmp_path: Path) -> None:
    video = write(tmp_path / "v.mkv", frames=3, stamps=[0, 40, 10**12])
    found = VideoReader(video).dumped()
    assert found is not None and found.count > 10**8
    assert [found.picture(1), found.picture(10**8), found.picture(found.count)] == [1, 2, 3]


def test_a_video_without_times_is_counted(tmp_path: Path) -> None:
    video = write(tmp_path / "v.h264", frames=20, format="h264")
    assert VideoReader(video).dumped() is None
    assert VideoReader(video).dumped_frames([3, 20]) == [3, 20]
