"""Files in object storage: read by ranges, written whole, and what goes wrong is one message without
secrets."""

from __future__ import annotations

import errno
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from buckets import KEYS, Buckets, upload
from films import film, packets, remuxed

from vidsgg.errors import ConfigError, DataError
from vidsgg.io import locations
from vidsgg.io.atomic import whole_file, write_whole
from vidsgg.io.containers import leave_out_contents, open_container
from vidsgg.io.files import read_text
from vidsgg.io.footage import open_footage
from vidsgg.io.frame_index import index_frames
from vidsgg.io.graphs import from_path, path_to
from vidsgg.io.identity import content_of
from vidsgg.io.images import read_image
from vidsgg.io.locations import RemotePath, location
from vidsgg.io.video import VideoReader
from vidsgg.io.video import _opened as opened


def remote(text: str) -> RemotePath:
    found = location(text)
    assert isinstance(found, RemotePath)
    return found


def test_a_name_is_a_path_or_an_address() -> None:
    for name in ("film.mp4", "C:\\films\\a.mp4", "C:/films/a.mp4", "C://a.mp4", "a:b", "s3:/films/a.mp4"):
        assert location(name) == Path(name)
    assert location("file:///films/a%20b.mp4") == Path("/films/a b.mp4") or sys.platform == "win32"
    film = remote("S3://films/2024//a.mp4")
    assert (str(film), film.name, film.stem, film.suffix) == ("s3://films/2024/a.mp4", "a.mp4", "a", ".mp4")
    assert (film.parent, film.bucket) == (remote("s3://films/2024"), remote("s3://films"))
    assert remote("hf://datasets/org/name/a.mp4").bucket == remote("hf://datasets/org/name")
    assert film.parent / "a.mp4" == film


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("s3://key:word@films/a.mp4", r"s3://\*\*\*@films/a.mp4: credentials in an address"),
        ("s3://films/a.mp4?X-Amz-Signature=word", r"Signature=\*\*\*: credentials in an address"),
        ("ftp://host/a.mp4", "no storage is called ftp://; s3://, gs://, hf://, file:// are read"),
        ("simplecache::s3://films/a", "no storage"),
        ("s3://", "begins with the name of a bucket"),
    ],
)
def test_other_addresses_are_refused_without_their_secrets(given: str, said: str) -> None:
    if given.startswith("simplecache"):  # fsspec's chains of file systems are plain names here
        assert isinstance(location(given), Path)
        return
    with pytest.raises(ConfigError, match=said) as error:
        location(given)
    assert "word" not in str(error.value)


def test_where_a_graph_says_that_its_video_is(tmp_path: Path) -> None:
    graph, film = remote("s3://lab/graphs/a.graph.json"), remote("s3://lab/films/a.mp4")
    for video, file, said in (
        (film, graph, "../films/a.mp4"),
        (film, remote("s3://out/a.graph.json"), "s3://lab/films/a.mp4"),
        (film, tmp_path / "a.graph.json", "s3://lab/films/a.mp4"),
        (tmp_path / "a.mp4", graph, (tmp_path / "a.mp4").as_posix()),
        (tmp_path / "a.mp4", tmp_path / "g" / "a.graph.json", "../a.mp4"),
    ):
        assert path_to(video, file) == said
        assert from_path(said, file.parent).resolve() == video.resolve()
    assert from_path("s3://key:word@lab/a.mp4", tmp_path) == tmp_path / "s3://key:word@lab/a.mp4"


def test_files_are_written_whole_and_read(buckets: Buckets, tmp_path: Path) -> None:
    bucket = buckets.new()
    write_whole(bucket / "a" / "b.txt", "grüße")
    assert read_text(bucket / "a" / "b.txt", 100) == "grüße"
    with pytest.raises(RuntimeError), whole_file(bucket / "a" / "b.txt") as file:
        file.write(b"half")
        raise RuntimeError
    assert read_text(bucket / "a" / "b.txt", 100) == "grüße"
    (bucket / "a" / "c.txt").create(b"first")
    with pytest.raises(FileExistsError):
        (bucket / "a" / "c.txt").create(b"second")
    assert [path.name for path in (bucket / "a").iterdir()] == ["b.txt", "c.txt"]
    assert list((bucket / "a").glob("c*")) == [bucket / "a" / "c.txt"]
    assert ((bucket / "a").is_dir(), (bucket / "a").is_file(), (bucket / "x").exists()) == (True, False, False)
    with (bucket / "a" / "b.txt").open() as text:
        text.seek(-3, 2)
        assert text.read() == "ße".encode()
    (bucket / "a" / "b.txt").unlink()
    (bucket / "a" / "b.txt").unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"b\.txt: cannot be read \(no such file\)"):
        read_text(bucket / "a" / "b.txt", 100)
    with pytest.raises(DataError, match="most"):
        read_text(bucket / "a" / "c.txt", 3)


FILMS = {
    "x264.mp4": {"bf": "3", "g": "12"},
    "faststart.mp4": {"movflags": "+faststart"},
    "fragmented.mp4": {"movflags": "frag_keyframe+empty_moov"},
    "a.mov": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "a.mkv": {},
    "a.avi": {"codec": "mpeg4"},
    "a.ts": {},
}


@pytest.mark.parametrize("name", FILMS)
def test_a_video_there_is_the_video_here(tmp_path: Path, name: str) -> None:
    options = dict(FILMS[name])
    here = film(tmp_path / name, frames=60, **options)
    there = upload(here, RemotePath("memory", f"/{name}"), name)  # a storage of fsspec's own
    ours, theirs = VideoReader(here), VideoReader(there)
    for known in ("count", "fps", "times", "lost", "refused", "_stamps", "_keys", "_seeks", "_durations"):
        assert getattr(ours, known) == getattr(theirs, known), known
    for first, second in zip(ours.read([1, 37, 60]), theirs.read([1, 37, 60]), strict=True):
        assert np.array_equal(first, second)
    assert content_of(there).is_in(here) and content_of(here).is_in(there)
    assert not content_of(there).is_in(film(tmp_path / f"other{name}", frames=61, **options))


def test_of_a_long_film_only_what_is_needed_is_fetched(buckets: Buckets, tmp_path: Path) -> None:
    one = film(tmp_path / "one.mov", "mjpeg", "yuvj420p", frames=1, size=(640, 480), qmin="1", qmax="1")
    here = remuxed(one, tmp_path / "long.mov", packets(one) * 300, Fraction(1, 25))
    there = upload(here, buckets.new())
    size, begun = here.stat().st_size, buckets.sent[there.key]
    assert size > 15e6
    footage = open_footage(there, 25.0, [2, 240])
    known = content_of(there)
    assert [frame.number for frame in footage.frames()] == [2, 240] and footage.count == VideoReader(here).count
    sent = buckets.sent[there.key] - begun
    assert sent < 0.5 * size, f"{sent / size:.0%} of the film were fetched"
    assert known.is_in(here)


def test_contents_are_left_out_of_files_in_storage_only(tmp_path: Path) -> None:
    here = film(tmp_path / "a.mp4", frames=20)
    with open_container(here) as container:
        leave_out_contents(container)
        assert all(any(bytes(packet)) for packet in container.demux(video=0) if packet.size)
    assert index_frames(lambda: opened(here)).count == 20


def test_pictures_there(buckets: Buckets, tmp_path: Path) -> None:
    from PIL import Image

    bucket = buckets.new()
    for number in (1, 2, 10):
        Image.new("RGB", (8, 6), (number, 0, 0)).save(tmp_path / f"{number}.png")
        upload(tmp_path / f"{number}.png", bucket / "shots")
    footage = open_footage(bucket / "shots", 1.0)
    assert [int(frame.image[0, 0, 0]) for frame in footage.frames()] == [1, 2, 10]
    assert footage.name == "shots" and read_image(bucket / "shots" / "2.png").shape == (6, 8, 3)
    assert content_of(bucket / "shots") == content_of(tmp_path)


def test_what_a_storage_refuses_is_one_line(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="no such bucket"):
        remote("s3://no-such-bucket/a").read_bytes()
    with pytest.raises(OSError, match=r"no such bucket|refuses"):
        write_whole(remote("s3://no-such-bucket/a"), "x")
    with pytest.raises(ConfigError, match="hf:// is only read"):
        write_whole(remote("hf://datasets/org/name/a"), "x")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ConfigError, match=r"gs://a/b: needs the package gcsfs: pip install 'vidsgg\[storage\]'"):
        remote("gs://a/b").exists()


def test_no_secret_of_the_environment_is_told(buckets: Buckets) -> None:
    said = locations._one_line(
        OSError(f"denied\n to {KEYS['AWS_SECRET_ACCESS_KEY']}, see https://me:word@host/a?token=b")
    )
    assert said == "denied to ***, see https://***@host/a?token=***"


def test_no_network_and_no_permission(buckets: Buckets, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    bucket = buckets.new()
    write_whole(bucket / "a", "x")

    with monkeypatch.context() as patched:
        patched.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)  # the server looks at keys
        with pytest.raises(PermissionError, match="the storage gives no permission"):
            (bucket / "a").read_bytes()
    s3fs.S3FileSystem.clear_instance_cache()
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(OSError) as unreached:
            (bucket / "a").exists()
        assert unreached.value.errno == errno.EHOSTUNREACH and "cannot be reached" in str(unreached.value)
        s3fs.S3FileSystem.clear_instance_cache()
        patched.setenv("AWS_ENDPOINT_URL", buckets.url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patched.delenv(name)
        with pytest.raises(PermissionError, match="no credentials were found"):
            (bucket / "a").read_bytes()
    s3fs.S3FileSystem.clear_instance_cache()
    assert (bucket / "a").read_bytes() == b"x"
