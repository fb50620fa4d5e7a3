"""How many frames of scored videos had more pairs than were looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidsgg.metrics.accumulator import VideoAccumulator
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.crowds import crowded_frames
from vidsgg.structures.prediction import VideoPrediction


class CrowdAccumulator(VideoAccumulator[int]):
    """Counts the frames in which a model found more things than ``Schema.max_pairs`` lets it relate."""

    def compute(self) -> int:
        """Frames so far."""
        return sum(self.state().counts.values())

    def _count(self, annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction]) -> Sequence[int]:
        return [
            int(np.count_nonzero(crowded_frames(p.schema, p.node_frame, p.node_class, p.frames))) for p in predictions
        ]
