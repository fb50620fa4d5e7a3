"""Whether EASG's answers leak into what models read, and what the objects alone tell of the verb.

Part of ``python -m benchmarks.easg``. A model is scored again on test clips whose objects come in
another order and whose boxes are rounded: neither may change its recall. Then the annotations are
shuffled, so that nothing that a task gives belongs to what it asks for: a model that learns and is
scored on them must not know more than counting does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vidsgg.assembly.data import Splits
from vidsgg.assembly.trained_model import TrainedModel
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.easg import EASG
from vidsgg.io.images import Image
from vidsgg.methods.frequency import FrequencyOptions
from vidsgg.methods.training_options import TrainOptions
from vidsgg.recipes.train import run_training
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Mode

GRID = 100  # boxes are rounded to this part of the frame


class Changed(VideoDataset):
    """EASG with other annotations, without features."""

    def __init__(self, whole: VideoDataset, annotations: Sequence[VideoAnnotation]) -> None:
        self.schema, self.root, self.split = whole.schema, whole.root, whole.split
        self.video_ids, self.mode = whole.video_ids, whole.mode
        self.annotations = annotations

    def annotation(self, index: int) -> VideoAnnotation:
        return self.annotations[index]

    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        raise NotImplementedError("there are no pictures")


def reordered(annotation: VideoAnnotation) -> VideoAnnotation:
    """The objects of every frame the other way round, and numbered the other way round."""
    order = np.lexsort((-np.arange(annotation.nodes), annotation.node_frame))
    assert np.array_equal(annotation.pair_object, np.arange(annotation.nodes)), "each object is in one pair"
    nodes = {name: getattr(annotation, name)[order] for name in ("node_box", "node_class", "node_frame")}
    identity = annotation.node_identity.max(initial=0) - annotation.node_identity[order]
    labels = {name: hot[order] for name, hot in annotation.labels.items()}
    return replace(annotation, **nodes, node_identity=identity, labels=labels)


def rounded(annotation: VideoAnnotation) -> VideoAnnotation:
    """Boxes with no more digits than a model may read, so that no grid of an annotator shows."""
    step = np.tile(annotation.frame_size[annotation.node_frame], 2) / GRID
    cells = np.round(annotation.node_box / step)
    cells[:, 2:] = np.maximum(cells[:, 2:], cells[:, :2] + 1)
    return replace(annotation, node_box=cells * step)


def shuffled(annotations: Sequence[VideoAnnotation], seed: int) -> list[VideoAnnotation]:
    """Verbs dealt anew to the events of a split, boxes to its nodes and relations to its objects.

    The classes of the objects stay where they are, and with them their order.
    """
    random = np.random.default_rng(seed)
    verbs = random.permutation(np.concatenate([a.action_class for a in annotations]))
    boxes = random.permutation(np.concatenate([a.node_box for a in annotations]))
    objects = [_objects(a) for a in annotations]
    relations = random.permutation(
        np.concatenate([a.labels["relation"][first] for a, (first, _) in zip(annotations, objects, strict=True)])
    )
    found, unit, node, thing = [], 0, 0, 0
    for a, (first, row) in zip(annotations, objects, strict=True):
        found.append(
            replace(
                a,
                action_class=verbs[unit : unit + a.units],
                node_box=boxes[node : node + a.nodes],
                labels={"relation": relations[thing : thing + len(first)][row]},
            )
        )
        unit, node, thing = unit + a.units, node + a.nodes, thing + len(first)
    return found


def _objects(annotation: VideoAnnotation) -> tuple[Array, Array]:
    """A pair (O,) of every object of an event, and the object (P,) of every pair."""
    keys = np.stack([annotation.pair_subject, annotation.node_identity[annotation.pair_object]], 1)
    _, first, row = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first, row.reshape(-1)


def recall(run: TrainOptions, data: VideoDataset) -> float:
    """With-constraint recall@10 of a run's last checkpoint in percent, every object by itself."""
    model = TrainedModel.load(Path(str(run.save_path)) / "checkpoint_final.tar", device="cpu")
    return 100 * model.evaluate(data).value("with", 10)


def tables(runs: Mapping[Mode, TrainOptions], folder: Path) -> list[str]:
    """Two tables in Markdown, in percent. runs: a finished run of every task."""
    lines = [
        "| with-constraint R@10 | as it is | objects in another order | boxes rounded"
        " | shuffled annotations: STTran | shuffled annotations: counting |",
        "| --- |" + " ---: |" * 5,
    ]
    for mode, run in runs.items():
        test = EASG(Path(str(run.data_path)), "test", mode)
        ways: list[Callable[[VideoAnnotation], VideoAnnotation]] = [lambda a: a, reordered, rounded]
        values = [recall(run, Changed(test, [way(a) for a in test])) for way in ways]
        values += _on_shuffled(run, test, folder / mode)
        lines.append(f"| {mode} | " + " | ".join(f"{value:.2f}" for value in values) + " |")
    return ["\n".join(lines), verbs_of_objects(runs["sgdet"])]


def _on_shuffled(run: TrainOptions, test: EASG, folder: Path) -> list[float]:
    """Recall of the run's model and of counting that learnt from shuffled annotations."""
    train = EASG(test.root, "train", test.mode)
    splits = Splits(Changed(train, shuffled(list(train), 0)), Changed(test, shuffled(list(test), 1)))
    counting = FrequencyOptions(model="frequency", mode=run.mode, val="test", data_path=run.data_path)
    values = []
    for one in (replace(run, eval_freq=run.epochs), counting):
        one = replace(one, save_path=str(folder / one.model))
        if not (folder / one.model / "checkpoint_final.tar").exists():
            run_training(one, splits)
        values.append(recall(one, splits.val))
    return values


def verbs_of_objects(run: TrainOptions) -> str:
    """How often the verb is found among the best 1 and 5, in Markdown. run: of the third task."""
    root = Path(str(run.data_path))
    train, test = EASG(root, "train", "sgdet"), EASG(root, "test", "sgdet")
    truth = np.concatenate([a.action_class for a in test])
    model = TrainedModel.load(Path(str(run.save_path)) / "checkpoint_final.tar", device="cpu")
    scores = [prediction.action_scores for prediction in model.score(test)]
    seen = np.concatenate([np.zeros((0, len(test.schema.vocabulary.subjects)), np.float32), *_there(scores)])
    prior, of_classes = verbs_by_counting(list(train), list(test))
    rows = {
        "nothing: the most frequent verbs": prior,
        "the places of the objects: STTran": seen,
        "the true classes of the objects: counting": of_classes,
    }
    lines = ["| the verb is guessed from | among the best 1 | best 5 |", "| --- | ---: | ---: |"]
    for name, score in rows.items():
        best = np.argsort(-score, axis=1, kind="stable") == truth[:, None]
        lines.append(f"| {name} | {100 * best[:, :1].any(1).mean():.2f} | {100 * best[:, :5].any(1).mean():.2f} |")
    return "\n".join(lines)


def _there(scores: Sequence[Any]) -> list[Array]:
    assert all(score is not None for score in scores), "the third task scores verbs"
    return list(scores)


def verbs_by_counting(
    train: Sequence[VideoAnnotation], test: Sequence[VideoAnnotation], alpha: float = 16.0
) -> tuple[Array, Array]:
    """(U, S) scores of the verbs of test events: log P(s), and log P(s) + sum over the event's
    object classes of log P(o | s), with P(o | s) leant on P(o) as in the frequency model."""
    vocabulary = train[0].schema.vocabulary
    verbs, has = _events(train)
    events = np.bincount(verbs, minlength=len(vocabulary.subjects))
    pairs = np.zeros((len(vocabulary.subjects), len(vocabulary.objects)))
    np.add.at(pairs, verbs, has)
    overall = pairs.sum(0) / pairs.sum()
    given = (pairs + alpha * overall) / (pairs.sum(1, keepdims=True) + alpha)
    prior = np.log(np.maximum(events / events.sum(), 1e-9))
    of_classes: Array = prior + _events(test)[1] @ np.log(np.maximum(given, 1e-9)).T
    return np.tile(prior, (len(of_classes), 1)), of_classes


def _events(annotations: Sequence[VideoAnnotation]) -> tuple[Array, Array]:
    """Verbs (U,) and object classes (U, O) 0/1 of all events."""
    has = [np.zeros((a.units, len(a.schema.vocabulary.objects))) for a in annotations]
    for table, a in zip(has, annotations, strict=True):
        table[a.pair_subject, a.node_class[a.pair_object]] = 1
    return np.concatenate([a.action_class for a in annotations]), np.concatenate(has)
