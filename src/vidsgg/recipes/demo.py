"""The whole way once: data, training, evaluation against two yardsticks, prediction, page."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from vidsgg.datasets.synthetic.generate import MARKER, SyntheticConfig, generate
from vidsgg.errors import ConfigError
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.options import DemoOptions, EvaluateOptions, FrequencyOptions, PredictOptions, STTranOptions, TrainOptions
from vidsgg.recipes.predict import run_prediction
from vidsgg.recipes.tables import comparison
from vidsgg.recipes.train import run_training


def demo_model(options: DemoOptions, data: Path, folder: Path, **changes: object) -> STTranOptions:
    """STTran small enough for two CPU cores: narrow visual parts, one decoder layer, larger steps over fewer of them."""
    settings = {
        "data_path": str(data),
        "hidden_dim": 64,
        "temporal_layer": 1,
        "bce_loss": True,
        "lr": 3e-4,
        "scheduler": "cosine",
        "warmup_steps": 50,
        "epochs": options.epochs,
        "eval_freq": 4,
        "seed": options.seed,
        "save_path": str(folder),
    }
    return STTranOptions(**{**settings, **changes})  # type: ignore[arg-type]


def run_demo(options: DemoOptions) -> Path:
    """Runs everything below ``options.out`` and returns the page. The table it prints is the one in README."""
    out = Path(options.out)
    data = out / "data"
    if out.exists() and any(out.iterdir()):
        if not (data / MARKER).is_file():
            raise ConfigError(f"option -out: {out} is not empty and not an earlier demo; name another folder.")
        shutil.rmtree(out)
    started = time.perf_counter()

    def step(number: int, text: str) -> None:
        print(f"\n[{number}/5, {time.perf_counter() - started:.0f}s] {text}", flush=True)

    step(1, f"Making {options.videos} synthetic videos in Action Genome's own file format: {data}")
    generate(data, SyntheticConfig(videos=options.videos, seed=options.seed))
    step(2, "The yardsticks: an untrained model, and P(predicate | object class) counted on the training videos")
    runs: dict[str, TrainOptions] = {
        "untrained STTran": demo_model(options, data, out / "untrained", epochs=0),
        "frequency": FrequencyOptions(model="frequency", data_path=str(data), save_path=str(out / "frequency")),
    }
    for run in runs.values():
        run_training(run)
    step(3, f"Training STTran, predcls, {options.epochs} epochs")
    runs["trained STTran"] = demo_model(options, data, out / "sttran")
    run_training(runs["trained STTran"])
    step(4, "Scoring all three on the test videos, which nothing has seen")
    results, trained_text = {}, ""
    for name, run in runs.items():
        evaluation = run_evaluation(EvaluateOptions(checkpoint=str(run.save_path)))
        results[name], trained_text = evaluation.result, evaluation.text
    print(trained_text)
    print("\n" + comparison(results, "test"))
    step(5, "Predicting a test video")
    done = run_prediction(PredictOptions(checkpoint=str(out / "sttran"), out=str(out)))
    print(f"graph: {done.graph}\n\nOpen this page: {done.page.resolve()}")
    return done.page
