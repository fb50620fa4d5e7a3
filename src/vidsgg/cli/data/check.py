"""``vidsgg data check``: what is wrong with a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vidsgg.cli.command_line import parse
from vidsgg.datasets.format import VIDEOS_HELP
from vidsgg.options import option


@dataclass(frozen=True)
class CheckOptions:
    data_path: str | None = option(
        None, "folder of the data set; by default data/action_genome, if it exists", place="input", remote=True
    )
    videos_path: str | None = option(None, VIDEOS_HELP, place="input", remote=True)
    images: Literal["none", "sample", "all"] = option("sample", "videos whose pictures are read")
    examples: int = option(3, "cases of each kind of fault to list", low=1, high=1_000)


def main(argv: Sequence[str]) -> int:
    """Print the report. Returns 0 if everything can be used and 1 if not; a folder that is no data
    set raises DataError."""
    options = parse(CheckOptions, argv, prog="vidsgg data check", description="Find out what is wrong with a data set.")
    from vidsgg.datasets.registry import data_folder, videos_folder
    from vidsgg.datasets.validation import check_dataset

    report = check_dataset(data_folder(options.data_path), options.images, videos_folder(options.videos_path))
    print(report.text(options.examples))
    return 0 if report.clean else 1
