"""TEMPURA: unbiased scene graph generation in videos (Nag et al., CVPR 2023).

STTran's transformer over pair tokens with three parts more: nodes are classified within sequences
of their class, features look up prototypes of every class that were gathered over the epoch before,
and predicates are scored by mixtures that know their uncertainty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.errors import ConfigError
from vidsgg.models.configs import TempuraConfig, WeightKind
from vidsgg.models.layers.action_classifier import ActionClassifier, with_guessed_actions
from vidsgg.models.layers.hidden_classes import check_node_features, scored_pairs
from vidsgg.models.layers.memory import MemoryDiffusion, PrototypeBank, Share
from vidsgg.models.layers.mixture_head import Mixture, MixtureHead, Noise
from vidsgg.models.layers.object_memory import ObjectGuess, ObjectPart
from vidsgg.models.layers.pair_encoder import PairEncoder
from vidsgg.models.layers.relation_transformer import LayerConfig, SpatialEncoder, TemporalDecoder
from vidsgg.models.layers.sequence_encoder import SequenceEncoder
from vidsgg.ops.detections import settle_detections
from vidsgg.ops.pairing import most_likely, settle
from vidsgg.ops.sequences import sequences_of
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits, Uncertainty
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

SEQUENCE_LAYERS, SEQUENCE_HIDDEN = 3, 1024  # of the encoder over class sequences


@dataclass(frozen=True, eq=False)
class TempuraLogits(RelationLogits):
    """node_features (N, D): after the object memory. mixture_weights: log weights (R, K) of every
    mixture head, by predicate group and "objects". object_uncertainty: aleatoric and epistemic (N,
    O).
    """

    node_features: Tensor | None = None
    mixture_weights: Mapping[str, Tensor] = field(default_factory=dict)
    object_uncertainty: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True, eq=False)
class _Scored:
    """relation_features (P, D), object_features (N, D'): those that prototypes are made of."""

    logits: TempuraLogits
    relation_features: Tensor
    object_features: Tensor | None


class TEMPURA(nn.Module):
    """Predicate logits with their uncertainty for every pair of a clip.

    While it is trained it gathers features for its memory: ``gather`` is to be called after every
    step, ``renew_memory`` before every epoch.
    """

    def __init__(self, schema: Schema, widths: FeatureWidths, config: TempuraConfig, mode: str = "predcls") -> None:
        """Raises ConfigError if classes have to be guessed but nodes have no features, or if an
        option needs guesses where there are none."""
        super().__init__()
        self.config, self.mode = config, mode
        self.noise: Noise = torch.randn_like  # of the mixtures in training; may be replaced
        share: Share = "automated" if config.mem_feat_selection == "automated" else config.mem_feat_lambda
        self.objects, self.sequences = _object_part(schema, widths, config, mode, share)
        self.action_classifier = None
        if schema.hides_actions(mode):
            self.action_classifier = ActionClassifier(schema, widths, config.embedding_dim, config.embedding_std)
        if config.take_obj_mem_feat:
            if self.objects is None:
                raise ConfigError(
                    "option -take_obj_mem_feat: mode predcls gives the classes, so that no node has such features."
                )
            widths = replace(widths, node=self.objects.width)
        self.pair_encoder = PairEncoder(schema, widths, config.hidden_dim, config.embedding_dim, config.embedding_std)
        dim, layer = self.pair_encoder.width, _layer(config, config.feedforward_dim)
        self.spatial = SpatialEncoder(config.spatial_layer, dim, layer)
        self.temporal = TemporalDecoder(config.temporal_layer, dim, layer)
        self.frame_position = nn.Embedding(2, dim)
        nn.init.uniform_(self.frame_position.weight)
        groups = schema.vocabulary.groups
        asked = (
            tuple(group.name for group in groups) if config.rel_mem_compute in ("separate", "seperate") else ("joint",)
        )
        self.memory = MemoryDiffusion(dim, asked, share) if config.rel_mem_compute else None
        self.banks = nn.ModuleDict(
            {group.name: PrototypeBank(len(group), dim) for group in groups} if config.rel_mem_compute else {}
        )
        self.heads = nn.ModuleDict(
            {
                group.name: (
                    MixtureHead(dim, len(group), config.num_mixtures, group.kind)
                    if config.rel_head == "gmm"
                    else nn.Linear(dim, len(group))
                )
                for group in groups
            }
        )

    def forward(self, clip: Clip) -> TempuraLogits:
        """Logits (P, C) per group, in the order of the clip's pairs. Every video of the clip is
        treated as if it were alone.

        Classes that are hidden: see ``scored_pairs``, also for what is raised. Open pairs of
        detections are settled from the model's own classes, which come after the detector's
        (``settle_detections``). In training the logits of mixtures are noisy, and what the memory
        needs is recorded.
        """
        scored = self._score(clip)
        if not self.training or clip.labels is None:
            return scored.logits
        seen = self._look_again(clip) if self.config.memory_pass else scored
        self._record(seen, clip)
        told = {name: getattr(seen.logits, name) for name in ("uncertainty", "object_uncertainty")}
        return replace(scored.logits, **told)

    def renew_memory(self) -> None:
        """Prototypes of what the epoch before gathered; without anything gathered they stay."""
        for bank in self._all_banks():
            bank.renew()

    def gather(self, add_up: Callable[[Tensor], None]) -> None:
        """Gather what was recorded since the last step. add_up: sums a tensor over all processes,
        in place."""
        for bank in self._all_banks():
            bank.add_up(add_up)

    def _all_banks(self) -> list[PrototypeBank]:
        return [module for module in self.modules() if isinstance(module, PrototypeBank)]

    def _score(self, clip: Clip) -> _Scored:
        pairs = scored_pairs(clip, "TEMPURA", self._guess if self.objects is not None else None, self._settle)
        if pairs.guess is None:
            clip = pairs.clip
            if self.config.take_obj_mem_feat:  # classes that the model has settled itself before, see score_apart
                clip = self._seen(clip, self._guess(clip).remembered)
            return self._relations(clip, pairs.node_class)
        clip, actions = with_guessed_actions(pairs.clip, self.action_classifier)
        scored = self._relations(self._seen(clip, pairs.guess.remembered), pairs.node_class)
        logits = replace(scored.logits, actions=actions, clip=pairs.settled)
        return self._with_objects(replace(scored, logits=logits), pairs.guess)

    def _guess(self, clip: Clip) -> ObjectGuess:
        assert self.objects is not None
        nodes = self.objects.encode(clip)
        if len(self.sequences):
            assert clip.node_distribution is not None
            klass = most_likely(clip.node_distribution)
            nodes = self.sequences(nodes, sequences_of(klass, clip.node_frame, clip.frame_video, frames_share=True))
        guess: ObjectGuess = self.objects(nodes, clip, self.noise if self.training else None)
        return guess

    def _settle(self, clip: Clip, guess: ObjectGuess) -> tuple[Clip, ObjectGuess]:
        if self.mode == "sgdet" and clip.pairs_open:
            settled, row = settle_detections(clip, guess.distribution)
            return settled, guess.of(row)
        return settle(clip, guess.distribution), guess

    def _seen(self, clip: Clip, remembered: Tensor) -> Clip:
        return replace(clip, node_feature=remembered) if self.config.take_obj_mem_feat else clip

    def _relations(self, clip: Clip, node_class: Tensor) -> _Scored:
        config = self.config
        tokens = self.spatial(self.pair_encoder(clip, node_class, clip.action_class), clip.pair_frame)
        early = config.mem_fusion == "early"
        features = tokens
        tokens = self.temporal(
            self._remember(tokens) if early else tokens,
            self.frame_position.weight,
            clip.pair_frame,
            clip.frame_video,
            window=config.temporal_window,
            reference_compat=config.reference_compat,
        )
        if not early:
            features, tokens = tokens, self._remember(tokens)
        scored = {name: head(tokens) for name, head in self.heads.items()}
        mixtures = {name: mixture for name, mixture in scored.items() if isinstance(mixture, Mixture)}
        if not mixtures:
            return _Scored(TempuraLogits(scored), features, None)
        groups = {
            name: (mixture.sampled(self.noise) if self.training else mixture).logits()
            for name, mixture in mixtures.items()
        }
        uncertainty = None
        if config.rel_unc or not self.training:
            with torch.no_grad():
                told = {name: mixture.uncertainty() for name, mixture in mixtures.items()}
            uncertainty = Uncertainty(
                {name: al for name, (al, _) in told.items()}, {name: ep for name, (_, ep) in told.items()}
            )
        weights = {name: mixture.log_weight for name, mixture in mixtures.items()}
        return _Scored(TempuraLogits(groups, uncertainty=uncertainty, mixture_weights=weights), features, None)

    def _remember(self, features: Tensor) -> Tensor:
        if self.memory is None or any(bank.empty for bank in self.banks.values()):
            return features
        remembered: Tensor = self.memory(features, {name: bank.prototypes for name, bank in self.banks.items()})
        return remembered

    def _with_objects(self, scored: _Scored, guess: ObjectGuess) -> _Scored:
        logits = replace(scored.logits, objects=guess.logits, node_features=guess.remembered)
        if guess.mixture is not None:
            with torch.no_grad():
                uncertainty = guess.mixture.uncertainty()
            weights = {**logits.mixture_weights, "objects": guess.mixture.log_weight}
            logits = replace(logits, mixture_weights=weights, object_uncertainty=uncertainty)
        return replace(scored, logits=logits, object_features=guess.features)

    def _look_again(self, clip: Clip) -> _Scored:
        """The clip in eval mode, without a graph."""
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            with torch.no_grad():
                return self._score(clip)
        finally:
            for module, training in modes.items():
                module.training = training

    def _record(self, seen: _Scored, clip: Clip) -> None:
        """Features for the banks, with the labels that they carry."""
        assert clip.labels is not None
        config, logits = self.config, seen.logits
        for name, bank in self.banks.items():
            assert isinstance(bank, PrototypeBank)
            unsure = (
                (logits.uncertainty.aleatoric[name], logits.uncertainty.epistemic[name]) if logits.uncertainty else None
            )
            known = unsure if config.rel_unc else None
            bank.record(
                seen.relation_features, *prototype_weights(clip.labels[name], known, config.rel_mem_weight_type, config)
            )
        if self.objects is not None and self.objects.bank is not None and seen.object_features is not None:
            assert clip.node_target is not None
            known = logits.object_uncertainty if config.obj_unc else None
            hot = F.one_hot(clip.node_target, 1 + len(self.objects.bank.prototypes))
            weight, divisor = prototype_weights(hot, known, config.obj_mem_weight_type, config)
            self.objects.bank.record(seen.object_features, weight[:, 1:], divisor[:, 1:])


def _layer(config: TempuraConfig, feedforward_dim: int) -> LayerConfig:
    return LayerConfig(config.heads, feedforward_dim, config.dropout)


def _object_part(
    schema: Schema, widths: FeatureWidths, config: TempuraConfig, mode: str, share: Share
) -> tuple[ObjectPart | None, SequenceEncoder]:
    """What classifies nodes, None in predcls, and the layers over their sequences, none where there
    are no sequences."""
    if mode == "predcls":
        return None, SequenceEncoder(0, 0, _layer(config, SEQUENCE_HIDDEN))
    check_node_features("TEMPURA", schema, widths)
    if config.tracking and not schema.subject_has_box:
        raise ConfigError(
            f"option -tracking: sequences are of boxes that a detector takes for one class, and the objects of {schema.name!r}"
            " come without a detector's classes; leave it out."
        )
    part = ObjectPart(
        schema,
        widths,
        embedding_dim=config.embedding_dim,
        embedding_std=config.embedding_std,
        dropout=config.dropout,
        in_sequences=config.tracking,
        memory=config.obj_mem_compute,
        share=share,
        head=config.obj_head,
        components=config.num_mixtures,
        mode=mode,
    )
    layers = SEQUENCE_LAYERS if config.tracking else 0
    if layers and part.encoded_width % config.heads:
        raise ConfigError(
            f"option -embedding_dim: nodes are {part.encoded_width} wide with it, which object sequences cannot split"
            f" into {config.heads} heads; take a multiple of them, or -tracking False."
        )
    return part, SequenceEncoder(layers, part.encoded_width, _layer(config, SEQUENCE_HIDDEN))


def prototype_weights(
    hot: Tensor, known: tuple[Tensor, Tensor] | None, kind: WeightKind, config: TempuraConfig
) -> tuple[Tensor, Tensor]:
    """Weights of the rows (R, C) in every class that they carry, and what they are divided by (R,
    C), from their aleatoric and epistemic
    uncertainty where it is known: exp(u), so that the more uncertain weigh more, as in the
    reference.
    """
    taken = hot.float()
    if known is None:
        return taken, taken
    aleatoric, epistemic = known
    taken = taken * (aleatoric + epistemic <= config.uncertainty_threshold)
    if kind == "simple":
        return taken, taken
    unsure = {"al": aleatoric, "ep": epistemic, "both": aleatoric + epistemic}[kind]
    weight = taken * unsure.exp()
    # the reference joins the list of al to itself (lib/Uncertainty.py:65)
    doubled = config.reference_compat and kind == "both"
    return weight, 2 * taken * aleatoric.exp() if doubled else weight
