"""STKET: spatial-temporal knowledge-embedded transformer (Pu et al., IEEE TIP 2024).

Three parts score every pair: the spatial part from its frame, the temporal part from two
neighbouring frames, and the ensemble from what both made of the object's class in the frames
before. Letters: P pairs, D width of a token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy.typing as npt
import torch
from torch import Tensor, nn

from vidsgg.errors import ConfigError
from vidsgg.models.configs import StketConfig, existing_parts
from vidsgg.models.layers.hidden_classes import check_node_features, scored_pairs, settle_by_logits
from vidsgg.models.layers.knowledge import ClassKnowledge, TransitionKnowledge
from vidsgg.models.layers.knowledge_transformer import KnowledgeDecoder, KnowledgeEncoder
from vidsgg.models.layers.object_classifier import ObjectClassifier
from vidsgg.models.layers.pair_encoder import PairEncoder
from vidsgg.models.layers.relation_transformer import LayerConfig
from vidsgg.ops.contacts import contact_group, predicted_contacts
from vidsgg.ops.history import ClassHistory, class_history
from vidsgg.ops.ragged import take_rows
from vidsgg.ops.windows import frame_windows
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

ENSEMBLE_LAYERS = 2


@dataclass(frozen=True, eq=False)
class StketLogits(RelationLogits):
    """parts: logits (P, C) per group of the parts that are trained, and under ``spatial_prior`` and
    ``temporal_prior`` those of the knowledge itself, which only a loss reads. ``groups`` are those
    of the part that answers.
    """

    parts: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


class Stket(nn.Module):
    """Predicate logits for every pair of a clip, by a transformer that gets the predicates that
    are usual for the class of an object."""

    def __init__(self, schema: Schema, widths: FeatureWidths, config: StketConfig, mode: str = "predcls") -> None:
        """Raises ConfigError if the schema has no group of contacts, if the configuration
        contradicts itself or the mode, or if classes have to be guessed but nodes have no features.
        """
        super().__init__()
        self.config, self.mode = config, mode
        self.contacts, self.negative = contact_group(schema)
        parts = _checked_parts(config, mode)
        self.answer = config.part or parts[-1]
        self.pair_encoder = PairEncoder(schema, widths, config.hidden_dim, config.embedding_dim, config.embedding_std)
        dim = self.pair_encoder.width
        objects, predicates = len(schema.vocabulary.objects), len(schema.vocabulary.predicates)
        layer = LayerConfig(config.heads, config.feedforward_dim, config.dropout)
        self.spatial = KnowledgeEncoder(config.spatial_layer, dim, layer)
        self.temporal = KnowledgeDecoder(config.temporal_layer, dim, layer)
        self.ensemble = KnowledgeDecoder(ENSEMBLE_LAYERS if "ensemble" in parts else 0, dim, layer)
        reads = config.use_spatial_prior and config.spatial_layer
        self.spatial_knowledge = ClassKnowledge(objects, predicates, dim) if reads else None
        reads = config.use_temporal_prior and config.temporal_layer
        self.temporal_knowledge = TransitionKnowledge(objects, predicates, len(self.contacts), dim) if reads else None
        self.frame_position = _positions(2, dim) if "temporal" in parts else None
        self.key_position = _positions(config.window_size, dim) if "ensemble" in parts else None
        groups = schema.vocabulary.groups
        self.heads = nn.ModuleDict(
            {part: nn.ModuleDict({g.name: nn.Linear(dim, len(g)) for g in groups}) for part in parts}
        )
        self.object_classifier = None
        if mode != "predcls":
            check_node_features("STKET", schema, widths)
            self.object_classifier = ObjectClassifier(
                schema, widths, config.embedding_dim, config.embedding_std, mode=mode
            )

    @property
    def knows(self) -> bool:
        """Whether any part reads priors."""
        return self.spatial_knowledge is not None or self.temporal_knowledge is not None

    @torch.no_grad()
    def start_from(self, initial: npt.ArrayLike, transition: npt.ArrayLike) -> None:
        """Fill the tables of priors: frequencies (O, R) and (O, C, R), see ``datasets.priors``.
        Without them they are zero."""
        for knowledge in (self.spatial_knowledge, self.temporal_knowledge):
            if knowledge is not None:
                knowledge.initial.copy_(torch.as_tensor(initial))
        if self.temporal_knowledge is not None:
            self.temporal_knowledge.transition.copy_(torch.as_tensor(transition))

    def forward(self, clip: Clip) -> StketLogits:
        """Logits (P, C) per group, in the order of the clip's pairs. Every video of the clip is
        treated as if it were alone.

        Classes that are not given: see ``scored_pairs``, also for what is raised.
        """
        pairs = scored_pairs(clip, "STKET", self.object_classifier, settle_by_logits)
        scored = self.mode != "predcls" if clip.classes_given else pairs.settled is not None
        return self._relations(pairs.clip, pairs.node_class, pairs.guess, pairs.settled, scored=scored)

    def _relations(
        self,
        clip: Clip,
        node_class: Tensor,
        objects: Tensor | None = None,
        settled: Clip | None = None,
        *,
        scored: bool = False,
    ) -> StketLogits:
        """scored: the objects are guesses, and the surest of a class represents it in a frame; else
        the last one does.

        In its own frame a pair meets the one that represents its class among the pairs up to itself
        (``ClassHistory.running``), in earlier frames the one that does among all pairs of the frame
        (``final``). This decides whose contacts give the transition prior of the earlier frame of a
        window (the running one's), whose contacts are those before a pair (the final one's of the
        latest earlier frame within reach, else the running one's), and the tokens of the ensemble
        (final ones, then the running one's).
        """
        object_class = node_class[clip.pair_object]
        score = clip.node_score[clip.pair_object] if scored else None
        history = class_history(object_class, clip.pair_frame, clip.frame_video, score)
        tokens = self.pair_encoder(clip, node_class, clip.action_class)

        prior = take_rows(self.spatial_knowledge(), object_class) if self.spatial_knowledge is not None else None
        # the reference repeats the temporal part too, of which only the last round is read
        for _ in range(self.config.N_layer):
            tokens = self.spatial(tokens, prior, clip.pair_frame)
        features = {"spatial": tokens, "spatial_prior": prior}
        contacts = self._contacts(clip, tokens)
        if "temporal" in self.heads:
            features["temporal"] = self._over_frames(tokens, clip, object_class, contacts[history.running])
        if self.temporal_knowledge is not None:
            features["temporal_prior"] = self.temporal_knowledge.after(object_class, contacts[history.before()])
        if "ensemble" in self.heads:
            features["ensemble"] = self._over_key_frames((tokens + features["temporal"]) / 2, history)

        parts = {
            name: {group: head(x) for group, head in self._heads_of(name.removesuffix("_prior")).items()}
            for name, x in features.items()
            if x is not None
        }
        answer = parts[self.answer]
        if self.config.reference_compat and not self.config.spatial_layer and len(parts) > 1:
            del parts["spatial"]
        return StketLogits(answer, objects, clip=settled, parts=parts)

    def _heads_of(self, part: str) -> nn.ModuleDict:
        heads = self.heads[part]
        assert isinstance(heads, nn.ModuleDict)
        return heads

    def _contacts(self, clip: Clip, spatial: Tensor) -> Tensor:
        """(P, C) bool: the contacts of every pair, as the spatial part sees them."""
        if not self.config.oracle_contacts:
            logits: Tensor = self._heads_of("spatial")[self.contacts.name](spatial)
            return predicted_contacts(logits, self.negative, self.config.pred_contact_threshold)
        if clip.labels is None:
            raise ConfigError(
                f"option -oracle_contacts: {clip.video_ids[0]!r} has no annotated contacts to read; leave the option"
                " out."
            )
        return clip.labels[self.contacts.name]

    def _over_frames(self, tokens: Tensor, clip: Clip, object_class: Tensor, contacts: Tensor) -> Tensor:
        """Pair tokens (P, D) through the temporal part. In a window the later frame reads what is
        known of its classes and the earlier one what to expect after ``contacts`` (P, C), unless it
        is the first of the video.
        """
        assert self.frame_position is not None
        windows = frame_windows(clip.pair_frame, clip.frame_video)
        prior = None
        if self.temporal_knowledge is not None:
            of_class = self.temporal_knowledge()
            known = torch.cat([of_class, self.temporal_knowledge.after(object_class, contacts)])
            opens = clip.pair_frame == torch.searchsorted(clip.frame_video, clip.frame_video[clip.pair_frame])
            initial = (windows.slot == 1) | opens[windows.pair]
            prior = take_rows(known, torch.where(initial, object_class[windows.pair], len(of_class) + windows.pair))
        tokens = self.temporal(tokens, prior, self.frame_position.weight, windows)
        if self.config.reference_compat:
            tokens = tokens * (torch.bincount(clip.frame_video)[clip.frame_video[clip.pair_frame]] > 1)[:, None]
        return tokens

    def _over_key_frames(self, tokens: Tensor, history: ClassHistory) -> Tensor:
        """Pair tokens (P, D) through the ensemble: pairs that the same one represents in their
        frame share its result."""
        assert self.key_position is not None
        windows, window = history.key_frames(self.config.window_size)
        return take_rows(self.ensemble(tokens, None, self.key_position.weight, windows), window)


def _checked_parts(config: StketConfig, mode: str) -> tuple[str, ...]:
    """The parts that there are. Raises ConfigError."""
    if not 0 < config.pred_contact_threshold < 1:
        raise ConfigError(
            f"option -pred_contact_threshold: {config.pred_contact_threshold} is no probability between 0 and 1. 1.0,"
            " by which the reference reads the annotated contacts instead of predicting them, is -oracle_contacts True"
            " here."
        )
    if config.oracle_contacts and mode != "predcls":
        raise ConfigError(
            f"option -oracle_contacts: annotated contacts belong to annotated pairs, which mode {mode!r} has to guess."
        )
    parts = existing_parts(config.spatial_layer, config.temporal_layer)
    if config.part not in (None, *parts):
        raise ConfigError(
            f"option -part: there is no {config.part!r} part with {config.spatial_layer} spatial and"
            f" {config.temporal_layer} temporal layers, only {', '.join(parts)}."
        )
    return parts


def _positions(count: int, dim: int) -> nn.Embedding:
    table = nn.Embedding(count, dim)
    nn.init.uniform_(table.weight)
    return table
