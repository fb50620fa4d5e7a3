"""What it costs to compare a checkpoint with its checksums: loading with and without, cold and
warm; and to compare a language model's weights with those that its adapters were trained on.

``python -m benchmarks.checkpoints [--mb 400]``. Random weights of the size of STTran's at full
width, and a Llama of as many bytes; the best of five of each. "Cold" after the operating system was
told to forget the file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.store import forget, timed
from vidsgg.io import tensors
from vidsgg.io.tensors import check_intact, load_tensors, save_tensors
from vidsgg.models.scenellm.loading import LanguageSource, load_language_model
from vidsgg.models.scenellm.stored_weights import stored_tensors, weights_checksum

REPEATS = 5


def measure(megabytes: int) -> str:
    """A Markdown table, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.tar"
        save_tensors(path, {f"weight{i}": torch.randn(250, 1000) for i in range(megabytes)})

        def unknown(work: Callable[[Path], object]) -> Callable[[], object]:
            """As in a process that has not seen the file."""

            def call() -> object:
                tensors._whole.clear()
                return work(path)

            return call

        def known() -> object:
            return load_tensors(path)

        ways: dict[str, Callable[[], object]] = {
            "read without a comparison": lambda: torch.load(path, weights_only=True),
            "the comparison alone": unknown(check_intact),
            "compared and read, as the first time in a process": unknown(load_tensors),
            "read again in the same process": known,
        }
        return table(path, ways)


def measure_language_model(megabytes: int) -> str:
    """The same for the weights of a language model in float32."""
    wide = 1024
    layers = max(1, round(megabytes * 1e6 / 4 / (10 * wide**2)))  # 4 of attention, 3 twice as wide
    source = f"random:llama:hidden={wide},layers={layers},heads=16,vocabulary=128"
    with tempfile.TemporaryDirectory() as folder:
        load_language_model(LanguageSource(source)).save_pretrained(folder)
        ways: dict[str, Callable[[], object]] = {
            "loaded without a comparison": lambda: load_language_model(LanguageSource(folder)),
            "the checksum of its weights": lambda: weights_checksum(stored_tensors(folder, "model")),
        }
        return table(Path(folder) / "model.safetensors", ways)


def table(path: Path, ways: dict[str, Callable[[], object]]) -> str:
    """Seconds of several ways to read a file, as Markdown."""
    lines = [f"{path.stat().st_size / 1e6:.0f} MB.\n", "| | cold, s | warm, s |", "| --- | ---: | ---: |"]
    for name, way in ways.items():
        cells = []
        for cold in (True, False):
            seconds = []
            for _ in range(REPEATS):
                if cold:
                    forget([path])
                seconds.append(timed(way))
            cells.append(f"{min(seconds):.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.checkpoints", description="The cost of a checkpoint's checksums."
    )
    parser.add_argument("--mb", type=int, default=400, help="size of the checkpoint")
    megabytes = parser.parse_args(argv).mb
    print(measure(megabytes))
    print(f"\nA language model, {measure_language_model(megabytes)}")


if __name__ == "__main__":
    main()
