"""Files of a method's authors: how they lie on disk, and what a method says of how to read its
own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.files import KIND
from vidsgg.errors import CheckpointError, ConfigError, short
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.training_options import TrainOptions
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True, eq=False)
class AuthorsFile:
    """content: all that the file holds. state: the weights in it, under the authors' names."""

    path: Path
    content: Mapping[str, Any]
    state: dict[str, Tensor]

    @staticmethod
    def read(path: Path) -> AuthorsFile:
        """Raises CheckpointError if there are no weights in it, ConfigError if it is a file of
        ours."""
        content = load_tensors(path)
        if content.get("kind") == KIND or "model_state_dict" in content:
            raise ConfigError(f"{path} is a file of vidsgg already; use it as it is.")
        # The weights lie at the top, under "state_dict" (STTran), under a name that ends so
        # (ImparTail), or under "model" (the detector).
        keys = [key for key in content if str(key) in ("state_dict", "model") or str(key).endswith("_state_dict")]
        state = next((content[key] for key in keys if isinstance(content[key], Mapping)), content)
        strange = [name for name, value in state.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
        if strange or not state:
            found = f"{short(strange[0])}, a {type(state[strange[0]]).__name__}" if strange else "nothing"
            raise CheckpointError(
                f"{path} holds {found} where weights are expected; a state dict of tensors is needed."
            )
        return AuthorsFile(path, content, dict(state))

    def check_rows(self, rows: Mapping[str, int], classes: str = "Action Genome's classes") -> None:
        """Names of classes are not in the file, so numbers have to do. Raises CheckpointError for a
        weight with other rows than these."""
        for name, count in rows.items():
            shape = self.state[name].shape if name in self.state else None
            if shape is None or shape[:1] != (count,):
                found = "is missing" if shape is None else f"has {shape[0]} rows" if shape else "is a single number"
                raise CheckpointError(f"{self.path}: {name} {found}; with {classes} it has {count}.")

    def in_order(self, rows: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
        """The weights, with the rows of some in another order. rows: by the beginning of a name,
        which row stands where."""
        orders = {name: next((o for part, o in rows.items() if name.startswith(part)), None) for name in self.state}
        return {
            name: value if (order := orders[name]) is None else value[list(order)] for name, value in self.state.items()
        }

    def account(self, left_over: Sequence[str], reason: str) -> list[str]:
        """Lines that say how much is taken, and what is left out and why."""
        taken = [value.numel() for name, value in self.state.items() if name not in left_over]
        lines = [f"  taken: {len(taken)} entries, {sum(taken):,} numbers"]
        if left_over:
            more = ", ..." if len(left_over) > 3 else ""
            lines.append(f"  left out: {len(left_over)} entries, {reason}: {', '.join(left_over[:3])}{more}")
        return lines


@dataclass(frozen=True, eq=False)
class Found:
    """What a file holds, in our terms. options: of a run of the model. state: its weights under our
    names. about: lines on what was read off the weights or asked for. left_over, reason: the
    authors' names that have no place in it, and why. keeps: how the names of ours begin that may be
    missing and then stay as they are in a new model. schema: of the data that it was trained on.
    """

    options: TrainOptions
    widths: FeatureWidths
    state: Mapping[str, Tensor]
    about: tuple[str, ...]
    left_over: tuple[str, ...] = ()
    reason: str = "no place for them"
    keeps: tuple[str, ...] = ()
    schema: Schema = SCHEMA


@dataclass(frozen=True)
class AuthorsFormat:
    """How files of a method's authors are recognised and read."""

    title: str  # how people call the method
    known_by: str  # its names in a file, for people
    recognises: Callable[[Mapping[str, Tensor]], bool]  # whether a file's names are the method's
    # A file in our terms, by what is asked for: -mode, and the method's own options of the import.
    # Raises CheckpointError if the weights do not fit, ConfigError naming an option that has to be
    # given.
    read: Callable[[AuthorsFile, Any], Found]

    @property
    def name(self) -> str:
        return self.title.split(" (")[0]
