"""From the pictures of a user's own video to its graphs, with no more than a window of frames in
memory.

Pictures are looked at a few at a time; what the detector gives is kept until a window is full, and
every window but the first begins with frames of the one before, so that a model sees the neighbours
of each frame. A frame's graph comes from the first window that ends behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice

import torch
from torch import Tensor, nn

from vidsgg.detectors.base import SOURCE_PIXELS_AT_ONCE, frames_at_once
from vidsgg.inference.graphs import Moment, frame_graphs, with_tracks
from vidsgg.inference.trackers import Tracker
from vidsgg.io.boxes import FrameBoxes, GivenBoxes
from vidsgg.io.footage import FootageFrame
from vidsgg.io.images import Image
from vidsgg.ops.decoding import decode
from vidsgg.ops.pairing import SubjectRule, subject_pairs
from vidsgg.structures.clip import Clip
from vidsgg.structures.graph import GraphFrame
from vidsgg.structures.schema import Schema

Extractor = Callable[[Sequence[Image], Clip], Clip]


@dataclass(frozen=True)
class Window:
    """How a video is cut into pieces that a model looks at.

    A model that looks at n successive frames gives the same in windows as in one piece if
    ``overlap`` is n - 1 or more. A frame's graph comes at the latest when ``frames - 1`` further
    frames have been read.
    """

    frames: int = 48  # that are new in a window, at most
    overlap: int = 16  # that are repeated from the one before; where memory is full, at most as many as were new
    memory: int = 2**30  # bytes of features that end a window earlier, at two new frames or more


@dataclass(frozen=True, eq=False)
class Scorer:
    """A trained model with what it needs. extractor: makes of pictures the clips that it is scored
    on; None if it reads no features."""

    model: nn.Module
    extractor: Extractor | None
    schema: Schema
    mode: str
    device: torch.device
    exclusive: bool = True


@dataclass(frozen=True)
class GraphRules:
    """What becomes of probabilities, see frame_graphs."""

    threshold: float = 0.5
    least: float = 0.0
    unsure_above: float | None = None


def video_graphs(
    name: str,
    frames: Iterable[FootageFrame],
    scorer: Scorer,
    rules: GraphRules = GraphRules(),
    window: Window = Window(),
    boxes: GivenBoxes | None = None,
    tracker: Tracker | None = None,
) -> Iterator[GraphFrame]:
    """Graphs of all frames in order, with tracks. boxes: those of every frame, for PredCLS and
    SGCLS. tracker: see with_tracks."""
    graphs = _untracked(name, frames, scorer, rules, window, boxes)
    return graphs if boxes is not None and boxes.tracked else with_tracks(graphs, tracker)


@torch.inference_mode()
def _untracked(
    name: str,
    frames: Iterable[FootageFrame],
    scorer: Scorer,
    rules: GraphRules,
    window: Window,
    boxes: GivenBoxes | None,
) -> Iterator[GraphFrame]:
    """As video_graphs; the only tracks are those that came with the boxes."""

    def look(few: Sequence[FootageFrame]) -> Clip:
        height, width = few[0].image.shape[:2]
        given = None if boxes is None else [boxes.within(frame.number, width, height) for frame in few]
        clip = _clip_of(name, few, scorer.schema, scorer.mode, given).to(scorer.device)
        return clip if scorer.extractor is None else scorer.extractor([frame.image for frame in few], clip)

    for clip, moments, repeated in _windows(frames, look, window):
        (prediction,) = decode(clip, scorer.model(clip.to(scorer.device)), exclusive=scorer.exclusive)
        track = prediction.node_identity if boxes is not None else None
        graphs = frame_graphs(prediction, moments, rules.threshold, rules.unsure_above, rules.least, track)
        yield from islice(graphs, repeated, None)


def _clip_of(
    name: str, few: Sequence[FootageFrame], schema: Schema, mode: str, given: Sequence[FrameBoxes] | None
) -> Clip:
    """Frames of one video with their given boxes or none. In PredCLS pairs follow from their
    classes."""
    frames, none = len(few), torch.zeros(0, dtype=torch.int64)
    box, klass, score, track, node_frame = torch.zeros(0, 4), none, torch.zeros(0), none, none
    if given is not None:
        columns = zip(*((found.box, found.klass, found.score, found.track) for found in given), strict=True)
        box, klass, score, track = (torch.cat([torch.from_numpy(array) for array in column]) for column in columns)
        node_frame = torch.repeat_interleave(torch.arange(frames), torch.tensor([len(found.box) for found in given]))
    subject, obj = none, none
    if mode == "predcls":
        subject, obj = subject_pairs(node_frame, klass, score, SubjectRule.of(schema), box)
    return Clip(
        schema=schema,
        video_ids=(name,),
        frame_video=torch.zeros(frames, dtype=torch.int64),
        frame_unit=torch.arange(frames),
        frame_slot=torch.zeros(frames, dtype=torch.int64),
        frame_size=torch.tensor([frame.image.shape[1::-1] for frame in few], dtype=torch.float32),
        frame_number=torch.tensor([frame.number for frame in few]),
        node_box=box,
        node_class=klass if mode == "predcls" else torch.full_like(klass, -1),
        node_score=torch.ones_like(score),
        node_frame=node_frame,
        node_identity=track,
        action_class=none,
        pair_subject=subject,
        pair_object=obj,
        pair_frame=node_frame[obj],
        classes_given=mode == "predcls",
    )


def _windows(
    frames: Iterable[FootageFrame], look: Callable[[Sequence[FootageFrame]], Clip], window: Window
) -> Iterator[tuple[Clip, list[Moment], int]]:
    """Overlapping clips of a video, with the number of frames that the one before had already.

    look: makes the clip of a few frames, which have one size: a detector fills smaller ones up, and
    that reaches into their features. No more frames are read than the window still lacks.
    """
    held: list[Clip] = []
    moments: list[Moment] = []
    repeated = 0
    for (height, width), alike in groupby(frames, key=lambda frame: frame.image.shape[:2]):
        at_once = frames_at_once(height, width, SOURCE_PIXELS_AT_ONCE)
        while few := list(islice(alike, min(at_once, window.frames + repeated - len(moments)))):
            held.append(look(few))
            moments += [Moment(frame.key, frame.number, frame.time, float(width), float(height)) for frame in few]
            new, full = len(moments) - repeated, sum(map(_size_of, held)) >= window.memory
            if new >= window.frames or (new >= 2 and full):
                clip = _one_video(held)
                yield clip, moments, repeated
                repeated = min(window.overlap, new if full else len(moments))
                first = len(moments) - repeated
                held = [clip.between(first, len(moments))] if repeated else []
                moments = moments[first:]
    if len(moments) > repeated:
        yield _one_video(held), moments, repeated


def _one_video(parts: Sequence[Clip]) -> Clip:
    """Successive clips of one video as one: put together, each would count as a video of its
    own."""
    clip = Clip.cat(parts)
    return replace(clip, video_ids=clip.video_ids[:1], frame_video=torch.zeros_like(clip.frame_video))


def _size_of(clip: Clip) -> int:
    columns: list[Tensor | None] = [clip.node_feature, clip.pair_union, clip.pair_mask, *(clip.pictures or ())]
    return sum(column.numel() * column.element_size() for column in columns if column is not None)
