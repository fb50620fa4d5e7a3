"""``vidsgg data synth``: make a synthetic data set."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidsgg.cli.command_line import parse
from vidsgg.errors import ConfigError
from vidsgg.options import option


@dataclass(frozen=True)
class SynthOptions:
    out: Path = option(
        help="folder for the data set: empty, new, or with an older synthetic set, which is replaced",
        aliases=["o"],
        place="new folder",
    )
    world: Literal["person", "rooms"] = option(
        "person",
        "person: one person and objects, in Action Genome's own file format; rooms: several people and objects,"
        " and relations between any two of them, in the format of your own data",
    )
    videos: int = option(200, "number of videos; every fifth belongs to the test split", low=5, high=100_000)
    seed: int = option(0, "the same seed gives the same bytes", low=0, high=2**32 - 1)
    frames: bool = option(False, "also write every frame as a PNG, like the frame dump of Action Genome")
    width: int = option(320, "width of the pictures in pixels; an even number", low=96, high=16_384)
    height: int = option(240, "height of the pictures in pixels; an even number", low=96, high=16_384)
    workers: str = option("auto", "number of processes, or 'auto'")


def main(argv: Sequence[str]) -> int:
    options = parse(
        SynthOptions,
        argv,
        prog="vidsgg data synth",
        description="Make a synthetic data set: drawn videos and their annotations.",
    )
    if options.workers != "auto" and not options.workers.isdecimal():
        raise ConfigError(f"option -workers: expected a whole number or 'auto', got {options.workers!r}")
    workers = None if options.workers == "auto" else int(options.workers)
    from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate

    generate(
        options.out,
        SyntheticConfig(
            options.videos, options.seed, options.frames, options.width, options.height, workers, options.world
        ),
    )
    print(f"{options.videos} videos in {options.out}")
    folder = shlex.quote(str(options.out))
    print("What to do next:")
    print(f"  vidsgg data show -data_path {folder} -out scene.png   # look at one")
    print(f"  vidsgg data stats -data_path {folder}                # count what is in it")
    print(f"  vidsgg train -data_path {folder} -mode predcls -model sttran")
    return 0
