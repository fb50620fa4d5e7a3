"""A SceneLLM small enough for tests, with a language model of random numbers."""

from __future__ import annotations

from dataclasses import replace

import torch
from clips import ENTITY, WIDTHS

from vidsgg.models.scenellm.language import LanguageConfig
from vidsgg.models.scenellm.loading import LanguageSource
from vidsgg.models.scenellm.scenellm import SceneLLM, SceneLLMConfig
from vidsgg.structures.widths import FeatureWidths

NAME = "random:llama:hidden=16,layers=2,heads=2"
LANGUAGE = LanguageConfig(LanguageSource(NAME), rank=2, alpha=4, dropout=0.0)
TINY = SceneLLMConfig(
    token_dim=8, codes=6, code_hidden=8, frame_codes=4, max_words=8, language=LANGUAGE, decoder_layer=1, hidden_dim=8, embedding_dim=4,
    heads=2, feedforward_dim=16, dropout=0.0,
)  # fmt: skip


def tiny(schema=ENTITY, mode: str = "predcls", **changes: object) -> SceneLLM:
    torch.manual_seed(0)
    widths = WIDTHS if schema is ENTITY else FeatureWidths()
    return SceneLLM(schema, widths, replace(TINY, **changes), mode).eval()


def with_adapters(model: SceneLLM) -> SceneLLM:
    """The same model with adapters that do something: they start as zeros."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.adapter_weights():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model
