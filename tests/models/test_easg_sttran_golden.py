"""EASG's STTran in its three tasks against numbers recorded from the authors' implementation, through
the map of their state dict's names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import filled_state_dict, read_case, read_json
from golden.easg_model.clips import MODES, SCHEMA, frames_of_boxes

from vidsgg.losses.relations import RelationCriterion
from vidsgg.methods.sttran.authors import easg_sttran_state, infer_easg_sttran
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.ops.decoding import decode

CASES = [case for case in read_json("easg_model", "cases.json") if case["model"] == "sttran"]
UNUSED = {"predcls": ("conv.", "object_classifier.", "action_classifier."), "sgcls": ("conv.", "action_classifier."), "sgdet": ("conv.",)}  # fmt: skip


@pytest.fixture(scope="module")
def model_of() -> Iterator[Callable[[str], STTran]]:
    """The model of a mode; all share the weights."""
    authors = filled_state_dict(read_json("easg_model", "params.json")["sttran"])
    sizes, widths = infer_easg_sttran(authors)
    assert sizes == {
        "spatial_layer": 1,
        "temporal_layer": 3,
        "hidden_dim": 512,
        "embedding_dim": 200,
        "feedforward_dim": 2048,
    }
    assert (widths.node, widths.union, widths.action) == (2048, 0, 2304)

    def get(mode: str) -> STTran:
        with torch.device("meta"):
            model = STTran(SCHEMA, widths, STTranConfig(**sizes, reference_compat=True), mode)
        state, left_over = easg_sttran_state(authors, mode)
        model.load_state_dict(state, assign=True)  # strict: every weight of ours is one of theirs
        assert left_over and all(name.startswith(UNUSED[mode]) for name in left_over)
        return model.eval()

    yield get


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_outputs_equal_the_reference(model_of: Callable[[str], STTran], case: dict[str, Any]) -> None:
    _, want = read_case("easg_model", case["id"])
    clip = frames_of_boxes(case)
    with torch.no_grad():
        logits = model_of(MODES[case["mode"]])(clip)
        losses = RelationCriterion(SCHEMA)(logits, clip)
    (prediction,) = decode(clip, logits, exclusive=False)
    have = {"edge_distribution": prediction.scores["relation"], "loss_edge": losses["relation"]}
    if logits.objects is not None:
        have["distribution"] = prediction.object_scores[:, 1:]
        have["pred_labels"] = prediction.node_class - 1
    if logits.actions is not None:  # the recordings have a row for every box
        have["distribution_verb"] = prediction.action_scores[clip.node_frame]
        have["pred_labels_verb"] = prediction.action_class[clip.node_frame]
    assert set(have) == set(want)
    for name, recorded in want.items():
        exact = np.issubdtype(recorded.dtype, np.integer)
        np.testing.assert_allclose(np.asarray(have[name]), recorded, rtol=0, atol=0 if exact else 1e-4, err_msg=name)


@pytest.mark.parametrize("mode", ["edgecls", "sgcls", "easgcls"])
def test_a_sequence_of_one_frame_says_the_same_of_every_pair(model_of: Callable[[str], STTran], mode: str) -> None:
    """A plain bug of the reference, which imported checkpoints keep with -reference_compat."""
    clip = frames_of_boxes({"id": "one frame", "mode": mode, "seed": 4, "per_frame": [3]})
    model = model_of(MODES[mode])
    with torch.no_grad():
        rows = model(clip).groups["relation"]
    torch.testing.assert_close(rows, model.heads["relation"].bias.expand(3, -1))
