"""What is wrong with a data set folder, in one report instead of one error at a time."""

from __future__ import annotations

from pathlib import Path

from vidsgg.datasets.findings import Book, Pictures, ValidationReport
from vidsgg.datasets.registry import FORMATS, identify


def check_dataset(path: Path, pictures: Pictures = "sample") -> ValidationReport:
    """Look for everything that is wrong with the data set in a folder.

    pictures: read the annotated frames of no video, of a few videos per split, or of all.
    Raises DataError if the folder does not exist or holds no known data set; all else becomes a
    finding.
    """
    name, root = identify(path)
    form, book = FORMATS.get(name), Book()
    form.check(root, pictures, book)
    return ValidationReport(root, form.title, tuple(book.facts), tuple(book.findings))
