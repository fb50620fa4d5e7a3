"""The speeds of ``benchmarks.gpu``: extraction, training, evaluation, prediction, the engine's overhead and
two processes."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks import distributed, engine, store
from benchmarks.gpu_rows import Machine, Row, collected
from benchmarks.sttran import WIDTHS, random_clip
from vidsgg.assembly.trained_model import TrainedModel
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate
from vidsgg.detectors.backends.choice import Inference
from vidsgg.detectors.backends.parts import choose_backend
from vidsgg.detectors.base import RegionDetector
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.faster_rcnn import DETECTORS, FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.engine.evaluate import score
from vidsgg.engine.loading import Batch, ClipLoader
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.precision import LEVELS, Precision
from vidsgg.engine.update import Update
from vidsgg.errors import ConfigError
from vidsgg.features.store import FeatureStore
from vidsgg.io.encoding import write_video
from vidsgg.io.images import Image
from vidsgg.losses.relations import RelationCriterion
from vidsgg.methods.sttran import STTranOptions
from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.recipes.train import run_training
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

NARROW = FasterRCNNConfig(BackboneConfig(depth=10, base_width=8, short_side=64, stride=8), (4, 8), 16)
LEVEL = {"fp32": "O0", "autocast": "O1", "O2": "O2", "compile": "O0"}
SURE = 40.0  # by how much random class scores are multiplied, so that something is found


@dataclass(frozen=True)
class Sizes:
    """How large everything is."""

    batches: tuple[int, ...] = (1, 4, 16, 64)  # videos of a training step
    widths: FeatureWidths = WIDTHS
    network: STTranConfig = field(default_factory=STTranConfig)
    height: int = 360  # of pictures
    width: int = 640
    pictures: int = 20  # of the video that detectors look at
    film: int = 8  # seconds of the video that is predicted
    detector: FasterRCNNConfig = DETECTORS["c4-resnet101"]
    tiny: bool = False

    def clip(self, seed: int) -> Clip:
        """A random video."""
        return engine.tiny_clip(seed) if self.tiny else random_clip(seed)

    def model(self) -> STTran:
        torch.manual_seed(0)
        return STTran(SCHEMA, self.widths, self.network)


TINY = Sizes((1, 4), engine.TINY_WIDTHS, engine.TINY, 48, 64, 2, 1, NARROW, tiny=True)


def pictures(sizes: Sizes, number: int) -> list[Image]:
    """Random pictures of coarse patches."""
    coarse = np.random.RandomState(0).randint(0, 256, (number, sizes.height // 8, sizes.width // 8, 3))
    return list(coarse.astype(np.uint8).repeat(8, 1).repeat(8, 2))


def boxed_clip(sizes: Sizes) -> Clip:
    """Two boxes in every picture, a person and a thing, whose features are asked for."""
    frames = sizes.pictures
    w, h = sizes.width, sizes.height
    two = torch.tensor([[0.1 * w, 0.1 * h, 0.5 * w, 0.9 * h], [0.4 * w, 0.3 * h, 0.9 * w, 0.8 * h]])
    frame, nodes = torch.arange(frames), torch.arange(2 * frames)
    return Clip(
        schema=SCHEMA, video_ids=("random",), frame_video=torch.zeros_like(frame), frame_unit=frame,
        frame_slot=torch.zeros_like(frame), frame_size=torch.tensor([[float(w), float(h)]]).repeat(frames, 1),
        node_box=two.repeat(frames, 1), node_class=torch.tensor([1, 2]).repeat(frames), node_score=torch.ones(2 * frames),
        node_frame=frame.repeat_interleave(2), node_identity=torch.full_like(nodes, -1),
        action_class=torch.zeros(0, dtype=torch.int64), pair_subject=nodes[::2], pair_object=nodes[1::2], pair_frame=frame,
    )  # fmt: skip


def _c4(sizes: Sizes) -> RegionDetector:
    return FasterRCNN(sizes.detector, SCHEMA.vocabulary.objects)


def _fpn(sizes: Sizes) -> RegionDetector:
    from vidsgg.detectors.torchvision_fpn import FPNConfig, TorchvisionFPN  # torchvision's networks

    config = FPNConfig(min_size=64, max_size=96) if sizes.tiny else FPNConfig()
    return TorchvisionFPN(config, SCHEMA.vocabulary.objects)


WATCHED: dict[str, Callable[[Sizes], RegionDetector]] = {"c4-resnet101": _c4, "fasterrcnn_resnet50_fpn_v2": _fpn}


INFERENCE = {"fp32": Inference(), "bf16": Inference(precision="bf16"), "compile": Inference(backend="compile")}


def extraction(machine: Machine, sizes: Sizes, detectors: tuple[str, ...], compiles: bool) -> Iterator[Row]:
    """Features of given boxes, from pictures to clips, with what -backend and -precision offer."""
    images, clip = pictures(sizes, sizes.pictures), boxed_clip(sizes)
    for name in detectors:
        for setting, asked in INFERENCE.items():
            if setting == "compile" and not compiles:
                continue
            row = Row("extraction", name, setting, unit="pictures/s")
            with collected(row) as rows:
                detector = WATCHED[name](sizes)
                said = choose_backend(detector, asked, machine.device)
                if detector.inference != asked:
                    raise ConfigError(said)
                extract = ClipExtractor(detector.on_device(machine.device), "predcls", learn=False)

                def look(extract: ClipExtractor = extract) -> int:
                    extract(images, clip)
                    return len(images)

                value, peak = machine.rate(look, 2 if setting == "compile" else 1)
                rows.append(replace(row, value=value, peak_mib=peak))
            yield from rows
            if machine.over():
                return


def stored(sizes: Sizes, folder: Path) -> tuple[store.RandomVideos, FeatureStore]:
    """Random videos with a store of their features, as many as the largest batch has."""
    videos = store.RandomVideos(max(sizes.batches), sizes.clip)
    return videos, store.write(videos, folder, sizes.widths)


def _endless(loader: ClipLoader) -> Iterator[Batch]:
    for epoch in count(1):
        yield from loader.batches(epoch)


def training(machine: Machine, sizes: Sizes, backend: str) -> Iterator[Row]:
    """Steps of STTran on stored features: reading, forward, loss, backward, clipping, AdamW."""
    with tempfile.TemporaryDirectory() as folder:
        videos, features = stored(sizes, Path(folder) / "store")
        for setting in ("fp32", "autocast", "O2", *(["compile"] if backend else [])):
            for batch in sizes.batches:
                row = Row("training", "STTran from a store", setting, batch, unit="videos/s")
                if LEVEL[setting] not in LEVELS:
                    yield replace(row, remark="skipped: this version has no -opt_level of this name")
                    continue
                with collected(row) as rows:
                    value, peak, half = _training_rate(machine, sizes, videos, features, setting, batch, backend)
                    rows.append(replace(row, value=value, peak_mib=peak, remark=half))
                yield from rows
                if machine.over():
                    return


def _training_rate(
    machine: Machine,
    sizes: Sizes,
    videos: store.RandomVideos,
    features: FeatureStore,
    setting: str,
    batch: int,
    backend: str,
) -> tuple[float, float | None, str]:
    """Videos a second, the peak of memory, and the type of mixed precision. Raises ConfigError for a
    setting that the device does not have."""
    model = sizes.model().train().to(machine.device)
    # A tiny run takes bfloat16 on every processor, so that it is run at all.
    precision = Precision(model, LEVEL[setting], torch.bfloat16 if sizes.tiny else None)
    if precision.level != LEVEL[setting]:
        raise ConfigError(f"{machine.device} does not compute in bfloat16.")
    update = Update(
        ReferenceAdamW(precision.updated(model.parameters()), lr=1e-5), precision, clip_grad=5.0, videos=batch
    )
    criterion = RelationCriterion(SCHEMA)
    if setting == "compile":
        model.compile(dynamic=True, backend=backend)
    workers = 0 if sizes.tiny else 4
    loader = ClipLoader(
        videos, "predcls", batch, shuffle=True, workers=workers, device=machine.device, store=features, learn=True
    )
    read = _endless(loader)

    def step() -> int:
        clip = next(read).clip
        with precision.autocast():
            logits = model(clip)
        update.add(criterion(logits, clip), clip.videos)
        update.step(1.0)
        return clip.videos

    try:
        half = "" if precision.level == "O0" else str(precision.half).removeprefix("torch.")
        return (*machine.rate(step, 3 if setting == "compile" else 1), half)
    finally:
        loader.close()


def evaluation(machine: Machine, sizes: Sizes) -> Iterator[Row]:
    """Scoring stored videos: reading, forward, decoding, recall."""
    with tempfile.TemporaryDirectory() as folder:
        videos, features = stored(sizes, Path(folder) / "store")
        model = sizes.model().to(machine.device)
        for batch in sorted({1, min(16, max(sizes.batches))}):
            loader = ClipLoader(videos, "predcls", batch, device=machine.device, store=features)

            def work(loader: ClipLoader = loader) -> int:
                score(model, loader, [RecallAccumulator(engine.PROTOCOL, SCHEMA.vocabulary)])
                return len(videos)

            value, peak = machine.rate(work)
            yield Row("evaluation", "STTran from a store", "fp32", batch, value, "videos/s", peak)


def finding_detector(sizes: Sizes) -> FasterRCNN:
    """A detector with random weights whose class scores are so far apart that it finds things."""
    detector = FasterRCNN(sizes.detector, SCHEMA.vocabulary.objects)
    with torch.no_grad():
        detector.class_score.weight.mul_(SURE)
    return detector


@dataclass(frozen=True)
class Made:
    """A small synthetic data set, and a detector for it."""

    data: Path
    detector: Path

    @staticmethod
    def at(folder: Path, sizes: Sizes) -> Made:
        data, detector = folder / "data", folder / "detector.pth"
        generate(
            data,
            SyntheticConfig(videos=5, width=128, height=96, workers=1) if sizes.tiny else SyntheticConfig(videos=10),
        )
        save_detector(detector, finding_detector(sizes))
        return Made(data, detector)

    def options(self, machine: Machine, sizes: Sizes, **changes: object) -> STTranOptions:
        """Those of a short run on this device."""
        narrow = {"hidden_dim": 16, "embedding_dim": 8, "feedforward_dim": 32, "temporal_layer": 1}
        shared = {
            "data_path": str(self.data), "detector": str(self.detector), "device": str(machine.device), "num_workers": 0,
            "features": "off", **(narrow if sizes.tiny else {}),
        }  # fmt: skip
        return STTranOptions(**{**shared, **changes})  # type: ignore[arg-type]


def prediction(machine: Machine, sizes: Sizes, made: Made, folder: Path) -> Iterator[Row]:
    """``predict`` from a video file to its graph, by an untrained model behind a random detector."""
    options = made.options(machine, sizes, mode="sgdet", epochs=0, save_path=str(folder / "untrained"))
    run_training(options, echo=False)
    film = folder / "film.mp4"
    rate = 10
    shown = pictures(sizes, sizes.film * rate)
    write_video(film, ((i / rate, image) for i, image in enumerate(shown)), last=1 / rate)
    model = TrainedModel.load(folder / "untrained", device=str(machine.device))
    things: list[float] = []

    def work() -> int:
        graph = model.predict(str(film), fps=rate)
        things.append(statistics.mean(len(frame.nodes) for frame in graph.frames))
        return len(graph.frames)

    value, peak = machine.rate(work)
    remark = f"{sizes.width} x {sizes.height} pixels, {things[-1]:.1f} things a frame"
    yield Row("predict", "STTran, sgdet, end to end", "fp32", None, value, "frames/s", peak, remark)


def overhead(machine: Machine, sizes: Sizes) -> Iterator[Row]:
    """The training loop against a bare one, on clips that lie on the device."""
    clips = [sizes.clip(seed).to(machine.device) for seed in range(3 if sizes.tiny else 20)]
    bare, ours, saving = engine.overhead(
        lambda: sizes.model().to(machine.device), clips, 1 if sizes.tiny else 4, machine.clock
    )
    yield Row("engine", "bare loop", "fp32", 1, 1000 * bare, "ms/step")
    yield Row("engine", "our loop", "fp32", 1, 1000 * ours, "ms/step")
    yield Row("engine", "overhead", "fp32", 1, 100 * (ours / bare - 1), "%")
    yield Row("engine", "a checkpoint", "fp32", None, saving, "s")


def two_processes(machine: Machine, sizes: Sizes) -> Iterator[Row]:
    """Training steps in two processes, each with its GPU, against one process."""
    row = Row("two processes", "STTran on random features", "fp32", 8)
    devices = torch.cuda.device_count()
    if machine.device.type != "cuda" or devices < 2:
        yield replace(row, remark=f"skipped: this needs two GPUs; there are {devices if machine.is_cuda else 0}")
        return
    one, two = (statistics.median(distributed.started(processes, 8, 10, "cuda")["steps"]) for processes in (1, 2))
    yield replace(row, what="one process", value=1000 * one, unit="ms/step")
    yield replace(row, what="two processes", value=1000 * two, unit="ms/step")
    yield replace(row, what="efficiency", value=100 * one / (2 * two), unit="%")


def largest(ours: Tensor, other: Tensor) -> float:
    """The largest difference of two tensors, relative to the largest value."""
    return float((ours.cpu() - other.cpu()).abs().max() / other.abs().max().cpu().clamp(min=1e-12))
