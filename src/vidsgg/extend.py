"""Everything that code of your own needs: methods, data set formats, detectors, export formats.

These names are stable; docs/extending.md says what each is for. Importing this module is cheap:
each name is imported from its module when it is first used. No module of vidsgg imports this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidsgg.lazy import lazy_names

if TYPE_CHECKING:
    from vidsgg.datasets.base import FrameSource, VideoDataset
    from vidsgg.datasets.format import DatasetFormat
    from vidsgg.detectors.backends.parts import FrozenPart
    from vidsgg.detectors.base import BoxDetector, Detections, FoundBoxes, FrameMaps, RegionDetector
    from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
    from vidsgg.detectors.preprocess import frame_scales, network_input, network_size
    from vidsgg.engine.course import Course
    from vidsgg.engine.loggers import MetricLogger
    from vidsgg.errors import CheckpointError, ConfigError, DataError, VidsggError
    from vidsgg.io.exporters.formats import ExportFormat
    from vidsgg.io.images import Image, read_image
    from vidsgg.io.untrusted import read_json
    from vidsgg.losses.criterion import Criterion
    from vidsgg.losses.relations import RelationCriterion
    from vidsgg.methods.method import ImportOptions, Method, Scoring
    from vidsgg.methods.training_options import NeuralOptions, TrainOptions
    from vidsgg.models.capabilities import Capabilities
    from vidsgg.models.layers.hidden_classes import check_node_features, scored_pairs, settle_by_logits
    from vidsgg.options import option, part_of
    from vidsgg.structures.annotation import VideoAnnotation
    from vidsgg.structures.box_rules import BoxRules
    from vidsgg.structures.clip import Clip
    from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, RelationInterval, VideoGraph
    from vidsgg.structures.logits import RelationLogits
    from vidsgg.structures.schema import MODES, Schema
    from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary
    from vidsgg.structures.widths import FeatureWidths

__all__ = [
    "BACKGROUND",
    "MODES",
    "NO_LABELS",
    "BoxDetector",
    "BoxRules",
    "Capabilities",
    "CheckpointError",
    "Clip",
    "ConfigError",
    "Course",
    "Criterion",
    "DataError",
    "DatasetFormat",
    "Detections",
    "ExportFormat",
    "FeatureWidths",
    "FoundBoxes",
    "FrameMaps",
    "FrameSource",
    "FrozenPart",
    "GraphEdge",
    "GraphFrame",
    "GraphNode",
    "Image",
    "ImportOptions",
    "LabelFiles",
    "Method",
    "MetricLogger",
    "NeuralOptions",
    "PredicateGroup",
    "RegionDetector",
    "RelationCriterion",
    "RelationInterval",
    "RelationLogits",
    "Schema",
    "Scoring",
    "TrainOptions",
    "VideoAnnotation",
    "VideoDataset",
    "VideoGraph",
    "VidsggError",
    "Vocabulary",
    "check_node_features",
    "frame_scales",
    "network_input",
    "network_size",
    "option",
    "part_of",
    "read_image",
    "read_json",
    "scored_pairs",
    "settle_by_logits",
]

_HOMES = {
    "BACKGROUND": "vidsgg.structures.vocabulary",
    "BoxDetector": "vidsgg.detectors.base",
    "BoxRules": "vidsgg.structures.box_rules",
    "Capabilities": "vidsgg.models.capabilities",
    "CheckpointError": "vidsgg.errors",
    "Clip": "vidsgg.structures.clip",
    "ConfigError": "vidsgg.errors",
    "Course": "vidsgg.engine.course",
    "Criterion": "vidsgg.losses.criterion",
    "DataError": "vidsgg.errors",
    "DatasetFormat": "vidsgg.datasets.format",
    "Detections": "vidsgg.detectors.base",
    "ExportFormat": "vidsgg.io.exporters.formats",
    "FeatureWidths": "vidsgg.structures.widths",
    "FoundBoxes": "vidsgg.detectors.base",
    "FrameMaps": "vidsgg.detectors.base",
    "FrameSource": "vidsgg.datasets.base",
    "FrozenPart": "vidsgg.detectors.backends.parts",
    "GraphEdge": "vidsgg.structures.graph",
    "GraphFrame": "vidsgg.structures.graph",
    "GraphNode": "vidsgg.structures.graph",
    "Image": "vidsgg.io.images",
    "ImportOptions": "vidsgg.methods.method",
    "LabelFiles": "vidsgg.detectors.label_files",
    "MODES": "vidsgg.structures.schema",
    "Method": "vidsgg.methods.method",
    "MetricLogger": "vidsgg.engine.loggers",
    "NO_LABELS": "vidsgg.detectors.label_files",
    "NeuralOptions": "vidsgg.methods.training_options",
    "PredicateGroup": "vidsgg.structures.vocabulary",
    "RegionDetector": "vidsgg.detectors.base",
    "RelationCriterion": "vidsgg.losses.relations",
    "RelationInterval": "vidsgg.structures.graph",
    "RelationLogits": "vidsgg.structures.logits",
    "Schema": "vidsgg.structures.schema",
    "Scoring": "vidsgg.methods.method",
    "TrainOptions": "vidsgg.methods.training_options",
    "VideoAnnotation": "vidsgg.structures.annotation",
    "VideoDataset": "vidsgg.datasets.base",
    "VideoGraph": "vidsgg.structures.graph",
    "VidsggError": "vidsgg.errors",
    "Vocabulary": "vidsgg.structures.vocabulary",
    "check_node_features": "vidsgg.models.layers.hidden_classes",
    "frame_scales": "vidsgg.detectors.preprocess",
    "network_input": "vidsgg.detectors.preprocess",
    "network_size": "vidsgg.detectors.preprocess",
    "option": "vidsgg.options",
    "part_of": "vidsgg.options",
    "read_image": "vidsgg.io.images",
    "read_json": "vidsgg.io.untrusted",
    "scored_pairs": "vidsgg.models.layers.hidden_classes",
    "settle_by_logits": "vidsgg.models.layers.hidden_classes",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
