"""``vidsgg data convert``: a data set in the files of another format."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.convert import ConvertOptions, run_convert


def main(argv: Sequence[str]) -> int:
    options = parse(
        ConvertOptions,
        argv,
        prog="vidsgg data convert",
        description="Write a data set in another format. Pictures and videos stay where they are.",
        positional=["data_path", "out"],
    )
    done = run_convert(options)
    print(f"{len(done.files)} file{'s' * (len(done.files) != 1)} in {options.out}; put the pictures beside, as before")
    for line in done.lost:
        print(f"lost: {line}")
    return 0
