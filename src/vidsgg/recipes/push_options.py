"""Options of ``vidsgg push``."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.options import option


@dataclass(frozen=True)
class PushOptions:
    """Options of ``vidsgg push``."""

    checkpoint: str = option(help="checkpoint file, or a run's folder (its best checkpoint)", place="input")
    repository: str | None = option(None, "ORG/NAME on the hub; created if it does not exist")
    license: str | None = option(
        None, "licence under which others may use the model, by its short name: apache-2.0, mit, cc-by-nc-4.0, ..."
    )
    out: str | None = option(
        None,
        "also keep a copy of what is uploaded in this folder, which must be new or empty",
        aliases=["o"],
        place="new folder",
    )
    dry_run: bool = option(False, "with -out: only write the folder; nothing is uploaded", aliases=["dry-run"])
    private: bool = option(False, "create a private repository")
    detector: str | None = option(
        None, "the detector that the model was trained with, if it is not found", place="input"
    )
    model: str | None = option(None, "your own code, if the checkpoint uses it: package.module:METHOD", plugin=True)
