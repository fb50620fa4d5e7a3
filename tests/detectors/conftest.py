import pytest
import torch
from golden.deterministic import filled_tensor, read_json

from vidsgg.detectors.features import RoiFeatureExtractor
from vidsgg.detectors.resnet_c4 import BackboneConfig, from_reference_name


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def published():
    """The published architecture, ResNet-101, under the deterministic weights; only what the backbone needs is drawn."""
    shapes = read_json("fasterrcnn_ag", "params.json")
    reference = {name: filled_tensor(name, shape) for name, shape in shapes.items() if from_reference_name(name)}
    extractor = RoiFeatureExtractor(BackboneConfig())
    extractor.backbone.load_reference(reference)
    return extractor
