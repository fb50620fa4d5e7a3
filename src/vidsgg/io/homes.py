"""Folders that a program keeps for itself, removing in them what it made: they carry a mark, and no
other folder becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from vidsgg.errors import ConfigError
from vidsgg.io.atomic import is_temporary, write_whole
from vidsgg.io.links import is_link
from vidsgg.io.locations import Location

_BY_ITSELF = {".DS_Store", "desktop.ini", "Thumbs.db"}  # what file managers put into folders


def unmarked_entries(folder: Location, mark: Location) -> list[Location]:
    """What lies in a folder whose mark is missing; nothing if it is there, or if the folder is new.

    What file managers put there is left out, and temporary files of ours. The folder is listed
    before the mark is looked for: another process that makes it just now writes the mark first.
    """
    try:
        entries = [path for path in folder.iterdir() if path.name not in _BY_ITSELF and not is_temporary(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [] if mark.is_file() else entries


def claim_home(folder: Path, program: str, option: str, *, unmarked: Callable[[Path], bool]) -> None:
    """Make and mark the folder of a program, such as ``.vidsgg-app``, if it is new, empty, or one
    of an earlier version.

    program: 'app' or 'demo'. option: the one that names the folder. unmarked: whether a folder
    without a mark is one that the program made before there were marks. Raises ConfigError for any
    other folder, OSError if it cannot be written to.
    """
    mark = folder / f".vidsgg-{program}"
    if unmarked_entries(folder, mark) and not unmarked(folder):
        raise ConfigError(
            f"option {option}: {folder} is not empty and no folder of 'vidsgg {program}' ({mark.name} is missing);"
            " name another folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    if not mark.is_file():
        write_whole(mark, f"'vidsgg {program}' removes in this folder what it has made. It touches nothing else.\n")


def remove_made(folder: Path, patterns: Iterable[str]) -> None:
    """Remove the files below a folder that match patterns such as ``videos/S*.mp4``, then each
    folder of them that is empty, and ``folder`` itself if it is. Everything else stays. Links are
    not followed. Raises OSError if a file cannot be removed.
    """
    if is_link(folder) or not folder.is_dir():
        return
    places = {folder}
    for pattern in patterns:
        for path in folder.glob(pattern):
            parents = list(path.relative_to(folder).parents)[:-1]
            if any(is_link(folder / parent) for parent in parents):
                continue
            places.update(folder / parent for parent in parents)
            if path.is_file() or is_link(path):
                path.unlink()
            else:
                places.add(path)
    for place in sorted(places, key=lambda place: len(place.parts), reverse=True):
        if not any(entry.name not in _BY_ITSELF for entry in place.iterdir()):
            for entry in place.iterdir():
                entry.unlink()
            place.rmdir()
