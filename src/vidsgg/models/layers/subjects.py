"""One subject at a time: a clip in which several subjects act together, as one video for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits, Uncertainty


def score_apart(model: Callable[[Clip], RelationLogits], clip: Clip) -> RelationLogits:
    """What a model says of the pairs of one video when it sees every subject alone with the objects
    of its frames, as its training showed them: one actor, one sequence, all of them in one batch.
    Frames without the actor stay, so that neighbours in time are what they were.

    clip: classes are given and pairs are not open; ``node_identity`` tells subjects apart (-1: a
    subject of its own in every frame). Returns logits in the order of the clip's pairs.
    """
    subject = clip.node_identity[clip.pair_subject]
    subject = torch.where(subject < 0, -2 - clip.pair_subject, subject)
    actors = list(dict.fromkeys(subject.tolist()))
    if not actors:
        return model(clip)
    parts, rows = [], []
    for i, actor in enumerate(actors):
        pairs = torch.nonzero(subject == actor).squeeze(1)
        parts.append(replace(clip.with_pairs(pairs), video_ids=(f"{clip.video_ids[0]}/{i}",)))
        rows.append(pairs)
    said = model(Clip.cat(parts))
    back = torch.cat(rows).argsort()

    def in_order(tables: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: table[back] for name, table in tables.items()}

    unsure = said.uncertainty
    return RelationLogits(
        in_order(said.groups),
        uncertainty=None if unsure is None else Uncertainty(in_order(unsure.aleatoric), in_order(unsure.epistemic)),
    )
