"""Counted frequencies of predicates as a method: the yardstick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidsgg.methods.method import Method
from vidsgg.methods.training_options import TrainOptions
from vidsgg.models.capabilities import Capabilities
from vidsgg.options import option
from vidsgg.structures.schema import MODES

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class FrequencyOptions(TrainOptions):
    epochs: int = option(1, "counting takes one pass over the training videos", low=1, high=1_000_000)


class FrequencyMethod(Method[FrequencyOptions]):
    name = "frequency"
    summary = "P(predicate | subject class, object class), counted on the training videos"
    source = "a yardstick"
    options = FrequencyOptions
    network = "vidsgg.models.frequency:FrequencyModel"
    capabilities = Capabilities(modes={"entity": MODES, "action": MODES}, visual=False, counting=True)

    def build(self, schema: Schema, widths: FeatureWidths, options: FrequencyOptions) -> nn.Module:
        from vidsgg.models.frequency import FrequencyModel

        return FrequencyModel(schema, mode=options.mode)


METHOD = FrequencyMethod()
