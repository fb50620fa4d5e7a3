"""Where EASG's files lie in a folder: bare, as in the authors' repository, or as the archive of
that unpacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location, name_below

PICKLES = {"train": "easg_train.pkl", "test": "easg_val.pkl"}

_IN_REPOSITORY = "easg-generation/annts_in_new_format"
_UNPACKED = ("EASG-main", "EASG-master", "EASG")  # archives of GitHub's, and a clone
_ANNOTATIONS = (".", "annts_in_new_format", _IN_REPOSITORY, *(f"{folder}/{_IN_REPOSITORY}" for folder in _UNPACKED))
_FULL_RELEASE = "EASG_unict_master_final*.json"  # EASG.zip: another format, of which the authors publish no numbers


@dataclass(frozen=True)
class EasgLayout:
    """A data set's folder. Where no pickle is found, everything is looked for in the folder
    itself."""

    root: Location
    annotations: Location  # the folder of the pickles and the word lists

    def feature_file(self, name: str) -> Location | None:
        """A file of features, which are downloads of their own: beside the pickles, or in a folder
        between these and ``root``.

        Raises OSError if a folder may not be entered.
        """
        inside, listing = PurePosixPath(name_below(self.annotations, self.root)), Listing()
        files = (_at(self.root, str(part)) / name for part in (inside, *inside.parents))
        return next((file for file in files if listing.is_file(file)), None)


def find_layout(root: Location) -> EasgLayout:
    """Look for the pickles below ``root``. Raises OSError if a folder may not be entered."""
    return EasgLayout(root, _at(root, _annotations(root) or "."))


def has_annotations(root: Location) -> bool:
    """Whether a pickle lies where ``find_layout`` looks. Raises OSError if a folder may not be
    entered."""
    return _annotations(root) is not None


def has_full_release(root: Location) -> bool:
    """Whether the folder holds the JSON files of EASG.zip, which this package does not read."""
    return any(any(folder.glob(_FULL_RELEASE)) for folder in (root, root / "EASG"))


def _annotations(root: Location) -> str | None:
    listing = Listing()
    return next(
        (inner for inner in _ANNOTATIONS if any(listing.is_file(_at(root, inner) / name) for name in PICKLES.values())),
        None,
    )


def _at(root: Location, inside: str) -> Location:
    return root if inside == "." else root / inside
