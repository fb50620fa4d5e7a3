"""Options of ``vidsgg app``."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.detectors.backends.choice import BACKEND_HELP, PRECISION_HELP, Backend, Numbers
from vidsgg.options import option


@dataclass(frozen=True)
class AppOptions:
    """Options of ``vidsgg app``."""

    checkpoints: tuple[str, ...] = option(
        (),
        "checkpoint files, folders of runs, or folders of such folders; by default 'output'",
        place="input",
        hub=True,
    )
    data: str = option("app", "folder for uploads and results", place="new folder")
    host: str = option(
        "127.0.0.1", "address to listen at; any other than the default lets others in your network use the app"
    )
    port: int = option(8501, "port to listen at; 0 takes a free one", low=0, high=65_535)
    max_upload_mb: float = option(500.0, "largest size of a video, in megabytes (10^6 bytes)", low=0.001, high=1e6)
    max_minutes: float = option(30.0, "greatest length of a video; a page holds 30 minutes", low=0.01, high=1e5)
    max_waiting: int = option(10, "most videos in the queue", low=1, high=100_000)
    detector: str | None = option(
        None,
        "detector for models that come without one; by default one that is on this machine",
        place="input",
        plugin=True,
    )
    classes: str | None = option(
        None,
        "file with the labels of that detector, one per line, if its own file does not contain them",
        place="input",
    )
    label_map: str | None = option(
        None,
        "file that maps labels of that detector to classes of the model, with lines such as 'mug: cup'",
        place="input",
    )
    backend: Backend | None = option(None, f"{BACKEND_HELP}; by default as the run had it")
    precision: Numbers | None = option(None, f"{PRECISION_HELP}; by default as the run had it")
    device: str = option("auto", "auto (the first CUDA device, else the CPU), cpu, cuda, cuda:1, ...")
