"""The videos that a command line names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from vidsgg.errors import ConfigError, counted
from vidsgg.io.footage import PICTURES, VIDEOS, picture_files
from vidsgg.io.locations import Location, location
from vidsgg.options import closest


def find_videos(words: Sequence[str]) -> list[Location]:
    """Video files and folders of pictures, each once. A folder stands for its videos, its pictures,
    or its sub-folders of pictures.

    Raises ConfigError naming what is not there, and folders that hold none of these, or videos and
    pictures.
    """
    found: list[Location] = []
    for path in map(location, words):
        if path.is_dir():
            found += _in_folder(path)
        elif path.exists():
            found.append(path)
        else:
            there = sorted(file.name for file in path.parent.iterdir()) if path.parent.is_dir() else []
            near = closest(path.name, there)
            raise ConfigError(f"{path} does not exist{near}")
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def _in_folder(folder: Location) -> list[Location]:
    inside = cast(list[Location], list(folder.iterdir()))
    videos = sorted(file for file in inside if file.suffix.lower() in VIDEOS and not file.name.startswith("."))
    pictures = picture_files(folder)
    if videos and pictures:
        raise ConfigError(
            f"{folder} holds {counted(len(videos), 'video')} and {counted(len(pictures), 'picture')}; name the videos, or put the pictures"
            " elsewhere."
        )
    if videos or pictures:
        return videos or [folder]
    below = sorted(part for part in inside if part.is_dir() and picture_files(part))
    if not below:
        raise ConfigError(
            f"{folder} holds neither videos ({', '.join(sorted(VIDEOS))}) nor pictures ({', '.join(sorted(PICTURES))})."
        )
    return below
