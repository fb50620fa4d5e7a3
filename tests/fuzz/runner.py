"""Runs of many cases, each of which can be repeated: what is tried lives in a process of its own,
which may be ended or end by itself.

A case is a number. With the kind's name and a seed it decides all that is random in it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TextIO

from benchmarks.peak import peak_bytes

SECONDS = 60  # that one case may take
MEMORY = 1 << 30  # bytes that one case may take beyond what the process had before
# bytes of addresses beyond that: a case that wants more is refused by the system, so that the
# machine lives
_ADDRESSES = 6 << 30


@dataclass(frozen=True)
class Kind:
    """Cases of one kind. prepare: makes what all cases need in a folder, once. one: runs a case in
    an empty folder of its own; whatever it
    raises is a fault. cases: how many a long run has.
    """

    name: str
    prepare: Callable[[Path], Any]
    one: Callable[[Any, Random, Path], None]
    cases: int
    seconds: float = SECONDS  # that one case may take


@dataclass
class Report:
    name: str
    ran: int = 0
    seconds: float = 0.0
    faults: dict[int, str] = field(default_factory=dict)  # by case


def run(kind: Kind, folder: Path, seed: int, cases: Iterable[int], budget: float = float("inf")) -> Report:
    """Runs cases until all are done, or ``budget`` seconds are over: one at least."""
    report = Report(kind.name)
    made = folder / "made"
    made.mkdir(parents=True)
    prepared = kind.prepare(made)
    # a decoder that is left over would be closed in a process of its cases, where its threads are
    # not: that waits for ever
    gc.collect()
    begin, todo = time.monotonic(), list(cases)
    while todo and (not report.ran or time.monotonic() - begin < budget):
        with _child(kind, prepared, folder, seed, todo) as (process, lines):
            for case, fault in _messages(process, lines, todo, kind.seconds):
                report.ran += 1
                todo.remove(case)
                if fault:
                    report.faults[case] = fault
                if time.monotonic() - begin >= budget:
                    break
    report.seconds = time.monotonic() - begin
    return report


def _messages(process: int, lines: TextIO, todo: list[int], seconds: float) -> Iterator[tuple[int, str]]:
    """What came of each case, until all are done or the process has ended: then the case that it
    was at is a fault."""
    current: int | None = None
    for _ in range(2 * len(todo)):
        ready, _, _ = select.select([lines], [], [], seconds)
        line = lines.readline() if ready else ""
        if not line:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            if current is None:
                raise RuntimeError("the process of the cases did not begin")
            yield current, f"took more than {seconds:g} s" if not ready else "ended its process (see above)"
            return
        case, fault = json.loads(line)
        if fault is None:
            current = case
        else:
            yield case, fault


@contextlib.contextmanager
def _child(kind: Kind, prepared: Any, folder: Path, seed: int, cases: list[int]) -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    sys.stdout.flush()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            os.close(reading)
            _bound_addresses()
            with os.fdopen(writing, "w") as out:
                for case in cases:
                    print(json.dumps([case, None]), file=out, flush=True)
                    print(
                        json.dumps(
                            [case, _one(kind, prepared, folder / f"case-{case}", Random(f"{seed}/{kind.name}/{case}"))]
                        ),
                        file=out,
                        flush=True,
                    )
            code = 0
        except BrokenPipeError:
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    lines = os.fdopen(reading)
    try:
        yield process, lines
    finally:
        lines.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL:
            print(f"{kind.name}: the process ended by {signal.Signals(os.WTERMSIG(status)).name}", file=sys.stderr)


def _one(kind: Kind, prepared: Any, place: Path, random: Random) -> str:
    """Empty, or what went wrong."""
    place.mkdir()
    memory = peak_bytes()
    faulthandler.dump_traceback_later(kind.seconds - 1, file=sys.__stderr__)  # where it was when it took too long
    try:
        kind.one(prepared, random, place)
        grown = peak_bytes() - memory
        return f"took {grown >> 20:,} MiB of memory" if grown > MEMORY else ""
    except BaseException as error:
        text = "".join(traceback.format_exception(error)[-12:])
        return text[-4000:] or "?"
    finally:
        faulthandler.cancel_dump_traceback_later()
        _unlock(place)
        shutil.rmtree(place, ignore_errors=True)


def _unlock(place: Path) -> None:
    for folder, folders, _ in os.walk(place):
        for name in folders:
            with contextlib.suppress(OSError):
                os.chmod(Path(folder) / name, 0o700)


def _bound_addresses() -> None:
    if sys.platform != "linux":
        return
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + _ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
