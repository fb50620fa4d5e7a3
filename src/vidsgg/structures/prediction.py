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
    """A model's probabilities for one video, in plain arrays.

    Letters: F frames, N nodes, P pairs, U label units, C predicates of a group, O object classes with
    the background at 0, S subject classes. Indices are as in VideoAnnotation. Fields that the model
    does not predict are None.
    """

    schema: Schema  #: classes, predicates and rules
    video_id: str  #: name of the video
    frame_unit: Array  #: (F,) label unit
    node_box: Array  #: (N, 4) xyxy in pixels of the original frame
    node_class: Array  #: (N,) class; 0 marks a node that is nothing
    node_score: Array  #: (N,) score of the class, 0..1; 1 for given classes
    node_frame: Array  #: (N,) frame
    node_identity: Array  #: (N,) equal for nodes of a unit that are the same object; -1 if unknown
    action_class: Array  #: (U,) class of each unit's action; empty if subjects are nodes
    pair_subject: Array  #: (P,) node, or row of the action
    pair_object: Array  #: (P,) node
    pair_frame: Array  #: (P,) frame
    scores: Mapping[str, Array]  #: (P, C) per group: softmax for ``single``, sigmoid for ``multi`` groups
    object_scores: Array | None = None  #: (N, O) class distributions
    action_scores: Array | None = None  #: (U, S) class distributions
    aleatoric: Mapping[str, Array] | None = None  #: (P, C) per group, see RelationLogits
    epistemic: Mapping[str, Array] | None = None  #: (P, C) per group, see RelationLogits

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
