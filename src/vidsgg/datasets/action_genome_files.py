"""Action Genome's annotation pickles as flat columns, and the cache that spares reading them twice.

The pickles hold one small dict per object and take long to read. What the loader needs of them,
both splits and before any filter, fits in a few arrays; they are kept in one file beside the
pickles (or in the user's cache folder when the data set is read-only) and used for as long as the
pickles stay the same.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from vidsgg.datasets.action_genome_layout import OBJECTS, PERSONS, find_layout
from vidsgg.datasets.annotation_cache import CACHE_FOLDER, cache_home, content_hash, folder_hash
from vidsgg.errors import DataError, short
from vidsgg.io.collector import without_collector
from vidsgg.io.columns import Texts, check_starts, load_columns, save_columns, texts_from_columns, texts_to_columns
from vidsgg.io.files import check_regular
from vidsgg.io.links import check_no_links
from vidsgg.io.locations import Location
from vidsgg.io.names import is_one_name
from vidsgg.io.pickles import load_pickle
from vidsgg.io.untrusted import MISFITS
from vidsgg.options import closest
from vidsgg.status import hides_bars, say
from vidsgg.structures.checks import Array
from vidsgg.structures.vocabulary import Vocabulary

SPLITS = ("train", "test")
UNKNOWN_SPLIT = len(SPLITS)
SMALL_SIDE = 16.0  # pixels
_WIDEST = 1e6  # pixels; no picture has more

# What can be wrong with an entry, by the number that the ``problem`` columns hold; 0 is a good one.
PROBLEMS = (
    "",
    "bad frame key",
    "malformed person entry",
    "several person boxes",
    "bad person box",
    "frame without object entries",
    "unknown split",
    "malformed object entry",
    "unknown object class",
    "bad object box",
    "unknown predicate",
    "not one attention label",
)
_CODE = {name: code for code, name in enumerate(PROBLEMS)}
UNMATCHED = "object entry without person entry"  # not a problem of a frame: such keys are never met
_EXAMPLES = 10  # messages kept per problem and split; the rest is only counted

_FORMAT, _VERSION = "vidsgg-action-genome", 1
_SLOW_BYTES = 50_000_000  # pickles above this size take many seconds; say so before

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Records:
    """The annotation pickles as columns. V videos, F frames in the order of person_bbox.pkl, N
    object entries in file order.

    video (V): names without ``.mp4``, by first appearance. key (F): ``VIDEO.mp4/NNNNNN.png``.
    columns, over frames: ``video`` row of the frame's video, ``number`` in the video file,
    ``split`` index into SPLITS or UNKNOWN_SPLIT, ``person`` whether a person was found,
    ``person_box`` (F, 4) xyxy float32, ``size`` (F, 2) width and height, ``frame_problem`` index
    into PROBLEMS. Over objects: ``class`` index into the vocabulary, ``visible``, ``small`` whether
    the shorter side is under 16 pixels, ``box`` (N, 4) xyxy float32, ``predicates`` bit set by
    global predicate id, ``object_problem``. start (F + 1): first object row of every frame.
    unmatched: keys of the object file without a person entry, never used.
    examples: problem -> split ("train", "test" or "unknown") -> the first few messages.
    """

    video: Texts
    key: Texts
    start: Array
    columns: Mapping[str, Array]
    unmatched: int
    examples: Mapping[str, Mapping[str, list[str]]]

    def __post_init__(self) -> None:
        check_starts("object rows", self.start, len(self.columns["class"]))
        if len(self.start) != len(self.key) + 1:
            raise DataError("object rows are not cut into frames.")
        for name, (kind, width) in _COLUMNS.items():
            array = self.columns[name]
            rows = len(self.columns["class"]) if name in _OF_OBJECTS else len(self.key)
            if array.dtype != kind or array.shape != ((rows, width) if width else (rows,)):
                raise DataError(f"column {name} has the wrong type or shape.")
        video = self.columns["video"]
        if len(video) and not (video.min() >= 0 and video.max() < len(self.video)):
            raise DataError("column video points outside the videos.")
        if any((self.columns[name] >= len(PROBLEMS)).any() for name in ("frame_problem", "object_problem")):
            raise DataError("a problem column holds an unknown number.")

    def problems(self, *splits: str) -> dict[str, int]:
        """How often each problem occurs in ``splits``; frames of unknown split belong to all."""
        mine = np.isin(self.columns["split"], [*map(SPLITS.index, splits), UNKNOWN_SPLIT])
        counts = np.bincount(self.columns["frame_problem"][mine], minlength=len(PROBLEMS))
        counts += np.bincount(
            self.columns["object_problem"][np.repeat(mine, np.diff(self.start))], minlength=len(PROBLEMS)
        )
        return {name: int(count) for name, count in zip(PROBLEMS[1:], counts[1:], strict=True) if count}

    def messages(self, problem: str, *splits: str) -> list[str]:
        """The first few cases of a problem in ``splits``."""
        known = self.examples.get(problem, {})
        return [text for split in (*splits, "unknown") for text in known.get(split, [])]


_COLUMNS: dict[str, tuple[Any, int]] = {
    "video": (np.int32, 0), "number": (np.int32, 0), "split": (np.uint8, 0), "person": (np.bool_, 0),
    "person_box": (np.float32, 4), "size": (np.float32, 2), "frame_problem": (np.uint8, 0),
    "class": (np.uint8, 0), "visible": (np.bool_, 0), "small": (np.bool_, 0), "box": (np.float32, 4),
    "predicates": (np.uint32, 0), "object_problem": (np.uint8, 0),
}  # fmt: skip
_OF_OBJECTS = ("class", "visible", "small", "box", "predicates", "object_problem")

_KEY = re.compile(r"(.+)\.mp4/([0-9]{6,9})\.png", re.DOTALL)


def split_key(key: str) -> tuple[str, int]:
    """Video name and frame number of a key ``VIDEO.mp4/NNNNNN.png``. Raises DataError for any other
    text."""
    match = _KEY.fullmatch(key) if isinstance(key, str) else None
    if match is None or int(match[2]) < 1 or not is_one_name(match[1]):
        raise DataError(
            f"frame key {short(key)} is not 'VIDEO.mp4/NNNNNN.png', with a file name and a frame number from 000001."
        )
    return match[1], int(match[2])


class _Problem(Exception):
    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass
class _Collector:
    """Examples of problems while the pickles are walked."""

    examples: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def add(self, kind: str, split: int, text: str) -> int:
        name = SPLITS[split] if split < len(SPLITS) else "unknown"
        kept = self.examples.setdefault(kind, {}).setdefault(name, [])
        if len(kept) < _EXAMPLES:
            kept.append(text)
        return _CODE.get(kind, 0)


def parse_records(persons: Any, objects: Any, vocabulary: Vocabulary) -> Records:
    """Both pickles' contents as columns. What is wrong with single entries is marked and counted,
    for the caller to judge.

    Raises DataError when the contents are not Action Genome's structure at all.
    """
    for name, content in ((PERSONS, persons), (OBJECTS, objects)):
        if not isinstance(content, dict) or not content:
            raise DataError(f"{name}: holds {short(content)}; expected a dict with an entry for each frame.")
    collector = _Collector()
    read_object = _object_reader(vocabulary)
    videos: dict[str, int] = {}
    keys: list[str] = []
    rows: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    start = [0]
    nobody = np.zeros(4, np.float32)
    for key, entry in tqdm(
        persons.items(),
        desc="Action Genome's annotations",
        unit=" frames",
        delay=2,
        file=sys.stderr,
        disable=hides_bars(),
    ):
        entries = objects.get(key)
        problem, split = 0, UNKNOWN_SPLIT
        video, number, person, box, size = "", 0, False, nobody, (1.0, 1.0)
        try:
            split = _split_of(key, entries)
            video, number = _name_of(key)
            person, box, size = _person_of(key, entry)
        except _Problem as error:
            problem = collector.add(error.kind, split, str(error))
        keys.append(key if isinstance(key, str) else short(key))
        rows["video"].append(videos.setdefault(video, len(videos)))
        rows["number"].append(number)
        rows["split"].append(split)
        rows["person"].append(person)
        rows["person_box"].append(box)
        rows["size"].append(size)
        rows["frame_problem"].append(problem)
        for i, item in enumerate(entries if isinstance(entries, list) else ()):
            mark = 0
            try:
                klass, visible, xywh, predicates = read_object(item)
            except _Problem as error:
                klass, visible, xywh, predicates = 0, True, _NO_BOX, 0
                mark = collector.add(error.kind, split, f"{OBJECTS}[{short(key)}][{i}]: {error}")
            rows["class"].append(klass)
            rows["visible"].append(visible)
            rows["box"].append(xywh)
            rows["predicates"].append(predicates)
            rows["object_problem"].append(mark)
        start.append(len(rows["class"]))

    corners, sides = np.split(np.array(rows["box"], np.float64).reshape(-1, 4), 2, axis=1)
    # Corners by x + w and y + h, without the pixel that other conventions subtract (yrcong/STTran
    # dataloader/action_genome.py). The authors "drop the boxes whose short edge < 16 pixel", so
    # exactly 16 stays; their README's "larger than 16" reads otherwise.
    made = {
        "box": np.concatenate([corners, corners + sides], axis=1),
        "small": sides.min(1, initial=np.inf) < SMALL_SIDE,
    }
    columns = {
        name: np.array(made[name] if name in made else rows[name], kind).reshape((-1, width) if width else (-1,))
        for name, (kind, width) in _COLUMNS.items()
    }
    offsets = np.array(start, np.int64)
    _mark_bad_boxes(columns, keys, offsets, collector)
    unmatched = sorted(short(name, 200) for name in objects.keys() - persons.keys())
    for name in unmatched[:_EXAMPLES]:
        collector.add(UNMATCHED, UNKNOWN_SPLIT, f"{OBJECTS}[{name}]: {PERSONS} has no such key")
    return Records(Texts.of(videos), Texts.of(keys), offsets, columns, len(unmatched), collector.examples)


_NO_BOX = (0.0, 0.0, 1.0, 1.0)


def _split_of(key: str, entries: Any) -> int:
    if not isinstance(entries, list) or not entries:
        raise _Problem(
            "frame without object entries",
            f"{OBJECTS}[{short(key)}]: is {short(entries)}, expected a list with an entry per object.",
        )
    try:
        name = entries[0]["metadata"]["set"]
    except MISFITS:
        raise _Problem("unknown split", f"{OBJECTS}[{short(key)}][0]: has no metadata with a 'set'.") from None
    if not isinstance(name, str) or name not in SPLITS:
        raise _Problem(
            "unknown split", f"{OBJECTS}[{short(key)}][0]: metadata set is {short(name)}, expected one of {SPLITS}."
        )
    return SPLITS.index(name)


def _name_of(key: str) -> tuple[str, int]:
    try:
        return split_key(key)
    except DataError as error:
        raise _Problem("bad frame key", f"{PERSONS}: {error}") from None


def _person_of(key: str, entry: Any) -> tuple[bool, Array, tuple[float, float]]:
    """(found, xyxy box, frame width and height) of a person entry."""
    try:
        boxes = np.asarray(entry["bbox"], np.float32)
        width, height = (float(side) for side in entry["bbox_size"])
        mode = entry.get("bbox_mode", "xyxy")
    except MISFITS as error:
        raise _Problem(
            "malformed person entry", f"{PERSONS}[{short(key)}]: {short(error)} in {short(entry)}."
        ) from None
    if boxes.size % 4 or (boxes.size and boxes.ndim != 2) or not (isinstance(mode, str) and mode == "xyxy"):
        raise _Problem(
            "malformed person entry",
            f"{PERSONS}[{short(key)}]: bbox is {short(boxes.tolist())} ({short(mode)}), expected (n, 4) xyxy.",
        )
    if not (0 < width <= _WIDEST and 0 < height <= _WIDEST):
        raise _Problem(
            "malformed person entry",
            f"{PERSONS}[{short(key)}]: bbox_size is {(width, height)}, expected width and height in pixels.",
        )
    if boxes.size == 0:
        return False, np.zeros(4, np.float32), (width, height)
    if len(boxes) > 1:
        raise _Problem(
            "several person boxes", f"{PERSONS}[{short(key)}]: has {len(boxes)} person boxes, expected one or none."
        )
    return True, boxes[0], (width, height)


def _object_reader(vocabulary: Vocabulary) -> Callable[[Any], tuple[int, bool, tuple[float, ...], int]]:
    """A function from an object entry to (class, visible, xywh, predicate bits); of an invisible
    object only the class is read."""
    classes = {name: i for i, name in enumerate(vocabulary.objects) if i}
    bits = {
        group.name: {name: 1 << (vocabulary.offsets[group.name] + i) for i, name in enumerate(group.predicates)}
        for group in vocabulary.groups
    }
    single = {group.name for group in vocabulary.groups if group.kind == "single"}

    def read(entry: Any) -> tuple[int, bool, tuple[float, ...], int]:
        try:
            name, visible = entry["class"], entry["visible"]
            if not isinstance(visible, (bool, np.bool_)):
                raise TypeError(f"visible is {short(visible)}")
            if not visible:
                return classes.get(name, 0), False, _NO_BOX, 0
            if name not in classes:
                raise _Problem(
                    "unknown object class", f"class {short(name)} is not Action Genome's{closest(name, list(classes))}"
                )
            x, y, width, height = (float(value) for value in entry["bbox"])
            predicates = 0
            for group, known in bits.items():
                given = entry[f"{group}_relationship"]
                if group in single and len(given) != 1:
                    raise _Problem(
                        "not one attention label",
                        f"{group}_relationship of {short(name)} is {short(given)}, expected one",
                    )
                for predicate in given:
                    if predicate not in known:
                        raise _Problem(
                            "unknown predicate",
                            f"{short(predicate)} is not a {group} predicate{closest(predicate, list(known))}",
                        )
                    predicates |= known[predicate]
        except MISFITS as error:
            raise _Problem("malformed object entry", f"{short(error)} in {short(entry)}") from None
        return classes[name], True, (x, y, width, height), predicates

    return read


def _mark_bad_boxes(columns: dict[str, Array], keys: list[str], start: Array, collector: _Collector) -> None:
    """Mark boxes that are not finite x1 < x2, y1 < y2 in float32, the type that every later stage
    sees."""
    frame_of = np.repeat(np.arange(len(keys)), np.diff(start))
    for kind, file, boxes, used, mark, frames in (
        (
            "bad person box",
            PERSONS,
            columns["person_box"],
            columns["person"],
            columns["frame_problem"],
            np.arange(len(keys)),
        ),
        ("bad object box", OBJECTS, columns["box"], columns["visible"], columns["object_problem"], frame_of),
    ):
        good = np.isfinite(boxes).all(1) & (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
        for row in np.flatnonzero(used & ~good & (mark == 0)):
            frame = int(frames[row])
            place = f"[{row - start[frame]}]" if file == OBJECTS else ""
            corners = [round(float(value), 4) for value in boxes[row]]
            text = f"{file}[{short(keys[frame])}]{place}: box x1, y1, x2, y2 = {corners} is not x1 < x2 and y1 < y2."
            mark[row] = collector.add(kind, int(columns["split"][frame]), text)


def load_records(root: Location, vocabulary: Vocabulary) -> Records:
    """The annotations of the data set at ``root``, from the cache if the pickles are those it was
    made of, else from the pickles.

    A pickle with the size and modification time that the cache noted is taken to be unchanged; with
    another time its content is compared (SHA-256). A cache that is torn or belongs to other files
    is made again. Raises DataError naming the file.
    """
    folder = find_layout(root).annotations
    stamps = {name: _stamp(folder / name) for name in (PERSONS, OBJECTS)}
    places = cache_places(root)
    for place in places:
        cached = _read_cache(root, place, folder, stamps)
        if cached is not None:
            return cached
    size = sum(stamp["size"] for stamp in stamps.values())
    if size > _SLOW_BYTES:
        say(f"Reading Action Genome's annotations ({size / 1e6:.0f} MB) once; later runs take the cache.")
    digests = {name: {**stamp, "sha256": content_hash(folder / name)} for name, stamp in stamps.items()}
    with without_collector():
        records = parse_records(load_pickle(folder / PERSONS), load_pickle(folder / OBJECTS), vocabulary)
    _write_cache(root, places, records, digests)
    return records


def cache_places(root: Location) -> list[Path]:
    """Where the cache of a data set may lie, best first: beside the annotations, else in the user's
    cache folder. Of a data set in object storage, only there.

    VIDSGG_CACHE names another folder for the latter.
    """
    near, here = find_layout(root).annotations, cache_home() / f"action-genome-{folder_hash(root)}.npz"
    return [near / CACHE_FOLDER / "columns.npz", here] if isinstance(near, Path) else [here]


def _stamp(path: Location) -> dict[str, int]:
    try:
        check_regular(path)
        status = path.stat()
    except (DataError, OSError) as error:
        raise DataError(f"{error} Get it from Action Genome's annotations.") from error
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _read_cache(root: Location, place: Path, folder: Location, stamps: Mapping[str, dict[str, int]]) -> Records | None:
    if not place.is_file():
        return None
    try:
        columns, header = load_columns(place)
        if (header["format"], header["version"]) != (_FORMAT, _VERSION):
            return None
        sources, moved = header["sources"], False
        for name, stamp in stamps.items():
            noted = sources[name]
            if noted["size"] != stamp["size"]:
                return None
            if noted["mtime_ns"] != stamp["mtime_ns"]:
                if noted["sha256"] != content_hash(folder / name):
                    return None
                moved = True
        video, key = (texts_from_columns(columns, name) for name in ("video", "key"))
        arrays = {name: columns[f"columns.{name}"] for name in _COLUMNS}
        records = Records(video, key, columns["start"], arrays, int(header["unmatched"]), header["examples"])
    except (DataError, KeyError, TypeError, ValueError) as error:
        _log.warning("%s is not a usable cache (%s) and is made again", place, error)
        return None
    if moved:  # note the new times, or every opening would hash the pickles
        _write_cache(
            root,
            [place],
            records,
            {name: {**stamp, "sha256": sources[name]["sha256"]} for name, stamp in stamps.items()},
        )
    return records


def _write_cache(
    root: Location, places: Sequence[Path], records: Records, sources: Mapping[str, Mapping[str, Any]]
) -> None:
    header = {
        "format": _FORMAT, "version": _VERSION, "sources": {name: dict(source) for name, source in sources.items()},
        "unmatched": records.unmatched, "examples": records.examples,
    }  # fmt: skip
    columns = {
        "start": records.start,
        **{f"columns.{name}": array for name, array in records.columns.items()},
        **texts_to_columns({"video": records.video, "key": records.key}),
    }
    for place in places:
        try:
            check_no_links(place.parent, below=root)
            save_columns(place, columns, header)
            return
        except OSError as error:
            _log.info("cannot keep the annotation cache at %s: %s", place, error)
    _log.warning(
        "the annotations are read from the pickles at every start: none of %s can be written", [str(p) for p in places]
    )
