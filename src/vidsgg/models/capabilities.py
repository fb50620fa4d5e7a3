"""What a model can do, stated by the model and checked before a run starts."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.errors import ConfigError
from vidsgg.structures.schema import Schema


@dataclass(frozen=True)
class Capabilities:
    """modes: tasks it solves. subject_kinds: schemas it reads. visual: it reads features of the pictures where there are any.
    counting: it is fitted by one pass of ``observe(clip)`` over the training videos instead of gradient descent.
    """

    modes: tuple[str, ...]
    subject_kinds: tuple[str, ...] = ("entity", "action")
    visual: bool = True
    counting: bool = False

    def check(self, model: str, mode: str, schema: Schema) -> None:
        """Raises ConfigError naming what the model or the data set lacks."""
        if mode not in self.modes:
            raise ConfigError(f"model {model!r} has no mode {mode!r}; it has {', '.join(self.modes)}.")
        if mode not in schema.modes:
            raise ConfigError(f"data set {schema.name!r} has no mode {mode!r}; it has {', '.join(schema.modes)}.")
        if schema.subject_kind not in self.subject_kinds:
            raise ConfigError(f"model {model!r} does not work on {schema.name!r}, whose subjects are of kind {schema.subject_kind!r}.")
