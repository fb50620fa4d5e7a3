"""The chart of mistakes: a colour for every reason that occurs, of frames, events and tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from charts.test_scores import BLUE, GREEN, ORANGE, colours

from vidsgg.charts.mistakes import draw_mistakes
from vidsgg.metrics.misses import MissResult, misses_of
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.tracks import TrackErrors

FRAMES = Protocol("f", "frame", "box+class", 0.5, ("with", "no"), (20, 50), "product", 100)
EVENTS = Protocol("e", "event", "class", None, ("with",), (10, 20), "sum", 50)


@pytest.mark.parametrize("protocol", [FRAMES, EVENTS], ids=["frames", "events"])
def test_reasons_that_occur_have_their_colour(protocol: Protocol, tmp_path: Path) -> None:
    shape = len(protocol.constraints), len(protocol.ks), len(misses_of(protocol))
    some = MissResult(protocol, np.full(shape, 0.1), np.ones(shape, np.int64))
    seen = colours(draw_mistakes(tmp_path / "m.png", some))
    assert {BLUE, GREEN} <= seen and (ORANGE in seen) == (protocol is FRAMES)  # events have no boxes to be off
    assert ORANGE in colours(draw_mistakes(tmp_path / "r.png", some, remark="a remark"))
    none = MissResult(protocol, np.zeros(shape), np.zeros(shape, np.int64))
    assert not {BLUE, GREEN, ORANGE} & colours(draw_mistakes(tmp_path / "n.png", none))


def test_tracks_stand_above_frames(tmp_path: Path) -> None:
    shape = len(FRAMES.constraints), len(FRAMES.ks), 6
    none = MissResult(FRAMES, np.zeros(shape), np.zeros(shape, np.int64))
    for errors in (
        TrackErrors({"v": np.array([0, 1, 2, 5])}, np.array([0.2]), np.full((1, 6), 0.3), np.array([4])),
        TrackErrors.cat([]),  # no video with a relation: no gain is known
    ):
        path = draw_mistakes(tmp_path / "t.png", none, errors)
        assert (BLUE in colours(path)) == bool(len(errors.ap))
