"""The classes of things in rooms: what they do there, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# "surface" bears things, "seat" a person; "container" holds things and is carried like "portable".
Role = Literal["surface", "seat", "container", "portable"]
PERSON = "person"


@dataclass(frozen=True)
class RoomKind:
    """A class of things. Lengths are in body heights.

    look: how it is drawn, a name of ``looks``. weight: how often it is drawn for a video. width,
    height: ranges of its size.
    """

    role: Role
    look: str
    weight: float
    width: tuple[float, float]
    height: tuple[float, float]


KINDS_OF_ROOMS: dict[str, RoomKind] = {
    "table": RoomKind("surface", "table", 3, (0.72, 0.95), (0.38, 0.44)),
    "shelf": RoomKind("surface", "shelf", 2, (0.5, 0.62), (0.6, 0.72)),
    "chair": RoomKind("seat", "chair", 2, (0.38, 0.44), (0.54, 0.62)),
    "box": RoomKind("container", "box", 3, (0.3, 0.38), (0.27, 0.33)),
    "bag": RoomKind("container", "bag", 2, (0.28, 0.34), (0.3, 0.36)),
    "cup": RoomKind("portable", "cup/glass/bottle", 5, (0.12, 0.15), (0.17, 0.22)),
    "book": RoomKind("portable", "book", 4, (0.16, 0.2), (0.2, 0.25)),
    "laptop": RoomKind("portable", "laptop", 2, (0.24, 0.3), (0.18, 0.22)),
    "phone": RoomKind("portable", "phone/camera", 3, (0.11, 0.14), (0.18, 0.22)),
    "food": RoomKind("portable", "food", 3, (0.16, 0.21), (0.13, 0.17)),
    "towel": RoomKind("portable", "towel", 1, (0.2, 0.25), (0.24, 0.3)),
}
