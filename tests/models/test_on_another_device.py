"""Networks and detectors on a second device: every tensor that they make lies where their input does, and nothing
changes. No GPU is needed; see ``far_tensors.py``."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from clips import ENTITY, entity_clip
from detectors.test_extraction import video
from detectors.tiny import tiny_detector
from far_tensors import FarTensor, another_device
from models import test_dsgdetr, test_stket, test_sttran, test_tempura
from torch import nn

from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.losses.relations import RelationCriterion
from vidsgg.ops.decoding import decode
from vidsgg.structures.clip import Clip

PAIRS = [3, 0, 2]
CASES: dict[str, Callable[[], tuple[nn.Module, Clip]]] = {
    "sttran, predcls": lambda: (test_sttran.tiny(), entity_clip(PAIRS)),
    "sttran, sgcls": lambda: (test_sttran.tiny(mode="sgcls"), test_sttran.open_clip(PAIRS)),
    "stket, predcls": lambda: (test_stket.tiny(), entity_clip(PAIRS)),
    "stket, sgcls": lambda: (test_stket.tiny("sgcls"), test_stket.open_clip(PAIRS)),
    "dsgdetr, predcls": lambda: (test_dsgdetr.tiny("predcls"), entity_clip(PAIRS)),
    "dsgdetr, sgdet": lambda: (test_dsgdetr.tiny("sgdet"), test_dsgdetr.detected_clip(PAIRS, 0, "a")),
    **{
        f"tempura, {mode}": lambda mode=mode, make=make: (test_tempura.remembering(mode), make(PAIRS, 0, "a"))
        for mode, make in test_tempura.FRAMES.items()
    },
}


@pytest.mark.parametrize("case", CASES)
def test_networks_compute_where_they_are(case: str) -> None:
    model, clip = CASES[case]()
    model.eval().requires_grad_(False)
    with torch.no_grad():
        want = model(clip)
        wanted = decode(clip, want)
        wanted_losses = {} if clip.labels is None else RelationCriterion(ENTITY)(want, clip)
    with another_device() as device:
        there = clip.to(device)
        have = model.to(device)(there)
        found = decode(there, have)
        losses = {} if there.labels is None else RelationCriterion(ENTITY)(have, there)
    for name, table in want.groups.items():
        assert isinstance(have.groups[name], FarTensor)
        assert torch.equal(have.groups[name].near, table)
    assert {name: loss.near for name, loss in losses.items()} == wanted_losses
    for one, other in zip(found, wanted, strict=True):
        assert all((one.scores[name] == table).all() for name, table in other.scores.items())


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
@pytest.mark.parametrize("learn", [True, False])
def test_detectors_compute_where_they_are(mode: str, learn: bool) -> None:
    images, annotation = video([2, 0, 3, 1])
    clip = Clip.from_annotation(annotation, mode)
    detector = tiny_detector(clip.schema.vocabulary.objects)
    want = ClipExtractor(detector, mode, learn=learn)(images, clip)
    with another_device() as device:
        have = ClipExtractor(detector.to(device), mode, learn=learn)(images, clip.to(device))
        for name in ("node_box", "node_feature", "pair_union", "pair_subject"):
            assert isinstance(getattr(have, name), FarTensor)
            assert torch.equal(getattr(have, name).near, getattr(want, name))


def test_a_tensor_left_on_the_cpu_is_found() -> None:
    with another_device() as device, pytest.raises(AssertionError, match=r"shape \(2,\) on the CPU meets one on meta"):
        torch.ones(2, device=device) + torch.ones(2)
