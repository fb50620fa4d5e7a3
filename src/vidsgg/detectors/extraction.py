"""From the pictures of a clip to what a model reads of them: in PredCLS and SGCLS of given boxes,
in SGDET of those that are found.

Source: yrcong/STTran ``lib/object_detector.py``, ``lib/sttran.py``. Letters: N nodes, P pairs, O
object classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from vidsgg.detectors.assignment import assign
from vidsgg.detectors.base import (
    CANVAS_PIXELS_AT_ONCE,
    CANVAS_PIXELS_ON_CPU,
    Detections,
    FrameMaps,
    RegionDetector,
    frames_at_once,
)
from vidsgg.errors import ConfigError, DataError, counted
from vidsgg.io.images import Image
from vidsgg.ops.cleaning import clean
from vidsgg.ops.detections import RawDetections, candidate_pairs
from vidsgg.ops.masks import union_boxes, union_masks
from vidsgg.ops.pairing import SubjectRule, kept_pairs, label_nodes, subject_pairs
from vidsgg.ops.scene_boxes import main_subjects
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema


class ClipExtractor:
    """A frozen detector that makes of a clip's frames the clip that a model reads in a mode.

    learn: the clips are to be learnt from, so relations are those of the annotation; otherwise they
    are to be scored, and outside PredCLS nothing of the annotation but SGCLS's boxes is used.
    PredCLS knows no difference. What the clips look like:

    * predcls: ``node_feature``, ``pair_union`` and ``pair_mask`` are added.
    * sgcls, learn: ``node_distribution`` too; ``node_score`` is its maximum.
    * sgcls, score: the same, but without labels, and the pairs are open: ``pair_union`` belongs to
      candidates, ``pair_mask`` is None.
    * sgdet, learn: nodes are all detections of a frame, then the annotated boxes that were not
      found; pairs are the annotated ones, of objects that were found before others, between the
      boxes that stand for them.
    * sgdet, score: nodes are the detections that remain after ``clean``, with classes, and pairs
      join subjects with their objects, see ``subject_pairs``. A frame in which nothing is found has
      no nodes (the reference crashes).
    * sgdet, score, with ``raw_detections``: nodes are all detections, without classes, and the
      pairs are open: ``candidate_pairs``. For models that classify them anew before they clean
      them.

    subjects_from: of frames with several subjects (people's own videos), only the main ones that
    are at least so sure are related; None: all.
    reference_compat: in SGDET, learn, the subject of a pair is the box that the reference takes by
    mistake: it uses the subject's place in the list of annotated boxes, those found first, as the
    number of a box of the frame.
    """

    def __init__(
        self,
        detector: RegionDetector,
        mode: str,
        *,
        learn: bool,
        reference_compat: bool = False,
        raw_detections: RawDetections = False,
        subjects_from: float | None = None,
    ) -> None:
        self.subjects_from = subjects_from
        self.detector = detector.requires_grad_(False).eval()
        self.mode, self.learn, self.reference_compat, self.raw_detections = (
            mode,
            learn,
            reference_compat,
            raw_detections,
        )

    @torch.no_grad()
    def __call__(self, images: Sequence[Image], clip: Clip) -> Clip:
        """The clip with its features, on the given clip's device.

        images: one per frame of the clip, RGB (H, W, 3) uint8 in original size. clip: one or
        several videos, as ``Clip.from_annotation`` makes them for the mode. What a video gets does
        not depend on the others. Raises DataError if the images do not fit the clip, ConfigError if
        the detector does not fit the data set.
        """
        check_images(images, clip)
        self._check_schema(clip.schema)
        here = clip.to(self.detector.device)
        first_frame = torch.searchsorted(clip.frame_video, torch.arange(clip.videos + 1, device=clip.device)).tolist()
        most = CANVAS_PIXELS_ON_CPU if self.detector.device.type == "cpu" else CANVAS_PIXELS_AT_ONCE
        parts = []
        for start, stop in pairwise(first_frame):
            # Every video has its own canvas: the zeros that pad a smaller frame reach into its
            # features.
            canvas = self.detector.canvas(images[start:stop])
            step = frames_at_once(*canvas, most)
            for begin in range(start, stop, step):
                end = min(begin + step, stop)
                maps = self.detector.encode(images[begin:end], canvas)
                parts.append(self._read(maps, here.between(begin, end)))
        read = Clip.cat(parts).to(clip.device)
        if not clip.schema.subject_has_box:
            return replace(clip, node_feature=read.node_feature)
        # Putting parts together made each a video of its own.
        frame_columns = ("video_ids", "frame_video", "frame_unit", "frame_slot", "frame_size")
        return replace(read, **{name: getattr(clip, name) for name in frame_columns})

    def _read(self, maps: FrameMaps, clip: Clip) -> Clip:
        """Some frames of one video."""
        if self.mode == "sgdet":
            scored = self._raw_detections if self.raw_detections else self._cleaned_detections
            clip = self._assigned_detections(maps, clip) if self.learn else scored(maps, clip)
        else:
            clip = replace(clip, node_feature=self._features(maps, clip.node_frame, clip.node_box))
        if self.mode == "sgcls":
            assert clip.node_feature is not None  # set above, in every mode with classes to guess
            distribution = self.detector.classify(clip.node_feature)
            clip = replace(clip, node_distribution=distribution, node_score=distribution.amax(1))
            clip = clip if self.learn else _open_pairs(clip)
        if not clip.schema.subject_has_box:
            return clip
        subject_box, object_box = clip.node_box[clip.pair_subject], clip.node_box[clip.pair_object]
        return replace(
            clip,
            pair_union=self.detector.pool(maps, clip.pair_frame, union_boxes(subject_box, object_box)),
            pair_mask=None if clip.pairs_open else union_masks(subject_box, object_box) - 0.5,
        )

    def _features(self, maps: FrameMaps, frame: Tensor, box: Tensor) -> Tensor:
        return self.detector.embed(self.detector.pool(maps, frame, box))

    def _detect(self, maps: FrameMaps, schema: Schema) -> Detections:
        return self.detector.detect(maps).once(schema.object_ids(schema.once_per_frame))

    def _assigned_detections(self, maps: FrameMaps, clip: Clip) -> Clip:
        """Detections and missing boxes as nodes, annotated pairs between those that stand for their
        boxes."""
        found, target, labels = self._detect(maps, clip.schema), clip.node_target, clip.labels
        assert target is not None and labels is not None
        assigned = assign(
            found.frame.cpu().numpy(),
            found.box.cpu().numpy(),
            clip.node_frame.cpu().numpy(),
            clip.node_box.cpu().numpy(),
            target.cpu().numpy(),
            SubjectRule.of(clip.schema),
        )
        match, position, missing, found_target = (
            torch.from_numpy(array).to(clip.device)
            for array in (assigned.detection, assigned.position, assigned.missing, assigned.target)
        )
        lost_frame, lost_box = clip.node_frame[missing], clip.node_box[missing]
        lost_feature = self._features(maps, lost_frame, lost_box)

        frame, order = torch.cat([found.frame, lost_frame]).sort(stable=True)
        stands_for = match.index_copy(0, missing, len(found.frame) + torch.arange(len(missing), device=clip.device))
        stands_for = order.argsort()[stands_for]
        pairs = (clip.pair_frame * (1 + clip.nodes) + position[clip.pair_object]).argsort(stable=True)
        subject, pair_frame = clip.pair_subject[pairs], clip.pair_frame[pairs]
        if self.reference_compat:
            first, end = torch.searchsorted(frame, pair_frame), torch.searchsorted(frame, pair_frame, right=True)
            # beyond the last box the reference stops with an error
            stands = torch.minimum(first + position[subject], end - 1)
        else:
            stands = stands_for[subject]
        return replace(
            clip,
            node_box=torch.cat([found.box, lost_box])[order],
            node_class=torch.full_like(frame, -1),
            node_score=torch.cat([found.score, torch.ones_like(lost_box[:, 0])])[order],
            node_frame=frame,
            node_identity=torch.full_like(frame, -1),
            node_feature=torch.cat([found.feature, lost_feature])[order],
            node_distribution=torch.cat([found.distribution, self.detector.classify(lost_feature)])[order],
            node_target=torch.cat([found_target, target[missing]])[order],
            pair_subject=stands,
            pair_object=stands_for[clip.pair_object[pairs]],
            pair_frame=pair_frame,
            labels={name: hot[pairs] for name, hot in labels.items()},
            label_use=None if clip.label_use is None else {name: use[pairs] for name, use in clip.label_use.items()},
        )

    def _raw_detections(self, maps: FrameMaps, clip: Clip) -> Clip:
        """All detections as nodes, every two of a frame as a candidate, up to the schema's limit."""
        found = self._detect(maps, clip.schema)
        doubted = clip.schema.object_ids(clip.schema.often_wrong)
        subject, obj = candidate_pairs(found.frame, found.distribution, doubted, self.raw_detections)
        if clip.schema.max_pairs:
            left = kept_pairs(subject, obj, found.frame, found.box, found.score, clip.schema.max_pairs)
            subject, obj = subject[left], obj[left]
        unknown = torch.full_like(found.frame, -1)
        return replace(
            clip,
            node_box=found.box,
            node_class=unknown,
            node_score=found.score,
            node_frame=found.frame,
            node_identity=unknown,
            node_feature=found.feature,
            node_distribution=found.distribution,
            node_target=None,
            pair_subject=subject,
            pair_object=obj,
            pair_frame=found.frame[obj],
            labels=None,
            label_use=None,
            classes_given=False,
            pairs_open=True,
        )

    def _cleaned_detections(self, maps: FrameMaps, clip: Clip) -> Clip:
        """Cleaned detections as nodes, their classes and pairs as the distributions say."""
        found, rule = self._detect(maps, clip.schema), SubjectRule.of(clip.schema)
        row, distribution = clean(
            found.frame, found.box, found.distribution, clip.schema.object_ids(clip.schema.often_wrong)
        )
        frame = found.frame[row]
        klass, score = label_nodes(distribution, frame, rule)
        subject, obj = subject_pairs(frame, klass, score, rule, found.box[row])
        if self.subjects_from is not None:
            main = _main(found.box[row], score, frame, rule.among(klass) & (score >= self.subjects_from))[subject]
            subject, obj = subject[main], obj[main]
        return replace(
            clip,
            node_box=found.box[row],
            node_class=klass,
            node_score=score,
            node_frame=frame,
            node_identity=torch.full_like(frame, -1),
            node_feature=found.feature[row],
            node_distribution=distribution,
            node_target=None,
            pair_subject=subject,
            pair_object=obj,
            pair_frame=frame[obj],
            labels=None,
            label_use=None,
            classes_given=True,
        )

    def _check_schema(self, schema: Schema) -> None:
        if self.mode == "predcls":
            return
        SubjectRule.of(schema)
        theirs, ours = self.detector.classes, schema.vocabulary.objects
        if theirs != ours:
            i = next(
                (i for i, (one, other) in enumerate(zip(theirs, ours, strict=False)) if one != other),
                min(len(theirs), len(ours)),
            )
            name, wanted = (repr(names[i]) if i < len(names) else "nothing" for names in (theirs, ours))
            raise ConfigError(
                f"the detector has {len(theirs)} classes, data set {schema.name!r} has {len(ours)}; its class {i} is"
                f" {name} and should be {wanted}. Mode {self.mode} needs a detector that was trained on the data set's"
                " classes."
            )


def _main(box: Tensor, score: Tensor, frame: Tensor, subject: Tensor) -> Tensor:
    """(N,) bool: the subjects (N,) bool that their frame is about, see ``ops.scene_boxes``."""
    main = torch.zeros_like(subject)
    for f in frame[subject].unique().tolist():
        rows = torch.nonzero(subject & (frame == f)).squeeze(1)
        main[rows] = torch.from_numpy(main_subjects(box[rows].cpu().numpy(), score[rows].cpu().numpy())).to(main.device)
    return main


def _open_pairs(clip: Clip) -> Clip:
    """Every two nodes of a frame as a candidate, the earlier one as its subject, in place of the
    annotated pairs; of a schema with a limit those that ``kept_pairs`` leaves."""
    together = (clip.node_frame[:, None] == clip.node_frame).triu(diagonal=1)
    subject, obj = together.nonzero(as_tuple=True)
    if clip.schema.max_pairs:
        left = kept_pairs(subject, obj, clip.node_frame, clip.node_box, clip.node_score, clip.schema.max_pairs)
        subject, obj = subject[left], obj[left]
    return replace(
        clip,
        pair_subject=subject,
        pair_object=obj,
        pair_frame=clip.node_frame[obj],
        labels=None,
        label_use=None,
        pairs_open=True,
    )


def check_images(images: Sequence[Image], clip: Clip) -> None:
    where = f"clip of {', '.join(clip.video_ids[:3])}"
    if len(images) != clip.frames:
        raise DataError(
            f"{where}: {counted(len(images), 'image')} for {counted(clip.frames, 'frame')}; give one per frame, in order."
        )
    for i, (image, (width, height)) in enumerate(zip(images, clip.frame_size.tolist(), strict=True)):
        if image.dtype != np.uint8 or image.shape != (height, width, 3):
            raise DataError(
                f"{where}: image {i} is {image.dtype} of shape {image.shape}; its frame is {width:g} x {height:g}, so"
                f" RGB uint8 of shape ({height:g}, {width:g}, 3) is expected."
            )
