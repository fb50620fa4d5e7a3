"""What rounding features does to training: the same run with float32, float16 and bfloat16
features, and with the detector on the fly.

``python -m benchmarks.store_precision [--videos 60] [--epochs 6] [--mode sgcls] [-detector
c4-small]``. Synthetic videos, the demo's STTran on a CPU; every run draws the same batches and the
same dropout, so the losses differ by the features alone.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from dataclasses import replace
from pathlib import Path

from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate
from vidsgg.recipes.command_options import EvaluateOptions, FeaturesOptions
from vidsgg.recipes.demo import demo_model
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.features import run_features
from vidsgg.recipes.train import run_training

KINDS = ("on the fly", "float32", "float16", "bfloat16")


def losses_of(run: Path) -> list[float]:
    """The training loss of every epoch."""
    with (run / "metrics.csv").open(encoding="utf-8") as file:
        return [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "train/loss/total"]


def measure(place: Path, videos: int, epochs: int, mode: str, detector: str) -> str:
    """A Markdown table."""
    data = place / "data"
    generate(data, SyntheticConfig(videos=videos))
    features = FeaturesOptions(data_path=str(data), mode=mode, detector=detector, device="cpu")  # type: ignore[arg-type]
    lines = [
        (
            "| features | GB | loss, first epoch | loss, last epoch | largest difference of an epoch's loss | R@20"
            " (with) | R@20 (no) |"
        ),
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    first: list[float] = []
    for kind in KINDS:
        source, size = "off", "-"
        if kind != "on the fly":
            source = str(place / kind)
            size = f"{run_features(replace(features, dtype=kind, out=source)).bytes / 1e9:.3f}"  # type: ignore[arg-type]
        run = place / f"run {kind}"
        options = demo_model(
            epochs=epochs,
            data_path=str(data),
            save_path=str(run),
            mode=mode,
            detector=detector,
            device="cpu",
        )
        run_training(replace(options, features=source, eval_freq=epochs))
        result = run_evaluation(
            EvaluateOptions(checkpoint=str(run / "checkpoint_final.tar"), features=source, device="cpu")
        ).result
        losses = losses_of(run)
        first = first or losses
        difference = max(abs(a - b) for a, b in zip(losses, first, strict=True))
        recall = " | ".join(f"{100 * result.value(constraint, 20):.2f}" for constraint in ("with", "no"))
        lines.append(f"| {kind} | {size} | {losses[0]:.6g} | {losses[-1]:.6g} | {difference:.2g} | {recall} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--mode", default="sgcls")
    parser.add_argument("--detector", default="c4-small")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), options.videos, options.epochs, options.mode, options.detector)
    print(f"{options.videos} synthetic videos, {options.mode}, {options.detector}, {options.epochs} epochs.\n\n{table}")


if __name__ == "__main__":
    main()
