"""The whole way once: data, detector, features, training in every mode, evaluation against a
yardstick, prediction, page."""

from __future__ import annotations

import time
from fnmatch import fnmatch
from pathlib import Path

from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate
from vidsgg.datasets.synthetic.known import is_synthetic
from vidsgg.engine.run_folder import RUN_FILES
from vidsgg.errors import ConfigError, counted
from vidsgg.features.store import STORE_FILES
from vidsgg.io.homes import claim_home, remove_made
from vidsgg.methods.frequency import FrequencyOptions
from vidsgg.methods.sttran import STTranOptions
from vidsgg.methods.training_options import TrainOptions
from vidsgg.metrics.result import RecallResult
from vidsgg.recipes.command_options import (
    DemoOptions,
    EvaluateOptions,
    FeaturesOptions,
    PredictOptions,
    TrainDetectorOptions,
)
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.features import run_features
from vidsgg.recipes.predict import run_prediction
from vidsgg.recipes.report import EVALUATION_FILES
from vidsgg.recipes.tables import comparison
from vidsgg.recipes.train import run_training
from vidsgg.recipes.train_detector import run_detector_training
from vidsgg.structures.schema import MODES

STEPS = 6
_RUNS = ("detector", *(f"{name}_{mode}" for name in ("frequency", "sttran") for mode in MODES))  # folders


def demo_model(options: DemoOptions, **changes: object) -> STTranOptions:
    """STTran small enough for two CPU cores: narrow visual parts, one decoder layer, larger steps
    over fewer of them."""
    settings = {
        "hidden_dim": 64,
        "temporal_layer": 1,
        "bce_loss": True,
        "lr": 3e-4,
        "scheduler": "cosine",
        "warmup_steps": 50,
        "epochs": options.epochs,
        "eval_freq": 4,
        "seed": options.seed,
    }
    return STTranOptions(**{**settings, **changes})  # type: ignore[arg-type]


def demo_modes(options: DemoOptions) -> list[str]:
    """The modes to train, from the easiest to the hardest. Raises ConfigError for a word that is
    none."""
    wanted = options.modes.split(",")
    if unknown := [mode for mode in wanted if mode not in MODES]:
        raise ConfigError(
            f"option -modes: {unknown[0]!r} is no mode; give some of {','.join(MODES)}, such as predcls,sgdet."
        )
    return [mode for mode in MODES if mode in wanted]


def run_demo(options: DemoOptions) -> Path:
    """Runs everything below ``options.out`` and returns the page. The table it prints is the one in
    README."""
    modes = demo_modes(options)
    out = Path(options.out)
    data = out / "data"
    claim_home(out, "demo", "-out", unmarked=_made_before_marks)
    remove_demo(out)
    started = time.perf_counter()

    def step(number: int, text: str) -> None:
        print(f"\n[{number}/{STEPS}, {time.perf_counter() - started:.0f}s] {text}", flush=True)

    step(1, f"Making {options.videos} synthetic videos in Action Genome's own file format: {data}")
    generate(data, SyntheticConfig(videos=options.videos, seed=options.seed))
    step(2, f"Training a small detector, {counted(options.detector_epochs, 'epoch')}")
    detector = run_detector_training(
        TrainDetectorOptions(
            data_path=str(data),
            detector="c4-small",
            epochs=options.detector_epochs,
            eval_freq=options.detector_epochs,
            test=False,
            seed=options.seed,
            save_path=str(out / "detector"),
        )
    )
    step(3, "Writing what the detector sees, once: training reads it back")
    for mode in modes:
        print(run_features(FeaturesOptions(data_path=str(data), mode=mode, detector=str(detector.file))).text())  # type: ignore[arg-type]
    step(4, f"Training STTran, {', then '.join(modes)}, and counting the yardstick P(predicate | object class)")
    runs = _train(options, modes, data, str(detector.file), out)
    step(5, "Scoring on the test videos, which nothing has seen")
    results: dict[str, RecallResult] = {}
    last = ""
    for name, folder in runs.items():
        evaluation = run_evaluation(EvaluateOptions(checkpoint=str(folder)))
        results[name], last = evaluation.result, evaluation.text
    print(f"{last}\n\n{comparison(results, 'test')}")
    step(6, f"Predicting a test video, {modes[-1]}")
    done = run_prediction(PredictOptions(checkpoint=str(runs[f"STTran, {modes[-1]}"]), out=str(out)))
    print(f"graph: {done.graph}\n\nOpen this page: {done.page.resolve()}")
    return done.page


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


def _train(options: DemoOptions, modes: list[str], data: Path, detector: str, out: Path) -> dict[str, Path]:
    """Folders of the runs by name; every mode after the first starts from the weights of the one
    before and takes half as many epochs."""
    runs: dict[str, Path] = {}
    start = None
    for mode in modes:
        common = {"mode": mode, "data_path": str(data), "detector": detector}
        counted, learnt = out / f"frequency_{mode}", out / f"sttran_{mode}"
        epochs = options.epochs if start is None else max(1, options.epochs // 2)
        for name, folder, run in (
            ("frequency", counted, FrequencyOptions(model="frequency", save_path=str(counted), **common)),  # type: ignore[arg-type]
            ("STTran", learnt, demo_model(options, epochs=epochs, resume_from=start, save_path=str(learnt), **common)),
        ):
            assert isinstance(run, TrainOptions)
            run_training(run)
            runs[f"{name}, {mode}"] = folder
        start = str(learnt)
    return runs
