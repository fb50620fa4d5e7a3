"""What a network gives is checked before anything is made of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from clips import entity_annotation

from vidsgg.errors import ConfigError
from vidsgg.ops.decoding import decode
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits, check_logits

CLIP = Clip.from_annotation(entity_annotation([2, 3]), "predcls")
GOOD = {group.name: torch.zeros(CLIP.pairs, len(group)) for group in CLIP.schema.vocabulary.groups}


def test_what_fits_passes_in_training_also_without_some_groups() -> None:
    check_logits(RelationLogits(GOOD), CLIP, scoring=True)
    check_logits(RelationLogits({}), CLIP)
    assert decode(CLIP, RelationLogits(GOOD))


@pytest.mark.parametrize(
    ("logits", "clip", "message"),
    [
        (GOOD, CLIP, r"the network gives \{'attention': .*; its forward must return RelationLogits"),
        (RelationLogits({}), CLIP, "the network gives no logits of the predicate group 'attention'"),
        (
            RelationLogits(GOOD | {"spatial": torch.zeros(CLIP.pairs, 7)}),
            CLIP,
            r"logits of shape \(5, 7\) for the predicate group 'spatial'; expected \(5, 2\): a row for each pair",
        ),
        (RelationLogits(GOOD), replace(CLIP, pairs_open=True, classes_given=False), "which 'scored_pairs' returns as"),
    ],
)
def test_what_does_not_fit_is_named(logits: RelationLogits, clip: Clip, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        decode(clip, logits)
