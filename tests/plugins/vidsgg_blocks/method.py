"""The network as a method: everything that vidsgg has to know of it. Nothing heavy is imported
here, so that ``-h`` answers at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidsgg.extend import MODES, Capabilities, Method, NeuralOptions, option, part_of

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.extend import FeatureWidths, Schema


@dataclass(frozen=True)
class NearnessConfig:
    """What the network is built from. A field is an option of ``vidsgg train``; its default stands
    here and nowhere else."""

    width: int = option(64, "numbers that a pair of things is described by", low=1, high=4096)
    steps: int = option(1, "times that a pair looks at the other pairs of its frame", low=0, high=16)
    dropout: float = option(0.1, "share of these numbers that training leaves out", low=0, high=0.9)


@dataclass(frozen=True)
class NearnessOptions(NearnessConfig, NeuralOptions):
    """Options of a run: those of the network, and those that every model has, here with another
    learning rate."""

    lr: float = option(3e-3, "learning rate of AdamW", low=0, high=1e3)


class NearnessMethod(Method[NearnessOptions]):
    name = "nearness"
    summary = "what two things look like and where they lie to each other"
    source = "an example"
    options = NearnessOptions
    network = "vidsgg_blocks.network:Nearness"
    capabilities = Capabilities(modes={"entity": MODES})  # subjects with a box, in all three modes

    def build(self, schema: Schema, widths: FeatureWidths, options: NearnessOptions) -> nn.Module:
        from vidsgg_blocks.network import Nearness

        return Nearness(schema, widths, part_of(options, NearnessConfig), options.mode)


METHOD = NearnessMethod()
