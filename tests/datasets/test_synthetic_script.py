"""The world of the synthetic data: its relations follow from geometry, and its habits are the real
data's."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from vidsgg.datasets.action_genome import ATTENTION, CONTACTING, OBJECTS, SPATIAL
from vidsgg.datasets.action_genome_counts import frequencies
from vidsgg.datasets.synthetic import body
from vidsgg.datasets.synthetic.body import Pose, Skeleton
from vidsgg.datasets.synthetic.looks import look
from vidsgg.datasets.synthetic.one_person import relations
from vidsgg.datasets.synthetic.one_person.script import Story, write_story
from vidsgg.datasets.synthetic.one_person.things import GRIP, KINDS
from vidsgg.datasets.synthetic.placement import Placement, drawn_box


def standing(facing: float = 0.0, gaze: tuple[float, float] = (0.0, 1.0)) -> Pose:
    hands = np.array([[-0.18, -0.43], [0.18, -0.43]])
    feet = np.array([[-0.075, -0.03], [0.075, -0.03]])
    return Pose(np.array([0.0, body.STANDING_HIP]), 0.0, facing, np.array(gaze), hands, feet, 1.0)


def at(x: float, y: float, dz: float, width: float = 0.1, height: float = 0.1) -> Placement:
    return Placement(x, y, dz, width, height)


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    return [write_story(np.random.default_rng([0, i]), 14) for i in range(60)]


@pytest.fixture(scope="module")
def many() -> list[Story]:
    return [write_story(np.random.default_rng([7, i]), 14) for i in range(150)]


@pytest.mark.parametrize(
    ("facing", "thing", "expected"),
    [
        (0, at(0.0, -0.6, 0.3), {"in_front_of"}),
        (0, at(0.0, -0.6, -0.3), {"behind"}),
        (0, at(0.5, -0.6, 0.0), {"on_the_side_of"}),
        (0, at(-0.3, -0.6, 0.3), {"in_front_of", "on_the_side_of"}),
        (1, at(0.5, -0.6, 0.0), {"in_front_of"}),
        (-1, at(0.5, -0.6, 0.0), {"behind"}),
        (1, at(0.0, -0.6, 0.3), {"on_the_side_of"}),
        (1, at(-0.3, -0.6, -0.3), {"behind", "on_the_side_of"}),
        (0, at(0.0, -1.2, 0.0), {"above"}),
        (0, at(0.0, 0.0, 0.0, width=0.5), {"beneath"}),
        (0, Placement(0.0, -0.6, 0.1, 0.4, 0.4, enclosing=True), {"in"}),
    ],
)
def test_spatial_predicates_are_told_from_where_the_person_faces(
    facing: int, thing: Placement, expected: set[str]
) -> None:
    assert set(relations.spatial(body.skeleton(standing(facing)), facing, thing)) == expected


@pytest.mark.parametrize(
    ("gaze", "expected"),
    [
        ((1, 0), "looking_at"),
        ((1, 0.2), "looking_at"),
        ((1, 0.7), "unsure"),
        ((0, 1), "not_looking_at"),
        ((0.1, 0), "not_looking_at"),
    ],
    ids=["straight", "almost", "beside", "elsewhere", "to the viewer"],
)
def test_attention_is_the_angle_of_the_gaze(gaze: tuple[float, float], expected: str) -> None:
    head = body.skeleton(standing()).head
    angle = relations.gaze_angle(head, np.array(gaze, dtype=float), at(0.6, float(head[1]), 0.0))
    assert relations.attention(angle) == expected


@pytest.mark.parametrize(
    "goal", [(0.3, -0.6), (2.0, -0.6), (0.0, 0.0)], ids=["within reach", "too far", "on the floor"]
)
def test_limbs_keep_their_length(goal: tuple[float, float]) -> None:
    pose = standing()
    joints: Skeleton = body.skeleton(
        Pose(pose.hip, 0.1, 0.0, pose.gaze, np.array([pose.hands[0], goal]), pose.feet, 1.0)
    )
    upper = np.hypot(*(joints.elbows - joints.shoulders).T)
    lower = np.hypot(*(joints.hands - joints.elbows).T)
    np.testing.assert_allclose(upper, body.UPPER_ARM, atol=1e-6)
    np.testing.assert_allclose(lower, body.FOREARM, atol=1e-6)


def test_every_class_has_a_kind_a_look_and_frequencies() -> None:
    assert set(KINDS) == set(frequencies()) == set(OBJECTS[2:])
    for name, kind in KINDS.items():
        points = np.concatenate([shape.points for shape in look(name, np.random.default_rng(0))])
        assert np.abs(points).max() <= 0.5 + 1e-9, f"{name} is drawn outside its box"
        assert (np.ptp(points, axis=0) > 0.9).all(), f"{name} does not fill its box"
        assert kind.weight > 0
    for name, row in frequencies().items():
        assert sum(row.attention) == pytest.approx(1, abs=0.01), name
        assert set(row.contacting) <= set(CONTACTING) and set(row.following) <= set(CONTACTING)


def test_a_story_is_a_function_of_its_seed() -> None:
    first, again, other = (write_story(np.random.default_rng([0, i]), 12) for i in (1, 1, 2))
    assert [k.relations for k in first.keys] == [k.relations for k in again.keys]
    assert [k.placements for k in first.keys] == [k.placements for k in again.keys]
    assert [k.relations for k in first.keys] != [k.relations for k in other.keys]


def test_labels_are_complete_and_do_not_contradict_each_other(stories: list[Story]) -> None:
    for story in stories:
        assert 1 <= len(story.things) <= 5
        assert len({thing.name for thing in story.things}) == len(story.things)
        for key in story.keys:
            held = 0
            for thing, found in zip(story.things, key.relations, strict=True):
                assert found.attention in ATTENTION
                assert found.spatial and set(found.spatial) <= set(SPATIAL)
                assert found.contacting and set(found.contacting) <= set(CONTACTING)
                assert "not_contacting" not in found.contacting or len(found.contacting) == 1
                assert not {"in_front_of", "behind"} <= set(found.spatial)
                held += thing.kind.role == "portable" and bool(set(found.contacting) & set(GRIP))
            assert held <= 2, "a person has two hands"


def test_a_held_thing_is_at_a_hand(stories: list[Story]) -> None:
    seen = 0
    for story in stories:
        for key in story.keys:
            hands = body.skeleton(key.pose).hands
            for thing, placement, found in zip(story.things, key.placements, key.relations, strict=True):
                if thing.kind.role == "portable" and set(found.contacting) & set(GRIP):
                    seen += 1
                    assert min(np.hypot(*(placement.nearest(hand) - hand)) for hand in hands) < 0.06
    assert seen > 100


def test_frames_increase_and_leave_some_without_annotation(stories: list[Story]) -> None:
    for story in stories:
        gaps = np.diff([key.frame for key in story.keys])
        assert gaps.min() >= 2 and len(set(gaps)) > 1 and story.frames > story.keys[-1].frame


def test_predicates_are_about_as_frequent_as_in_the_real_data(many: list[Story]) -> None:
    """Averaged over what the videos hold; a single class in so few videos says little."""
    real, ours, pairs = Counter[str](), Counter[str](), 0
    for story in many:
        for key in story.keys:
            for thing, found in zip(story.things, key.relations, strict=True):
                row = frequencies()[thing.name]
                real.update(dict(zip(ATTENTION + SPATIAL, row.attention + row.spatial, strict=True)))  # type: ignore[arg-type]
                real.update(row.contacting)  # type: ignore[arg-type]
                ours.update((found.attention, *found.spatial, *found.contacting))
                pairs += 1
    for name in (*ATTENTION, *SPATIAL, *CONTACTING):
        assert abs(ours[name] - real[name]) / pairs < 0.12, (
            f"{name}: {ours[name] / pairs:.2f}, really {real[name] / pairs:.2f}"
        )


@pytest.mark.parametrize("contact", ["holding", "not_contacting", "sitting_on", "wearing", "covered_by"])
def test_contacts_last_about_as_long_as_really(contact: str, many: list[Story]) -> None:
    kept, real, total = 0, 0.0, 0
    for story in many:
        for before, now in zip(story.keys, story.keys[1:], strict=False):
            for thing, a, b in zip(story.things, before.relations, now.relations, strict=True):
                if contact in a.contacting:
                    total += 1
                    kept += contact in b.contacting
                    # No row: the contact never lasts to a second annotation, but the world may
                    # still let it happen.
                    real += frequencies()[thing.name].following.get(contact, {}).get(contact, 0.0)
    assert total > 50
    assert abs(kept - real) / total < 0.12, f"{kept / total:.2f} of {total}, really {real / total:.2f}"


def test_turned_things_have_the_box_of_what_is_drawn() -> None:
    book = look("book", np.random.default_rng(0))
    flat, turned = (drawn_box(book, Placement(0, 0, 0, 0.2, 0.4, angle=angle)) for angle in (0.0, np.pi / 2))
    np.testing.assert_allclose(flat, [-0.1, -0.2, 0.1, 0.2], atol=1e-9)
    np.testing.assert_allclose(turned, [-0.2, -0.1, 0.2, 0.1], atol=1e-9)
