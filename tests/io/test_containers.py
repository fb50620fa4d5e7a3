"""Files that would make FFmpeg open other files or addresses, or decode frames that no memory
holds, are refused before they can."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import av
import pytest
from numbered_video import HEIGHT, WIDTH, number_of, write

from vidsgg.errors import DataError
from vidsgg.io import containers
from vidsgg.io.video import VideoReader

LISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.4,\n{0}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile {0}\n",
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"'
        ' type="static"><Period><AdaptationSet><Representation'
        ' id="1"><BaseURL>{0}</BaseURL></Representation></AdaptationSet></Period></MPD>'
    ),
    "sdp": (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96"
        " H264/90000\n"
    ),
}


@pytest.mark.parametrize("name", ["v.mp4", "v.m3u8", "v.ffconcat", "v"])
@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_other_files_are_not_followed(tmp_path: Path, kind: str, name: str) -> None:
    write(tmp_path / "secret.ts", frames=20)
    (tmp_path / name).write_text(LISTS[kind].format("secret.ts"), encoding="utf-8")
    if kind == "concat":  # this is what would happen
        with av.open(str(tmp_path / name)) as followed:
            assert len(list(followed.decode(video=0))) == 20
    with pytest.raises(
        DataError, match=r"(?s)v\S*: (is of a format that is not read, or a list of other files|not a readable video)"
    ):
        VideoReader(tmp_path / name)


@pytest.mark.parametrize("kind", ["hls", "concat"])
def test_no_address_is_called(tmp_path: Path, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        (tmp_path / "v.mp4").write_text(
            LISTS[kind].format(f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"), encoding="utf-8"
        )
        with pytest.raises(DataError, match=r"v\.mp4: "):
            VideoReader(tmp_path / "v.mp4")
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["concat:a.mp4", "http:a.mp4", "a:b.mp4", "-i.mp4", "%03d.mp4"])
def test_a_name_is_never_an_address(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(write(tmp_path / "plain.mp4", frames=3).read_bytes())
    assert number_of(VideoReader(Path(name)).read([2])[0]) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(DataError, match=r"pipe\.mp4: is not a video file"):
        VideoReader(tmp_path / "pipe.mp4")


def test_every_format_is_known_to_ffmpeg() -> None:
    ours = set(containers.FORMATS.split(","))
    assert {"hls", "concat", "concatf", "dash", "image2", "sdp", "rtsp", "tty", "imf", "lavfi"}.isdisjoint(ours)
    assert {"mov", "matroska", "avi", "mpegts", "h264"} <= ours


def enlarged(path: Path, width: int, height: int) -> Path:
    """A file whose header says that its pictures are so large."""
    data = path.read_bytes()
    at = data.index(b"avc1", data.index(b"stsd"))
    path.write_bytes(data[: at + 28] + struct.pack(">HH", width, height) + data[at + 32 :])
    return path


@pytest.mark.parametrize(("width", "height"), [(65535, 65535), (65535, 2)])
def test_sizes_that_a_header_claims(tmp_path: Path, width: int, height: int) -> None:
    """FFmpeg believes the pictures more than the header; whoever it believes, nothing large is
    made."""
    try:
        reader = VideoReader(enlarged(write(tmp_path / "v.mp4", frames=3), width, height))
        assert reader.read([1])[0].shape == (HEIGHT, WIDTH, 3)
    except DataError as error:
        assert "v.mp4: " in str(error)


def large(path: Path, width: int, height: int) -> Path:
    with av.open(str(path), "w") as out:
        track = out.add_stream("mjpeg", rate=1)
        track.width, track.height, track.pix_fmt = width, height, "yuvj420p"
        out.mux(track.encode(av.VideoFrame(width, height, "yuvj420p")))
        out.mux(track.encode())
    return path


def test_frames_beyond_the_limit_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = large(tmp_path / "v.avi", 400, 300)
    assert VideoReader(path).read([1])[0].shape == (300, 400, 3)
    monkeypatch.setattr(containers, "MOST_FRAME_PIXELS", 400 * 300 - 1)
    with pytest.raises(DataError, match=r"v\.avi: .*million pixels"):
        VideoReader(path)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<II", 400, 300), struct.pack("<II", 40, 30)))
    with pytest.raises(DataError, match=r"v\.avi: "):
        VideoReader(path).read([1])


def test_a_thread_of_pixels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"v\.avi: is 4000 x 16 pixels; no side may be longer than 20 times the other"):
        VideoReader(large(tmp_path / "v.avi", 4000, 16))
