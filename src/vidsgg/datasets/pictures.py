"""Where the pictures of a data set come from, and how many frames have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vidsgg.datasets.base import FrameSource, VideoDataset
from vidsgg.errors import DataError


@dataclass
class PictureCount:
    """Frames of some videos, by what their pictures are read from."""

    places: Counter[str] = field(default_factory=Counter)  # "frames (.png)" or "videos" below the data set's folder: frames
    instead: dict[str, int] = field(default_factory=dict)  # video: frames that its dump lacks and that are read from the video
    empty: list[str] = field(default_factory=list)  # of these videos, those whose dump has none of the frames
    lacking: dict[str, int] = field(default_factory=dict)  # video: frames without a picture
    without: list[str] = field(default_factory=list)  # of these videos, those that have no picture at all
    unseen: list[str] = field(default_factory=list)  # videos whose folders may not be entered
    closed: list[str] = field(default_factory=list)  # what is wrong with these

    def add(self, dataset: VideoDataset, index: int) -> None:
        video = dataset.video_ids[index]
        try:
            sources = dataset.frame_sources(index)
        except DataError as error:
            self.unseen.append(video)
            self.closed.append(str(error))
            return
        there = [source for source in sources if source.there]
        self.places.update(_place(source, dataset.root) for source in there)
        if instead := sum(source.instead_of is not None for source in there):
            self.instead[video] = instead
            if instead == len(sources):
                self.empty.append(video)
        if len(there) < len(sources):
            self.lacking[video] = len(sources) - len(there)
            if not there:
                self.without.append(video)

    def text(self) -> str:
        """As in ``5 frames from frames (.png), 2 from videos, 1 without a picture``."""
        parts = [f"{count} from {place}" for place, count in sorted(self.places.items(), key=lambda item: (-item[1], item[0]))]
        parts += [f"{sum(self.lacking.values())} without a picture"] if self.lacking else []
        return f"pictures of {sum(self.places.values()) + sum(self.lacking.values())} frames: {', '.join(parts)}"

    def notes(self) -> list[str]:
        """What a user should know before the pictures are read; nothing where all of them are where they are expected."""
        notes = []
        if self.instead:
            notes.append(
                f"{sum(self.instead.values())} frames of {len(self.instead)} videos are missing among the dumped frames and are read"
                f" from the videos ({_first(self.instead)})"
            )
        if self.lacking:
            notes.append(f"{sum(self.lacking.values())} frames of {len(self.lacking)} videos have no picture ({_first(self.lacking)})")
        return notes


def picture_notes(datasets: Iterable[VideoDataset]) -> list[str]:
    """``PictureCount.notes`` about all videos of several data sets. Looks for every picture, which costs one look at the disk each."""
    count = PictureCount()
    for dataset in datasets:
        for index in range(len(dataset)):
            count.add(dataset, index)
    return count.notes()


def count_pictures(dataset: VideoDataset, indices: Iterable[int] | None = None) -> PictureCount:
    """Look for the pictures of the videos at ``indices``, all by default; none is opened."""
    count = PictureCount()
    for index in range(len(dataset)) if indices is None else indices:
        count.add(dataset, index)
    return count


def _place(source: FrameSource, root: Path) -> str:
    if source.number is not None:
        return source.file.parent.relative_to(root).as_posix()
    return f"{source.file.parent.parent.relative_to(root).as_posix()} ({source.file.suffix})"


def _first(videos: Iterable[str]) -> str:
    names = list(videos)
    return f"{names[0]}{', ...' if len(names) > 1 else ''}"
