"""DSG-DETR, and what ImparTail calls STTran, against numbers recorded from the authors' implementations, through the map
of their state dicts' names.

Every case of a task that stands here is run, so cases put beside the recorded ones are too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from golden.deterministic import cases_of, read_case, read_json
from golden.dsgdetr import inputs
from golden.dsgdetr.clips import clip_of, model_of, reference_state
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from vidsgg.losses.relations import RelationCriterion
from vidsgg.models.dsgdetr import DsgDetr
from vidsgg.ops.sequences import Sequences, sequences_of
from vidsgg.ops.tracklets import match_cost, tracklets
from vidsgg.structures.clip import Clip

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module")
def weights() -> Iterator[Any]:
    """The weights of one folder of recordings, more than half a gigabyte: those of all modes differ in a table only."""
    kept: dict[str, dict[str, Tensor]] = {}

    def get(folder: str, mode: str) -> dict[str, Tensor]:
        shapes = read_json(folder, "params.json")
        shapes = shapes.get(mode, shapes)
        if folder not in kept:
            kept.clear()
            kept[folder] = reference_state(shapes)
        had = kept[folder]
        tables = {name: shape for name, shape in shapes.items() if name.endswith("positional_encoder.pe")}
        assert had.keys() == shapes.keys()
        assert all(list(had[name].shape) == shapes[name] for name in shapes.keys() - tables.keys())
        return had | reference_state(tables)

    yield get
    kept.clear()


def run(model: DsgDetr, clip: Clip) -> dict[str, Any]:
    """What the recordings hold of the model's forward."""
    seen: dict[str, Any] = {}

    def told(name: str, part: Any) -> Any:
        return part.register_forward_hook(lambda module, args, out: seen.update({name: out, f"into {name}": args}))

    hooks = [told(name, getattr(model, name)) for name in ("pair_encoder", "spatial", "temporal")]
    hooks += [told("sequences", model.sequences)] if model.sequences is not None else []
    with torch.no_grad():
        logits = model(clip)
    for hook in hooks:
        hook.remove()
    have: dict[str, Any] = {
        "attention_distribution": logits.groups["attention"],
        "spatial_distribution": logits.groups["spatial"].sigmoid(),
        "contacting_distribution": logits.groups["contacting"].sigmoid(),
        "features_probe": seen["into pair_encoder"][0].node_feature[:, ::24],
        "local_probe": seen["spatial"][:, ::16],
        "global_probe": seen["temporal"][:, ::16],
    }
    if model.sequences is not None:
        have["indices"] = sequences_as_lists(seen["into sequences"][1])
    if clip.labels is not None:
        margin, bce = (RelationCriterion(clip.schema, bce=bce)(logits, clip) for bce in (False, True))
        losses = (margin["attention"], margin["spatial"], margin["contacting"], bce["spatial"], bce["contacting"])
        have["losses"] = torch.stack(losses)
    if logits.clip is not None:
        scored = logits.clip
        assert scored.pair_union is not None and scored.pair_mask is not None and scored.node_distribution is not None
        have |= {
            "pred_labels": scored.node_class,
            "pred_scores": scored.node_score,
            "distribution": scored.node_distribution[:, 1:],
            "pair_idx": torch.stack([scored.pair_subject, scored.pair_object], 1),
            "im_idx": scored.pair_frame.float(),
            "boxes": torch.cat([scored.node_frame[:, None].float(), scored.node_box], 1),
            "union_probe": scored.pair_union[:, ::64],
            "masks_probe": scored.pair_mask[:, :, ::4, ::4],
        }
    return have


def sequences_as_lists(sequences: Sequences) -> set[tuple[int, ...]]:
    row = sequences.layout.slot // sequences.layout.valid.shape[1]
    found: dict[int, list[int]] = {}
    for node, sequence in zip(sequences.order.tolist(), row.tolist(), strict=True):
        found.setdefault(sequence, []).append(node)
    return {tuple(nodes) for nodes in found.values()}


def recorded_lists(length: np.ndarray, flat: np.ndarray, singletons_first: bool) -> set[tuple[int, ...]]:
    lists = [tuple(part.tolist()) for part in np.split(flat, np.cumsum(length)[:-1])]
    return {(node,) for node in lists[0]} | set(lists[1:]) if singletons_first else set(lists)


MODELS = [
    *(("dsgdetr", case) for case in cases_of("dsgdetr", "predcls", "sgcls-eval", "sgdet-eval")),
    *(("impartail", case) for case in cases_of("impartail", "forward")),
]


@pytest.mark.parametrize(
    ("folder", "case"), MODELS, ids=lambda value: value["id"] if isinstance(value, dict) else value
)
def test_outputs_equal_the_reference(weights: Any, folder: str, case: dict[str, Any]) -> None:
    mode = case.get("mode", "predcls")
    _, want = read_case(folder, case["id"])
    have = run(model_of(weights(folder, mode), mode), clip_of(case))
    if "indices_len" in want:
        recorded = recorded_lists(want.pop("indices_len"), want.pop("indices_flat"), mode == "sgdet")
        assert have["indices"] == recorded
    for name, recorded in want.items():
        assert tuple(have[name].shape) == recorded.shape, name
        exact = np.issubdtype(recorded.dtype, np.integer)
        tolerance = {"rtol": 0, "atol": 0} if exact else TOLERANCE
        np.testing.assert_allclose(have[name].numpy(), recorded, err_msg=name, **tolerance)


@pytest.mark.parametrize("case", cases_of("dsgdetr", "match"), ids=lambda case: case["id"])
def test_matches_equal_the_reference(case: dict[str, Any]) -> None:
    _, want = read_case("dsgdetr", case["id"])
    sides = inputs.matching(case["seed"], case["n_det"], case["n_track"], case["feat_dim"])
    columns = [
        (np.concatenate([s["boxes"][:, :2] + s["boxes"][:, 2:] / 2, s["boxes"][:, 2:]], 1), s["features"], s["dists"])
        for s in sides
    ]
    cost = match_cost(*columns[0], *columns[1])
    row, col = linear_sum_assignment(cost.total)
    np.testing.assert_allclose(cost.total, want["cost"], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(row, want["row"])
    np.testing.assert_array_equal(col, want["col"])
    np.testing.assert_allclose(cost.of_class[row, col], want["cost_dist"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(cost.of_feature[row, col], want["cost_feat"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", cases_of("dsgdetr", "tracklets"), ids=lambda case: case["id"])
def test_tracklets_equal_the_reference(case: dict[str, Any]) -> None:
    _, want = read_case("dsgdetr", case["id"])
    e = inputs.tracklet_video(**{k: v for k, v in case.items() if k not in ("id", "task", "generator", "outputs")})
    frame, klass, frames = e["boxes"][:, 0].astype(int), e["distribution"].argmax(1), len(case["frame_numbers"])
    size = np.tile([case["image_size"]], (frames, 1))
    number = np.array(case["frame_numbers"])
    track = tracklets(frame, e["boxes"][:, 1:], klass, e["features"], number, size, classes=36, swapped=True)
    np.testing.assert_array_equal(track, want["track_id"])
    lists = [tuple(np.flatnonzero(track == i).tolist()) for i in range(track.max() + 1)]
    assert lists == [tuple(p.tolist()) for p in np.split(want["indices_flat"], np.cumsum(want["indices_len"])[:-1])]
    video = torch.zeros(frames, dtype=torch.int64)
    classes = sequences_of(torch.from_numpy(klass), torch.from_numpy(frame), video, frames_share=True)
    assert sequences_as_lists(classes) == recorded_lists(want["sgdet_len"], want["sgdet_flat"], True)
