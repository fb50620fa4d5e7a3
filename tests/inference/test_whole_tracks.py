"""Which tracks count, what is bridged, whom a frame is about, and that the second pass is the
first one's frames."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

from vidsgg.errors import DataError
from vidsgg.inference.spool import FrameSpool
from vidsgg.inference.whole_tracks import about_its_people, bridged, settled, settled_so_far
from vidsgg.ops.scene_boxes import main_subjects, without_doubles
from vidsgg.structures.box_rules import BoxRules
from vidsgg.structures.graph import Box, GraphEdge, GraphFrame, GraphNode

RULES = BoxRules(least_score=0.25, track_score=0.33, sightings=2)
PERSON: Box = (10, 10, 50, 90)


def frame(number: int, *things: tuple[str, int, float, Box], edges: tuple[GraphEdge, ...] = ()) -> GraphFrame:
    nodes = tuple(GraphNode(label, score, box, track) for label, track, score, box in things)
    return GraphFrame(f"v/{number}", number, number / 2, 100, 100, nodes, edges)


def cups(*scores: float | None) -> Iterator[GraphFrame]:
    """A cup that is seen with these scores, or not."""
    for i, score in enumerate(scores, 1):
        yield frame(i, *([] if score is None else [("cup", 7, score, (i, 0, i + 10, 10))]))


COUNTS = {
    "median high enough": ((0.3, 0.4, 0.33), [1, 1, 1]),
    "median too low": ((0.32, 0.9, 0.3), [0, 0, 0]),
    "two scores: their mean": ((0.26, 0.4), [1, 1]),
    "seen once": ((0.9, None, None), [0, 0, 0]),
    "one frame in all": ((0.9,), [1]),
    "a gap of one frame": ((0.5, None, 0.5), [1, 1, 1]),
    "a gap of two frames": ((0.5, None, None, 0.5), [1, 0, 0, 1]),
}


@pytest.mark.parametrize(("scores", "seen"), COUNTS.values(), ids=COUNTS.keys())
def test_tracks_that_count(scores: tuple[float | None, ...], seen: list[int]) -> None:
    assert [len(f.nodes) for f in settled(cups(*scores), RULES, ["person"])] == seen


def test_as_they_come_tracks_are_judged_by_what_was_seen() -> None:
    assert [len(f.nodes) for f in settled_so_far(cups(0.9, None, 0.9, 0.2, 0.2, 0.2), RULES, [])] == [1, 0, 1, 1, 1, 0]


def test_a_bridge_lies_between_its_ends() -> None:
    holds = GraphEdge(0, 1, "holding", "contacting", 0.8)
    looks = GraphEdge(0, 1, "looking_at", "attention", 0.6)
    one = frame(1, ("person", 1, 0.9, PERSON), ("cup", 2, 0.4, (0, 0, 10, 10)), edges=(holds, looks))
    two = frame(2, ("person", 1, 0.9, PERSON))
    three = frame(
        3,
        ("cup", 2, 0.6, (20, 0, 30, 20)),
        ("person", 1, 0.9, PERSON),
        edges=(GraphEdge(1, 0, "holding", "contacting", 0.6),),
    )
    middle = list(bridged([one, two, three]))[1]
    assert middle.nodes[1] == GraphNode("cup", 0.5, (10, 0, 20, 15), 2)
    assert middle.edges == (GraphEdge(0, 1, "holding", "contacting", 0.7),)  # what both ends say, once
    assert list(bridged([one, two])) == [one, two]


def test_no_bridge_between_pictures_of_other_sizes() -> None:
    one, three = frame(1, ("cup", 2, 0.4, (0, 0, 10, 10))), frame(3, ("cup", 2, 0.4, (0, 0, 10, 10)))
    two = GraphFrame("v/2", 2, 1.0, 50, 50, (), ())
    assert list(bridged([one, two, three]))[1] == two


def test_people_of_a_frame() -> None:
    people = [
        ("person", 1, 0.9, PERSON),
        ("person", 2, 0.4, (12, 12, 30, 40)),  # wholly inside the first, with less than half its score: a part
        ("person", 3, 0.46, (12, 42, 30, 80)),  # inside too, but sure enough
        ("person", 4, 0.5, (60, 10, 99, 90)),
        ("person", 5, 0.9, (52, 10, 56, 14)),  # small: the fourth by score times root of area
        ("cup", 6, 0.3, (60, 60, 64, 64)),
    ]
    edge = GraphEdge(3, 5, "holding", "contacting", 0.9)
    gone = GraphEdge(4, 5, "holding", "contacting", 0.9)
    kept = about_its_people(frame(1, *people, edges=(gone, edge)), ["person"])
    assert [node.track for node in kept.nodes] == [1, 3, 4, 6]
    assert kept.edges == (GraphEdge(2, 3, "holding", "contacting", 0.9),)
    assert main_subjects(np.zeros((0, 4)), np.zeros(0)).tolist() == []


def test_doubles() -> None:
    box = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 10], [0, 0, 10, 10], [50, 0, 60, 10]], np.float32)
    klass, score = np.array([2, 3, 1, 2, 3]), np.array([0.4, 0.6, 0.5, 0.7, 0.3])
    # the first two of other classes lie on the fourth, which is surer; it leaves the first, of its own class, and the person alone
    assert without_doubles(box, klass, score, klass == 1).tolist() == [True, False, True, True, True]


def test_memory_stays_flat() -> None:
    """What is kept of a frame are a few bytes of its tracks."""

    def many() -> Iterator[GraphFrame]:
        for i in range(4000):
            yield frame(i + 1, *(("cup", k, 0.5, (k, 0, k + 9, 9)) for k in range(10)))

    tracemalloc.start()
    count = sum(1 for _ in settled(many(), RULES, ["person"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 4000
    assert peak < 1_500_000  # 40,000 boxes as objects take 15 times as much


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with FrameSpool() as spool:

        def full(data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(spool._file, "write", full, raising=False)
        with pytest.raises(DataError, match=r"No space left on device.*TMPDIR"):
            spool.add(frame(1))
