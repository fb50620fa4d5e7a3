"""Blocks: robots and children push coloured things about. Pictures lie in folders, annotations in
one JSON file.

``blocks.json``::

    {"videos": [{"name": "v0", "split": "train", "width": 96, "height": 64, "frames": [
        {"picture": "v0/1.png",
         "things": [{"klass": "robot", "box": [4, 8, 20, 24], "id": 0}, ...],
         "relations": [{"subject": 0, "object": 2, "distance": "near", "side": ["left_of"]}, ...]}]}]}

A box is x1, y1, x2, y2 in pixels. "subject" and "object" are positions among the things of the
frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from vidsgg.extend import (
    BACKGROUND,
    ConfigError,
    DataError,
    DatasetFormat,
    FrameSource,
    Image,
    PredicateGroup,
    Schema,
    VideoAnnotation,
    VideoDataset,
    Vocabulary,
    read_image,
    read_json,
)

FILE = "blocks.json"
DISTANCES, SIDES = ("near", "far"), ("left_of", "right_of", "above", "below")
SCHEMA = Schema(
    name="blocks",
    title="Blocks",
    vocabulary=Vocabulary(
        objects=(BACKGROUND, "robot", "child", "cube", "ball"),
        subjects=("robot", "child"),  # both are in every frame: two subjects, of two classes
        groups=(PredicateGroup("distance", DISTANCES, kind="single"), PredicateGroup("side", SIDES, kind="multi")),
    ),
    subject_kind="entity",
    subject_given=("predcls",),
    mutual=False,  # what a robot and a child have to do with each other is not annotated
)


@dataclass(frozen=True)
class _Thing:
    klass: Literal["robot", "child", "cube", "ball"]
    box: tuple[float, float, float, float]
    id: int


@dataclass(frozen=True)
class _Relation:
    subject: int
    object: int
    distance: Literal["near", "far"]
    side: tuple[Literal["left_of", "right_of", "above", "below"], ...]


@dataclass(frozen=True)
class _Frame:
    picture: str
    things: tuple[_Thing, ...]
    relations: tuple[_Relation, ...]


@dataclass(frozen=True)
class _Video:
    name: str
    split: Literal["train", "test"]
    width: int
    height: int
    frames: tuple[_Frame, ...]


@dataclass(frozen=True)
class _File:
    videos: tuple[_Video, ...]


class Blocks(VideoDataset):
    schema = SCHEMA

    def __init__(self, root: Path, split: str, mode: str) -> None:
        """Raises ConfigError for an unknown split or mode, DataError naming the file and the place
        in it that is wrong."""
        if split not in ("train", "test") or mode not in SCHEMA.modes:
            raise ConfigError(
                f"Blocks has the splits train and test and the modes {', '.join(SCHEMA.modes)}, not {split!r} and"
                f" {mode!r}."
            )
        self.root, self.split = root, split
        self._videos = [video for video in read_json(root / FILE, _File, most=10**9).videos if video.split == split]
        self.video_ids = [video.name for video in self._videos]
        if not self.video_ids:
            raise DataError(f"{root / FILE}: has no video of split {split!r}.")

    def annotation(self, index: int) -> VideoAnnotation:
        video = self._videos[index]
        start = np.cumsum([0, *(len(frame.things) for frame in video.frames)])  # where the things of a frame begin
        things = [thing for frame in video.frames for thing in frame.things]
        relations = [(f, relation) for f, frame in enumerate(video.frames) for relation in frame.relations]
        frames = np.arange(len(video.frames))
        return VideoAnnotation(
            schema=SCHEMA,
            video_id=video.name,
            source_id=video.name,
            split=self.split,
            fps=None,
            frame_key=tuple(frame.picture for frame in video.frames),
            frame_number=frames + 1,
            frame_unit=frames,
            frame_slot=np.zeros(len(frames)),
            frame_size=np.array([[video.width, video.height]] * len(frames)),
            node_box=np.array([thing.box for thing in things]).reshape(-1, 4),
            node_class=np.array([SCHEMA.vocabulary.objects.index(thing.klass) for thing in things]),
            node_frame=np.repeat(frames, np.diff(start)),
            node_identity=np.array([thing.id for thing in things]),
            action_class=np.zeros(0),
            pair_subject=np.array([start[f] + relation.subject for f, relation in relations]),
            pair_object=np.array([start[f] + relation.object for f, relation in relations]),
            pair_frame=np.array([f for f, _ in relations]),
            labels={
                "distance": np.array([[relation.distance == name for name in DISTANCES] for _, relation in relations]),
                "side": np.array([[name in relation.side for name in SIDES] for _, relation in relations]),
            },
        )

    def frame_sources(self, index: int, frames: Sequence[int] | None = None) -> list[FrameSource]:
        pictures = [self.root / frame.picture for frame in self._videos[index].frames]
        return [
            FrameSource(pictures[f], there=pictures[f].is_file())
            for f in (range(len(pictures)) if frames is None else frames)
        ]

    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        return [read_image(source.file) for source in self.frame_sources(index, frames)]


class BlocksFormat(DatasetFormat):
    name = "blocks"
    title = "Blocks"
    marks = (FILE,)

    def recognises(self, folder: Path) -> bool:
        return (folder / FILE).is_file()

    def open(self, folder: Path, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        return Blocks(folder, split, mode)


FORMAT = BlocksFormat()
