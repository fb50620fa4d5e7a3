"""Annotation files as columns in one cache file: kept beside them, or in the user's cache folder,
for as long as the files stay the same."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidsgg.errors import DataError
from vidsgg.io.columns import load_columns, save_columns
from vidsgg.io.files import check_regular
from vidsgg.io.links import check_no_links
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location, RemotePath, name_below
from vidsgg.structures.checks import Array

CACHE_FOLDER = ".vidsgg"

_log = logging.getLogger(__name__)


def cache_home() -> Path:
    """The user's cache folder; VIDSGG_CACHE names another."""
    if named := os.environ.get("VIDSGG_CACHE"):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "vidsgg" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vidsgg"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vidsgg"


def folder_hash(root: Location) -> str:
    """A short name for a data set's folder in the user's cache folder."""
    return hashlib.sha256(str(root.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def split_cache_places(root: Location, name: str) -> list[Path]:
    """Where the cache of a split may lie, best first. name: of the format and the split."""
    here = cache_home() / f"{name}-{folder_hash(root)}.npz"
    return [root / CACHE_FOLDER / f"{name}.npz", here] if isinstance(root, Path) else [here]


class SourceFiles:
    """The files that a cache was made of: known by names, sizes and times, or else by content. Object
    storage has versions in place of times, which say all of the content."""

    def __init__(self, root: Location, files: Sequence[Location], listing: Listing | None = None) -> None:
        """listing: knows files in object storage. Raises DataError naming a file that cannot be looked
        at."""
        self.root, self.files = root, files
        digest = hashlib.sha256()
        for file in files:
            status = check_regular(file, listing=listing)
            digest.update(f"{name_below(file, self.root)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
        self.stamp = digest.hexdigest()

    def content(self) -> str:
        """A hash of all bytes. Raises DataError naming a file that cannot be read."""
        if isinstance(self.root, RemotePath):
            return self.stamp
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{name_below(file, self.root)}\0{content_hash(file)}\n".encode())
        return digest.hexdigest()


def content_hash(file: Location) -> str:
    """The SHA-256 of a file, in hexadecimal. Raises DataError if it cannot be read."""
    try:
        if isinstance(file, RemotePath):
            return hashlib.sha256(file.read_bytes()).hexdigest()
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); check its permissions.") from error


def read_annotation_cache(
    places: Sequence[Path], sources: SourceFiles, kind: str, version: int
) -> tuple[dict[str, Array], dict[str, Any]] | None:
    """Columns and header of the first cache that was made of these files; None if there is none.

    A cache that is torn, or of another version, is passed over.
    """
    content: str | None = None
    for place in places:
        if not place.is_file():
            continue
        try:
            columns, header = load_columns(place)
            if (header["format"], header["version"]) != (kind, version):
                continue
            if header["stamp"] == sources.stamp:
                return columns, header
            content = content or sources.content()
            if header["content"] == content:
                write_annotation_cache([place], sources, columns, header | {"stamp": sources.stamp})
                return columns, header
        except (DataError, KeyError, TypeError) as error:
            _log.warning("%s is not a usable cache (%s) and is made again", place, error)
    return None


def write_annotation_cache(
    places: Sequence[Path], sources: SourceFiles, columns: Mapping[str, Array], header: Mapping[str, Any]
) -> None:
    """Keep columns at the first place that can be written; where none can, files are read anew at
    every start, and the log says so."""
    for place in places:
        try:
            check_no_links(place.parent, below=sources.root)
            save_columns(place, columns, header)
            return
        except OSError as error:
            _log.info("cannot keep the annotation cache at %s: %s", place, error)
    _log.warning("the annotations are read at every start: none of %s can be written", [str(p) for p in places])
