"""Tables of boxes: CSV with the columns of several tools, and the MOT challenge's, which have no
header."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TextIO

from vidsgg.errors import DataError, short
from vidsgg.io.boxes import BoxRow
from vidsgg.io.files import check_regular, not_utf8
from vidsgg.io.footage import PICTURES
from vidsgg.options import closest

# What a column may be called, our own name first. Written in any case; "id" is not here, since it
# may number the rows.
COLUMNS = {
    "frame": ("frame_number", "frame_no", "frame_id"),
    "x1": ("x", "xmin", "x_min", "left", "bb_left", "bbox_left", "bbox_x"),
    "y1": ("y", "ymin", "y_min", "top", "bb_top", "bbox_top", "bbox_y"),
    "x2": ("xmax", "x_max", "right", "bb_right"),
    "y2": ("ymax", "y_max", "bottom", "bb_bottom"),
    "w": ("width", "bb_width", "bbox_width", "bbox_w"),
    "h": ("height", "bb_height", "bbox_height", "bbox_h"),
    "video": ("video_name", "video_id", "file", "filename", "file_name", "image"),
    "label": ("class", "class_name", "category", "category_name"),
    "score": ("conf", "confidence", "probability"),
    "track": ("track_id", "tracker_id", "object_id", "instance_id", "tid"),
}
_OURS = {other: name for name, others in COLUMNS.items() for other in (name, *others)}
# motchallenge.net/instructions; what follows has no place here
_MOT = ("frame", "track", "x1", "y1", "w", "h", "score")
_LARGEST = 2 << 30  # bytes
_DELIMITERS = (",", ";", "\t")


def table_rows(path: Path, labelled: bool) -> Iterator[BoxRow]:
    """The boxes of a table; ``COLUMNS`` says which columns there may be. Columns are separated by
    commas, semicolons or tabs.

    labelled: every box needs a label. Raises DataError naming the file, the line and the value.
    """
    check_regular(path, _LARGEST)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _rows(path, file, labelled)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    except csv.Error as error:
        raise DataError(f"{path}: is no table in CSV; a quotation mark may lack its other half.") from error


def _rows(path: Path, file: TextIO, labelled: bool) -> Iterator[BoxRow]:
    line = file.readline()
    delimiter = max(_DELIMITERS, key=line.count)
    first = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    mot = len(first) >= 6 and all(map(_is_number, first))
    if mot and labelled:
        raise DataError(
            f"{path} has no header and looks like a table of the MOT challenge, which names no classes; add a first"
            " line with the names of the columns, such as frame,track,x,y,w,h,score,label, and the label of every box."
        )
    names = list(_MOT) if mot else _named(path, first)
    table = csv.reader(chain([line], file) if mot else file, delimiter=delimiter)
    for number, cells in enumerate(table, 1 if mot else 2):
        where = f"{path}, line {number}"
        if not mot and len(cells) > len(names):
            raise DataError(f"{where}: has {len(cells)} values for {len(names)} columns.")
        if cells:
            yield _row(where, dict(zip(names, map(str.strip, cells), strict=False)), delimiter, mot)


def _named(path: Path, header: Sequence[str]) -> list[str]:
    """Our names of the columns of a header; "" for those that are passed over."""
    words = [cell.lower().replace(" ", "_") for cell in header]
    names = [_OURS.get(word, "") for word in words]
    if {"x2", "y2"} <= set(names):  # then width and height are the picture's, as in TensorFlow's tables
        names = ["" if name in ("w", "h") else name for name in names]
        words = ["w" if _OURS.get(word) in ("w", "h") else word for word in words]
    there = f"there is {delimited(header)}"
    picture = "video" in names  # a file of pictures needs no numbers; each row is checked
    wanted = [*(() if picture else ("frame",)), "x1", "y1", *(("w", "h") if {"w", "h"} & set(names) else ("x2", "y2"))]
    if lacking := [name for name in wanted if name not in names]:
        raise DataError(
            f"{path}: column {lacking[0]!r} is missing; there must be frame and x1,y1,x2,y2 (or x,y,w,h), and there may"
            f" be video,label,score,track; {there}."
        )
    for cell, word in zip(header, words, strict=True):
        if word not in _OURS:
            raise DataError(
                f"{path}: unknown column"
                f" {short(cell)}{closest(word, list(_OURS)) or '; leave it out, or call it as we do'}"
            )
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise DataError(f"{path}: two columns give {twice[0]!r}; {there}.")
    return names


def delimited(header: Sequence[str]) -> str:
    return ",".join(header)[:200]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _row(where: str, values: Mapping[str, str], delimiter: str, mot: bool) -> BoxRow:
    def take(name: str, kind: Callable[[str], float]) -> float:
        text = values.get(name, "")
        try:
            return kind(text.replace(",", ".") if delimiter != "," else text)  # a comma in a number is a decimal one
        except ValueError:
            wanted = "a whole number" if kind is _whole else "a number"
            what = f"{name} is {text[:40]!r}, not {wanted}" if name in values else f"{name}, {wanted}, is missing"
            raise DataError(f"{where}: {what}.") from None

    video = values.get("video") or None
    if "frame" in values or video is None or Path(video).suffix.lower() not in PICTURES:
        frame = int(take("frame", _whole))
    else:
        frame = 1  # a picture is a video of one frame
    x1, y1 = take("x1", float), take("y1", float)
    x2, y2 = (x1 + take("w", float), y1 + take("h", float)) if "w" in values else (take("x2", float), take("y2", float))
    track = int(take("track", _whole)) if values.get("track") else None
    score = take("score", float) if values.get("score") else 1.0
    if mot:  # -1 stands for what is not known
        track, score = None if track == -1 else track, 1.0 if score == -1 else score
    return BoxRow(where, video, frame, values.get("label") or "", (x1, y1, x2, y2), score, track)


def _whole(text: str) -> int:
    """Also "3.0", as tables have it whose column lacked a value somewhere. Raises ValueError."""
    number = float(text)
    if not number.is_integer():
        raise ValueError(text)
    return int(number)
