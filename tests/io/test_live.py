"""Cameras, streams and pipes as sources of frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from io_pipes import piped
from numbered_video import number_of, write

from vidsgg.errors import DataError
from vidsgg.io.live import LiveVideo, is_live


@pytest.mark.parametrize(
    ("word", "live"),
    [
        ("0", True), ("12", True), ("100", False), ("-", True), ("rtsp://10.0.0.7/stream", True),
        ("HTTPS://example.org/a.m3u8", True), ("kitchen.mp4", False), ("http", False), ("-1", False), ("ftp://a/b", False),
    ],
)  # fmt: skip
def test_what_is_live(word: str, live: bool) -> None:
    assert is_live(word) == live


def test_a_pipe_gives_every_wanted_frame_and_waits(tmp_path: Path) -> None:
    film = write(tmp_path / "a.mkv", frames=60)
    with piped(film.read_bytes()) as end:
        live = LiveVideo("-", 5, descriptor=end)
        seen = []
        for frame in live.frames():
            time.sleep(0.01)
            seen.append((frame.number, frame.time, number_of(frame.image)))
    assert [number for number, _, _ in seen] == list(range(1, 61, 5))
    assert [number for _, _, number in seen] == list(range(1, 61, 5))  # what the pictures themselves say
    assert [moment for _, moment, _ in seen] == pytest.approx([i / 5 for i in range(12)], abs=1e-3)
    assert (live.counts.taken, live.counts.dropped, live.name) == (12, 0, "pipe")


@pytest.mark.parametrize("content", [b"", b"this is no film" * 1000], ids=["nothing", "text"])
def test_a_pipe_without_a_film_is_one_message(content: bytes) -> None:
    with piped(content) as end, pytest.raises(DataError, match="standard input: cannot be opened as a video"):
        LiveVideo("-", 2, descriptor=end)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A film of two seconds behind an address of this machine."""
    write(tmp_path / "film.ts", frames=50, format="mpegts")
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:2,\nfile://{tmp_path}/film.ts\n#EXT-X-ENDLIST\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://user:secret@127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_slow_reader_gets_the_latest_picture_and_is_told_what_was_dropped(address: str) -> None:
    live = LiveVideo(f"{address}/film.ts?key=1", 25)
    begin, seen = time.monotonic(), []
    for frame in live.frames():
        time.sleep(0.3)
        seen.append(frame.number)
    assert 1.7 < time.monotonic() - begin < 6  # at the film's own pace, not at once
    assert seen == sorted(set(seen)) and 4 <= len(seen) <= 12
    assert live.counts.dropped >= 25 and live.counts.dropped + live.counts.taken <= 50
    assert not live.arrived.keys() - set(seen)
    assert "secret" not in live.name and "key" not in live.name


def test_it_ends_when_it_is_asked_to(address: str) -> None:
    live = LiveVideo(f"{address}/film.ts", 25)
    frames = live.frames()
    next(frames)
    live.stop()
    assert list(frames) == []


def test_an_address_leads_to_no_file_of_this_machine(address: str) -> None:
    with pytest.raises(DataError):
        list(LiveVideo(f"{address}/list.m3u8", 2).frames())


@pytest.mark.parametrize("source", ["99", "http://127.0.0.1:9/nothing", "rtsp://127.0.0.1:9/nothing"])
def test_what_is_not_there_is_one_message(source: str) -> None:
    with pytest.raises(DataError, match="cannot be opened as a video"):
        LiveVideo(source, 2)
