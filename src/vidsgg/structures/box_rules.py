"""What a detector's scores mean for whoever uses its boxes."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.errors import ConfigError


@dataclass(frozen=True)
class BoxRules:
    """Which boxes and tracks are used. Scores of detectors differ, so each detector has its own rules.

    Raises ConfigError for values out of range.
    """

    least_score: float = 0.25  #: boxes with a lower score (0..1) are dropped
    track_score: float = 0.33  #: tracks whose median score is lower are dropped
    sightings: int = 2  #: tracks that are seen in fewer frames are dropped

    def __post_init__(self) -> None:
        for name in ("least_score", "track_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, not a number from 0 to 1.")
        if self.sightings < 1:
            raise ConfigError(f"sightings is {self.sightings}; the least is 1.")
