"""The world of rooms: files of own data, and relations that boxes and pictures show and classes do
not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vidsgg.datasets.registry import identify, open_whole_split
from vidsgg.datasets.synthetic import generate as generate_module
from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate, is_complete, make_video
from vidsgg.datasets.synthetic.rooms.render import RoomScene
from vidsgg.datasets.synthetic.rooms.script import write_room
from vidsgg.datasets.synthetic.rooms.story import ACT, PLACE, RoomStory
from vidsgg.datasets.synthetic.rooms.world import CLASSES
from vidsgg.datasets.validation import check_dataset

SMALL = SyntheticConfig(videos=5, seed=2, width=160, height=120, workers=1, world="rooms")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rooms")
    generate(folder, SMALL)
    return folder


@pytest.fixture(scope="module")
def stories() -> list[RoomStory]:
    return [write_room(np.random.default_rng(seed), 14) for seed in range(60)]


def test_the_files_are_those_of_own_data(root: Path) -> None:
    assert identify(root)[0] == "coco_video" and is_complete(root)
    report = check_dataset(root, "all")
    assert report.clean and "0 warnings" in report.text(3)
    train = open_whole_split(root, "train", "predcls")
    vocabulary = train.schema.vocabulary
    assert vocabulary.objects[1:] == CLASSES and vocabulary.predicates == (*PLACE, *ACT)
    assert [len(train), len(open_whole_split(root, "test", "predcls"))] == [4, 1]
    assert train.images(0)[0].shape == (120, 160, 3)
    assert train.intervals(0) and sum(map(len, train.true_instances().values())) > 20


def test_the_same_seed_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    entries = [
        make_video(folder, config, 4) for folder, config in ((tmp_path, SMALL), (tmp_path, replace(SMALL, seed=3)))
    ]
    assert make_video(tmp_path, SMALL, 4) == entries[0] != entries[1]
    assert (tmp_path / "videos/S0004.mp4").read_bytes() == (root / "videos/S0004.mp4").read_bytes()


def test_a_set_of_one_world_is_replaced_by_one_of_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set").mkdir()
    monkeypatch.setattr(generate_module, "_write_video", lambda path, *_: path.write_bytes(b""))
    generate(tmp_path / "set", SMALL)
    (tmp_path / "set" / "mine.json").write_text("of a user")
    generate(tmp_path / "set", SyntheticConfig(videos=5, width=160, height=120, workers=1))
    assert identify(tmp_path / "set")[0] == "action_genome" and is_complete(tmp_path / "set")
    assert not (tmp_path / "set" / "train.json").exists() and (tmp_path / "set" / "mine.json").exists()


def test_rooms_hold_several_of_a_class_and_every_predicate(stories: list[RoomStory]) -> None:
    assert {story.people for story in stories} == {2, 3}
    assert any(len(set(names)) < len(names) for names in ([t.name for t in story.things] for story in stories))
    found = {predicate for story in stories for moment in story.moments for _, predicate, _ in moment.relations}
    assert found == {*PLACE, *ACT}
    ends = {
        (story.classes[s] == "person", story.classes[o] == "person", predicate)
        for story in stories
        for moment in story.moments
        for s, predicate, o in moment.relations
    }
    assert (False, False, "on") in ends and (False, False, "inside") in ends and (False, False, "next_to") in ends
    assert (True, True, "look_at") in ends and (True, False, "hold") in ends


def test_classes_alone_do_not_tell_relations(stories: list[RoomStory]) -> None:
    """Of most pairs of classes with any relation, some pairs of things have it in a moment and others
    do not."""
    has: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for story in stories:
        for moment in story.moments:
            related = {(s, o) for s, _, o in moment.relations}
            for s, name in enumerate(story.classes):
                for o, other in enumerate(story.classes):
                    if s != o:
                        has[name, other][(s, o) in related] += 1
    ever = [(no, yes) for no, yes in has.values() if yes]
    assert len(ever) > 60
    assert sum(min(no, yes) > 0.1 * max(no, yes) for no, yes in ever) > 0.6 * len(ever)


def test_what_holds_is_seen_in_the_boxes(stories: list[RoomStory]) -> None:
    seen = 0
    for number, story in enumerate(stories[:20]):
        scene = RoomScene(story, np.random.default_rng(number), 160, 120)
        for moment in story.moments:
            box = scene.boxes(moment)
            for subject, predicate, obj in moment.relations:
                (x1, y1, x2, y2), other = box[subject], box[obj]
                gap_x = max(x1, other[0]) - min(x2, other[2])
                gap_y = max(y1, other[1]) - min(y2, other[3])
                if predicate in ("on", "inside", "hold", "sit_on"):
                    assert max(gap_x, gap_y) < 3, (predicate, box[subject], other)
                if predicate == "on":  # its lower edge is at the upper edge of what it stands on
                    assert abs(y2 - other[1]) < 0.35 * (other[3] - other[1]) + 2
                if predicate == "inside":  # and here below
                    assert y2 - other[1] > 0.35 * (other[3] - other[1])
                seen += 1
    assert seen > 2000
