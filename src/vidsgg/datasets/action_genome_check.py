"""What can be wrong with Action Genome in a folder."""

from __future__ import annotations

from functools import partial

import numpy as np

from vidsgg.datasets.action_genome import CLASS_FILES, OBJECTS, VOCABULARY, ActionGenome, check_class_file
from vidsgg.datasets.action_genome_files import SPLITS, UNMATCHED, Records, load_records
from vidsgg.datasets.action_genome_layout import CHARADES, FRAMES, VIDEOS, find_layout
from vidsgg.datasets.action_genome_rules import Summary
from vidsgg.datasets.findings import EXAMPLES, Book, Pictures, check_pictures
from vidsgg.errors import DataError, short
from vidsgg.io.files import read_text
from vidsgg.io.locations import Location
from vidsgg.structures.checks import Array

FRAME_LIST = "frame_list.txt"
_FRAME_LIST_SIZE = 1 << 28  # bytes at most; the original has about 6 million
_OUTSIDE = 1.0  # pixels by which a box may leave the frame unremarked: detectors and annotators round

# What the reference loader prints for the original files (yrcong/STTran, predcls): videos, valid
# frames, videos without person, videos with one frame, frames without person.
_PUBLISHED = {"train": (7584, 177330, 144, 49, 21643), "test": (1750, 56923, 41, 19, 8636)}


def check_action_genome(root: Location, pictures: Pictures, book: Book) -> None:
    """Everything that is wrong with Action Genome in a folder."""
    folder = find_layout(root).annotations
    if folder != root / "annotations":
        book.facts.append(f"annotations in {folder}")
    foreign = []
    for name in CLASS_FILES:
        try:
            if (folder / name).exists():
                check_class_file(folder / name)
        except DataError as error:
            foreign.append(str(error))
    book.error("foreign class file", foreign)
    lacking = [name for name in (*CLASS_FILES, FRAME_LIST) if not (folder / name).exists()]
    book.warning("missing file, not needed", (str(folder / name) for name in lacking), len(lacking))
    try:
        records = load_records(root, VOCABULARY)
    except DataError as error:
        book.error("unreadable annotations", [str(error)])
        return
    for problem, count in records.problems(*SPLITS).items():
        book.error(problem, records.messages(problem, *SPLITS), count)
    book.warning(UNMATCHED, records.messages(UNMATCHED, *SPLITS), records.unmatched)
    if FRAME_LIST not in lacking:
        _check_frame_list(folder / FRAME_LIST, records, book)
    _check_boxes(records, book)
    _check_frames(records, book)
    if foreign:
        return  # the loader refuses such a folder, so there is nothing to count
    for split in SPLITS:
        try:
            data = ActionGenome(root, split, "predcls", skip_bad=True)
        except DataError as error:
            book.warning("split without usable video", [str(error).splitlines()[0]])
            continue
        book.facts += [f"{split} split, predcls:", *(f"  {line}" for line in data.summary.text().splitlines())]
        _compare(split, data.summary, book)
        uneven: list[str] = []
        looked_in = f"{FRAMES}, {VIDEOS}, {CHARADES}" if book.videos_path is None else str(book.videos_path)
        check_pictures(data, pictures, book, looked_in, partial(_note_uneven, data, uneven))
        book.warning(f"{split} video of uneven rate, whose frames are counted as ffmpeg dumps them", uneven)


def _note_uneven(data: ActionGenome, found: list[str], index: int) -> None:
    if how := data.uneven(index):
        found.append(how)


def _check_frame_list(path: Location, records: Records, book: Book) -> None:
    try:
        listed = set(read_text(path, _FRAME_LIST_SIZE).split())
    except DataError as error:
        book.warning("unreadable frame list", [str(error)])
        return
    keys = set(records.key)
    book.warning("frame in frame_list.txt without annotation", sorted(listed - keys))
    book.warning("annotated frame missing in frame_list.txt", sorted(keys - listed))


def _check_boxes(records: Records, book: Book) -> None:
    """Boxes that reach out of the frame; the loader leaves them as they are."""
    column = records.columns
    frame_of = np.repeat(np.arange(len(records.key)), np.diff(records.start))
    person = column["person"] & (column["frame_problem"] == 0)
    thing = column["visible"] & (column["object_problem"] == 0) & (column["frame_problem"] == 0)[frame_of]
    for name, boxes, used, frames in (
        ("person box outside the frame", column["person_box"], person, np.arange(len(records.key))),
        ("object box outside the frame", column["box"], thing, frame_of),
    ):
        over = np.maximum(-boxes[:, :2], boxes[:, 2:] - column["size"][frames]).max(1, initial=-np.inf)
        rows = np.flatnonzero(used & (over > _OUTSIDE))
        book.warning(name, (_box_text(records, int(frames[row]), boxes[row]) for row in rows[:EXAMPLES]), len(rows))


def _box_text(records: Records, frame: int, box: Array) -> str:
    corners = [round(float(value), 1) for value in box]
    width, height = records.columns["size"][frame].tolist()
    return f"{records.key[frame]}: {corners} in {width:g} x {height:g}"


def _check_frames(records: Records, book: Book) -> None:
    """Classes that occur twice in a frame, and frames of a video that do not follow each other in
    time."""
    column = records.columns
    frame_of = np.repeat(np.arange(len(records.key)), np.diff(records.start))
    thing = column["visible"] & (column["object_problem"] == 0)
    unit = frame_of[thing] * len(OBJECTS) + column["class"][thing]
    values, counts = np.unique(unit, return_counts=True)
    twice = values[counts > 1]
    texts = (f"{records.key[v // len(OBJECTS)]}: {short(OBJECTS[v % len(OBJECTS)])}" for v in twice[:EXAMPLES].tolist())
    book.warning("class annotated twice in a frame", texts, len(twice))

    good = np.flatnonzero(column["frame_problem"] == 0)
    order = good[np.argsort(column["video"][good], kind="stable")]
    same = np.diff(column["video"][order]) == 0
    back = order[1:][same & (np.diff(column["number"][order].astype(np.int64)) <= 0)]
    book.warning("frame not after the one before it", (records.key[int(row)] for row in back[:EXAMPLES]), len(back))


def _compare(split: str, summary: Summary, book: Book) -> None:
    """Counts beside the published ones; a set of another size is another set, not a damaged one."""
    found = (
        summary.videos,
        summary.valid_frames,
        summary.videos_no_person,
        summary.videos_one_frame,
        summary.frames_no_person,
    )
    published = _PUBLISHED[split]
    if found == published:
        book.facts.append("  the published counts")
    elif abs(found[1] - published[1]) > 0.1 * published[1]:
        book.facts.append(f"  not the published set, which has {published[0]} videos and {published[1]} valid frames")
    else:
        names = ("videos", "valid frames", "videos without person", "videos with one frame", "frames without person")
        differ = [
            f"{split}: {have} {name}, published {want}"
            for name, have, want in zip(names, found, published, strict=True)
            if have != want
        ]
        book.warning("counts differ from the published ones", differ)
