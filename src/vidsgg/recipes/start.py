"""What a training run starts from: nothing, the weights of another run, or exactly where a run was
stopped."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from vidsgg.assembly.data import Splits, open_splits, resolve_data_path
from vidsgg.assembly.detectors import best_of_run, is_detector_name
from vidsgg.assembly.run_places import check_not_recorded, find_places, place_options, possible_places
from vidsgg.assembly.saved_run import SavedRun, check_widths, data_of, detector_places, read_run
from vidsgg.datasets.registry import videos_folder
from vidsgg.engine.checkpoint import Checkpoint, newest_checkpoint
from vidsgg.engine.checkpoint_files import BEST, FINAL, SHARED
from vidsgg.engine.run_folder import OUTPUT, begun, has_saved
from vidsgg.engine.state import TrainingState
from vidsgg.errors import CheckpointError, ConfigError, DataError
from vidsgg.io.atomic import whole_path
from vidsgg.io.locations import Location, location
from vidsgg.io.tensors import check_intact
from vidsgg.io.untrusted import read_yaml
from vidsgg.methods.registry import find_method
from vidsgg.methods.training_options import TrainOptions, options_from
from vidsgg.options import free_options
from vidsgg.plugins import require_said_again, withhold_code


@dataclass(frozen=True, eq=False)
class Start:
    """options: as given, or those of a run that goes on, with what was changed. root, splits: the
    data. weights_of: the run that weights
    are taken over from. continued: the run that goes on; in_place: in its own folder. lines: lines
    for the log.
    """

    options: TrainOptions
    root: Location
    splits: Splits
    weights_of: SavedRun | None = None
    continued: SavedRun | None = None
    in_place: bool = False
    lines: tuple[str, ...] = ()

    @property
    def began_from(self) -> str | None:
        """The checkpoint that another run in a new folder began from, to begin there again if that
        run is killed before it saves anything."""
        run = self.weights_of or (None if self.in_place else self.continued)
        return None if run is None else str(run.file.absolute())

    @property
    def finished(self) -> bool:
        """Whether the run that was to go on has nothing left to do."""
        if self.continued is None or not (self.continued.file.parent / FINAL).exists():
            return False
        checkpoint, patience = self.continued.checkpoint, getattr(self.options, "patience", None)
        stopping = checkpoint.continuation.stopping if checkpoint.continuation else None
        stopped = bool(patience and stopping and stopping.waited >= patience)
        return stopped or checkpoint.epoch >= self.options.epochs

    def bring_best(self, state: TrainingState, folder: Path) -> str:
        """Have the best checkpoint so far in the folder where the run goes on; returns a warning if
        it is lost, and then forgets it."""
        assert self.continued is not None
        file = self.continued.file.parent / BEST
        if state.best_score is None:
            return ""
        try:
            check_intact(file)
            had = Checkpoint.load(file, mmap=True).continuation
            same = had is not None and had.progress.best_epoch == state.best_epoch
        except CheckpointError:
            same = False
        if not same:
            lost, state.best_score, state.best_epoch = state.best_epoch, None, 0
            return (
                f"warning: the best checkpoint so far, of epoch {lost}, is no longer there; the best is chosen among"
                " the epochs to come"
            )
        if not self.in_place:
            with whole_path(folder / BEST) as copy:
                shutil.copyfile(file, copy)
        return ""


def find_start(options: TrainOptions, given: Collection[str], splits: Splits | None) -> Start:
    """given: names of the options that were asked for; a run that goes on keeps its own where
    nothing was. splits: as run_training.

    -resume_from a run of the same model, mode and data set: it goes on. Of another: its weights are
    taken over by a new run. Raises CheckpointError if there is no such run, ConfigError if it
    cannot go on with what is asked for.
    """
    if options.resume_from is None:
        return _fresh(options, splits)
    run, lines = _read(options)
    if isinstance(run, Path):
        return _begin_again(run, options, given, splits)
    mine = _options_to_go_on(run, options, given)
    if mine is None or run.imported or run.checkpoint.continuation is None:
        return _with_weights_of(run, options, splits)
    _check_addresses(mine, given, run.file)
    named = "data_path" in given or mine.data_path != run.options.data_path
    root = data_of(run, mine.data_path if named else None)
    found = splits or _open(root, mine)
    moved = not _same_folder(root, run.options.data_path)
    same_videos = run.made.videos == videos_record(found)
    if not run.checkpoint.schema.same_classes(found.train.schema) or (moved and not same_videos):
        return _with_weights_of(run, options, splits)

    require_said_again(run.file, run.code, given, type(run.options))
    # How long, where, how fast and how safely it trains, but not what it learns from and how. (The
    # detector and the videos may lie elsewhere; that they are the same is checked by what they
    # are.)
    free = free_options(type(mine), "run", mine.to_dict(), run.options.to_dict())
    for name in given:
        wanted, had = getattr(mine, name), run.had(name)
        # Of a file only its content counts, and what a run read from one before its first step is
        # in its checkpoint.
        by_content = name in place_options(type(mine)) and name not in free_options(type(mine), "run")
        if name not in free and not by_content and wanted != had:
            raise ConfigError(
                f"option -{name}: {wanted} was asked for, but {run.file} is of a run with {had}, and a resumed run"
                f" keeps it. Leave out -{name} to resume, or -resume_from to start a new run."
            )
    if not same_videos:
        raise ConfigError(
            f"option -resume_from: the videos in {root} are no longer those that {run.file} was trained on, so its"
            " run cannot be resumed. Restore them, or start a new run."
        )
    if "detector" in given:
        check_widths(run, mine.detector)
    elif run.made.detector is not None:
        mine = replace(mine, detector=_own_detector(run, root))
    in_place = _goes_on_in_place(run, options)
    if not in_place and options.save_path is not None and _began_here(Path(options.save_path), run):
        return find_start(replace(options, resume_from=options.save_path), given, splits)
    at = run.checkpoint.continuation.progress
    changed = [
        f"-{name} {getattr(mine, name)} (was {run.had(name)})"
        for name in sorted(free - {"save_path", "resume_from"})
        if getattr(mine, name, None) != run.had(name)
    ]
    lines += (f"goes on from {run.file}: after step {at.step}, batch {at.batch} of epoch {at.epoch}",)
    lines += (f"changed: {', '.join(changed)}",) if changed else ()
    return Start(mine, root, found, continued=run, in_place=in_place, lines=lines)


def _check_addresses(options: TrainOptions, given: Collection[str], file: Path) -> None:
    """Raises ConfigError for an address that only a file names."""
    for name in ("data_path", "videos_path", "features"):
        if name not in given:
            check_not_recorded(name, getattr(options, name), file)


def _own_detector(run: SavedRun, root: Location) -> str:
    """The name or file of the detector that a run was trained with. Raises CheckpointError naming
    where it was looked for."""
    had = best_of_run(run.options.detector)
    if is_detector_name(had) or Path(had).is_file():
        return had
    places = [name for name in detector_places(run, [root]) if not is_detector_name(name)]
    there = next(filter(os.path.isfile, places), None)
    if there is None:
        raise CheckpointError(
            f"option -resume_from: the detector that {run.file} was trained with is not found. Name it with -detector."
            f" Looked for: {', '.join(places)}."
        )
    return there


def videos_record(splits: Splits) -> dict[str, str]:
    """Which videos these are and in which order, for checkpoints."""
    return {
        name: f"{len(dataset)} {hashlib.sha256(chr(10).join(dataset.video_ids).encode()).hexdigest()}"
        for name, dataset in (("train", splits.train), ("val", splits.val))
    }


def _fresh(options: TrainOptions, splits: Splits | None) -> Start:
    root = resolve_data_path(options.data_path)
    return Start(options, root, splits or _open(root, options))


def _with_weights_of(run: SavedRun, options: TrainOptions, splits: Splits | None) -> Start:
    """A new run from another's weights: from those of the file that is named, else from the run's
    best."""
    named = options.resume_from is not None and Path(options.resume_from).is_file()
    run = run if named else read_run(run.file.parent)
    line = (
        f"starts from the weights of {run.file} ({run.options.model}, {run.options.mode}, epoch {run.checkpoint.epoch})"
    )
    return replace(_fresh(options, splits), weights_of=run, lines=(line,))


def _begin_again(folder: Path, options: TrainOptions, given: Collection[str], splits: Splits | None) -> Start:
    """The run of a folder from its beginning: it was killed before it saved anything. Where not
    even its options were written, those that are given.
    """
    file = folder / "config.yaml"
    if not file.exists():
        line = f"there is no run in {folder} yet to go on with: a new one starts"
        return replace(_fresh(replace(options, resume_from=None), splits), lines=(line,))
    config = read_config(file)
    kind = find_method(config["model"]).options
    had = find_places(options_from(config, kind), folder)
    mine = _changed(had, options, given, file)
    if mine is None:
        raise CheckpointError(f"option -resume_from: the run in {folder} has saved nothing to start from.")
    require_said_again(file, withhold_code(config, kind)[1], given, kind)
    _check_addresses(mine, given, file)
    mine = replace(mine, save_path=options.save_path or str(folder))
    if mine.resume_from is None:
        return _fresh(mine, splits)
    if mine.resume_from == "last" or Path(mine.resume_from).absolute() == folder.absolute():
        raise CheckpointError(
            f"option -resume_from: {file} does not say how the run was started; repeat the command that started it."
        )
    return find_start(mine, frozenset(field.name for field in fields(mine)), splits)


def _open(root: Location, options: TrainOptions) -> Splits:
    return open_splits(
        root,
        options.mode,
        datasize=options.datasize,
        val=options.val,
        skip_bad=options.skip_bad,
        max_pairs=options.max_pairs,
        videos_path=videos_folder(options.videos_path),
    )


def _options_to_go_on(run: SavedRun, options: TrainOptions, given: Collection[str]) -> TrainOptions | None:
    """The run's options with those that are given; None if they say another model or mode. The
    run's own start stays in its record."""
    mine = _changed(run.options, options, given, run.file)
    return None if mine is None else replace(mine, save_path=options.save_path)


def _changed(had: TrainOptions, options: TrainOptions, given: Collection[str], file: Path) -> TrainOptions | None:
    """The options that a run had, with those that are given in their place, except -resume_from and
    -save_path; None as above."""
    if any(name in given and getattr(options, name) != getattr(had, name) for name in ("model", "mode")):
        return None
    known = {field.name for field in fields(had)}
    for name in given:
        if name not in known:
            raise ConfigError(f"option -{name} is not one of model {had.model!r}, which {file} is of.")
    changes = {name: getattr(options, name) for name in given if name not in ("resume_from", "save_path")}
    if options.data_path is None:
        changes.pop("data_path", None)
    elif "data_path" in given:  # the run's videos are those of the data set that it was trained on
        changes["videos_path"] = options.videos_path
    if options.batch_size is None:  # the one that was found when the run began
        changes.pop("batch_size", None)
    return replace(had, **changes)


def _read(options: TrainOptions) -> tuple[SavedRun | Path, tuple[str, ...]]:
    """The checkpoint that -resume_from means, whole, and a line for each newer one that is not; or
    the folder of a run that has saved none.

    With "last" and -save_path that folder need not be there yet.
    """
    assert options.resume_from is not None
    if options.resume_from == "last":
        candidates = [Path(options.save_path)] if options.save_path else _runs_of(options)
    else:
        path = Path(options.resume_from)
        if not path.is_dir() or (path / SHARED).is_file():
            return read_run(path, to_go_on=True), ()
        candidates = [path]
    lines: list[str] = []
    for folder in candidates:
        newest = newest_checkpoint(folder)
        lines += [f"warning: passed over a newer checkpoint: {damage}" for damage in newest.damaged]
        if newest.path:
            return read_run(newest.path, to_go_on=True), tuple(lines)
        if begun(folder) or (options.resume_from == "last" and options.save_path and not has_saved(folder)):
            return folder, ()
    looked = (
        ", ".join(map(str, candidates)) or f"{OUTPUT}/*/*, for {options.model} in mode {options.mode} on this data set"
    )
    hint = ""
    if any(folder.is_dir() and not has_saved(folder) for folder in candidates):
        hint = (
            " There is no config.yaml either: if a run was killed there at its very start, repeat the command that"
            " started it."
        )
    raise CheckpointError(
        "\n".join([f"option -resume_from: there is no checkpoint to go on from in {looked}.{hint}", *lines])
    )


def _runs_of(options: TrainOptions) -> list[Path]:
    """Folders under output/ with runs of this model, mode and data set, the one that was written to
    last before the others."""
    root, found = resolve_data_path(options.data_path), []
    for file in OUTPUT.glob("*/*/config.yaml"):
        try:
            config = read_config(file)
            same = (config["model"], config["mode"]) == (options.model, options.mode) and _same_data(
                root, config, file.parent
            )
        except (CheckpointError, TypeError, KeyError):
            continue  # not a run of ours
        if same:
            saved = list(file.parent.glob("checkpoint_*.tar"))
            written = max(path.stat().st_mtime for path in saved or [file])
            found.append((written, file.parent))
    return [folder for _, folder in sorted(found, reverse=True)]


def _goes_on_in_place(run: SavedRun, options: TrainOptions) -> bool:
    """Whether the run goes on in its own folder: unless another is named, or the run has gone
    further than this checkpoint."""
    own = run.file.parent
    elsewhere = options.save_path is not None and not _same_folder(Path(options.save_path), str(own))
    if elsewhere or not (own / "config.yaml").exists():
        return False
    newest = newest_checkpoint(own).path
    if newest is None or run.checkpoint.position >= Checkpoint.load(newest, mmap=True).position:
        return True
    if options.save_path is not None:
        raise ConfigError(
            f"option -resume_from: the run in {own} is already at {newest.name}, after {run.file.name}, and"
            " resuming from there would mix the two. Name a new folder with -save_path, or resume with"
            f" -resume_from {own}."
        )
    return False


def _began_here(folder: Path, run: SavedRun) -> bool:
    """Whether a folder has the run that the same command began before it was killed: so far with no
    checkpoint but the best that it brought."""
    try:
        began_from = read_config(folder / "config.yaml").get("resume_from")
    except CheckpointError:
        return False
    return began_from == str(run.file.absolute()) and newest_checkpoint(folder).path is not None


def _same_data(root: Location, config: dict[str, Any], folder: Path) -> bool:
    """Whether the run in a folder was trained on a data set, by where that lay or lies."""
    had = config["data_path"]
    return isinstance(had, str) and any(_same_folder(root, str(place)) for place in possible_places(had, folder))


def read_config(file: Path) -> dict[str, Any]:
    """The options in a run's config.yaml, unchecked. Raises CheckpointError if it is not that of a
    training run."""
    try:
        config = read_yaml(file)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(config, dict) or not isinstance(config.get("model"), str):
        raise CheckpointError(f"{file} is not the configuration of a training run.")
    return config


def _same_folder(path: Location, other: str | None) -> bool:
    return other is not None and path.resolve() == location(other).resolve()
