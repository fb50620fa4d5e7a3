"""STTran (Cong et al., ICCV 2021) as a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidsgg.methods.method import Method
from vidsgg.methods.training_options import NeuralOptions
from vidsgg.models.capabilities import Capabilities
from vidsgg.models.configs import STTranConfig
from vidsgg.options import part_of
from vidsgg.structures.schema import MODES

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.methods.authors_file import AuthorsFormat
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class STTranOptions(STTranConfig, NeuralOptions):
    """Options of a run of STTran."""


class STTranMethod(Method[STTranOptions]):
    name = "sttran"
    summary = "spatial encoder within frames, temporal decoder over neighbouring frames"
    source = "Cong et al., ICCV 2021"
    options = STTranOptions
    network = "vidsgg.models.sttran:STTran"
    capabilities = Capabilities(
        modes={"entity": MODES, "action": MODES}, recomputable=("spatial", "temporal"), looks_back=1
    )

    def build(self, schema: Schema, widths: FeatureWidths, options: STTranOptions) -> nn.Module:
        from vidsgg.models.sttran import STTran

        return STTran(schema, widths, part_of(options, STTranConfig), options.mode)

    def authors(self) -> AuthorsFormat:
        from vidsgg.methods.sttran.authors import AUTHORS

        return AUTHORS


METHOD = STTranMethod()
