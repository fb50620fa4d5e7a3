"""From logits over a clip to one prediction per video."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from vidsgg.ops.exclusive import resolve_exclusive
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits, check_logits
from vidsgg.structures.prediction import VideoPrediction


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    out: np.ndarray[Any, Any] = tensor.detach().cpu().numpy()
    return out


def decode(clip: Clip, logits: RelationLogits, *, exclusive: bool = True) -> list[VideoPrediction]:
    """Probabilities per video, in the clip's order of videos.

    "single" groups go through a softmax, "multi" groups through a sigmoid, both in float32. Nodes,
    their classes and pairs are those of ``logits.clip`` where there is one, else the clip's. Where
    subjects are actions, whose candidates are ranked with all classes of their objects, these come
    from the softmax of ``logits.objects`` over all classes but the background. exclusive: hold
    predicates that the schema calls exclusive to one object per label unit (see resolve_exclusive);
    schemas without such predicates are not touched. Raises ConfigError for logits that do not fit
    the clip.
    """
    check_logits(logits, clip, scoring=True)
    clip = logits.clip or clip
    vocabulary = clip.schema.vocabulary
    scores: dict[str, Any] = {}
    for group in vocabulary.groups:
        raw = logits.groups[group.name].float()
        table = _array(raw.softmax(1) if group.kind == "single" else raw.sigmoid())
        if exclusive and group.exclusive:
            ids = [group.predicates.index(name) for name in group.exclusive]
            unit, identity = _array(clip.frame_unit[clip.pair_frame]), _array(clip.node_identity[clip.pair_object])
            table = resolve_exclusive(table, unit, ids, identity)
        scores[group.name] = table
    unsure = {
        kind: {name: _array(table.float()) for name, table in getattr(logits.uncertainty, kind).items()}
        for kind in ("aleatoric", "epistemic")
        if logits.uncertainty is not None
    }
    objects = None if clip.schema.subject_has_box else logits.objects
    object_scores = None if objects is None else _array(F.pad(objects[:, 1:].float().softmax(1), (1, 0)))
    action_scores = _array(logits.actions.float().softmax(1)) if logits.actions is not None else None
    video_of_frame = _array(clip.frame_video)
    columns = {
        name: _array(getattr(clip, name))
        for name in (
            "frame_unit", "node_box", "node_class", "node_score", "node_frame", "node_identity", "action_class",
            "pair_subject", "pair_object", "pair_frame",
        )
    }  # fmt: skip
    if object_scores is not None:
        columns["node_class"] = object_scores[:, 1:].argmax(1) + 1
        columns["node_score"] = object_scores[:, 1:].max(1)
    if action_scores is not None:
        columns["action_class"] = action_scores.argmax(1)

    edges = np.arange(clip.videos + 1)
    frame_at = np.searchsorted(video_of_frame, edges)
    node_at = np.searchsorted(columns["node_frame"], frame_at)
    pair_at = np.searchsorted(columns["pair_frame"], frame_at)
    unit_at = (
        np.append(columns["frame_unit"][frame_at[:-1]], clip.units)
        if len(columns["action_class"])
        else np.zeros_like(edges)
    )
    predictions = []
    for i, video_id in enumerate(clip.video_ids):
        frames, nodes, pairs, units = (slice(at[i], at[i + 1]) for at in (frame_at, node_at, pair_at, unit_at))
        first_subject = nodes.start if clip.schema.subject_has_box else units.start
        predictions.append(
            VideoPrediction(
                schema=clip.schema,
                video_id=video_id,
                frame_unit=columns["frame_unit"][frames] - columns["frame_unit"][frames][0],
                node_box=columns["node_box"][nodes],
                node_class=columns["node_class"][nodes],
                node_score=columns["node_score"][nodes],
                node_frame=columns["node_frame"][nodes] - frames.start,
                node_identity=columns["node_identity"][nodes],
                action_class=columns["action_class"][units],
                pair_subject=columns["pair_subject"][pairs] - first_subject,
                pair_object=columns["pair_object"][pairs] - nodes.start,
                pair_frame=columns["pair_frame"][pairs] - frames.start,
                scores={name: table[pairs] for name, table in scores.items()},
                object_scores=None if object_scores is None else object_scores[nodes],
                action_scores=None if action_scores is None else action_scores[units],
                **{kind: {name: table[pairs] for name, table in tables.items()} for kind, tables in unsure.items()},
            )
        )
    return predictions
