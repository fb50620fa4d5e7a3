"""Where the parts of Action Genome lie in its folder: as its authors' tools put them, or as its
archives unpack.

The tools (JingweiJ/ActionGenome README) make ``annotations/``, ``videos/`` and ``frames/``. The
archive of the annotations holds a folder ``action_genome_v1.0``, that of the videos, Charades
scaled to 480p, a folder ``Charades_v1_480``. Some programs unpack an archive into one more folder
of its name.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

PERSONS, OBJECTS = "person_bbox.pkl", "object_bbox_and_relationship.pkl"
FRAMES, VIDEOS = "frames", "videos"
ARCHIVE, CHARADES = "action_genome_v1.0", "Charades_v1_480"

_ANNOTATIONS = ("annotations", f"annotations/{ARCHIVE}", ARCHIVE, f"{ARCHIVE}/annotations", f"{ARCHIVE}/{ARCHIVE}", ".")
_VIDEOS = (VIDEOS, CHARADES, f"{VIDEOS}/{CHARADES}", f"{CHARADES}/{CHARADES}")
_SUFFIXES = (".png", ".jpg", ".jpeg")  # the first that is there is taken


@dataclass(frozen=True)
class ActionGenomeLayout:
    """A data set's folder. Where nothing is found, the places are those of the authors' tools."""

    root: Path
    annotations: Path  # the folder of the pickles and the class files
    frames: tuple[Path, ...]  # folders that may hold VIDEO.mp4/NNNNNN.png, the first that has a picture counts
    videos: tuple[Path, ...]  # folders that may hold VIDEO.mp4

    def video(self, name: str) -> Path | None:
        """The file of a video. Raises OSError if a folder may not be entered."""
        return next((file for folder in self.videos if (file := folder / f"{name}.mp4").is_file()), None)

    def dumped(self, name: str) -> list[Path]:
        """The folders of a video's dumped frames, empty ones included. Raises OSError if a folder
        may not be entered."""
        return [place for folder in self.frames if (place := folder / f"{name}.mp4").is_dir()]


def find_layout(root: Path) -> ActionGenomeLayout:
    """Look for the parts below ``root``. Raises OSError if a folder may not be entered."""
    annotations = root / (_annotations(root) or _ANNOTATIONS[0])
    inside = annotations.relative_to(root)
    folders = [
        root,
        *(root / part for part in reversed(inside.parents) if part.parts),
        *([annotations] if inside.parts else []),
    ]
    return ActionGenomeLayout(
        root,
        annotations,
        tuple(folder / FRAMES for folder in folders),
        tuple(folder / name for folder in folders for name in _VIDEOS),
    )


def has_annotations(root: Path) -> bool:
    """Whether a pickle of the data set lies where ``find_layout`` looks. Raises OSError if a folder
    may not be entered."""
    return _annotations(root) is not None


def is_inner_folder(root: Path) -> bool:
    """Whether ``root`` only holds the annotations of a data set whose folder is the one above it.
    Raises OSError."""
    root = Path(os.path.abspath(root))
    if _annotations(root) != "." or root.name not in ("annotations", ARCHIVE):
        return False
    above = root.parent
    return root.name == "annotations" or any((above / name).is_dir() for name in (FRAMES, *_VIDEOS))


def picture_of(folders: list[Path], frame: str) -> Path | None:
    """The picture of a frame, given as ``000089``, in the folders of its video. Raises OSError if
    one may not be entered."""
    for folder in folders:
        for suffix in _SUFFIXES:
            if _is_file(place := os.path.join(folder, frame + suffix)):
                return Path(place)
    return None


def _is_file(path: str) -> bool:
    """As Path.is_file, without a Path for each: a run looks for every annotated frame before it
    begins."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _annotations(root: Path) -> str | None:
    return next(
        (inner for inner in _ANNOTATIONS if any((root / inner / name).is_file() for name in (PERSONS, OBJECTS))), None
    )
