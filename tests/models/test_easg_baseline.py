"""The baseline of EASG's authors: against numbers recorded from their code, and its own rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import filled_state_dict, read_case, read_json
from golden.easg_model.clips import SCHEMA, one_graph
from torch import Tensor

from vidsgg.errors import ConfigError, DataError
from vidsgg.losses.easg_baseline import EasgBaselineCriterion
from vidsgg.methods.easg_baseline.authors import easg_baseline_state, infer_easg_baseline
from vidsgg.models.easg_baseline import EasgBaseline
from vidsgg.ops.decoding import decode
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.widths import FeatureWidths

CASES = [case for case in read_json("easg_model", "cases.json") if case["model"] == "fc"]
SOME = {"id": "some", "seed": 5, "n": 4, "scale": 1.0}


@pytest.fixture(scope="module")
def model() -> Iterator[EasgBaseline]:
    authors = filled_state_dict(read_json("easg_model", "params.json")["fc"])
    found = EasgBaseline(SCHEMA, infer_easg_baseline(authors))
    state, left_over = easg_baseline_state(authors)
    assert not left_over
    found.load_state_dict(state)
    yield found.eval()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_outputs_and_losses_equal_the_reference(model: EasgBaseline, case: dict[str, Any]) -> None:
    _, want = read_case("easg_model", case["id"])
    clip = one_graph(case)
    with torch.no_grad():
        logits = model(clip)
        losses = EasgBaselineCriterion(SCHEMA)(logits, clip)
    (prediction,) = decode(clip, logits, exclusive=False)
    have = {
        "out_verb": logits.actions,
        "out_objs": logits.objects[:, 1:],
        "out_rels": logits.groups["relation"],
        "scores_verb": prediction.action_scores[0],
        "scores_objs": prediction.object_scores[:, 1:],
        "scores_rels": prediction.scores["relation"],
        "loss_verb": losses["actions"],
        "loss_obj": losses["objects"],
        "loss_rel": losses["relation"],
        "loss_total": losses["total"],
    }
    assert set(want) == set(have)
    for name, recorded in want.items():
        np.testing.assert_allclose(np.asarray(have[name]), recorded, rtol=0, atol=1e-3 if case["scale"] > 1 else 1e-4)
        if name.startswith("out"):
            np.testing.assert_array_equal(np.asarray(have[name]).argmax(1), recorded.argmax(1))


def twice(clip: Clip, rows: int) -> Clip:
    """The graph in two frames of its unit. rows: of how many boxes each node of the second is the mean."""
    n = clip.nodes
    both = {
        name: torch.cat([getattr(clip, name)] * 2)
        for name in ("frame_video", "frame_unit", "frame_slot", "frame_size", "node_box", "node_class", "node_score", "node_identity",
                     "node_target", "pair_subject")
    }  # fmt: skip
    return replace(
        clip,
        **both,
        node_frame=torch.arange(2).repeat_interleave(n),
        pair_frame=torch.arange(2).repeat_interleave(n),
        pair_object=torch.arange(2 * n),
        node_feature=torch.cat([clip.node_feature, 1 - clip.node_feature]),
        node_rows=torch.tensor([1, rows]).repeat_interleave(n),
        labels={"relation": clip.labels["relation"].repeat(2, 1)},
    )


def test_an_object_is_the_mean_over_all_boxes_of_its_graph(model: EasgBaseline) -> None:
    clip = one_graph(SOME)
    seen_again = twice(clip, rows=3)
    logits = model(seen_again)
    mean = (clip.node_feature + 3 * (1 - clip.node_feature)) / 4
    alone = model(replace(clip, node_feature=mean))
    torch.testing.assert_close(logits.groups["relation"], alone.groups["relation"].repeat(2, 1))
    torch.testing.assert_close(logits.objects, alone.objects.repeat(2, 1))
    criterion = EasgBaselineCriterion(SCHEMA)
    have, want = criterion(logits, seen_again), criterion(alone, replace(clip, node_feature=mean))
    for name, value in want.items():
        torch.testing.assert_close(have[name], value)


def test_every_graph_weighs_the_same_whatever_it_holds(model: EasgBaseline) -> None:
    clips = [one_graph({**SOME, "seed": seed, "n": n}) for seed, n in ((1, 1), (2, 5))]
    criterion = EasgBaselineCriterion(SCHEMA)
    apart = [criterion(model(clip), clip) for clip in clips]
    both = Clip.cat(clips)
    joint = criterion(model(both), both)
    one_video = replace(both, video_ids=("a",), frame_video=torch.zeros(2, dtype=torch.long))
    of_video = criterion(model(one_video), one_video)
    for name in ("relation", "objects", "actions", "total"):
        mean = (apart[0][name] + apart[1][name]) / 2
        torch.testing.assert_close(joint[name], mean)
        torch.testing.assert_close(of_video[name], mean)


@pytest.mark.parametrize(("given", "verb_given"), [(True, True), (False, True), (False, False)])
def test_what_is_given_is_not_guessed_and_all_is_learnt(model: EasgBaseline, given: bool, verb_given: bool) -> None:
    clip = one_graph(SOME)
    clip = replace(
        clip,
        classes_given=given,
        node_class=clip.node_target if given else clip.node_class,
        action_class=clip.action_target if verb_given else clip.action_class,
    )
    logits = model(clip)
    assert (logits.objects is None) == given
    assert (logits.actions is None) == verb_given
    losses = EasgBaselineCriterion(SCHEMA)(logits, clip)
    assert set(losses) == {"relation", "objects", "actions", "total"}
    (prediction,) = decode(clip, logits)
    if given:
        assert prediction.node_class.tolist() == clip.node_target.tolist()


def test_order_of_the_nodes_changes_nothing(model: EasgBaseline) -> None:
    clip = one_graph({**SOME, "n": 6})
    mixed = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    columns: dict[str, Tensor] = {
        name: getattr(clip, name)[mixed]
        for name in ("node_box", "node_class", "node_identity", "node_target", "node_feature")
    }
    other = replace(clip, **columns, labels={"relation": clip.labels["relation"][mixed]})
    torch.testing.assert_close(model(other).groups["relation"], model(clip).groups["relation"][mixed])
    criterion = EasgBaselineCriterion(SCHEMA)
    torch.testing.assert_close(criterion(model(other), other)["total"], criterion(model(clip), clip)["total"])


def test_what_it_lacks_is_said(model: EasgBaseline) -> None:
    with pytest.raises(ConfigError, match="EASG has none of actions here"):
        EasgBaseline(SCHEMA, FeatureWidths(node=8))
    with pytest.raises(ConfigError, match="EASG has none of objects and actions here"):
        EasgBaseline(SCHEMA, FeatureWidths())
    clip = one_graph(SOME)
    with pytest.raises(ConfigError, match="'some': the clip has no features"):
        model(replace(clip, action_feature=None))
    with pytest.raises(DataError, match="the loss needs the labels"):
        EasgBaselineCriterion(SCHEMA)(model(clip), replace(clip, labels=None))
    with pytest.raises(TypeError, match="reads EasgBaselineLogits"):
        EasgBaselineCriterion(SCHEMA)(RelationLogits({}), clip)
