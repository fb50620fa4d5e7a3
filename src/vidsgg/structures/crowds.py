"""Frames with more pairs than are looked at."""

from __future__ import annotations

import numpy as np

from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Schema


def crowded_frames(schema: Schema, node_frame: Array, node_class: Array, frames: int) -> Array:
    """(frames,) bool: whether a frame has more ordered pairs than the schema's ``max_pairs``, by the
    classes (N,) of its nodes, 0 for a node that is nothing. Nowhere without a limit."""
    vocabulary = schema.vocabulary
    subjects = [vocabulary.objects.index(name) for name in vocabulary.subjects] if schema.subject_has_box else []
    real = node_class > 0
    nodes = np.bincount(node_frame[real], minlength=frames)
    acting = np.bincount(node_frame[np.isin(node_class, subjects)], minlength=frames)
    # Without ``mutual`` the objects of a subject are those that are no subjects themselves.
    others = nodes - 1 if schema.mutual else nodes - acting
    crowded: Array = acting * np.maximum(others, 0) > schema.max_pairs
    return crowded if schema.max_pairs else np.zeros(frames, np.bool_)
