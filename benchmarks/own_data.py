"""How long a large set of COCO-video with relations takes to open: ``python -m benchmarks.own_data``.

Sets of 250, 500 and 1,000 videos with 1,000 relations each are made in a temporary folder.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from vidsgg.datasets.registry import open_whole_split

_FRAMES, _THINGS, _RELATIONS = 20, 6, 50  # of a video, of a frame, of a frame


def document(videos: int, seed: int = 0) -> dict[str, list[dict[str, object]]]:
    """Half of the relations are of single frames, half of them over time."""
    rng = np.random.default_rng(seed)
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    relations: list[dict[str, object]] = []
    for v in range(videos):
        for f in range(_FRAMES):
            image = len(images)
            images.append(
                {
                    "id": image,
                    "video_id": v,
                    "frame_id": f,
                    "file_name": f"{v}/{f:06d}.jpg",
                    "width": 640,
                    "height": 480,
                }
            )
            first = len(annotations)
            corner, side = rng.uniform(0, 400, (_THINGS, 2)).round(1), rng.uniform(10, 60, (_THINGS, 2)).round(1)
            annotations += [
                {"id": first + i, "image_id": image, "category_id": i, "bbox": [*corner[i], *side[i]], "track_id": i}
                for i in range(_THINGS)
            ]
            for subject, step, predicate in rng.integers((0, 1, 0), (_THINGS, _THINGS, 20), (_RELATIONS, 3)).tolist():
                ends = subject, (subject + step) % _THINGS
                entry: dict[str, object] = {"id": len(relations), "predicate_id": predicate}
                if len(relations) % 2:
                    entry |= {"image_id": image, "subject_id": first + ends[0], "object_id": first + ends[1]}
                else:
                    entry |= {"video_id": v, "subject_track_id": ends[0], "object_track_id": ends[1]}
                    entry |= {"begin_frame": f, "end_frame": f + 3}
                relations.append(entry)
    return {
        "videos": [{"id": v, "name": f"v{v}"} for v in range(videos)],
        "images": images,
        "categories": [{"id": i, "name": f"c{i}"} for i in range(_THINGS)],
        "annotations": annotations,
        "predicates": [{"id": i, "name": f"p{i}"} for i in range(20)],
        "relations": relations,
    }


def main() -> None:
    print("| videos | relations | file | cold | warm | a video |\n|---:|---:|---:|---:|---:|---:|")
    for videos in (250, 500, 1_000):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            content = document(videos)
            (root / "train.json").write_text(json.dumps(content))
            size, relations = (root / "train.json").stat().st_size, len(content["relations"])
            del content
            seconds, used = [], []
            for _ in range(3):
                start, cpu = perf_counter(), os.times()
                data = open_whole_split(root, "train", "predcls")
                seconds.append(perf_counter() - start)
                used.append(sum(os.times()[:2]) - sum(cpu[:2]))
            start = perf_counter()
            for i in range(20):
                data.annotation(i)
            each = (perf_counter() - start) / 20
            print(
                f"| {videos:,} | {relations:,} | {size / 1e6:.0f} MB | {seconds[0]:.1f} s ({used[0]:.1f} s of a core)"
                f" | {min(seconds[1:]):.2f} s ({min(used[1:]):.2f}) | {1000 * each:.0f} ms |",
                flush=True,
            )


if __name__ == "__main__":
    main()
