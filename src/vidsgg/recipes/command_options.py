"""The options of all commands but ``vidsgg train``, see ``vidsgg/methods/training_options.py``.
Nothing heavy is imported here, so that ``-h`` answers at once."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

from vidsgg.assembly.video_defaults import FPS, TRACKER
from vidsgg.datasets.format import VIDEOS_HELP
from vidsgg.detectors.backends.choice import BACKEND_HELP, PRECISION_HELP, Backend, Inference, Numbers
from vidsgg.detectors.label_files import LabelFiles
from vidsgg.errors import ConfigError
from vidsgg.methods.method import ImportOptions
from vidsgg.options import COMMON, option
from vidsgg.recipes.many_options import SharedOptions


@dataclass(frozen=True)
class TuneOptions:
    """Options of ``vidsgg tune``, besides those of ``vidsgg train`` for all of its trials."""

    search: str = option(
        "",
        "what to search over, in quotes: 'lr=log:1e-5:1e-3 batch_size=1,2,4 dropout=0:0.5 hidden_dim=64:512:64'"
        " (ranges include both ends)",
        group=COMMON,
    )
    sampler: Literal["grid", "random", "bayes"] = option(
        "bayes", "how to choose trials: every combination, at random, or learning from earlier trials", group=COMMON
    )
    trials: int | None = option(
        None,
        "total number of trials in the study; by default the whole grid, else 20",
        low=1,
        high=1_000_000,
        group=COMMON,
    )
    pruner: Literal["median", "none"] = option(
        "median",
        "median: end trials early that are worse (-monitor) than half of the others after as many epochs",
        group=COMMON,
    )
    study: str | None = option(
        None, "name of the study, resumed if it exists; by default <model>_<mode>", group="the study"
    )
    storage: str | None = option(
        None,
        "FILE.db, journal:FILE or the URL of a database; by default output/tune/<study>/study.db",
        group="the study",
    )


@dataclass(frozen=True, kw_only=True)
class InferenceOptions:
    """What computes the detectors of checkpoints."""

    backend: Backend | None = option(None, f"{BACKEND_HELP}; by default as the run had it", group="speed and memory")
    precision: Numbers | None = option(
        None, f"{PRECISION_HELP}; by default as the run had it", group="speed and memory"
    )


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions(InferenceOptions):
    """Which checkpoint a command reads, and with what."""

    checkpoint: str = option(
        "",
        "checkpoint file, or a run's folder (its best checkpoint, else its final one), or hf://ORG/NAME",
        place="input",
        hub=True,
        group=COMMON,
    )
    data_path: str | None = option(
        None,
        "data set folder; by default the one that the run was trained on",
        place="input",
        remote=True,
        group=COMMON,
    )
    videos_path: str | None = option(
        None,
        f"{VIDEOS_HELP}; without both, that of the run",
        place="input",
        remote=True,
        group="data",
    )
    model: str | None = option(
        None,
        "must be the model of the checkpoint; required for your own code, package.module:METHOD",
        plugin=True,
    )
    detector: str | None = option(
        None,
        "detector to use; by default the one that the run was trained with",
        place="input",
        plugin=True,
        group=COMMON,
    )
    classes: str | None = option(
        None,
        "file with the labels of the detector, one per line, if its own file does not contain them",
        place="input",
        group="boxes and tracks",
    )
    label_map: str | None = option(
        None,
        "file that maps labels of the detector to classes of the model, with lines such as 'mug: cup'",
        place="input",
        group="boxes and tracks",
    )

    @property
    def labels(self) -> LabelFiles:
        """What is said of the labels of the detector."""
        return LabelFiles.of(self.classes, self.label_map)


@dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """What the commands that score checkpoints share."""

    split: Literal["test", "val", "train"] = option(
        "test",
        "videos to score: the test split, the held-out training videos (val), or the other training videos",
        group=COMMON,
    )
    datasize: Literal["large", "small", "mini"] = option(
        "large", "large: all videos; small (or mini): a fixed tenth of them", group="data"
    )
    batch_size: int = option(1, "videos per step", low=1, high=100_000, group="data")
    num_workers: int | None = option(
        None, "processes that load data; by default one per core, at most 4", low=0, high=1024, group="data"
    )
    skip_bad: bool = option(False, "skip and count unreadable videos instead of stopping", group="data")
    exclusive_decoding: bool = option(
        True, "assign predicates that occur once per label unit (EASG's dobj) to one object only"
    )
    device: str = option("auto", "auto (the first CUDA device, else the CPU), cpu, cuda, cuda:1, ...", group=COMMON)
    features: str = option(
        "auto",
        "features written by 'vidsgg features': a folder, auto (use them if they fit) or off (always compute)",
        place="input",
        remote=True,
        group="data",
    )


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(ScoringOptions, CheckpointOptions):
    """Options of ``vidsgg evaluate`` and ``evaluate.py``, besides those of some methods
    (``method_options.py``)."""

    mode: Literal["predcls", "sgcls", "sgdet"] | None = option(
        None,
        "the mode of the checkpoint, to check it; a model that reads boxes and classes alone has predcls and sgdet",
    )
    distributed: bool = option(False, "several processes, one per device; torchrun starts them and turns the option on")
    max_pairs: int | None = option(
        None,
        "most pairs of a frame, 0 for all, if every ordered pair is a candidate; by default as trained",
        low=0,
        high=1_000_000,
    )
    reference_compat: bool | None = option(
        None,
        "score with or without the bugs of the reference; by default as trained, and imported checkpoints both"
        " ways, side by side",
    )
    save_path: str | None = option(
        None,
        "folder for tables, charts and the counters of every video; by default the checkpoint's",
        place="new folder",
        group=COMMON,
    )
    protocol: Literal["own", "impartail", "oed"] = option(
        "own",
        "the field's protocol, or the evaluator of a method's authors, to compare with their own tables only",
    )
    charts: bool = option(
        True,
        "draw recall by predicate, calibration, why relations are missed and, for models that estimate"
        " uncertainty, risk over coverage (PNG)",
    )


@dataclass(frozen=True, kw_only=True)
class CompareOptions(ScoringOptions, InferenceOptions):
    """Options of ``vidsgg compare``."""

    runs: tuple[str, ...] = option(
        help="checkpoint files or folders of runs, two or more; differences are to the first", place="input", hub=True
    )
    model: str | None = option(
        None, "your own code, if the runs use it: package.module:METHOD, several with commas", plugin=True
    )
    data_path: str | None = option(
        None,
        "data set folder; by default the one that each run was trained on",
        place="input",
        remote=True,
        group=COMMON,
    )
    videos_path: str | None = option(
        None,
        f"{VIDEOS_HELP}; without both, that of each run",
        place="input",
        remote=True,
        group="data",
    )
    out: str = option("comparison", "folder for comparison.csv and comparison.png", place="new folder", group=COMMON)
    charts: bool = option(
        True, "draw the differences, and for runs that are scored the charts of 'vidsgg evaluate' (PNG)"
    )


@dataclass(frozen=True, kw_only=True)
class PredictOptions(CheckpointOptions, SharedOptions):
    """Options of ``vidsgg predict``."""

    videos: tuple[str, ...] = option(
        (),
        "your own: video files, folders of videos, folders of pictures; or one camera (its number), rtsp:// or http://"
        " address, or - for a pipe; without any, a video of a data set",
        place="input",
        remote=True,
        takes_stream=True,
    )
    video: str = option("0", "of a data set: name of the video, or its number in the split, from 0", group=COMMON)
    split: Literal["test", "val", "train"] = option("test", "of a data set: the split of the video")
    out: str | None = option(
        None,
        "folder for the graphs (and a data set's page); by default 'graphs' for your own videos, else the checkpoint's;"
        " - is standard output, for the graph of one video",
        aliases=["o"],
        place="new folder",
        remote=True,
        takes_stream=True,
        group=COMMON,
    )
    format: Literal["graphs", "library"] | None = option(
        None,
        "what -out is: graphs (a JSON file for each video) or a library (searchable tables, pip install"
        " vidsgg[library]); by default what exists there, else graphs",
    )
    fps: float = option(
        FPS,
        "graphs per second; pictures of a folder are all used, and this is the rate at which they were taken",
        low=0.001,
        high=1000,
        group=COMMON,
    )
    boxes: str | None = option(
        None,
        "table (CSV) or graph file (JSON) of boxes in your own videos, for predcls and sgcls",
        place="input",
        group="boxes and tracks",
    )
    least_score: float | None = option(
        None,
        "drop objects with a lower detector score in your own videos; by default the detector's own value",
        low=0,
        high=1,
        group="boxes and tracks",
    )
    threshold: float | None = option(
        None,
        "your own videos: show predicates from this probability, by default each group's own value; a data set's"
        " video: keep the best of each group and all above this, by default 0.5",
        low=0,
        high=1,
        group=COMMON,
    )
    uncertainty_threshold: float | None = option(
        None,
        "for models that estimate uncertainty: mark edges above it as uncertain; by default as trained",
        low=0,
        high=1e9,
    )
    tracker: Literal["overlap", "bytetrack"] = option(
        TRACKER,
        "how objects in your own videos get their ids: by class and overlap, or by ByteTrack (pip install"
        " vidsgg[tracking])",
        group="boxes and tracks",
    )
    watch: bool = option(
        False,
        "for a camera, an address or a pipe: serve a live page on this machine",
        group="a camera, an address or a pipe",
    )
    port: int = option(
        0, "port of that page; 0 takes a free one", low=0, high=65_535, group="a camera, an address or a pipe"
    )
    jobs: int | None = option(
        None,
        "videos at a time, each in its own process with its own model; by default 1, on Ray as many as fit",
        low=1,
        high=100_000,
    )
    overwrite: bool = option(False, "replace existing graphs", group=COMMON)
    device: str = option("auto", "auto (the first CUDA device, else the CPU), cpu, cuda, cuda:1, ...", group=COMMON)


@dataclass(frozen=True)
class DemoSize:
    """How much a demo makes and learns. epochs: of the first model; the others, which start from it,
    take half."""

    videos: int
    modes: str
    detector_epochs: int
    epochs: int


MEDIUM_DEMO = DemoSize(videos=80, modes="predcls,sgdet", detector_epochs=2, epochs=8)
QUICK_DEMO = DemoSize(videos=40, modes="predcls", detector_epochs=1, epochs=8)
LARGE_DEMO = DemoSize(videos=200, modes="predcls,sgcls,sgdet", detector_epochs=4, epochs=8)


def _by_size(name: str) -> str:
    medium, quick, large = (getattr(size, name) for size in (MEDIUM_DEMO, QUICK_DEMO, LARGE_DEMO))
    return f"by default {medium}; with -quick {quick}, with -large {large}"


@dataclass(frozen=True)
class DemoOptions:
    """Options of ``vidsgg demo``."""

    out: str = option("demo", "folder for the data set, the runs and the page", place="new folder")
    quick: bool = option(False, "a small demo: about two minutes on two CPU cores")
    large: bool = option(False, "a large demo: about half an hour, with a better model")
    videos: int | None = option(None, f"videos of the synthetic data set, {_by_size('videos')}", low=10, high=100_000)
    modes: str | None = option(
        None,
        f"tasks to train, one after another: some of predcls,sgcls,sgdet; {_by_size('modes')}",
    )
    detector_epochs: int | None = option(
        None,
        f"passes of the detector over the training frames, {_by_size('detector_epochs')}",
        low=1,
        high=1_000_000,
    )
    epochs: int | None = option(
        None,
        "passes of the first model over the training videos; the others start from it and take half as many;"
        f" {_by_size('epochs')}",
        low=1,
        high=1_000_000,
    )
    seed: int = option(0, "seed of the data set and of the training", low=0, high=2**32 - 1)

    @property
    def size(self) -> DemoSize:
        """The size that is asked for, with what is given besides. Raises ConfigError for two sizes."""
        if self.quick and self.large:
            raise ConfigError("options -quick and -large: these are two sizes of the demo; give one of them.")
        chosen = QUICK_DEMO if self.quick else LARGE_DEMO if self.large else MEDIUM_DEMO
        given = {field.name: getattr(self, field.name) for field in fields(DemoSize)}
        return replace(chosen, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True)
class FeaturesOptions(SharedOptions):
    """Options of ``vidsgg features``."""

    data_path: str | None = option(
        None,
        "data set folder, 'synthetic' for the built-in one; without it data/action_genome is used",
        place="input",
        remote=True,
        group=COMMON,
    )
    videos_path: str | None = option(
        None,
        f"{VIDEOS_HELP}; for EASG, which has no pictures: the folder with its clips (<clip>.mp4), from which"
        " verb_features.pt and roi_feats_*.pkl are made",
        aliases=["videos"],
        place="input",
        remote=True,
    )
    mode: Literal["predcls", "sgcls", "sgdet"] = option("predcls", "task to write features for", group=COMMON)
    model: str = option(
        "sttran",
        "model that will read them; only in SGDET some models need their own: tempura reads raw detections",
        plugin=True,
        group=COMMON,
    )
    detector: str = option(
        "auto",
        "as for 'vidsgg train': a name, a file of weights, auto, or package.module:Class",
        place="input",
        plugin=True,
        group=COMMON,
    )
    backend: Backend = option("torch", BACKEND_HELP)
    precision: Numbers = option("fp32", PRECISION_HELP)
    dtype: Literal["float16", "float32", "bfloat16"] = option(
        "float16", "type of the features on disk; boxes and classes stay exact"
    )
    out: str | None = option(
        None,
        "folder to write to; by default <data_path>/features/..., where training finds it",
        place="new folder",
        remote=True,
        group=COMMON,
    )
    split: Literal["all", "train", "test"] = option(
        "all", "videos to process; train includes those held out for validation"
    )
    datasize: Literal["large", "small", "mini"] = option(
        "large", "large: all videos; small (or mini): a fixed tenth of them"
    )
    max_pairs: int | None = option(
        None,
        "as for 'vidsgg train': most pairs of a frame, if every ordered pair is a candidate",
        low=0,
        high=1_000_000,
    )
    num_workers: int | None = option(
        None,
        "processes; by default one per core, at most 4, on GPUs 4 for each; on Ray as many as fit",
        low=1,
        high=100_000,
    )
    device: str = option(
        "auto", "auto (all CUDA devices, else the CPU), cpu, cuda (all of them), cuda:1, ...", group=COMMON
    )
    reference_compat: bool = option(False, "for SGDET: reproduce the reference's bugs that change published numbers")
    skip_bad: bool = option(False, "skip and count unreadable videos instead of stopping")
    verify: bool = option(False, "compare the checksums of existing records, and write damaged ones again")
    estimate: bool = option(False, "only estimate the size of the features and the time; writes nothing", group=COMMON)

    @property
    def inference(self) -> Inference:
        """What computes the detector."""
        return Inference(self.backend, self.precision)


@dataclass(frozen=True)
class TrainDetectorOptions:
    """Options of ``vidsgg train-detector``."""

    data_path: str | None = option(
        None,
        "data set folder, 'synthetic' for the built-in one; without it data/action_genome is used",
        place="input",
        remote=True,
        free=("run", "list"),
        group=COMMON,
    )
    videos_path: str | None = option(None, VIDEOS_HELP, place="input", remote=True, free=("run", "list"), group="data")
    detector: str | None = option(
        None,
        "c4-small (for CPUs), c4-resnet101, fasterrcnn_resnet50_fpn_v2; by default that of the file in"
        " -pretrained, else c4-small",
        free=("list",),
        group=COMMON,
    )
    pretrained: str = option(
        "auto",
        "start: imagenet, coco (torchvision's weights), none, a file, or auto: torchvision's, if the detector has"
        " any and they are available",
        place="input",
        group=COMMON,
    )
    depth: int | None = option(
        None,
        "layers of the ResNet of a c4 detector: 10, 18, 50 or 101",
        low=10,
        high=1000,
        group="size of a c4 detector",
    )
    base_width: int | None = option(
        None, "channels of its first stage; all others follow", low=1, high=4096, group="size of a c4 detector"
    )
    short_side: int | None = option(
        None, "pixels to which the shorter side of a frame is scaled", low=32, high=4096, group="size of a c4 detector"
    )
    epochs: int = option(4, "passes over the training frames; 0 only scores", low=0, high=1_000_000, group=COMMON)
    minutes: float | None = option(
        None,
        "end after this many minutes; the learning rate adapts",
        low=0.01,
        high=1e6,
        free=("run",),
        group=COMMON,
    )
    lr: float | None = option(
        None,
        "learning rate of AdamW; by default 3e-3 from random and 1e-4 from pretrained weights",
        low=0,
        high=1e3,
        group="learning",
    )
    weight_decay: float = option(1e-4, "weight decay of AdamW", low=0, high=1e3, group="learning")
    batch_size: int = option(4, "frames per step", low=1, high=100_000, group=COMMON)
    clip_grad: float = option(
        10.0, "L2 norm to which all gradients are clipped; 0 turns it off", low=0, high=1e9, group="learning"
    )
    scheduler: Literal["step", "cosine"] = option(
        "cosine", "learning rate schedule, after a warm-up over the first twentieth", group="learning"
    )
    eval_freq: int = option(
        4, "epochs between evaluations on the held-out tenth of the training videos", low=1, high=1_000_000
    )
    test: bool = option(True, "score the best detector on the test split at the end", free=("run",))
    datasize: Literal["large", "small", "mini"] = option(
        "large", "large: all videos; small (or mini): a fixed tenth of them", group="data"
    )
    seed: int = option(42, "seed of all random generators", low=0, high=2**32 - 1, group="learning")
    save_path: str | None = option(
        None,
        "folder of the run; by default output/<dataset>/<detector>_detector_<time>",
        place="new folder",
        free=("run", "list"),
        group=COMMON,
    )
    num_workers: int | None = option(
        None,
        "processes that load frames; by default one per core, at most 4",
        low=0,
        high=1024,
        free=("run", "list"),
        group="data",
    )
    skip_bad: bool = option(False, "skip and count unreadable frames instead of stopping", free=("run",), group="data")
    device: str = option(
        "auto", "auto (the first CUDA device, else the CPU), cpu, cuda, cuda:1, ...", free=("run", "list"), group=COMMON
    )


@dataclass(frozen=True, kw_only=True)
class ImportCheckpointOptions(ImportOptions):
    """Options of ``vidsgg import-checkpoint``: what the authors' files do not say; besides those
    of some methods (``method_options.py``)."""

    file: Path = option(help="the authors' file, such as faster_rcnn_ag.pth or sttran_predcls.tar", place="input")
    out: Path | None = option(None, "file to write; by default <name>_vidsgg beside the given one", place="new file")
    model: str | None = option(None, "the relation model in the file; recognised automatically; give it to check")
