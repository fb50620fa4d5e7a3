"""Tiny data sets in Action Genome's own files, for tests."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image as Pillow

from vidsgg.datasets.action_genome import OBJECTS, VOCABULARY
from vidsgg.io.video import VideoReader

SIZE = (96, 64)  # width, height


def person(box: Any = (8.0, 6.5, 40.0, 60.0), size: tuple[int, int] = SIZE) -> dict[str, Any]:
    """An entry of person_bbox.pkl; ``box`` xyxy or None for a frame without a person."""
    boxes = np.array([box] if box is not None else [], np.float32).reshape(-1, 4)
    n = len(boxes)
    return {
        "bbox": boxes, "bbox_score": np.ones(n, np.float32), "bbox_size": size, "bbox_mode": "xyxy",
        "keypoints": np.zeros((n, 17, 3), np.float32), "keypoints_logits": np.zeros((n, 17), np.float32),
    }  # fmt: skip


def thing(
    name: str = "chair",
    box: Any = (30.0, 20.0, 24.5, 30.25),
    attention: tuple[str, ...] = ("looking_at",),
    spatial: tuple[str, ...] = ("in_front_of",),
    contacting: tuple[str, ...] = ("touching",),
    visible: bool = True,
    split: str = "train",
) -> dict[str, Any]:
    """An object entry; ``box`` is (x, y, width, height). An invisible one holds None for its box
    and relations, as the real ones."""
    seen = {
        "bbox": box, "attention_relationship": list(attention), "spatial_relationship": list(spatial),
        "contacting_relationship": list(contacting),
    }  # fmt: skip
    if not visible:
        seen = dict.fromkeys(seen)
    return {"class": name, **seen, "visible": visible, "metadata": {"tag": "", "set": split}}


def key(video: str, number: int) -> str:
    return f"{video}.mp4/{number:06d}.png"


def write(root: Path, persons: dict[str, Any], objects: dict[str, Any]) -> Path:
    """The annotation files of a data set folder."""
    folder = root / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("person_bbox.pkl", persons), ("object_bbox_and_relationship.pkl", objects)):
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))

    def bare(name: str) -> str:
        return name.replace("/", "").replace("_", "")

    (folder / "object_classes.txt").write_text("".join(bare(n) + "\n" for n in OBJECTS[1:]), encoding="utf-8")
    (folder / "relationship_classes.txt").write_text(
        "".join(bare(n) + "\n" for n in VOCABULARY.predicates), encoding="utf-8"
    )
    (folder / "frame_list.txt").write_text("".join(f"{k}\n" for k in persons), encoding="utf-8")
    return root


def plain(videos: dict[str, tuple[str, list[int]]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both pickles for videos given as name -> (split, frame numbers), with a person, a chair and a
    cup in every frame."""
    persons, objects = {}, {}
    for video, (split, numbers) in videos.items():
        for number in numbers:
            persons[key(video, number)] = person()
            objects[key(video, number)] = [
                thing("chair", split=split),
                thing(
                    "cup/glass/bottle",
                    (50, 10, 18, 17),
                    spatial=("above", "behind"),
                    contacting=("holding", "touching"),
                    split=split,
                ),
            ]
    return persons, objects


def write_video(
    root: Path, name: str, frames: int, size: tuple[int, int] = SIZE, stamps: Sequence[int] | None = None
) -> Path:
    """``videos/NAME.mp4`` with moving noise; ``stamps``: when each picture is shown, in 25ths of a
    second."""
    path = root / "videos" / f"{name}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = (
        np.random.default_rng(0).integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    )
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"g": "10", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(noise, 3 * i, axis=1)), format="rgb24")
            frame.pts, frame.time_base = (i if stamps is None else stamps[i]), Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def dump_frames(root: Path, name: str) -> Path:
    """``frames/NAME.mp4/NNNNNN.png`` for every frame of the video."""
    folder = root / "frames" / f"{name}.mp4"
    folder.mkdir(parents=True, exist_ok=True)
    reader = VideoReader(root / "videos" / f"{name}.mp4")
    for number, picture in enumerate(reader.read(range(1, reader.count + 1)), 1):
        Pillow.fromarray(picture).save(folder / f"{number:06d}.png")
    return folder


def small_set(root: Path) -> Path:
    """Two videos for training, one for testing, with pictures as videos."""
    videos = {"AAAAA": ("train", [2, 5, 11]), "BBBBB": ("train", [1, 2, 3, 20]), "CCCCC": ("test", [4, 9, 18])}
    write(root, *plain(videos))
    for name in videos:
        write_video(root, name, 20)
    return root
