"""The videos that a command line names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidsgg.errors import ConfigError, counted
from vidsgg.io.footage import PICTURES, VIDEOS, picture_files
from vidsgg.options import closest


def find_videos(words: Sequence[str]) -> list[Path]:
    """Video files and folders of pictures, each once. A folder stands for its videos, its pictures,
    or its sub-folders of pictures.

    Raises ConfigError naming what is not there, and folders that hold none of these, or videos and
    pictures.
    """
    found: list[Path] = []
    for path in map(Path, words):
        if path.is_dir():
            found += _in_folder(path)
        elif path.exists():
            found.append(path)
        else:
            near = (
                closest(path.name, sorted(file.name for file in path.parent.iterdir())) if path.parent.is_dir() else ""
            )
            raise ConfigError(f"{path} does not exist{near}")
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def _in_folder(folder: Path) -> list[Path]:
    videos = sorted(
        file for file in folder.iterdir() if file.suffix.lower() in VIDEOS and not file.name.startswith(".")
    )
    pictures = picture_files(folder)
    if videos and pictures:
        raise ConfigError(
            f"{folder} holds {counted(len(videos), 'video')} and {counted(len(pictures), 'picture')}; name the videos, or put the pictures"
            " elsewhere."
        )
    if videos or pictures:
        return videos or [folder]
    below = sorted(part for part in folder.iterdir() if part.is_dir() and picture_files(part))
    if not below:
        raise ConfigError(
            f"{folder} holds neither videos ({', '.join(sorted(VIDEOS))}) nor pictures ({', '.join(sorted(PICTURES))})."
        )
    return below
