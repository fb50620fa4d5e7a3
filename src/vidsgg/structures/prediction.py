"""What a model says about one video, as probabilities in plain arrays: the bridge from models to
metrics and graphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from vidsgg.errors import DataError
from vidsgg.structures.checks import Array, check_index, check_ordered, freeze
from vidsgg.structures.schema import Schema


@dataclass(frozen=True, eq=False)
class VideoPrediction:
    """Scored relations of one video. F frames, N nodes, P pairs, U label units; index columns as in
    VideoAnnotation.

    node_class (N,), node_score (N,): class and its score; given classes score 1. Class 0 marks a
    node that is nothing. action_class (U,): class of the action of each unit, empty when subjects
    are nodes.
    scores: probabilities (P, C) of every predicate group: softmax for "single", sigmoid for "multi"
    groups. object_scores (N, O), action_scores (U, S): class distributions where the model predicts
    them, else None.
    aleatoric, epistemic: (P, C) of every group, see RelationLogits, where the model estimates them,
    else None.
    """

    schema: Schema
    video_id: str
    frame_unit: Array
    node_box: Array
    node_class: Array
    node_score: Array
    node_frame: Array
    node_identity: Array
    action_class: Array
    pair_subject: Array
    pair_object: Array
    pair_frame: Array
    scores: Mapping[str, Array]
    object_scores: Array | None = None
    action_scores: Array | None = None
    aleatoric: Mapping[str, Array] | None = None
    epistemic: Mapping[str, Array] | None = None

    def __post_init__(self) -> None:
        where = f"prediction for video {self.video_id!r}"

        def take(name: str, dtype: type, shape: tuple[int | None, ...]) -> Array:
            array = freeze(where, name, getattr(self, name), dtype, shape)
            object.__setattr__(self, name, array)
            return array

        vocabulary = self.schema.vocabulary
        unit = take("frame_unit", np.int64, (None,))
        nodes = len(take("node_box", np.float32, (None, 4)))
        check_index(
            where, "node_class", take("node_class", np.int64, (nodes,)), len(vocabulary.objects), into="object classes"
        )
        take("node_score", np.float32, (nodes,))
        check_index(where, "node_frame", take("node_frame", np.int64, (nodes,)), len(unit), into="frames")
        take("node_identity", np.int64, (nodes,))
        actions = len(take("action_class", np.int64, (None,)))
        pairs = len(take("pair_frame", np.int64, (None,)))
        subjects = nodes if self.schema.subject_has_box else actions
        check_index(where, "pair_subject", take("pair_subject", np.int64, (pairs,)), subjects, into="subjects")
        check_index(where, "pair_object", take("pair_object", np.int64, (pairs,)), nodes, into="nodes")
        check_index(where, "pair_frame", self.pair_frame, len(unit), into="frames")
        check_ordered(where, "pair_frame", self.pair_frame)
        for column in ("scores", "aleatoric", "epistemic"):
            tables = getattr(self, column)
            if tables is None:
                continue
            checked = {
                g.name: freeze(where, f"{column}[{g.name!r}]", tables[g.name], np.float32, (pairs, len(g)))
                for g in vocabulary.groups
            }
            for name, table in checked.items():
                if not np.isfinite(table).all():
                    raise DataError(
                        f"{where}: {column}[{name!r}] holds a value that is not finite; the model has diverged."
                    )
            object.__setattr__(self, column, MappingProxyType(checked))
        if self.object_scores is not None:
            take("object_scores", np.float32, (nodes, len(vocabulary.objects)))
        if self.action_scores is not None:
            take("action_scores", np.float32, (actions, len(vocabulary.subjects)))

    @property
    def frames(self) -> int:
        return len(self.frame_unit)
