"""Scoring where classes are guessed."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from clips import ENTITY, WIDTHS, opened
from toys import ToyVideos

from vidsgg.engine.evaluate import evaluate_model
from vidsgg.engine.loading import ClipLoader
from vidsgg.losses.relations import RelationCriterion
from vidsgg.metrics.protocol import protocol_for
from vidsgg.models.configs import STTranConfig
from vidsgg.models.frequency import FrequencyModel
from vidsgg.models.sttran import STTran
from vidsgg.structures.clip import Clip

OBJECTS = len(ENTITY.vocabulary.objects)
SGCLS = protocol_for(ENTITY, "sgcls")


def knowing(images: object, clip: Clip) -> Clip:
    """A detector that is always right."""
    return opened(replace(clip, node_distribution=F.one_hot(clip.node_target, OBJECTS).float()))


def wrong(images: object, clip: Clip) -> Clip:
    """A detector that takes persons for the last class and everything else for persons."""
    return opened(
        replace(clip, node_distribution=F.one_hot(torch.where(clip.node_target == 1, OBJECTS - 1, 1), OBJECTS).float())
    )


def test_guessed_classes_decide_the_recall() -> None:
    model = FrequencyModel(ENTITY)
    for batch in ClipLoader(ToyVideos(), "predcls").batches():
        model.observe(batch.clip)
    recall = {}
    for detector in (knowing, wrong):
        loader = ClipLoader(ToyVideos(), "sgcls", batch_size=4, extractor=detector)
        result, losses = evaluate_model(model, loader, SGCLS, criterion=RelationCriterion(ENTITY))
        assert losses == {}  # the annotated pairs are not those that are scored
        recall[detector] = result.value("no", 50)
    assert recall[wrong] < 0.1 < 0.5 < recall[knowing]


def test_sttran_guesses_for_itself() -> None:
    torch.manual_seed(0)
    model = STTran(
        ENTITY,
        WIDTHS,
        STTranConfig(hidden_dim=8, embedding_dim=4, heads=2, feedforward_dim=16, temporal_layer=1),
        "sgcls",
    )
    recall = []
    for size in (1, 4):
        result, _ = evaluate_model(model, ClipLoader(ToyVideos(), "sgcls", batch_size=size, extractor=knowing), SGCLS)
        assert result.videos == 6
        recall.append(result.value("no", 50))
    assert recall[0] == recall[1] > 0
