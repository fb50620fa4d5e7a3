"""Priors against the authors' script, against counts by hand, and files of them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import ENTITY, entity_annotation
from golden.deterministic import cases_of, read_case
from golden.stket.clips import annotated_videos

from vidsgg.datasets.action_genome import CONTACTING, OBJECTS, SCHEMA
from vidsgg.datasets.base import Image, VideoDataset
from vidsgg.datasets.priors import PredicatePriors, count_priors, read_priors, write_priors
from vidsgg.errors import ConfigError, DataError
from vidsgg.structures.annotation import VideoAnnotation

CUP, DOOR = OBJECTS.index("cup/glass/bottle"), OBJECTS.index("door")
HOLDING, TOUCHING = CONTACTING.index("holding"), CONTACTING.index("touching")


class Videos(VideoDataset):
    root, split, schema = Path("toy"), "train", SCHEMA

    def __init__(self, annotations: list[VideoAnnotation]) -> None:
        self.annotations = annotations
        self.video_ids = [a.video_id for a in annotations]

    def annotation(self, index: int) -> VideoAnnotation:
        return self.annotations[index]

    def images(self, index: int, frames: Any = None) -> list[Image]:
        raise NotImplementedError


@pytest.mark.parametrize("case", cases_of("stket", "prior"), ids=lambda case: case["id"])
def test_priors_equal_the_reference(case: dict[str, Any]) -> None:
    _, want = read_case("stket", case["id"])
    have = count_priors(Videos(annotated_videos(case)))
    np.testing.assert_allclose(have.initial, want["initialPrior"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(have.transition, want["specificPrior"], rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(have.contacts, want["c_rel_idx"] > 0)


def video(name: str, frames: list[list[tuple[int, list[int]]]]) -> VideoAnnotation:
    """Things (class, contacts) by frame; all are looked at, and none is anywhere."""
    annotation = entity_annotation([len(things) for things in frames], name=name)
    things = [thing for frame in frames for thing in frame]
    node_class = annotation.node_class.copy()
    node_class[annotation.pair_object] = [k for k, _ in things]
    hot = {g.name: np.zeros((len(things), len(g)), bool) for g in SCHEMA.vocabulary.groups}
    hot["attention"][:, 0] = True
    for i, (_, contacts) in enumerate(things):
        hot["contacting"][i, contacts] = True
    return replace(annotation, schema=SCHEMA, node_class=node_class, labels=hot)


@pytest.fixture
def counted() -> PredicatePriors:
    """In the first video a cup is held, held and touched (two in one frame), then a door is
    touched; in the second a cup held, then touched."""
    return count_priors(
        Videos(
            [
                video(
                    "a", [[(CUP, [HOLDING])], [], [(DOOR, [TOUCHING]), (CUP, [HOLDING]), (CUP, [HOLDING, TOUCHING])]]
                ),
                video("b", [[(CUP, [HOLDING])], [(CUP, [TOUCHING])], [(CUP, [])]]),
            ]
        )
    )


def test_counts_by_hand(counted: PredicatePriors) -> None:
    first = 9
    assert counted.pairs[[CUP, DOOR]].tolist() == [6, 1]
    assert counted.initial[CUP, [first + HOLDING, first + TOUCHING, 0]] == pytest.approx([4 / 6, 2 / 6, 1])
    # After holding: in "a" (held, held and touched), in "b" (touched); means of videos, whatever
    # their number of pairs.
    assert counted.transition[CUP, HOLDING, [first + HOLDING, first + TOUCHING]] == pytest.approx(
        [(1 + 0) / 2, (1 / 2 + 1) / 2]
    )
    # After touching in "a" comes nothing, in "b" a cup without contact.
    assert counted.transition[CUP, TOUCHING, [0, first + HOLDING]].tolist() == [1, 0]
    assert not counted.transition[DOOR].any()
    assert np.argwhere(counted.contacts).tolist() == sorted([[CUP, HOLDING], [CUP, TOUCHING], [DOOR, TOUCHING]])


def test_a_file_gives_the_same_back(counted: PredicatePriors, tmp_path: Path) -> None:
    path = tmp_path / "new" / "TrainPrior.json"
    write_priors(path, counted, SCHEMA)
    back = read_priors(path, SCHEMA)
    for name in ("initial", "transition", "contacts"):
        np.testing.assert_array_equal(getattr(back, name), getattr(counted, name))
    document = json.loads(path.read_text())
    assert sorted(document) == sorted(map(str, (CUP, DOOR)))
    entry = document[str(CUP)]
    assert (entry["obj_cls_name"], entry["c_rel_name"], entry["c_rel_idx"]) == (
        OBJECTS[CUP],
        ["holding", "touching"],
        [HOLDING, TOUCHING],
    )
    assert np.shape(entry["specific_prior"]) == (2, 26)
    assert [p.name for p in path.parent.iterdir()] == ["TrainPrior.json"]


def test_the_authors_spelling_of_classes_is_known(counted: PredicatePriors, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    write_priors(path, counted, SCHEMA)
    path.write_text(path.read_text().replace("cup/glass/bottle", "cupglassbottle"))
    assert read_priors(path, SCHEMA).initial[CUP].any()


WRONG = {
    "no entry": ({"initial_prior": None}, "lacks 'initial_prior'"),
    "another class": ({"obj_cls_name": "door"}, "is called 'door'; in 'action_genome' it is 'cup/glass/bottle'"),
    "no share": ({"initial_prior": [1.5] * 26}, "holds 1.5 to 1.5; shares lie between 0 and 1"),
    "too short": ({"initial_prior": [0.5] * 25}, "is not a table of 26 numbers"),
    "a contact too far": (
        {"c_rel_idx": [5, 17]},
        r"c_rel_idx is \[5, 17\], expected different numbers of contacting predicates, 0..16",
    ),
    "a contact twice": ({"c_rel_idx": [5, 5]}, "expected different numbers"),
    "too many rows": ({"c_rel_idx": [5]}, "is not a table of 1 x 26 numbers"),
    "text": ({"specific_prior": "x"}, "specific_prior is 'x'; expected a list"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_a_file_is_told(what: str, counted: PredicatePriors, tmp_path: Path) -> None:
    path, (changes, message) = tmp_path / "p.json", WRONG[what]
    write_priors(path, counted, SCHEMA)
    document = json.loads(path.read_text())
    entry = {**document[str(CUP)], **changes}
    path.write_text(
        json.dumps({**document, str(CUP): {name: value for name, value in entry.items() if value is not None}})
    )
    with pytest.raises(DataError, match=rf"^{re.escape(str(path))}: class '{CUP}'.*{message}"):
        read_priors(path, SCHEMA)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        ("[]", "is \\[\\]; expected a table"),
        ("{}", "holds no priors"),
        ('{"5": {"initial_prior": [NaN]}}', "initial_prior\\[0\\] is nan"),
        ('{"37": {}}', "no number of a class"),
        ('{"5": 1}', "is 1; expected a table"),
    ],
    ids=["torn", "deep", "a list", "empty", "not a number", "a class too far", "no entry"],
)
def test_what_is_no_file_of_priors_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_priors(path, SCHEMA)
    with pytest.raises(DataError, match="cannot be read"):
        read_priors(tmp_path / "gone.json", SCHEMA)


def test_priors_need_contacts_and_pairs() -> None:
    toy = Videos([entity_annotation([1])])
    toy.schema = ENTITY
    with pytest.raises(ConfigError, match="'toy_frames' has 0 groups"):
        count_priors(toy)
    with pytest.raises(DataError, match="no pair"):
        count_priors(Videos([video("empty", [[], []])]))
