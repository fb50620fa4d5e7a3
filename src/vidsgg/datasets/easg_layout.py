"""Where EASG's files lie in a folder: bare, as in the authors' repository, or as the archive of
that unpacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PICKLES = {"train": "easg_train.pkl", "test": "easg_val.pkl"}

_IN_REPOSITORY = "easg-generation/annts_in_new_format"
_UNPACKED = ("EASG-main", "EASG-master", "EASG")  # archives of GitHub's, and a clone
_ANNOTATIONS = (".", "annts_in_new_format", _IN_REPOSITORY, *(f"{folder}/{_IN_REPOSITORY}" for folder in _UNPACKED))
_FULL_RELEASE = "EASG_unict_master_final*.json"  # EASG.zip: another format, of which the authors publish no numbers


@dataclass(frozen=True)
class EasgLayout:
    """A data set's folder. Where no pickle is found, everything is looked for in the folder
    itself."""

    root: Path
    annotations: Path  # the folder of the pickles and the word lists

    def feature_file(self, name: str) -> Path | None:
        """A file of features, which are downloads of their own: beside the pickles, or in a folder
        between these and ``root``.

        Raises OSError if a folder may not be entered.
        """
        inside = self.annotations.relative_to(self.root)
        return next((file for part in (inside, *inside.parents) if (file := self.root / part / name).is_file()), None)


def find_layout(root: Path) -> EasgLayout:
    """Look for the pickles below ``root``. Raises OSError if a folder may not be entered."""
    return EasgLayout(root, root / (_annotations(root) or "."))


def has_annotations(root: Path) -> bool:
    """Whether a pickle lies where ``find_layout`` looks. Raises OSError if a folder may not be
    entered."""
    return _annotations(root) is not None


def has_full_release(root: Path) -> bool:
    """Whether the folder holds the JSON files of EASG.zip, which this package does not read."""
    return any(any(folder.glob(_FULL_RELEASE)) for folder in (root, root / "EASG"))


def _annotations(root: Path) -> str | None:
    return next(
        (inner for inner in _ANNOTATIONS if any((root / inner / name).is_file() for name in PICKLES.values())), None
    )
