"""Ranks of true relations when class triples are matched (EASG's evaluation, ``run_easg.py`` of its
published code).

Per event with n objects, probabilities p_v of the action, p_o of an object's class, p_r of a
relation, and ``pool`` = 50:

* Given action and classes (edge classification): per object its best relation ("with") or its best
  ceil(50 / n) ("no"); score p_r.
* Given action: per object, for its best a classes, for its best b relations; score p_o + p_r.
  "with": b = 1; "no": b = 5; a = ceil(50 / (b n)).
* Nothing given: the same for each of the 5 best actions; score (p_v + p_o) + p_r; a = ceil(50 / (5
  b n)).

So "with" limits the relations of an object, not its classes. Scores are added in float32 in this
order. Candidates are sorted by score, best first, and equal ones keep the order of generation
(action, object, class, relation, each best first; equal probabilities by lowest index): the
published code sorts unstably, so ties have no reproducible order there. A true triple (action,
object, relation) is found by the first candidate with the same classes; repeated candidates use up
ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidsgg.metrics.protocol import Constraint, Protocol
from vidsgg.metrics.ranks import NOT_FOUND, RelationRanks, first, spread
from vidsgg.structures.checks import Array

_ACTIONS = 5  # best actions that are tried when none is given
_RELATIONS = 5  # best relations of an object without constraint, when its class is predicted


@dataclass(frozen=True, eq=False)
class TrueTriples:
    """T true relations of U events, each once: event (T,) never decreasing, subject, object,
    predicate (T,) class ids."""

    event: Array
    subject: Array
    object: Array
    predicate: Array


@dataclass(frozen=True, eq=False)
class ScoredObjects:
    """N objects of U events. event (N,): never decreasing. relation_score (N, C) float32.

    Given classes: object_class (N,), subject_class (U,). Predicted: object_score (N, O),
    subject_score (U, S), float32, else None. Column 0 of object_score is the background, which is
    no candidate: every object of an event is something.
    """

    event: Array
    relation_score: Array
    object_class: Array
    subject_class: Array
    object_score: Array | None = None
    subject_score: Array | None = None


def event_ranks(truth: TrueTriples, scored: ScoredObjects, protocol: Protocol) -> RelationRanks:
    """Rank of every true triple, per constraint of the protocol, in the order of ``truth``."""
    subjects = 1 + _largest(truth.subject, scored.subject_class, scored.subject_score)
    classes = 1 + _largest(truth.object, scored.object_class, scored.object_score)
    predicates = 1 + _largest(truth.predicate, truth.predicate, scored.relation_score)

    def triple(event: Array, subject: Array, obj: Array, predicate: Array) -> Array:
        joint: Array = ((event * subjects + subject) * classes + obj) * predicates + predicate
        return joint

    wanted = triple(truth.event, truth.subject, truth.object, truth.predicate)
    order = np.argsort(wanted)
    ranks = []
    for constraint in protocol.constraints:
        event, subject, obj, predicate, score = _candidates(scored, constraint, protocol.pool)
        best = np.lexsort((-score, event))
        offered = triple(event, subject, obj, predicate)[best]
        rank = spread(np.bincount(event))[1]
        true = np.searchsorted(wanted, offered, sorter=order)
        right = np.flatnonzero(true < len(wanted))
        right = right[wanted[order[true[right]]] == offered[right]]
        ranks.append(first(rank[right], order[true[right]], len(wanted)))
    rank = np.stack(ranks)
    return RelationRanks(truth.event, truth.subject, truth.object, truth.predicate, rank, rank != NOT_FOUND)


def tried_classes(truth: TrueTriples, scored: ScoredObjects, protocol: Protocol) -> tuple[Array, Array]:
    """For every true triple and constraint (X, T) bool: whether its action is among those that are
    tried for its event, and whether with it its class is among those of one of the objects."""
    subjects = 1 + _largest(truth.subject, scored.subject_class, scored.subject_score)
    classes = 1 + _largest(truth.object, scored.object_class, scored.object_score)
    wanted = truth.event * subjects + truth.subject
    actions, things = [], []
    for constraint in protocol.constraints:
        event, subject, obj, _, _ = _candidates(scored, constraint, protocol.pool)
        tried = event * subjects + subject
        actions.append(np.isin(wanted, tried))
        things.append(np.isin(wanted * classes + truth.object, tried * classes + obj))
    return np.stack(actions), np.stack(things)


def _largest(true: Array, given: Array, scores: Array | None) -> int:
    """The largest class id that the truth or the prediction can name."""
    named = int(given.max(initial=0)) if scores is None else scores.shape[1] - 1
    return max(int(true.max(initial=0)), named)


def _candidates(scored: ScoredObjects, constraint: Constraint, pool: int) -> tuple[Array, Array, Array, Array, Array]:
    """event, subject, object, predicate, score (float32) of every candidate, in order of generation
    within an event."""
    objects = np.bincount(scored.event)[scored.event]  # of the object's event
    tried = 1 if scored.subject_score is None else _ACTIONS
    if constraint == "with":
        relations = np.ones_like(objects)
    elif scored.object_score is None:
        relations = -(-pool // objects)
    else:
        relations = np.full_like(objects, _RELATIONS)
    classes = np.ones_like(objects) if scored.object_score is None else -(-pool // (tried * relations * objects))
    subject, subject_score = _best(scored.subject_score, scored.subject_class, tried)
    if scored.object_score is None:
        obj, object_score = _best(None, scored.object_class, 1)
    else:
        obj, object_score = _best(scored.object_score[:, 1:], None, int(classes.max(initial=1)))
        obj = obj + 1
    predicate, relation_score = _best(scored.relation_score, None, int(relations.max(initial=1)))

    # Axes: actions, objects, classes, relations; what exceeds an object's caps is left out.
    shape = (subject.shape[1], len(objects), obj.shape[1], predicate.shape[1])
    inside = (np.arange(shape[2]) < classes[:, None])[:, :, None] & (np.arange(shape[3]) < relations[:, None])[
        :, None, :
    ]
    action, row, i, j = np.nonzero(np.broadcast_to(inside, shape))
    event = scored.event[row]
    score = (subject_score[event, action] + object_score[row, i]) + relation_score[row, j]
    return event, subject[event, action], obj[row, i], predicate[row, j], score


def _best(score: Array | None, given: Array | None, count: int) -> tuple[Array, Array]:
    """The ``count`` best columns of every row with their scores, the lowest index first among
    equals; a given class scores 0."""
    if score is None:
        assert given is not None
        return given[:, None], np.zeros((len(given), 1), dtype=np.float32)
    order = np.argsort(-score, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(score, order, 1)
