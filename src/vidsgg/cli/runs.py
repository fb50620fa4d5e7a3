"""``vidsgg runs``: what was trained, how far it came, and how runs compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidsgg.cli.command_line import parse
from vidsgg.errors import ConfigError
from vidsgg.io.places import check_replaced
from vidsgg.methods.registry import methods
from vidsgg.options import option
from vidsgg.recipes.history import RunRecord, choose_runs, find_runs
from vidsgg.recipes.tables import columns, duration

LIST = """List the runs in and below a folder, the latest last. 'vidsgg runs compare A B ...' puts runs side by side.

State: running, finished, stopped (by a signal; goes on with -resume_from), pruned (by vidsgg tune), failed, killed, damaged."""
COMPARE = "Put runs side by side: options that differ, best scores, and their curves as a picture."


@dataclass(frozen=True)
class ListRunsOptions:
    folder: str = option("output", "folder to list", place="input")
    json: bool = option(False, "print JSON instead of a table")


@dataclass(frozen=True)
class CompareRunsOptions:
    runs: tuple[str, ...] = option(help="folders of runs, or the names of runs in -folder", place="input")
    folder: str = option("output", "folder in which runs are looked for by name", place="input")
    out: str = option("curves.png", "picture to write: training loss and validation scores by epoch", place="new file")


def main(argv: Sequence[str]) -> int:
    if argv and argv[0] == "compare":
        options = parse(
            CompareRunsOptions, argv[1:], prog="vidsgg runs compare", description=COMPARE, positional=["runs"]
        )
        if len(options.runs) < 2:
            raise ConfigError("two or more runs are needed for a comparison.\nSee 'vidsgg runs compare -h'.")
        out = Path(options.out)
        check_replaced("option -out", out, out.suffix or ".png")
        return _compare(choose_runs(options.runs, Path(options.folder)), out)
    listed = parse(ListRunsOptions, argv, prog="vidsgg runs", description=LIST, positional=["folder"])
    runs = find_runs(Path(listed.folder))
    if listed.json:
        print(json.dumps([_as_json(run) for run in runs], indent=1))
    elif runs:
        print(_table(runs, Path(listed.folder)))
    else:
        print(f"no runs in {listed.folder}")
    return 0


def _table(runs: Sequence[RunRecord], root: Path) -> str:
    rows: list[tuple[str, ...]] = [
        (
            "run",
            "started",
            "state",
            "data set",
            "model",
            "mode",
            "epochs",
            "best",
            "time",
            "options that are not the defaults",
        )
    ]
    notes = [""]
    for run in runs:
        name = str(run.path.relative_to(root)) if run.path != root else str(run.path)
        if run.state == "damaged":
            rows.append((name, "", run.state, *[""] * 7))
        else:
            rows.append(
                (
                    name,
                    f"{run.started:%Y-%m-%d %H:%M}" if run.started else "",
                    run.state,
                    run.dataset,
                    run.model,
                    run.mode,
                    f"{run.epochs_done}/{run.epochs_planned}",
                    run.best,
                    duration(run.seconds),
                    " ".join(f"{key}={_text(value)}" for key, value in run.changed.items() if key != "epochs"),
                )
            )
        notes.append(f"\n    {run.message}" if run.message else "")
    return "\n".join([*(line + note for line, note in zip(columns(rows), notes, strict=True)), *_notes(runs)])


def _compare(runs: Sequence[RunRecord], out: Path) -> int:
    from vidsgg.charts.curves import Panel, draw_curves  # matplotlib

    names = _names(runs)
    rows: list[tuple[str, ...]] = [("", *names)]
    rows += [(f"-{key}", *(str(run.options.get(key, "–")) for run in runs)) for key in _different(runs)]
    rows += [
        ("state", *(run.state for run in runs)),
        ("epochs", *(f"{run.epochs_done}/{run.epochs_planned}" for run in runs)),
        ("time", *(duration(run.seconds) for run in runs)),
        ("best", *(run.best for run in runs)),
        (
            "last loss",
            *(f"{points[-1][1]:.4f}" if (points := run.curve("train/loss/total")) else "none" for run in runs),
        ),
    ]
    known = ("val/with/recall@20", "val/with/mR@20", "val/with/F@20", "val/mAP50")
    scores = [key for key in known if any(run.curve(key) for run in runs)]
    rows += [
        (
            f"highest {_label(key)}",
            *(
                f"{100 * max(value for _, value in points):.2f}" if (points := run.curve(key)) else "none"
                for run in runs
            ),
        )
        for key in scores
    ]
    print("\n".join([*columns(rows), *_notes(runs)]))
    panels = [Panel("training loss", dict(zip(names, (run.curve("train/loss/total") for run in runs), strict=True)))]
    panels += [
        Panel(
            f"validation {_label(key)}, in %",
            dict(zip(names, (run.curve(key) for run in runs), strict=True)),
            percent=True,
        )
        for key in scores
    ]
    print(f"\ncurves: {draw_curves(out, panels)}")
    return 0


def _notes(runs: Sequence[RunRecord]) -> list[str]:
    """What has to be said below a table with these runs, a line for each model."""
    models = [methods()[name] for name in dict.fromkeys(run.model for run in runs) if name in methods()]
    return [f"\n{entry.name}: {entry.note}" for entry in models if entry.note]


def _different(runs: Sequence[RunRecord]) -> list[str]:
    """Options that the runs do not agree in. One that some runs do not have counts where another
    run has changed it."""

    def differs(key: str) -> bool:
        having = [run for run in runs if key in run.options]
        several = any(run.options[key] != having[0].options[key] for run in having)
        return several or (len(having) < len(runs) and any(key in run.changed for run in having))

    return [
        key for key in dict.fromkeys(key for run in runs for key in run.options) if key != "save_path" and differs(key)
    ]


def _names(runs: Sequence[RunRecord]) -> list[str]:
    """Names of folders, or whole paths where names are equal."""
    short = [run.path.name for run in runs]
    return short if len(set(short)) == len(short) else [str(run.path) for run in runs]


def _label(key: str) -> str:
    """``val/with/recall@20`` as ``Recall@20 (with)``, and so on."""
    *_, constraint, name = key.split("/")
    return name if constraint == "val" else f"{name.replace('recall', 'Recall')} ({constraint} constraint)"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _as_json(run: RunRecord) -> dict[str, Any]:
    """Everything but the curves, which are in metrics.csv."""
    values = {name: getattr(run, name) for name in RunRecord.__dataclass_fields__ if name != "curves"}
    return {**values, "path": str(run.path), "started": run.started.isoformat(sep=" ") if run.started else None}
