import pytest
import torch
from golden.deterministic import filled_state_dict, read_json

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.authors import detector_state, infer_config
from vidsgg.detectors.faster_rcnn import FasterRCNN


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def reference_state():
    """The published detector's state dict under the deterministic weights, with the exceptions that
    fill.json names."""
    state = filled_state_dict(read_json("fasterrcnn_ag", "params.json"))
    fill = read_json("fasterrcnn_ag", "fill.json")
    for name, factor in fill["multiply"].items():
        state[name] = state[name] * torch.tensor(factor, dtype=torch.float32)
    for name, values in fill["replace"].items():
        state[name] = torch.tensor(values, dtype=torch.float32)
    return state


@pytest.fixture(scope="session")
def published(reference_state):
    """The published detector, ResNet-101, built from the names and shapes of its state dict."""
    state, left_over = detector_state(reference_state)
    assert all(name.endswith("num_batches_tracked") for name in left_over)
    config, classes = infer_config(state)
    assert classes == len(SCHEMA.vocabulary.objects)
    detector = FasterRCNN(config, SCHEMA.vocabulary.objects).requires_grad_(False).eval()
    detector.load_state_dict(state)  # strict: every weight of ours is one of theirs
    return detector
