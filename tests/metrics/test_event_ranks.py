"""EASG's protocol on events small enough to count by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recall_cases import event_schema, event_video

from vidsgg.errors import DataError
from vidsgg.metrics.accumulator import RecallAccumulator, video_ranks
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.ranks import NOT_FOUND

SCHEMA = event_schema(actions=6, objects=4, relations=3)


def graph(verb, objs, rels):
    return {"verb": verb, "objs": np.array(objs), "rels": np.array(rels)}


def f32(*rows):
    return np.array(rows, dtype=np.float32)


def ranks_of(mode, annotation, prediction):
    """{(object, predicate) in order of truth: ranks}, None where not found."""
    ranks = video_ranks([annotation], [prediction], SCHEMA.vocabulary, protocol_for(SCHEMA, mode))
    return [tuple(None if r == NOT_FOUND else int(r) for r in column) for column in ranks.rank.T]


def test_edges_rank_the_relations_of_given_objects():
    # Truth, by object class then relation: (0, 0), (0, 1), (2, 1).
    probabilities = [(f32(*[0.1] * 6), f32([0.1] * 4, [0.1] * 4), f32([0.9, 0.6, 0.1], [0.7, 0.5, 0.2]))]
    pair = event_video(SCHEMA, [graph(3, [0, 2], [[1, 1, 0], [0, 1, 0]])], probabilities)
    # with: 0.9 and 0.7. no: ceil(50 / 2) = 25 relations each, so all: 0.9 0.7 0.6 0.5 0.2 0.1.
    assert ranks_of("predcls", *pair) == [(0, 0), (None, 2), (None, 3)]


def test_scores_are_sums_and_one_node_may_name_many_classes():
    probabilities = [(f32(*[0.1] * 6), f32([0.6, 0.3, 0.1, 0.0]), f32([0.2, 0.5, 0.3]))]
    pair = event_video(SCHEMA, [graph(3, [1], [[1, 1, 0]])], probabilities)
    # with: relation 1 only, classes by p_o: 0, 1, ... -> (1, 1) is second. no: sums 1.1 .9 .8 | .8
    # .6 .5 | .6 ...
    # class 0: 1.1, 0.9, 0.8; class 1: relation 1 0.8 (after class 0's equal 0.8 in order of
    # generation), relation 2 0.6, relation 0 0.5.
    found = ranks_of("sgcls", *pair)
    assert found[1][0] == 1
    assert found[0][0] is None
    assert found[1][1] in (2, 3)  # 0.6 + 0.2 and 0.3 + 0.5 differ in the last bit of float32 only
    sums = sorted((np.float32(o) + np.float32(r) for o in (0.6, 0.3, 0.1, 0.0) for r in (0.2, 0.5, 0.3)), reverse=True)
    assert found[0][1] == sum(total > np.float32(0.3) + np.float32(0.2) for total in sums)


def test_only_five_actions_are_tried():
    for verb, expected in ((0, 0), (4, 4), (5, None)):
        actions = (0.3 - 0.05 * np.arange(6)).astype(np.float32)
        probabilities = [(actions, f32([0.97, 0.01, 0.01, 0.01]), f32([0.9, 0.0, 0.0]))]
        pair = event_video(SCHEMA, [graph(verb, [0], [[1, 0, 0]])], probabilities)
        assert ranks_of("sgdet", *pair)[0][0] == expected


def test_probabilities_of_an_object_are_averaged_over_its_frames():
    graphs = [graph(0, [0, 1], [[1, 0, 0], [0, 1, 0]])]
    probabilities = [(f32(*[0.1] * 6), f32([0.5] * 4, [0.5] * 4), f32([0.5, 0.5, 0.5], [0.1, 0.6, 0.1]))]
    annotation, prediction = event_video(SCHEMA, graphs, probabilities, seen=[[2, 1]])
    assert prediction.node_identity.tolist() == [0, 1, 0]
    # Object 0 over two frames: relation 0 (0.9 + 0.5) / 2 = 0.7, relation 1 (0.0 + 0.8) / 2 = 0.4.
    scores = f32([0.9, 0.0, 0.0], [0.1, 0.6, 0.1], [0.5, 0.8, 0.0])
    assert ranks_of("predcls", annotation, replace(prediction, scores={"relation": scores})) == [(0, 0), (1, 1)]


def test_a_relation_of_two_instances_of_a_class_is_one_triple():
    graphs = [graph(0, [1, 1], [[1, 0, 0], [1, 0, 1]])]
    probabilities = [(f32(*[0.1] * 6), f32([0.5] * 4, [0.5] * 4), f32([0.9, 0.2, 0.1], [0.8, 0.3, 0.7]))]
    # Candidates without constraint: 0.9 (1, 0), 0.8 (1, 0) again, 0.7 (1, 2), ...: the copy uses up
    # a rank.
    assert ranks_of("predcls", *event_video(SCHEMA, graphs, probabilities)) == [(0, 0), (None, 2)]


def test_the_background_is_no_candidate():
    probabilities = [(f32(*[0.1] * 6), f32([0.1, 0.2, 0.3, 0.4]), f32([0.9, 0.0, 0.0]))]
    annotation, prediction = event_video(SCHEMA, [graph(0, [3], [[1, 0, 0]])], probabilities)
    sure_of_nothing = prediction.object_scores.copy()
    sure_of_nothing[:, 0] = 1.0
    assert ranks_of("sgcls", annotation, replace(prediction, object_scores=sure_of_nothing))[0] == (0, 0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31 - 1), st.sampled_from(["predcls", "sgcls", "sgdet"]), st.booleans())
def test_the_listing_order_changes_nothing_not_even_among_ties(seed, mode, ties):
    rng = np.random.default_rng(seed)
    graphs, probabilities = [], []
    for _ in range(3):
        n = int(rng.integers(1, 5))
        graphs.append(
            graph(int(rng.integers(6)), rng.permutation(4)[:n], (rng.random((n, 3)) < 0.5) | (np.arange(3) == 1))
        )
        tables = [rng.random(6), rng.random((n, 4)), rng.random((n, 3))]
        probabilities.append(tuple(np.round(table, 1 if ties else 7).astype(np.float32) for table in tables))
    annotation, p = event_video(SCHEMA, graphs, probabilities)
    order = rng.permutation(len(p.pair_frame))
    order = order[np.argsort(p.pair_frame[order], kind="stable")]
    node = rng.permutation(len(p.node_class))
    shuffled = replace(
        p,
        **{
            name: getattr(p, name)[node]
            for name in ("node_box", "node_class", "node_score", "node_frame", "node_identity")
        },
        object_scores=p.object_scores[node],
        pair_subject=p.pair_subject[order],
        pair_object=np.argsort(node)[p.pair_object[order]],
        pair_frame=p.pair_frame[order],
        scores={"relation": p.scores["relation"][order]},
    )
    assert ranks_of(mode, annotation, p) == ranks_of(mode, annotation, shuffled)


@pytest.mark.parametrize("name", ["object_scores", "action_scores"])
def test_a_missing_distribution_is_an_error(name):
    probabilities = [(f32(*[0.1] * 6), f32([0.1] * 4), f32([0.9, 0.0, 0.0]))]
    annotation, prediction = event_video(SCHEMA, [graph(0, [3], [[1, 0, 0]])], probabilities)
    without = replace(prediction, **{name: None})
    with pytest.raises(DataError, match=name):
        RecallAccumulator(protocol_for(SCHEMA, "sgdet"), SCHEMA.vocabulary).update(annotation, without)
    RecallAccumulator(protocol_for(SCHEMA, "predcls"), SCHEMA.vocabulary).update(annotation, without)


def test_objects_need_an_identity():
    probabilities = [(f32(*[0.1] * 6), f32([0.1] * 4), f32([0.9, 0.0, 0.0]))]
    annotation, prediction = event_video(SCHEMA, [graph(0, [3], [[1, 0, 0]])], probabilities)
    nameless = replace(prediction, node_identity=np.full(1, -1))
    with pytest.raises(DataError, match="node_identity"):
        RecallAccumulator(protocol_for(SCHEMA, "predcls"), SCHEMA.vocabulary).update(annotation, nameless)


def test_sums_are_rounded_in_the_stated_order():
    """(action + object) + relation in float32, on two candidates that any other order would
    swap."""
    rng = np.random.default_rng(0)
    v = rng.uniform(0.3, 0.9, 100_000).astype(np.float32)
    o, r = (rng.uniform(0.3, 0.7, (2, 100_000)).astype(np.float32) for _ in range(2))
    r[1] = (o[0] + r[0]) - o[1]
    stated, other = (v + o) + r, v + (o + r)
    i = int(np.flatnonzero((stated[0] > stated[1]) & (other[0] < other[1]) & (r[1] > 0.1))[0])
    objects = np.zeros((2, 4), dtype=np.float32)
    relations = np.zeros((2, 3), dtype=np.float32)
    objects[[0, 1], [0, 1]], relations[:, 0] = o[:, i], r[:, i]
    actions = np.zeros(6, dtype=np.float32)
    actions[2] = v[i]
    # The better object comes second, so that only its score can put it first.
    pair = event_video(SCHEMA, [graph(2, [1, 0], [[1, 0, 0], [1, 0, 0]])], [(actions, objects[::-1], relations[::-1])])
    assert ranks_of("sgdet", *pair) == [(0, 0), (1, 1)]
