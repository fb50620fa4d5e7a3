"""A video in windows gives what it gives in one piece, holds no more than a window, and survives
frames in which there is nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from detectors.tiny import tiny_detector

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.inference.video import GraphRules, Scorer, Window, _windows, video_graphs
from vidsgg.io.boxes import FrameBoxes, GivenBoxes
from vidsgg.io.footage import FootageFrame
from vidsgg.methods.registry import find_method
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.structures.box_rules import BoxRules
from vidsgg.structures.clip import Clip
from vidsgg.structures.graph import GraphFrame
from vidsgg.structures.widths import FeatureWidths

OBJECTS = SCHEMA.vocabulary.objects
PERSON, CUP, CHAIR = (OBJECTS.index(name) for name in ("person", "cup/glass/bottle", "chair"))
SMALL = STTranConfig(hidden_dim=8, temporal_layer=1, feedforward_dim=16, embedding_dim=4)


def pictures(count: int, seed: int = 0) -> Iterator[FootageFrame]:
    """Pictures of blocks, one after the other; the last third is of another size."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        shape = (5, 7, 3) if i < 2 * count / 3 else (6, 5, 3)
        image = rng.integers(0, 256, shape, np.uint8).repeat(12, 0).repeat(12, 1)
        yield FootageFrame(f"v/{i + 1}", i + 1, i / 2, image)


@pytest.fixture(scope="module")
def detector() -> FasterRCNN:
    found = tiny_detector(OBJECTS)
    found.config = replace(found.config, proposals=replace(found.config.proposals, proposals=12))
    return found


def scorer(mode: str, detector: FasterRCNN) -> Scorer:
    torch.manual_seed(1)
    widths = FeatureWidths(node=detector.node_width, union=detector.union_channels)
    model = STTran(SCHEMA, widths=widths, config=SMALL, mode=mode).eval()
    every = BoxRules(least_score=0.0, track_score=0.0, sightings=1)  # the detector is random: it is sure of nothing
    extractor = ClipExtractor(detector, mode, learn=False)
    return Scorer(model, extractor, SCHEMA, mode, torch.device("cpu"), box_rules=every)


def same(mine: list[GraphFrame], theirs: list[GraphFrame]) -> None:
    """Equal but for the last digits: a batch of another size is added up in another order."""
    assert [(f.key, f.number, f.time, f.width, f.height) for f in mine] == [
        (f.key, f.number, f.time, f.width, f.height) for f in theirs
    ]
    for one, other in zip(mine, theirs, strict=True):
        assert [(n.label, n.track) for n in one.nodes] == [(n.label, n.track) for n in other.nodes]
        scores = [{(e.subject, e.object, e.predicate): e.score for e in frame.edges} for frame in (one, other)]
        assert scores[0].keys() == scores[1].keys()
        assert list(scores[0].values()) == pytest.approx([scores[1][edge] for edge in scores[0]], abs=1e-4)


LOOKS_BACK = find_method("sttran").capabilities.looks_back or 0  # what videos are cut by for the model used here
KEEP_ALL = GraphRules(threshold=0.0)  # so that no rounding decides which edges there are


@pytest.mark.parametrize(
    ("mode", "window"),
    [
        ("sgdet", Window(2, 1)),
        ("sgdet", Window(5, LOOKS_BACK)),
        ("sgdet", Window(12, 4)),
        ("sgdet", Window(48, 16, memory=1)),
        ("sgcls", Window(2, 1)),
        ("predcls", Window(5, 5)),
    ],
)
def test_windows_give_what_one_piece_gives(detector: FasterRCNN, mode: str, window: Window) -> None:
    boxes = None if mode == "sgdet" else GivenBoxes({i: given(i) for i in range(1, 16)})
    whole = list(video_graphs("v", pictures(15), scorer(mode, detector), KEEP_ALL, Window(100, 0, 2**40), boxes))
    parts = list(video_graphs("v", pictures(15), scorer(mode, detector), KEEP_ALL, window, boxes))
    assert len(whole) == 15
    assert sum(len(frame.edges) for frame in whole) > 15 * 10
    same(parts, whole)


def test_without_overlap_the_border_is_seen(detector: FasterRCNN) -> None:
    """That the test above can fail: the first frame behind a border has lost its neighbour."""
    parts, whole = (
        list(video_graphs("v", pictures(12), scorer("sgdet", detector), KEEP_ALL, window, live=True))
        for window in (Window(6, 0), Window(100, 0))
    )
    same(parts[:6], whole[:6])
    with pytest.raises(AssertionError):
        same(parts[6:7], whole[6:7])


def given(number: int, track: int = -1) -> FrameBoxes:
    """A person, a cup and a chair that move; of some frames less."""
    rows = [(PERSON, 5, 5, 30, 50), (CUP, 10 + number % 5, 20, 30, 40), (CHAIR, 2, 30, 40, 58)][
        : 3 if number % 4 else number % 3
    ]
    table = np.array(rows, np.float32).reshape(-1, 5)
    ids = np.arange(len(rows)) + track if track >= 0 else np.full(len(rows), -1)
    return FrameBoxes(
        f"frame {number}", table[:, 1:], table[:, 0].astype(np.int64), np.full(len(rows), 0.5, np.float32), ids
    )


def test_given_boxes_come_back_with_their_classes_and_tracks(detector: FasterRCNN) -> None:
    boxes = {i: given(i, track=70) for i in range(1, 8)}
    graphs = list(video_graphs("v", pictures(7), scorer("predcls", detector), boxes=GivenBoxes(boxes)))
    for frame in graphs:
        found = boxes[frame.number]
        assert [node.label for node in frame.nodes] == [OBJECTS[klass] for klass in found.klass]
        assert [node.track for node in frame.nodes] == found.track.tolist()
        assert np.allclose([node.box for node in frame.nodes], found.box)
        assert {edge.subject for edge in frame.edges if edge.group == "contacting"} <= {0}


def test_boxes_that_leave_the_picture_are_cut_and_those_outside_are_left_out(detector: FasterRCNN) -> None:
    def boxes(*sides: list[float]) -> FrameBoxes:
        count = len(sides)
        return FrameBoxes(
            "b",
            np.array(sides, np.float32),
            np.array([PERSON, CUP][:count]),
            np.ones(count, np.float32),
            np.arange(count),
        )

    given = GivenBoxes(
        {
            1: boxes([-3, 10, 500, 50], [10, 10, 20, 20]),
            2: boxes([84, 0, 90, 9], [5, 60, 9, 70]),
            3: boxes([0, 0, 84, 60]),
        }
    )
    graphs = list(video_graphs("v", pictures(3), scorer("predcls", detector), boxes=given))
    assert [[node.box for node in frame.nodes] for frame in graphs] == [
        [(0, 10, 84, 50), (10, 10, 20, 20)],
        [],
        [(0, 0, 60, 60)],
    ]  # the last picture is narrower
    assert graphs[0].edges and not graphs[1].edges
    assert given.notes() == [
        "2 of 5 boxes leave the picture and were cut at its edges",
        "2 of 5 boxes have no area inside the picture and were left out",
        (
            "so many boxes leave the picture that they may be of a picture of another size; they must be in pixels of"
            " this video"
        ),
    ]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_videos(detector: FasterRCNN, count: int) -> None:
    assert len(list(video_graphs("v", pictures(count), scorer("sgdet", detector)))) == count


def test_a_video_in_which_nothing_is_found(detector: FasterRCNN) -> None:
    blind = tiny_detector(OBJECTS)
    with torch.no_grad():
        blind.class_score.bias[0] = 50.0
    graphs = list(video_graphs("v", pictures(5), scorer("sgdet", blind), window=Window(2, 1)))
    assert [(frame.nodes, frame.edges) for frame in graphs] == [((), ())] * 5


def test_no_more_is_read_and_held_than_a_window(detector: FasterRCNN) -> None:
    read = 0

    def counted() -> Iterator[FootageFrame]:
        nonlocal read
        for frame in pictures(32):
            read += 1
            yield frame

    for window in (Window(1, 4), Window(3, 2), Window(12, 4)):
        read = 0
        graphs = video_graphs("v", counted(), scorer("sgdet", detector), window=window, live=True)
        assert max(read - frame.number for frame in graphs) == window.frames - 1


def test_a_frame_at_a_time_sees_what_came_before(detector: FasterRCNN) -> None:
    whole, live = (
        list(video_graphs("v", pictures(12), scorer("sgdet", detector), KEEP_ALL, window, live=True))
        for window in (Window(100, 0), Window(1, 3))
    )
    same(live[1:], whole[1:])  # only the first frame has nothing before it, and in one piece what follows


def test_every_frame_is_new_once_and_has_its_neighbours() -> None:
    def look(few: Sequence[FootageFrame]) -> Clip:
        start, count = few[0].number, len(few)
        none = torch.zeros(0, dtype=torch.int64)
        frames = torch.arange(count)
        return Clip(
            schema=SCHEMA, video_ids=("v",), frame_video=torch.zeros_like(frames), frame_unit=frames, frame_slot=torch.zeros_like(frames),
            frame_size=torch.full((count, 2), float(start)), node_box=torch.zeros(0, 4), node_class=none, node_score=torch.zeros(0),
            node_frame=none, node_identity=none, action_class=none, pair_subject=none, pair_object=none, pair_frame=none,
        )  # fmt: skip

    for window in (Window(4, 2), Window(10, 10), Window(3, 0), Window(1, 4), Window(8, 5, memory=0)):
        new, last_new = list[int](), 0
        for clip, moments, repeated in _windows(pictures(30), look, window):
            numbers = [moment.number for moment in moments]
            assert clip.frames == len(moments) == len(clip.frame_unit.unique())
            assert clip.frame_video.unique().tolist() == [0]
            assert numbers[:repeated] == new[len(new) - repeated :]
            assert repeated == min(window.overlap, len(new) if window.memory else last_new)
            last_new = len(moments) - repeated
            new += numbers[repeated:]
        assert new == list(range(1, 31))
