"""Frame tokens: what they depend on and what not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from clips import entity_clip

from vidsgg.models.scenellm.aggregation import GraphConvolution, SpatialAggregation, box_places
from vidsgg.structures.clip import Clip


def aggregation(concatenate: bool = False) -> SpatialAggregation:
    torch.manual_seed(0)
    return SpatialAggregation(8, concatenate=concatenate)


def vectors(clip: Clip, seed: int = 0) -> torch.Tensor:
    return torch.randn(clip.nodes, 8, generator=torch.Generator().manual_seed(seed))


def test_a_graph_convolution_equals_the_matrix_formula() -> None:
    torch.manual_seed(0)
    layer, x = GraphConvolution(4), torch.randn(5, 4)
    edges = torch.tensor([[0, 1, 3], [1, 2, 1]])
    adjacent = torch.eye(5)
    for a, b in edges.T.tolist():
        adjacent[a, b] = adjacent[b, a] = 1
    degree = adjacent.sum(1).rsqrt().diag()
    torch.testing.assert_close(layer(x, edges), degree @ adjacent @ degree @ layer.linear(x))


@pytest.mark.parametrize("concatenate", [False, True])
def test_the_order_of_the_objects_changes_nothing(concatenate: bool) -> None:
    clip, model = entity_clip([3, 2]), aggregation(concatenate)
    order = torch.tensor([2, 0, 3, 1, 6, 5, 4])  # within frames of 4 and 3 nodes
    x = vectors(clip)
    moved = replace(clip, node_box=clip.node_box[order])
    torch.testing.assert_close(model(x[order], moved), model(x, clip))


def test_frames_do_not_see_each_other_and_empty_ones_are_zero() -> None:
    clip, model = entity_clip([3, 2, 0]), aggregation()
    x = vectors(clip)
    changed = x.clone()
    changed[0] += 1
    different = (model(changed, clip) != model(x, clip)).any(1)
    assert different.tolist() == [True, False, False]
    nobody = replace(clip, node_frame=clip.node_frame.clamp(max=1))
    assert torch.equal(model(x, nobody)[2], torch.zeros(8))


def test_a_single_object_passes_through_the_layers_alone() -> None:
    clip, model = entity_clip([0]), aggregation()
    x = vectors(clip)
    place = model.place(box_places(clip))
    first, second = (layer.linear for layer in model.convolutions)
    torch.testing.assert_close(model(x, clip), second(first(x + place).relu()))


def test_boxes_count_relative_to_the_frame_and_to_a_hundredth_of_it() -> None:
    clip, model = entity_clip([2, 1]), aggregation()
    x = vectors(clip)
    scaled = replace(clip, node_box=clip.node_box * 3, frame_size=clip.frame_size * 3)
    torch.testing.assert_close(model(x, scaled), model(x, clip))
    on_grid = replace(clip, node_box=clip.node_box.round())
    off_grid = replace(clip, node_box=on_grid.node_box + 0.4)  # frames are 100 wide and high
    assert torch.equal(model(x, off_grid), model(x, on_grid))
    assert not torch.allclose(model(x, replace(clip, node_box=on_grid.node_box + 1)), model(x, on_grid))
    box = replace(entity_clip([0]), node_box=torch.tensor([[10.0, 20.0, 30.0, 80.0]]))
    torch.testing.assert_close(box_places(box), torch.tensor([[0.2, 0.5, 0.2, 0.6]]))


def test_vectors_and_places_get_gradients() -> None:
    clip, model = entity_clip([3, 2]), aggregation(concatenate=True)
    x = vectors(clip).requires_grad_()
    model(x, clip).square().sum().backward()
    assert (x.grad.abs().sum(1) > 0).all()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
