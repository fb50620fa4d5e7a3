"""``vidsgg data COMMAND ...``: make, check, show and count data sets."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.groups import run_of_group

COMMANDS = {
    "synth": "make a synthetic data set, videos and all",
    "check": "find out what is wrong with a data set",
    "convert": "write a data set in the files of another format",
    "show": "draw the annotations of a frame or of a whole video",
    "stats": "count objects, predicates, frames and pairs",
    "unseen": "list the triplets of a split that training lacks",
    "priors": "count what is usual for every class of objects, as STKET knows it",
}


def main(argv: Sequence[str]) -> int:
    return run_of_group("data", COMMANDS, argv)
