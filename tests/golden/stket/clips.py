"""The recorded STKET cases as ours: weights for any configuration, the clips that its inputs make,
and annotations to count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import torch
from golden.stket.inputs import annotations, video, weight
from torch import Tensor
from torchvision.ops import roi_align

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.ops.cleaning import clean
from vidsgg.ops.masks import union_boxes, union_masks
from vidsgg.ops.pairing import SubjectRule, label_nodes, subject_pairs
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip

GROUPS = {"attention": 3, "spatial": 6, "contacting": 17}
WIDTH = 1936


def shapes(settings: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the authors' state dict for any settings of the model, as in SPEC.md,
    section 6."""
    yield from _token_shapes()
    enc, dec = settings["enc_layer_num"], settings["dec_layer_num"]
    if enc:
        yield "spatial_encoder.initialPrior", (37, 26)
        yield from _state_shapes("spatial_encoder")
        yield from _layer_shapes("spatial_encoder.encoder", enc, ("norm1", "norm2"))
    if dec:
        yield "temporal_decoder.initialPrior", (37, 26)
        yield "temporal_decoder.specificPrior", (37, 17, 26)
        yield "temporal_decoder.position_embedding.weight", (2, WIDTH)
        yield from _state_shapes("temporal_decoder")
        yield from _layer_shapes("temporal_decoder.decoder", dec, ("norm3",))
    if enc and dec:
        yield "ensemble_decoder.position_embedding.weight", (settings["window_size"], WIDTH)
        yield from _layer_shapes("ensemble_decoder.decoder", 2, ("norm3",))
    for part in ("", "spa_", "tem_", "ens_"):
        for group, count in GROUPS.items():
            yield from _linear(f"{part}{group[0]}_rel_compress", count, WIDTH)


def _linear(name: str, *shape: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", shape
    yield f"{name}.bias", shape[:1]


def _norm(name: str, width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from ((f"{name}.{entry}", (width,)) for entry in ("weight", "bias", "running_mean", "running_var"))
    yield f"{name}.num_batches_tracked", ()


def _token_shapes() -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "object_classifier.obj_embed.weight", (36, 200)
    yield from _norm("object_classifier.pos_embed.0", 4)
    yield from _linear("object_classifier.pos_embed.1", 128, 4)
    yield from _linear("object_classifier.decoder_lin.0", 1024, 2376)
    yield from _norm("object_classifier.decoder_lin.1", 1024)
    yield from _linear("object_classifier.decoder_lin.3", 37, 1024)
    yield from _linear("union_func1", 256, 1024, 1, 1)
    yield from _linear("conv.0", 128, 2, 7, 7)
    yield from _norm("conv.2", 128)
    yield from _linear("conv.4", 256, 128, 3, 3)
    yield from _norm("conv.6", 256)
    yield from _linear("subj_fc", 512, 2048)
    yield from _linear("obj_fc", 512, 2048)
    yield from _linear("vr_fc", 512, 12544)
    yield "obj_embed.weight", (37, 200)
    yield "obj_embed2.weight", (37, 200)


def _state_shapes(module: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for i, (before, after) in enumerate(((26, 128), (128, 256), (256, 512), (512, WIDTH))):
        yield from _linear(f"{module}.state_fc.{i}", after, before)


def _layer_shapes(module: str, layers: int, norms: tuple[str, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for i in range(layers):
        name = f"{module}.layers.{i}"
        yield f"{name}.self_attn.in_proj_weight", (3 * WIDTH, WIDTH)
        yield f"{name}.self_attn.in_proj_bias", (3 * WIDTH,)
        yield from _linear(f"{name}.self_attn.out_proj", WIDTH, WIDTH)
        for projection in ("W_q", "W_k", "W_v"):
            yield from _linear(f"{name}.{projection}", WIDTH, WIDTH)
        yield from _linear(f"{name}.linear1", 2048, WIDTH)
        yield from _linear(f"{name}.linear2", WIDTH, 2048)
        for norm in norms:
            yield f"{name}.{norm}.weight", (WIDTH,)
            yield f"{name}.{norm}.bias", (WIDTH,)


def reference_state(settings: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: entry(name, shape) for name, shape in shapes(settings)}


@cache
def entry(name: str, shape: tuple[int, ...]) -> Tensor:
    """One of the deterministic weights; configurations share them, and drawing them takes longer
    than all else."""
    return torch.from_numpy(np.asarray(weight(name, shape)))


def clip_of(case: dict[str, Any]) -> Clip:
    """What the model reads for a recorded case of kind "model"."""
    mode, e = case["settings"]["mode"], video(**case["video"])
    if mode == "predcls":
        return given_pairs(case, e)
    if case.get("training"):
        return learnt_pairs(case, e)
    return open_pairs(case, e) if mode == "sgcls" else detected_pairs(case, e)


def given_pairs(case: dict[str, Any], e: dict[str, Any]) -> Clip:
    label, pair = torch.from_numpy(e["labels"]), torch.from_numpy(e["pair_idx"])
    boxes = torch.from_numpy(e["boxes"][:, 1:])
    if "union_feat" in e:
        union, mask = torch.from_numpy(e["union_feat"]), torch.from_numpy(e["spatial_masks"])
    else:
        union, mask = _pictures(e, torch.from_numpy(e["im_idx"]).long(), boxes[pair[:, 0]], boxes[pair[:, 1]])
    return _clip(
        case,
        e["boxes"],
        node_class=label,
        node_target=label,
        node_score=torch.ones(len(label)),
        node_feature=torch.from_numpy(e["features"]),
        pair_subject=pair[:, 0],
        pair_object=pair[:, 1],
        pair_frame=torch.from_numpy(e["im_idx"]).long(),
        pair_union=union,
        pair_mask=mask,
        labels={group: _hot(e[f"{group}_gt"], width) for group, width in GROUPS.items()},
    )


def learnt_pairs(case: dict[str, Any], e: dict[str, Any]) -> Clip:
    """The training form of the other modes, where the classes are hidden but known."""
    clip = given_pairs(case, e)
    hidden = torch.full_like(clip.node_class, -1)
    return replace(clip, classes_given=False, node_class=hidden, node_distribution=_with_background(e["distribution"]))


def open_pairs(case: dict[str, Any], e: dict[str, Any]) -> Clip:
    """sgcls as it is scored: every two boxes of a frame are a candidate."""
    frame, boxes = e["boxes"][:, 0], torch.from_numpy(e["boxes"][:, 1:])
    rows = [np.flatnonzero(frame == t).tolist() for t in range(len(case["video"]["frames"]))]
    subject, obj = (
        torch.tensor([pair for row in rows for pair in combinations(row, 2)], dtype=torch.int64).view(-1, 2).T
    )
    pair_frame = torch.from_numpy(frame).long()[subject]
    return _clip(
        case,
        e["boxes"],
        node_class=torch.full((len(boxes),), -1),
        classes_given=False,
        pairs_open=True,
        node_score=torch.ones(len(boxes)),
        node_feature=torch.from_numpy(e["features"]),
        node_distribution=_with_background(e["distribution"]),
        pair_subject=subject,
        pair_object=obj,
        pair_frame=pair_frame,
        pair_union=_pictures(e, pair_frame, boxes[subject], boxes[obj])[0],
    )


def detected_pairs(case: dict[str, Any], e: dict[str, Any]) -> Clip:
    """sgdet as it is scored: detections cleaned, labelled and paired from the detector's
    classes."""
    given = torch.from_numpy(e["boxes"])
    row, distribution = clean(
        given[:, 0].long(), given[:, 1:], _with_background(e["distribution"]), SCHEMA.object_ids(SCHEMA.often_wrong)
    )
    frame, boxes = given[row, 0].long(), given[row, 1:]
    rule = SubjectRule.of(SCHEMA)
    klass, score = label_nodes(distribution, frame, rule)
    subject, obj = subject_pairs(frame, klass, score, rule)
    union, mask = _pictures(e, frame[subject], boxes[subject], boxes[obj])
    return _clip(
        case,
        given[row].numpy(),
        node_class=klass,
        node_score=score,
        node_feature=torch.from_numpy(e["features"])[row],
        node_distribution=distribution,
        pair_subject=subject,
        pair_object=obj,
        pair_frame=frame[subject],
        pair_union=union,
        pair_mask=mask,
    )


def labelled_pairs(e: dict[str, Any]) -> Clip:
    """Pairs and nodes of one frame that have nothing but the labels of ``inputs.predictions``."""
    pairs, nodes = len(e["attention_gt"]), len(e["labels"])
    zeros = torch.zeros(pairs, dtype=torch.int64)
    return _clip(
        {"id": "labels", "video": {"frames": [pairs]}},
        np.concatenate([np.zeros((nodes, 1)), np.tile([0, 0, 9, 9], (nodes, 1))], 1).astype(np.float32),
        node_class=torch.full((nodes,), -1),
        classes_given=False,
        node_target=torch.from_numpy(e["labels"]),
        node_score=torch.ones(nodes),
        pair_subject=zeros,
        pair_object=zeros,
        pair_frame=zeros,
        labels={group: _hot(e[f"{group}_gt"], width) for group, width in GROUPS.items()},
    )


def annotated_videos(case: dict[str, Any]) -> list[VideoAnnotation]:
    """The annotations of a recorded case of kind "prior"."""
    videos = annotations(
        case["seed"], case["videos"], **{name: case[name] for name in ("pool", "contacts") if name in case}
    )
    return [_annotation(f"v{i}", frames) for i, frames in enumerate(videos)]


def _annotation(name: str, frames: list[list[tuple[int, list[int], list[int], list[int]]]]) -> VideoAnnotation:
    pair_frame = np.array([t for t, things in enumerate(frames) for _ in things], np.int64)
    things = [thing for frame in frames for thing in frame]
    node_frame = np.array([t for t, frame in enumerate(frames) for _ in range(len(frame) + 1)], np.int64)
    person = np.searchsorted(node_frame, np.arange(len(frames)))
    obj = np.setdiff1d(np.arange(len(node_frame)), person)
    node_class = np.ones(len(node_frame), np.int64)
    node_class[obj] = [thing[0] for thing in things]
    labels = {g: _hot([thing[i] for thing in things], width).numpy() for i, (g, width) in enumerate(GROUPS.items(), 1)}
    count = len(frames)
    return VideoAnnotation(
        schema=SCHEMA, video_id=name, source_id=name, split="train", fps=None,
        frame_key=tuple(f"{name}.mp4/{t + 1:06d}.png" for t in range(count)), frame_number=np.arange(count) + 1,
        frame_unit=np.arange(count), frame_slot=np.zeros(count, np.int64), frame_size=np.full((count, 2), 100.0),
        node_box=np.tile([0.0, 0.0, 50.0, 50.0], (len(node_frame), 1)), node_class=node_class, node_frame=node_frame,
        node_identity=np.full(len(node_frame), -1), action_class=np.zeros(0, np.int64),
        pair_subject=person[pair_frame], pair_object=obj, pair_frame=pair_frame, labels=labels,
    )  # fmt: skip


def _clip(case: dict[str, Any], boxes: np.ndarray, **columns: Any) -> Clip:
    """boxes (N, 5): frame and box."""
    frames = len(case["video"]["frames"])
    return Clip(
        schema=SCHEMA,
        video_ids=(case["id"],),
        frame_video=torch.zeros(frames, dtype=torch.int64),
        frame_unit=torch.arange(frames),
        frame_slot=torch.zeros(frames, dtype=torch.int64),
        frame_size=torch.tensor([case["video"].get("size", [240, 180])], dtype=torch.float32).repeat(frames, 1),
        node_box=torch.from_numpy(boxes[:, 1:]),
        node_frame=torch.from_numpy(boxes[:, 0]).long(),
        node_identity=torch.full((len(boxes),), -1),
        action_class=torch.zeros(0, dtype=torch.int64),
        **columns,
    )


def _pictures(e: dict[str, Any], frame: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Union features and masks of pairs of boxes."""
    scale = float(e["im_info"])
    rois = torch.cat([frame[:, None].float(), union_boxes(first * scale, second * scale)], 1)
    return roi_align(torch.from_numpy(e["fmaps"]), rois, 7, 1 / 16), union_masks(first, second) - 0.5


def _with_background(distribution: np.ndarray) -> Tensor:
    return torch.cat([torch.zeros(len(distribution), 1), torch.from_numpy(distribution)], 1)


def _hot(rows: list[list[int]], width: int) -> Tensor:
    table = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        table[i, row] = True
    return table
