"""The benchmark of SceneLLM's parts compares like with like."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from benchmarks.methods import MethodsOptions, settings
from benchmarks.scenellm import ABLATIONS, AblationOptions, ablation_run
from vidsgg.methods.scenellm import SceneLLMOptions

OPTIONS = AblationOptions(data_path="data", out="runs")


def test_the_whole_model_is_the_row_among_the_methods() -> None:
    row = settings(MethodsOptions(data_path="data", out="runs"), "scenellm", seed=2)
    assert replace(ablation_run(OPTIONS, "whole", 2), save_path=row.save_path) == row


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_variant_differs_in_its_part_alone_and_learns_relations_as_long(name: str) -> None:
    whole, variant = ablation_run(OPTIONS, "whole", 0), ablation_run(OPTIONS, name, 0)
    assert isinstance(variant, SceneLLMOptions)
    differ = {field.name for field in fields(variant) if getattr(variant, field.name) != getattr(whole, field.name)}
    assert differ - {"save_path", "epochs"} == set(ABLATIONS[name])
    lead = variant.vq_epochs if variant.quantise else 0  # stage 1, which there is not without a codebook
    assert (variant.epochs - lead, variant.freeze_llm_epochs) == (8, 4)
