"""The files of this world: videos and annotations in the format of own data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from vidsgg.datasets.synthetic.known import name_of, split_of
from vidsgg.datasets.synthetic.rooms.kinds import KINDS_OF_ROOMS, PERSON
from vidsgg.datasets.synthetic.rooms.render import RoomScene
from vidsgg.datasets.synthetic.rooms.script import write_room
from vidsgg.datasets.synthetic.rooms.story import ACT, PLACE, RoomStory
from vidsgg.datasets.synthetic.world import DrawnVideo, World
from vidsgg.io.atomic import write_whole

_MOMENTS = (10, 16)  # annotated frames of a video
CLASSES = (PERSON, *KINDS_OF_ROOMS)
# A box with fewer pixels on a side inside the picture is left out.
_PIXELS_INSIDE = 4.0
_FPS = 12


class Rooms(World):
    name = "rooms"
    title = "several people and things, and relations between any two of them, in the format of own data"
    made = MappingProxyType(
        {
            "": ("train.json", "test.json", ".vidsgg/coco_video-*.npz"),
            "videos": ("S[0-9]*.mp4",),
            "frames": ("S[0-9]*.mp4/[0-9]*.png",),
        }
    )
    needed = ("train.json", "test.json")

    def video(self, rng: np.random.Generator, index: int, width: int, height: int) -> DrawnVideo:
        story = write_room(rng, int(rng.integers(_MOMENTS[0], _MOMENTS[1] + 1)))
        scene = RoomScene(story, rng, width, height)
        return DrawnVideo(scene.frames(), json.dumps(_entries(story, scene, rng, index, (width, height))).encode())

    def write(self, root: Path, seed: int, videos: Iterable[bytes]) -> None:
        documents = {part: _document(seed) for part in ("train", "test")}
        for index, entries in enumerate(videos):
            document = documents[split_of(index)]
            for name, rows in json.loads(entries).items():
                document[name] += rows
        for part, document in documents.items():
            for name in ("annotations", "relations"):
                document[name] = [{"id": i, **entry} for i, entry in enumerate(document[name], start=1)]
            write_whole(root / f"{part}.json", json.dumps(document) + "\n")


def _document(seed: int) -> dict[str, Any]:
    groups = {"place": PLACE, "act": ACT}
    predicates = [(group, name) for group, names in groups.items() for name in names]
    return {
        "info": {"description": f"synthetic rooms of 'vidsgg data synth', seed {seed}"},
        "videos": [],
        "images": [],
        "categories": [{"id": i, "name": name} for i, name in enumerate(CLASSES, start=1)],
        "annotations": [],
        "predicate_groups": [{"name": name, "kind": "multi"} for name in groups],
        "predicates": [{"id": i, "name": name, "group": group} for i, (group, name) in enumerate(predicates, start=1)],
        "relations": [],
    }


def _entries(
    story: RoomStory, scene: RoomScene, rng: np.random.Generator, index: int, size: tuple[int, int]
) -> dict[str, list[dict[str, Any]]]:
    """One video as rows of the lists of a file, without the ids of annotations and relations."""
    video, name, classes = index + 1, name_of(index), story.classes
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    seen: list[set[int]] = []
    for moment in story.moments:
        image, frame = video * 1000 + len(images), moment.frame + 1
        images.append(
            {
                "id": image, "video_id": video, "frame_id": frame, "width": size[0], "height": size[1],
                "file_name": f"frames/{name}.mp4/{frame:06d}.png",
            }
        )  # fmt: skip
        loose = scene.boxes(moment) + rng.normal(0, 0.6, (len(classes), 4))  # as a careful person would draw them
        boxes = np.clip(loose, 0, [*size, *size])
        there = set(np.flatnonzero((boxes[:, 2:] - boxes[:, :2]).min(1) >= _PIXELS_INSIDE).tolist())
        seen.append(there)
        for i in sorted(there):
            x1, y1, x2, y2 = boxes[i].round(1).tolist()
            annotations.append(
                {
                    "image_id": image, "category_id": CLASSES.index(classes[i]) + 1, "track_id": i,
                    "bbox": [x1, y1, round(x2 - x1, 1), round(y2 - y1, 1)],
                }
            )  # fmt: skip
    relations = [
        {
            "video_id": video, "subject_track_id": subject, "object_track_id": obj,
            "predicate_id": (*PLACE, *ACT).index(predicate) + 1, "begin_frame": begin + 1, "end_frame": end + 2,
        }
        for (subject, predicate, obj), begin, end in _intervals(story, seen)
    ]  # fmt: skip
    movie = {
        "id": video, "name": name, "file_name": f"videos/{name}.mp4", "fps": _FPS, "width": size[0], "height": size[1],
        "frame_count": story.frames,
    }  # fmt: skip
    return {"videos": [movie], "images": images, "annotations": annotations, "relations": relations}


def _intervals(story: RoomStory, seen: list[set[int]]) -> Iterator[tuple[tuple[int, str, int], int, int]]:
    """Each relation with the first and the last picture, from 0, of a run of moments in which it
    holds and both ends are seen."""
    open_since: dict[tuple[int, str, int], int] = {}
    before = -1
    for moment, there in zip(story.moments, seen, strict=True):
        now = {relation for relation in moment.relations if {relation[0], relation[2]} <= there}
        for relation in sorted(open_since.keys() - now):
            yield relation, open_since.pop(relation), before
        for relation in sorted(now - open_since.keys()):
            open_since[relation] = moment.frame
        before = moment.frame
    for relation in sorted(open_since):
        yield relation, open_since[relation], before
