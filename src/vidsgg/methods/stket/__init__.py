"""STKET (Pu et al., IEEE TIP 2024) as a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidsgg.errors import ConfigError, counted
from vidsgg.methods.method import ImportOptions, Method, Scoring
from vidsgg.methods.training_options import NeuralOptions
from vidsgg.models.capabilities import Capabilities
from vidsgg.models.configs import STKET_PARTS, StketConfig, existing_parts
from vidsgg.options import option, part_of
from vidsgg.structures.schema import MODES

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.datasets.base import VideoDataset
    from vidsgg.losses.criterion import Criterion
    from vidsgg.methods.authors_file import AuthorsFormat
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class StketOptions(StketConfig, NeuralOptions):
    """Options of a run of STKET."""

    spatial_prior_loss: bool = option(True, "train the priors of the spatial part with a separate loss")
    temporal_prior_loss: bool = option(True, "train the priors of the temporal part with a separate loss")
    bce_loss: bool = option(True, "binary cross entropy for groups with several labels; False: margin loss")
    priors: str | None = option(
        None,
        "file of priors such as the authors' TrainPrior.json; by default counted on the training videos",
        place="input",
    )

    @property
    def remark(self) -> str:
        said = [f"{self.part} part"] * (self.part is not None) + [
            "oracle contacts: reads ground truth"
        ] * self.oracle_contacts
        return "; ".join(said)


@dataclass(frozen=True)
class EvaluationOfStket:
    part: Literal["spatial", "temporal", "ensemble", "all"] | None = option(
        None, "stket: the part whose result is used, or all of them, side by side; by default as trained"
    )
    oracle_contacts: bool | None = option(
        None,
        "stket: read annotated contacts in place of predicted ones, as the published test command does; every table"
        " then says so",
    )


@dataclass(frozen=True)
class ImportOfStket(ImportOptions):
    N_layer: int | None = option(
        None, "stket: number of passes through its encoder layers; by default one", low=1, high=1000
    )
    pred_contact_threshold: float | None = option(
        None, "stket: least probability of a predicted contact", low=0, high=1
    )
    use_spatial_prior: bool | None = option(None, "stket: whether its spatial part reads priors")
    use_temporal_prior: bool | None = option(None, "stket: whether its temporal part reads priors")


class StketMethod(Method[StketOptions]):
    name = "stket"
    summary = (
        "a transformer with prior knowledge: predicates that are usual for a class of objects, and what usually follows"
    )
    source = "Pu et al., IEEE TIP 2024"
    options = StketOptions
    evaluation = EvaluationOfStket
    importing = ImportOfStket
    network = "vidsgg.models.stket:Stket"
    capabilities = Capabilities(modes={"entity": MODES}, recomputable=STKET_PARTS)

    def build(self, schema: Schema, widths: FeatureWidths, options: StketOptions) -> nn.Module:
        from vidsgg.models.stket import Stket

        return Stket(schema, widths, part_of(options, StketConfig), options.mode)

    def criterion(self, schema: Schema, options: StketOptions) -> Criterion:
        from vidsgg.losses.stket import StketCriterion

        return StketCriterion(
            schema,
            bce=options.bce_loss,
            spatial_prior=options.spatial_prior_loss,
            temporal_prior=options.temporal_prior_loss,
        )

    def prepare(self, model: nn.Module, videos: VideoDataset, options: StketOptions) -> list[str]:
        """Fills the model's tables from -priors, else by counting the videos that it is trained on.

        Raises DataError if the file is none, ConfigError if it is given for nothing.
        """
        from vidsgg.datasets.prior_cache import known_priors
        from vidsgg.datasets.priors import read_priors
        from vidsgg.models.stket import Stket

        assert isinstance(model, Stket)
        if not model.knows:
            if options.priors is not None:
                raise ConfigError(
                    f"option -priors: no part of the model reads {options.priors}; leave it out or turn"
                    " -use_temporal_prior on."
                )
            return ["priors: not used"]
        if options.priors is None:
            priors, origin = known_priors(videos), f"counted on the {counted(len(videos), 'video')} to train on"
        else:
            priors, origin = read_priors(Path(options.priors), videos.schema), f"read from {options.priors}"
        model.start_from(priors.initial, priors.transition)
        return [f"priors: {origin}; {priors.summary()}"]

    def scorings(self, options: StketOptions, asked: Mapping[str, Any]) -> list[Scoring]:
        """The part that is asked for, or all of them, side by side."""
        oracle, part = "_oracle" if asked.get("oracle_contacts") else "", asked.get("part")
        if part == "all":
            parts = existing_parts(options.spatial_layer, options.temporal_layer)
            return [Scoring({**asked, "part": part}, f"_{part}{oracle}") for part in reversed(parts)]
        return [Scoring(asked, f"_{part}{oracle}" if part else oracle)]

    def authors(self) -> AuthorsFormat:
        from vidsgg.methods.stket.authors import AUTHORS

        return AUTHORS


METHOD = StketMethod()
