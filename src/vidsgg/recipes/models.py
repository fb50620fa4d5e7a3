"""The models by name: their options and how to build each. A model's own module is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from vidsgg.errors import ConfigError
from vidsgg.options import closest
from vidsgg.recipes.model_options import FrequencyOptions, SceneLLMOptions, StketOptions, STTranOptions, TempuraOptions
from vidsgg.recipes.options import NeuralOptions, TrainOptions

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.datasets.base import VideoDataset
    from vidsgg.engine.course import Course
    from vidsgg.losses.criterion import Criterion
    from vidsgg.models.capabilities import Capabilities
    from vidsgg.models.stket import Stket
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths


def _relation_criterion(schema: Schema, options: TrainOptions) -> Criterion:
    from vidsgg.losses.relations import RelationCriterion

    return RelationCriterion(schema, bce=isinstance(options, NeuralOptions) and options.bce_loss)


def _one_stage(model: nn.Module, options: TrainOptions) -> Course:
    from vidsgg.engine.course import ONE_STAGE

    return ONE_STAGE


def _nothing_to_prepare(model: nn.Module, videos: VideoDataset, options: TrainOptions) -> list[str]:
    return []


@dataclass(frozen=True)
class ModelEntry:
    """module and class_name: where the model is. options: what a run of it can be told. configure: options -> constructor arguments.
    criterion: what it is trained by, and what its validation losses are. course: in which stages. prepare: what a new
    model learns of its training videos before the first step; returns lines for the log. note: what has to be said wherever the
    model's numbers are shown.
    """

    name: str
    summary: str
    source: str
    module: str
    class_name: str
    options: type[TrainOptions]
    configure: Callable[[Any, FeatureWidths], dict[str, Any]]
    criterion: Callable[[Schema, Any], Criterion] = _relation_criterion
    course: Callable[[nn.Module, Any], Course] = _one_stage
    prepare: Callable[[Any, VideoDataset, Any], list[str]] = _nothing_to_prepare
    note: str = ""

    @property
    def label(self) -> str:
        """The name, with the note."""
        return f"{self.name} ({self.note})" if self.note else self.name

    def _class(self) -> Any:
        return getattr(import_module(self.module), self.class_name)

    @property
    def capabilities(self) -> Capabilities:
        found: Capabilities = self._class().capabilities
        return found

    def build(self, schema: Schema, widths: FeatureWidths, options: TrainOptions) -> nn.Module:
        model: nn.Module = self._class()(schema, **self.configure(options, widths))
        return model


def _sttran(options: STTranOptions, widths: FeatureWidths) -> dict[str, Any]:
    from vidsgg.models.sttran import STTranConfig

    names = (
        "spatial_layer", "temporal_layer", "hidden_dim", "embedding_dim", "embedding_std", "feedforward_dim", "dropout", "reference_compat",
    )  # fmt: skip
    return {"widths": widths, "config": STTranConfig(**{name: getattr(options, name) for name in names}), "mode": options.mode}


def _stket(options: StketOptions, widths: FeatureWidths) -> dict[str, Any]:
    from vidsgg.models.stket import StketConfig

    config = StketConfig(**{field.name: getattr(options, field.name) for field in fields(StketConfig) if field.name != "heads"})
    return {"widths": widths, "config": config, "mode": options.mode}


def _stket_criterion(schema: Schema, options: StketOptions) -> Criterion:
    from vidsgg.losses.stket import StketCriterion

    return StketCriterion(
        schema, bce=options.bce_loss, spatial_prior=options.spatial_prior_loss, temporal_prior=options.temporal_prior_loss
    )


def _stket_priors(model: Stket, videos: VideoDataset, options: StketOptions) -> list[str]:
    from vidsgg.recipes.priors import start_from_priors

    return start_from_priors(model, videos, options)


def _scenellm(options: SceneLLMOptions, widths: FeatureWidths) -> dict[str, Any]:
    from vidsgg.recipes.scenellm import config_of

    return {"widths": widths, "config": config_of(options), "mode": options.mode}


def _scenellm_criterion(schema: Schema, options: SceneLLMOptions) -> Criterion:
    from vidsgg.losses.scenellm import SceneLLMCriterion

    return SceneLLMCriterion(schema, commitment=options.commitment_cost, bce=options.bce_loss)


def _scenellm_course(model: nn.Module, options: SceneLLMOptions) -> Course:
    from vidsgg.recipes.scenellm import SceneLLMCourse

    return SceneLLMCourse.of(model, options)


def _tempura(options: TempuraOptions, widths: FeatureWidths) -> dict[str, Any]:
    from vidsgg.recipes.tempura import config_of

    return {"widths": widths, "config": config_of(options), "mode": options.mode}


def _tempura_criterion(schema: Schema, options: TempuraOptions) -> Criterion:
    from vidsgg.losses.tempura import TempuraCriterion
    from vidsgg.recipes.tempura import losses_of

    return TempuraCriterion(schema, losses_of(options))


def _tempura_course(model: nn.Module, options: TempuraOptions) -> Course:
    from vidsgg.recipes.tempura import MemoryCourse

    return MemoryCourse(model)


MODELS = {
    entry.name: entry
    for entry in (
        ModelEntry(
            "sttran",
            "spatial encoder within frames, temporal decoder over neighbouring frames",
            "Cong et al., ICCV 2021",
            "vidsgg.models.sttran",
            "STTran",
            STTranOptions,
            _sttran,
        ),
        ModelEntry(
            "tempura",
            "STTran with mixtures that know their uncertainty, a memory of rare predicates and sequences of objects",
            "Nag et al., CVPR 2023",
            "vidsgg.models.tempura",
            "TEMPURA",
            TempuraOptions,
            _tempura,
            _tempura_criterion,
            _tempura_course,
        ),
        ModelEntry(
            "stket",
            "a transformer that is told what is usual for a class of objects, and what usually follows",
            "Pu et al., IEEE TIP 2024",
            "vidsgg.models.stket",
            "Stket",
            StketOptions,
            _stket,
            _stket_criterion,
            prepare=_stket_priors,
        ),
        ModelEntry(
            "scenellm",
            "quantised objects, frame tokens and words of frames, read by a language model with adapters",
            "re-implementation from the paper: Zhang et al., Pattern Recognition 2026, arXiv:2412.11026",
            "vidsgg.models.scenellm.scenellm",
            "SceneLLM",
            SceneLLMOptions,
            _scenellm,
            _scenellm_criterion,
            _scenellm_course,
            note="re-implementation from the paper",
        ),
        ModelEntry(
            "frequency",
            "P(predicate | subject class, object class), counted on the training videos",
            "a yardstick",
            "vidsgg.models.frequency",
            "FrequencyModel",
            FrequencyOptions,
            lambda options, widths: {},
        ),
    )
}


def model_entry(name: str) -> ModelEntry:
    """Raises ConfigError naming the closest model."""
    if name not in MODELS:
        raise ConfigError(f"option -model: unknown model {name!r}; there are {', '.join(MODELS)}{closest(name, list(MODELS))}")
    return MODELS[name]
