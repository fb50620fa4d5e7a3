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
    """What the import of the authors' files asks of every method."""

    mode: Literal["predcls", "sgcls", "sgdet"] | None = option(
        None, "the mode that a relation model was trained in, which its file does not say"
    )
    data_path: str | None = option(
        None,
        "for files of models for EASG, which do not name their classes: the data set's folder, whose word lists (verbs.txt,"
        " objects.txt, relationships.txt) do",
        place="input",
    )
    words: str | None = option(
        None,
        "with -data_path: a folder with the same word lists in the order of the file's classes, where that is another one",
        place="input",
    )


@dataclass(frozen=True)
class Scoring:
    """A way to score a run."""

    changes: Mapping[str, Any]  # options that differ from the run's
    suffix: str = ""  # of its files' names
    title: str = ""  # beside other ways


class Method(Generic[Options]):
    """What generic code asks a method, never its name. A method of one's own states the first
    fields and overrides what differs."""

    name: ClassVar[str]  # as in -model
    summary: ClassVar[str]  # one line
    source: ClassVar[str]  # the paper
    options: ClassVar[type[TrainOptions]]  # of a run; they contain those of the network, so that a default stands once
    network: ClassVar[str]  # "package.module:Class", imported when it is needed
    note: ClassVar[str] = ""  # what has to be said wherever the method's numbers are shown
    # Dataclasses of options that only this method has of 'vidsgg evaluate' and 'vidsgg
    # import-checkpoint'; None: not asked for.
    evaluation: ClassVar[type] = NoOptions
    importing: ClassVar[type[ImportOptions]] = ImportOptions

    @property
    def label(self) -> str:
        """The name, with the note."""
        return f"{self.name} ({self.note})" if self.note else self.name

    def network_class(self) -> Any:
        """Raises ConfigError if the class of the network cannot be imported."""
        module, _, name = self.network.partition(":")
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError, SyntaxError) as error:
            raise ConfigError(
                f"model {self.name}: its network {self.network!r} cannot be imported: {type(error).__name__}: {error}."
            ) from error

    @property
    def capabilities(self) -> Capabilities:
        """What the network can do: an attribute of the method. Of methods that lack it, written for
        version 0.1.0, it is one of the network's class.

        Raises ConfigError if neither says it, or the network cannot be imported.
        """
        found: Capabilities | None = getattr(self.network_class(), "capabilities", None)
        if found is None:
            raise ConfigError(
                f"model {self.name}: neither the method nor its network {self.network!r} has an attribute"
                " 'capabilities', the Capabilities that say in which modes it works."
            )
        return found

    def abilities(self, options: TrainOptions) -> Capabilities:
        """What the network can do in a run of these options. Raises ConfigError if it cannot be made by
        them."""
        return self.capabilities.as_layout(self.name) if options.layout else self.capabilities

    def build(self, schema: Schema, widths: FeatureWidths, options: Options) -> nn.Module:
        """The network for a data set, with new weights. widths: of the features that it will read.
        Raises ConfigError or ValueError for options that contradict each other or the schema."""
        raise NotImplementedError

    def criterion(self, schema: Schema, options: Options) -> Criterion:
        """What it is trained by, and what its validation losses are: by default the losses of its
        predicates and objects."""
        from vidsgg.losses.relations import RelationCriterion

        return RelationCriterion(schema, bce=isinstance(options, NeuralOptions) and options.bce_loss)

    def course(self, model: nn.Module, options: Options) -> Course:
        """In which stages it is trained: by default in one."""
        from vidsgg.engine.course import ONE_STAGE

        return ONE_STAGE

    def items(self, videos: VideoDataset) -> VideoDataset:
        """What one item of a training batch is: by default a whole video. videos: those to learn from."""
        return videos

    def prepare(self, model: nn.Module, videos: VideoDataset, options: Options) -> list[str]:
        """What a new model learns of its training videos before the first step; returns lines for
        the log."""
        return []

    def scorings(self, options: Options, asked: Mapping[str, Any]) -> list[Scoring]:
        """The ways to score a run, of which the first is the result. options: the run's. asked:
        what was given of ``evaluation``."""
        return [Scoring(asked)]

    def for_videos(self, options: Options) -> Options:
        """The options with which a trained model reads videos that belong to no data set."""
        return options

    def unsure_above(self, options: Options) -> float | None:
        """The uncertainty above which edges of graphs are marked; None of models that know none."""
        return None

    def ready_schema(self) -> Schema | None:
        """The classes that the method knows without any training; None if it has to be trained."""
        return None

    def graph_notes(self, schema: Schema) -> tuple[str, ...]:
        """What has to be said wherever graphs of the method are shown. schema: what it was trained
        for."""
        return ()

    def authors(self) -> AuthorsFormat | None:
        """How files of the method's authors are read; None if there are none."""
        return None
