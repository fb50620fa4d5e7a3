"""Both recall protocols as plain loops over frames or events, one true relation after another.

Written from the protocols' descriptions and nothing else, so it serves twice: as the yardstick of
``benchmarks.metrics`` and as the independent opinion that the tests of ``vidsgg.metrics`` compare
with.
"""

from __future__ import annotations

from collections import defaultdict
from math import ceil

import numpy as np

from vidsgg.metrics.protocol import Protocol
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.prediction import VideoPrediction

NEVER = 10**9
Ranks = list[tuple[int, list[int]]]  # for every true relation of a unit: predicate, rank per constraint


def plain_recall(ranks: list[Ranks], ks: tuple[int, ...]) -> np.ndarray:
    """(units, constraints, K) from the ranks of every unit; units without a relation are NaN."""
    constraints = max((len(found) for unit in ranks for _, found in unit), default=0)
    table = np.full((len(ranks), constraints, len(ks)), np.nan)
    for u, unit in enumerate(ranks):
        for x in range(constraints if unit else 0):
            for j, k in enumerate(ks):
                table[u, x, j] = sum(found[x] < k for _, found in unit) / len(unit)
    return table


def _iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    box, boxes = box.astype(np.float64), boxes.astype(np.float64)
    width = np.maximum(np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0]) + 1, 0)
    height = np.maximum(np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1]) + 1, 0)
    own = (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
    theirs = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    return width * height / (own + theirs - width * height)


def frame_ranks(annotation: VideoAnnotation, prediction: VideoPrediction, protocol: Protocol) -> list[Ranks]:
    """Action Genome's protocol, frame by frame."""
    return [_one_frame(annotation, prediction, protocol, frame) for frame in range(annotation.frames)]


def _one_frame(annotation: VideoAnnotation, prediction: VideoPrediction, protocol: Protocol, frame: int) -> Ranks:
    vocabulary = annotation.schema.vocabulary
    true = []
    for pair in np.flatnonzero(annotation.pair_frame == frame):
        for group in vocabulary.groups:
            ends = annotation.pair_subject[pair], annotation.pair_object[pair]
            a, b = ends if group.direction == "subject->object" else ends[::-1]
            true += [
                (a, b, vocabulary.offsets[group.name] + int(c))
                for c in np.flatnonzero(annotation.labels[group.name][pair])
            ]

    # A row for every group and pair, zero outside the row's own group.
    pairs = np.flatnonzero(prediction.pair_frame == frame)
    first, second, table, kinds = [], [], [], []
    for group in vocabulary.groups:
        rows = np.zeros((len(pairs), len(vocabulary.predicates)), dtype=np.float32)
        start = vocabulary.offsets[group.name]
        rows[:, start : start + len(group)] = prediction.scores[group.name][pairs]
        subject, obj = prediction.pair_subject[pairs], prediction.pair_object[pairs]
        forward = group.direction == "subject->object"
        first.append(subject if forward else obj)
        second.append(obj if forward else subject)
        table.append(rows)
        kinds += [group.kind] * len(pairs)
    a, b, scores = np.concatenate(first), np.concatenate(second), np.concatenate(table)

    found = []
    for constraint in protocol.constraints:
        if constraint == "no":
            product = (prediction.node_score[a] * prediction.node_score[b])[:, None] * scores
            keep = np.argsort(-product.ravel(), kind="stable")[: protocol.pool]
            row, predicate = np.unravel_index(keep, scores.shape)
        else:
            chosen = []
            for i, kind in enumerate(kinds):
                if constraint == "semi" and kind == "multi":
                    chosen += [(i, c) for c in np.flatnonzero(scores[i] > protocol.semi_threshold)]
                else:
                    chosen.append((i, scores[i].argmax()))
            row, predicate = np.array(chosen, dtype=np.int64).reshape(-1, 2).T
        box_score = prediction.node_score.astype(np.float64)
        order = np.argsort(-(box_score[a[row]] * box_score[b[row]] * scores[row, predicate]), kind="stable")
        row, predicate = row[order], predicate[order]
        found.append(
            [_first_match(annotation, prediction, relation, a[row], b[row], predicate, protocol) for relation in true]
        )
    return [(relation[2], [ranks[i] for ranks in found]) for i, relation in enumerate(true)]


def _first_match(annotation, prediction, relation, a, b, predicate, protocol) -> int:
    one, two, wanted = relation
    same = predicate == wanted
    same &= prediction.node_class[a] == annotation.node_class[one]
    same &= prediction.node_class[b] == annotation.node_class[two]
    candidates = np.flatnonzero(same)
    good = _iou(annotation.node_box[one], prediction.node_box[a[candidates]]) >= protocol.iou
    good &= _iou(annotation.node_box[two], prediction.node_box[b[candidates]]) >= protocol.iou
    return int(candidates[good][0]) if good.any() else NEVER


def event_ranks(annotation: VideoAnnotation, prediction: VideoPrediction, protocol: Protocol) -> list[Ranks]:
    """EASG's protocol, event by event."""
    return [_one_event(annotation, prediction, protocol, unit) for unit in range(annotation.units)]


def _one_event(annotation: VideoAnnotation, prediction: VideoPrediction, protocol: Protocol, unit: int) -> Ranks:
    vocabulary = annotation.schema.vocabulary
    true = set()
    for pair in np.flatnonzero(annotation.frame_unit[annotation.pair_frame] == unit):
        for group in vocabulary.groups:
            for c in np.flatnonzero(annotation.labels[group.name][pair]):
                obj = int(annotation.node_class[annotation.pair_object[pair]])
                true.add((int(annotation.action_class[unit]), obj, vocabulary.offsets[group.name] + int(c)))

    rows_of = defaultdict(list)
    for pair in np.flatnonzero(prediction.frame_unit[prediction.pair_frame] == unit):
        rows_of[int(prediction.node_identity[prediction.pair_object[pair]])].append(pair)
    objects = [rows_of[identity] for identity in sorted(rows_of)]
    count = len(objects)

    def best(scores: np.ndarray, number: int) -> list[tuple[int, np.float32]]:
        return [(int(c), scores[c]) for c in np.argsort(-scores, kind="stable")[:number]]

    found = []
    for constraint in protocol.constraints:
        if protocol.subject_given:
            actions = [(int(prediction.action_class[unit]), np.float32(0))]
            tried = 1
        else:
            actions = best(prediction.action_scores[unit], 5)
            tried = 5
        relations = 1 if constraint == "with" else ceil(protocol.pool / max(count, 1)) if protocol.object_given else 5
        candidates = []
        for action, action_score in actions:
            for rows in objects:
                nodes = prediction.pair_object[rows]
                relation_score = np.concatenate([prediction.scores[g.name][rows] for g in vocabulary.groups], axis=1)
                relation_score = relation_score.astype(np.float64).mean(0).astype(np.float32)
                if protocol.object_given:
                    classes = [(int(prediction.node_class[nodes[0]]), np.float32(0))]
                else:
                    table = prediction.object_scores[nodes].astype(np.float64).mean(0).astype(np.float32)
                    classes = [
                        (c + 1, score)
                        for c, score in best(table[1:], ceil(protocol.pool / (tried * relations * count)))
                    ]
                for obj, object_score in classes:
                    for predicate, score in best(relation_score, relations):
                        candidates.append(((action_score + object_score) + score, (action, obj, predicate)))
        candidates.sort(key=lambda candidate: -candidate[0])
        ranked = [triple for _, triple in candidates]
        found.append({triple: ranked.index(triple) if triple in ranked else NEVER for triple in true})
    return [(triple[2], [ranks[triple] for ranks in found]) for triple in sorted(true, key=lambda t: (t[1], t[2]))]
