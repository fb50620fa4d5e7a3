"""Classes, subjects and pairs from class distributions: by hand, and against loops over frames
written from the description."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from clips import ACTION, ENTITY, open_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vidsgg.errors import ConfigError
from vidsgg.ops.masks import union_masks
from vidsgg.ops.pairing import SubjectRule, label_nodes, part_namesakes, settle, subject_pairs
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema

CLASSES = 5
ONE = SubjectRule((1,), one=True)


def table(*rows: list[float]) -> Tensor:
    """Rows without the background column."""
    return torch.cat([torch.zeros(len(rows), 1), torch.tensor(rows)], 1)


def frames(*counts: int) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts, dtype=torch.long))


def by_loops(d: np.ndarray, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """golden/sttran/README.md, "sgcls eval", one frame after another."""
    d = d.copy()
    klass, score = d[:, 2:].argmax(1) + 2, d[:, 2:].max(1)
    pairs = []
    for f in np.unique(frame):
        rows = np.flatnonzero(frame == f)
        person = rows[d[rows, 1].argmax()]
        klass[person], score[person] = 1, d[person, 1]
        c = np.bincount(klass[rows]).argmax()
        same = rows[klass[rows] == c]
        for row in same[same != same[d[same, c].argmax()]]:
            d[row, c] = 0
            klass[row], score[row] = d[row, 1:].argmax() + 1, d[row, 1:].max()
        pairs += [(person, row) for row in rows if klass[row] != 1]
    return d, klass, score, pairs


def test_the_most_person_like_node_of_a_frame_is_the_person():
    distribution = table([0.6, 0.1, 0.3, 0.0], [0.7, 0.2, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4])
    klass, score = label_nodes(distribution, frames(2, 1), ONE)
    # the first looks like a person too, but less than the second; a lone node is the person
    assert klass.tolist() == [3, 1, 1]
    torch.testing.assert_close(score, torch.tensor([0.3, 0.7, 0.1]))


def test_of_equal_values_the_first_counts():
    distribution = table([0.4, 0.3, 0.3, 0.0], [0.4, 0.1, 0.1, 0.4], [0.4, 0.1, 0.3, 0.3])
    assert label_nodes(distribution, frames(3), ONE)[0].tolist() == [1, 4, 3]


def test_another_class_may_be_the_subject():
    klass, score = label_nodes(
        table([0.6, 0.1, 0.3, 0.0], [0.5, 0.3, 0.2, 0.0]), frames(2), SubjectRule((3,), one=True)
    )
    assert klass.tolist() == [3, 1]
    assert score.tolist() == pytest.approx([0.3, 0.5])


def test_namesakes_are_told_apart_once():
    distribution = table(
        [0.9, 0.1, 0.0, 0.0], [0.0, 0.5, 0.4, 0.1], [0.0, 0.6, 0.1, 0.3], [0.3, 0.4, 0.2, 0.1], [0.0, 0.1, 0.6, 0.3]
    )
    klass, score = label_nodes(distribution, frames(5), ONE)
    assert klass.tolist() == [1, 2, 2, 2, 3]
    changed, klass, score = part_namesakes(distribution, frames(5), klass, score)
    assert klass.tolist() == [1, 3, 2, 1, 3]  # one becomes a person, one a second 3, which stays
    assert score.tolist() == pytest.approx([0.9, 0.4, 0.6, 0.3, 0.6])
    assert changed[:, 2].tolist() == pytest.approx([0.1, 0, 0.6, 0, 0.1])
    subject, obj = subject_pairs(frames(5), klass, score, ONE)
    assert subject.tolist() == [0, 0, 0]
    assert obj.tolist() == [1, 2, 4]  # the second person is nobody's object


def test_of_equally_frequent_classes_the_first_is_told_apart():
    distribution = table(
        [0.9, 0.0, 0.1, 0.0], [0.0, 0.1, 0.2, 0.7], [0.0, 0.2, 0.2, 0.6], [0.0, 0.5, 0.1, 0.4], [0.1, 0.6, 0.2, 0.1]
    )
    klass, score = label_nodes(distribution, frames(5), ONE)
    assert klass.tolist() == [1, 4, 4, 2, 2]
    assert part_namesakes(distribution, frames(5), klass, score)[1].tolist() == [1, 4, 4, 4, 2]


def test_frames_without_a_person_or_without_anything_have_no_pairs():
    node_frame, klass = torch.tensor([0, 0, 2, 3, 3]), torch.tensor([2, 3, 1, 4, 1])
    subject, obj = subject_pairs(node_frame, klass, torch.ones(5), ONE)
    assert (subject.tolist(), obj.tolist()) == ([4], [3])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=4), min_size=1, max_size=3), st.integers(0, 10**6))
def test_settling_equals_loops_over_frames(shapes: list[list[int]], seed: int):
    clip = Clip.cat([open_clip(shape, i, str(i)) for i, shape in enumerate(shapes)])
    shuffled = torch.randperm(clip.pairs, generator=torch.Generator().manual_seed(seed))
    shuffled = shuffled[clip.pair_frame[shuffled].argsort(stable=True)]
    columns = ("pair_subject", "pair_object", "pair_frame", "pair_union")
    clip = replace(clip, **{name: getattr(clip, name)[shuffled] for name in columns})
    mark = torch.arange(clip.pairs, dtype=torch.float32)
    clip = replace(clip, pair_union=mark.view(-1, 1, 1, 1).expand_as(clip.pair_union))
    # ties are frequent
    d = np.random.default_rng(seed).choice([0.0, 0.1, 0.2, 0.5, 0.7], (clip.nodes, CLASSES)).astype(np.float32)
    d[:, 0] = 0
    settled = settle(clip, torch.from_numpy(d))
    changed, klass, score, pairs = by_loops(d, clip.node_frame.numpy())
    np.testing.assert_array_equal(settled.node_distribution, changed)
    np.testing.assert_array_equal(settled.node_class, klass)
    np.testing.assert_array_equal(settled.node_score, score)
    have = torch.stack([settled.pair_subject, settled.pair_object], 1)
    assert have.tolist() == [list(pair) for pair in pairs]
    assert torch.equal(settled.pair_frame, clip.node_frame[have[:, 0]])
    taken = settled.pair_union[:, 0, 0, 0].long()
    candidates = torch.stack([clip.pair_subject, clip.pair_object], 1)
    assert torch.equal(candidates[taken], have.sort(1).values)
    assert torch.equal(settled.pair_mask, union_masks(clip.node_box[have[:, 0]], clip.node_box[have[:, 1]]) - 0.5)
    assert settled.classes_given
    assert not settled.pairs_open
    assert (clip.node_class == -1).all()


def test_a_missing_candidate_is_a_bug_of_ours():
    clip = open_clip([2])
    lacking = replace(
        clip, **{name: getattr(clip, name)[1:] for name in ("pair_subject", "pair_object", "pair_frame", "pair_union")}
    )
    with pytest.raises((AssertionError, IndexError)):
        settle(lacking, table([0.9, 0.0, 0.1, 0.0], [0.1, 0.9, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]))


def test_the_rule_follows_from_the_schema():
    assert SubjectRule.of(ENTITY) == ONE
    vocabulary = replace(ENTITY.vocabulary, subjects=("cup", "person"))
    assert SubjectRule.of(Schema("two", vocabulary, "entity", mutual=False)) == SubjectRule(
        (2, 1), one=False, mutual=False
    )
    with pytest.raises(ConfigError, match="actions of 3 classes"):
        SubjectRule.of(ACTION)


def all_pairs_by_loops(frame: np.ndarray, klass: np.ndarray, rule: SubjectRule) -> list[tuple[int, int]]:
    return [
        (s, o)
        for s in range(len(frame))
        for o in range(len(frame))
        if frame[s] == frame[o]
        and s != o
        and klass[s] in rule.classes
        and (rule.mutual or klass[o] not in rule.classes)
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=5), st.booleans(), st.integers(0, 10**6))
def test_every_subject_has_its_pairs(counts: list[int], mutual: bool, seed: int):
    rule = SubjectRule((1, 3), one=False, mutual=mutual)
    frame = frames(*counts)
    klass = torch.from_numpy(np.random.default_rng(seed).integers(1, CLASSES, len(frame)))
    subject, obj = subject_pairs(frame, klass, torch.zeros(len(frame)), rule)
    assert list(zip(subject.tolist(), obj.tolist(), strict=True)) == all_pairs_by_loops(
        frame.numpy(), klass.numpy(), rule
    )


def test_without_a_rule_of_one_subject_a_node_is_what_it_looks_like():
    distribution = table([0.6, 0.1, 0.3, 0.0], [0.7, 0.2, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4])
    klass, score = label_nodes(distribution, frames(2, 1), SubjectRule((1,), one=False))
    assert klass.tolist() == [1, 1, 4]
    torch.testing.assert_close(score, torch.tensor([0.6, 0.7, 0.4]))


def test_settling_keeps_several_subjects_and_namesakes():
    schema = replace(ENTITY, one_subject=False)
    clip = replace(open_clip([3]), schema=schema)
    looks = table([0.9, 0.0, 0.1, 0.0], [0.8, 0.1, 0.1, 0.0], [0.0, 0.9, 0.1, 0.0], [0.1, 0.8, 0.1, 0.0])
    settled = settle(clip, looks[: clip.nodes])
    people = torch.nonzero(settled.node_class == 1).squeeze(1).tolist()
    assert people == [0, 1]
    expected = [(s, o) for s in people for o in range(clip.nodes) if s != o]
    assert list(zip(settled.pair_subject.tolist(), settled.pair_object.tolist(), strict=True)) == expected
