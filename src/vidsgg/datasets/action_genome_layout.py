"""Where the parts of Action Genome lie in its folder: as its authors' tools put them, or as its
archives unpack.

The tools (JingweiJ/ActionGenome README) make ``annotations/``, ``videos/`` and ``frames/``. The
archive of the annotations holds a folder ``action_genome_v1.0``, that of the videos, Charades
scaled to 480p, a folder ``Charades_v1_480``. Some programs unpack an archive into one more folder
of its name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location, RemotePath

PERSONS, OBJECTS = "person_bbox.pkl", "object_bbox_and_relationship.pkl"
FRAMES, VIDEOS = "frames", "videos"
ARCHIVE, CHARADES = "action_genome_v1.0", "Charades_v1_480"

_ANNOTATIONS = ("annotations", f"annotations/{ARCHIVE}", ARCHIVE, f"{ARCHIVE}/annotations", f"{ARCHIVE}/{ARCHIVE}", ".")
_VIDEOS = (VIDEOS, CHARADES, f"{VIDEOS}/{CHARADES}", f"{CHARADES}/{CHARADES}")
_SUFFIXES = (".png", ".jpg", ".jpeg")  # the first that is there is taken


@dataclass(frozen=True)
class ActionGenomeLayout:
    """A data set's folder. Where nothing is found, the places are those of the authors' tools."""

    root: Location
    annotations: Location  # the folder of the pickles and the class files
    frames: tuple[Location, ...]  # folders that may hold VIDEO.mp4/NNNNNN.png, the first that has a picture counts
    videos: tuple[Location, ...]  # folders that may hold VIDEO.mp4
    listing: Listing = field(default_factory=Listing, compare=False)

    def video(self, name: str) -> Location | None:
        """The file of a video. Raises OSError if a folder may not be entered."""
        files = (folder / f"{name}.mp4" for folder in self.videos)
        return next((file for file in files if self.listing.is_file(file)), None)

    def dumped(self, name: str) -> list[Location]:
        """The folders of a video's dumped frames, empty ones included. Raises OSError if a folder
        may not be entered."""
        return [place for folder in self.frames if self.listing.is_dir(place := folder / f"{name}.mp4")]

    def picture(self, folders: list[Location], frame: str) -> Location | None:
        """The picture of a frame, given as ``000089``, in the folders of its video. Raises OSError if
        one may not be entered."""
        names = [frame + suffix for suffix in _SUFFIXES]
        for folder in folders:
            if (picture := self.listing.first_file(folder, names)) is not None:
                return picture
        return None


def layout_with_videos(layout: ActionGenomeLayout, folder: Location) -> ActionGenomeLayout:
    """The annotations of a layout, with videos and dumped frames in another folder: in it, or where they
    would be if it were the data set's."""
    videos = (folder, *(folder / name for name in _VIDEOS))
    return replace(layout, frames=(folder, folder / FRAMES), videos=videos, listing=Listing())


def find_layout(root: Location) -> ActionGenomeLayout:
    """Look for the parts below ``root``. Raises OSError if a folder may not be entered."""
    inside = PurePosixPath(_annotations(root) or _ANNOTATIONS[0])
    annotations = _at(root, inside)
    folders = [
        root,
        *(_at(root, part) for part in reversed(inside.parents) if part.parts),
        *([annotations] if inside.parts else []),
    ]
    return ActionGenomeLayout(
        root,
        annotations,
        tuple(folder / FRAMES for folder in folders),
        tuple(folder / name for folder in folders for name in _VIDEOS),
    )


def _at(root: Location, inside: PurePosixPath) -> Location:
    return root / str(inside) if inside.parts else root


def has_annotations(root: Location) -> bool:
    """Whether a pickle of the data set lies where ``find_layout`` looks. Raises OSError if a folder
    may not be entered."""
    return _annotations(root) is not None


def is_inner_folder(root: Location) -> bool:
    """Whether ``root`` only holds the annotations of a data set whose folder is the one above it.
    Raises OSError."""
    root = root if isinstance(root, RemotePath) else Path(os.path.abspath(root))
    if _annotations(root) != "." or root.name not in ("annotations", ARCHIVE):
        return False
    above = root.parent
    return root.name == "annotations" or any((above / name).is_dir() for name in (FRAMES, *_VIDEOS))


def _annotations(root: Location) -> str | None:
    listing = Listing()
    for inner in _ANNOTATIONS:
        folder = _at(root, PurePosixPath(inner))
        if any(listing.is_file(folder / name) for name in (PERSONS, OBJECTS)):
            return inner
    return None
