"""Files of boxes in the user's own videos: a table, a graph file whose edges are not read, or
COCO's JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.box_tables import table_rows
from vidsgg.io.boxes import BoxRow, FrameBoxes, GivenBoxes
from vidsgg.io.footage import picture_files
from vidsgg.io.graphs import FORMAT, LARGEST, read_graph
from vidsgg.io.locations import Location
from vidsgg.io.untrusted import read_json
from vidsgg.structures.graph import VideoFile


@dataclass(frozen=True)
class BoxFile:
    """The boxes of a file."""

    path: Path
    # by name of the video (None: not given) and number of the frame, from 1
    by_video: Mapping[str | None, Mapping[int, FrameBoxes]]
    source: VideoFile | None = None  # the video of a graph file

    @property
    def tracked(self) -> bool:
        """Whether the ids of things came with their boxes."""
        return any(GivenBoxes(frames).tracked for frames in self.by_video.values())

    def check(self, videos: Sequence[Location]) -> None:
        """Raises ConfigError if it does not tell which of several videos its boxes belong to."""
        if None in self.by_video and len(videos) > 1:
            raise ConfigError(
                f"option -boxes: {self.path} does not say which of {len(videos)} videos its boxes are of; add a column"
                " 'video', or predict one video at a time."
            )
        uses = Counter(key for video in videos if (key := self._key(video)) is not None)
        for key, count in uses.items():
            if count > 1:
                raise ConfigError(
                    f"option -boxes: {self.path} has boxes of {key!r}, and {count} of the videos are called so; put the"
                    f" folder in front of the name, such as 'folder/{key}'."
                )

    def of(self, video: Location) -> GivenBoxes:
        """The boxes of a video, by its name with or without its suffix and folders, of a folder of
        pictures also by the pictures' names.

        Raises DataError if there are none.
        """
        key = self._key(video)
        if key is not None:
            return GivenBoxes(self.by_video[key])
        if None in self.by_video:
            return GivenBoxes(self.by_video[None])
        if video.is_dir() and (frames := self._pictures(video)):
            return GivenBoxes(frames)
        names = list(map(str, self.by_video))
        shown = ", ".join(name[:60] for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise DataError(f"{video}: {self.path} has no boxes of it; it has those of {shown}.")

    def _key(self, video: Location) -> str | None:
        """The longest name that is the end of the video's path."""
        found = [key for key in self.by_video if key is not None and _ends_with(video.resolve(), key)]
        return max(found, key=lambda key: len(_parts(key)), default=None)

    def _pictures(self, folder: Location) -> dict[int, FrameBoxes]:
        numbers = {file.resolve(): number for number, file in enumerate(picture_files(folder), 1)}
        found = {}
        for file, number in numbers.items():
            key = self._key(file)
            if key is not None and list(self.by_video[key]) == [1]:
                found[number] = self.by_video[key][1]
        return found


def read_boxes(path: Path, objects: Sequence[str], labelled: bool) -> BoxFile:
    """The boxes of a CSV table (``box_tables.COLUMNS``), a graph file, or COCO's JSON with images,
    annotations and categories.

    objects: the class names, background first. labelled: every box has to have a label of these,
    else labels are not read. Raises DataError naming the file, the place in it and the value.
    """
    source = None
    if path.suffix.lower() == ".json":
        content = read_json(path, Any, LARGEST)
        if isinstance(content, dict) and content.get("format") == FORMAT:
            graph = read_graph(path)
            source, rows = graph.video, [
                BoxRow(f"{path}, frame {frame.number}", graph.video_id, frame.number, node.label, node.box, node.score, node.track)
                for frame in graph.frames
                for node in frame.nodes
                if node.box is not None
            ]  # fmt: skip
        else:
            rows = list(_coco_rows(path, content))
    else:
        rows = list(table_rows(path, labelled))
    if not rows:
        raise DataError(f"{path}: holds no box.")
    _check_together(path, rows)
    grouped: dict[str | None, dict[int, list[BoxRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        grouped[row.video][row.frame].append(row)
    number = {name: i for i, name in enumerate(objects)} if labelled else None
    if number is not None:
        _check_labels(rows, objects[1:])
    by_video = {
        video: {frame: _frame_boxes(part, number) for frame, part in frames.items()}
        for video, frames in grouped.items()
    }
    return BoxFile(path, by_video, source)


def _check_together(path: Path, rows: Sequence[BoxRow]) -> None:
    if len({row.track is None for row in rows}) > 1:
        lacking = next(row for row in rows if row.track is None)
        raise DataError(f"{lacking.where}: has no track, but other boxes have; give all or none.")
    if all(0 <= side <= 1 for row in rows for side in row.box):
        raise DataError(
            f"{path}: all coordinates lie between 0 and 1, such as {list(rows[0].box)}; boxes must be in pixels:"
            " multiply x by the width of the picture, and y by its height."
        )


def _check_labels(rows: Sequence[BoxRow], known: Sequence[str]) -> None:
    unknown: dict[str, str] = {}
    for row in rows:
        if row.label not in known:
            unknown.setdefault(row.label, row.where)
    if not unknown:
        return
    (label, where), *others = unknown.items()
    text = f"{where}: unknown class {short(label)}{class_hint(label, known) or '; there are ' + ', '.join(known)}"
    if others:
        more = " ".join(f"{short(other)}{class_hint(other, known) or ','}" for other, _ in others[:5]).rstrip(",")
        text += f"{'' if text.endswith('?') else '.'} Also unknown: {more}"
    raise DataError(text)


def class_hint(label: str, known: Sequence[str]) -> str:
    """A hint such as ``; did you mean 'cup/glass/bottle'?`` for "cup", or nothing when no known
    class is near."""
    parts = {_plain(part): name for name in reversed(known) for part in (name, *name.split("/"))}
    if (word := _plain(label)) in parts:
        return f"; did you mean {parts[word]!r}?"
    near = dict.fromkeys(parts[part] for part in get_close_matches(word, parts, n=3, cutoff=0.6))
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _plain(label: str) -> str:
    return label.casefold().replace("_", " ").replace("-", " ").strip()


def _frame_boxes(rows: Sequence[BoxRow], number: Mapping[str, int] | None) -> FrameBoxes:
    tracks = [row.track for row in rows if row.track is not None]
    if len(set(tracks)) < len(tracks):
        raise DataError(f"{rows[0].where}: two boxes of frame {rows[0].frame} have one track.")
    return FrameBoxes(
        rows[0].where,
        np.array([row.box for row in rows], np.float32),
        np.array([number[row.label] if number else 0 for row in rows], np.int64),
        np.array([row.score for row in rows], np.float32),
        np.array([-1 if row.track is None else row.track for row in rows], np.int64),
    )


def _coco_rows(path: Path, content: Any) -> Iterator[BoxRow]:
    """Frames are numbered by ``frame_id``, which may count from 0 or 1; an image without one is a
    picture of its own."""
    if isinstance(content, list):
        raise DataError(
            f"{path} is a list, as COCO's results are, which say neither classes nor frames; give the whole file, with"
            " the list as 'annotations' beside 'images' and 'categories'."
        )
    images, annotations, categories = (
        _entries(path, content, name) for name in ("images", "annotations", "categories")
    )
    videos = {
        entry.get("id"): str(entry.get("name") or entry.get("file_name"))
        for entry in _entries(path, content, "videos", needed=False)
    }
    numbers = [entry["frame_id"] for entry in images if isinstance(entry.get("frame_id"), int)]
    from_zero = int(bool(numbers) and min(numbers) == 0)
    names = {entry.get("id"): str(entry.get("name")) for entry in categories}
    frames: dict[Any, tuple[str | None, int]] = {}
    for entry in images:
        frame = entry.get("frame_id")
        if isinstance(frame, int) and not isinstance(frame, bool):
            video = entry.get("video_id")
            frames[entry.get("id")] = videos.get(video) if _is_plain_id(video) else None, frame + from_zero
        else:
            frames[entry.get("id")] = str(entry.get("file_name")), 1
    for i, entry in enumerate(annotations):
        where = f"{path}, annotations[{i}]"
        video, number = _named_by(where, entry, "image_id", frames, "images")
        label = _named_by(where, entry, "category_id", names, "categories")
        sides = entry.get("bbox")
        if not isinstance(sides, list) or len(sides) != 4 or not all(map(_is_real, sides)):
            raise DataError(f"{where}: bbox is {short(sides)}, not x, y, width, height.")
        score, track = entry.get("score", 1.0), entry.get("track_id", entry.get("instance_id"))
        if not _is_real(score) or not (track is None or (isinstance(track, int) and not isinstance(track, bool))):
            raise DataError(f"{where}: score is {short(score)} and track_id {short(track)}; these must be numbers.")
        x, y, width, height = map(float, sides)
        yield BoxRow(
            where, video, number, label, (x, y, x + width, y + height), float(score), None if track == -1 else track
        )


def _named_by(where: str, entry: Mapping[str, Any], key: str, entries: Mapping[Any, Any], name: str) -> Any:
    if not _is_plain_id(entry.get(key)) or entry[key] not in entries:
        raise DataError(f"{where}: {key} is {short(entry.get(key))}, which {name!r} does not have.")
    return entries[entry[key]]


def _entries(path: Path, content: Any, name: str, needed: bool = True) -> list[dict[str, Any]]:
    found = content.get(name) if isinstance(content, dict) else None
    if found is None and not needed:
        return []
    if not isinstance(found, list) or not all(
        isinstance(entry, dict) and _is_plain_id(entry.get("id", 0)) for entry in found
    ):
        raise DataError(
            f"{path} is neither a graph file of 'vidsgg predict' nor COCO's JSON: it has no list {name!r} of entries"
            " with ids. A table may be given as CSV."
        )
    return found


def _is_plain_id(value: Any) -> bool:
    return isinstance(value, (int, str))


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts


def _ends_with(path: Location, name: str) -> bool:
    """Whether a path ends with a name, whose suffix may be missing."""
    wanted = _parts(name)
    return any(wanted and parts[-len(wanted) :] == wanted for parts in (path.parts, (*path.parts[:-1], path.stem)))
