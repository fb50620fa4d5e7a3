"""The classes of objects as the world knows them: how common, how large, where they stand, what
they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What a class of things does in the world:
# "portable" travels in the hands and otherwise stands on something; "support" carries the person;
# "tall" stands on the floor or hangs on the wall and is higher than the person's chest; "low" is
# furniture that one can stand behind.
Role = Literal["portable", "support", "tall", "low"]


@dataclass(frozen=True)
class Kind:
    """A class of things. Lengths are in body heights of the person.

    weight: how often it is drawn for a video. width, height: ranges of its size. base: range of the
    height of its lower edge above the floor, for things that never move. wraps: the person can be
    inside of it (worn, covered by, passed through).
    """

    role: Role
    weight: float
    width: tuple[float, float]
    height: tuple[float, float]
    base: tuple[float, float] = (0.0, 0.0)
    wraps: bool = False


# Weights: the real data's tail is long, from 30,046 annotations of a table down to 1,488 of a
# light; what lies between is ours.
KINDS: dict[str, Kind] = {
    "bag": Kind("portable", 9, (0.20, 0.28), (0.22, 0.30)),
    "bed": Kind("support", 9, (1.05, 1.35), (0.34, 0.46)),
    "blanket": Kind("portable", 9, (0.30, 0.42), (0.22, 0.32), wraps=True),
    "book": Kind("portable", 10, (0.15, 0.21), (0.17, 0.23)),
    "box": Kind("portable", 6, (0.22, 0.32), (0.19, 0.26)),
    "broom": Kind("portable", 3, (0.15, 0.20), (0.66, 0.82)),
    "chair": Kind("support", 20, (0.36, 0.46), (0.52, 0.64)),
    "closet/cabinet": Kind("tall", 5, (0.48, 0.66), (0.90, 1.10)),
    "clothes": Kind("portable", 14, (0.26, 0.34), (0.30, 0.38), wraps=True),
    "cup/glass/bottle": Kind("portable", 17, (0.09, 0.13), (0.14, 0.20)),
    "dish": Kind("portable", 13, (0.22, 0.30), (0.10, 0.14)),
    "door": Kind("tall", 10, (0.40, 0.50), (1.00, 1.16)),
    "doorknob": Kind("tall", 1.6, (0.10, 0.14), (0.11, 0.15), (0.44, 0.50)),
    "doorway": Kind("tall", 7, (0.58, 0.74), (1.10, 1.22), wraps=True),
    "floor": Kind("support", 15, (1.10, 1.50), (0.18, 0.26)),
    "food": Kind("portable", 15, (0.13, 0.19), (0.10, 0.15)),
    "groceries": Kind("portable", 2.5, (0.22, 0.28), (0.28, 0.36)),
    "laptop": Kind("portable", 9, (0.26, 0.34), (0.19, 0.25)),
    "light": Kind("tall", 1.0, (0.20, 0.28), (0.22, 0.30), (0.50, 0.74)),
    "medicine": Kind("portable", 2, (0.09, 0.12), (0.13, 0.17)),
    "mirror": Kind("tall", 2.5, (0.30, 0.40), (0.42, 0.56), (0.46, 0.62)),
    "paper/notebook": Kind("portable", 10, (0.17, 0.23), (0.19, 0.25)),
    "phone/camera": Kind("portable", 13, (0.10, 0.13), (0.16, 0.20)),
    "picture": Kind("portable", 1.6, (0.20, 0.28), (0.20, 0.27)),
    "pillow": Kind("portable", 6, (0.26, 0.34), (0.19, 0.24)),
    "refrigerator": Kind("tall", 4, (0.42, 0.52), (0.90, 1.06)),
    "sandwich": Kind("portable", 4, (0.14, 0.19), (0.10, 0.14)),
    "shelf": Kind("tall", 3.5, (0.50, 0.66), (0.62, 0.90), (0.12, 0.35)),
    "shoe": Kind("portable", 4, (0.16, 0.20), (0.09, 0.12)),
    "sofa/couch": Kind("support", 12, (0.95, 1.25), (0.46, 0.58)),
    "table": Kind("low", 20, (0.62, 0.95), (0.36, 0.44)),
    "television": Kind("tall", 6, (0.50, 0.66), (0.34, 0.44), (0.42, 0.60)),
    "towel": Kind("portable", 5.5, (0.20, 0.27), (0.28, 0.36), wraps=True),
    "vacuum": Kind("portable", 1.4, (0.22, 0.30), (0.60, 0.74)),
    "window": Kind("tall", 3, (0.44, 0.60), (0.44, 0.56), (0.46, 0.58)),
}
# The height at which a person sits or lies on it, as a share of the thing's own height.
SEAT = {"chair": 0.45, "sofa/couch": 0.46, "bed": 0.62, "floor": 0.0}
# Things that one grips by a handle and opens: holding them looks different from touching them.
OPENING = ("closet/cabinet", "door", "refrigerator", "window")
# Things that are raised to the mouth.
MOUTH = ("drinking_from", "eating")
# Contacts that take a hand, and those in which the thing leaves its place and travels with it.
HAND = ("carrying", "holding", "drinking_from", "eating", "touching", "wiping", "writing_on", "twisting")
GRIP = ("carrying", "holding", "drinking_from", "eating")
# Contacts in which the thing bears the person.
BEARING = ("lying_on", "sitting_on", "standing_on")
# Contacts in which the thing rests on the body without a hand.
WORN = ("wearing", "covered_by", "have_it_on_the_back")
