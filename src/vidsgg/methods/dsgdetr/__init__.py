"""DSG-DETR (Feng et al., WACV 2023) as a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidsgg.methods.method import Method
from vidsgg.methods.training_options import NeuralOptions
from vidsgg.models.capabilities import Capabilities
from vidsgg.models.configs import DsgDetrConfig
from vidsgg.options import part_of
from vidsgg.structures.schema import MODES

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.methods.authors_file import AuthorsFormat
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class DsgDetrOptions(DsgDetrConfig, NeuralOptions):
    """Options of a run of DSG-DETR."""


class DsgDetrMethod(Method[DsgDetrOptions]):
    name = "dsgdetr"
    summary = "encoders over tracklets of objects and over all pairs of an object class in the whole video"
    source = "Feng et al., WACV 2023"
    options = DsgDetrOptions
    network = "vidsgg.models.dsgdetr:DsgDetr"
    capabilities = Capabilities(
        modes={"entity": MODES}, recomputable=("sequences", "spatial", "temporal"), raw_detections="any"
    )

    def build(self, schema: Schema, widths: FeatureWidths, options: DsgDetrOptions) -> nn.Module:
        from vidsgg.models.dsgdetr import DsgDetr

        return DsgDetr(schema, widths, part_of(options, DsgDetrConfig), options.mode)

    def authors(self) -> AuthorsFormat:
        from vidsgg.methods.dsgdetr.authors import AUTHORS

        return AUTHORS


METHOD = DsgDetrMethod()
