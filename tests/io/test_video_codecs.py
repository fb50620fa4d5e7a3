"""Sampled reading, with seeks, gives the pictures of decoding everything from the start: in number,
order and pixels, in any codec and container."""

from __future__ import annotations

import pickle
import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from films import decoded, film, packets, remuxed, scene

from vidsgg.errors import DataError
from vidsgg.io import video
from vidsgg.io.video import VideoReader

FRAMES = 80
X264 = {"g": "30", "bf": "3"}
OPEN = {"x264-params": "open-gop=1:keyint=30:min-keyint=30:scenecut=0:bframes=3"}
REFRESH = {"x264-params": "intra-refresh=1:keyint=30"}
INTERLACED = {"x264-params": "interlaced=1:keyint=30:bframes=2"}
X265 = "keyint=30:bframes=3:log-level=none:pools=1:open-gop="
VPX = {"g": "30", "auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8", "b": "100k"}
# Encoder, containers, pixels, options.
TABLE: list[tuple[str, str, str, dict[str, str]]] = [
    ("libx264", "mp4 mov mkv avi ts m2ts flv 3gp nut asf mpg h264", "yuv420p", X264),
    ("libx264", "mp4 mkv avi ts flv h264", "yuv420p", {"g": "30", "bf": "0"}),
    ("libx264", "mp4 mkv avi ts", "yuv420p", OPEN),
    ("libx264", "mp4 mkv ts", "yuv420p", REFRESH),
    ("libx264", "mp4 mkv ts", "yuv420p", INTERLACED),
    ("libx264", "mp4 mkv avi ts", "yuv444p", X264),
    ("libx264", "mp4", "yuv444p", {**X264, "qp": "0"}),
    ("libx264", "mp4", "yuv420p10le", X264),
    ("libx264rgb", "mp4", "rgb24", X264),
    ("libx265", "mp4 mkv ts hevc", "yuv420p", {"x265-params": X265 + "0"}),
    ("libx265", "mp4 mkv ts", "yuv420p", {"x265-params": X265 + "1"}),
    ("mpeg4", "mp4 mkv avi mov ts m4v", "yuv420p", {"g": "30", "bf": "2"}),
    ("mpeg4", "mp4 avi", "yuv420p", {"g": "30", "bf": "0"}),
    ("mpeg2video", "mp4 mkv avi ts mpg vob mxf m2v", "yuv420p", {"g": "30", "bf": "2"}),
    ("mpeg1video", "mkv avi mpg", "yuv420p", {"g": "30", "bf": "2"}),
    ("libvpx", "webm mkv avi ogg ivf", "yuv420p", VPX),
    ("libvpx-vp9", "webm mkv mp4 avi ivf", "yuv420p", VPX),
    ("libsvtav1", "webm mkv mp4 ivf obu", "yuv420p", {"g": "30", "preset": "12"}),
    ("mjpeg", "avi mov mkv mp4 mjpeg", "yuvj420p", {}),
    ("prores_ks", "mov", "yuv422p10le", {}),
    ("ffv1", "mkv avi", "yuv420p", {}),
    ("png", "mov", "rgb24", {}),
    ("gif", "gif", "rgb8", {}),
    ("apng", "apng", "rgb24", {}),
    ("wmv2", "asf avi", "yuv420p", {"g": "30"}),
    ("msmpeg4", "avi", "yuv420p", {"g": "30"}),
    ("flv", "flv", "yuv420p", {"g": "30"}),
    ("h263", "3gp", "yuv420p", {"g": "30"}),
    ("svq1", "mov", "yuv410p", {"g": "30"}),
    ("rv20", "rm", "yuv420p", {"g": "30"}),
    ("huffyuv", "avi", "yuv422p", {}),
    ("rawvideo", "avi", "yuv420p", {}),
]
# Without times of presentation for every packet, or with times of which FFmpeg makes up some.
TIMELESS = {"h264", "hevc", "mpg"}


@dataclass
class Decoding:
    """How often the reader sought."""

    sought: int = 0


@pytest.fixture
def decoding(monkeypatch: pytest.MonkeyPatch) -> Decoding:
    """Seeks wherever it can, and counts that."""
    done = Decoding()
    monkeypatch.setattr(video, "_SEEK_COST", 3)
    decode = VideoReader._decode

    def spy(self, container, stream, start):
        done.sought += start > 0
        return decode(self, container, stream, start)

    monkeypatch.setattr(VideoReader, "_decode", spy)
    return done


def agrees(path: Path, frames: int = FRAMES, track: int = 0) -> VideoReader:
    """The reader of a file of which samples have been compared with all of it."""
    whole, reader = decoded(path, track), VideoReader(path, as_stored=True)
    assert reader.count == len(whole) == frames
    last = frames
    for numbers in (
        list(range(1, last + 1)),
        [last],
        [5, last - 2],
        [frames // 3, 2 * frames // 3, last],
        *([n] for n in range(59, 65)),
    ):
        numbers = [n for n in numbers if n <= last]
        wrong = [
            n
            for n, picture in zip(numbers, reader.read(numbers), strict=True)
            if not np.array_equal(picture, whole[n - 1])
        ]
        assert wrong == [], f"of {numbers}"
    assert reader.times is None or (np.diff(reader.times) > 0).all()
    return reader


@pytest.mark.parametrize(
    ("codec", "container", "pixels", "options"),
    [
        pytest.param(codec, container, pixels, options, id=f"{codec}-{container}-{pixels}-{'-'.join(options.values())}")
        for codec, containers, pixels, options in TABLE
        for container in containers.split()
    ],
)
def test_samples_are_what_decoding_everything_gives(
    tmp_path: Path, decoding: Decoding, codec: str, container: str, pixels: str, options: dict[str, str]
) -> None:
    try:
        av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this PyAV cannot write {codec}")
    size = (352, 288) if codec == "h263" else (96, 64)
    reader = agrees(film(tmp_path / f"v.{container}", codec, pixels, FRAMES, size=size, **options))
    if container in TIMELESS:
        assert reader.times is None or reader.times[-1] == pytest.approx((FRAMES - 1) / 25, abs=0.1)
    else:
        assert reader.times == pytest.approx([n / 25 for n in range(FRAMES)], abs=0.011)  # GIF counts hundredths
    assert decoding.sought > 0 or container not in ("mp4", "mov", "mkv", "webm")
    assert np.array_equal(pickle.loads(pickle.dumps(reader)).read([FRAMES])[0], reader.read([FRAMES])[0])


PACKED = b"\0\0\1\xb2DivX503b1393p"  # marks a stream whose packets hold a picture and the B-frame before it
NOT_CODED = b"\0\0\1\xb6\x50\xcf"  # the empty packet that stands in the place of such a B-frame


def packed(path: Path, frames: int) -> Path:
    """MPEG-4 as DivX and XviD put it into AVI: a packet has a P- and a B-frame, and the next one
    nothing."""
    source = packets(
        film(path.with_name("source.avi"), "mpeg4", frames=frames, g="30", bf="1", sc_threshold="1000000000")
    )
    first = source[0].index(b"\0\0\1\xb6")
    group = source[0].find(b"\0\0\1\xb3")
    start = group if 0 <= group < first else first
    contents, rest = [source[0][:start] + PACKED + source[0][start:]], source[1:]
    kinds = [content[content.index(b"\0\0\1\xb6") + 4] >> 6 for content in rest]  # 1: P, 2: B, 0: I
    i = 0
    while i < len(rest):
        if i + 1 < len(rest) and kinds[i + 1] == 2:
            contents += [rest[i] + rest[i + 1], NOT_CODED]
            i += 2
        else:
            contents.append(rest[i])
            i += 1
    return remuxed(path.with_name("source.avi"), path, contents, Fraction(1, 25))


def test_packed_b_frames(tmp_path: Path) -> None:
    path = packed(tmp_path / "divx.avi", 60)
    assert NOT_CODED in packets(path)
    reader = agrees(path, 60)
    assert reader.times == pytest.approx([n / 25 for n in range(60)])


def test_packets_without_a_picture_are_no_frames(tmp_path: Path, decoding: Decoding) -> None:
    source = film(tmp_path / "source.mp4", "mpeg4", frames=60, g="1000", bf="0")
    contents = packets(source)
    for i in (50, 20, 3):
        contents.insert(i, NOT_CODED)
    path = remuxed(source, tmp_path / "v.mp4", contents, Fraction(1, 25))
    count = len(decoded(path))
    assert count <= 60  # some decoders lose a picture beside such a packet
    reader = agrees(path, count)
    assert reader.times is not None and reader.times[-1] < 63 / 25
    assert not {3, 21, 52} & {round(25 * time) for time in reader.times}


def test_times_of_decoding_taken_for_times_of_presentation(tmp_path: Path, decoding: Decoding) -> None:
    source = film(tmp_path / "source.h264", frames=60, **X264)
    contents = packets(source)
    path = remuxed(source, tmp_path / "v.mkv", contents, Fraction(1, 25))
    reader = agrees(path, 60)
    assert decoding.sought == 0
    assert reader.times == pytest.approx([n / 25 for n in range(60)])


@pytest.mark.parametrize(
    ("codec", "options"),
    [("libx264", X264), ("libx264", {"g": "30", "bf": "0"}), ("mpeg2video", {"g": "15", "bf": "2"})],
)
@pytest.mark.parametrize("lengths", [(40, 40), (50, 20, 8)])
def test_a_clock_that_goes_back(tmp_path: Path, codec: str, options: dict[str, str], lengths: tuple[int, ...]) -> None:
    parts, first = [], 0
    for i, length in enumerate(lengths):
        parts.append(film(tmp_path / f"{i}.ts", codec, frames=length, first=first, **options).read_bytes())
        first += length
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    reader = agrees(path, sum(lengths))
    assert reader.times is not None and reader.lost == 0
    # a picture's delay at each joint
    assert reader.times == pytest.approx([n / 25 for n in range(sum(lengths))], abs=0.09)


def test_a_recording_that_begins_between_key_frames(tmp_path: Path, decoding: Decoding) -> None:
    whole = film(tmp_path / "whole.ts", frames=100, **X264)
    content = whole.read_bytes()
    path = tmp_path / "cut.ts"
    # the tables, and what comes later
    path.write_bytes(content[: 188 * 3] + content[188 * (len(content) // 188 // 3) :])
    assert len(decoded(path)) < 80
    reader = agrees(path, len(decoded(path)))
    assert reader.times is not None and reader.times[0] == 0 and reader.refused == 0


def tracks(path: Path, *which: tuple[tuple[int, int], Disposition]) -> Path:
    """A file with several video tracks, each of a size; attached pictures are single."""
    with av.open(str(path), "w") as out:
        sound = out.add_stream("libmp3lame", rate=44100) if path.suffix == ".mp3" else None
        streams = []
        for size, disposition in which:
            still = disposition is Disposition.attached_pic
            stream = out.add_stream("mjpeg" if still else "mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p" if still else "yuv420p"
            stream.disposition = disposition
            streams.append(stream)
        out.start_encoding()
        for stream, (size, disposition) in zip(streams, which, strict=True):
            for i in range(1 if disposition is Disposition.attached_pic else 30):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(i, *size), format="rgb24")))
            out.mux(stream.encode())
        if sound is not None:
            for i in range(10):
                frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), format="fltp", layout="stereo")
                frame.sample_rate, frame.pts = 44100, i * 1152
                out.mux(sound.encode(frame))
            out.mux(sound.encode())
    return path


COVER, DEFAULT, PLAIN = Disposition.attached_pic, Disposition.default, Disposition(0)
SMALL, LARGE = (64, 48), (96, 64)


@pytest.mark.parametrize(
    ("name", "which", "taken"),
    [
        ("v.mkv", [(SMALL, PLAIN), (LARGE, PLAIN)], LARGE),
        ("v.mkv", [(LARGE, PLAIN), (SMALL, PLAIN)], LARGE),
        ("v.mkv", [(SMALL, DEFAULT), (LARGE, PLAIN)], SMALL),
        ("v.mkv", [(LARGE, PLAIN), (SMALL, DEFAULT)], SMALL),
        ("v.ts", [(SMALL, PLAIN), (LARGE, PLAIN)], LARGE),
        ("v.mp4", [(SMALL, DEFAULT), (LARGE, COVER)], SMALL),
    ],
)
def test_the_track_is_the_one_that_ffmpeg_takes(
    tmp_path: Path, name: str, which: list[tuple[tuple[int, int], Disposition]], taken: tuple[int, int]
) -> None:
    path = tracks(tmp_path / name, *which)
    assert VideoReader(path).read([3])[0].shape[1::-1] == taken
    if (ffmpeg := shutil.which("ffmpeg")) is not None:
        raw = subprocess.run(
            [ffmpeg, "-i", path, "-frames:v", "1", "-f", "rawvideo", "-"], capture_output=True, check=True
        ).stdout
        assert len(raw) == taken[0] * taken[1] * 3 // 2


def boxes(data: bytes) -> list[bytes]:
    """The boxes that lie one after another in a part of an MP4."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[:size])
        data = data[size:]
    return found


def test_a_cover_picture_before_the_film(tmp_path: Path) -> None:
    path = tracks(tmp_path / "v.mp4", (SMALL, DEFAULT), (LARGE, COVER))
    *first, moov = boxes(path.read_bytes())
    parts = sorted(boxes(moov[8:]), key=lambda box: [b"mvhd", b"udta", b"trak"].index(box[4:8]))
    path.write_bytes(b"".join([*first, moov[:8], *parts]))
    with av.open(str(path)) as container:
        assert container.streams.video[0].disposition & COVER
    agrees(path, 30, track=1)


def test_a_cover_picture_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"song\.mp3: has no video track, only a cover picture"):
        VideoReader(tracks(tmp_path / "song.mp3", (LARGE, COVER)))
