"""A trained model: what command line, app, evaluation, benchmarks and notebooks use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vidsgg.assembly.data import choose_device
from vidsgg.assembly.saved_run import (
    ReadyModel,
    SavedRun,
    lacks_detector,
    load_model,
    model_on,
    read_run,
    reads_boxes,
    trained_source,
)
from vidsgg.assembly.sources import FeatureSource, open_box_source, open_default_box_source, open_source
from vidsgg.assembly.video_defaults import FPS, TRACKER, Tracking
from vidsgg.assembly.video_predictor import VideoPredictor, VideoSettings, check_reads_videos
from vidsgg.datasets.base import VideoDataset
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.engine.distributed import ALONE, Team
from vidsgg.engine.evaluate import score
from vidsgg.errors import DataError
from vidsgg.io.footage import FootageFrame
from vidsgg.io.locations import Location, location
from vidsgg.methods.registry import find_method
from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import RecallResult
from vidsgg.ops.decoding import decode
from vidsgg.structures.clip import Clip
from vidsgg.structures.graph import GraphFrame, VideoGraph
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

Picture = npt.NDArray[np.uint8]  # RGB (H, W, 3)


class TrainedModel:
    """A model that was trained, with the classes that it knows; its detector is loaded when it is
    first needed.

    run: its checkpoint with the options of its run. device, detector: as in ``vidsgg predict``;
    detector None: the one that it was
    trained with. folders: data sets in which that may lie.
    """

    def __init__(
        self,
        run: SavedRun,
        device: str = "auto",
        detector: str | None = None,
        folders: Sequence[Path] = (),
        labels: LabelFiles = NO_LABELS,
    ) -> None:
        self.run, self.device, self.detector, self._folders = run, device, detector, tuple(folders)
        self.labels = labels  # what the user says of the detector's labels

    @staticmethod
    def load(
        path: str | Path,
        *,
        device: str = "auto",
        detector: str | None = None,
        method: str | None = None,
        classes: str | Path | None = None,
        label_map: str | Path | None = None,
    ) -> TrainedModel:
        """The model of a run's folder (its best checkpoint), of a checkpoint file, or of
        ``hf://ORG/NAME``.

        device: auto (the first CUDA device, else the CPU), cpu, cuda, ... detector: a name or a
        file, by default the one that the model
        was trained with. method: needed where the model is code of your own,
        ``package.module:METHOD``; a checkpoint never chooses code. classes, label_map: files that say
        what the labels of the detector are, and which class of the model each of them is. Raises
        CheckpointError if there is no such checkpoint or it is damaged; ConfigError if it is of another
        method.
        """
        return TrainedModel(
            read_run(Path(path), model=method), device, detector, labels=LabelFiles.of(classes, label_map)
        )

    @property
    def name(self) -> str:
        """The model, as in ``-model``."""
        return self.run.options.model

    @property
    def mode(self) -> str:
        """predcls, sgcls or sgdet."""
        return self.run.options.mode

    @property
    def schema(self) -> Schema:
        """Classes, predicates and rules that it was trained with."""
        return self.run.checkpoint.schema

    def __repr__(self) -> str:
        classes = (
            f"{len(self.schema.vocabulary.objects) - 1} classes, {len(self.schema.vocabulary.predicates)} predicates"
        )
        return f"TrainedModel({self.name}, {self.mode}, {self.schema.title}: {classes}, {self.run.file})"

    def predict(
        self,
        video: str | Location,
        *,
        fps: float = FPS,
        boxes: str | Path | None = None,
        threshold: float | None = None,
        least_score: float | None = None,
        uncertainty_threshold: float | None = None,
        tracker: Tracking = TRACKER,
    ) -> VideoGraph:
        """The graph of a video file, or of a folder of pictures: frames, ids of things, relations
        over time.

        fps: graphs a second; of pictures, which are all used, how many were taken a second. boxes:
        a table or graph file with the boxes of the video, for models of predcls and sgcls.
        threshold, least_score: probabilities (0..1) that predicates and things must
        have. uncertainty_threshold: edges above it are marked. tracker: "overlap" or "bytetrack".
        Raises DataError if the video cannot be read, ConfigError if the model cannot read videos or
        not with these values, CheckpointError if its detector is not found.
        """
        settings = VideoSettings(
            fps, None if boxes is None else Path(boxes), threshold, least_score, uncertainty_threshold, tracker
        )
        return self.on_videos(settings).graph(location(video))

    def stream(
        self,
        frames: Iterable[Picture | tuple[float, Picture]],
        *,
        delay: int = 0,
        fps: float = FPS,
        threshold: float | None = None,
        least_score: float | None = None,
        uncertainty_threshold: float | None = None,
        tracker: Tracking = TRACKER,
    ) -> Iterator[GraphFrame]:
        """Graphs of frames as they arrive, one for each, in order, with ids of things. For models
        of sgdet.

        frames: RGB pictures (H, W, 3) uint8, ``fps`` a second, or pairs of a time in seconds and a
        picture. delay: the graph of a frame comes at the latest when so many further frames have
        arrived; ``delay + 1`` frames are scored together, after the 16 before them. With 0, every
        graph comes before the next frame is asked for; larger delays take less time per frame.
        Other options are as in ``predict``. Raises ConfigError as ``predict`` and for a negative
        delay, DataError for a frame of another shape or type.
        """
        predictor = self.on_videos(
            VideoSettings(fps, None, threshold, least_score, uncertainty_threshold, tracker),
        )
        return predictor.live("stream", _numbered(frames, fps), delay)

    def score(
        self, data: VideoDataset | Clip, *, batch_size: int = 1, num_workers: int | None = 0
    ) -> Iterator[VideoPrediction]:
        """Probabilities of all predicates for every pair, a VideoPrediction per video.

        data: a data set (``vidsgg.open_dataset``) of the model's classes, or a clip with the
        features that the model reads. Raises CheckpointError if data set and model do not fit.
        """
        if isinstance(data, Clip):
            yield from self._decoded(self._for_boxes(True) if reads_boxes(self.run) else self._for_videos, data)
            return
        data = data.in_mode(self.mode)
        ready = self.on([data])
        loader = ready.source.loader(data, learn=False, batch_size=batch_size, workers=num_workers, skip_bad=False)
        for batch in loader.batches():
            yield from self._decoded(ready, batch.clip)

    def evaluate(self, dataset: VideoDataset, *, batch_size: int = 1, num_workers: int | None = 0) -> RecallResult:
        """Recall and mean recall on a data set, by the protocol of its schema and the model's mode
        (docs/recall.md), as fractions of 1.

        Raises CheckpointError if data set and model do not fit, DataError naming a video that
        cannot be read.
        """
        dataset = dataset.in_mode(self.mode)
        ready = self.on([dataset])
        recall = RecallAccumulator(protocol_for(dataset.schema, self.mode), dataset.schema.vocabulary)
        loader = ready.source.loader(dataset, learn=False, batch_size=batch_size, workers=num_workers, skip_bad=False)
        score(ready.model, loader, [recall], exclusive=ready.options.exclusive_decoding)
        return recall.compute()

    def on(
        self, datasets: Sequence[VideoDataset], *, root: Path | None = None, team: Team = ALONE, **changes: Any
    ) -> ReadyModel:
        """The network with what it reads of data sets in one folder. changes: options to use in
        place of the run's.

        Raises CheckpointError as ``load_model``.
        """
        where = datasets[0].root if root is None else root
        given = {"detector": self.detector, "labels": self.labels, **changes}
        return load_model(self.run, where, datasets, self.device, team=team, **given)

    def on_videos(self, settings: VideoSettings) -> VideoPredictor:
        """Ready for videos that belong to no data set. Raises ConfigError or CheckpointError if
        that cannot be."""
        check_reads_videos(self.run, boxes=settings.boxes is not None)
        if not reads_boxes(self.run):
            self.labels.refuse(str(self.run.file), "reads features by a detector that tells its own classes")
        if settings.boxes is not None:
            self.labels.refuse("a table of boxes", "has labels of its own")
        ready = self._for_boxes(settings.boxes is not None) if reads_boxes(self.run) else self._for_videos
        return VideoPredictor(self.run, ready, settings)

    def _for_boxes(self, given: bool) -> ReadyModel:
        """The network alone, or with the detector that finds its boxes. Raises CheckpointError as
        ``_for_videos``, ConfigError if there is no detector to take."""
        device, widths = choose_device(self.device), self.run.made.widths or FeatureWidths()

        def source_with(detector: str | None) -> FeatureSource:
            return open_box_source(self.schema, device, widths, detector, self.labels)

        if given:
            source = source_with(None)
        elif self.detector is None and lacks_detector(self.run):
            source = open_default_box_source(self.schema, device, widths, self.labels)
        else:
            source = trained_source(self.run, self.detector, self._folders, source_with)
        return model_on(self.run, source, self.schema, self.run.options, any_detector=True)

    @cached_property
    def _for_videos(self) -> ReadyModel:
        """The network and its detector. Raises CheckpointError naming where it was looked for if
        the detector is not found."""
        method = find_method(self.run.options.model)
        options, device = method.for_videos(self.run.options), choose_device(self.device)
        abilities = method.abilities(options)

        def source_with(detector: str) -> FeatureSource:
            return open_source(
                Path(),
                self.schema,
                options.mode,
                device,
                looks=abilities.needs_detector(options.mode),
                detector=detector,
                reference_compat=options.reference_compat,
                raw_detections=abilities.raw_detections,
                pictures=abilities.pictures,
            )

        source = trained_source(self.run, self.detector, self._folders, source_with)
        return model_on(self.run, source, self.schema, options, any_detector=self.detector is not None)

    def _decoded(self, ready: ReadyModel, clip: Clip) -> list[VideoPrediction]:
        with torch.inference_mode():
            there = clip.to(ready.source.device)
            return decode(there, ready.model(there), exclusive=ready.options.exclusive_decoding)


def _numbered(frames: Iterable[Picture | tuple[float, Picture]], fps: float) -> Iterator[FootageFrame]:
    for i, given in enumerate(frames):
        time, image = given if isinstance(given, tuple) else (i / fps, given)
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            what = f"{image.dtype} of shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise DataError(f"frame {i} of the stream is {what}; give RGB pictures (height, width, 3) of type uint8.")
        yield FootageFrame(f"stream/{i + 1:06d}", i + 1, float(time), image)
