"""Where the pictures of a data set come from, and how many frames have none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from vidsgg.datasets.base import VideoDataset
from vidsgg.errors import DataError, counted
from vidsgg.io.locations import Location, name_below


@dataclass
class PictureCount:
    """Frames of some videos, by what their pictures are read from. Missing pictures are named below
    the data set's folder."""

    places: Counter[str] = field(default_factory=Counter)  # "frames (.png)" or "videos", see ``_place``
    # video: dumped pictures that are missing, read from the video
    instead: dict[str, list[str]] = field(default_factory=dict)
    partly: dict[str, list[str]] = field(default_factory=dict)  # video: missing pictures, where some others are there
    without: dict[str, int] = field(default_factory=dict)  # video that has no picture at all: frames
    closed: dict[str, str] = field(default_factory=dict)  # video whose folders may not be entered: what is wrong

    def add(self, dataset: VideoDataset, index: int) -> None:
        """Look for the pictures of one video; none is opened."""
        video = dataset.video_ids[index]
        try:
            sources = dataset.frame_sources(index)
        except DataError as error:
            self.closed[video] = str(error)
            return
        there = [source for source in sources if source.there]
        folders = Counter((source.file.parent, source.file.suffix, source.number is None) for source in there)
        for (folder, suffix, picture), count in folders.items():
            self.places[_place(folder, suffix, picture, dataset)] += count
        if sources and not there:
            self.without[video] = len(sources)
        elif lacking := [name_below(source.file, dataset.picture_root) for source in sources if not source.there]:
            self.partly[video] = lacking
        if instead := [
            name_below(source.instead_of, dataset.picture_root) for source in there if source.instead_of is not None
        ]:
            self.instead[video] = instead

    @property
    def unusable(self) -> set[str]:
        """Videos that cannot be read whole."""
        return {*self.partly, *self.without, *self.closed}

    @property
    def frames_without(self) -> int:
        return sum(self.without.values()) + sum(map(len, self.partly.values()))

    def text(self) -> str:
        """As in ``pictures of 8 frames: 5 from frames (.png), 2 from videos, 1 without a
        picture``."""
        parts = [
            f"{count} from {place}"
            for place, count in sorted(self.places.items(), key=lambda item: (-item[1], item[0]))
        ]
        parts += [f"{self.frames_without} without a picture"] if self.frames_without else []
        return f"pictures of {counted(sum(self.places.values()) + self.frames_without, 'frame')}: {', '.join(parts)}"

    def notes(self) -> list[str]:
        """What a user should know before the pictures are read; nothing where all of them are where
        they are expected."""
        notes = []
        if self.instead:
            frames = _frames(sum(map(len, self.instead.values())), self.instead)
            notes.append(f"missing among the dumped frames, read from the video: {frames}")
        if lacking := [*self.partly, *self.without]:
            notes.append(f"without a picture: {_frames(self.frames_without, lacking)}")
        return notes


def picture_notes(datasets: Iterable[VideoDataset]) -> list[str]:
    """``PictureCount.notes`` about all videos of several data sets. Looks for every picture, which
    costs one look at the disk each."""
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


def _place(folder: Location, suffix: str, picture: bool, dataset: VideoDataset) -> str:
    """Where pictures lie that are read from files of their own, by the folder of a video's folder, or
    the folder of video files."""
    root = dataset.root
    if dataset.videos_path is not None:
        place = str(folder.parent if picture else folder)
    elif folder == root:
        place = "the folder of the annotations"
    elif picture and folder.parent == root:
        place = "a folder for each video"
    else:
        place = name_below(folder.parent if picture else folder, root)
    return f"{place} ({suffix})" if picture else place


def _frames(count: int, videos: Iterable[str]) -> str:
    names = list(videos)
    which = f"{names[0]}{', ...' if len(names) > 1 else ''}"
    return f"{count} frame{'s' * (count != 1)} of {len(names)} video{'s' * (len(names) != 1)} ({which})"
