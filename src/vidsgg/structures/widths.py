"""How wide the features are that come with a clip."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureWidths:
    """Columns of node_feature, channels of pair_union, columns of action_feature; 0 for features that do not exist."""

    node: int = 0
    union: int = 0
    action: int = 0
