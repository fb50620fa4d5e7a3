"""What is asked of a video where nothing else is said: of the command line and of Python. Nothing
heavy is imported here."""

from __future__ import annotations

from typing import Literal, TypeAlias

FPS = 2.0  # graphs a second
THRESHOLD = 0.5  # of a group a pair keeps its best predicate, and all above this probability
LEAST_SCORE = 0.3  # objects that a detector is less sure of are left out
Tracking: TypeAlias = Literal["overlap", "bytetrack"]
TRACKER: Tracking = "overlap"
