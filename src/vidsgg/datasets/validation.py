"""What is wrong with a data set folder, in one report instead of one error at a time."""

from __future__ import annotations

from vidsgg.datasets.findings import Book, Pictures, ValidationReport
from vidsgg.datasets.registry import format_at
from vidsgg.io.locations import Location


def check_dataset(
    path: Location, pictures: Pictures = "sample", videos_path: Location | None = None
) -> ValidationReport:
    """Look for everything that is wrong with the data set in a folder.

    pictures: read the annotated frames of no video, of a few videos per split, or of all. videos_path:
    the folder with the videos or pictures, if that is another.
    Raises DataError if the folder does not exist or holds no known data set; all else becomes a
    finding.
    """
    (form, root), book = format_at(path), Book(videos_path=videos_path)
    form.check(root, pictures, book)
    return ValidationReport(root, form.title, tuple(book.facts), tuple(book.findings))
