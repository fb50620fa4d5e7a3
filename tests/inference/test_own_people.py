"""Two people, three people, nobody, a thing held by one of two: from found boxes to graphs, each
person alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.base import FoundBoxes
from vidsgg.inference.video import GraphRules, Scorer, Window, video_graphs
from vidsgg.io.boxes import FrameBoxes, GivenBoxes
from vidsgg.io.footage import FootageFrame
from vidsgg.io.images import Image
from vidsgg.methods.geometry import METHOD, GeometryOptions
from vidsgg.models.layers.subjects import score_apart
from vidsgg.structures.clip import Clip
from vidsgg.structures.graph import GraphFrame
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.widths import FeatureWidths

OBJECTS = SCHEMA.vocabulary.objects
OWN = SCHEMA.of_own_videos()
Things = Sequence[tuple[str, float, tuple[float, float, float, float]]]
LEFT, MIDDLE, RIGHT = (10, 20, 60, 190), (80, 20, 130, 190), (140, 20, 190, 190)
CUP = (155, 100, 165, 112)  # in the right one's hand
RULES = GraphRules(threshold=0.1, best=False)


class Finder:
    """Finds the same things in every frame, but for those in ``missing``."""

    def __init__(self, things: Things, missing: dict[int, str] | None = None) -> None:
        self.things, self.missing, self.seen = things, missing or {}, 0

    def __call__(self, images: Sequence[Image]) -> FoundBoxes:
        rows = []
        for f in range(len(images)):
            rows += [(f, *t) for t in self.things if self.missing.get(self.seen + f) != t[0]]
        self.seen += len(images)
        klass = torch.tensor([OBJECTS.index(label) for _, label, _, _ in rows], dtype=torch.long)
        return FoundBoxes(
            frame=torch.tensor([f for f, *_ in rows], dtype=torch.long),
            box=torch.tensor([box for *_, box in rows], dtype=torch.float32).view(-1, 4),
            klass=klass,
            score=torch.tensor([score for _, _, score, _ in rows]),
            distribution=torch.nn.functional.one_hot(klass, len(OBJECTS)).float(),
        )


def film(count: int = 6) -> Iterator[FootageFrame]:
    for i in range(count):
        yield FootageFrame(f"v/{i + 1}", i + 1, i / 2, np.zeros((200, 200, 3), np.uint8))


def graphs(things: Things, missing: dict[int, str] | None = None, live: bool = False) -> list[GraphFrame]:
    model = METHOD.build(SCHEMA, FeatureWidths(), GeometryOptions(model="geometry")).eval()
    finder = Finder(things, missing)
    scorer = Scorer(model, None, OWN, "sgdet", torch.device("cpu"), finder=finder, all_subjects=True)
    return list(video_graphs("v", film(), scorer, RULES, Window(4, 2), live=live))


def holders(frame: GraphFrame) -> list[tuple[float, ...] | None]:
    return [frame.nodes[e.subject].box for e in frame.edges if e.predicate == "holding" and e.score >= 0.5]


def test_a_cup_is_held_by_one_of_two() -> None:
    for frame in graphs([("person", 0.8, LEFT), ("cup/glass/bottle", 0.5, CUP), ("person", 0.7, RIGHT)]):
        assert holders(frame) == [RIGHT]
        assert {frame.nodes[e.subject].box for e in frame.edges if e.group == "attention"} == {LEFT, RIGHT}
        assert not any(frame.nodes[e.subject].label == frame.nodes[e.object].label for e in frame.edges)


def test_three_people() -> None:
    people = [("person", 0.8, box) for box in (LEFT, MIDDLE, RIGHT)]
    for frame in graphs([*people, ("chair", 0.5, (70, 120, 140, 200)), ("cup/glass/bottle", 0.5, CUP)]):
        related = {frame.nodes[e.subject].track for e in frame.edges if e.group == "contacting"}
        assert len(related) == 3
        assert holders(frame) == [RIGHT]


def test_nobody() -> None:
    for frame in graphs([("cup/glass/bottle", 0.5, CUP), ("chair", 0.5, (70, 120, 140, 200))]):
        assert len(frame.nodes) == 2 and not frame.edges
    assert all(not frame.nodes for frame in graphs([]))


def test_a_gap_is_related_too() -> None:
    found = graphs([("cup/glass/bottle", 0.5, CUP), ("person", 0.7, RIGHT)], missing={3: "cup/glass/bottle"})
    assert [len(frame.nodes) for frame in found] == [2] * 6
    assert [holders(frame) for frame in found] == [[RIGHT]] * 6
    assert len({node.track for frame in found for node in frame.nodes}) == 2
    live = graphs([("cup/glass/bottle", 0.5, CUP), ("person", 0.7, RIGHT)], missing={3: "cup/glass/bottle"}, live=True)
    assert [len(frame.nodes) for frame in live] == [2, 2, 2, 1, 2, 2]


def test_what_is_below_the_detectors_least_score_is_not_used() -> None:
    found = graphs([("cup/glass/bottle", 0.24, CUP), ("person", 0.7, RIGHT), ("chair", 0.3, LEFT)])
    assert {node.label for frame in found for node in frame.nodes} == {"person"}  # the chair's track is too unsure


def test_given_boxes_stay_and_every_person_has_relations() -> None:
    table = [(1, *LEFT), (1, *RIGHT), (OBJECTS.index("cup/glass/bottle"), *CUP)]
    rows = np.array(table, np.float32)
    boxes = FrameBoxes("b", rows[:, 1:], rows[:, 0].astype(np.int64), np.full(3, 0.1, np.float32), np.full(3, -1))
    model = METHOD.build(SCHEMA, FeatureWidths(), GeometryOptions(model="geometry")).eval()
    scorer = Scorer(model, None, OWN, "predcls", torch.device("cpu"), all_subjects=True)
    given = GivenBoxes(dict.fromkeys(range(1, 4), boxes))
    for frame in video_graphs("v", film(3), scorer, RULES, boxes=given):
        assert len(frame.nodes) == 3
        assert holders(frame) == [RIGHT]


class Sequences(torch.nn.Module):
    """Says of every pair in how many frames and with how many pairs its video is: what a model that
    looks around sees."""

    def forward(self, clip: Clip) -> RelationLogits:
        video = clip.frame_video[clip.pair_frame]
        frames, pairs = torch.bincount(clip.frame_video)[video], torch.bincount(video)[video]
        box = clip.node_box[clip.pair_subject, 0]
        table = torch.stack([frames, pairs, box], 1).float()
        return RelationLogits({group.name: table for group in clip.schema.vocabulary.groups})


def test_each_subject_is_a_sequence_of_its_own() -> None:
    """The left one has four pairs in three frames, the right one two in two of these, with the same
    things."""
    rows = [(0, 1, LEFT, 5), (0, 11, CUP, 6), (0, 8, CUP, 7), (1, 1, LEFT, 5), (1, 1, RIGHT, 9), (1, 11, CUP, 6), (2, 1, RIGHT, 9),
            (2, 1, LEFT, 5), (2, 11, CUP, 6)]  # fmt: skip
    pairs = [(0, 1), (0, 2), (3, 5), (4, 5), (6, 8), (7, 8)]
    frame, klass, box, track = zip(*rows, strict=True)
    clip = Clip(
        schema=OWN, video_ids=("v",), frame_video=torch.zeros(3, dtype=torch.long), frame_unit=torch.arange(3),
        frame_slot=torch.zeros(3, dtype=torch.long), frame_size=torch.full((3, 2), 200.0),
        node_box=torch.tensor(box, dtype=torch.float32), node_class=torch.tensor(klass), node_score=torch.ones(9),
        node_frame=torch.tensor(frame), node_identity=torch.tensor(track), action_class=torch.zeros(0, dtype=torch.long),
        pair_subject=torch.tensor([s for s, _ in pairs]), pair_object=torch.tensor([o for _, o in pairs]),
        pair_frame=torch.tensor([frame[s] for s, _ in pairs]),
    )  # fmt: skip
    said = score_apart(Sequences(), clip).groups["contacting"]
    assert said.tolist() == [[3, 4, 10], [3, 4, 10], [3, 4, 10], [3, 2, 140], [3, 2, 140], [3, 4, 10]]


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_lengths(count: int) -> None:
    model = METHOD.build(SCHEMA, FeatureWidths(), GeometryOptions(model="geometry")).eval()
    finder = Finder([("cup/glass/bottle", 0.5, CUP), ("person", 0.7, RIGHT)])
    scorer = Scorer(model, None, OWN, "sgdet", torch.device("cpu"), finder=finder, all_subjects=True)
    found = list(video_graphs("v", film(count), scorer, RULES, Window(3, 1)))
    assert [holders(frame) for frame in found] == [[RIGHT]] * count
