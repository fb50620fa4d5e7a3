"""OED (Wang et al., CVPR 2024) as a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidsgg.errors import ConfigError
from vidsgg.methods.method import Method, Scoring
from vidsgg.methods.training_options import NeuralOptions
from vidsgg.models.capabilities import Capabilities
from vidsgg.models.configs import OedConfig
from vidsgg.options import option, part_of

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.datasets.base import VideoDataset
    from vidsgg.engine.course import Course
    from vidsgg.losses.criterion import Criterion
    from vidsgg.methods.authors_file import AuthorsFormat
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class OedOptions(OedConfig, NeuralOptions):
    """Options of a run of OED."""

    temporal_epochs: int = option(
        6,
        "the last of -epochs, in which frames learn to be refined by others (stage 2); 0: no stage 2",
        low=0,
        high=1_000_000,
    )
    lr_drop: int | None = option(
        None,
        "with -scheduler step: epoch of a stage after which the learning rate is divided by ten; by default after"
        " three quarters of stage 1 and half of stage 2",
        low=1,
        high=1_000_000,
    )
    backbone_lr: float = option(0.1, "learning rate of the backbone, as a fraction of -lr", low=0, high=1e3)
    frames_per_video: int = option(8, "frames of a video in a step of stage 1", low=1, high=10_000)
    start_weights: str | None = option(
        None,
        "file to start from: torchvision's ResNet, a DETR checkpoint, the authors' stage 1, or a c4 detector",
        place="input",
    )
    merge_queries: bool = option(
        False, "in evaluation: merge queries that predict the same for the same boxes; always done on your own videos"
    )

    def __post_init__(self) -> None:
        NeuralOptions.__post_init__(self)
        if self.temporal_epochs > self.epochs:
            raise ConfigError(
                f"option -temporal_epochs: {self.temporal_epochs} are more than the -epochs {self.epochs}."
            )
        if self.word_vectors is not None and self.mode != "predcls":
            raise ConfigError("option -word_vectors: OED reads words of classes in mode predcls only; leave it out.")


@dataclass(frozen=True)
class EvaluationOfOed:
    merge_queries: bool | None = option(
        None, "oed: merge queries that predict the same for the same boxes, which makes scores comparable with others"
    )


class OedMethod(Method[OedOptions]):
    name = "oed"
    summary = (
        "one stage from pictures to graphs, without a detector: DETR with cascaded decoders, refined by other frames"
    )
    source = "Wang et al., CVPR 2024"
    options = OedOptions
    evaluation = EvaluationOfOed
    network = "vidsgg.models.oed.oed:Oed"
    capabilities = Capabilities(modes={"entity": ("predcls", "sgdet")}, pictures=True)

    def build(self, schema: Schema, widths: FeatureWidths, options: OedOptions) -> nn.Module:
        from vidsgg.models.oed.oed import Oed

        return Oed(
            schema,
            part_of(options, OedConfig),
            options.mode,
            temporal=options.temporal_epochs > 0,
            frames_per_video=options.frames_per_video,
            merge_queries=options.merge_queries,
        )

    def criterion(self, schema: Schema, options: OedOptions) -> Criterion:
        from vidsgg.losses.oed import OedCriterion

        return OedCriterion(schema, given=options.mode == "predcls")

    def course(self, model: nn.Module, options: OedOptions) -> Course:
        from vidsgg.methods.oed.course import OedCourse

        return OedCourse.of(options)

    def prepare(self, model: nn.Module, videos: VideoDataset, options: OedOptions) -> list[str]:
        """Takes over -start_weights. Raises CheckpointError if nothing of the file fits, ConfigError if
        it is a detector with another trunk."""
        from vidsgg.methods.oed.start import start_from
        from vidsgg.models.oed.oed import Oed

        if options.start_weights is None:
            return ["warning: -start_weights is not given: all of OED learns from nothing, which takes very long"]
        assert isinstance(model, Oed)
        return start_from(model, Path(options.start_weights))

    def scorings(self, options: OedOptions, asked: Mapping[str, Any]) -> list[Scoring]:
        return [Scoring(asked, "_merged" if asked.get("merge_queries") else "")]

    def for_videos(self, options: OedOptions) -> OedOptions:
        return replace(options, merge_queries=True)

    def authors(self) -> AuthorsFormat:
        from vidsgg.methods.oed.authors import AUTHORS

        return AUTHORS


METHOD = OedMethod()
