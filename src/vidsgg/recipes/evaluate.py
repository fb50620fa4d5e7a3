"""Score a checkpoint, and write the table."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from vidsgg.datasets.base import VideoDataset
from vidsgg.engine.distributed import Team, join_team
from vidsgg.engine.evaluate import evaluate
from vidsgg.errors import ConfigError
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import RecallResult
from vidsgg.recipes.build import open_split, resolve_data_path
from vidsgg.recipes.models import model_entry
from vidsgg.recipes.options import EvaluateOptions
from vidsgg.recipes.runs import SavedRun, load_model, read_run
from vidsgg.recipes.tables import comparison

AS_AUTHORS, FIXED = "as the authors' code computes it (-reference_compat True)", "with its bugs fixed (-reference_compat False)"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The recall of a run, what is printed of it, and the files that hold it; of several processes only the first has written any."""

    result: RecallResult
    text: str
    files: tuple[Path, ...]


def run_evaluation(options: EvaluateOptions) -> Evaluation:
    """Score a checkpoint on a split; writes ``evaluation_<split>.json`` and ``.csv``.

    An imported checkpoint is scored twice, with the bugs of the authors' code, which is the result, and without them; the second goes to
    ``evaluation_<split>_fixed.json`` and ``.csv``.
    """
    with join_team(options.distributed) as team:
        run, root, dataset = team.first_of_machine_first(lambda: _open(options))
        if not run.imported or options.reference_compat is not None:
            return _score(run, options, root, dataset, options.reference_compat, "", team)
        theirs, ours = (_score(run, options, root, dataset, compat, name, team) for compat, name in ((True, ""), (False, "_fixed")))
    both = comparison({AS_AUTHORS: theirs.result, FIXED: ours.result}, options.split)
    return Evaluation(theirs.result, f"{theirs.text}\n\nSide by side:\n\n{both}", theirs.files + ours.files)


def _open(options: EvaluateOptions) -> tuple[SavedRun, Path, VideoDataset]:
    """The checkpoint, the data set's folder and the videos to score."""
    run = read_run(Path(options.checkpoint))
    for name in ("mode", "model"):
        wanted, has = getattr(options, name), getattr(run.options, name)
        if wanted is not None and wanted != has:
            raise ConfigError(f"option -{name}: {run.file} is of {name} {has!r}, not {wanted!r}.")
    root = resolve_data_path(options.data_path or run.options.data_path)
    dataset = open_split(root, run.options.mode, options.split, datasize=options.datasize, skip_bad=options.skip_bad)
    return run, root, dataset


def _score(
    run: SavedRun, options: EvaluateOptions, root: Path, dataset: VideoDataset, compat: bool | None, suffix: str, team: Team
) -> Evaluation:
    trained = load_model(
        run, root, [dataset], options.device, team=team, detector=options.detector, features=options.features, reference_compat=compat
    )
    used, protocol = trained.options, protocol_for(dataset.schema, trained.options.mode)
    loader = trained.source.loader(
        dataset, learn=False, batch_size=options.batch_size, workers=options.num_workers, skip_bad=options.skip_bad, team=team
    )
    result, _ = evaluate(trained.model, loader, protocol, exclusive=options.exclusive_decoding)
    head = [
        f"{model_entry(used.model).label}, {used.mode}, {run.file} (epoch {run.content['epoch']}){', reference_compat' if used.reference_compat else ''}",
        f"{options.split} split of {root}: {result.videos} videos, {result.units} {protocol.unit}s",
        *trained.source.lines,
    ]
    skipped = list(chain(*team.gather(list(loader.skipped))))
    if skipped:
        head.append(f"skipped {len(skipped)} videos that could not be read; the first: {skipped[0]}")
    text = "\n".join([*head, "", result.table()])
    folder = Path(options.save_path) if options.save_path else run.file.parent
    about = {
        "model": used.model,
        "mode": used.mode,
        "checkpoint": str(run.file),
        "epoch": run.content["epoch"],
        "reference_compat": used.reference_compat,
        "features": trained.source.lines[0],
        "data_path": str(root),
        "split": options.split,
        "skipped_videos": skipped,
    }
    return Evaluation(result, text, _write(folder, f"evaluation_{options.split}{suffix}", about, result) if team.leads else ())


def _write(folder: Path, name: str, about: dict[str, Any], result: RecallResult) -> tuple[Path, Path]:
    as_json, as_csv = folder / f"{name}.json", folder / f"{name}.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        as_json.write_text(json.dumps({**about, **result.to_json()}, indent=1) + "\n", encoding="utf-8")
        with as_csv.open("w", newline="", encoding="utf-8") as file:
            rows = result.rows()
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise ConfigError(f"cannot write the tables to {folder}: {error.strerror}.") from error
    return as_json, as_csv
