"""Where files are: on this machine, or in object storage (``s3://``, ``gs://``, ``hf://``; fsspec).

``location`` turns what a user names into a ``Path`` or a ``RemotePath``, which has the methods of
``Path`` that are used here. Nothing else asks what kind of name it has.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import posixpath
import re
import stat
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import total_ordering
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeAlias, cast
from urllib.parse import unquote
from urllib.request import url2pathname

from vidsgg.errors import ConfigError, VidsggError

# The schemes that are read, and the package that fsspec needs for each.
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub"}
STREAMS = ("rtsp://", "rtsps://", "http://", "https://")  # of cameras, see io/live.py
READ_ONLY = frozenset(("hf",))  # every file written there would be a commit of its own
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)  # two letters at least: C:\ is a drive
_USER = re.compile(r"(://)[^/\s]*@")
_SECRET = re.compile(r"([?&][^=&\s]*(?:token|key|secret|sig|credential|password)[^=&\s]*=)[^&\s]+", re.IGNORECASE)
_SECRET_NAMES = re.compile(r"secret|token|password|credential|access_key", re.IGNORECASE)  # in the environment
_BLOCK, _BLOCKS = 2**20, 32  # bytes that are fetched at once, and how many such blocks an open file keeps
_VERSIONS = ("ETag", "etag", "generation", "blob_id", "LastModified", "mtime")  # of a file, as storages name them
_NO_BUCKET = re.compile(r"bucket does not exist|NoSuchBucket|no such bucket", re.IGNORECASE)
_LONGEST = 200  # letters of what a library says about an error


@total_ordering
@dataclass(frozen=True)
class RemotePath:
    """A file or a folder in object storage. Holds its name only, so it goes to any process.

    scheme: a key of ``PACKAGES``. key: bucket and name, such as ``films/2024/kitchen.mp4``. As with
    ``Path``, methods raise OSError with the place in it; a storage without permission, credentials or
    network is one too. Raises ConfigError if the scheme's package is not installed.
    """

    scheme: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.key}"

    def __lt__(self, other: RemotePath) -> bool:
        return (self.scheme, self.key.split("/")) < (other.scheme, other.key.split("/"))  # folder by folder, as Path

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(self.scheme, posixpath.join(self.key, name))

    @property
    def name(self) -> str:
        return PurePosixPath(self.key).name

    @property
    def stem(self) -> str:
        return PurePosixPath(self.key).stem

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.key).suffix

    def with_name(self, name: str) -> RemotePath:
        return self.parent / name

    def is_relative_to(self, other: object) -> bool:
        return isinstance(other, RemotePath) and (
            self == other or (self.scheme == other.scheme and self.key.startswith(f"{other.key}/"))
        )

    def relative_to(self, other: Location) -> PurePosixPath:
        """The rest of the name below a folder. Raises ValueError if the path is not below it."""
        if not isinstance(other, RemotePath) or not self.is_relative_to(other):
            raise ValueError(f"{self} does not lie below {other}")
        return PurePosixPath(self.key).relative_to(other.key)

    @property
    def parent(self) -> RemotePath:
        return RemotePath(self.scheme, posixpath.dirname(self.key) or self.key)

    @property
    def parts(self) -> tuple[str, ...]:
        return PurePosixPath(self.key).parts

    @property
    def bucket(self) -> RemotePath:
        """What the owner of the storage made: a bucket, on Hugging Face a repository."""
        count = 1 if self.scheme != "hf" else 3 if self.parts[0] in ("datasets", "spaces") else 2
        return RemotePath(self.scheme, "/".join(self.parts[:count]))

    def resolve(self) -> RemotePath:
        """Without ``..``."""
        return RemotePath(self.scheme, posixpath.normpath(self.key))

    def exists(self) -> bool:
        return self._info() is not None

    def is_file(self) -> bool:
        return (self._info() or {}).get("type") == "file"

    def is_dir(self) -> bool:
        return (self._info() or {}).get("type") == "directory"

    def stat(self) -> os.stat_result:
        """Kind and size. ``st_mtime_ns`` is not a time, but a number that changes with the content.
        Raises FileNotFoundError if there is nothing of that name."""
        with _told(self):
            return _status(self._system().info(self.key))

    def iterdir(self) -> Iterator[RemotePath]:
        """What lies in a folder; there is nothing in one that does not exist."""
        return iter(sorted(self / name for name in self.entries()))

    def entries(self) -> dict[str, os.stat_result]:
        """The names in a folder, each with what ``stat`` says of it. Empty if the folder does not
        exist."""
        with _told(self):
            try:
                found = self._system().ls(self.key, detail=True)
            except FileNotFoundError:
                found = []
        return {
            PurePosixPath(entry["name"]).name: _status(entry)
            for entry in found
            if entry["name"].rstrip("/") != self.key
        }

    def files_below(self) -> dict[RemotePath, os.stat_result]:
        """All files in a folder and in the folders in it, as ``entries``: one listing, however many
        folders there are."""
        with _told(self):
            try:
                found = self._system().find(self.key, detail=True)
            except FileNotFoundError:
                found = {}
        return {
            RemotePath(self.scheme, name): _status(entry)
            for name, entry in found.items()
            if entry["type"] != "directory" and not name.endswith("/") and name != self.key
        }

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """What below a folder has such names, found as far as it is asked for. pattern: of one name, or
        of several with ``/`` between them."""
        first, _, rest = pattern.partition("/")
        for path in self.iterdir():
            if fnmatchcase(path.name, first):
                yield from path.glob(rest) if rest else (path,)

    def open(self, mode: str = "rb") -> BinaryIO:
        """The file to read, by ranges: what is not read is not fetched."""
        if mode != "rb":
            raise ValueError(f"{self}: whole_path in io/atomic.py writes files")
        with _told(self):
            options = {"block_size": _BLOCK, "cache_type": "blockcache", "cache_options": {"maxblocks": _BLOCKS}}
            return cast(BinaryIO, RangeFile(self, self._system().open(self.key, "rb", **options)))

    def read_bytes(self) -> bytes:
        with _told(self):
            return cast(bytes, self._system().cat_file(self.key))

    @staticmethod
    def read_together(paths: Sequence[RemotePath]) -> list[bytes | OSError]:
        """Whole files of one storage, fetched at the same time; instead of one that cannot be read, the
        error."""
        system, keys = paths[0].system(), [path.key for path in paths]
        with _told(paths[0]):
            found = system.cat_ranges(keys, [None] * len(keys), [None] * len(keys), on_error="return")
        return [_told_of(path, content) for path, content in zip(paths, found, strict=True)]

    def read_ranges(self, parts: Sequence[tuple[int, int]]) -> list[bytes]:
        """Parts (begin, end) of the file, fetched at the same time."""
        begins, ends = [begin for begin, _ in parts], [end for _, end in parts]
        with _told(self):
            return cast(list[bytes], self._system().cat_ranges([self.key] * len(parts), begins, ends, on_error="raise"))

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: object storage has no folders, only names with ``/`` in them."""

    def put(self, file: Path, *, new: bool = False) -> None:
        """Upload a file, in place of what is there. Readers see the old one until the new one is whole.

        new: raise FileExistsError instead if something is there; of several who try at once, one
        succeeds.
        """
        self._check_writable()
        with _told(self):
            self._system().put_file(str(file), self.key, **({"mode": "create"} if new else {}))

    def create(self, content: bytes) -> None:
        """Write a small file that is not there yet. Raises FileExistsError if it is: of several who try
        at once, one succeeds."""
        self._check_writable()
        with _told(self):
            self._system().pipe_file(self.key, content, mode="create")

    def unlink(self, missing_ok: bool = False) -> None:
        with _told(self):
            try:
                self._system().rm_file(self.key)
            except FileNotFoundError:
                if not missing_ok:
                    raise

    def system(self) -> Any:
        """The fsspec file system, for libraries that read by themselves."""
        with _told(self):
            return self._system()

    def _system(self) -> Any:
        try:
            import fsspec

            system = fsspec.filesystem(self.scheme)  # the same one for the same process
        except ImportError:
            raise ConfigError(
                f"{self}: needs the package {PACKAGES[self.scheme]}: pip install 'vidsgg[storage]'"
            ) from None
        system.invalidate_cache()  # others write too
        return system

    def _info(self) -> dict[str, Any] | None:
        """What the storage says of the file or folder, None if there is none."""
        with _told(self):
            try:
                return dict(self._system().info(self.key))
            except FileNotFoundError:
                return None

    def _check_writable(self) -> None:
        if self.scheme in READ_ONLY:
            raise ConfigError(f"{self}: {self.scheme}:// is only read; write to s3:// or gs://, or to this machine.")


Location: TypeAlias = Path | RemotePath


class RangeFile(io.RawIOBase):
    """A file in object storage that is open to be read; errors are those of ``RemotePath``.

    ``leave_out`` makes parts of it zeros that are not fetched.
    """

    def __init__(self, path: RemotePath, file: Any) -> None:
        self._path, self._file, self._place = path, file, 0
        self._begins, self._ends = list[int](), list[int]()  # of what is left out, in order

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._file.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._file.size - self._place)
        size = left if size is None or size < 0 else min(size, left)
        parts = []
        end = self._place + size
        while self._place < end:
            stop, zeros = self._stretch(end)
            parts.append(bytes(stop - self._place) if zeros else self._fetched(self._place, stop))
            self._place = stop
        return b"".join(parts)

    def leave_out(self, parts: list[tuple[int, int]]) -> None:
        """From now on these parts (begin, end) read as zeros, and nothing of them is fetched."""
        parts = sorted(parts)
        self._begins, self._ends = [begin for begin, _ in parts], [end for _, end in parts]

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _stretch(self, end: int) -> tuple[int, bool]:
        """Up to where the file is of one kind from the place on, and whether that is zeros."""
        after = bisect_right(self._begins, self._place)
        if after and self._ends[after - 1] > self._place:
            return min(end, self._ends[after - 1]), True
        return min(end, self._begins[after]) if after < len(self._begins) else end, False

    def _fetched(self, begin: int, end: int) -> bytes:
        with _told(self._path):
            self._file.seek(begin)
            content = cast(bytes, self._file.read(end - begin))
        if len(content) != end - begin:
            raise OSError(errno.ECONNABORTED, "ended before its end", str(self._path))
        return content


def is_url(text: str) -> bool:
    """Whether a text begins as an address does. ``C:\\film.mp4`` does not."""
    return _URL.fullmatch(text) is not None


def is_stream(text: str) -> bool:
    """Whether a text is an address of a stream of pictures."""
    return text.lower().startswith(STREAMS)


def is_storage(text: str) -> bool:
    """Whether a text is an address that ``location`` takes."""
    found = _URL.fullmatch(text)
    return found is not None and found.group(1).lower() in (*PACKAGES, "file")


def masked(text: str) -> str:
    """A text without the passwords and keys that addresses in it may hold."""
    return _SECRET.sub(r"\1***", _USER.sub(r"\1***@", text))


def location(given: str | Path | RemotePath) -> Location:
    """What a user named: ``file://`` and names without ``://`` are paths of this machine.

    Raises ConfigError for other schemes than those of ``PACKAGES``, and for addresses with
    credentials in them, which would end in logs and graphs.
    """
    if isinstance(given, (Path, RemotePath)):
        return given
    found = _URL.fullmatch(given)
    if found is None:
        return Path(given)
    scheme, rest = found.group(1).lower(), found.group(2)
    if scheme == "file":
        return Path(url2pathname(unquote(rest.removeprefix("localhost"))) if os.name == "nt" else unquote(rest))
    if scheme not in PACKAGES:
        known = ", ".join(f"{name}://" for name in (*PACKAGES, "file"))
        raise ConfigError(f"{masked(given)[:200]}: no storage is called {scheme}://; {known} are read.")
    bucket = rest.partition("/")[0]
    if "@" in bucket or ":" in bucket or masked(given) != given:
        raise ConfigError(
            f"{masked(given)[:200]}: credentials in an address would end in logs and graphs; give them as the storage's"
            " own programs take them (environment, ~/.aws, 'gcloud auth', HF_TOKEN)."
        )
    key = str(PurePosixPath(rest)) if rest.strip("/") else ""
    if not bucket or not key:
        raise ConfigError(f"{given[:200]}: an address begins with the name of a bucket, as {scheme}://BUCKET/NAME.")
    return RemotePath(scheme, key)


def name_below(path: Location, folder: Location) -> str:
    """The name of a path below a folder, with ``/``. Raises ValueError if it is not below it."""
    if isinstance(path, RemotePath):
        return path.relative_to(folder).as_posix()
    return path.relative_to(cast(Path, folder)).as_posix()


def read_parts(path: Location, parts: Sequence[tuple[int, int]]) -> list[bytes]:
    """Parts (begin, end) of a file, in bytes."""
    if isinstance(path, RemotePath):
        return path.read_ranges(parts)
    found = []
    with path.open("rb") as file:
        for begin, end in parts:
            file.seek(begin)
            found.append(file.read(end - begin))
    return found


@contextmanager
def _told(path: RemotePath) -> Iterator[None]:
    """What a storage's library raises becomes an OSError that names the place, in one line, without
    secrets."""
    try:
        yield
    except VidsggError:
        raise
    except Exception as error:
        kind, said = type(error), _one_line(error)
        words = f"{kind.__module__}.{kind.__name__}".lower()
        if isinstance(error, FileExistsError):
            raise FileExistsError(errno.EEXIST, "is there already", str(path)) from error
        if isinstance(error, FileNotFoundError):
            what = "there is no such bucket" if _NO_BUCKET.search(said) else "no such file"
            raise FileNotFoundError(errno.ENOENT, what, str(path)) from error
        if "credential" in words or words.startswith("google.auth"):
            raise PermissionError(errno.EACCES, f"no credentials were found ({said})", str(path)) from error
        if isinstance(error, PermissionError):
            raise PermissionError(errno.EACCES, f"the storage gives no permission ({said})", str(path)) from error
        if isinstance(error, TimeoutError) or re.search(r"connect|timeout|proxy|dns|ssl", words):
            raise OSError(errno.EHOSTUNREACH, f"the storage cannot be reached ({said})", str(path)) from error
        if isinstance(error, OSError) or words.partition(".")[0] in _LIBRARIES:
            raise OSError(errno.ECONNABORTED, f"the storage refuses ({said})", str(path)) from error
        raise


def _told_of(path: RemotePath, content: bytes | Exception) -> bytes | OSError:
    """What was read of a file; an error as ``_told`` raises it."""
    if isinstance(content, bytes):
        return content
    try:
        with _told(path):
            raise content
    except OSError as error:
        return error


def _status(info: dict[str, Any]) -> os.stat_result:
    """What a storage says of a file or a folder, see ``RemotePath.stat``."""
    mode = stat.S_IFDIR if info["type"] == "directory" else stat.S_IFREG
    version = next((str(info[name]) for name in _VERSIONS if info.get(name)), "")
    number = int.from_bytes(hashlib.sha256(version.encode()).digest()[:7])
    return os.stat_result((mode, 0, 0, 0, 0, 0, info["size"] or 0, 0, 0, 0), {"st_mtime_ns": number})


_LIBRARIES = frozenset(
    ("botocore", "aiobotocore", "s3fs", "gcsfs", "google", "huggingface_hub", "aiohttp", "httpx", "requests", "fsspec")
)


def _one_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    for name, value in os.environ.items():
        if len(value) >= 8 and _SECRET_NAMES.search(name):
            text = text.replace(value, "***")
    return masked(" ".join(text.split()))[:_LONGEST]
