"""VidVRD and VidOR: trajectories of things, and relation instances with their first frame and the frame after their last.

Source: the annotation format of ImageNet-VidVRD (Shang et al., ACM MM 2017) and VidOR (Shang et al., ICMR 2019); frames from 0.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from vidsgg.errors import DataError
from vidsgg.io.exporters.tracks import Track, tracks_of
from vidsgg.structures.graph import Box, VideoGraph


def vidvrd(graph: VideoGraph) -> bytes:
    """One video. Boxes between two sightings of a thing lie on the line between them and are marked ``generated``, as VidOR's are.

    Every relation instance has a ``score`` besides. Raises DataError if the graph has no frame, or nodes without tracks.
    """
    if not graph.frames:
        raise DataError(f"video {graph.video_id!r} has no frame.")
    tracks = tracks_of(graph)
    last = graph.frames[-1].number
    trajectories: list[list[dict[str, Any]]] = [[] for _ in range(last)]
    for track in tracks:
        for number, box, generated in _every_frame(graph, track):
            place = dict(zip(("xmin", "ymin", "xmax", "ymax"), (round(value) for value in box), strict=True))
            trajectories[number - 1].append({"tid": track.ident, "bbox": place, "generated": generated, "tracker": "vidsgg"})
    document = {
        "version": "VERSION 1.0",
        "video_id": graph.video_id,
        "frame_count": last,
        "fps": _rate(graph),
        "width": round(graph.frames[0].width),
        "height": round(graph.frames[0].height),
        "subject/objects": [{"tid": track.ident, "category": track.label} for track in tracks],
        "trajectories": trajectories,
        "relation_instances": [
            {
                "subject_tid": relation.subject_track,
                "object_tid": relation.object_track,
                "predicate": relation.predicate,
                "begin_fid": relation.begin_frame - 1,
                "end_fid": relation.end_frame,
                "score": relation.score,
            }
            for relation in graph.relations
        ],
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _every_frame(graph: VideoGraph, track: Track) -> list[tuple[int, Box, int]]:
    """Number of the frame, box, and 1 where it was not seen, from the first to the last sighting."""
    numbers = [graph.frames[i].number for i in track.frames]
    found: list[tuple[int, Box, int]] = []
    for (begin, first), (end, second) in pairwise(zip(numbers, track.boxes, strict=True)):
        found.append((begin, first, 0))
        for number in range(begin + 1, end):
            part = (number - begin) / (end - begin)
            x1, y1, x2, y2 = ((1 - part) * a + part * b for a, b in zip(first, second, strict=True))
            found.append((number, (x1, y1, x2, y2), 1))
    return [*found, (numbers[-1], track.boxes[-1], 0)]


def _rate(graph: VideoGraph) -> float | None:
    """Frames a second of the video, from the times of its first and last frame."""
    first, last = graph.frames[0], graph.frames[-1]
    if first.time is None or last.time is None or last.time <= first.time:
        return None
    return round((last.number - first.number) / (last.time - first.time), 3)
