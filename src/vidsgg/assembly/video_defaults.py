"""What is asked of a video where nothing else is said: of the command line and of Python. Nothing
heavy is imported here."""

from __future__ import annotations

from typing import Literal, TypeAlias

MODEL = "geometry"  # what relates things in own videos where no checkpoint is named
FPS = 2.0  # graphs a second
THRESHOLD = 0.5  # of a data set's video: of a group a pair keeps its best predicate, and all above this probability
FLOOR = 0.1  # of own videos: what is less probable is not kept in files, where a page's slider could still find it
Tracking: TypeAlias = Literal["overlap", "bytetrack"]
TRACKER: Tracking = "overlap"
