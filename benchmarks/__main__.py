"""Every benchmark of speed that needs no data of the user's, one after another.

``python -m benchmarks [-out benchmark_results] [-only waits,metrics]``. Each runs in a process of
its own. What it prints is written into a file of its name, below the machine, the time that it
took, and the load of the machine before it began: a load well above 0 means that other programs
used the processor. docs/benchmarks.md holds what they printed.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.command import command
from vidsgg.cli.command_line import parse
from vidsgg.errors import ConfigError, VidsggError
from vidsgg.options import option

# By module, what follows it on the command line. {folder}: that of the files.
COMMANDS = {
    "waits": "",
    "metrics": "",
    "start_up": "",
    "graphs": "",
    "scaling": "-out {folder}/scaling.png",
    "own_data": "",
    "loader": "",
    "sttran": "",
    "step": "",
    "store": "",
    "checkpoints": "",
    "epoch": "",
    "engine": "",
    "distributed": "",
    "crowded": "",
    "tempura": "--quick",
    "stket": "--quick",
    "oed": "",
    "scenellm": "speed -videos 4",
    "library": "",
}


@dataclass(frozen=True)
class EveryOptions:
    out: str = option("benchmark_results", "folder for what each printed")
    only: str = option(",".join(COMMANDS), "benchmarks, with commas between them")


def machine() -> str:
    """Processor, cores and versions, in a line."""
    model = ""
    if (known := Path("/proc/cpuinfo")).is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", known.read_text(encoding="utf-8"), re.MULTILINE)
        model = found[1] if found else ""
    return (
        f"{model or platform.processor() or platform.machine()} ({torch.backends.cpu.get_cpu_capability()}),"
        f" {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, torch {torch.__version__}"
    )


def load() -> str:
    """Programs that wanted a core, on average over the last minute; empty where the system does not say."""
    return f"load before it {os.getloadavg()[0]:.2f}, " if hasattr(os, "getloadavg") else ""


def run(name: str, folder: Path) -> str:
    """What a benchmark printed, below a title. Raises VidsggError if it failed."""
    words = [word.format(folder=folder) for word in COMMANDS[name].split()]
    shown = shlex.join(["python", "-m", f"benchmarks.{name}", *words])
    before, began = load(), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words], stdout=subprocess.PIPE, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        raise VidsggError(f"'{shown}' ended with exit status {done.returncode}; its own message is above.")
    return f"# `{shown}`\n\n{machine()}; {before}took {took:.0f} s\n\n{done.stdout.strip()}\n"


def main(argv: Sequence[str]) -> None:
    options = parse(EveryOptions, argv, prog="benchmarks", description=__doc__)
    names = [name.strip() for name in options.only.split(",")]
    if unknown := [name for name in names if name not in COMMANDS]:
        raise ConfigError(f"option -only: unknown benchmark {unknown[0]!r}; choose from {', '.join(COMMANDS)}")
    folder = Path(options.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            text = run(name, folder)
            print(text, flush=True)
            (folder / f"{name}.md").write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"option -out: {folder} cannot be written: {error.strerror or error}; name another folder."
        ) from error


if __name__ == "__main__":
    command("benchmarks", main)
