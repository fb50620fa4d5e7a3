"""A story's key frames as the entries of Action Genome's annotation files, with the blemishes of
real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vidsgg.datasets.action_genome import ATTENTION, CONTACTING, SPATIAL
from vidsgg.datasets.action_genome_counts import frequencies
from vidsgg.datasets.synthetic import body
from vidsgg.datasets.synthetic.body import Points, Skeleton
from vidsgg.datasets.synthetic.one_person.render import Scene
from vidsgg.datasets.synthetic.one_person.script import Key, Relations, Story
from vidsgg.datasets.synthetic.placement import drawn_box

# How often annotators and the person detector fail, per pair, per thing and frame, per frame, per
# video.
WRONG_LABEL, UNSEEN_THING, UNSEEN_PERSON, UNSEEN_IN_VIDEO = 0.04, 0.03, 0.05, 0.03
# Share of things that are annotated in a part of the video only, as things of one of several
# actions are.
PART_OF_THE_TIME = 0.15
# A thing with less than this share of its box, or fewer pixels, inside the picture counts as not
# visible.
_SHARE_INSIDE, _PIXELS_INSIDE = 0.3, 4.0


@dataclass(frozen=True)
class VideoEntries:
    """Entries of the two annotation files for one video, both by ``VIDEO.mp4/FRAME.png`` in the
    order of time."""

    persons: dict[str, dict[str, Any]]
    objects: dict[str, list[dict[str, Any]]]


def annotate(story: Story, scene: Scene, rng: np.random.Generator, video: str, split: str) -> VideoEntries:
    """Annotations of every key of ``story``. video: name without ``.mp4``; split: "train" or
    "test"."""
    persons, objects = {}, {}
    size = (scene.width, scene.height)
    # the person is found in one or two frames only; the loader leaves such videos out
    lost = rng.random() < UNSEEN_IN_VIDEO
    seen = set(rng.choice(len(story.keys), 2, replace=False)[: int(rng.integers(1, 3))]) if lost else None
    spans = [_span(rng, len(story.keys)) for _ in story.things]
    for number, key in enumerate(story.keys):
        name = f"{video}.mp4/{key.frame + 1:06d}.png"
        found = number in seen if seen is not None else rng.random() >= UNSEEN_PERSON
        persons[name] = _person(rng, scene, key, found, size)
        entries = []
        for i, thing in enumerate(story.things):
            if number not in spans[i] and len(story.things) > 1 and not (i == 0 and number == 0):
                continue
            box = _visible_box(
                rng, scene.backdrop.views[key.frame].box(drawn_box(scene.looks[i], key.placements[i])), size
            )
            if rng.random() < UNSEEN_THING:
                box = None
            relations = _mistaken(rng, thing.name, key.relations[i]) if rng.random() < WRONG_LABEL else key.relations[i]
            entries.append(
                _object(
                    thing.name, box, relations, f"{video}.mp4/{thing.name.replace('/', '_')}/{key.frame + 1:06d}", split
                )
            )
        if entries:
            objects[name] = entries
        else:
            del persons[name]
    return VideoEntries(persons, objects)


def _span(rng: np.random.Generator, keys: int) -> range:
    if rng.random() >= PART_OF_THE_TIME:
        return range(keys)
    start = int(rng.integers(0, keys // 2))
    return range(start, start + int(rng.integers(keys // 3, keys)))


def _person(rng: np.random.Generator, scene: Scene, key: Key, found: bool, size: tuple[int, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {"bbox_size": size, "bbox_mode": "xyxy"}
    count = int(found)
    joints = body.skeleton(key.pose)
    view = scene.backdrop.views[key.frame]
    box = np.clip(view.box(joints.box) + rng.normal(0, 1.2, 4), 0, [*size, *size])
    points = view.pixels(_coco_keypoints(joints, key.pose.gaze)) + rng.normal(0, 0.8, (17, 2))
    entry["bbox"] = box[None, :].astype(np.float32)[:count]
    entry["bbox_score"] = rng.uniform(0.9, 1.0, 1).astype(np.float32)[:count]
    entry["keypoints"] = np.concatenate([points, np.ones((17, 1))], 1)[None].astype(np.float32)[:count]
    entry["keypoints_logits"] = rng.uniform(2, 12, (1, 17)).astype(np.float32)[:count]
    return entry


def _coco_keypoints(joints: Skeleton, gaze: Points) -> Points:
    """(17, 2) in COCO's order: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles,
    each left of the body first.

    The person's left is on the right of the picture when it faces the viewer.
    """
    radius = body.HEAD_RADIUS
    side = np.array([1.0, 0.0])
    face = joints.head + 0.5 * radius * gaze
    head = [
        face + 0.3 * radius * gaze,
        *(face + s * 0.38 * radius * side for s in (1, -1)),
        *(joints.head + s * radius * side for s in (1, -1)),
    ]
    limbs = [
        pair[i]
        for pair in (joints.shoulders, joints.elbows, joints.hands, joints.hips, joints.knees, joints.feet)
        for i in (1, 0)
    ]
    return np.stack([*head, *limbs])


def _visible_box(rng: np.random.Generator, box: Points, size: tuple[int, int]) -> Points | None:
    """The drawn box as a careful person would draw it, cut at the picture's border; None if too
    little of it is inside."""
    loose = box + rng.normal(0, 0.7, 4)
    cut = np.clip(loose, 0, [*size, *size])
    inside, whole = np.prod(np.maximum(cut[2:] - cut[:2], 0)), np.prod(loose[2:] - loose[:2])
    if inside < _SHARE_INSIDE * whole or (cut[2:] - cut[:2]).min() < _PIXELS_INSIDE:
        return None
    return cut


def _mistaken(rng: np.random.Generator, name: str, truth: Relations) -> Relations:
    """The relations with one group guessed from what is usual for the class, as a hasty annotator
    would."""
    usual = frequencies()[name]
    group = int(rng.integers(3))
    if group == 0:
        return Relations(
            str(rng.choice(ATTENTION, p=np.array(usual.attention) / sum(usual.attention))),
            truth.spatial,
            truth.contacting,
        )
    if group == 1:
        shares = np.array(usual.spatial)
        return Relations(truth.attention, (str(rng.choice(SPATIAL, p=shares / shares.sum())),), truth.contacting)
    shares = np.array([usual.contacting.get(name, 0.0) for name in CONTACTING])
    return Relations(truth.attention, truth.spatial, (str(rng.choice(CONTACTING, p=shares / shares.sum())),))


def _object(name: str, box: Points | None, relations: Relations, tag: str, split: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "class": name,
        "bbox": None,
        "attention_relationship": None,
        "spatial_relationship": None,
        "contacting_relationship": None,
        "metadata": {"tag": tag, "set": split},
        "visible": box is not None,
    }
    if box is not None:
        x1, y1, x2, y2 = (round(float(v), 3) for v in box)
        entry["bbox"] = (x1, y1, round(x2 - x1, 3), round(y2 - y1, 3))
        entry["attention_relationship"] = [relations.attention]
        entry["spatial_relationship"] = list(relations.spatial)
        entry["contacting_relationship"] = list(relations.contacting)
    return entry
