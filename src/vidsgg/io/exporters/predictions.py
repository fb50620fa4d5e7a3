"""The dict of tensors that the evaluators of STTran and its successors read
(``evaluate_scene_graph(gt, pred)``)."""

from __future__ import annotations

import io

import torch
from torch import Tensor

from vidsgg.errors import DataError
from vidsgg.structures.graph import VideoGraph
from vidsgg.structures.vocabulary import Vocabulary

_LEAST = 1e-12  # stands for the probability of predicates that the graph does not have


def predictions(graph: VideoGraph) -> bytes:
    """One video, as ``torch.save`` writes it; see ``prediction_tensors``."""
    file = io.BytesIO()
    torch.save(prediction_tensors(graph), file)
    return file.getvalue()


def prediction_tensors(graph: VideoGraph) -> dict[str, Tensor]:
    """boxes (N, 5): number of the frame from 0, xyxy. labels, pred_labels (N,), scores, pred_scores
    (N,). pair_idx (P, 2): the subject's and the object's row. im_idx (P,): frame.
    <group>_distribution (P, C): probabilities, of groups with a single label their logarithms, to which the evaluators apply a softmax.

    Predicates that the graph left out count as impossible: make it with ``-threshold 0``, or scores
    of single-label groups are too large and recall without constraint is too low. Raises DataError
    for graphs without vocabulary, or with actions.
    """
    vocabulary = graph.vocabulary
    if vocabulary is None or not set(vocabulary.subjects) <= set(vocabulary.objects):
        raise DataError(
            f"video {graph.video_id!r}: the evaluators need a vocabulary whose subjects have boxes; this graph has"
            " none."
        )
    boxes, labels, scores = list[list[float]](), list[int](), list[float]()
    pairs: dict[tuple[int, int], int] = {}
    frames, entries = list[int](), list[tuple[int, str, int, float]]()
    for f, frame in enumerate(graph.frames):
        first = len(boxes)
        for node in frame.nodes:
            assert node.box is not None
            boxes.append([f, *node.box])
            labels.append(vocabulary.objects.index(node.label))
            scores.append(node.score)
        for edge in frame.edges:
            group = vocabulary.group(edge.group)
            ends = (first + edge.subject, first + edge.object)
            pair = ends if group.direction == "subject->object" else ends[::-1]
            if pair not in pairs:
                pairs[pair] = len(pairs)
                frames.append(f)
            entries.append((pairs[pair], group.name, group.predicates.index(edge.predicate), edge.score))
    label, score = torch.tensor(labels, dtype=torch.int64), torch.tensor(scores, dtype=torch.float32)
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32).view(-1, 5),
        "labels": label,
        "pred_labels": label,
        "scores": score,
        "pred_scores": score,
        "pair_idx": torch.tensor(list(pairs), dtype=torch.int64).view(-1, 2),
        "im_idx": torch.tensor(frames, dtype=torch.float32),
        **_distributions(vocabulary, len(pairs), entries),
    }


def _distributions(vocabulary: Vocabulary, pairs: int, entries: list[tuple[int, str, int, float]]) -> dict[str, Tensor]:
    """(P, C) of every group. entries: pair, group, predicate of the group, probability."""
    tables = {group.name: torch.zeros(pairs, len(group)) for group in vocabulary.groups}
    for pair, group, predicate, score in entries:
        tables[group][pair, predicate] = score
    return {
        f"{group.name}_distribution": (
            tables[group.name].clamp(min=_LEAST).log() if group.kind == "single" else tables[group.name]
        )
        for group in vocabulary.groups
    }
