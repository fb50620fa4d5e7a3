"""How wide the features are that come with a clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

Width = Annotated[int, Meta(ge=0, le=1_000_000)]


@dataclass(frozen=True)
class FeatureWidths:
    """Widths of the features in a clip; 0 for features that do not exist."""

    node: Width = 0  #: columns of ``node_feature``
    union: Width = 0  #: channels of ``pair_union``
    action: Width = 0  #: columns of ``action_feature``
