"""Every benchmark of speed that needs no data of the user's, one after another.

``python -m benchmarks [-out benchmark_results] [-only waits,metrics]``. Each runs in a process of
its own. What it prints is written into a file of its name, below the machine, the time that it
took, and the share of the cores that other programs used meanwhile. docs/benchmarks.md holds what
they printed.
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

import psutil
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


def busy() -> float:
    """Seconds that the cores have worked since the machine started, for whatever program, or were lent to others."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def own() -> float:
    """Seconds that this process and its children, which have ended, have worked."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def run(name: str, folder: Path) -> str:
    """What a benchmark printed, below a title. Raises VidsggError if it failed."""
    words = [word.format(folder=folder) for word in COMMANDS[name].split()]
    shown = shlex.join(["python", "-m", f"benchmarks.{name}", *words])
    others, began = busy() - own(), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words], stdout=subprocess.PIPE, text=True)
    took = time.perf_counter() - began
    share = max(0.0, busy() - own() - others) / (took * (os.cpu_count() or 1))
    if done.returncode:
        raise VidsggError(f"'{shown}' ended with exit status {done.returncode}; its own message is above.")
    return f"# `{shown}`\n\n{machine()}; it took {took:.0f} s, others used {share:.0%} of the cores\n\n{done.stdout.strip()}\n"


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
