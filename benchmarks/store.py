"""The feature store: writing and reading against plain files of the same bytes, and peak memory
against the number of videos.

``python -m benchmarks.store [--videos 40]``. Random clips as a ResNet-101 C4 gives them in shape
(20-40 frames, 1-5 pairs each), float16, single-threaded. Every reading is of whole videos in random
order; "cold" after the operating system was told to forget the files.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.sttran import WIDTHS, random_clip
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.datasets.base import Image, VideoDataset
from vidsgg.engine.loading import ClipLoader
from vidsgg.features.key import StoreKey
from vidsgg.features.store import FeatureStore
from vidsgg.features.stored_clip import RecordSource
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

KEY = StoreKey({"detector": "random"}, "", "predcls", False, SCHEMA)
DIFFERENT = 8  # clips that are drawn; further videos repeat them under other names


class RandomVideos(VideoDataset):
    """Annotations of random clips, which come from nowhere else than a store."""

    schema, root, split = SCHEMA, Path("random"), "train"

    def __init__(self, count: int, draw: Callable[[int], Clip] = random_clip) -> None:
        """draw: the clip of a seed."""
        self.video_ids = [f"random{i}" for i in range(count)]
        self.clips = [draw(seed) for seed in range(min(count, DIFFERENT))]

    def clip(self, index: int) -> Clip:
        return self.clips[index % DIFFERENT]

    def annotation(self, index: int) -> VideoAnnotation:
        clip, name = self.clip(index), self.video_ids[index]
        columns = {
            column: getattr(clip, column).numpy()
            for column in VideoAnnotation.__dataclass_fields__
            if isinstance(getattr(clip, column, None), torch.Tensor)
        }
        return VideoAnnotation(
            schema=SCHEMA, video_id=name, source_id=name, split="train", fps=None,
            frame_key=tuple(f"{name}/{t}" for t in range(clip.frames)), frame_number=np.arange(clip.frames),
            labels={group: hot.numpy() for group, hot in (clip.labels or {}).items()}, **columns,
        )  # fmt: skip

    def images(self, index: int, frames: Any = None) -> list[Image]:
        raise AssertionError("features are stored")


def write(videos: RandomVideos, folder: Path, widths: FeatureWidths = WIDTHS) -> FeatureStore:
    with FeatureStore.to_write(folder, KEY, "float16", widths) as store:
        for index in range(len(videos)):
            store.write(videos.clip(index), RecordSource.of(videos, index, videos.annotation(index)), learn=True)
    return store


def write_plain(contents: list[bytes], folder: Path) -> None:
    """The same bytes, flushed like records."""
    folder.mkdir()
    for i, content in enumerate(contents):
        with (folder / str(i)).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def forget(paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def one_by_one(read: Callable[[int], object], order: list[int]) -> Callable[[], None]:
    """Reads all videos and keeps none."""

    def work() -> None:
        for i in order:
            read(i)

    return work


def speeds(count: int, repeats: int = 3) -> str:
    """MB/s of the best of some repeats, as Markdown tables."""
    videos = RandomVideos(count)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store = write(videos, place / "first")
        paths = sorted((place / "first").rglob("*.safetensors"))
        contents = [path.read_bytes() for path in paths]
        size = sum(map(len, contents)) / 1e6
        ours = min(timed(lambda: write(videos, place / f"store{i}")) for i in range(repeats))  # noqa: B023
        plain = min(timed(lambda: write_plain(contents, place / f"plain{i}")) for i in range(repeats))  # noqa: B023
        lines = [
            f"{count} videos, {size:.0f} MB, {size / count:.1f} MB each.\n",
            "| writing | MB/s | share of plain |\n| --- | ---: | ---: |",
            f"| plain files, the same bytes | {size / plain:.0f} | |",
            f"| records from float32 clips | {size / ours:.0f} | {plain / ours:.2f} |",
            (
                "\n| reading | cold MB/s | share of plain | warm MB/s | share of plain |\n| --- | ---: | ---: | ---: |"
                " ---: |"
            ),
        ]
        order = list(range(count))
        random.Random(0).shuffle(order)
        sources = [RecordSource.of(videos, i, videos.annotation(i)) for i in range(count)]
        places = [store.path_of(name, learn=True) for name in videos.video_ids]
        ways: dict[str, Callable[[], object]] = {
            "plain files, the same bytes": one_by_one(lambda i: places[i].read_bytes(), order),
            "records, checked": one_by_one(lambda i: store.open_record(sources[i], learn=True), order),
            "records to float32 clips": one_by_one(
                lambda i: store.clip(store.open_record(sources[i], learn=True)), order
            ),
        }
        for workers in (0, 1, 2):
            loader = ClipLoader(videos, "predcls", shuffle=True, workers=workers, store=store, learn=True)
            sum(1 for _ in loader.batches())  # starts the workers
            ways[f"batches of one, {workers} workers"] = lambda loader=loader: sum(1 for _ in loader.batches(1))  # type: ignore[misc]
        first: dict[str, float] = {}
        for name, way in ways.items():
            cells = []
            for state in ("cold", "warm"):
                if state == "cold" and not hasattr(os, "posix_fadvise"):
                    cells.append("| |")
                    continue
                seconds = []
                for _ in range(repeats):
                    if state == "cold":
                        forget(places)
                    seconds.append(timed(way))
                first.setdefault(state, min(seconds))
                cells.append(f"{size / min(seconds):.0f} | {first[state] / min(seconds):.2f}")
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def peak_memory(count: int) -> float:
    """MiB at most in a process that writes and reads so many videos."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_peak, args=(count, theirs))
    process.start()
    peak: float = ours.recv()
    process.join()
    return peak


def _peak(count: int, answer: Any) -> None:
    torch.set_num_threads(1)
    videos = RandomVideos(count)
    with tempfile.TemporaryDirectory() as folder:
        store = write(videos, Path(folder) / "store")
        for _ in ClipLoader(videos, "predcls", store=store, learn=True).batches():
            pass
    # Not getrusage, which begins with what the parent had.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    answer.send(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=40)
    count = parser.parse_args(argv).videos
    torch.set_num_threads(1)
    print(speeds(count), flush=True)
    if sys.platform.startswith("linux"):
        print("\n| videos written and read | peak MiB |\n| ---: | ---: |")
        for videos in (count // 2, 2 * count, 8 * count):
            print(f"| {videos} | {peak_memory(videos):.0f} |", flush=True)


if __name__ == "__main__":
    main()
