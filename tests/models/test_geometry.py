"""Relations guessed from boxes: every rule a line, counted by hand, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from clips import ENTITY, entity_clip
from toys import ToyVideos

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.datasets.known_geometry import RULES, count_shares, known_shares
from vidsgg.errors import ConfigError
from vidsgg.methods.geometry import METHOD, GeometryOptions
from vidsgg.models.geometry import GeometryModel
from vidsgg.ops.decoding import decode
from vidsgg.ops.pair_geometry import CELLS, geometry_cells, pair_geometry
from vidsgg.ops.pairing import SubjectRule, subject_pairs
from vidsgg.structures.clip import Clip
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.widths import FeatureWidths

VOCABULARY = SCHEMA.vocabulary
PERSON = VOCABULARY.objects.index("person")
STANDS = (100, 50, 200, 350)  # w 100, h 300: thin, and its feet are in a picture that is 400 high
SITS = (100, 100, 250, 350)  # w 150, h 250
CUT = (100, 100, 200, 400)  # thin, but its feet are not seen
LIES = (100, 200, 400, 350)  # w 300, h 150
THING = (120, 150, 140, 170)


@cache
def built_in() -> GeometryModel:
    model = METHOD.build(SCHEMA, FeatureWidths(), GeometryOptions(model="geometry"))
    assert isinstance(model, GeometryModel)
    return model.eval()


CASES = {
    # Touch: min(1, cover / 0.35), or what the gap leaves.
    "inside": ("touching", "cup/glass/bottle", STANDS, (120, 150, 140, 170), 1.0),
    "a seventh inside": ("touching", "cup/glass/bottle", STANDS, (197, 150, 217, 170), 0.6),
    "a quarter inside": ("touching", "cup/glass/bottle", STANDS, (195, 150, 215, 170), 0.25 / 0.35),
    "just beside": ("touching", "cup/glass/bottle", STANDS, (200, 150, 220, 170), 0.6),
    "a gap of 0.03": ("touching", "cup/glass/bottle", STANDS, (209, 150, 229, 170), 0.6 * np.exp(-1)),
    "a gap of 0.1": ("touching", "cup/glass/bottle", STANDS, (230, 150, 250, 170), 0.0),
    "across a corner": ("touching", "cup/glass/bottle", STANDS, (203, 354, 223, 374), 0.6 * np.exp(-((5 / 9) ** 2))),
    # not_contacting: 1 - 0.8 touch.
    "apart": ("not_contacting", "cup/glass/bottle", STANDS, (300, 150, 320, 170), 1.0),
    "not apart": ("not_contacting", "cup/glass/bottle", STANDS, THING, 0.2),
    # Bearing.
    "sits on a chair": ("sitting_on", "chair", SITS, (90, 250, 260, 390), 0.9),
    "stands, so sits less": ("sitting_on", "chair", STANDS, (90, 250, 210, 380), 0.35),
    "feet out of the picture: may sit": ("sitting_on", "chair", CUT, (90, 250, 210, 400), 0.9),
    "its lower end is above the chair": ("sitting_on", "chair", SITS, (90, 350, 260, 400), 0.02),
    "the chair ends too high": ("sitting_on", "chair", SITS, (90, 120, 260, 230), 0.02),
    "the chair is too narrow": ("sitting_on", "chair", SITS, (120, 250, 180, 390), 0.02),
    "beside the chair": ("sitting_on", "chair", SITS, (200, 250, 370, 390), 0.02),
    "hardly in the chair": ("sitting_on", "chair", SITS, (90, 322, 260, 390), 0.02),
    "no seat": ("sitting_on", "pillow", SITS, (90, 250, 260, 390), 0.02),
    "lies in bed": ("lying_on", "bed", LIES, (80, 220, 420, 390), 1.0),
    "nobody lies on a chair": ("lying_on", "chair", LIES, (80, 220, 420, 390), 0.02),
    "too upright to lie": ("lying_on", "bed", SITS, (90, 250, 260, 390), 0.02),
    "stands on the floor": ("standing_on", "floor", STANDS, (0, 300, 400, 400), 0.6),
    "feet out of the picture: does not stand": ("standing_on", "floor", CUT, (0, 300, 400, 400), 0.02),
    "too wide to stand": ("standing_on", "floor", SITS, (0, 300, 400, 400), 0.02),
    "leans on a table": ("leaning_on", "table", SITS, (90, 250, 300, 390), 0.5),
    # At the mouth.
    "drinks": ("drinking_from", "cup/glass/bottle", STANDS, (130, 90, 150, 110), 1.0),
    "a cup above the head": ("drinking_from", "cup/glass/bottle", STANDS, (130, 5, 150, 65), 0.25 / 0.35 * 0.05),
    "a cup at the belly": ("drinking_from", "cup/glass/bottle", STANDS, (130, 180, 150, 200), 0.05),
    "a cup at the side": ("eating", "food", STANDS, (178, 90, 198, 110), 0.05),
    "hardly in the box": ("eating", "food", STANDS, (175, 90, 275, 110), 0.25 / 0.35 * 0.05),
    # In a hand.
    "a small thing": ("holding", "cup/glass/bottle", STANDS, THING, 1.0),
    "as large as the person": ("carrying", "box", STANDS, STANDS, 0.4),
    "larger": ("wiping", "table", STANDS, (50, 50, 250, 350), 0.05),
    "half as large": ("writing_on", "paper/notebook", STANDS, (100, 200, 200, 350), 0.9),
    "twists": ("twisting", "doorknob", STANDS, (209, 150, 229, 170), 0.6 * np.exp(-1)),
    "wears": ("wearing", "clothes", STANDS, (100, 100, 200, 250), 0.9),
    "is covered by": ("covered_by", "blanket", STANDS, STANDS, 0.4),
    "on the back": ("have_it_on_the_back", "bag", STANDS, (110, 100, 180, 200), 1.0),
    "too low for the back": ("have_it_on_the_back", "bag", STANDS, (110, 200, 180, 300), 0.0),
    "too far out for the back": ("have_it_on_the_back", "bag", STANDS, (160, 100, 240, 200), 0.0),
    "no rule": ("other_relationship", "bag", STANDS, THING, 1.0),
    # Where it is.
    "in front, inside": ("in_front_of", "cup/glass/bottle", STANDS, THING, 2.0),
    "in front, above the box": ("in_front_of", "cup/glass/bottle", STANDS, (120, 0, 140, 40), 1.0),
    "beside": ("in_front_of", "cup/glass/bottle", STANDS, (280, 150, 300, 170), 0.35),
    "far": ("in_front_of", "cup/glass/bottle", STANDS, (300, 150, 320, 170), 0.1),
    "on the side, within": ("on_the_side_of", "door", STANDS, THING, 0.6),
    "on the side, beside": ("on_the_side_of", "door", STANDS, (280, 150, 300, 170), 6.0),
    "on the side, far": ("on_the_side_of", "door", STANDS, (300, 150, 320, 170), 12.0),
    "beneath": ("beneath", "floor", STANDS, (0, 330, 400, 400), 10.0),
    "not quite beneath": ("beneath", "floor", STANDS, (0, 310, 400, 400), 1.0),
    "above": ("above", "light", STANDS, (120, 0, 140, 40), 8.0),
    "not above": ("above", "light", STANDS, (120, 0, 140, 60), 0.3),
    "behind": ("behind", "sofa/couch", STANDS, THING, 1.0),
    "in": ("in", "blanket", STANDS, THING, 1.0),
    # Looking.
    "looks at what is far": ("looking_at", "television", STANDS, (300, 150, 340, 170), 0.5),
    "looks at what is near": ("looking_at", "television", STANDS, (240, 150, 280, 170), 1.0),
    "does not look": ("not_looking_at", "television", STANDS, (300, 150, 340, 170), 1.0),
}  # fmt: skip


@pytest.mark.parametrize(("predicate", "label", "person", "thing", "factor"), CASES.values(), ids=CASES.keys())
def test_a_rule(predicate: str, label: str, person: tuple[int, ...], thing: tuple[int, ...], factor: float) -> None:
    geometry = pair_geometry(
        *(torch.tensor([box], dtype=torch.float32) for box in (person, thing)), torch.tensor([400.0])
    )
    (group,) = (group for group in VOCABULARY.groups if predicate in group.predicates)
    factors = built_in().factors(group.name, geometry, torch.tensor([VOCABULARY.objects.index(label)]))
    assert factors[0, group.predicates.index(predicate)].item() == pytest.approx(factor, abs=1e-4)


def test_every_role_has_a_case() -> None:
    assert {RULES.roles[case[0]] for case in CASES.values() if case[0] in RULES.roles} == set(RULES.roles.values())


def frame(*things: tuple[str, tuple[float, ...]]) -> Clip:
    """A frame of 400 x 400 in which every person is related to every thing."""
    klass = torch.tensor([VOCABULARY.objects.index(label) for label, _ in things], dtype=torch.int64)
    node_frame = torch.zeros(len(klass), dtype=torch.int64)
    rule = SubjectRule(SubjectRule.of(SCHEMA).classes, one=False, mutual=False)
    subject, obj = subject_pairs(node_frame, klass, torch.ones(len(klass)), rule)
    none = torch.zeros(0, dtype=torch.int64)
    return Clip(
        schema=SCHEMA, video_ids=("v",), frame_video=torch.zeros(1, dtype=torch.int64),
        frame_unit=torch.zeros(1, dtype=torch.int64), frame_slot=torch.zeros(1, dtype=torch.int64),
        frame_size=torch.tensor([[400.0, 400.0]]), node_box=torch.tensor([box for _, box in things], dtype=torch.float32).view(-1, 4),
        node_class=klass, node_score=torch.ones(len(klass)), node_frame=node_frame, node_identity=torch.full_like(klass, -1),
        action_class=none, pair_subject=subject, pair_object=obj, pair_frame=node_frame[obj],
    )  # fmt: skip


def scored(*things: tuple[str, tuple[float, ...]]) -> list[Mapping[str, float]]:
    """Probabilities by predicate of every pair."""
    clip = frame(*things)
    with torch.no_grad():
        (prediction,) = decode(clip, built_in()(clip))
    return [_named(prediction, p) for p in range(len(prediction.pair_frame))]


def _named(prediction: VideoPrediction, pair: int) -> dict[str, float]:
    return {
        predicate: float(score)
        for group in VOCABULARY.groups
        for predicate, score in zip(group.predicates, prediction.scores[group.name][pair], strict=True)
    }


def test_counts_times_factors() -> None:
    """A cup of Action Genome: drinking_from 0.173, holding 0.777, not_contacting 0.164,
    other_relationship 0.002, touching 0.112, wiping 0.004."""
    (found,) = scored(("person", STANDS), ("cup/glass/bottle", (130, 180, 150, 200)))  # touched, not at the mouth
    total = 0.173 * 0.05 + 0.777 + 0.164 * 0.2 + 0.002 + 0.112 + 0.004
    assert found["holding"] == pytest.approx(0.777 / total, abs=1e-4)
    assert found["drinking_from"] == pytest.approx(0.173 * 0.05 / total, abs=1e-4)
    assert found["sitting_on"] < 1e-6  # not on the cup's list
    assert found["in_front_of"] == pytest.approx(0.95 * 2 / (0.95 * 2 + 0.05), abs=1e-4)  # odds
    assert found["on_the_side_of"] == pytest.approx(0.13 * 0.6 / (0.13 * 0.6 + 0.87), abs=1e-4)
    assert found["looking_at"] == pytest.approx(0.512, abs=1e-4)


def test_looking_at_what_is_far_counts_half() -> None:
    (found,) = scored(("person", STANDS), ("television", (300, 150, 340, 170)))
    assert found["looking_at"] == pytest.approx(0.611 / 2 / (0.611 / 2 + 0.324 + 0.065), abs=1e-4)


def test_a_thing_is_in_one_hand_only() -> None:
    """The cup lies in both boxes: it is nearer to the middle of the second one."""
    first, second = (100, 50, 200, 350), (150, 50, 250, 350)
    one, other = scored(("person", first), ("person", second), ("cup/glass/bottle", (180, 180, 200, 200)))
    assert other["holding"] > 0.75
    assert one["holding"] == pytest.approx(0.15 * other["holding"], rel=1e-3)
    assert one["drinking_from"] == pytest.approx(0.15 * other["drinking_from"], rel=1e-3)
    assert one["touching"] == pytest.approx(other["touching"], rel=1e-3)  # no hand is needed


def test_a_person_has_two_hands() -> None:
    things = [("book", (105 + 20 * i, 180, 120 + 20 * i, 195)) for i in range(3)]
    two, three = scored(("person", STANDS), *things[:2]), scored(("person", STANDS), *things)
    alone = 0.668 / (0.668 + 0.117 * 0.2 + 0.006 + 0.008 + 0.406)
    assert [found["holding"] for found in two] == pytest.approx([alone] * 2, abs=1e-4)
    assert sum(found["holding"] + found["carrying"] for found in three) == pytest.approx(
        min(2, 3 * (alone * 674 / 668)), abs=1e-3
    )
    phones = scored(("person", STANDS), *(("phone/camera", box) for _, box in things))
    assert sum(found["holding"] + found["carrying"] for found in phones) == pytest.approx(2, abs=1e-3)


def test_two_people_have_two_hands_each() -> None:
    left, right = (0, 50, 100, 350), (300, 50, 400, 350)
    things = [("phone/camera", (x + 5 + 20 * i, 180, x + 20 + 20 * i, 195)) for x in (0, 300) for i in range(2)]
    found = scored(("person", left), ("person", right), *things)
    held = [pair["holding"] > 0.9 for pair in found]
    assert held == [True, True, False, False, False, False, True, True]


def test_a_seat_is_beneath() -> None:
    """Nearly nothing is counted beneath here; that it is sat on decides."""
    shares = {name: torch.from_numpy(table) for name, table in (known_shares(VOCABULARY) or {}).items()}
    shares["spatial"][:, 1] = 0.01
    clip = frame(("person", SITS), ("chair", (90, 250, 260, 390)))
    with torch.no_grad():
        (prediction,) = decode(clip, GeometryModel(SCHEMA, RULES, shares)(clip))
    found = _named(prediction, 0)
    assert found["sitting_on"] > 0.5
    assert found["beneath"] == pytest.approx(found["sitting_on"], abs=1e-5)


@pytest.mark.parametrize(
    "things", [(), ("person",), ("chair",), ("person", "person")], ids=lambda t: " ".join(t) or "none"
)
def test_frames_without_pairs(things: tuple[str, ...]) -> None:
    assert scored(*((label, STANDS) for label in things)) == []


def test_a_pair_has_one_cell_of_every_measure() -> None:
    boxes = torch.rand(200, 2, 2, 2, generator=torch.Generator().manual_seed(0)) * 300
    boxes = torch.cat([boxes.amin(2), boxes.amax(2) + 1], -1)
    cells = geometry_cells(pair_geometry(boxes[:, 0], boxes[:, 1], torch.full((200,), 300.0)))
    assert cells.shape == (200, CELLS)
    assert set(cells.sum(1).tolist()) == {11.0}


def test_counts_of_a_data_set() -> None:
    videos = ToyVideos(4)
    shares, pairs = count_shares(videos)
    assert pairs == sum(len(a.pair_frame) for a in videos.annotations)
    cups = [a.labels["contacting"][a.node_class[a.pair_object] == 2] for a in videos.annotations]
    every = [a.labels["contacting"] for a in videos.annotations]
    overall = np.concatenate(every).mean(0)
    expected = (np.concatenate(cups).sum(0) + 16 * overall) / (sum(map(len, cups)) + 16)
    np.testing.assert_allclose(shares["contacting"][2], expected, rtol=1e-6)
    assert known_shares(videos.schema.vocabulary) is None


def test_factors_are_learnt() -> None:
    """What holds of things inside the person's box only, the same class elsewhere: counts cannot
    tell, factors can."""
    torch.manual_seed(0)
    model = METHOD.build(ENTITY, FeatureWidths(), GeometryOptions(model="geometry"))
    assert isinstance(model, GeometryModel)
    shares, _ = count_shares(ToyVideos(6))
    model.count({name: torch.from_numpy(table) for name, table in shares.items()})
    clip = entity_clip([3, 3, 3], seed=1)
    inside = geometry_cells(
        pair_geometry(clip.node_box[clip.pair_subject], clip.node_box[clip.pair_object], torch.full((9,), 100.0))
    )[:, 0].bool()
    assert 0 < inside.sum() < 9
    assert clip.labels is not None
    clip.labels["contacting"][:] = False
    clip.labels["contacting"][inside, 0] = True
    criterion = METHOD.criterion(ENTITY, GeometryOptions(model="geometry"))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    before = model(clip).groups["contacting"].sigmoid()[:, 0].detach()
    for _ in range(60):
        optimizer.zero_grad()
        criterion(model(clip), clip)["total"].backward()
        optimizer.step()
    after = model(clip).groups["contacting"].sigmoid()[:, 0].detach()
    assert (after[inside] > before[inside]).all() and (after[~inside] <= before[~inside]).all()
    assert after[inside].min() > 0.8 and after[~inside].max() < 0.2


def test_gradients_reach_all_factors() -> None:
    """With all rules at work, somebody sits and two hold something."""
    model = METHOD.build(SCHEMA, FeatureWidths(), GeometryOptions(model="geometry"))
    clip = frame(
        ("person", SITS),
        ("chair", (90, 250, 260, 390)),
        *[("book", (130 + 20 * i, 180, 145 + 20 * i, 195)) for i in range(4)],
    )
    sum(table.square().sum() for table in model(clip).groups.values()).backward()
    for group in VOCABULARY.groups:
        gradient = model.get_parameter(f"factors_{group.name}").grad
        assert gradient is not None and gradient.isfinite().all() and gradient.any()


def test_hidden_classes_without_a_detector_are_refused() -> None:
    with pytest.raises(ConfigError, match="does not predict classes"):
        built_in()(replace(frame(("person", STANDS), ("chair", SITS)), classes_given=False))
