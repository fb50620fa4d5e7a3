"""The installed program: ``vidsgg COMMAND ...``. A command's module is imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable, Sequence

from vidsgg import __version__
from vidsgg.errors import ConfigError, ProcessLost, Stopped, VidsggError
from vidsgg.options import closest

COMMANDS = {
    "train": "train a model",
    "evaluate": "score a trained model",
    "compare": "put scores of models side by side, and tell how sure their differences are",
    "tune": "search for good options of training",
    "runs": "list runs, or put them side by side",
    "demo": "make data, train, evaluate, predict, and write a page to open",
    "predict": "write the graphs of videos, your own or annotated ones",
    "view": "write a page to look at graphs: video, graph and timeline move together",
    "app": "a web app on this machine: upload a video, look at its graph",
    "export": "write graphs in the formats of others: csv, coco, vidvrd, vidor, graphml, cypher, predictions",
    "train-detector": "train a detector, or score one",
    "features": "write what the detector gives for every video to disk, once",
    "data": "make, check, show and count data sets",
    "import-checkpoint": "turn a file of a method's authors into one of ours",
    "models": "list the models and what they can do",
}


def run(command: Callable[[list[str]], int], argv: Sequence[str]) -> int:
    """Call a command; mistakes of the user become one message on stderr and exit code 2."""
    try:
        return command(list(argv))
    except VidsggError as error:
        _let_the_cause_be_told(error)
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Stopped as stop:
        if _process() == 0:
            print(stop, file=sys.stderr)
        return stop.code
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output (head, less) went away
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _process() -> int:
    """Number of this process among several that torchrun has started."""
    return int(os.environ.get("RANK", 0))


def _let_the_cause_be_told(error: VidsggError) -> None:
    """Of several processes, one should say what went wrong. Those that only miss it, and those that have made the same mistake as the first,
    wait a while, in which the launcher ends them.
    """
    if isinstance(error, ProcessLost):
        time.sleep(10)
    elif _process() > 0:
        time.sleep(3)


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: vidsgg COMMAND [options]",
            "",
            "Video scene graph generation: train, evaluate and run models that turn a video into a graph per frame.",
            "",
            "commands:",
            *lines,
            "",
            "'vidsgg COMMAND -h' lists the options of a command.",
        ]
    )


def _dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"vidsgg {__version__}")
        return 0
    name = argv[0]
    if name not in COMMANDS:
        raise ConfigError(f"unknown command {name!r}{closest(name, list(COMMANDS))}\n\n{_usage()}")
    command: Callable[[list[str]], int] = importlib.import_module(f"vidsgg.cli.{name.replace('-', '_')}").main
    return command(argv[1:])


def main(argv: Sequence[str] | None = None) -> int:
    return run(_dispatch, sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
