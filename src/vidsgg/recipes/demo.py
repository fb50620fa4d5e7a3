"""The whole way once: films, detector, features, training in every mode, test against a yardstick,
prediction, page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from vidsgg.assembly.data import open_split
from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate
from vidsgg.datasets.synthetic.known import is_synthetic
from vidsgg.engine.run_folder import RUN_FILES
from vidsgg.errors import counted
from vidsgg.features.store import STORE_FILES
from vidsgg.io.homes import claim_home, remove_made
from vidsgg.methods.frequency import FrequencyOptions
from vidsgg.methods.sttran import STTranOptions
from vidsgg.methods.training_options import TrainOptions
from vidsgg.metrics.result import RecallResult
from vidsgg.recipes.command_options import (
    DemoOptions,
    DemoSize,
    EvaluateOptions,
    FeaturesOptions,
    PredictOptions,
    TrainDetectorOptions,
)
from vidsgg.recipes.demo_report import (
    FOUND,
    DemoClock,
    announcement,
    best_film,
    demo_modes,
    disk_table,
    expected_seconds,
    later_epochs,
    next_commands,
    recall_table,
    task_list,
)
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.features import run_features
from vidsgg.recipes.predict import run_prediction
from vidsgg.recipes.report import EVALUATION_FILES
from vidsgg.recipes.scored import ScoredVideos
from vidsgg.recipes.tables import comparison, rough_duration
from vidsgg.recipes.train import run_training
from vidsgg.recipes.train_detector import run_detector_training
from vidsgg.status import VERBOSE, level, say
from vidsgg.structures.schema import MODES

_RUNS = ("detector", *(f"{name}_{mode}" for name in ("frequency", "sttran") for mode in MODES))  # folders
_WARMUP = 50  # optimiser steps; a tenth of them all where there are not more than that
_FEW = 40  # films; for fewer, processes take longer to start than they save


def demo_model(*, epochs: int, **settings: object) -> STTranOptions:
    """STTran small enough for two CPU cores: narrow visual parts, one decoder layer, larger steps
    over fewer of them."""
    small = {
        "hidden_dim": 64,
        "temporal_layer": 1,
        "bce_loss": True,
        "lr": 3e-4,
        "scheduler": "cosine",
        "warmup_steps": _WARMUP,
        "epochs": epochs,
        "eval_freq": 4,
        "seed": 0,
    }
    return STTranOptions(**{**small, **settings})  # type: ignore[arg-type]


@dataclass(frozen=True)
class DemoOutcome:
    """page: of the test film with the best result. text: what the demo prints at its end."""

    page: Path
    text: str


def run_demo(options: DemoOptions, program: str = "vidsgg") -> DemoOutcome:
    """Run everything below ``options.out``. program: what the user types to start vidsgg, for the
    commands that are printed at the end.

    Says on standard error what it does; the log of every training run is shown after -v only, and
    lies in its folder. Raises ConfigError for options that do not fit, and for a folder of others.
    """
    size = options.size
    modes, out = demo_modes(size), Path(options.out)
    claim_home(out, "demo", "-out", unmarked=_made_before_marks)
    remove_demo(out)
    clock, shown = DemoClock(expected_seconds(size)), level() == VERBOSE
    say(announcement(options, size))
    data = out / "data"

    clock.begin(f"Drawing {size.videos} films of a few seconds: a person in a room uses things")
    generate(data, SyntheticConfig(videos=size.videos, seed=options.seed))
    passes = counted(size.detector_epochs, "pass", "passes")
    clock.begin(f"Training a detector, which finds the person and the things in a picture: {passes} over the films")
    detector = run_detector_training(
        TrainDetectorOptions(
            data_path=str(data),
            detector="c4-small",
            epochs=size.detector_epochs,
            eval_freq=size.detector_epochs,
            test=False,
            seed=options.seed,
            save_path=str(out / "detector"),
            num_workers=0 if size.videos < _FEW else None,
        ),
        echo=shown,
    )
    clock.begin("Storing what the detector sees in each film, so that the next steps only read it")
    for mode in modes:
        written = run_features(
            FeaturesOptions(
                data_path=str(data),
                mode=mode,  # type: ignore[arg-type]
                detector=str(detector.file),
                num_workers=1 if size.videos < _FEW else None,
            )
        )
        say(written.text() if shown else "")
    clock.begin(
        "Training the model, STTran (Cong et al., ICCV 2021), which says how person and things relate, and counting"
        f" relations, to compare.\n{task_list(modes)}"
    )
    runs = _train(size, modes, options.seed, data, str(detector.file), out, echo=shown)
    clock.begin("Testing on the films from which nothing has learnt")
    results: dict[str, RecallResult] = {}
    for name, folder in runs.items():
        evaluation = run_evaluation(EvaluateOptions(checkpoint=str(folder)))
        results[name] = evaluation.result
        say(evaluation.text + "\n" if shown else "")
    last = f"STTran, {modes[-1]}"
    scored = ScoredVideos.load(runs[last] / "per_video_test.npz")
    best = best_film(tuple(scored.annotations), scored.counts, results[last].protocol)
    clock.begin(f"Writing the page of {best.name}, the test film with the best result")
    done = run_prediction(
        PredictOptions(checkpoint=str(runs[last]), video=best.name, out=str(out)),
        [best.text(), FOUND, task_list(modes[-1:]), "The page opens at its best moment."],
        at_best=True,
    )
    film = data / "videos" / f"{best.name}.mp4"
    say(f"\n{comparison(results, 'test')}" if shown else "")
    say(f"\nDone after {rough_duration(clock.elapsed).removeprefix('about ')}.\n")
    parts = (
        recall_table(results, modes),
        disk_table(out, modes, done),
        f"{best.text()}\nOpen this page in a browser:\n\n  {done.page.resolve()}",
        f"Next, three commands to paste:\n\n{next_commands(program, out, modes[-1], film, done.graph)}",
    )
    return DemoOutcome(done.page, "\n\n".join(parts))


def remove_demo(out: Path) -> None:
    """What an earlier demo has made in a folder, except the synthetic data, which is replaced, and
    the page. Everything else stays."""
    for pattern in _RUNS:
        for folder in sorted(out.glob(pattern)):
            remove_made(folder, (*RUN_FILES, *EVALUATION_FILES))
    remove_made(out / "data" / "features", tuple(f"*/{pattern}" for pattern in STORE_FILES))


def _made_before_marks(out: Path) -> bool:
    """Whether a folder holds the demo of a version that wrote no mark, and nothing beside it."""
    names = ("data", *_RUNS, "S*.graph.json", "S*.html")
    return is_synthetic(out / "data") and all(any(fnmatch(path.name, name) for name in names) for path in out.iterdir())


def _train(
    size: DemoSize, modes: Sequence[str], seed: int, data: Path, detector: str, out: Path, *, echo: bool
) -> dict[str, Path]:
    """Folders of the runs by name; every mode after the first starts from the weights of the one
    before and takes half as many epochs."""
    runs: dict[str, Path] = {}
    start = None
    for mode in modes:
        common = {"mode": mode, "data_path": str(data), "detector": detector}
        counts, learnt = out / f"frequency_{mode}", out / f"sttran_{mode}"
        epochs = size.epochs if start is None else later_epochs(size)
        steps = epochs * len(open_split(data, mode, "train", datasize="large", skip_bad=False, max_pairs=None))
        model = demo_model(
            epochs=epochs,
            warmup_steps=_WARMUP if steps > _WARMUP else steps // 10,
            seed=seed,
            resume_from=start,
            save_path=str(learnt),
            **common,
        )
        for name, folder, run in (
            ("frequency", counts, FrequencyOptions(model="frequency", save_path=str(counts), **common)),  # type: ignore[arg-type]
            ("STTran", learnt, model),
        ):
            assert isinstance(run, TrainOptions)
            run_training(run, echo=echo)
            runs[f"{name}, {mode}"] = folder
        start = str(learnt)
    return runs
