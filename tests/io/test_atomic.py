"""Files are there whole or not at all; what killed writers leave behind goes, and nothing else."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from symlinks import link

from vidsgg.io import atomic
from vidsgg.io.atomic import left_behind, remove_left_behind, whole_file, whole_path

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and locks of POSIX")
MARKED = ".vidsgg-0123456789abcdef-a.json.tmp"
NOT_OURS = (
    ".a.json.tmp",
    ".vidsgg-0123456789abcdef-a.json",
    ".vidsgg-012-a.tmp",
    "vidsgg-0123456789abcdef-a.tmp",
    ".a.0123456789abcdef.tmp",
)


def write(path: Path, content: bytes = b"new") -> None:
    with whole_file(path) as file:
        file.write(content)


def test_a_file_replaces_the_one_before(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write(tmp_path / "a", content)
        assert (tmp_path / "a").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    write(tmp_path / "a", b"before")
    with pytest.raises(error), whole_file(tmp_path / "a") as file:
        file.write(b"half")
        raise error
    assert (tmp_path / "a").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_temporary_name_is_ours_and_never_too_long(tmp_path: Path) -> None:
    name = "é" * 120  # 240 bytes of the 255 that file systems take
    with whole_path(tmp_path / name) as temporary:
        assert left_behind(tmp_path) == [temporary]
        temporary.write_bytes(b"1")
    assert (tmp_path / name).read_bytes() == b"1"


def test_only_what_is_ours_and_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in NOT_OURS:
        (tmp_path / name).write_bytes(b"of a user")
    for folder in (tmp_path, tmp_path / "below"):
        (folder / MARKED).write_bytes(b"half")
        os.utime(folder / MARKED, (1, 1))
    (tmp_path / MARKED.replace("a.json", "b")).mkdir()
    remove_left_behind(tmp_path)
    assert not (tmp_path / MARKED).exists()
    assert all((tmp_path / name).exists() for name in (*NOT_OURS, MARKED.replace("a.json", "b"), f"below/{MARKED}"))


def test_a_link_with_our_mark_is_left(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"1")
    link(tmp_path / MARKED, tmp_path / "precious")
    remove_left_behind(tmp_path)
    assert (tmp_path / MARKED).is_symlink()
    assert (tmp_path / "precious").read_bytes() == b"1"


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as file:
        file.write(b"new")
        code = (
            "import sys; from pathlib import Path; from vidsgg.io.atomic import remove_left_behind;"
            " remove_left_behind(Path(sys.argv[1]))"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
        remove_left_behind(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"new"


@posix
def test_what_a_killed_writer_left_goes_with_the_next_file(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from vidsgg.io.atomic import whole_file\n"
    code += (
        "with whole_file(Path(sys.argv[1])) as f:\n f.write(b'half'); f.flush(); print(1, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        write(tmp_path / "b")
        assert len(left_behind(tmp_path)) == 1
        process.send_signal(signal.SIGKILL)
    assert len(left_behind(tmp_path)) == 1
    atomic._cleaned.clear()  # as in a new process
    write(tmp_path / "c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]


@posix
def test_a_file_that_was_removed_before_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cleaner between the making and the locking of a temporary file."""
    import fcntl

    lock, removed = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        if not removed:
            removed.extend(left_behind(tmp_path))
            removed[0].unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    write(tmp_path / "a")
    assert len(removed) == 1
    assert (tmp_path / "a").read_bytes() == b"new"


def test_an_interrupt_while_the_file_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(descriptor: int) -> os.stat_result:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "fstat", interrupted)
        with whole_path(tmp_path / "a"):
            pass
    assert not list(tmp_path.iterdir())


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"1")
    write(link(tmp_path / "a", tmp_path / "precious"))
    assert (tmp_path / "precious").read_bytes() == b"1"
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is a folder") as caught:
        write(tmp_path)
    assert caught.value.filename == str(tmp_path)


@posix
@pytest.mark.parametrize("place", ["/dev/null", "/dev/stdout", "pipe"])
def test_devices_and_pipes_are_refused_not_replaced(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    if place == "pipe":
        os.mkfifo(path)
    before, started = path.lstat(), time.monotonic()
    with pytest.raises(OSError, match="is a device or a pipe"):
        write(path)
    assert path.lstat().st_ino == before.st_ino
    assert time.monotonic() - started < 5


@posix
@pytest.mark.parametrize("flush", [True, False])
def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path: Path, flush: bool) -> None:
    """A file size limit stands for a full disk."""
    code = (
        "import resource, sys; from pathlib import Path; from vidsgg.io.atomic import whole_file;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try:\n with whole_file(Path(sys.argv[1]), flush=bool(int(sys.argv[2]))) as file: file.write(bytes(100_000))\n"
        "except OSError as error: print(error.filename, error.strerror)"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "a"), str(int(flush))]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'a'} File too large\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "none"])
def test_a_new_file_replaces_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    def refuse(*names: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", str(names[0]), None, str(names[1]))

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "a"
    with whole_file(path, new=True) as first:
        first.write(b"first")
    with pytest.raises(FileExistsError) as raised, whole_file(path, new=True) as second:
        second.write(b"second")
    assert raised.value.filename == str(path) and path.read_bytes() == b"first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
