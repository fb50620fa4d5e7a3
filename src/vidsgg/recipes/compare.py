"""Score models on the same videos, and report which differences are more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from vidsgg.assembly.data import open_split
from vidsgg.assembly.saved_run import SavedRun, data_of, read_run, videos_of
from vidsgg.datasets.base import VideoDataset
from vidsgg.errors import ConfigError, DataError, counted
from vidsgg.io.locations import Location
from vidsgg.methods.registry import METHODS, find_method
from vidsgg.metrics.differences import Differences
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import CONSTRAINT, K
from vidsgg.recipes.command_options import CompareOptions, EvaluateOptions
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.report import write_rows
from vidsgg.recipes.scored import ScoredVideos, annotations_of, origin
from vidsgg.recipes.training_counts import TrainingCounts, open_training_counts
from vidsgg.structures.checks import Array


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is printed, what it says as numbers, and the files that hold them."""

    text: str
    differences: Differences
    files: tuple[Path, ...]


def run_comparison(options: CompareOptions) -> Comparison:
    """Compare runs on a split; writes ``comparison.csv`` and ``comparison.png``.

    Raises ConfigError if they are of different modes or would be scored on different videos.
    """
    for name in options.model.split(",") if options.model else ():
        METHODS.admit(name.strip())
    runs = dict(zip(_names(options.runs), (read_run(Path(run)) for run in options.runs), strict=True))
    first_name, first = next(iter(runs.items()))
    for name, run in runs.items():
        if run.options.mode != first.options.mode:
            raise ConfigError(
                f"{name} is of mode {run.options.mode!r}, {first_name} of {first.options.mode!r}: what they were given"
                " differs, so their recall cannot be compared. Compare runs of one mode."
            )
    scored, told = dict[str, ScoredVideos](), list[str]()
    splits: dict[tuple[Location, Location | None], tuple[VideoDataset, dict[str, str]]] = {}
    training: dict[Location, TrainingCounts] = {}
    for name, run in runs.items():
        root = data_of(run, options.data_path)
        place = root, videos_of(run, options.videos_path, options.data_path)
        if place not in splits:
            dataset = open_split(
                root,
                run.options.mode,
                options.split,
                datasize=options.datasize,
                skip_bad=options.skip_bad,
                max_pairs=run.options.max_pairs,
                videos_path=place[1],
            )
            splits[place] = dataset, annotations_of(dataset, dataset.video_ids)
            training[root] = _training_of(root, options.split)
        _check_same("annotated", first_name, next(iter(splits.values()))[1], name, splits[place][1])
        scored[name], line = _score(run, options, *splits[place], training[root].unseen(splits[place][0]))
        _check_same("scored", first_name, scored[first_name].annotations, name, scored[name].annotations)
        told.append(
            f"{_with_remark(name, run.options.remark)}: {find_method(run.options.model).label}, {run.file} (epoch"
            f" {run.checkpoint.epoch}), {line}"
        )
    (root, _), (dataset, _) = next(iter(splits.items()))
    vocabulary, tail = dataset.schema.vocabulary, training[root].tail
    counts = {_with_remark(name, runs[name].options.remark): videos.counts for name, videos in scored.items()}
    differences = Differences.of(protocol_for(dataset.schema, first.options.mode), vocabulary.predicates, tail, counts)
    folder = Path(options.out)
    files = [write_rows(folder / "comparison.csv", differences.rows())]
    if options.charts:
        files.append(_draw(folder / "comparison.png", differences))
    head = [
        f"{first.options.mode}, {options.split} split of {root}: {counted(len(scored[first_name].annotations), 'video')}",
        *told,
    ]
    return Comparison("\n".join([*head, "", differences.text()]), differences, tuple(files))


def _training_of(root: Location, split: str) -> TrainingCounts:
    """Raises ConfigError for a data set without training annotations."""
    training = open_training_counts(root, split)
    if training is None:
        raise ConfigError(
            f"option -data_path: {root} has no training annotations, by which predicates are ranked; score each run with"
            " 'vidsgg evaluate'."
        )
    return training


def _score(
    run: SavedRun, options: CompareOptions, dataset: VideoDataset, wanted: Mapping[str, str], unseen: Array
) -> tuple[ScoredVideos, str]:
    """The counters of a run's videos, as they were left or made now, and which of the two. wanted:
    digests of the annotations. unseen: the triplets that training lacks."""
    used = replace(
        run.options,
        backend=options.backend or run.options.backend,
        precision=options.precision or run.options.precision,
    )
    if run.imported:
        used = replace(used, reference_compat=True)
    protocol = protocol_for(dataset.schema, used.mode)
    expected = origin(run, used, protocol, run.made.detector, unseen, exclusive=options.exclusive_decoding)
    file = run.home / f"per_video_{options.split}.npz"
    try:
        left = ScoredVideos.load(file)
    except DataError:
        pass  # is not there, or damaged: it is made
    else:
        complete = len(left.annotations) == len(wanted) or options.skip_bad
        if left.made_by == expected and complete and left.annotations.items() <= wanted.items():
            return left, f"as scored before ({file})"
    given = {
        f.name: getattr(options, f.name)
        for f in fields(CompareOptions)
        if f.name in EvaluateOptions.__dataclass_fields__
    }
    run_evaluation(EvaluateOptions(checkpoint=str(run.file), **given))
    return ScoredVideos.load(file), f"scored now ({file})"


def _check_same(what: str, first: str, theirs: Mapping[str, str], name: str, ours: Mapping[str, str]) -> None:
    """Raises ConfigError naming a video that two runs do not have in common."""
    for one, other, a, b in ((first, name, theirs, ours), (name, first, ours, theirs)):
        lacking = next((video for video in a if video not in b), None)
        if lacking is not None:
            raise ConfigError(
                f"{first} and {name} are of different data: {lacking!r} is {what} for {one} and not for {other}. Only"
                " recall on the same videos can be compared; name one data set for all with -data_path."
            )
    changed = next((video for video in theirs if theirs[video] != ours[video]), None)
    if changed is not None:
        raise ConfigError(
            f"{first} and {name} are of different data: the annotation of {changed!r} is not the same for both; name"
            " one data set for all with -data_path."
        )


def _draw(path: Path, differences: Differences) -> Path:
    from vidsgg.charts.scores import draw_differences  # here: drawing takes time to import

    return draw_differences(
        path,
        f"recall@{K}, {CONSTRAINT} constraint",
        differences.names[0],
        differences.predicates,
        differences.tail,
        differences.of_predicates(CONSTRAINT, K),
    )


def _with_remark(name: str, remark: str) -> str:
    """The name of a run in tables, files and charts: what its numbers must not be read without is a
    part of it."""
    return f"{name} ({remark})" if remark else name


def _names(given: Sequence[str]) -> list[str]:
    """Names of the folders or files, or what was given where names are equal. Raises ConfigError
    for a run that is given twice."""
    if len(set(given)) < len(given):
        raise ConfigError(
            f"{next(run for run in given if given.count(run) > 1)} is given twice; compare different runs."
        )
    short = [Path(run).resolve().name for run in given]
    return short if len(set(short)) == len(short) else list(given)
