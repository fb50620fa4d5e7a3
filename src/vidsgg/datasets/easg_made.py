"""EASG's feature files made here, from the clips' videos: in the form of the authors' files, beside a
note that tells their widths and what made them.

The features are those of another detector than the authors', and those of actions are no SlowFast
features: the numbers that they lead to cannot be compared with published ones (docs/easg.md).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidsgg.datasets.easg import EASG, MIN_SIDE
from vidsgg.datasets.easg_features import FEATURE_FILES, MADE, MadeFeatures
from vidsgg.datasets.easg_files import SLOTS, clip_name
from vidsgg.datasets.easg_layout import find_layout
from vidsgg.datasets.feature_writer import DescribedVideo, FeatureWriter
from vidsgg.errors import ConfigError
from vidsgg.io.atomic import whole_file, whole_path
from vidsgg.io.footage import VIDEOS
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location, RemotePath
from vidsgg.ops.boxes import xywh_to_xyxy
from vidsgg.structures.checks import Array


class EasgFeatureWriter(FeatureWriter):
    """Features of the boxes and graphs of some splits.

    folder: None for the place of the annotations. Key frame n of a clip is picture n + 1 of its
    video: the files count from 0. An event's pictures run from its precondition to its
    postcondition. Raises ConfigError if a clip has no video, and for a place in object storage: the
    features of single videos are kept there until all are done.
    """

    def __init__(self, root: Location, splits: Sequence[EASG], videos: Location, folder: Path | None) -> None:
        place = folder or find_layout(root).annotations
        if isinstance(place, RemotePath):
            raise ConfigError(
                f"option -out: feature files are made on this machine, not in {place}; name a folder here, and copy its"
                " files beside the pickles when they are done."
            )
        self.folder, self.splits, listing = place, splits, Listing()
        self.videos = [
            _described(split, clip, _video_of(videos, clip, listing)) for split in splits for clip in split.video_ids
        ]

    def check(self, made_by: Mapping[str, Any]) -> None:
        made = MadeFeatures.beside(self.folder)
        for name in {name for split in self.splits for name in FEATURE_FILES[split.split].values()}:
            path = self.folder / name
            if path.exists() and (made is None or name not in made.widths):
                raise ConfigError(
                    f"{path} is there and was not made by vidsgg; name another folder with -out, or move the file away."
                )
        if made is not None and made.made_by != made_by and self._leaves(made):
            raise ConfigError(
                f"{self.folder / MADE}: the features there were made otherwise; make those of both splits"
                " (-split all), or name another folder with -out."
            )

    def complete(self, made_by: Mapping[str, Any], sources: Mapping[str, str]) -> bool:
        made = MadeFeatures.beside(self.folder)
        files = {name for split in self.splits for name in FEATURE_FILES[split.split].values()}
        return (
            made is not None
            and made.made_by == made_by
            and files <= set(made.widths)
            and all((self.folder / name).is_file() for name in files)
            and sources.items() <= made.sources.items()
        )

    def finish(
        self,
        features: Mapping[str, tuple[Array, Array]],
        made_by: Mapping[str, Any],
        sources: Mapping[str, str],
    ) -> list[Path]:
        import torch

        self.folder.mkdir(parents=True, exist_ok=True)
        made = MadeFeatures.beside(self.folder)
        kept = made is not None and made.made_by == made_by
        widths, of_videos = (dict(made.widths), dict(made.sources)) if made is not None and kept else ({}, {})
        actions: dict[str, Any] = {}
        verb_file = self.folder / FEATURE_FILES["train"]["action"]
        if kept and verb_file.exists():
            from vidsgg.io.tensors import load_tensors

            actions = dict(load_tensors(verb_file))
        written = []
        for split in self.splits:
            boxes, of_actions = _by_annotation(split, features)
            actions |= {aid: torch.from_numpy(row) for aid, row in of_actions.items()}
            path = self.folder / FEATURE_FILES[split.split]["object"]
            with whole_file(path) as file:
                pickle.dump(boxes, file, protocol=4)
            written.append(path)
        with whole_path(verb_file) as temporary:
            torch.save(actions, temporary)
        written.append(verb_file)
        region, event = next(iter(features.values()))
        widths |= {path.name: region.shape[1] for path in written[:-1]} | {verb_file.name: event.shape[1]}
        of_videos |= {name: sources[name] for name in features}
        return [*written, MadeFeatures(widths, dict(made_by), of_videos).write(self.folder)]

    def _leaves(self, made: MadeFeatures) -> bool:
        """Whether files of another split stay beside the new ones."""
        mine = {name for split in self.splits for name in FEATURE_FILES[split.split].values()}
        return bool(set(made.widths) - mine)


def _video_of(folder: Location, clip: str, listing: Listing) -> Location:
    there = listing.first_file(folder, [f"{clip}{suffix}" for suffix in sorted(VIDEOS)])
    if there is None:
        raise ConfigError(f"option -videos_path: {folder} has no video of clip {clip} ({clip}.mp4 or another format).")
    return there


def _rows_of(split: EASG, clip: str) -> tuple[Array, Array]:
    """Boxes of a clip by their index in the split's merged graphs, in the order of the file; its
    graphs likewise."""
    merged = split.merged
    of_clip = np.array([clip_name(uid) == clip for uid in merged.graph_uid])
    return np.flatnonzero(of_clip[merged.object_graph[merged.box_object]]), np.flatnonzero(of_clip)


def _described(split: EASG, clip: str, file: Location) -> DescribedVideo:
    merged = split.merged
    rows, graphs = _rows_of(split, clip)
    graph = merged.object_graph[merged.box_object[rows]]
    xyxy = xywh_to_xyxy(merged.boxes[rows]).clip(0, 1)
    low = np.minimum(xyxy[:, :2], np.float32(1 - MIN_SIDE))
    box = np.concatenate([low, np.maximum(xyxy[:, 2:], low + np.float32(MIN_SIDE))], axis=1)
    key_frames = merged.frame_number[graphs]
    return DescribedVideo(
        name=f"{split.split}_{clip}",
        file=file,
        box=box.astype(np.float32),
        box_picture=merged.frame_number[graph, merged.box_slot[rows]] + 1,
        event_pictures=np.stack([key_frames.min(1), key_frames.max(1)], axis=1) + 1,
    )


def _by_annotation(
    split: EASG, features: Mapping[str, tuple[Array, Array]]
) -> tuple[dict[str, dict[str, list[dict[str, Array]]]], dict[str, Array]]:
    """Features in the authors' form: of boxes by graph, annotation, entry and key frame; of actions
    by annotation. Clips without features are left out."""
    merged = split.merged
    boxes: dict[str, dict[str, list[dict[str, Array]]]] = {}
    actions: dict[str, Array] = {}
    for clip in split.video_ids:
        if f"{split.split}_{clip}" not in features:
            continue
        regions, events = features[f"{split.split}_{clip}"]
        rows, graphs = _rows_of(split, clip)
        place = {merged.graph_uid[graph]: i for i, graph in enumerate(graphs.tolist())}
        cell = merged.box_entry[rows] * len(SLOTS) + merged.box_slot[rows]
        starts = np.flatnonzero(np.diff(cell, prepend=-1))
        for begin, end in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
            uid, aid, entry = merged.entry_key[merged.box_entry[rows[begin]]]
            entries = boxes.setdefault(uid, {}).setdefault(aid, [])
            entries.extend({} for _ in range(entry + 1 - len(entries)))
            entries[entry][SLOTS[merged.box_slot[rows[begin]]]] = np.ascontiguousarray(regions[begin:end])
            actions[aid] = np.array(events[place[uid]])
    return boxes, actions
