"""Score a checkpoint, and write the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from vidsgg.assembly.data import open_split
from vidsgg.assembly.saved_run import SavedRun, data_of, read_run, scores_in, videos_of
from vidsgg.assembly.trained_model import TrainedModel
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.pair_limits import pair_rule
from vidsgg.engine.distributed import Team, join_team
from vidsgg.engine.evaluate import score
from vidsgg.errors import ConfigError, DataError, counted
from vidsgg.inference.span_scores import SpanAccumulator
from vidsgg.inference.track_scores import TrackAccumulator
from vidsgg.io.locations import Location
from vidsgg.methods.method import Scoring
from vidsgg.methods.registry import find_method
from vidsgg.metrics.accumulator import RecallAccumulator, VideoAccumulator
from vidsgg.metrics.calibration import CalibrationAccumulator
from vidsgg.metrics.crowds import CrowdAccumulator
from vidsgg.metrics.misses import MissAccumulator
from vidsgg.metrics.protocol import Protocol, named_protocol
from vidsgg.metrics.result import RecallResult
from vidsgg.metrics.risk_coverage import RiskCoverageAccumulator
from vidsgg.recipes.command_options import EvaluateOptions
from vidsgg.recipes.method_options import asked_of
from vidsgg.recipes.report import EvaluationReport
from vidsgg.recipes.scored import ScoredVideos, annotations_of, origin
from vidsgg.recipes.tables import comparison
from vidsgg.recipes.training_counts import TrainingCounts, open_training_counts

AS_AUTHORS, FIXED = (
    "as the authors' code computes it (-reference_compat True)",
    "with its bugs fixed (-reference_compat False)",
)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The recall of a run, what is printed of it, and the files that hold it; of several processes
    only the first has written any.
    remark: what has to be said beside it."""

    result: RecallResult
    text: str
    files: tuple[Path, ...]
    remark: str = ""


def run_evaluation(options: EvaluateOptions) -> Evaluation:
    """Score a checkpoint on a split; writes tables, charts (see EvaluationReport) and the counters
    of every video (ScoredVideos).

    An imported checkpoint is scored twice, with the bugs of the authors' code, which is the result,
    and without them; files of the second have ``_fixed`` after the name of the split. A part or a
    window that is asked for and oracle contacts have a place in the names too.
    """
    with join_team(options.distributed) as team:
        run, root, dataset = team.first_of_machine_first(lambda: _open(options))
        scored = [(way.title, _score(run, options, root, dataset, way, team)) for way in _ways(run, options)]
    if len(scored) == 1:
        return scored[0][1]
    titles = ["; ".join(filter(None, (title, evaluation.remark))) for title, evaluation in scored]
    evaluations = [evaluation for _, evaluation in scored]
    table = comparison(
        {title: evaluation.result for title, evaluation in zip(titles, evaluations, strict=True)}, options.split
    )
    first, files = evaluations[0], tuple(chain(*(evaluation.files for evaluation in evaluations)))
    return replace(first, text=f"{first.text}\n\nSide by side:\n\n{table}", files=files)


def _ways(run: SavedRun, options: EvaluateOptions) -> list[Scoring]:
    """What is asked for; the first one is the result. Raises ConfigError for a mode that the model does
    not have."""
    mode = options.mode or run.options.mode
    if mode == run.options.mode:
        return _ways_in_its_mode(run, options)
    if not scores_in(run, mode):
        raise ConfigError(f"option -mode: {run.file} is of mode {run.options.mode!r}, not {mode!r}.")
    ways = _ways_in_its_mode(run, options)
    return [replace(way, changes={**way.changes, "mode": mode}, suffix=f"_{mode}{way.suffix}") for way in ways]


def _ways_in_its_mode(run: SavedRun, options: EvaluateOptions) -> list[Scoring]:
    method = find_method(run.options.model)
    asked = asked_of(method, "evaluation", options, f"{run.file} is of model {method.name!r}")
    ways = method.scorings(run.options, asked)
    if options.reference_compat is not None or not run.imported or len(ways) > 1:
        changes = {} if options.reference_compat is None else {"reference_compat": options.reference_compat}
        return [replace(way, changes={**way.changes, **changes}) for way in ways]
    (way,) = ways
    return [
        Scoring({**way.changes, "reference_compat": True}, way.suffix, AS_AUTHORS),
        Scoring({**way.changes, "reference_compat": False}, f"{way.suffix}_fixed", FIXED),
    ]


def _open(options: EvaluateOptions) -> tuple[SavedRun, Location, VideoDataset]:
    """The checkpoint, the data set's folder and the videos to score."""
    run = read_run(Path(options.checkpoint), model=options.model)
    _ways(run, options)  # what does not fit is found before any video is opened
    root, mode = data_of(run, options.data_path), options.mode or run.options.mode
    if mode == "predcls":
        options.labels.refuse(str(run.file), "is scored in mode predcls, where no detector is asked")
    dataset = open_split(
        root,
        mode,
        options.split,
        datasize=options.datasize,
        skip_bad=options.skip_bad,
        max_pairs=run.options.max_pairs if options.max_pairs is None else options.max_pairs,
        videos_path=videos_of(run, options.videos_path, options.data_path),
    )
    return run, root, dataset


def _score(
    run: SavedRun, options: EvaluateOptions, root: Location, dataset: VideoDataset, way: Scoring, team: Team
) -> Evaluation:
    dataset = dataset.in_mode(way.changes.get("mode") or run.options.mode)
    model = TrainedModel(
        run,
        options.device,
        options.detector,
        labels=options.labels,
        backend=options.backend,
        precision=options.precision,
    )
    trained = model.on([dataset], root=root, team=team, features=options.features, **way.changes)
    used = trained.options
    protocol = named_protocol(options.protocol, dataset.schema, used.mode)
    loader = trained.source.loader(
        dataset,
        learn=False,
        batch_size=options.batch_size,
        workers=options.num_workers,
        skip_bad=options.skip_bad,
        team=team,
    )
    training = open_training_counts(root, options.split)
    unseen = None if training is None else training.unseen(dataset)
    of = protocol, dataset.schema.vocabulary
    recall, misses = RecallAccumulator(*of, unseen), MissAccumulator(*of)
    calibration, risk = CalibrationAccumulator(*of), RiskCoverageAccumulator(*of)
    crowds = CrowdAccumulator(*of)
    tracks, unmeasured = _track_accumulator(training, dataset, protocol)
    spans = _span_accumulator(dataset, protocol)
    metrics: list[VideoAccumulator[Any]] = [recall, misses, calibration, risk, crowds]
    metrics += [metric for metric in (tracks, spans) if metric is not None]
    score(trained.model, loader, metrics, exclusive=options.exclusive_decoding)
    skipped = list(chain(*team.gather(list(loader.skipped))))

    def write() -> Evaluation:
        report = EvaluationReport(
            recall.compute(),
            dataset.schema.vocabulary,
            None if training is None else training.tail,
            calibration.compute(),
            risk.compute(),
            misses.compute(),
            used.remark,
            None if tracks is None else tracks.compute(),
            None if spans is None else spans.compute(),
        )
        detector = trained.source.detector_record()
        made_by = origin(run, used, protocol, detector, unseen, exclusive=options.exclusive_decoding)
        scored = ScoredVideos(
            made_by, report.recall.predicates, annotations_of(dataset, list(recall.state().counts)), recall.counts()
        )
        about = {
            "model": used.model,
            "mode": used.mode,
            "checkpoint": str(run.file),
            "epoch": run.checkpoint.epoch,
            "reference_compat": used.reference_compat,
            "features": trained.source.lines[0],
            "data_path": str(root),
            "split": options.split,
            "skipped_videos": skipped,
        }
        suffix = way.suffix if options.protocol == "own" else f"{way.suffix}_{options.protocol}"
        folder = Path(options.save_path) if options.save_path else run.home
        files = report.write(folder, f"{options.split}{suffix}", about, charts=options.charts)
        files += (scored.save(folder / f"per_video_{options.split}{suffix}.npz"),)
        head = [
            (
                f"{find_method(used.model).label}, {used.mode}, {run.file} (epoch"
                f" {run.checkpoint.epoch}){', reference_compat' if used.reference_compat else ''}"
            ),
            *([used.remark] if used.remark else []),
            f"{options.split} split of {root}: {counted(report.recall.videos, 'video')}, {counted(report.recall.units, protocol.unit)}",
            *trained.source.lines,
        ]
        if training is None:
            head.append("no training annotations: head, body and tail and zero-shot recall are left out")
        if rule := pair_rule(dataset.schema):
            cut = crowds.compute()
            head.append(f"pairs: {rule}" + (f"; in {counted(cut, 'frame')} some were left out" if cut else ""))
        if unmeasured:
            head.append(f"relations over tracks are not measured: {unmeasured}")
        if skipped:
            head.append(f"skipped {counted(len(skipped), 'video')} that could not be read; the first: {skipped[0]}")
        return Evaluation(report.recall, "\n".join([*head, "", report.text()]), files, used.remark)

    written = team.made_by_first(write)
    return written if team.leads else replace(written, files=())


def _track_accumulator(
    training: TrainingCounts | None, dataset: VideoDataset, protocol: Protocol
) -> tuple[TrackAccumulator | None, str]:
    """What measures relations over tracks, for data whose files list such relations; and why it is
    not measured where they cannot be compared."""
    try:
        truth = dataset.true_instances()
    except DataError as error:
        return None, str(error)
    if not any(truth.values()):
        return None, ""
    seen = None if training is None else training.over_time
    return TrackAccumulator(protocol, dataset.schema.vocabulary, truth, seen), ""


def _span_accumulator(dataset: VideoDataset, protocol: Protocol) -> SpanAccumulator | None:
    """What measures relations over spans of frames, for data whose files list such relations."""
    truth = {video: dataset.intervals(index) for index, video in enumerate(dataset.video_ids)}
    if not any(truth.values()):
        return None
    return SpanAccumulator(protocol, dataset.schema.vocabulary, truth)
