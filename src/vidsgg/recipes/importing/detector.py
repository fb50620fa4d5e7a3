"""The published detector of Action Genome's methods, imported."""

from __future__ import annotations

from pathlib import Path

from vidsgg.detectors.files import detector_of_authors, save_detector
from vidsgg.recipes.importing.authors_file import AuthorsFile, Imported


def import_detector(file: AuthorsFile, path: Path) -> Imported:
    """Write the detector to ``path``. Raises CheckpointError if its weights do not fit."""
    detector, left_over = detector_of_authors(file.path, file.state)
    save_detector(path, detector, {"imported_from": file.path.name})
    description = detector.describe()
    return Imported(
        path,
        (
            f"{file.path}: the detector of Action Genome's methods, {description['detector']}",
            *(f"  {name}: {value}" for name, value in description.items() if name != "detector"),
            f"  classes: {len(detector.classes)}, Action Genome's, background included",
            *file.account(left_over, "counters of batch normalisation, which is frozen here"),
            f"written to {path}; use it with -detector {path}, or name it detector.pth in the data set's folder",
        ),
    )
