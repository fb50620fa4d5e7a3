"""How long recall takes per frame, beside a plain loop over frames: ``python -m
benchmarks.metrics``."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import numpy as np

from benchmarks import plain_recall
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.metrics.protocol import Protocol, protocol_for
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.schema import Schema

FRAMES = 30  # of a video; Action Genome's have 32 on average
_CLASSES = len(SCHEMA.vocabulary.objects) - 1


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    corner = rng.uniform(0, (300, 150), (count, 2))
    return np.concatenate([corner, corner + rng.uniform(20, (180, 120), (count, 2))], axis=1)


def random_video(
    schema: Schema, rng: np.random.Generator, name: str, true: int, boxes: int, given: bool
) -> tuple[VideoAnnotation, VideoPrediction]:
    """A video with ``true`` boxes in every frame, the person first; the detector finds them,
    jittered, among ``boxes``."""

    def columns(count: int) -> dict[str, np.ndarray]:
        start = np.arange(FRAMES) * count
        return {
            "node_frame": np.repeat(np.arange(FRAMES), count),
            "node_identity": np.full(FRAMES * count, -1),
            "action_class": np.zeros(0),
            "pair_subject": np.repeat(start, count - 1),
            "pair_object": (start[:, None] + np.arange(1, count)).ravel(),
            "pair_frame": np.repeat(np.arange(FRAMES), count - 1),
        }

    def classes(count: int) -> np.ndarray:
        drawn = rng.integers(2, _CLASSES + 1, (FRAMES, count))
        drawn[:, 0] = 1
        return drawn

    true_box, true_class = _boxes(rng, FRAMES * true).reshape(FRAMES, true, 4), classes(true)
    labels = {}
    for group in schema.vocabulary.groups:
        hot = rng.random((FRAMES * (true - 1), len(group))) < 1.6 / len(group)
        hot[np.arange(len(hot)), rng.integers(0, len(group), len(hot))] = True
        labels[group.name] = hot if group.kind == "multi" else np.eye(len(group), dtype=bool)[hot.argmax(1)]
    annotation = VideoAnnotation(
        schema=schema,
        video_id=name,
        source_id=name,
        split="test",
        fps=None,
        frame_key=tuple(f"{name}/{t}" for t in range(FRAMES)),
        frame_number=np.arange(FRAMES) + 1,
        frame_unit=np.arange(FRAMES),
        frame_slot=np.zeros(FRAMES),
        frame_size=np.full((FRAMES, 2), 480),
        node_box=true_box.reshape(-1, 4),
        node_class=true_class.ravel(),
        labels=labels,
        **columns(true),
    )
    box, klass = true_box, true_class
    if not given:
        box, klass = _boxes(rng, FRAMES * boxes).reshape(FRAMES, boxes, 4), classes(boxes)
        box[:, :true] = true_box + rng.normal(0, 4, true_box.shape)
        klass[:, :true] = true_class
    count = FRAMES * (boxes - 1)
    scores = {
        group.name: 1 / (1 + np.exp(-rng.normal(-1, 1.5, (count, len(group))))) for group in schema.vocabulary.groups
    }
    scores["attention"] /= scores["attention"].sum(1, keepdims=True)
    prediction = VideoPrediction(
        schema=schema,
        video_id=name,
        frame_unit=np.arange(FRAMES),
        node_box=box.reshape(-1, 4),
        node_class=klass.ravel(),
        node_score=np.ones(FRAMES * boxes) if given else rng.uniform(0.1, 1, FRAMES * boxes),
        scores=scores,
        **columns(boxes),
    )
    return annotation, prediction


def ours(videos: list[tuple[VideoAnnotation, VideoPrediction]], protocol: Protocol) -> np.ndarray:
    accumulator = RecallAccumulator(protocol, videos[0][0].schema.vocabulary)
    for annotation, prediction in videos:
        accumulator.update(annotation, prediction)
    return accumulator.compute().R


def _plain(videos: list[tuple[VideoAnnotation, VideoPrediction]], protocol: Protocol) -> np.ndarray:
    ranks = [
        unit for annotation, prediction in videos for unit in plain_recall.frame_ranks(annotation, prediction, protocol)
    ]
    return plain_recall.plain_recall(ranks, protocol.ks).mean(0)


def main() -> None:
    """Print a table: milliseconds of processor time per frame for all K together, and how much faster
    ours is."""
    schema = SCHEMA
    print("| task | boxes a frame | constraints | plain loop, ms a frame | ours, ms a frame | ratio |")
    print("|---|---|---|---|---|---|")
    for mode, true, boxes in (
        ("predcls", 4, 4),
        ("predcls", 11, 11),
        ("predcls", 64, 64),
        ("sgcls", 11, 11),
        ("sgdet", 4, 11),
        ("sgdet", 8, 32),
        ("sgdet", 8, 64),
    ):
        rng = np.random.default_rng(0)
        videos = [random_video(schema, rng, f"video {i}", true, boxes, mode == "predcls") for i in range(60)]
        few = videos[:3]
        whole = protocol_for(schema, mode)
        for name in ("all", *whole.constraints):
            threshold = whole.semi_threshold if name in ("all", "semi") else None
            protocol = whole if name == "all" else replace(whole, constraints=(name,), semi_threshold=threshold)
            plains, times = [], []
            for round_ in range(5):
                if round_ < 2:
                    start = process_time()
                    expected = _plain(few, protocol)
                    plains.append(1000 * (process_time() - start) / (len(few) * FRAMES))
                    np.testing.assert_allclose(ours(few, protocol), expected, rtol=0, atol=1e-12)
                start = process_time()
                ours(videos, protocol)
                times.append(1000 * (process_time() - start) / (len(videos) * FRAMES))
            slow, fast = min(plains), min(times)
            print(f"| {mode} | {boxes} | {name} | {slow:.3f} | {fast:.4f} | {slow / fast:.0f}x |", flush=True)


if __name__ == "__main__":
    main()
