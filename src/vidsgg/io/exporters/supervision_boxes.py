"""Boxes for the ``supervision`` library, for Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidsgg.errors import ConfigError
from vidsgg.structures.graph import GraphFrame
from vidsgg.structures.vocabulary import Vocabulary


def to_supervision(frame: GraphFrame, vocabulary: Vocabulary | None = None) -> Any:
    """The boxes of a frame as ``supervision.Detections``, with ``tracker_id`` (-1 where a node has
    none) and ``data["class_name"]``.

    vocabulary: the graph's, by which classes are numbered; without it, by the names that occur in
    the frame. Actions have no box and are left out. Raises ConfigError if supervision is not
    installed.
    """
    try:
        import supervision
    except ImportError as error:
        raise ConfigError("supervision is not installed; install it with: pip install supervision") from error
    nodes = [node for node in frame.nodes if node.box is not None]
    names = list(vocabulary.objects) if vocabulary else sorted({node.label for node in nodes})
    return supervision.Detections(
        xyxy=np.array([node.box for node in nodes], np.float32).reshape(-1, 4),
        confidence=np.array([node.score for node in nodes], np.float32),
        class_id=np.array([names.index(node.label) for node in nodes], np.int64),
        tracker_id=np.array([-1 if node.track is None else node.track for node in nodes], np.int64),
        data={"class_name": np.array([node.label for node in nodes], dtype=str)},
    )
