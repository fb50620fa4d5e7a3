"""What a detector's scores mean for whoever uses its boxes."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.errors import ConfigError


@dataclass(frozen=True)
class BoxRules:
    """Which boxes, and which tracks of boxes, count. Scores of detectors differ, so each states its own.

    Raises ConfigError for values that cannot be.
    """

    least_score: float = 0.25  # a box below this score is not used
    track_score: float = 0.33  # a track counts if the median of its scores is at least this
    sightings: int = 2  # and if it is seen in at least so many frames

    def __post_init__(self) -> None:
        for name in ("least_score", "track_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}, not a number from 0 to 1.")
        if self.sightings < 1:
            raise ConfigError(f"sightings is {self.sightings}; the least is 1.")
