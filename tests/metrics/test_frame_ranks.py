"""Action Genome's protocol on frames small enough to count by hand."""

from dataclasses import replace

import numpy as np
import pytest
from golden.recall.inputs import make_case
from hypothesis import given, settings
from hypothesis import strategies as st
from recall_cases import frame_schema, golden_video

from vidsgg.metrics.accumulator import RecallAccumulator, video_ranks
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.ranks import NOT_FOUND
from vidsgg.metrics.recall import unit_recall

SCHEMA = frame_schema()
PERSON, CUP = (0.0, 0.0, 99.0, 99.0), (200.0, 0.0, 249.0, 49.0)
WITH, SEMI, NO = 0, 1, 2


def frame(attention, spatial, contacting, classes=None):
    """Truth of one frame: the person and cups (classes 2, 3, ...) that lie apart, with their
    labels."""
    count = len(attention)
    boxes = np.array([CUP] * count) + 100.0 * np.arange(count)[:, None]
    classes = np.arange(2, 2 + count) if classes is None else np.array(classes)
    person = np.array(PERSON, dtype=np.float32)
    return {
        "person": person,
        "boxes": boxes,
        "classes": classes,
        "attention": attention,
        "spatial": spatial,
        "contacting": contacting,
    }


def logits(rows):
    """Attention logits whose softmax gives these probabilities."""
    return np.log(np.array(rows, dtype=np.float64)).astype(np.float32)


def one(size, **entries):
    row = np.full(size, 0.01)
    for index, value in entries.items():
        row[int(index[1:])] = value
    return row


def video(truth, rows, boxes=None, labels=None, scores=None):
    """One frame with predictions: rows of (attention, spatial, contacting) for person and each
    other box."""
    if boxes is None:
        boxes = [PERSON, *truth["boxes"]]
        labels = [1, *truth["classes"]]
    count = len(boxes)
    pred = {
        "boxes": np.column_stack([np.zeros(count), boxes]).astype(np.float32),
        "labels": np.array(labels),
        "scores": np.ones(count, dtype=np.float32) if scores is None else np.array(scores, dtype=np.float32),
        "pair_idx": np.column_stack([np.zeros(count - 1), np.arange(1, count)]).astype(np.int64),
        "im_idx": np.zeros(count - 1, dtype=np.float32),
        "attention": logits([row[0] for row in rows]).reshape(-1, 3),
        "spatial": np.array([row[1] for row in rows], dtype=np.float32).reshape(-1, 6),
        "contacting": np.array([row[2] for row in rows], dtype=np.float32).reshape(-1, 17),
    }
    return golden_video({"gt": [truth], "pred": pred}, SCHEMA, "v")


def ranks_of(pair, mode="sgdet"):
    """{predicate: (with, semi, no)} of a video whose true predicates are all different; None where
    not found."""
    ranks = video_ranks([pair[0]], [pair[1]], SCHEMA.vocabulary, protocol_for(SCHEMA, mode))
    assert len(set(ranks.predicate)) == len(ranks.predicate)
    return {
        int(p): tuple(None if r == NOT_FOUND else int(r) for r in ranks.rank[:, i])
        for i, p in enumerate(ranks.predicate)
    }


SURE = (0.98, 0.01, 0.01)


def test_every_constraint_counts_its_own_candidates():
    truth = frame([0], [[1, 4]], [[2]])
    pair = video(truth, [((0.6, 0.3, 0.1), one(6, p1=0.95, p4=0.92, p0=0.97), one(17, p2=0.5))])
    # with: spatial 0 (0.97), attention 0 (0.6), contacting 2 (0.5). semi: spatial 0, 1, 4, then
    # attention. Contacting 2 is not above 0.9.
    assert ranks_of(pair) == {
        0: (1, 3, 3),
        3 + 1: (None, 1, 1),
        3 + 4: (None, 2, 2),
        9 + 2: (2, None, 4),
    }


def test_semi_threshold_is_strict_and_spares_attention():
    at = np.float32(0.9)
    above = np.nextafter(at, np.float32(1))
    truth = frame([0], [[1, 4]], [[2]])
    pair = video(truth, [((0.4, 0.3, 0.3), one(6, p1=at, p4=above), one(17, p2=0.1))])
    found = ranks_of(pair)
    assert found[3 + 1][SEMI] is None
    assert found[3 + 4][SEMI] == 0
    assert found[0][SEMI] == 1


def test_a_relation_found_twice_counts_once_and_the_copy_uses_up_a_rank():
    truth = frame([0, 1], [[0], [1]], [[0], [1]])
    twice = video(
        truth,
        [
            (SURE, one(6, p0=0.9), one(17, p0=0.8)),
            (SURE, one(6, p0=0.9), one(17, p0=0.8)),
            ((0.1, 0.6, 0.3), one(6, p1=0.5), one(17, p1=0.4)),
        ],
        boxes=[PERSON, truth["boxes"][0], truth["boxes"][0], truth["boxes"][1]],
        labels=[1, 2, 2, 3],
    )
    assert ranks_of(twice) == {
        0: (0, 0, 0),
        3: (2, None, 2),
        9: (4, None, 4),
        1: (6, 2, 6),
        4: (7, None, 7),
        10: (8, None, 8),
    }


def test_one_candidate_may_match_several_relations():
    truth = frame([0, 0], [[0], [0]], [[0], [0]], classes=[2, 2])
    truth["boxes"][1] = truth["boxes"][0] + 1
    pair = video(truth, [(SURE, one(6, p0=0.9), one(17, p0=0.8))], boxes=[PERSON, truth["boxes"][0]], labels=[1, 2])
    ranks = video_ranks([pair[0]], [pair[1]], SCHEMA.vocabulary, protocol_for(SCHEMA, "sgdet"))
    assert sorted(zip(ranks.predicate.tolist(), ranks.rank[WITH].tolist(), strict=True)) == [
        (0, 0),
        (0, 0),
        (3, 1),
        (3, 1),
        (9, 2),
        (9, 2),
    ]


@pytest.mark.parametrize(
    ("right", "matches"),
    [(224.0, True), (223.9, False)],
    ids=["IoU is exactly 0.5 with inclusive pixels", "IoU is just below 0.5"],
)
def test_boxes_match_at_half_overlap(right, matches):
    truth = frame([0], [[0]], [[0]])  # the cup is 50 pixels wide: 200..249
    rows = [(SURE, one(6, p0=0.9), one(17, p0=0.8))]
    pair = video(truth, rows, boxes=[PERSON, (200.0, 0.0, right, 49.0)], labels=[1, 2])
    assert all((rank is not None) == matches for ranks in ranks_of(pair).values() for rank in ranks[:1])


@pytest.mark.parametrize(
    "wrong", ["class of the object", "class of the person", "box of the object", "box of the person"]
)
def test_both_ends_must_match(wrong):
    truth = frame([0], [[0]], [[0]])
    boxes, labels = [PERSON, truth["boxes"][0]], [1, 2]
    end = 0 if wrong.endswith("person") else 1
    if wrong.startswith("class"):
        labels[end] += 7
    else:
        boxes[end] = np.add(boxes[end], 60)
    pair = video(truth, [(SURE, one(6, p0=0.9), one(17, p0=0.8))], boxes=boxes, labels=labels)
    assert set(ranks_of(pair).values()) == {(None, None, None)}


def test_box_scores_enter_the_product():
    truth = frame([0, 1], [[0], [1]], [[0], [1]])
    rows = [((0.9, 0.05, 0.05), one(6, p0=0.9), one(17, p0=0.9)), ((0.1, 0.8, 0.1), one(6, p1=0.8), one(17, p1=0.8))]
    found = ranks_of(video(truth, rows, boxes=[PERSON, *truth["boxes"]], labels=[1, 2, 3], scores=[1.0, 0.5, 1.0]))
    assert [found[p][WITH] for p in (1, 4, 10, 0, 3, 9)] == [0, 1, 2, 3, 4, 5]


def test_equal_scores_keep_the_order_of_generation():
    truth = frame([0, 1], [[0, 5], [1]], [[0], [1]])
    half = (0.5, one(6, p0=0.5, p1=0.5, p5=0.5), one(17, p0=0.5, p1=0.5))
    found = ranks_of(video(truth, [((0.5, 0.25, 0.25), *half[1:]), ((0.25, 0.5, 0.25), *half[1:])]))
    # Groups first, then pairs, then predicates; with: only the first of equal predicates of a pair
    # and group is a candidate.
    assert {p: ranks[WITH] for p, ranks in found.items()} == {
        0: 0,
        1: 1,
        3: 2,
        3 + 5: None,
        3 + 1: None,
        9: 4,
        9 + 1: None,
    }
    assert {p: ranks[NO] for p, ranks in found.items()} == {0: 0, 1: 1, 3: 2, 3 + 5: 4, 3 + 1: 6, 9: 8, 9 + 1: 11}


def test_without_constraint_only_the_pool_is_ranked():
    truth = frame([0] * 5, [[0]] * 5, [[0]] * 5)
    rows = [
        ((0.9, 0.05, 0.05), np.full(6, 0.8) - 0.001 * i, np.full(17, 0.7) - 0.001 * np.arange(17) - 0.02 * i)
        for i in range(5)
    ]
    rows[4][2][0] = 0.001  # 130 cells, this one last
    pair = video(truth, rows)
    ranks = video_ranks([pair[0]], [pair[1]], SCHEMA.vocabulary, protocol_for(SCHEMA, "sgdet"))
    last = ranks.rank[:, (ranks.predicate == 9)][:, 4]
    assert last[NO] == NOT_FOUND
    assert ranks.rank[NO][ranks.rank[NO] != NOT_FOUND].max() < 100


def test_more_relations_than_k_cannot_all_be_found():
    truth = frame([0] * 6, [[0]] * 6, [[0]] * 6)
    pair = video(truth, [(SURE, one(6, p0=0.9), one(17, p0=0.8))] * 6)
    protocol = protocol_for(SCHEMA, "sgdet")
    recall = unit_recall(video_ranks([pair[0]], [pair[1]], SCHEMA.vocabulary, protocol), 1, protocol.ks)
    np.testing.assert_allclose(recall[WITH, :, 0], [10 / 18, 1, 1, 1], rtol=0, atol=1e-15)


CASE = st.builds(
    lambda seed, mode, extra, empty: {
        "seed": seed,
        "mode": mode,
        "videos": 3,
        "frames": (1, 4),
        "objects": (1, 5),
        "label_acc": 0.7,
        "detect": 0.8,
        "extra": (0, extra),
        "empty_every": empty,
    },
    st.integers(0, 2**31 - 1),
    st.sampled_from(["predcls", "sgcls", "sgdet"]),
    st.integers(0, 45),
    st.sampled_from([0, 2]),
)


def videos_of(case):
    return [golden_video(v, SCHEMA, f"v{i}") for i, v in enumerate(make_case(case))]


def result_of(videos, mode):
    accumulator = RecallAccumulator(protocol_for(SCHEMA, mode), SCHEMA.vocabulary)
    for annotation, prediction in videos:
        accumulator.update(annotation, prediction)
    return accumulator.compute()


@settings(max_examples=25, deadline=None)
@given(CASE)
def test_recall_is_a_share_and_grows_with_k(case):
    result = result_of(videos_of(case), case["mode"])
    for table in (
        result.R,
        result.mR,
        result.mR_frame,
        result.mR_frame_all,
        np.moveaxis(result.predicate_recall, -1, 0),
    ):
        assert (table >= 0).all()
        assert (table <= 1).all()
        assert (np.diff(table, axis=-1) >= 0).all()
    assert (result.mR_frame_all <= result.mR_frame + 1e-15).all()


@settings(max_examples=25, deadline=None)
@given(CASE, st.randoms(use_true_random=False))
def test_the_order_of_nodes_and_pairs_changes_nothing(case, random):
    videos, shuffled = videos_of(case), []
    for annotation, p in videos:
        nodes = np.array(random.sample(range(len(p.node_class)), len(p.node_class)), dtype=np.int64)
        place = np.argsort(nodes)
        pairs = np.array(random.sample(range(len(p.pair_frame)), len(p.pair_frame)), dtype=np.int64)
        pairs = pairs[np.argsort(p.pair_frame[pairs], kind="stable")]
        columns = {
            name: getattr(p, name)[nodes]
            for name in ("node_box", "node_class", "node_score", "node_frame", "node_identity")
        }
        prediction = replace(
            p,
            **columns,
            pair_subject=place[p.pair_subject[pairs]],
            pair_object=place[p.pair_object[pairs]],
            pair_frame=p.pair_frame[pairs],
            scores={name: table[pairs] for name, table in p.scores.items()},
        )
        shuffled.append((annotation, prediction))
    before, after = (
        video_ranks(*zip(*v, strict=True), SCHEMA.vocabulary, protocol_for(SCHEMA, case["mode"]))
        for v in (videos, shuffled)
    )
    np.testing.assert_array_equal(before.rank, after.rank)


@settings(max_examples=15, deadline=None)
@given(CASE)
def test_videos_together_are_videos_one_by_one(case):
    videos, protocol = videos_of(case), protocol_for(SCHEMA, case["mode"])
    together = video_ranks(*zip(*videos, strict=True), SCHEMA.vocabulary, protocol)
    alone = [video_ranks([a], [p], SCHEMA.vocabulary, protocol) for a, p in videos]
    np.testing.assert_array_equal(together.rank, np.concatenate([ranks.rank for ranks in alone], axis=1))
    np.testing.assert_array_equal(together.predicate, np.concatenate([ranks.predicate for ranks in alone]))


def test_float64_decides_where_float32_is_wrong():
    """Two candidates whose float32 products stand the other way round than the exact ones."""
    rng = np.random.default_rng(0)
    s = rng.uniform(0.5, 1, 200_000).astype(np.float32)
    o, p = (rng.uniform(0.5, 1, (2, 200_000)).astype(np.float32) for _ in range(2))
    p[1] = (o[0] * p[0] / o[1]).astype(np.float32)  # nearly the same product
    single, exact = (s * o) * p, s.astype(np.float64) * o * p
    i = int(np.flatnonzero((single[0] < single[1]) & (exact[0] > exact[1]) & (p[1] < 1))[0])
    truth = frame([0, 1], [[0], [1]], [[0], [1]])
    rows = [((1 / 3,) * 3, one(6, p0=p[0, i]), one(17)), ((1 / 3,) * 3, one(6, p1=p[1, i]), one(17))]
    found = ranks_of(video(truth, rows, boxes=[PERSON, *truth["boxes"]], labels=[1, 2, 3], scores=[s[i], *o[:, i]]))
    for constraint in (WITH, NO):
        assert (found[3][constraint], found[4][constraint]) == (0, 1)


def test_the_last_of_the_pool_is_still_ranked_in_a_large_frame():
    """Forty pairs whose 120 best predicates stand above all others: rank 99 is in, rank 100 is
    not."""
    count = 40
    truth = frame([0] * count, [[0]] * count, [[0]] * count, classes=[2] * count)
    truth["boxes"] = np.array([(250.0 * i, 0.0, 250.0 * i + 49, 49.0) for i in range(1, count + 1)])
    spatial = 0.99 - 0.001 * np.arange(count)
    rows = [((1 / 3,) * 3, one(6, p0=v), one(17, p0=v - 0.1)) for v in spatial]
    # Spatial and contacting scores are 0.99..0.851, attention 1/3 each: ranks 0..79, then 120 equal
    # ones in order of pairs.
    pair = video(truth, rows)
    ranks = video_ranks([pair[0]], [pair[1]], SCHEMA.vocabulary, protocol_for(SCHEMA, "sgdet"))
    attention = ranks.rank[NO][ranks.predicate == 0]
    assert attention.tolist() == [80, 83, 86, 89, 92, 95, 98] + [NOT_FOUND] * 33
    distinct = [((0.7 - 0.001 * i, 0.2, 0.1 + 0.001 * i), *rows[i][1:]) for i in range(count)]
    pair = video(truth, distinct)
    ranks = video_ranks([pair[0]], [pair[1]], SCHEMA.vocabulary, protocol_for(SCHEMA, "sgdet"))
    assert ranks.rank[NO][ranks.predicate == 0].tolist() == [*range(80, 100)] + [NOT_FOUND] * 20
