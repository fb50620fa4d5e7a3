"""SceneLLM (Zhang, Li and Liu, Pattern Recognition 2026) as a method. Its stages are in
``course.py``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from vidsgg.methods.method import Method
from vidsgg.methods.training_options import NeuralOptions
from vidsgg.models.capabilities import Capabilities
from vidsgg.models.configs import SceneLLMSizes
from vidsgg.options import option, part_of
from vidsgg.structures.schema import MODES

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.engine.course import Course
    from vidsgg.losses.criterion import Criterion
    from vidsgg.models.scenellm.scenellm import SceneLLMConfig
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths

DEFAULT_LANGUAGE_MODEL = "HuggingFaceTB/SmolLM2-135M"


@dataclass(frozen=True)
class SceneLLMOptions(SceneLLMSizes, NeuralOptions):
    """Options of a run of SceneLLM."""

    llm_name: str | None = option(
        None,
        "causal language model: a name on the Hugging Face hub, a folder, or random:llama:hidden=64,layers=2,heads=4;"
        f" by default what the environment variable VIDSGG_LLM_NAME says, else {DEFAULT_LANGUAGE_MODEL}",
    )
    llm_lr: float = option(1e-6, "learning rate of the language model's adapters", low=0, high=1e3)
    llm_dtype: Literal["auto", "float32", "bfloat16"] = option(
        "auto", "precision of the language model's weights; auto: bfloat16 for a billion weights or more, else float32"
    )
    llm_bits: Literal["none", "8", "4"] = option(
        "none", "quantise the language model's weights while loading (bitsandbytes, CUDA)"
    )
    use_llm: bool = option(True, "False: no language model (ablation)")
    lora_rank: int = option(16, "rank of the adapters", low=1, high=65_536)
    lora_alpha: float = option(32.0, "the adapters' output is scaled by lora_alpha / lora_rank", low=0, high=1e6)
    lora_dropout: float = option(0.05, "fraction of the adapters' inputs dropped in training", low=0, high=1)
    vq_epochs: int = option(
        10, "stage 1: epochs in which only the codebook is learnt; they count among -epochs", low=0, high=1_000_000
    )
    vq_lr: float = option(3e-4, "learning rate of stage 1", low=0, high=1e3)
    freeze_llm_epochs: int = option(
        10, "stage 2a: epochs after stage 1 in which the language model is frozen", low=0, high=1_000_000
    )
    commitment_cost: float = option(0.25, "weight of the encoder's commitment to its codes", low=0, high=1e6)
    word_step: int = option(64, "words by which the vocabularies that are compared grow", low=1, high=1_000_000)

    def __post_init__(self) -> None:
        NeuralOptions.__post_init__(self)
        if self.llm_name is None:  # said once and for all: the base model is not in checkpoints
            object.__setattr__(self, "llm_name", os.environ.get("VIDSGG_LLM_NAME") or DEFAULT_LANGUAGE_MODEL)

    def network_config(self) -> SceneLLMConfig:
        from vidsgg.models.scenellm.language import LanguageConfig
        from vidsgg.models.scenellm.loading import LanguageSource
        from vidsgg.models.scenellm.scenellm import SceneLLMConfig

        assert self.llm_name is not None
        source = LanguageSource(self.llm_name, self.llm_dtype, self.llm_bits)
        language = LanguageConfig(source, self.lora_rank, self.lora_alpha, self.lora_dropout) if self.use_llm else None
        return part_of(self, SceneLLMConfig, language=language)


class SceneLLMMethod(Method[SceneLLMOptions]):
    name = "scenellm"
    summary = "quantised objects, frame tokens and words of frames, read by a language model with adapters"
    source = "re-implementation from the paper: Zhang et al., Pattern Recognition 2026, arXiv:2412.11026"
    options = SceneLLMOptions
    network = "vidsgg.models.scenellm.scenellm:SceneLLM"
    capabilities = Capabilities(
        modes={"entity": MODES, "action": MODES}, recomputable=("predictor.layers", "language_layers")
    )
    note = "re-implementation from the paper"

    def build(self, schema: Schema, widths: FeatureWidths, options: SceneLLMOptions) -> nn.Module:
        from vidsgg.models.scenellm.scenellm import SceneLLM

        return SceneLLM(schema, widths, options.network_config(), options.mode)

    def criterion(self, schema: Schema, options: SceneLLMOptions) -> Criterion:
        from vidsgg.losses.scenellm import SceneLLMCriterion

        return SceneLLMCriterion(schema, commitment=options.commitment_cost, bce=options.bce_loss)

    def course(self, model: nn.Module, options: SceneLLMOptions) -> Course:
        from vidsgg.methods.scenellm.course import SceneLLMCourse

        return SceneLLMCourse.of(model, options)


METHOD = SceneLLMMethod()
