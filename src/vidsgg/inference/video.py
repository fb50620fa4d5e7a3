"""From the pictures of a user's own video to its graphs, with no more than a window of frames in
memory: detect, track, relate.

Pictures are looked at a few at a time, and things get their ids. Every person is then scored alone
with the things of its frames, all persons of a window in one batch. Every window but the first
begins with frames of the one before, so that a model sees the neighbours of each frame. A frame's
graph comes from the first window that ends behind it.

What whole tracks tell (``inference.whole_tracks``) needs all frames first. A model that reads
pixels relates them on the way; one that reads boxes alone relates the tracks that count, in a
second pass over the boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby, islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from vidsgg.detectors.base import SOURCE_PIXELS_AT_ONCE, FoundBoxes, frames_at_once
from vidsgg.inference.graphs import Moment, frame_graphs
from vidsgg.inference.trackers import OverlapTracker, Tracker
from vidsgg.inference.whole_tracks import settled, settled_so_far
from vidsgg.io.boxes import FrameBoxes, GivenBoxes
from vidsgg.io.footage import FootageFrame
from vidsgg.io.images import Image
from vidsgg.models.layers.subjects import score_apart
from vidsgg.ops.decoding import decode
from vidsgg.ops.pairing import SubjectRule, subject_pairs
from vidsgg.ops.scene_boxes import without_doubles
from vidsgg.structures.box_rules import BoxRules
from vidsgg.structures.checks import Array
from vidsgg.structures.clip import Clip
from vidsgg.structures.graph import GraphFrame, GraphNode
from vidsgg.structures.schema import Schema

Extractor = Callable[[Sequence[Image], Clip], Clip]
Finder = Callable[[Sequence[Image]], FoundBoxes]
Frame = TypeVar("Frame", FootageFrame, GraphFrame)


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
    """A trained model with what it needs."""

    model: nn.Module
    extractor: Extractor | None  # makes of pictures the clips that it is scored on; None if it reads no features
    schema: Schema  # its classes, and the rules by which graphs are made
    mode: str
    device: torch.device
    exclusive: bool = True
    finder: Finder | None = None  # finds the boxes for a model that reads boxes alone
    box_rules: BoxRules = field(default_factory=BoxRules)  # the detector's
    all_subjects: bool = False  # it compares the subjects of a frame, see Capabilities


@dataclass(frozen=True)
class GraphRules:
    """What becomes of probabilities, see frame_graphs. best: the best predicate of each group
    whatever its probability, as published protocols have it."""

    threshold: float = 0.5
    least: float = 0.0
    unsure_above: float | None = None
    best: bool = True


def video_graphs(
    name: str,
    frames: Iterable[FootageFrame],
    scorer: Scorer,
    rules: GraphRules = GraphRules(),
    window: Window = Window(),
    boxes: GivenBoxes | None = None,
    tracker: Tracker | None = None,
    live: bool = False,
) -> Iterator[GraphFrame]:
    """Graphs of all frames in order, with ids of things.

    boxes: those of every frame, for PredCLS and SGCLS; they stay as they are given. tracker: a new
    one, by default one that goes by overlap. live: tracks are judged by what was seen so far, so
    that graphs come as their frames do, a window at a time.
    Raises DataError if the disk has no room for a temporary file.
    """
    tracker = tracker or OverlapTracker()
    schema = scorer.schema
    # Where subjects are things like others, a frame is not about a few of them.
    people = () if schema.mutual else schema.vocabulary.subjects
    settle = partial(settled_so_far if live else settled, rules=scorer.box_rules, subjects=people)

    def look(few: Sequence[FootageFrame]) -> Clip:
        moments = [_moment(frame) for frame in few]
        given = None if boxes is None else [boxes.within(m.number, int(m.width), int(m.height)) for m in moments]
        clip = _clip_of(name, moments, schema, scorer.mode, given).to(scorer.device)
        return clip if scorer.extractor is None else scorer.extractor([frame.image for frame in few], clip)

    if boxes is not None:
        ids = _Ids(None if boxes.tracked else tracker, rules.least)
        return _related(_windows(frames, look, window), scorer, rules, ids)
    if scorer.finder is not None:
        things = settle(_found(frames, scorer.finder, scorer, tracker, window.frames if live else None))
        by_boxes = _windows(things, partial(_clip_of_things, name, scorer), window)
        return _related(by_boxes, scorer, rules, _Ids(None, 0.0))
    return settle(_related(_windows(frames, look, window), scorer, rules, _Ids(tracker, rules.least)))


@torch.inference_mode()
def _related(
    windows: Iterable[tuple[Clip, list[Moment], int]], scorer: Scorer, rules: GraphRules, ids: _Ids
) -> Iterator[GraphFrame]:
    """The graphs of the frames that are new in each window."""
    for clip, moments, repeated in windows:
        logits = scorer.model(clip) if clip.pairs_open or clip.pictures is not None else None
        known = clip if logits is None or logits.clip is None else logits.clip
        known = ids.give(known, moments, repeated)
        if clip.pictures is None:  # else the model has seen whole frames and said everything
            known = known if scorer.all_subjects else ids.acting(known)
            logits = scorer.model(known) if scorer.all_subjects else score_apart(scorer.model, known)
        assert logits is not None
        (prediction,) = decode(known, replace(logits, clip=None), exclusive=scorer.exclusive)
        graphs = frame_graphs(
            prediction,
            moments,
            rules.threshold,
            rules.unsure_above,
            rules.least,
            prediction.node_identity,
            best=rules.best,
        )
        yield from islice(graphs, repeated, None)


@dataclass(eq=False)
class _Ids:
    """Ids of the things of successive windows. tracker: what gives them; None if nodes have theirs.
    least: things of a lower score get none and are no subjects."""

    tracker: Tracker | None
    least: float
    given: dict[int, dict[tuple[float, ...], list[int]]] = field(default_factory=dict)  # by frame number, class and box

    def give(self, clip: Clip, moments: Sequence[Moment], repeated: int) -> Clip:
        """The clip of a window with ids. repeated: frames at its begin that have theirs from the
        window before."""
        if self.tracker is None:
            return clip
        box, klass, score = (column.cpu().numpy() for column in (clip.node_box, clip.node_class, clip.node_score))
        start = np.searchsorted(clip.node_frame.cpu().numpy(), np.arange(len(moments) + 1))
        ident = np.full(len(box), -1, np.int64)
        given: dict[int, dict[tuple[float, ...], list[int]]] = {}
        for f, moment in enumerate(moments):
            rows = start[f] + np.flatnonzero(
                (score >= self.least)[start[f] : start[f + 1]] & (klass > 0)[start[f] : start[f + 1]]
            )
            keys = [(float(klass[row]), *map(float, box[row])) for row in rows]
            if f < repeated:
                known = {key: list(found) for key, found in self.given[moment.number].items()}
                ident[rows] = [known[key].pop(0) if known.get(key) else -1 for key in keys]
            else:
                size = moment.width, moment.height
                ident[rows] = self.tracker.ids(box[rows], klass[rows], score[rows], size, moment.time)
            of_frame = given.setdefault(moment.number, {})
            for key, row in zip(keys, rows, strict=True):
                of_frame.setdefault(key, []).append(int(ident[row]))
        self.given = given
        return replace(clip, node_identity=torch.from_numpy(ident).to(clip.device))

    def acting(self, clip: Clip) -> Clip:
        """The clip without pairs of subjects that have no id."""
        if self.tracker is None:
            return clip
        return clip.related_by(torch.nonzero(clip.node_identity[clip.pair_subject] >= 0).squeeze(1))


def _moment(frame: FootageFrame | GraphFrame) -> Moment:
    if isinstance(frame, GraphFrame):
        return Moment(frame.key, frame.number, frame.time, frame.width, frame.height)
    height, width = frame.image.shape[:2]
    return Moment(frame.key, frame.number, frame.time, float(width), float(height))


def _height_and_width(frame: FootageFrame | GraphFrame) -> tuple[int, int]:
    moment = _moment(frame)
    return int(moment.height), int(moment.width)


def _few(frames: Iterable[FootageFrame], most: int | None) -> Iterator[list[FootageFrame]]:
    """Successive frames of one size, as many as may be held together, and no more than ``most``."""
    for (height, width), alike in groupby(frames, key=lambda frame: frame.image.shape[:2]):
        count = frames_at_once(height, width, SOURCE_PIXELS_AT_ONCE)
        while few := list(islice(alike, count if most is None else min(count, most))):
            yield few


def _found(
    frames: Iterable[FootageFrame], finder: Finder, scorer: Scorer, tracker: Tracker, most: int | None
) -> Iterator[GraphFrame]:
    """The things of every frame with their ids, as graphs without edges."""
    vocabulary, rules = scorer.schema.vocabulary, scorer.box_rules
    subjects = [vocabulary.objects.index(subject) for subject in vocabulary.subjects]
    for few in _few(frames, most):
        found = finder([frame.image for frame in few])
        columns = (column.cpu().numpy() for column in (found.frame, found.box, found.klass, found.score))
        of_frame, box, klass, score = columns
        for f, frame in enumerate(few):
            moment = _moment(frame)
            here = (of_frame == f) & (score >= rules.least_score)
            here &= (box[:, 0] < box[:, 2]) & (box[:, 1] < box[:, 3])
            rows = np.flatnonzero(here)
            rows = rows[without_doubles(box[rows], klass[rows], score[rows], np.isin(klass[rows], subjects))]
            size = moment.width, moment.height
            ident = tracker.ids(box[rows], klass[rows], score[rows], size, moment.time)
            nodes = tuple(
                _thing(vocabulary.objects[klass[row]], box[row], score[row], track)
                for row, track in zip(rows, ident, strict=True)
            )
            yield GraphFrame(moment.key, moment.number, moment.time, *size, nodes, ())


def _thing(label: str, box: Array, score: float, track: int) -> GraphNode:
    x1, y1, x2, y2 = (round(float(side), 3) for side in box)
    return GraphNode(label, min(1.0, round(float(score), 6)), (x1, y1, x2, y2), int(track))


def _clip_of_things(name: str, scorer: Scorer, few: Sequence[GraphFrame]) -> Clip:
    """Frames of things as a clip for a model that reads boxes alone."""
    objects = {label: i for i, label in enumerate(scorer.schema.vocabulary.objects)}
    given = [_boxes_of(frame, objects) for frame in few]
    clip = _clip_of(name, [_moment(frame) for frame in few], scorer.schema, "predcls", given)
    score = torch.cat([torch.from_numpy(boxes.score) for boxes in given])
    return replace(clip, node_score=score).to(scorer.device)


def _boxes_of(frame: GraphFrame, objects: dict[str, int]) -> FrameBoxes:
    return FrameBoxes(
        frame.key,
        np.array([node.box for node in frame.nodes], np.float32).reshape(-1, 4),
        np.array([objects[node.label] for node in frame.nodes], np.int64),
        np.array([node.score for node in frame.nodes], np.float32),
        np.array([node.track for node in frame.nodes], np.int64),
    )


def _clip_of(name: str, few: Sequence[Moment], schema: Schema, mode: str, given: Sequence[FrameBoxes] | None) -> Clip:
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
        frame_size=torch.tensor([(frame.width, frame.height) for frame in few], dtype=torch.float32),
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
    frames: Iterable[Frame], look: Callable[[Sequence[Frame]], Clip], window: Window
) -> Iterator[tuple[Clip, list[Moment], int]]:
    """Overlapping clips of a video, with the number of frames that the one before had already.

    look: makes the clip of a few frames, which have one size: a detector fills smaller ones up, and
    that reaches into their features. No more frames are read than the window still lacks.
    """
    held: list[Clip] = []
    moments: list[Moment] = []
    repeated = 0
    for (height, width), alike in groupby(frames, key=_height_and_width):
        at_once = frames_at_once(height, width, SOURCE_PIXELS_AT_ONCE)
        while few := list(islice(alike, min(at_once, window.frames + repeated - len(moments)))):
            held.append(look(few))
            moments += [_moment(frame) for frame in few]
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
