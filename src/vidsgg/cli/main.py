"""The installed program: ``vidsgg COMMAND ...``. A command's module is imported only when it is
called."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence

from vidsgg import __version__
from vidsgg.cli.colours import red
from vidsgg.cli.completing import completing, offer_commands, words_before
from vidsgg.cli.verbosity import LEVELS, be
from vidsgg.errors import ConfigError, ProcessLost, Stopped, VidsggError, is_lack_of_memory, short
from vidsgg.options import closest
from vidsgg.status import VERBOSE, level, level_of_one_command, process_number, visible

COMMANDS = {
    "train": "train a model",
    "evaluate": "score a trained model",
    "compare": "put scores of models side by side, and say how sure their differences are",
    "tune": "search for good options of training",
    "runs": "list runs, or put them side by side",
    "demo": "make data, train, evaluate, predict, and write a page to open",
    "predict": "write the graphs of videos, your own or annotated ones",
    "view": "write a page to look at graphs: video, graph and timeline move together",
    "app": "a web app on this machine: upload a video, look at its graph",
    "export": "write graphs in the formats of others",
    "library": "many graphs as tables: build, describe, merge and compact them",
    "search": "find relations, and how they follow one another, in a library of graphs",
    "mcp": "offer a library of graphs to an agent",
    "train-detector": "train a detector, or score one",
    "features": "write what the detector gives for every video to disk, once",
    "data": "make, check, show and count data sets",
    "import-checkpoint": "turn a file of a method's authors into one of ours",
    "push": "offer a trained model to others on the Hugging Face hub, with a model card",
    "models": "list the models and what they can do",
    "completion": "let a shell complete commands and options with the Tab key",
}


def run(command: Callable[[list[str]], int], argv: Sequence[str]) -> int:
    """Call a command; mistakes of the user, and what their disks refuse, become one message on
    stderr and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    with level_of_one_command():
        return _run(command, argv)


def _run(command: Callable[[list[str]], int], argv: Sequence[str]) -> int:
    try:
        code = command(list(argv))
        sys.stdout.flush()
        return code
    except VidsggError as error:
        _let_the_cause_be_told(error)
        return _say(str(error))
    except Stopped as stop:
        if process_number() == 0:
            print(stop, file=sys.stderr)
        return stop.code
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output (head, less) went away
        _write_no_more()
        return 0
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        _write_no_more()
        return _say(_refused(error))
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        return _say(
            f"not enough memory: {str(error).splitlines()[0][:200] if str(error) else 'the system gave no more'}"
        )


# What a disk, a folder or the system refuses, wherever it comes up; any other OSError is a mistake
# of ours.
_OF_THE_MACHINE = {
    getattr(errno, name): remedy
    for name, remedy in {
        "EACCES": "Check its permissions, or name another place.",
        "EPERM": "Check its permissions, or name another place.",
        "EROFS": "Name a place that can be written to.",
        "ENOENT": "Check the path.",
        "ENOTDIR": "A part of the path is a file, not a folder.",
        "EISDIR": "A file is needed there.",
        "EEXIST": "Name another place.",
        "ENOTEMPTY": "Name another place.",
        "ENAMETOOLONG": "Give a shorter name.",
        "EILSEQ": "Give a name that the file system can hold.",
        "ELOOP": "Name a place without such a link.",
        "ENXIO": "Give an ordinary file.",
        "ENOSPC": "Free some space, or name another place.",
        "EDQUOT": "Free some space, or name another place.",
        "EFBIG": "Name a place on another file system.",
        "EIO": "The disk may be damaged.",
        "ESTALE": "The network drive has gone away; try again.",
        "ETXTBSY": "Another program uses it.",
        "EBUSY": "Another program uses it.",
        "EMFILE": "Too many files are open; raise the limit (ulimit -n), or use fewer processes.",
        "ENFILE": "Too many files are open on this machine.",
        "ENOMEM": "Free some memory, or use fewer processes.",
        "EAGAIN": "The system has no room for another process; use fewer.",
    }.items()
    if hasattr(errno, name)
}
_LONGEST = 4000  # letters of a message


def _say(message: str) -> int:
    more = f" ... ({len(message) - _LONGEST:,} more letters)" if len(message) > _LONGEST else ""
    if level() == VERBOSE and sys.exc_info()[0] is not None:
        traceback.print_exc()
    print(f"{red('error:', sys.stderr)} {visible(message[:_LONGEST])}{more}", file=sys.stderr)
    return 2


def _refused(error: OSError) -> str:
    named = [str(name) for name in (error.filename, error.filename2) if name is not None]
    return f"{' -> '.join(named)}{': ' if named else ''}{error.strerror}. {_OF_THE_MACHINE[error.errno or 0]}"


def _write_no_more() -> None:
    """Let what stdout still holds go nowhere, or Python would try it again at its end, and
    complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # it is no file, as in tests and notebooks
        return


def _let_the_cause_be_told(error: VidsggError) -> None:
    """Of several processes, one should say what went wrong. Those that only miss it, and those that
    have made the same mistake as the first, wait a while, in which the launcher ends them.
    """
    if isinstance(error, ProcessLost):
        time.sleep(10)
    elif process_number() > 0:
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
            "'vidsgg COMMAND -h' lists the options of a command, 'vidsgg --version' says which version this is.",
        ]
    )


def _dispatch(argv: list[str]) -> int:
    while argv and argv[0].startswith("-") and (wanted := LEVELS.get(argv[0].lstrip("-"))):
        be(wanted)
        del argv[0]
    if not argv and completing():
        offer_commands(COMMANDS, 1)
    if not argv or argv[0] in ("-h", "--help", "-help", "-help-all", "--help-all", "help"):
        print(_usage())
        return 0
    if argv[0] in ("-V", "--version", "-version"):
        print(f"vidsgg {__version__}")
        return 0
    name = argv[0]
    if name not in COMMANDS:
        raise ConfigError(f"unknown command {short(name)}{closest(name, list(COMMANDS)) or '.'} 'vidsgg -h' lists all.")
    command: Callable[[list[str]], int] = importlib.import_module(f"vidsgg.cli.{name.replace('-', '_')}").main
    return command(argv[1:])


def main(argv: Sequence[str] | None = None) -> int:
    if completing():
        return run(_dispatch, words_before())
    return run(_dispatch, sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
