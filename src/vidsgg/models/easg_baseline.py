"""The baseline of EASG's authors: three linear layers on clip and RoI features (Rodin et al., CVPR 2024, section 5).

Source: fpv-iplab/EASG ``easg-generation/run_easg.py``, class ``EASG``. Letters: N nodes, P pairs, U label units, M objects of
units, O object classes with the background at 0, S action classes, C predicates of a group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.errors import ConfigError
from vidsgg.ops.events import EventObjects
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True, eq=False)
class EventLogits:
    """All that the baseline says of a clip, an object of a unit once, whatever the mode gives."""

    found: EventObjects
    actions: Tensor  # (U, S)
    objects: Tensor  # (M, O), the background's column, the first, is never read
    relations: Mapping[str, Tensor]  # (M, C) per group


@dataclass(frozen=True, eq=False)
class EasgBaselineLogits(RelationLogits):
    """learnt: what the loss reads. The other fields hold what the mode asks for, row by row."""

    learnt: EventLogits | None = None


class EasgBaseline(nn.Module):
    """Logits of the action from the clip feature, of an object from its feature, of their relation from both.

    An object's feature is the mean over all boxes of its unit. One training serves all three tasks: the network never reads a
    class, so it learns actions, objects and relations whatever the mode gives.
    """

    def __init__(self, schema: Schema, widths: FeatureWidths) -> None:
        """Raises ConfigError if the data set lacks the features of objects or of actions."""
        super().__init__()
        lacking = [name for name, width in (("objects", widths.node), ("actions", widths.action)) if not width]
        if lacking:
            raise ConfigError(
                f"model easg_baseline reads features of objects and of actions, and {schema.title} has none of {' and '.join(lacking)}"
                " here; add the authors' files, or make such files with 'vidsgg features -videos_path' (docs/easg.md)."
            )
        vocabulary = schema.vocabulary
        self.actions = nn.Linear(widths.action, len(vocabulary.subjects))
        self.objects = nn.Linear(widths.node, len(vocabulary.objects) - 1)
        pair_width = widths.action + widths.node  # the clip feature comes first
        self.relations = nn.ModuleDict({group.name: nn.Linear(pair_width, len(group)) for group in vocabulary.groups})

    def forward(self, clip: Clip) -> EasgBaselineLogits:
        """Logits in the order of the clip's pairs, nodes and units; all rows of an object are equal.

        Raises ConfigError if the clip lacks a feature.
        """
        if clip.node_feature is None or clip.action_feature is None:
            raise ConfigError(
                f"model easg_baseline on {clip.video_ids[0]!r}: the clip has no features of its objects or actions."
            )
        found = EventObjects.of(clip)
        feature = found.mean(clip.node_feature, clip.node_rows)
        pair = torch.cat([clip.action_feature[found.unit], feature], 1)
        learnt = EventLogits(
            found,
            self.actions(clip.action_feature),
            F.pad(self.objects(feature), (1, 0)),
            {name: head(pair) for name, head in self.relations.items()},
        )
        row = found.of_node[clip.pair_object]
        actions_given = bool((clip.action_class >= 0).all())
        return EasgBaselineLogits(
            groups={name: logits[row] for name, logits in learnt.relations.items()},
            objects=None if clip.classes_given else learnt.objects[found.of_node],
            actions=None if actions_given else learnt.actions,
            learnt=learnt,
        )
