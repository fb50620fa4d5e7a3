"""The baseline of EASG's authors: against numbers recorded from their code, and its own rules."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import GOLDEN, filled_state_dict, read_case, read_json
from golden.easg_data.inputs import clip_value, roi_value
from golden.easg_model.clips import SCHEMA, one_graph
from torch import Tensor

from vidsgg.datasets.easg import EASG
from vidsgg.datasets.easg_features import MadeFeatures
from vidsgg.errors import ConfigError, DataError
from vidsgg.io.pickles import load_pickle
from vidsgg.losses.easg_baseline import EasgBaselineCriterion
from vidsgg.methods.easg_baseline.authors import easg_baseline_state, infer_easg_baseline
from vidsgg.models.easg_baseline import EasgBaseline
from vidsgg.ops.decoding import decode
from vidsgg.ops.events import EventObjects
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


@pytest.mark.skipif(not os.environ.get("VIDSGG_EASG"), reason="set VIDSGG_EASG to the folder of the EASG annotations")
def test_objects_of_the_real_files_are_the_means_of_the_reference(tmp_path: Path) -> None:
    """One number per box and action, as golden/easg_data has them, through files, data set and clip."""
    for file in Path(os.environ["VIDSGG_EASG"]).iterdir():
        if file.name in ("easg_val.pkl", "verbs.txt", "objects.txt", "relationships.txt"):
            shutil.copyfile(file, tmp_path / file.name)
    roi = {
        uid: {
            aid: [
                {
                    slot: np.float32([[roi_value(uid, aid, i, slot, row)] for row in range(len(boxes))])
                    for slot, boxes in entry["bbox"].items()
                }
                for i, entry in enumerate(entries)
            ]
            for aid, entries in graph["annotations"].items()
        }
        for uid, graph in load_pickle(tmp_path / "easg_val.pkl").items()
    }
    (tmp_path / "roi_feats_val.pkl").write_bytes(pickle.dumps(roi))
    actions = {aid: torch.tensor([clip_value(aid)]) for graph in roi.values() for aid in graph}
    torch.save(actions, tmp_path / "verb_features.pt")
    MadeFeatures({"roi_feats_val.pkl": 1, "verb_features.pt": 1}, {}, {}).write(tmp_path)

    data = EASG(tmp_path, "test")
    found: dict[tuple[str, int, int], float] = {}
    of_actions: dict[tuple[str, int], float] = {}
    for index, video in enumerate(data):
        columns = {name: torch.from_numpy(column) for name, column in data.features(index).items()}
        clip = Clip.from_annotation(video, **columns)
        objects = EventObjects.of(clip)
        unit_uid = {int(u): key.split("/")[0] for u, key in zip(video.frame_unit, video.frame_key, strict=True)}
        means = objects.mean(clip.node_feature, clip.node_rows).squeeze(1)
        for unit, klass, mean in zip(objects.unit, clip.node_class[objects.first_node], means, strict=True):
            verb = int(clip.action_class[unit])
            found[unit_uid[int(unit)], verb, int(klass) - 1] = float(mean)
            of_actions[unit_uid[int(unit)], verb] = float(clip.action_feature[unit])
    merged = data.merged
    with np.load(GOLDEN / "easg_data" / "open-val.npz") as golden:
        keys = [
            (merged.graph_uid[graph], int(merged.verb[graph]), int(klass))
            for graph, klass in zip(merged.object_graph, merged.object_class, strict=True)
        ]
        np.testing.assert_allclose([found[key] for key in keys], golden["obj_value"], rtol=0, atol=1e-5)
        graphs = [(uid, int(verb)) for uid, verb in zip(merged.graph_uid, merged.verb, strict=True)]
        np.testing.assert_allclose([of_actions[key] for key in graphs], golden["clip_value"], rtol=0, atol=1e-5)
