"""Names of the built-in detectors by architecture, known without importing their networks."""

from __future__ import annotations

HUB = "hf://"  # what addresses of networks for the transformers library begin with
C4, FPN, ZOO = "faster-rcnn-c4", "fasterrcnn_resnet50_fpn_v2", "torchvision"
NAMES: dict[str, tuple[str, ...]] = {
    C4: ("c4-resnet101", "c4-small"),
    FPN: ("fasterrcnn_resnet50_fpn_v2",),
    ZOO: (  # the lightest first
        "ssdlite320_mobilenet_v3_large",
        "fasterrcnn_mobilenet_v3_large_320_fpn",
        "fasterrcnn_mobilenet_v3_large_fpn",
        "ssd300_vgg16",
        "retinanet_resnet50_fpn",
        "retinanet_resnet50_fpn_v2",
        "fcos_resnet50_fpn",
        "fasterrcnn_resnet50_fpn",
    ),
}
