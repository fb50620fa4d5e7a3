"""SceneLLM (Zhang, Li and Liu, "SceneLLM: Implicit Language Reasoning in LLM for Dynamic Scene
Graph Generation", arXiv:2412.11026, Pattern Recognition 170, 2026). A re-implementation from what
is known of the paper; its authors have published no code.

Every design decision is marked in docs/scenellm.md as known, inferred or ours. Letters: N nodes, F
frames, P pairs, S words, D token width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum

from torch import Tensor, nn

from vidsgg.errors import ConfigError
from vidsgg.models.configs import SceneLLMSizes
from vidsgg.models.layers.action_classifier import ActionClassifier
from vidsgg.models.layers.hidden_classes import check_node_features, scored_pairs, settle_by_logits
from vidsgg.models.layers.object_classifier import ObjectClassifier
from vidsgg.models.layers.pair_encoder import PairEncoder
from vidsgg.models.scenellm.aggregation import SpatialAggregation
from vidsgg.models.scenellm.language import LanguageConfig, LanguageModel
from vidsgg.models.scenellm.loading import require_libraries
from vidsgg.models.scenellm.predictor import ScenePredictor
from vidsgg.models.scenellm.quantiser import Quantised, VectorQuantiser
from vidsgg.models.scenellm.words import SceneWords
from vidsgg.ops.ragged import take_rows
from vidsgg.ops.segments import segment_mean
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


class Stage(IntEnum):
    """What of the model learns. CODES: the quantiser alone, to give back features. RELATIONS: all
    but quantiser and language model.
    LANGUAGE: the language model's adapters as well.
    """

    CODES = 1
    RELATIONS = 2
    LANGUAGE = 3


@dataclass(frozen=True)
class SceneLLMConfig(SceneLLMSizes):
    language: LanguageConfig | None = None  # None: without a language model (ablation)


@dataclass(frozen=True, eq=False)
class SceneLLMLogits(RelationLogits):
    """quantised: what stage CODES learns from, and then all that there is; else None."""

    quantised: Quantised | None = None


class SceneLLM(nn.Module):
    """Discrete object features, aggregated to a token per frame, grouped into words, read by a
    language model, whose states and the frame tokens are the memory that pairs attend to.

    Where clips have RoI features these are quantised. Where they have none (EASG's annotations
    alone), the classes themselves, which are discrete, take the place of the codes, and there is no
    stage CODES.
    """

    def __init__(self, schema: Schema, widths: FeatureWidths, config: SceneLLMConfig, mode: str = "predcls") -> None:
        """Raises ConfigError if the classes have to be guessed but nodes have no features, if a
        library is missing, and as LanguageModel."""
        super().__init__()
        self.config = config
        dim = config.token_dim
        if dim % 2 or dim % config.heads:
            raise ConfigError(
                f"option -token_dim: {dim} must be even and a multiple of the {config.heads} attention heads."
            )
        if mode != "predcls":
            check_node_features("SceneLLM", schema, widths)
            if not widths.node:
                raise ConfigError(
                    f"SceneLLM turns RoI features or given classes into codes, and {schema.name!r} has neither here in mode"
                    f" {mode}; use mode predcls, or put the data set's files of features beside its annotations."
                )
        if config.ot_mode == "words":
            require_libraries("ot")  # not needed before words are made, which may be days later
        self.quantiser = (
            VectorQuantiser(widths.node, config.codes, dim, config.code_hidden)
            if widths.node and config.quantise
            else None
        )
        self.continuous = nn.Linear(widths.node, dim) if widths.node and not config.quantise else None
        self.class_token = None if widths.node else nn.Embedding(len(schema.vocabulary.objects), dim)
        self.aggregation = SpatialAggregation(dim, config.graph_layers, concatenate=config.concatenate_places)
        self.words = SceneWords(config.ot_mode, dim, config.frame_codes, config.max_words)
        self.language = LanguageModel(dim, config.language) if config.language else None
        self.pair_encoder = PairEncoder(schema, widths, config.hidden_dim, config.embedding_dim, config.embedding_std)
        self.pair_token = nn.Linear(self.pair_encoder.width, dim)
        self.predictor = ScenePredictor(dim, config.decoder_layer, config.heads, config.feedforward_dim, config.dropout)
        self.heads = nn.ModuleDict({group.name: nn.Linear(dim, len(group)) for group in schema.vocabulary.groups})
        self.object_classifier = self.object_context = None
        if mode != "predcls":
            self.object_classifier = ObjectClassifier(
                schema, widths, config.embedding_dim, config.embedding_std, mode=mode
            )
            self.object_context = nn.Linear(dim, len(schema.vocabulary.objects))
        self.action_classifier = self.action_context = None
        if schema.hides_actions(mode):
            self.action_classifier = ActionClassifier(schema, widths, config.embedding_dim, config.embedding_std)
            self.action_context = nn.Linear(dim, len(schema.vocabulary.subjects))
        self.stage = Stage.LANGUAGE

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the log is to say of how the model was made."""
        return self.language.remarks if self.language else ()

    @property
    def language_layers(self) -> nn.ModuleList:
        return self.language.layers if self.language else nn.ModuleList()

    def learn(self, stage: Stage) -> None:
        """From now on only the weights of this stage want gradients, and the language model is in
        training mode only when it learns."""
        self.stage = stage
        quantiser, adapters = self.quantiser_weights(), self.adapter_weights()
        for parameter in self.own_weights():
            parameter.requires_grad_(stage is not Stage.CODES)
        for parameter in quantiser:
            parameter.requires_grad_(stage is Stage.CODES)
        for parameter in adapters:
            parameter.requires_grad_(stage is Stage.LANGUAGE)
        self.train(self.training)

    def train(self, mode: bool = True) -> SceneLLM:
        super().train(mode)
        if self.language is not None and self.stage is not Stage.LANGUAGE:
            self.language.llm.eval()
        return self

    def quantiser_weights(self) -> list[nn.Parameter]:
        return list(self.quantiser.parameters()) if self.quantiser is not None else []

    def adapter_weights(self) -> list[nn.Parameter]:
        return self.language.adapters() if self.language is not None else []

    def own_weights(self) -> list[nn.Parameter]:
        """All that learns, but for quantiser and adapters."""
        return [
            parameter
            for name, parameter in self.named_parameters()
            if not name.startswith(("quantiser.", "language.llm."))
        ]

    def forward(self, clip: Clip) -> SceneLLMLogits:
        """Logits (P, C) per group, in the order of the clip's pairs; every video of the clip as if
        it were alone.

        Classes that are hidden and pairs that are open: see ``scored_pairs``, also for what is
        raised. In training in stage CODES there are no logits, only ``quantised``.
        """
        if self.training and self.stage is Stage.CODES and self.quantiser is not None:
            return SceneLLMLogits({}, quantised=self.quantiser(clip.node_feature))
        memory = self.memory(self.frame_tokens(clip), clip)
        pairs = scored_pairs(clip, "SceneLLM", self._classifier(memory), settle_by_logits)
        actions = self._actions(pairs.clip, memory)
        seen = pairs.clip if actions is None else replace(pairs.clip, action_class=actions.argmax(1))
        return SceneLLMLogits(self._relations(seen, pairs.node_class, memory), pairs.guess, actions, clip=pairs.settled)

    def _actions(self, clip: Clip, memory: Tensor) -> Tensor | None:
        """(U, S) logits of the actions of events, with a memory (F, D) of their frames; None where they are given."""
        classifier, context = self.action_classifier, self.action_context
        if classifier is None or context is None:
            return None
        assert clip.node_distribution is not None
        of_frames = context(segment_mean(memory, clip.frame_unit, clip.units))
        logits: Tensor = classifier(clip, clip.node_distribution) + of_frames
        return logits

    def _classifier(self, memory: Tensor) -> Callable[[Clip], Tensor] | None:
        """What guesses the classes of nodes, with a memory (F, D) of their frames; None for a model
        that was made for given classes."""
        classifier, context = self.object_classifier, self.object_context
        if classifier is None or context is None:
            return None

        def classify(clip: Clip) -> Tensor:
            logits: Tensor = classifier(clip) + take_rows(context(memory), clip.node_frame)
            return logits

        return classify

    def frame_tokens(self, clip: Clip) -> Tensor:
        """(F, D): the objects of every frame and where they are."""
        if self.class_token is not None:
            vector = take_rows(self.class_token.weight, clip.node_class)
        elif self.continuous is not None:
            vector = self.continuous(clip.node_feature)
        else:
            assert self.quantiser is not None  # one of the three is there
            assert clip.node_feature is not None
            vector = self.quantiser.discrete(clip.node_feature)
        token: Tensor = self.aggregation(vector, clip)
        return token

    def memory(self, token: Tensor, clip: Clip) -> Tensor:
        """(F, D): alpha times what the language model says of the frame's word, and the rest of the
        frame's token (equation 8, as far as known).

        Without a language model the words themselves stand in for what it says.
        """
        words = self.words(token, clip)
        states = self.language(words.vector, words.video) if self.language is not None else words.vector
        weight = self.config.memory_weight
        return weight * take_rows(states, words.of_frame) + (1 - weight) * token

    def _relations(self, clip: Clip, node_class: Tensor, memory: Tensor) -> dict[str, Tensor]:
        tokens = self.pair_token(self.pair_encoder(clip, node_class, clip.action_class))
        tokens = self.predictor(tokens, memory, clip)
        return {name: head(tokens) for name, head in self.heads.items()}
