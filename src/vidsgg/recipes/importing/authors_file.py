"""A file of a method's authors as it lies on disk, and what is said about its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vidsgg.detectors.files import KIND
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.io.tensors import load_tensors


@dataclass(frozen=True)
class Imported:
    """path: the file written. lines: what was found, taken and left out, and what to do with the file."""

    path: Path
    lines: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class AuthorsFile:
    """content: all that the file holds. state: the weights in it, under the authors' names."""

    path: Path
    content: Mapping[str, Any]
    state: dict[str, Tensor]

    @staticmethod
    def read(path: Path) -> AuthorsFile:
        """Raises CheckpointError if there are no weights in it, ConfigError if it is a file of ours."""
        content = load_tensors(path)
        if content.get("kind") == KIND or "model_state_dict" in content:
            raise ConfigError(f"{path} is a file of vidsgg already; use it as it is.")
        # The weights lie at the top, under "state_dict" (STTran) or under "model" (the detector).
        state = next((content[key] for key in ("state_dict", "model") if isinstance(content.get(key), Mapping)), content)
        strange = next((name for name, value in state.items() if not isinstance(value, Tensor)), None)
        if strange is not None or not state:
            found = "nothing" if strange is None else f"{strange!r}, a {type(state[strange]).__name__}"
            raise CheckpointError(f"{path} holds {found} where weights are expected; a state dict of tensors is needed.")
        return AuthorsFile(path, content, dict(state))

    def check_rows(self, rows: Mapping[str, int]) -> None:
        """Names of classes are not in the file, so numbers have to do. Raises CheckpointError for a weight with other rows than these."""
        for name, count in rows.items():
            if name not in self.state or len(self.state[name]) != count:
                found = f"has {len(self.state[name])} rows" if name in self.state else "is missing"
                raise CheckpointError(f"{self.path}: {name} {found}; with Action Genome's classes it has {count}.")

    def account(self, left_over: Sequence[str], reason: str) -> list[str]:
        """Lines that say how much is taken, and what is left out and why."""
        taken = [value.numel() for name, value in self.state.items() if name not in left_over]
        lines = [f"  taken: {len(taken)} entries, {sum(taken):,} numbers"]
        if left_over:
            more = ", ..." if len(left_over) > 3 else ""
            lines.append(f"  left out: {len(left_over)} entries, {reason}: {', '.join(left_over[:3])}{more}")
        return lines
