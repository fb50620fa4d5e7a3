"""The fully connected baseline of EASG's authors (Rodin et al., CVPR 2024) as a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vidsgg.errors import ConfigError
from vidsgg.methods.method import Method, Scoring
from vidsgg.methods.training_options import AUTO, NeuralOptions
from vidsgg.models.capabilities import Capabilities
from vidsgg.options import option
from vidsgg.structures.schema import MODES

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.datasets.base import VideoDataset
    from vidsgg.engine.course import Course
    from vidsgg.losses.criterion import Criterion
    from vidsgg.methods.authors_file import AuthorsFormat
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class EasgBaselineOptions(NeuralOptions):
    """Options of a run. The defaults are the authors': one graph a step, Adam at 1e-3, ten epochs as in the paper.

    Raises ConfigError for ``-bce_loss False``, as the baseline has no other loss, and for labels
    that are hidden by frame, which it does not tell apart.
    """

    lr: float = option(1e-3, "learning rate of Adam", low=0, high=1e3)
    weight_decay: float = option(0.0, "weight decay of AdamW; 0 is Adam", low=0, high=1e3)
    batch_size: int | None = option(
        1, "graphs (not videos) per step and process, or auto", choices=(AUTO,), low=1, high=100_000
    )
    epochs: int = option(
        10,
        "passes over the training graphs, 10 as in the paper (the authors' code has 100); 0 writes the untrained model",
        low=0,
        aliases=("nepoch",),
        high=1_000_000,
        free=("run",),
    )
    clip_grad: float = option(0.0, "L2 norm to which all gradients are clipped; 0 turns it off", low=0, high=1e9)
    warmup_steps: int = option(0, "optimiser steps of linear warm-up", low=0, high=10**9)
    scheduler: Literal["step", "cosine", "plateau", "wave"] = option(
        "wave",
        "learning rate schedule; wave: by epoch, half a cosine down over ten epochs and up again over the next ten",
    )
    bce_loss: bool = option(True, "binary cross entropy; this model has no other loss")
    exclusive_decoding: bool = option(
        False, "assign predicates that occur once per label unit (EASG's dobj) to one object only; the authors do not"
    )

    def __post_init__(self) -> None:
        NeuralOptions.__post_init__(self)
        if not self.bce_loss:
            raise ConfigError(
                "option -bce_loss: the baseline is trained with binary cross entropy; leave the option out."
            )
        if self.partial_labels is not None:
            raise ConfigError(
                "option -partial_labels: the baseline learns each relation of a graph once, not by frame; leave it out."
            )


class EasgBaselineMethod(Method[EasgBaselineOptions]):
    name = "easg_baseline"
    summary = "three linear layers on clip and RoI features: actions, objects and relations in one training"
    source = "Rodin et al., CVPR 2024"
    options = EasgBaselineOptions
    network = "vidsgg.models.easg_baseline:EasgBaseline"
    capabilities = Capabilities(modes={"action": MODES}, classes=False)

    def build(self, schema: Schema, widths: FeatureWidths, options: EasgBaselineOptions) -> nn.Module:
        from vidsgg.models.easg_baseline import EasgBaseline

        return EasgBaseline(schema, widths)

    def criterion(self, schema: Schema, options: EasgBaselineOptions) -> Criterion:
        from vidsgg.losses.easg_baseline import EasgBaselineCriterion

        return EasgBaselineCriterion(schema)

    def course(self, model: nn.Module, options: EasgBaselineOptions) -> Course:
        from vidsgg.engine.course import AdamCourse

        return AdamCourse()

    def items(self, videos: VideoDataset) -> VideoDataset:
        from vidsgg.datasets.units import LabelUnits

        return LabelUnits(videos)

    def scorings(self, options: EasgBaselineOptions, asked: Mapping[str, Any]) -> list[Scoring]:
        """The run's own task, which is the result, then the other two: one training serves all three."""
        others = [mode for mode in MODES if mode != options.mode]
        return [
            Scoring(asked, "", options.mode),
            *(Scoring({**asked, "mode": mode}, f"_{mode}", mode) for mode in others),
        ]

    def authors(self) -> AuthorsFormat:
        from vidsgg.methods.easg_baseline.authors import AUTHORS

        return AUTHORS


METHOD = EasgBaselineMethod()
