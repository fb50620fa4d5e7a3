"""Which of Action Genome's annotations are kept, and how they become a table of annotations.

The rules are those of yrcong/STTran ``dataloader/action_genome.py``, which published results rest
on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from vidsgg.datasets.action_genome_files import SPLITS, Records
from vidsgg.errors import counted
from vidsgg.io.columns import AnnotationTable, Texts, ragged_rows
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Schema


@dataclass(frozen=True)
class Summary:
    """What was kept of a split and what was left out.

    The first five are the numbers that the reference prints, under its names: ``valid_frames``
    includes the frames of videos that are too short, and ``videos_no_person`` counts every video
    that lost all its frames and also the two-frame videos.
    """

    videos: int
    valid_frames: int
    videos_no_person: int
    videos_one_frame: int
    frames_no_person: int
    frames: int
    pairs: int
    videos_empty: int
    videos_two_frames: int
    frames_nothing_visible: int
    objects_small: int
    skipped: Mapping[str, int] = field(default_factory=dict)

    def text(self) -> str:
        """The counters as a few lines."""
        lines = [
            f"{counted(self.videos, 'video')} with {counted(self.frames, 'frame')} and {counted(self.pairs, 'pair')}",
            f"{self.valid_frames} valid frames, those of videos left out as too short included",
            (
                f"{counted(self.videos_no_person, 'video')} left out as without person: {self.videos_empty} without any valid"
                f" frame, {self.videos_two_frames} with two frames (the reference counts them here)"
            ),
            f"{counted(self.videos_one_frame, 'video')} left out with only one frame",
            f"{counted(self.frames_no_person, 'frame')} left out without a person box",
            f"{counted(self.frames_nothing_visible, 'frame')} left out without a visible object",
            f"{counted(self.objects_small, 'object')} left out with a side under 16 pixels",
        ]
        return "\n".join([*lines, *(f"{count} skipped: {problem}" for problem, count in self.skipped.items())])


def select(
    records: Records, split: str, schema: Schema, *, drop_small: bool, skipped: Mapping[str, int]
) -> tuple[Summary, AnnotationTable]:
    """Apply the reference's rules to all entries of a split. Everything runs over whole columns."""
    column, frames = records.columns, len(records.key)
    length = np.diff(records.start)
    mine = (column["split"] == SPLITS.index(split)) & (column["frame_problem"] == 0)
    usable = column["visible"] & (column["object_problem"] == 0)
    small = usable & column["small"] & drop_small
    keep_object = usable & ~small
    frame_of = np.repeat(np.arange(frames), length)
    objects = np.bincount(frame_of[keep_object], minlength=frames)

    seen = mine & (objects > 0)
    valid = seen & column["person"]
    video, videos = column["video"], len(records.video)
    rest = np.bincount(video[valid], minlength=videos)  # frames of each video that remain
    names, first = np.unique(video[seen], return_index=True)
    kept = names[np.argsort(first)]  # videos in the order in which the reference meets a frame of them
    kept = kept[rest[kept] > 2]
    rank = np.full(videos, -1)
    rank[kept] = np.arange(len(kept))

    rows = np.flatnonzero(valid & (rank[video] >= 0))
    rows = rows[np.argsort(rank[video[rows]], kind="stable")]
    object_rows = ragged_rows(records.start[rows], length[rows])
    object_rows = object_rows[keep_object[object_rows]]
    table = _table(records, split, schema, kept, rows, object_rows, objects[rows], rest[kept])
    summary = Summary(
        videos=len(kept),
        valid_frames=int(valid.sum()),
        videos_no_person=int(np.isin(rest[names], (0, 2)).sum()),
        videos_one_frame=int((rest[names] == 1).sum()),
        frames_no_person=int((seen & ~column["person"]).sum()),
        frames=len(rows),
        pairs=len(object_rows),
        videos_empty=int((rest[names] == 0).sum()),
        videos_two_frames=int((rest[names] == 2).sum()),
        frames_nothing_visible=int((mine & (objects == 0)).sum()),
        objects_small=int((small & mine[frame_of]).sum()),
        skipped=dict(skipped),
    )
    return summary, table


def _table(
    records: Records,
    split: str,
    schema: Schema,
    videos: Array,
    rows: Array,
    object_rows: Array,
    objects: Array,
    frames: Array,
) -> AnnotationTable:
    """Columns of the kept entries. rows (F): frames, ordered by video; object_rows (P): objects,
    ordered by frame; objects (F): how many each frame has; frames (V): how many frames each video
    has."""
    column = records.columns
    frame_start = np.concatenate([[0], np.cumsum(frames)])
    frame = np.arange(len(rows)) - np.repeat(frame_start[:-1], frames)  # counted inside the video
    node_end = np.cumsum(objects + 1)
    person = node_end - (objects + 1)  # the node rows of the persons
    nodes = int(node_end[-1]) if len(rows) else 0
    is_person = np.zeros(nodes, np.bool_)
    is_person[person] = True
    thing = np.flatnonzero(~is_person)

    box = np.empty((nodes, 4), np.float32)
    box[person], box[thing] = column["person_box"][rows], column["box"][object_rows]
    klass = np.full(nodes, schema.vocabulary.objects.index(schema.vocabulary.subjects[0]), np.uint8)
    klass[thing] = column["class"][object_rows]

    node_start = np.concatenate([[0], node_end])[frame_start]
    pair_start = np.concatenate([[0], np.cumsum(objects)])[frame_start]
    base = np.repeat(node_start[:-1], np.diff(pair_start))  # first node of the pair's video
    bits = column["predicates"][object_rows]
    name = records.video.take(videos)
    return AnnotationTable(
        schema=schema,
        video_id=name,
        source_id=name,
        split=Texts.of([split] * len(videos)),
        fps=np.full(len(videos), np.nan),
        frame_key=records.key.take(rows),
        columns={
            "frame_number": column["number"][rows],
            "frame_unit": frame,
            "frame_slot": np.zeros(len(rows), np.uint8),
            "frame_size": column["size"][rows],
            "node_box": box,
            "node_class": klass,
            "node_frame": np.repeat(frame, objects + 1),
            "node_identity": np.full(nodes, -1, np.int8),
            "action_class": np.zeros(0, np.int64),
            "pair_subject": np.repeat(person, objects) - base,
            "pair_object": thing - base,
            "pair_frame": np.repeat(frame, objects),
        },
        labels={
            group.name: (bits[:, None] >> np.arange(offset, offset + len(group), dtype=np.uint32) & 1).astype(np.bool_)
            for group, offset in ((group, schema.vocabulary.offsets[group.name]) for group in schema.vocabulary.groups)
        },
        start={
            "frame": frame_start,
            "node": node_start,
            "action": np.zeros(len(videos) + 1, np.int64),
            "pair": pair_start,
        },
    )
