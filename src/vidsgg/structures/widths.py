"""How wide the features are that come with a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

Width = Annotated[int, Meta(ge=0, le=1_000_000)]


@dataclass(frozen=True)
class FeatureWidths:
    """Columns of node_feature, channels of pair_union, columns of action_feature; 0 for features
    that do not exist."""

    node: Width = 0
    union: Width = 0
    action: Width = 0
