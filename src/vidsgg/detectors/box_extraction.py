"""From the pictures of a clip to the boxes that are found in them, for models that read boxes and
classes alone (layout)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from vidsgg.detectors.base import BoxDetector
from vidsgg.detectors.extraction import check_images
from vidsgg.io.images import Image
from vidsgg.ops.pairing import SubjectRule, subject_pairs
from vidsgg.structures.clip import Clip


class BoxExtractor:
    """Any detector that makes of a clip's frames the clip that is scored in SGDET.

    Nodes are all boxes that it finds, of the class and with the score that it says; of classes that
    a frame has once only the best. Pairs join subjects with their objects, see ``subject_pairs``. A
    frame in which no subject is found has no pairs.
    """

    def __init__(self, detector: BoxDetector) -> None:
        self.detector = detector

    @torch.no_grad()
    def __call__(self, images: Sequence[Image], clip: Clip) -> Clip:
        """images: one per frame of the clip, RGB (H, W, 3) uint8 in original size. Raises DataError if
        they do not fit the clip."""
        check_images(images, clip)
        found = self.detector.find(images).once(clip.schema.object_ids(clip.schema.once_per_frame))
        found = found.rows((found.box[:, :2] < found.box[:, 2:]).all(1))
        rule = SubjectRule.of(clip.schema)
        subject, thing = subject_pairs(found.frame, found.klass, found.score, rule, found.box)
        here = clip.device
        return replace(
            clip,
            node_box=found.box.to(here),
            node_class=found.klass.to(here),
            node_score=found.score.to(here),
            node_frame=found.frame.to(here),
            node_identity=torch.full_like(found.frame, -1).to(here),
            node_distribution=found.distribution.to(here),
            node_target=None,
            pair_subject=subject.to(here),
            pair_object=thing.to(here),
            pair_frame=found.frame[thing].to(here),
            labels=None,
            label_use=None,
            classes_given=True,
        )
