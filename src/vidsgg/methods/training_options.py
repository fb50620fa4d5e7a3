"""The options that every training run has, and those of runs by gradient descent. Nothing heavy is
imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from vidsgg.datasets.format import VIDEOS_HELP
from vidsgg.detectors.backends.choice import BACKEND_HELP, PRECISION_HELP, Backend, Inference, Numbers
from vidsgg.errors import ConfigError
from vidsgg.models.configs import ReferenceCompat
from vidsgg.options import COMMON, check_bounds, convert, fields_of, option
from vidsgg.plugins import withhold_code

AUTO = "auto"  # the value of -batch_size by which it is found; None stands for it
LAYOUT = "layout"  # the value of -features by which a model reads boxes and classes alone


@dataclass(frozen=True)
class _RunOptions:
    mode: Literal["predcls", "sgcls", "sgdet"] = option(
        "predcls",
        "task; on EASG the same three mean edge, scene graph and action scene graph classification",
        group=COMMON,
    )
    # Names code in checkpoints too, where the registry of methods takes it only from the user.
    model: str = option(
        "sttran", "model; 'vidsgg models' lists them; or package.module:METHOD of your own", group=COMMON
    )
    data_path: str | None = option(
        None,
        "data set folder, 'synthetic' for the built-in one; by default data/action_genome if it exists",
        place="input",
        remote=True,
        free=("run", "study", "list"),
        group=COMMON,
    )
    videos_path: str | None = option(
        None, VIDEOS_HELP, place="input", remote=True, free=("run", "study", "list"), group="data"
    )
    datasize: Literal["large", "small", "mini"] = option(
        "large", "large: all videos; small (or mini): a fixed tenth of them", group="data"
    )
    max_pairs: int | None = option(
        None,
        "most pairs of a frame, 0 for all, if every ordered pair is a candidate: those whose boxes have the best"
        " scores, then the nearest; by default the data set's value, 512",
        low=0,
        high=1_000_000,
    )
    val: Literal["holdout", "test"] = option(
        "holdout",
        "validate on a fixed tenth of the training videos, or on the test split as the original codes do",
        group="data",
    )
    lr: float = option(1e-4, "learning rate of AdamW", low=0, high=1e3, group=COMMON)
    weight_decay: float = option(1e-5, "weight decay of AdamW", low=0, high=1e3, group="learning")
    batch_size: int | None = option(
        1,
        "videos per step and process; auto: as many as the memory takes, found before the first step",
        choices=(AUTO,),
        low=1,
        high=100_000,
        group=COMMON,
    )
    epochs: int = option(
        100,
        "passes over the training videos; 0 writes the untrained model",
        low=0,
        aliases=("nepoch",),
        high=1_000_000,
        free=("run",),
        group=COMMON,
    )
    clip_grad: float = option(
        5.0, "L2 norm to which all gradients are clipped; 0 turns it off", low=0, high=1e9, group="learning"
    )
    warmup_steps: int = option(1000, "optimiser steps of linear warm-up", low=0, high=10**9, group="learning")
    scheduler: Literal["step", "cosine", "plateau", "wave"] = option(
        "step",
        "learning rate schedule; plateau watches -monitor; wave: by epoch, half a cosine down over ten and up over the next ten",
        group="learning",
    )
    save_freq: int = option(
        10,
        "epochs between checkpoints that are kept",
        low=1,
        high=1_000_000,
        free=("run", "study", "list"),
        group="evaluations, checkpoints and logs",
    )
    eval_freq: int = option(
        5, "epochs between evaluations", low=1, high=1_000_000, free=("run",), group="evaluations, checkpoints and logs"
    )
    seed: int = option(42, "seed of all random generators", low=0, high=2**32 - 1, group="learning")
    save_path: str | None = option(
        None,
        "folder of the run; by default output/<dataset>/<model>_<mode>_<time>",
        place="new folder",
        free=("run", "study", "list"),
        group=COMMON,
    )
    logger: str = option(
        "tensorboard",
        "where losses and scores are logged, besides metrics.csv: tensorboard, wandb, none, or module:Class",
        plugin=True,
        free=("run", "study", "list"),
        group="evaluations, checkpoints and logs",
    )
    num_workers: int | None = option(
        None,
        "processes that load data; by default one per core, at most 4",
        low=0,
        high=1024,
        free=("run", "study", "list"),
        group="data",
    )
    skip_bad: bool = option(False, "skip and count unreadable videos instead of stopping", free=("run",), group="data")
    device: str = option(
        "auto",
        "auto (the first CUDA device, else the CPU), cpu, cuda, cuda:1, ...",
        free=("run", "study", "list"),
        group=COMMON,
    )
    distributed: bool = option(
        False,
        "several processes, one per device; torchrun starts them and turns the option on",
        free=("run", "study"),
        group="speed and memory",
    )
    detector: str = option(
        "auto",
        "c4-resnet101, c4-small, fasterrcnn_resnet50_fpn_v2, an installed one, package.module:Class of your own, a file"
        " of weights, the folder of a run of train-detector, or auto: detector.pth in the data folder, else c4-small",
        place="input",
        plugin=True,
        free=("run", "list", "scores"),
        group=COMMON,
    )
    backend: Backend = option("torch", BACKEND_HELP, group="speed and memory")
    precision: Numbers = option("fp32", PRECISION_HELP, group="speed and memory")
    features: str = option(
        "auto",
        "features written by 'vidsgg features': a folder, auto (use them if they fit) or off (always compute);"
        " layout: no features, the model reads boxes and classes alone and works with any detector of boxes",
        place="input",
        remote=True,
        free=("run", "study", "scores"),
        group="data",
        fixed=(LAYOUT,),
    )
    resume_from: str | None = option(
        None,
        "checkpoint or run to resume, or 'last', the newest run of this model, mode and data set; from another"
        " model, mode or data set: loads the weights that fit",
        place="input",
        hub=True,
        free=("run",),
        group=COMMON,
    )
    exclusive_decoding: bool = option(
        True, "assign predicates that occur once per label unit (EASG's dobj) to one object only"
    )

    def __post_init__(self) -> None:
        check_bounds(self)

    @property
    def remark(self) -> str:
        """What has to be said wherever scores are shown that a model has with these options."""
        return ""

    @property
    def layout(self) -> bool:
        """Whether the model reads boxes and classes alone."""
        return self.features == LAYOUT

    @property
    def inference(self) -> Inference:
        """What computes the frozen detector."""
        return Inference(self.backend, self.precision)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for config.yaml and checkpoints; the options class is found again by
        ``model``."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class TrainOptions(ReferenceCompat, _RunOptions):
    """Options that every model has. (Their fields lie in two classes because networks have
    ``reference_compat`` too.)"""


@dataclass(frozen=True)
class NeuralOptions(TrainOptions):
    """Options of models that are trained by gradient descent on pairs."""

    use_amp: bool = option(False, "mixed precision, see -opt_level", group="speed and memory")
    opt_level: Literal["O0", "O1", "O2"] = option(
        "O1",
        "with -use_amp: O0 float32, O1 autocast to bfloat16 (or float16 with loss scaling), O2 bfloat16 weights with a"
        " float32 optimiser",
        group="speed and memory",
    )
    accumulate_grad_batches: int = option(
        1,
        "batches per optimiser step; the effective batch size is this times -batch_size times processes",
        low=1,
        high=1_000_000,
        group="learning",
    )
    grad_checkpointing: bool = option(
        False,
        "recompute the activations of the transformer layers in the backward pass instead of storing them",
        free=("run",),
        group="speed and memory",
    )
    deterministic: bool = option(
        False,
        "use only algorithms that give the same bits every time, on a GPU too (with the same number of threads)",
        free=("run", "study"),
        group="speed and memory",
    )
    monitor: str = option(
        "val_recall@20",
        "score that chooses the best epoch and controls early stopping and the plateau schedule; val_loss,"
        " val_mR@50, ...",
        group="evaluations, checkpoints and logs",
    )
    curriculum: str | None = option(
        None,
        "from easy to hard videos: stages EPOCH:LEVEL such as 0:easy,20:medium,60:full (the easiest third, two"
        " thirds, all)",
        group="learning",
    )
    partial_labels: str | None = option(
        None,
        "percent of relation labels that the loss uses, sampled so that all predicates are requested equally"
        " often; or one value per epoch, the last for all later ones: 40,10 (ImparTail); by default all labels",
        group="a part of the labels",
    )
    partial_scope: Literal["auto", "label", "frame"] = option(
        "auto",
        "with -partial_labels: use a label if it is sampled, or if its predicate is sampled anywhere in its frame;"
        " auto: label, with -reference_compat frame",
        group="a part of the labels",
    )
    partial_masked: Literal["auto", "ignore", "negative"] = option(
        "auto",
        "with -partial_labels: the loss ignores the other labels, or treats them as negatives; auto: ignore, with"
        " -reference_compat negative",
        group="a part of the labels",
    )
    partial_draw: Literal["auto", "epoch", "once"] = option(
        "auto",
        "with -partial_labels: sample in every epoch, or once for every percentage; auto: epoch, with"
        " -reference_compat once",
        group="a part of the labels",
    )
    partial_distribution: Literal["even", "same"] = option(
        "even",
        "with -partial_labels: request all predicates equally often, or each as often as it is annotated",
        group="a part of the labels",
    )
    patience: int | None = option(
        None,
        "early stopping: evaluations without progress before a run ends; by default there is no early stopping",
        low=1,
        high=1_000_000,
        free=("run",),
        group="evaluations, checkpoints and logs",
    )
    min_delta: float = option(
        0.001,
        "early stopping: least change that counts as progress (recall: 0..1)",
        low=0,
        high=1e9,
        free=("run",),
        group="evaluations, checkpoints and logs",
    )
    save_minutes: float = option(
        15.0,
        "minutes between checkpoints within an epoch; 0 writes one after every step",
        low=0,
        high=1e6,
        free=("run", "study", "list"),
        group="evaluations, checkpoints and logs",
    )
    profile: bool = option(
        False,
        "measure a few steps with torch's profiler: profile.txt and profile_trace.json in the run's folder",
        free=("run", "study", "list"),
        group="speed and memory",
    )
    box_jitter: float | None = option(
        None,
        "with -features layout: standard deviation by which edges of boxes are moved in training, as a fraction of"
        " the box's side; by default 0.05",
        low=0,
        high=1,
        group="learning",
    )
    drop_boxes: float | None = option(
        None,
        "with -features layout: fraction of boxes that are dropped in training, because a detector misses some; by"
        " default 0.1",
        low=0,
        high=0.9,
        group="learning",
    )
    bce_loss: bool = option(
        False,
        "binary cross entropy for groups with several labels, instead of the reference's margin loss",
        group="learning",
    )
    word_vectors: str | None = option(
        None, "text file of word vectors (GloVe) that initialise the class embeddings", place="input", group="learning"
    )


def options_from(values: Mapping[str, Any], kind: type[TrainOptions]) -> TrainOptions:
    """Options read back from a checkpoint or a run's config.yaml. Where they name code
    (``vidsgg/plugins.py``) the default is taken.

    Raises ConfigError naming the keys that this version does not know.
    """
    values, _ = withhold_code(values, kind)
    unknown = set(values) - set(kind.__dataclass_fields__)
    if unknown:
        names = ", ".join(sorted(str(name)[:60] for name in unknown)[:10])
        raise ConfigError(f"the checkpoint's configuration has options that this version does not know: {names}")
    known = fields_of(kind)
    return kind(
        **{
            name: convert(name, value, known[name][0], known[name][1].metadata["choices"])
            for name, value in values.items()
        }
    )
