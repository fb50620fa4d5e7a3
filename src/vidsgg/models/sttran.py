"""STTran: spatial-temporal transformer for dynamic scene graph generation (Cong et al., ICCV
2021)."""

from __future__ import annotations

from torch import Tensor, nn

from vidsgg.models.configs import STTranConfig
from vidsgg.models.layers.action_classifier import ActionClassifier, with_guessed_actions
from vidsgg.models.layers.hidden_classes import check_node_features, scored_pairs, settle_by_logits
from vidsgg.models.layers.object_classifier import ObjectClassifier
from vidsgg.models.layers.pair_encoder import PairEncoder
from vidsgg.models.layers.relation_transformer import LayerConfig, SpatialEncoder, TemporalDecoder
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


class STTran(nn.Module):
    """Predicate logits for every pair of a clip.

    Pair tokens, a spatial encoder over the pairs of each frame, a temporal decoder over windows of
    two neighbouring frames, one linear head per predicate group. Outside predcls an object
    classifier beside them, and an action classifier where the action is hidden.
    """

    def __init__(self, schema: Schema, widths: FeatureWidths, config: STTranConfig, mode: str = "predcls") -> None:
        """Raises ConfigError if the classes of boxes have to be guessed but nodes have no features."""
        super().__init__()
        self.config = config
        self.pair_encoder = PairEncoder(schema, widths, config.hidden_dim, config.embedding_dim, config.embedding_std)
        dim = self.pair_encoder.width
        layer = LayerConfig(config.heads, config.feedforward_dim, config.dropout)
        self.spatial = SpatialEncoder(config.spatial_layer, dim, layer)
        self.temporal = TemporalDecoder(config.temporal_layer, dim, layer)
        self.frame_position = nn.Embedding(2, dim)
        nn.init.uniform_(self.frame_position.weight)
        self.heads = nn.ModuleDict({group.name: nn.Linear(dim, len(group)) for group in schema.vocabulary.groups})
        self.object_classifier = None
        if mode != "predcls":
            check_node_features("STTran", schema, widths)
            self.object_classifier = ObjectClassifier(
                schema, widths, config.embedding_dim, config.embedding_std, mode=mode
            )
        self.action_classifier = None
        if schema.hides_actions(mode):
            self.action_classifier = ActionClassifier(schema, widths, config.embedding_dim, config.embedding_std)

    def forward(self, clip: Clip) -> RelationLogits:
        """Logits (P, C) per group, in the order of the clip's pairs. Every video of the clip is
        treated as if it were alone.

        Where classes are not given there are object logits too; see ``scored_pairs``, also for what
        is raised. Detected boxes come with classes when they are scored, so that the classifier is
        not asked then, as in the reference.
        """
        pairs = scored_pairs(clip, "STTran", self.object_classifier, settle_by_logits)
        seen, actions = with_guessed_actions(pairs.clip, self.action_classifier)
        return RelationLogits(self._relations(seen, pairs.node_class), pairs.guess, actions, clip=pairs.settled)

    def _relations(self, clip: Clip, node_class: Tensor) -> dict[str, Tensor]:
        tokens = self.transform(self.pair_encoder(clip, node_class, clip.action_class), clip)
        return {name: head(tokens) for name, head in self.heads.items()}

    def transform(self, tokens: Tensor, clip: Clip) -> Tensor:
        """Pair tokens (P, D) through the spatial encoder and the temporal decoder."""
        tokens = self.spatial(tokens, clip.pair_frame)
        transformed: Tensor = self.temporal(
            tokens,
            self.frame_position.weight,
            clip.pair_frame,
            clip.frame_video,
            reference_compat=self.config.reference_compat,
        )
        return transformed
