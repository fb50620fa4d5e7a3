"""``vidsgg features``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.errors import DataError
from vidsgg.recipes.command_options import FeaturesOptions
from vidsgg.recipes.inputs import check_data, check_detector
from vidsgg.status import say_loading

DESCRIPTION = """Write what the detector gives for every video to disk, once; training and evaluating then only read it.

May be interrupted at any time: the same command goes on where it stopped, and does nothing when everything is there."""


def main(argv: Sequence[str]) -> int:
    options = parse(FeaturesOptions, argv, prog="vidsgg features", description=DESCRIPTION)
    form = check_data(options.data_path, options.videos_path)
    check_detector(options.detector)
    if options.videos_path is not None and form is not None and form.writes_features:
        say_loading()
        from vidsgg.recipes.made_features import make_features  # torch

        print(make_features(options).text())
        return 0
    if options.estimate:
        say_loading()
        from vidsgg.recipes.feature_estimate import estimate_features  # torch

        print(estimate_features(options).text())
        return 0
    say_loading()
    from vidsgg.recipes.features import run_features  # torch

    outcome = run_features(options)
    print(outcome.text(), flush=True)
    if outcome.lost:
        raise DataError("\n".join(outcome.lost.values()))
    return 0
