"""Score a model on the videos of a loader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from vidsgg.engine.loading import ClipLoader
from vidsgg.losses.criterion import Criterion
from vidsgg.metrics.accumulator import RecallAccumulator, VideoAccumulator
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.result import RecallResult
from vidsgg.ops.decoding import decode


def evaluate_model(
    model: nn.Module,
    loader: ClipLoader,
    protocol: Protocol,
    *,
    criterion: Criterion | None = None,
    exclusive: bool = True,
    title: str = "evaluate",
) -> tuple[RecallResult, dict[str, float]]:
    """Recall over all videos of ``loader``, and the losses of ``score``: in several processes the
    same everywhere."""
    recall = RecallAccumulator(protocol, loader.dataset.schema.vocabulary)
    losses = score(model, loader, [recall], criterion=criterion, exclusive=exclusive, title=title)
    return loader.team.made_by_first(lambda: (recall.compute(), losses))


@torch.inference_mode()
def score(
    model: nn.Module,
    loader: ClipLoader,
    metrics: Sequence[VideoAccumulator[Any]],
    *,
    criterion: Criterion | None = None,
    exclusive: bool = True,
    title: str = "evaluate",
) -> dict[str, float]:
    """Show all videos of ``loader`` to the metrics; the mean loss per part when a criterion is
    given. The model is left in eval mode.

    Several processes score their own videos, and the first one takes over what the others have
    counted: its metrics and losses are of all videos, those of the others of nothing that is of
    use. Only clips whose pairs are the annotated ones have labels and so a loss: where classes or
    boxes are to be guessed, the pairs follow from the guesses, and no losses come back.
    """
    model.eval()
    totals: dict[str, float] = {}
    videos = 0
    team = loader.team
    for batch in tqdm(
        loader.batches(), total=len(loader), desc=title, unit="batch", leave=False, disable=team.hides_progress
    ):
        logits = model(batch.clip)
        for annotation, prediction in zip(
            batch.annotations, decode(batch.clip, logits, exclusive=exclusive), strict=True
        ):
            for metric in metrics:
                metric.update(annotation, prediction)
        if criterion is not None and batch.clip.labels is not None:
            for name, value in criterion(logits, batch.clip).items():
                totals[name] = totals.get(name, 0.0) + value.item() * batch.clip.videos
            videos += batch.clip.videos
    told = team.gather(([metric.state() for metric in metrics], totals, videos))
    for states, _, _ in told:
        for metric, state in zip(metrics, states, strict=True):
            metric.merge(state)
    scored = sum(count for _, _, count in told)
    names = dict.fromkeys(name for _, losses, _ in told for name in losses)
    return {name: sum(losses.get(name, 0.0) for _, losses, _ in told) / scored for name in names}
