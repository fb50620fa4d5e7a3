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
from vidsgg.detectors.backends.choice import TORCH, Backend, Inference, Numbers
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
    """A trained model and its classes. :func:`vidsgg.load` makes one.

    The detector is loaded when it is first needed.

    Args:
        run: the checkpoint with the options of its run.
        device: where the model runs, as in :func:`vidsgg.load`.
        detector: name or file of a detector; None for the one the model was trained with.
        folders: data sets in which the detector may be found.
        labels: the files that describe the detector's labels.
        backend: what computes the detector; None for what the run had.
        precision: number format of the detector; None for what the run had.
    """

    def __init__(
        self,
        run: SavedRun,
        device: str = "auto",
        detector: str | None = None,
        folders: Sequence[Location] = (),
        labels: LabelFiles = NO_LABELS,
        backend: Backend | None = None,
        precision: Numbers | None = None,
    ) -> None:
        self._backend, self._precision = backend, precision
        self._asked = Inference(backend or TORCH.backend, precision or TORCH.precision)  # whatever the run had
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
        backend: Backend | None = None,
        precision: Numbers | None = None,
    ) -> TrainedModel:
        """Load a trained model, as :func:`vidsgg.load` does."""
        return TrainedModel(
            read_run(Path(path), model=method),
            device,
            detector,
            labels=LabelFiles.of(classes, label_map),
            backend=backend,
            precision=precision,
        )

    @property
    def name(self) -> str:
        """Name of the method, as in ``-model``."""
        return self.run.options.model

    @property
    def mode(self) -> str:
        """``predcls``, ``sgcls`` or ``sgdet``."""
        return self.run.options.mode

    @property
    def schema(self) -> Schema:
        """Classes, predicates and rules that the model was trained with."""
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
        """Make the graph of a video: a graph per sampled frame, object ids, relations over time.

        Args:
            video: a video file or a folder of pictures, on this machine or in object storage.
            fps: graphs per second of video. Pictures of a folder are all used; for them, the rate
                at which they were taken.
            boxes: a table or graph file with the boxes of the video, for ``predcls`` and ``sgcls``.
            threshold: least probability (0..1) of a predicate to be shown.
            least_score: least score (0..1) of an object.
            uncertainty_threshold: edges with a greater uncertainty are marked.
            tracker: ``overlap`` or ``bytetrack``.

        Raises:
            DataError: the video cannot be read.
            ConfigError: the model cannot process plain videos, or not with these values.
            CheckpointError: the detector is not found.
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
        """Yield the graph of each frame as frames arrive, in order, with object ids.

        Only for models of ``sgdet``.

        Args:
            frames: RGB pictures, (H, W, 3) uint8, ``fps`` of them per second, or pairs of a time in
                seconds and a picture.
            delay: how many further frames may arrive before the graph of a frame is yielded.
                ``delay + 1`` frames are scored together, after the 16 before them. With 0, each
                graph comes before the next frame is read; larger delays take less time per frame.
            fps: frames per second, for frames without times.
            threshold: as in :meth:`predict`.
            least_score: as in :meth:`predict`.
            uncertainty_threshold: as in :meth:`predict`.
            tracker: as in :meth:`predict`.

        Raises:
            DataError: a frame has another shape or type.
            ConfigError: as in :meth:`predict`, and for a negative delay.
        """
        predictor = self.on_videos(
            VideoSettings(fps, None, threshold, least_score, uncertainty_threshold, tracker),
        )
        return predictor.live("stream", _numbered(frames, fps), delay)

    def score(
        self, data: VideoDataset | Clip, *, batch_size: int = 1, num_workers: int | None = 0
    ) -> Iterator[VideoPrediction]:
        """Yield the probabilities of all predicates for every pair, one VideoPrediction per video.

        Args:
            data: a data set (:func:`vidsgg.open_dataset`) with the model's classes, or a clip with
                the features that the model reads.
            batch_size: videos per batch.
            num_workers: processes that load data; 0 loads in this process, None takes one per core,
                at most 4.

        Raises:
            CheckpointError: data set and model do not fit.
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
        """Compute recall and mean recall (0..1) on a data set.

        The schema of the data set and the model's mode choose the protocol (docs/recall.md).

        Args:
            dataset: the annotated videos, from :func:`vidsgg.open_dataset`.
            batch_size: videos per batch.
            num_workers: processes that load data; 0 loads in this process, None takes one per core,
                at most 4.

        Returns:
            The scores; ``print(result.table())`` prints them.

        Raises:
            CheckpointError: data set and model do not fit.
            DataError: a video cannot be read; the message names it.
        """
        dataset = dataset.in_mode(self.mode)
        ready = self.on([dataset])
        recall = RecallAccumulator(protocol_for(dataset.schema, self.mode), dataset.schema.vocabulary)
        loader = ready.source.loader(dataset, learn=False, batch_size=batch_size, workers=num_workers, skip_bad=False)
        score(ready.model, loader, [recall], exclusive=ready.options.exclusive_decoding)
        return recall.compute()

    def on(
        self, datasets: Sequence[VideoDataset], *, root: Location | None = None, team: Team = ALONE, **changes: Any
    ) -> ReadyModel:
        """The network and its features for data sets in one folder.

        Args:
            datasets: the data sets to read.
            root: their folder; by default that of the first.
            team: the processes that share the work.
            changes: options that replace the run's.

        Raises:
            CheckpointError: as ``load_model``.
        """
        where = datasets[0].root if root is None else root
        given: dict[str, Any] = {"detector": self.detector, "labels": self.labels}
        given |= {"backend": self._backend, "precision": self._precision} | changes
        ready = load_model(self.run, where, datasets, self.device, team=team, **given)
        ready.source.check_inference(self._asked)
        return ready

    def on_videos(self, settings: VideoSettings) -> VideoPredictor:
        """A predictor for videos that belong to no data set. Raises ConfigError or CheckpointError
        if the model cannot process such videos."""
        check_reads_videos(self.run, boxes=settings.boxes is not None)
        if not reads_boxes(self.run):
            self.labels.refuse(str(self.run.file), "reads features by a detector that tells its own classes")
        if settings.boxes is not None:
            self.labels.refuse("a table of boxes", "has labels of its own")
        ready = self._for_boxes(settings.boxes is not None) if reads_boxes(self.run) else self._for_videos
        return VideoPredictor(self.run, ready, settings)

    @property
    def _inference(self) -> Inference:
        had = self.run.options.inference
        return Inference(self._backend or had.backend, self._precision or had.precision)

    def _for_boxes(self, given: bool) -> ReadyModel:
        """The network alone, or with the detector that finds its boxes. Raises CheckpointError as
        ``_for_videos``, ConfigError if there is no detector to take."""
        device, widths = choose_device(self.device), self.run.made.widths or FeatureWidths()

        def source_with(detector: str | None) -> FeatureSource:
            return open_box_source(self.schema, device, widths, detector, self.labels, self._inference)

        if given:
            source = source_with(None)
        elif self.detector is None and lacks_detector(self.run):
            source = open_default_box_source(self.schema, device, widths, self.labels, self._inference)
        else:
            source = trained_source(self.run, self.detector, self._folders, source_with)
        source.check_inference(self._asked)
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
                inference=self._inference,
            )

        source = trained_source(self.run, self.detector, self._folders, source_with)
        source.check_inference(self._asked)
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
