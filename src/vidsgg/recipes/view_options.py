"""Options of ``vidsgg view``."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.options import option


@dataclass(frozen=True)
class ViewOptions:
    """Options of ``vidsgg view``."""

    graphs: tuple[str, ...] = option(help="graph files, or folders of them", place="input", remote=True)
    out: str | None = option(
        None,
        "folder for the output; by default that of each graph; - is standard output, for the page of one graph",
        aliases=["o"],
        place="new folder",
        takes_stream=True,
    )
    video: str | None = option(
        None,
        "the video, its folder of pictures, or a folder with a video of the graph's name; by default the graph's"
        " own path",
        place="input",
        remote=True,
    )
    truth: str | None = option(
        None, "graph file of the ground truth, or a folder with a file of the graph's name", place="input", remote=True
    )
    width: int = option(640, "greatest width of the video or the pictures in the page, in pixels", low=64, high=16_384)
    begin: float | None = option(None, "seconds at which the page begins", low=0, high=1e7)
    end: float | None = option(None, "seconds at which the page ends", low=0, high=1e7)
    overlay: bool = option(False, "also write STEM.overlay.mp4: the video with boxes and relations drawn into it")
    sheet: bool = option(False, "also write STEM.sheet.png: a few representative frames side by side")
