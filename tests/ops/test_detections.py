"""What follows from detections that a model has classified anew, against the rule node by node."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from clips import ENTITY

from vidsgg.ops.boxes import pairwise_iou
from vidsgg.ops.detections import candidate_pairs, settle_detections
from vidsgg.ops.masks import union_masks
from vidsgg.structures.clip import Clip

OBJECTS = ENTITY.vocabulary.objects
OFTEN_WRONG = ENTITY.object_ids(ENTITY.often_wrong)
PERSON, CUP, CHAIR, DOOR = 1, 2, 3, 4  # of which chairs are doubted


def detections(counts: list[int], seed: int, name: str = "video") -> Clip:
    """Overlapping boxes of random looks. The union feature of the candidate of nodes a and b is
    1000 a + b everywhere."""
    rs = np.random.RandomState(seed)
    frame = np.repeat(np.arange(len(counts)), counts)
    corner = rs.randint(0, 2, (len(frame), 2)) * 12 + rs.uniform(0, 5, (len(frame), 2))
    frames = len(counts)
    distribution = np.concatenate(
        [np.zeros((len(frame), 1)), rs.dirichlet(np.ones(len(OBJECTS) - 1) / 2, len(frame))], 1
    )
    none, unknown = torch.zeros(0, dtype=torch.int64), torch.full((len(frame),), -1)
    bare = Clip(
        schema=ENTITY, video_ids=(name,), frame_video=torch.zeros(frames, dtype=torch.int64), frame_unit=torch.arange(frames),
        frame_slot=torch.zeros(frames, dtype=torch.int64), frame_size=torch.full((frames, 2), 100.0),
        node_box=torch.from_numpy(np.concatenate([corner, corner + rs.uniform(15, 25, (len(frame), 2))], 1)).float(), node_class=unknown,
        node_score=torch.ones(len(frame)), node_frame=torch.from_numpy(frame), node_identity=unknown, action_class=none,
        pair_subject=none, pair_object=none, pair_frame=none, node_feature=torch.from_numpy(rs.randn(len(frame), 6)).float(),
        node_distribution=torch.from_numpy(distribution).float(), classes_given=False, pairs_open=True,
    )  # fmt: skip
    first, second = candidate_pairs(bare.node_frame, bare.node_distribution, OFTEN_WRONG)
    union = (1000.0 * first + second).view(-1, 1, 1, 1).expand(-1, 3, 7, 7)
    return replace(bare, pair_subject=first, pair_object=second, pair_frame=bare.node_frame[first], pair_union=union)


def by_hand(clip: Clip, distribution: np.ndarray) -> list[tuple[int, int, float, int | None]]:
    """(row, class, score, row of its subject) of every node that remains."""
    frame, box = clip.node_frame.numpy(), clip.node_box.numpy()
    detected = clip.node_distribution.numpy()[:, 1:].argmax(1) + 1
    found: list[tuple[int, int, float, int | None]] = []
    for t in range(clip.frames):
        boxes = [(row, distribution[row].copy()) for row in np.flatnonzero(frame == t)]
        for row, looks in list(boxes):
            if detected[row] == CHAIR:
                copy = looks.copy()
                copy[CHAIR] = 0
                boxes.append((row, copy))
        nodes = []
        for klass in range(1, len(OBJECTS)):
            kept: list[tuple[int, np.ndarray]] = []
            for row, looks in sorted((b for b in boxes if b[1][1:].argmax() + 1 == klass), key=lambda b: -b[1][klass]):
                if all(pairwise_iou(box[[row]], box[[other]], inclusive=True) <= 0.6 for other, _ in kept):
                    kept.append((row, looks))
            nodes += kept
        if not nodes:
            continue
        person = max(range(len(nodes)), key=lambda i: (nodes[i][1][PERSON], -i))
        for i, (row, looks) in enumerate(nodes):
            klass = PERSON if i == person else int(looks[2:].argmax()) + 2
            found.append((int(row), klass, float(looks[klass]), None if i == person else int(nodes[person][0])))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_rule_node_by_node(seed: int) -> None:
    clip = detections([24, 0, 1, 20], seed)
    doubt = torch.from_numpy(np.random.RandomState(seed + 50).dirichlet(np.ones(len(OBJECTS)) / 2, clip.nodes)).float()
    new = (2 * clip.node_distribution + doubt) / 3
    settled, row = settle_detections(clip, new)
    expected = by_hand(clip, new.numpy())
    assert row.tolist() == [r for r, *_ in expected]
    assert settled.node_class.tolist() == [klass for _, klass, *_ in expected]
    np.testing.assert_allclose(settled.node_score, [score for _, _, score, _ in expected])
    assert torch.equal(settled.node_box, clip.node_box[row])
    assert torch.equal(settled.node_feature, clip.node_feature[row])
    objects = [i for i, (*_, subject) in enumerate(expected) if subject is not None]
    assert settled.pair_object.tolist() == objects
    assert row[settled.pair_subject].tolist() == [expected[i][3] for i in objects]
    low, high = (f(row[settled.pair_subject], row[settled.pair_object]) for f in (torch.minimum, torch.maximum))
    assert torch.equal(settled.pair_union[:, 0, 0, 0], 1000.0 * low + high)
    box = settled.node_box
    assert torch.equal(settled.pair_mask, union_masks(box[settled.pair_subject], box[settled.pair_object]) - 0.5)
    assert settled.classes_given and not settled.pairs_open
    assert len(set(row.tolist())) < len(row)  # copies
    assert set(range(clip.nodes)) - set(row.tolist())  # and suppressed ones


def test_a_person_makes_a_pair_with_its_copy() -> None:
    """The detector saw a chair; the model sees a person first and a door next, in box and copy
    alike: one of them is the person."""
    clip = detections([2], 0)
    looks = torch.zeros(2, len(OBJECTS))
    looks[:, CHAIR] = 1.0
    far = torch.tensor([[0.0, 0, 20, 20], [60.0, 60, 90, 90]])
    first, second = candidate_pairs(clip.node_frame, looks, OFTEN_WRONG)
    assert torch.stack([first, second], 1).tolist() == [[0, 0], [0, 1], [1, 1]]
    union = (1000.0 * first + second).view(-1, 1, 1, 1).expand(-1, 3, 7, 7)
    clip = replace(
        clip,
        node_box=far,
        node_distribution=looks,
        pair_subject=first,
        pair_object=second,
        pair_frame=first * 0,
        pair_union=union,
    )
    new = torch.zeros(2, len(OBJECTS))
    new[0, [PERSON, CHAIR, DOOR]] = torch.tensor([0.3, 0.4, 0.2])
    new[1, CUP] = 1.0
    settled, row = settle_detections(clip, new)
    assert sorted(row.tolist()) == [0, 0, 1]  # the other copy is suppressed
    own = (row[settled.pair_subject] == 0) & (row[settled.pair_object] == 0)
    assert settled.pair_union[own, 0, 0, 0].tolist() == [0.0]


def test_nothing_was_found() -> None:
    settled, row = settle_detections(detections([0, 0], 0), torch.zeros(0, len(OBJECTS)))
    assert (settled.nodes, settled.pairs, len(row)) == (0, 0, 0)


def test_candidates_hold_every_two_of_a_frame_once() -> None:
    frame = torch.tensor([0, 0, 2, 2, 2])
    sure = torch.zeros(5, len(OBJECTS))
    sure[:, CUP] = 1
    first, second = candidate_pairs(frame, sure, OFTEN_WRONG)
    assert torch.stack([first, second], 1).tolist() == [[0, 1], [2, 3], [2, 4], [3, 4]]
