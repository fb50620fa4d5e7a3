"""Score a model on the videos of a loader."""

from __future__ import annotations

import torch
from torch import nn
from tqdm import tqdm

from vidsgg.engine.loading import ClipLoader
from vidsgg.losses.criterion import Criterion
from vidsgg.metrics.accumulator import RecallAccumulator, RecallState
from vidsgg.metrics.protocol import Protocol
from vidsgg.metrics.result import RecallResult
from vidsgg.ops.decoding import decode


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    loader: ClipLoader,
    protocol: Protocol,
    *,
    criterion: Criterion | None = None,
    exclusive: bool = True,
    title: str = "evaluate",
) -> tuple[RecallResult, dict[str, float]]:
    """Recall over all videos of ``loader``, and the mean loss per part when a criterion is given. The model is left in eval mode.

    Several processes score their own videos, and the first one counts them together: the result is the same everywhere.
    Only clips whose pairs are the annotated ones have labels and so a loss: where classes or boxes are to be guessed, the pairs follow
    from the guesses, and no losses come back.
    """
    model.eval()
    schema = loader.dataset.schema
    recall = RecallAccumulator(protocol, schema.vocabulary)
    totals: dict[str, float] = {}
    videos = 0
    team = loader.team
    for batch in tqdm(loader.batches(), total=len(loader), desc=title, unit="batch", leave=False, disable=team.hides_progress):
        logits = model(batch.clip)
        for annotation, prediction in zip(batch.annotations, decode(batch.clip, logits, exclusive=exclusive), strict=True):
            recall.update(annotation, prediction)
        if criterion is not None and batch.clip.labels is not None:
            for name, value in criterion(logits, batch.clip).items():
                totals[name] = totals.get(name, 0.0) + value.item() * batch.clip.videos
            videos += batch.clip.videos
    told = team.gather((recall.state(), totals, videos))
    return team.from_first(_together(recall, told) if team.leads else None)


def _together(recall: RecallAccumulator, told: list[tuple[RecallState, dict[str, float], int]]) -> tuple[RecallResult, dict[str, float]]:
    """What all processes have counted, as one result."""
    for state, _, _ in told:
        recall.merge(state)
    videos = sum(count for _, _, count in told)
    names = dict.fromkeys(name for _, totals, _ in told for name in totals)
    return recall.compute(), {name: sum(totals.get(name, 0.0) for _, totals, _ in told) / videos for name in names}
