"""Both trackers on the same scenes: things that move, are overlooked, cross, and are of two
classes."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from vidsgg.errors import ConfigError
from vidsgg.inference.trackers import Tracker, make_tracker

SIZE = (320.0, 240.0)


def scene(frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and classes: two things of class 2 that pass each other one above the other, and a
    third of class 1 that stands still."""
    box = np.array(
        [
            [10 + 12 * frame, 10, 60 + 12 * frame, 80],
            [190 - 12 * frame, 120, 240 - 12 * frame, 200],
            [100, 50, 160, 150],
        ],
        float,
    )
    return box, np.array([2, 2, 1])


def followed(
    tracker: Tracker, missing: dict[int, list[int]], score: float = 0.9, frames: int = 12, order: int = 1
) -> list[dict[int, int]]:
    """Ids of the scene's things, frame by frame. missing: things that are overlooked in a frame.
    order -1: boxes come the other way round."""
    found = []
    for f in range(frames):
        box, klass = scene(f)
        seen = np.array([i for i in range(3) if i not in missing.get(f, [])][:: order if f % 2 else 1], int)
        ident = tracker.ids(box[seen], klass[seen], np.full(len(seen), score), SIZE, f / 2)
        assert len(set(ident.tolist())) == len(seen)
        assert (ident > 0).all()
        found.append(dict(zip(seen.tolist(), ident.tolist(), strict=True)))
    return found


def _why_not() -> str | None:
    """Why the library cannot be loaded: on servers its OpenCV may lack a system library."""
    try:
        import trackers  # noqa: F401
    except ImportError as error:
        return str(error)
    return None


byte_track = pytest.mark.skipif(_why_not() is not None, reason=f"the trackers library cannot be loaded: {_why_not()}")
both = pytest.mark.parametrize("name", ["overlap", pytest.param("bytetrack", marks=byte_track)])


@both
@pytest.mark.parametrize("order", [1, -1])
def test_a_thing_keeps_its_id_from_its_first_frame(name: str, order: int) -> None:
    found = followed(make_tracker(name, 2.0), {3: [0], 4: [0, 1], 7: [0, 1, 2]}, order=order)
    assert found[0] == {0: 1, 1: 2, 2: 3} if order == 1 else set(found[0].values()) == {1, 2, 3}
    for frame in found:
        assert frame == {thing: found[0][thing] for thing in frame}


@both
def test_a_thing_that_is_gone_for_long_is_a_new_one(name: str) -> None:
    found = followed(make_tracker(name, 2.0), {f: [2] for f in range(2, 9)})
    assert found[9][2] not in {ident for frame in found[:9] for ident in frame.values()}
    assert found[11][2] == found[9][2]


@byte_track
def test_byte_track_begins_nothing_with_an_unsure_box_and_goes_on_with_it() -> None:
    unsure = followed(make_tracker("bytetrack", 2.0), {}, score=0.4, frames=3)
    assert len({ident for frame in unsure for ident in frame.values()}) == 9
    tracker = make_tracker("bytetrack", 2.0)
    (first,) = followed(tracker, {}, frames=1)
    box, klass = scene(1)
    assert tracker.ids(box, klass, np.full(3, 0.4), SIZE, 0.5).tolist() == list(first.values())


def test_the_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(
        ConfigError,
        match=(
            r"-tracker bytetrack: trackers is not installed \(.*\); install it with: pip install 'vidsgg\[tracking\]'"
        ),
    ):
        make_tracker("bytetrack", 2.0)
