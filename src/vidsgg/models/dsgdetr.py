"""DSG-DETR: long-term dependencies for dynamic scene graphs (Feng et al., WACV 2023), and the
network that ImparTail calls STTran.

STTran's pair tokens with sequences over the whole video in place of windows of two frames: nodes
are encoded within tracklets or classes, pairs with the other pairs of their object's class. Despite
the name it has no DETR: the name is of the matcher of its tracker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.errors import ConfigError, DataError
from vidsgg.models.configs import DsgDetrConfig
from vidsgg.models.layers.hidden_classes import check_node_features, scored_pairs
from vidsgg.models.layers.object_classifier import NodeEncoder, ObjectClassifier, class_distribution
from vidsgg.models.layers.pair_encoder import PairEncoder
from vidsgg.models.layers.relation_transformer import LayerConfig, SpatialEncoder
from vidsgg.models.layers.sequence_encoder import SequenceEncoder
from vidsgg.ops.detections import settle_detections
from vidsgg.ops.pairing import most_likely, settle
from vidsgg.ops.sequences import Sequences, sequences_of
from vidsgg.ops.tracklets import tracklets
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

OVERLAP_WITHOUT_ENCODER = 0.2  # of ImparTail's STTran in SGDET, where DSG-DETR has 0.6


@dataclass(frozen=True, eq=False)
class _Guess:
    features: Tensor  # (N, D): of the nodes, as pairs read them
    logits: Tensor  # (N, O), background first


class DsgDetr(nn.Module):
    """Predicate logits for every pair of a clip.

    An encoder over sequences of nodes, whose output is classified outside predcls and takes the
    place of the nodes' features; pair tokens; a spatial encoder over the pairs of each frame; an
    encoder over all pairs of the video that have an object of the same class; one linear head per
    predicate group.
    """

    def __init__(self, schema: Schema, widths: FeatureWidths, config: DsgDetrConfig, mode: str = "predcls") -> None:
        """Raises ConfigError if the heads do not divide the width of nodes, or if nodes have no
        features and their classes have to be guessed or their tracklets found."""
        super().__init__()
        if mode != "predcls":
            check_node_features("DSG-DETR", schema, widths)
        if config.indices == "tracks" and not widths.node:
            raise ConfigError(
                "option -indices: tracklets are matched by features of objects, which are not read here; take"
                " -indices class, or leave it out."
            )
        self.config, self.mode = config, mode
        layer = LayerConfig(config.heads, config.feedforward_dim, config.dropout)
        self.nodes = self.sequences = None
        if config.object_encoder or mode != "predcls":
            kind = NodeEncoder if mode == "predcls" else ObjectClassifier
            self.nodes = kind(schema, widths, config.embedding_dim, config.embedding_std, config.dropout, mode=mode)
        if config.object_encoder:
            assert self.nodes is not None
            width = self.nodes.encoded_width
            if width % config.heads:
                raise ConfigError(
                    f"option -heads: nodes are {width} wide, which object sequences cannot split into {config.heads} heads; take other -heads"
                    " or another -embedding_dim."
                )
            self.sequences = SequenceEncoder(
                config.object_layer, width, replace(layer, feedforward_dim=config.object_feedforward_dim)
            )
            widths = replace(widths, node=width)
        self.pair_encoder = PairEncoder(schema, widths, config.hidden_dim, config.embedding_dim, config.embedding_std)
        dim = self.pair_encoder.width
        self.spatial = SpatialEncoder(config.spatial_layer, dim, layer)
        self.temporal = SequenceEncoder(config.temporal_layer, dim, layer)
        self.heads = nn.ModuleDict({group.name: nn.Linear(dim, len(group)) for group in schema.vocabulary.groups})

    def forward(self, clip: Clip) -> RelationLogits:
        """Logits (P, C) per group, in the order of the clip's pairs. Every video of the clip is
        treated as if it were alone.

        Where classes are hidden there are object logits too; see ``scored_pairs``, also for what is
        raised. Open pairs of detections are settled from the model's own classes
        (``settle_detections``); without the object encoder from the detector's. Raises DataError if
        tracklets are needed and the clip does not tell the numbers of its frames.
        """
        classify: Callable[[Clip], _Guess] | None = self._guess if isinstance(self.nodes, ObjectClassifier) else None
        pairs = scored_pairs(clip, "DSG-DETR", classify, self._settle)
        features = self._encode(pairs.clip)[1] if pairs.guess is None else pairs.guess.features
        groups = self._relations(replace(pairs.clip, node_feature=features), pairs.node_class)
        return RelationLogits(groups, None if pairs.guess is None else pairs.guess.logits, clip=pairs.settled)

    def node_sequences(self, clip: Clip) -> Sequences:
        """The sequences of the nodes of a clip with node_distribution.

        A node's position is its rank in the sequence; in SGDET, where a class has several boxes in
        a frame, it is that of its frame.
        """
        assert clip.node_distribution is not None
        klass = most_likely(clip.node_distribution)
        kind = self.config.indices
        if kind == "tracks" or (kind == "auto" and self.mode == "sgcls"):
            return sequences_of(self._tracklets(clip, klass), clip.node_frame, clip.frame_video, frames_share=False)
        return sequences_of(klass, clip.node_frame, clip.frame_video, frames_share=self.mode == "sgdet")

    def pair_sequences(self, clip: Clip, node_class: Tensor) -> Sequences:
        """The pairs with an object of one class in the whole video; in SGDET pairs of one frame
        share a position."""
        return sequences_of(
            node_class[clip.pair_object], clip.pair_frame, clip.frame_video, frames_share=self.mode == "sgdet"
        )

    def _encode(self, clip: Clip) -> tuple[Tensor | None, Tensor | None]:
        """What is classified (N, D), None in predcls without the object encoder, and what pairs
        read (N, D')."""
        if self.nodes is None:
            return None, clip.node_feature
        if clip.classes_given:  # the word of a known class is its own
            hot = F.one_hot(clip.node_class, 1 + self.nodes.embedding.num_embeddings)
            clip = replace(clip, node_distribution=hot.to(self.nodes.embedding.weight.dtype))
        encoded = self.nodes.encode(clip)
        if self.sequences is None:
            return encoded, clip.node_feature
        encoded = self.sequences(encoded, self.node_sequences(clip))
        return encoded, encoded

    def _guess(self, clip: Clip) -> _Guess:
        assert isinstance(self.nodes, ObjectClassifier)
        encoded, features = self._encode(clip)
        assert encoded is not None and features is not None
        return _Guess(features, self.nodes.classify(encoded, clip))

    def _settle(self, clip: Clip, guess: _Guess) -> tuple[Clip, _Guess]:
        if self.mode != "sgdet":
            return settle(clip, class_distribution(guess.logits)), guess
        if self.sequences is None:
            assert clip.node_distribution is not None
            settled, row = settle_detections(
                clip, clip.node_distribution, doubt="model", overlap=OVERLAP_WITHOUT_ENCODER
            )
        else:  # the background has its share, unlike in SGCLS
            settled, row = settle_detections(clip, F.pad(guess.logits.float().softmax(1)[:, 1:], (1, 0)), doubt="model")
        return settled, _Guess(guess.features[row], guess.logits[row])

    def _relations(self, clip: Clip, node_class: Tensor) -> dict[str, Tensor]:
        tokens = self.spatial(self.pair_encoder(clip, node_class, clip.action_class), clip.pair_frame)
        tokens = self.temporal(tokens, self.pair_sequences(clip, node_class))
        return {name: head(tokens) for name, head in self.heads.items()}

    def _tracklets(self, clip: Clip, klass: Tensor) -> Tensor:
        """(N,) long: the tracklet of every node, by number within its video."""
        if clip.frame_number is None:
            raise DataError(
                f"clip of {', '.join(clip.video_ids[:3])}: tracklets need frame_number, which the clip does not have."
            )
        assert clip.node_feature is not None
        frame = torch.searchsorted(clip.frame_video, torch.arange(clip.videos + 1, device=clip.device)).tolist()
        found = []
        for begin, end in pairwise(frame):
            video = clip.between(begin, end)
            rows = slice(*torch.searchsorted(clip.node_frame, torch.tensor([begin, end], device=clip.device)).tolist())
            number, feature = video.frame_number, video.node_feature
            assert number is not None and feature is not None
            columns = (
                video.node_frame,
                video.node_box,
                klass[rows] - 1,
                feature.detach().float(),
                number,
                video.frame_size,
            )
            given = [column.cpu().numpy() for column in columns]
            classes = len(clip.schema.vocabulary.objects) - 1
            found.append(torch.from_numpy(tracklets(*given, classes=classes, swapped=self.config.track_norm == "hw")))
        return torch.cat(found).to(clip.device)
