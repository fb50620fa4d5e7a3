"""STTran: spatial-temporal transformer for dynamic scene graph generation (Cong et al., ICCV 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.errors import ConfigError
from vidsgg.models.capabilities import Capabilities
from vidsgg.models.layers.attention import RaggedAttention
from vidsgg.models.layers.object_classifier import ObjectClassifier, class_distribution
from vidsgg.models.layers.pair_encoder import PairEncoder
from vidsgg.ops.pairing import settle
from vidsgg.ops.ragged import RaggedLayout, take_rows
from vidsgg.ops.windows import FrameWindows, frame_windows
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import MODES, Schema
from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class STTranConfig:
    """Sizes; the defaults are the published ones.

    spatial_layer, temporal_layer: encoder layers within a frame, decoder layers over two frames. hidden_dim: width of each visual
    part of the pair token. embedding_std: standard deviation of the start of the class embeddings; with many classes that are rare or
    absent in training a small one generalises better (see ClassEmbedding). feedforward_dim: hidden width of the layers' feed-forward
    part. reference_compat: a one-frame video has no window in the reference, so its transformer output is zero and
    its predictions are constant; by default we let its pairs attend to each other.
    """

    spatial_layer: int = 1
    temporal_layer: int = 3
    hidden_dim: int = 512
    embedding_dim: int = 200
    embedding_std: float = 1.0
    heads: int = 8
    feedforward_dim: int = 2048
    dropout: float = 0.1
    reference_compat: bool = False


class _FeedForward(nn.Module):
    """linear2(dropout(relu(linear1 x))), followed by dropout."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.dropout(F.relu(self.linear1(x), inplace=True), self.dropout, self.training)
        return F.dropout(self.linear2(hidden), self.dropout, self.training)


class SpatialLayer(nn.Module):
    """Post-norm encoder layer over the pairs of one frame (section 3.3, spatial encoder)."""

    def __init__(self, dim: int, config: STTranConfig) -> None:
        super().__init__()
        self.attention = RaggedAttention(dim, config.heads, config.dropout)
        self.feedforward = _FeedForward(dim, config.feedforward_dim, config.dropout)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, layout: RaggedLayout) -> Tensor:
        x = self.norm1(x + self.dropout(self.attention(*self.attention.project(x), layout)))
        return self.norm2(x + self.feedforward(x))


class TemporalLayer(nn.Module):
    """Decoder layer over the pairs of two neighbouring frames (section 3.3, temporal decoder).

    As in the authors' code there is no cross attention, no norm after the feed-forward, and the frame position is added to queries
    and keys in every layer but not to values.
    """

    def __init__(self, dim: int, config: STTranConfig) -> None:
        super().__init__()
        self.attention = RaggedAttention(dim, config.heads, config.dropout)
        self.feedforward = _FeedForward(dim, config.feedforward_dim, config.dropout)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, position: Tensor, windows: FrameWindows, *, first: bool, last: bool) -> Tensor:
        """x: tokens of all windows (M, D), or in the first layer the pairs (P, D); position: (2, D).

        Two savings leave the numbers as they are. Before the first layer a pair is the same token in both of its windows, and since
        projections are linear, that of x + position is the sum of two: each pair is projected once. In the last layer only the tokens
        that are read ask: it returns (P, D), in the order of ``windows.read``.
        """
        if first:
            q, k, v = self._project_once(x, position, windows)
            x = take_rows(x, windows.pair)
            q = q[windows.read] if last else q
        else:
            placed = x + take_rows(position, windows.slot)
            q, k, v = self.attention.project_apart(placed[windows.read] if last else placed, placed, x)
        mixed = self.attention(q, k, v, windows.layout, windows.read_layout if last else None)
        x = self.norm((x[windows.read] if last else x) + self.dropout(mixed))
        return x + self.feedforward(x)

    def _project_once(self, pairs: Tensor, position: Tensor, windows: FrameWindows) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (M, D) of the window tokens, from one projection of every pair (P, D) and every position (2, D)."""
        count = len(pairs)
        q, k, v = self.attention.project(torch.cat([pairs, position]))
        bias_q, bias_k, _ = self.attention.in_proj_bias.chunk(3)  # counted twice in the sum below
        shift_q, shift_k = take_rows(q[count:] - bias_q, windows.slot), take_rows(k[count:] - bias_k, windows.slot)
        q, k, v = (take_rows(part[:count], windows.pair) for part in (q, k, v))
        return q + shift_q, k + shift_k, v


class STTran(nn.Module):
    """Predicate logits for every pair of a clip.

    Pair tokens, a spatial encoder over the pairs of each frame, a temporal decoder over windows of two neighbouring frames, one
    linear head per predicate group. Outside predcls an object classifier beside them.
    """

    capabilities = Capabilities(modes={"entity": MODES, "action": ("predcls",)}, recomputable=("spatial", "temporal"))

    def __init__(self, schema: Schema, widths: FeatureWidths, config: STTranConfig, mode: str = "predcls") -> None:
        """Raises ConfigError if the classes have to be guessed but nodes have no features."""
        super().__init__()
        self.config = config
        self.pair_encoder = PairEncoder(schema, widths, config.hidden_dim, config.embedding_dim, config.embedding_std)
        dim = self.pair_encoder.width
        self.spatial = nn.ModuleList(SpatialLayer(dim, config) for _ in range(config.spatial_layer))
        self.temporal = nn.ModuleList(TemporalLayer(dim, config) for _ in range(config.temporal_layer))
        self.frame_position = nn.Embedding(2, dim)
        nn.init.uniform_(self.frame_position.weight)
        self.heads = nn.ModuleDict({group.name: nn.Linear(dim, len(group)) for group in schema.vocabulary.groups})
        self.object_classifier = None
        if mode != "predcls":
            if not widths.node:
                raise ConfigError(f"STTran guesses classes from RoI features, which {schema.name!r} does not have here; use mode predcls.")
            self.object_classifier = ObjectClassifier(schema.vocabulary, widths.node, config.embedding_dim, config.embedding_std)

    def forward(self, clip: Clip) -> RelationLogits:
        """Logits (P, C) per group, in the order of the clip's pairs. Every video of the clip is treated as if it were alone.

        Where classes are not given there are object logits too. With open pairs the classes and pairs follow from them, and the pairs are
        those of the settled clip that is returned; else, in training, a pair's classes are those to learn (``node_target``), as in the
        reference. Detected boxes come with classes when they are scored, so that the classifier is not asked then, as in the
        reference. Raises ConfigError if classes are hidden from a model of mode predcls, or there are none to learn.
        """
        if clip.classes_given:
            return RelationLogits(self._relations(clip, clip.node_class))
        where = f"STTran on {clip.video_ids[0]!r}"
        if self.object_classifier is None:
            raise ConfigError(f"{where}: the model was made for mode predcls, but the classes are hidden; make one for their mode.")
        objects = self.object_classifier(clip)
        if not clip.pairs_open:
            if clip.node_target is None:
                raise ConfigError(
                    f"{where}: the classes are neither given nor to be learnt, and the pairs are not open; see structures.Clip."
                )
            return RelationLogits(self._relations(clip, clip.node_target), objects)
        settled = settle(clip, class_distribution(objects))
        return RelationLogits(self._relations(settled, settled.node_class), objects, clip=settled)

    def _relations(self, clip: Clip, node_class: Tensor) -> dict[str, Tensor]:
        tokens = self.transform(self.pair_encoder(clip, node_class, clip.action_class), clip)
        return {name: head(tokens) for name, head in self.heads.items()}

    def transform(self, tokens: Tensor, clip: Clip) -> Tensor:
        """Pair tokens (P, D) through the spatial encoder and the temporal decoder."""
        if len(tokens) == 0:
            return tokens
        frame_layout = RaggedLayout.from_sorted(clip.pair_frame)
        for layer in self.spatial:
            tokens = layer(tokens, frame_layout)
        if self.temporal:
            windows = frame_windows(clip.pair_frame, clip.frame_video)
            last = len(self.temporal) - 1
            for i, layer in enumerate(self.temporal):
                tokens = layer(tokens, self.frame_position.weight, windows, first=i == 0, last=i == last)
            tokens = tokens[windows.order]
        if self.config.reference_compat:
            frames = torch.bincount(clip.frame_video, minlength=clip.videos)
            tokens = tokens * (frames[clip.frame_video[clip.pair_frame]] > 1)[:, None]
        return tokens
