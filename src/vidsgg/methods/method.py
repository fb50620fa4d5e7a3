"""A method: everything that the toolkit has to know of a model to train, score, run and import it.
Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from vidsgg.errors import ConfigError
from vidsgg.methods.training_options import NeuralOptions, TrainOptions
from vidsgg.options import option

if TYPE_CHECKING:
    from torch import nn

    from vidsgg.datasets.base import VideoDataset
    from vidsgg.engine.course import Course
    from vidsgg.losses.criterion import Criterion
    from vidsgg.methods.authors_file import AuthorsFormat
    from vidsgg.models.capabilities import Capabilities
    from vidsgg.structures.schema import Schema
    from vidsgg.structures.widths import FeatureWidths

Options = TypeVar("Options", bound=TrainOptions)


def network_options(options: Options, schema: Schema) -> Options:
    """The options by which the network of a run is made and learns. A layout model is given the classes
    of boxes in every mode, so that its network is that of predcls in all of them."""
    return replace(options, mode="predcls") if options.layout and schema.subject_has_box else options


@dataclass(frozen=True)
class NoOptions:
    """There are none."""


@dataclass(frozen=True)
class ImportOptions:
    """Options of ``vidsgg import-checkpoint`` that every method has."""

    mode: Literal["predcls", "sgcls", "sgdet"] | None = option(
        None, "the mode in which a relation model was trained; its file does not contain it"
    )
    data_path: str | None = option(
        None,
        "for EASG models, whose files contain no class names: the data set's folder, which has the word lists"
        " (verbs.txt, objects.txt, relationships.txt)",
        place="input",
    )
    words: str | None = option(
        None,
        "with -data_path: a folder with the same word lists in the order of the file's classes, if that order differs",
        place="input",
    )


@dataclass(frozen=True)
class Scoring:
    """A way to score a run."""

    changes: Mapping[str, Any]  #: options that differ from the run's
    suffix: str = ""  #: appended to the names of the files that are written
    title: str = ""  #: heading, if a run is scored in several ways


class Method(Generic[Options]):
    """Everything the toolkit needs to know about a model. A method of your own sets the first
    fields and overrides what differs."""

    name: ClassVar[str]  #: as in ``-model``
    summary: ClassVar[str]  #: one line
    source: ClassVar[str]  #: the paper
    options: ClassVar[type[TrainOptions]]  #: options of a run, including those of the network
    network: ClassVar[str]  #: ``package.module:Class``, imported when it is needed
    note: ClassVar[str] = ""  #: a remark to show beside the method's scores
    evaluation: ClassVar[type] = NoOptions  #: dataclass of the method's own options of ``vidsgg evaluate``
    importing: ClassVar[type[ImportOptions]] = ImportOptions  #: the same of ``vidsgg import-checkpoint``

    @property
    def label(self) -> str:
        """The name, followed by the note."""
        return f"{self.name} ({self.note})" if self.note else self.name

    def network_class(self) -> Any:
        """The network's class. Raises ConfigError if it cannot be imported."""
        module, _, name = self.network.partition(":")
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError, SyntaxError) as error:
            raise ConfigError(
                f"model {self.name}: its network {self.network!r} cannot be imported: {type(error).__name__}: {error}."
            ) from error

    @property
    def capabilities(self) -> Capabilities:
        """What the network can do: an attribute of the method. Methods written for version 0.1.0 have
        it in the network's class instead.

        Raises ConfigError if neither has it, or if the network cannot be imported.
        """
        found: Capabilities | None = getattr(self.network_class(), "capabilities", None)
        if found is None:
            raise ConfigError(
                f"model {self.name}: neither the method nor its network {self.network!r} has an attribute"
                " 'capabilities', the Capabilities that say in which modes it works."
            )
        return found

    def abilities(self, options: TrainOptions) -> Capabilities:
        """What the network can do in a run with these options. Raises ConfigError if the options do
        not suit it."""
        return self.capabilities.as_layout(self.name) if options.layout else self.capabilities

    def build(self, schema: Schema, widths: FeatureWidths, options: Options) -> nn.Module:
        """Make the network for a data set, with new weights.

        Args:
            schema: classes, predicates and rules of the data set.
            widths: widths of the features that the network will read.
            options: the run's options.

        Raises:
            ConfigError, ValueError: options contradict each other or the schema.
        """
        raise NotImplementedError

    def criterion(self, schema: Schema, options: Options) -> Criterion:
        """The training and validation losses; by default those of predicates and objects."""
        from vidsgg.losses.relations import RelationCriterion

        return RelationCriterion(schema, bce=isinstance(options, NeuralOptions) and options.bce_loss)

    def course(self, model: nn.Module, options: Options) -> Course:
        """The stages of training; by default one."""
        from vidsgg.engine.course import ONE_STAGE

        return ONE_STAGE

    def items(self, videos: VideoDataset) -> VideoDataset:
        """The items of training batches; by default whole videos. videos: the training videos."""
        return videos

    def prepare(self, model: nn.Module, videos: VideoDataset, options: Options) -> list[str]:
        """Prepare a new model on its training videos before the first step; return lines for the log."""
        return []

    def scorings(self, options: Options, asked: Mapping[str, Any]) -> list[Scoring]:
        """The ways to score a run; the first one is the result. options: the run's options. asked: the
        options of ``evaluation`` that the user gave."""
        return [Scoring(asked)]

    def for_videos(self, options: Options) -> Options:
        """The options for videos that belong to no data set."""
        return options

    def unsure_above(self, options: Options) -> float | None:
        """The uncertainty above which edges are marked; None for models without uncertainty."""
        return None

    def ready_schema(self) -> Schema | None:
        """The classes of a method that needs no training; None if it must be trained."""
        return None

    def graph_notes(self, schema: Schema) -> tuple[str, ...]:
        """Remarks to show beside graphs of the method. schema: that of its training."""
        return ()

    def authors(self) -> AuthorsFormat | None:
        """The reader of the authors' files; None if there is none."""
        return None
