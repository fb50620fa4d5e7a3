"""``make fuzz``: malformed command lines, damaged files, kills and hostile requests until the time
is up; prints what was found.

``python -m fuzz -kind NAME -case N -seed S`` repeats one case (with PYTHONPATH=src:tests).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("-seed", type=int, default=0, help="another seed is other cases")
    parser.add_argument(
        "-minutes", type=float, default=10, help="when to end; with enough of them, every kind runs all its cases"
    )
    parser.add_argument("-kind", default=None, help="the beginning of the names of the kinds to run; all without it")
    parser.add_argument("-case", type=int, default=None, help="the one case to run")
    parser.add_argument("-list", action="store_true", help="list the kinds")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from fuzz.kinds import all_kinds
    from fuzz.runner import run

    kinds = [kind for kind in all_kinds() if asked.kind is None or kind.name.startswith(asked.kind)]
    if asked.list or not kinds:
        print("\n".join(f"{kind.name:<32} {kind.cases:>5} cases" for kind in kinds) or "no such kind")
        return 0 if kinds else 2
    ends, found = time.monotonic() + 60 * asked.minutes, 0
    print(f"{'kind':<32} {'cases':>6} {'seconds':>8} {'faults':>7}   seed {asked.seed}", flush=True)
    for place, kind in enumerate(kinds):
        budget = max(ends - time.monotonic(), 0) / (len(kinds) - place)
        cases = range(kind.cases) if asked.case is None else [asked.case]
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            report = run(
                kind, Path(folder).resolve() / "run", asked.seed, cases, budget if asked.case is None else float("inf")
            )
        print(f"{report.name:<32} {report.ran:>6} {report.seconds:>8.1f} {len(report.faults):>7}", flush=True)
        for case, fault in report.faults.items():
            print(
                f"\n--- {report.name}, case {case}; again: python -m fuzz -kind {report.name!r} -case {case} -seed"
                f" {asked.seed}\n{fault}",
                flush=True,
            )
        found += len(report.faults)
    print(f"{found} faults" if found else "no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
