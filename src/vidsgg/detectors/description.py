"""What a frozen detector says of given boxes and of whole stretches of a video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vidsgg.datasets.feature_writer import DescribedVideo
from vidsgg.detectors.base import CANVAS_PIXELS_AT_ONCE, CANVAS_PIXELS_ON_CPU, RegionDetector, frames_at_once
from vidsgg.io.images import Image
from vidsgg.io.video import VideoReader
from vidsgg.structures.checks import Array

EVENT_PICTURES = 8  # that stand for an event, evenly from its first to its last


def event_width(detector: RegionDetector) -> int:
    """Columns of the features of events: mean and change, each as wide as a region's."""
    return 2 * detector.node_width


@torch.no_grad()
def describe(detector: RegionDetector, video: DescribedVideo) -> tuple[Array, Array]:
    """Features of the boxes (R, D) and of the events (E, 2 D) of a video, float32.

    A picture as a whole is described as one region. An event is the mean over EVENT_PICTURES of its
    pictures, then the last minus the first: what is seen, and how it changes. Raises DataError
    naming the file if a picture is not there or cannot be decoded.
    """
    stretches = [_evenly(int(first), int(last)) for first, last in video.event_pictures]
    numbers = sorted({*video.box_picture.tolist(), *(number for stretch in stretches for number in stretch)})
    order = np.argsort(video.box_picture, kind="stable")
    sorted_picture = video.box_picture[order]
    regions = np.empty((len(video.box), detector.node_width), np.float32)
    whole: dict[int, Array] = {}
    waiting: list[tuple[int, Image]] = []

    def flush() -> None:
        images = [image for _, image in waiting]
        boxes: list[Tensor] = []
        rows: list[Array] = []
        for number, image in waiting:
            height, width = image.shape[:2]
            mine = order[slice(*np.searchsorted(sorted_picture, [number, number + 1]).tolist())]
            relative = np.concatenate([video.box[mine], np.array([[0, 0, 1, 1]], np.float32)])
            boxes.append(torch.from_numpy(relative * np.array([width, height, width, height], np.float32)))
            rows.append(mine)
        frame = torch.arange(len(images)).repeat_interleave(torch.tensor([len(box) for box in boxes]))
        device = detector.device
        maps = detector.encode(images, detector.canvas(images))
        features = detector.embed(detector.pool(maps, frame.to(device), torch.cat(boxes).to(device))).float().cpu()
        for (number, _), mine, found in zip(waiting, rows, features.split([len(box) for box in boxes]), strict=True):
            regions[mine] = found[:-1].numpy()
            whole[number] = found[-1].numpy()
        waiting.clear()

    most = CANVAS_PIXELS_ON_CPU if detector.device.type == "cpu" else CANVAS_PIXELS_AT_ONCE
    for number, image in zip(numbers, VideoReader(video.file).frames(numbers), strict=True):
        waiting.append((number, image))
        if len(waiting) >= frames_at_once(*detector.canvas([image]), most):
            flush()
    if waiting:
        flush()
    events = [
        np.concatenate([np.mean([whole[n] for n in stretch], axis=0), whole[stretch[-1]] - whole[stretch[0]]])
        for stretch in stretches
    ]
    return regions, np.stack(events).astype(np.float32)


def _evenly(first: int, last: int) -> Sequence[int]:
    """The pictures that stand for those from ``first`` to ``last``."""
    found: list[int] = np.unique(np.linspace(first, last, EVENT_PICTURES).round().astype(np.int64)).tolist()
    return found
