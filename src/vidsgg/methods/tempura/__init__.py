"""TEMPURA (Nag et al., CVPR 2023) as a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vidsgg.errors import ConfigError
from vidsgg.methods.method import ImportOptions, Method, Scoring
from vidsgg.methods.training_options import NeuralOptions
from vidsgg.models.capabilities import Capabilities
from vidsgg.models.configs import TempuraConfig, TempuraLossConfig
from vidsgg.options import option, part_of
from vidsgg.structures.schema import MODES

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.engine.course import Course
    from vidsgg.losses.criterion import Criterion
    from vidsgg.methods.authors_file import AuthorsFormat
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True)
class TempuraOptions(TempuraConfig, TempuraLossConfig, NeuralOptions):
    """The authors' flags under their names, with the published settings that all modes share.

    Raises ConfigError for an option of objects where these are given, and for one that needs
    another.
    """

    # Those that follow from the mode or from another option unless they are given; network_config
    # and loss_config settle them.
    tracking: bool | None = option(  # type: ignore[assignment]
        None,
        "classify objects within sequences of their class over the video; by default outside predcls where subjects have boxes",
    )
    bce_loss: bool = option(True, "binary cross entropy for groups with several labels; False is -mlm True")
    obj_con_loss: Literal["auto", "euc_con", "info_nce", "none"] = option(  # type: ignore[assignment]
        "auto", "contrastive loss of the objects' features; auto: euc_con outside predcls"
    )

    def __post_init__(self) -> None:
        NeuralOptions.__post_init__(self)
        TempuraConfig.__post_init__(self)
        if self.mode == "predcls":
            off = {"obj_con_loss": ("auto", "none")}
            for name in (
                "tracking",
                "obj_mem_compute",
                "take_obj_mem_feat",
                "obj_unc",
                "obj_loss_weighting",
                "obj_con_loss",
            ):
                if getattr(self, name) not in off.get(name, (None, False)):
                    raise ConfigError(
                        f"option -{name}: has no effect in mode predcls, where the objects' classes are given; leave it out."
                    )
        for kind in ("rel", "obj"):
            if getattr(self, f"{kind}_loss_weighting") and not getattr(self, f"{kind}_unc"):
                raise ConfigError(
                    f"option -{kind}_loss_weighting weights by uncertainty; use -{kind}_unc True with it."
                )

    def network_config(self, *, detected: bool = True) -> TempuraConfig:
        """detected: whether a detector has seen the objects. Without it no sequence of a class is known."""
        guesses = self.mode != "predcls" and detected
        return part_of(self, TempuraConfig, tracking=guesses if self.tracking is None else self.tracking)

    def loss_config(self) -> TempuraLossConfig:
        automatic = "euc_con" if self.mode != "predcls" else None
        contrastive = {"auto": automatic, "none": None}.get(self.obj_con_loss, self.obj_con_loss)
        return part_of(self, TempuraLossConfig, mlm=self.mlm or not self.bce_loss, obj_con_loss=contrastive)


@dataclass(frozen=True)
class EvaluationOfTempura:
    temporal_window: int | None = option(
        None, "tempura: frames of a window of its temporal decoder; by default as trained", low=1, high=10_000
    )


@dataclass(frozen=True)
class ImportOfTempura(ImportOptions):
    memory: bool | None = option(None, "tempura: restore the prototypes of the file; its authors score without them")
    mem_feat_lambda: str | None = option(
        None, "tempura: weight of a feature beside the memory's answer, a number or 'sum'"
    )
    mem_fusion: Literal["early", "late"] | None = option(None, "tempura: where its relation memory is read")


class TempuraMethod(Method[TempuraOptions]):
    name = "tempura"
    summary = "STTran with mixtures that know their uncertainty, a memory of rare predicates and sequences of objects"
    source = "Nag et al., CVPR 2023"
    options = TempuraOptions
    evaluation = EvaluationOfTempura
    importing = ImportOfTempura
    network = "vidsgg.models.tempura:TEMPURA"
    capabilities = Capabilities(
        modes={"entity": MODES, "action": MODES},
        recomputable=("sequences", "spatial", "temporal"),
        raw_detections=True,
    )

    def build(self, schema: Schema, widths: FeatureWidths, options: TempuraOptions) -> nn.Module:
        from vidsgg.models.tempura import TEMPURA

        return TEMPURA(schema, widths, options.network_config(detected=schema.subject_has_box), options.mode)

    def criterion(self, schema: Schema, options: TempuraOptions) -> Criterion:
        from vidsgg.losses.tempura import TempuraCriterion

        return TempuraCriterion(schema, options.loss_config())

    def course(self, model: nn.Module, options: TempuraOptions) -> Course:
        from vidsgg.engine.course import GatheringCourse
        from vidsgg.models.tempura import TEMPURA

        assert isinstance(model, TEMPURA)
        return GatheringCourse(model)

    def scorings(self, options: TempuraOptions, asked: Mapping[str, Any]) -> list[Scoring]:
        return [Scoring(asked, f"_window{asked['temporal_window']}" if asked else "")]

    def unsure_above(self, options: TempuraOptions) -> float:
        return options.uncertainty_threshold

    def authors(self) -> AuthorsFormat:
        from vidsgg.methods.tempura.authors import AUTHORS

        return AUTHORS


METHOD = TempuraMethod()
