"""What the user says of a detector's labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidsgg.errors import ConfigError


@dataclass(frozen=True)
class LabelFiles:
    """The user's files about a detector's labels, see ``detectors/labels.py``."""

    classes: Path | None = None  #: the labels, one per line, in the order of the network's outputs
    label_map: Path | None = None  #: YAML or JSON: label -> class of the vocabulary, or null

    @staticmethod
    def of(classes: str | Path | None, label_map: str | Path | None) -> LabelFiles:
        """The files of two names, each of which may be None."""
        return LabelFiles(*(None if name is None else Path(name) for name in (classes, label_map)))

    @property
    def given(self) -> bool:
        return self.classes is not None or self.label_map is not None

    def refuse(self, detector: str, why: str) -> None:
        """Raise ConfigError if a file was given.

        Args:
            detector: name of the detector, for the message.
            why: why the detector cannot use such files.
        """
        if self.given:
            option = "classes" if self.classes is not None else "label_map"
            raise ConfigError(f"option -{option}: {detector} {why}; leave the option out.")


NO_LABELS = LabelFiles()
