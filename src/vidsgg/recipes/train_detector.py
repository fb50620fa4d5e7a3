"""One training run of a detector, from options to the score on the test videos."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from vidsgg.assembly.data import choose_device, open_split, resolve_data_path
from vidsgg.assembly.detectors import BEST
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.pictures import picture_notes
from vidsgg.datasets.registry import videos_folder
from vidsgg.detectors.base import FRAMES_AT_ONCE, RegionDetector
from vidsgg.detectors.files import load_detector, save_detector
from vidsgg.engine.detector_state import STATE, DetectorProgress, load_state, save_state
from vidsgg.engine.fit_detector import DetectorFitSettings, fit_detector, score_detector
from vidsgg.engine.frames import FrameLoader, flip_half
from vidsgg.engine.randomness import seed_step
from vidsgg.engine.run_folder import RunFolder, check_same, default_path
from vidsgg.engine.schedule import Schedule
from vidsgg.errors import ConfigError, counted
from vidsgg.metrics.detection import DetectionResult
from vidsgg.options import free_options
from vidsgg.plugins import names_code
from vidsgg.recipes.command_options import TrainDetectorOptions
from vidsgg.recipes.new_detector import new_detector

# Objects with a side under 16 pixels are left out, as in the files of the published detector and in
# SGDET.
MODE = "sgdet"
LR, LR_PRETRAINED = 3e-3, 1e-4
WARMUP = 0.05  # share of the steps


@dataclass(frozen=True, eq=False)
class DetectorOutcome:
    """path: the run's folder. file: its best detector. best_score: its mAP50 on the held-out
    videos, 0..1. test: on the test videos."""

    path: Path
    file: Path
    best_score: float
    test: DetectionResult | None


def run_detector_training(options: TrainDetectorOptions, *, echo: bool = True) -> DetectorOutcome:
    """Train as the options say. Everything that can be wrong with them is found before the run's
    folder is made. echo: whether the log goes to the screen as well."""
    device = choose_device(options.device)
    root = resolve_data_path(options.data_path)
    splits = {
        name: open_split(
            root,
            MODE,
            name,
            datasize=options.datasize,
            skip_bad=options.skip_bad,
            videos_path=videos_folder(options.videos_path),
        )
        for name in ("train", "val", *(["test"] if options.test else []))
    }
    schema = splits["train"].schema
    if not schema.has_frames:
        raise ConfigError(f"{root}: data set {schema.name!r} has no pictures, so a detector cannot be trained on it.")
    seed_step(options.seed, 0, 0)
    detector, pretrained, weights_line = new_detector(options, schema.vocabulary.objects)
    detector.to(device)
    if not any(parameter.requires_grad for parameter in detector.parameters()):
        raise ConfigError(f"option -detector: {detector.architecture} has no weights that could be trained.")
    loaders = {name: _loader(videos, options, learn=name == "train") for name, videos in splits.items()}
    lr = options.lr if options.lr is not None else LR_PRETRAINED if pretrained else LR
    learning = [parameter for parameter in detector.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=lr, weight_decay=options.weight_decay, fused=True)
    steps = options.epochs * len(loaders["train"])

    path = (
        Path(options.save_path)
        if options.save_path
        else default_path(schema.name, _folder_name(options, detector), "detector")
    )
    config = {**asdict(options), "data_path": str(root), "save_path": None}
    schedule = Schedule(options.scheduler, steps, round(WARMUP * steps))
    start, goes_on, free = DetectorProgress(), (path / STATE).exists(), free_options(TrainDetectorOptions, "run")
    if goes_on:
        check_same(path, config, free, "Give the same ones to go on with it, remove it, or name a new folder.")
        start = load_state(path / STATE, detector, optimizer, schedule)
    elif (path / "detector_final.pth").exists():
        check_same(path, config, free, "Name a new folder, or remove it.")
        raise ConfigError(
            f"option -save_path: {path} holds this run, which has ended: its best detector is {path / BEST}. To train"
            " another one, name a new folder."
        )
    step = start.step if goes_on else None
    with RunFolder(path, config, echo=echo, may_differ=free, goes_on_after=step, resumes=False) as run:

        def save(name: str, epoch: int) -> None:
            save_detector(path / name, detector, {"config": config, "epoch": epoch, "threads": torch.get_num_threads()})

        def keep(progress: DetectorProgress) -> None:
            save_state(path / STATE, progress, detector, optimizer, schedule)

        again = "" if options.save_path else f"; if it is interrupted, the same command with -save_path {path} goes on"
        run.log(f"run: {path}{again}")
        counts = ", ".join(
            f"{loader.frames} to {_PURPOSE[name]} ({counted(len(splits[name]), 'video')})"
            for name, loader in loaders.items()
        )
        run.log(f"data: {root} ({schema.name}), frames: {counts}")
        run.log(
            f"detector: {detector.architecture}, {sum(p.numel() for p in learning):,} parameters to learn, on {device}"
        )
        run.log(f"threads: {torch.get_num_threads()}; on a CPU the same bits need the same number")
        run.log(f"goes on after epoch {start.epoch}" if goes_on else weights_line)
        for note in picture_notes(splits.values()):
            run.log(f"pictures: {note}")
        settings = DetectorFitSettings(
            options.epochs, options.minutes, options.clip_grad, options.eval_freq, options.seed
        )
        fit = fit_detector(
            detector,
            loaders["train"],
            partial(score_detector, detector, loaders["val"], "validate"),
            optimizer,
            schedule,
            run,
            settings,
            save,
            keep,
            start,
        )
        best = path / BEST
        run.log(
            f"best: mAP50 {100 * fit.best_score:.2f} on the held-out videos after epoch {fit.best_epoch}, in {best}"
        )
        test = None
        if "test" in loaders:
            test = score_detector(load_detector(best, schema.vocabulary.objects).to(device), loaders["test"], "test")
            run.log(f"test videos, {best.name}:\n{test.table()}")
            run.scalars({"test/mAP50": test.map50, "test/mAP": test.map}, epoch=fit.best_epoch, step=steps)
        skipped = {text: None for loader in loaders.values() for text in loader.skipped}
        if skipped:
            run.log(f"skipped {len(skipped)} times what could not be read; the first: {next(iter(skipped))}")
        (path / STATE).unlink(missing_ok=True)  # the run is whole
    return DetectorOutcome(path, best, fit.best_score, test)


def _folder_name(options: TrainDetectorOptions, detector: RegionDetector) -> str:
    """What a detector is called in the name of its run's folder."""
    return detector.architecture if options.detector is None or names_code(options.detector) else options.detector


_PURPOSE = {"train": "learn from", "val": "validate on", "test": "test on"}


def _loader(videos: VideoDataset, options: TrainDetectorOptions, *, learn: bool) -> FrameLoader:
    workers = min(4, os.cpu_count() or 1) if options.num_workers is None else options.num_workers
    if learn:
        return FrameLoader(videos, options.batch_size, True, options.seed, workers, flip_half, options.skip_bad)
    return FrameLoader(videos, FRAMES_AT_ONCE, workers=workers, skip_bad=options.skip_bad)
