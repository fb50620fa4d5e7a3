"""VidVRD and VidOR: trajectories of things, and relation instances with their first frame and the
frame after their last.

Source: the annotation formats of ImageNet-VidVRD (Shang et al., ACM MM 2017) and VidOR (Shang et
al., ICMR 2019), and what their loaders ask for (xdshang/VidVRD-helper, dataset/): VidVRD's refuses
an entry ``version``, VidOR's refuses files without it and finds a video's annotations again by its
``video_path``, with .json in place of .mp4. Frames count from 0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from vidsgg.errors import DataError
from vidsgg.io.exporters.formats import VIDOR_GROUP
from vidsgg.io.exporters.tracks import Track, tracks_of
from vidsgg.io.footage import VIDEOS
from vidsgg.io.names import file_name
from vidsgg.structures.graph import Box, RelationInterval, VideoGraph
from vidsgg.structures.instances import RelationInstance


def vidvrd(graph: VideoGraph) -> bytes:
    """One video for VidVRD's loader. Boxes between two sightings of a thing lie on the line between
    them and are marked ``generated``.

    Boxes are whole pixels inside the picture. Relation instances have a ``score`` besides. Raises
    DataError if the graph has no frame, or nodes without tracks.
    """
    return json.dumps(_document(graph), ensure_ascii=False).encode()


def vidor(graph: VideoGraph) -> bytes:
    """The same for VidOR's loader, which looks for the file at
    ``VIDOR_GROUP``/``short_id``.json."""
    document = _document(graph)
    for frame in document["trajectories"]:
        for entry in frame:
            entry["tracker"] = "linear" if entry["generated"] else "none"
    return json.dumps(
        {"version": "VERSION 1.0", "video_path": f"{VIDOR_GROUP}/{short_id(graph)}.mp4", **document}, ensure_ascii=False
    ).encode()


def vidvrd_results(graphs: Sequence[VideoGraph]) -> bytes:
    """Predictions of all videos as VidVRD-helper's ``evaluate.py`` reads them: ``results`` by video
    id, each relation with its triplet, score, duration [first frame, end), and a box of its subject
    and of its object in every frame of it. Raises DataError as ``vidvrd``.
    """
    results = {
        short_id(graph): [
            {
                "triplet": list(instance.triplet),
                "score": instance.score,
                "duration": [instance.begin, instance.end],
                "sub_traj": instance.subject_box.tolist(),
                "obj_traj": instance.object_box.tolist(),
            }
            for instance in graph_instances(graph)
        ]
        for graph in graphs
    }
    document = {"version": "VERSION 1.0", "results": results, "external_data": {"used": False, "details": ""}}
    return json.dumps(document, ensure_ascii=False).encode()


def graph_instances(graph: VideoGraph) -> list[RelationInstance]:
    """The relations over time of a graph, best first, with the boxes of their things; frames count
    from 0, boxes are whole, inclusive pixels. The score is that of the relation times the mean
    scores of its two tracks. Raises DataError if nodes have no tracks."""
    tracks = {track.ident: track for track in tracks_of(graph)}
    paths: dict[int, dict[int, list[int]]] = {}

    def path(ident: int) -> dict[int, list[int]]:
        if ident not in paths:
            paths[ident] = {number: list(box.values()) for number, box, _ in _every_frame(graph, tracks[ident])}
        return paths[ident]

    found = []
    for relation in graph.relations:
        for entry in _instance(graph, relation, tracks):
            ends = entry["subject_tid"], entry["object_tid"]
            subject, obj = ([path(end)[n] for n in range(entry["begin_fid"] + 1, entry["end_fid"] + 1)] for end in ends)
            score = relation.score * math.prod(sum(tracks[e].scores) / len(tracks[e].scores) for e in ends)
            triplet = (relation.subject, relation.predicate, relation.object)
            found.append(
                RelationInstance(
                    triplet, entry["begin_fid"], entry["end_fid"], np.array(subject), np.array(obj), round(score, 6)
                )
            )
    return sorted(found, key=lambda instance: -instance.score)


def short_id(graph: VideoGraph) -> str:
    """What a video is called in these data sets, and so its file: its name without the suffix."""
    name = graph.video_id
    suffix = PurePosixPath(name).suffix
    return file_name(name.removesuffix(suffix) if suffix.lower() in VIDEOS else name)


def _document(graph: VideoGraph) -> dict[str, Any]:
    if not graph.frames:
        raise DataError(f"video {graph.video_id!r} has no frame.")
    tracks = {track.ident: track for track in tracks_of(graph)}
    last = graph.frames[-1].number
    count = max(last, graph.video.frame_count) if graph.video else last
    trajectories: list[list[dict[str, Any]]] = [[] for _ in range(count)]
    for track in tracks.values():
        for number, box, generated in _every_frame(graph, track):
            trajectories[number - 1].append({"tid": track.ident, "bbox": box, "generated": generated})
    return {
        "video_id": short_id(graph),
        "frame_count": count,
        "fps": _rate(graph),
        "width": round(graph.frames[0].width),
        "height": round(graph.frames[0].height),
        "subject/objects": [{"tid": track.ident, "category": track.label} for track in tracks.values()],
        "trajectories": trajectories,
        "relation_instances": [
            instance for relation in graph.relations for instance in _instance(graph, relation, tracks)
        ],
    }


def _instance(graph: VideoGraph, relation: RelationInterval, tracks: dict[int, Track]) -> Iterator[dict[str, Any]]:
    """The relation where both its things have boxes: the loaders look these up in every frame of
    it."""
    ends = [
        [graph.frames[i].number for i in tracks[end].frames]
        for end in (relation.subject_track, relation.object_track)
        if end in tracks
    ]
    begin = max(relation.begin_frame, *(numbers[0] for numbers in ends)) if ends else 0
    end = min(relation.end_frame, *(numbers[-1] for numbers in ends)) if ends else -1
    if len(ends) == 2 and begin <= end:
        yield {
            "subject_tid": relation.subject_track,
            "object_tid": relation.object_track,
            "predicate": relation.predicate,
            "begin_fid": begin - 1,
            "end_fid": end,
            "score": relation.score,
        }


def _every_frame(graph: VideoGraph, track: Track) -> Iterator[tuple[int, dict[str, int], int]]:
    """Number of the frame, box, and 1 where it was not seen, from the first to the last
    sighting."""
    frames = [graph.frames[i] for i in track.frames]
    for (one, first), (other, second) in pairwise(zip(frames, track.boxes, strict=True)):
        yield one.number, _pixels(first, one.width, one.height), 0
        for number in range(one.number + 1, other.number):
            part = (number - one.number) / (other.number - one.number)
            x1, y1, x2, y2 = ((1 - part) * a + part * b for a, b in zip(first, second, strict=True))
            yield number, _pixels((x1, y1, x2, y2), one.width, one.height), 1
    yield frames[-1].number, _pixels(track.boxes[-1], frames[-1].width, frames[-1].height), 0


def _pixels(box: Box, width: float, height: float) -> dict[str, int]:
    """Whole pixels from 0 that lie in the picture."""
    limits = (width, height, width, height)
    return {
        name: round(min(max(value, 0), limit - 1))
        for name, value, limit in zip(("xmin", "ymin", "xmax", "ymax"), box, limits, strict=True)
    }


def _rate(graph: VideoGraph) -> float | None:
    """Frames a second of the video: as it says, else from the times of the graph's first and last
    frame."""
    if graph.video and graph.video.fps is not None:
        return graph.video.fps
    first, last = graph.frames[0], graph.frames[-1]
    if first.time is None or last.time is None or last.time <= first.time:
        return None
    return round((last.number - first.number) / (last.time - first.time), 3)
