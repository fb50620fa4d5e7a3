import pytest
import torch

from vidsgg.detectors.targets import Truth, WindowSampling, region_targets, window_targets

SIZE = torch.tensor([[100.0, 100]])
REFERENCE = WindowSampling()


def truth(*rows: tuple[list[float], int]) -> Truth:
    return Truth.of([torch.tensor([box for box, _ in rows])], [torch.tensor([klass for _, klass in rows])])


def test_overlaps_count_sides_inclusively_and_leave_out_rows_that_fill_up():
    boxes = [torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([[0.0, 0, 9, 9], [20, 20, 29, 39]])]
    both = Truth.of(boxes, [torch.tensor([3]), torch.tensor([1, 2])])
    assert both.klass.tolist() == [[3, 0], [1, 2]]
    overlap = both.overlap(torch.tensor([[[0.0, 0, 9, 4], [20, 20, 29, 29]], [[0, 0, 9, 9], [20, 20, 29, 29]]]))
    torch.testing.assert_close(overlap, torch.tensor([[[0.5, 0], [0, 0]], [[1, 0], [0, 0.5]]]))


def test_frames_without_annotated_boxes_are_background():
    nothing = Truth.of(
        [torch.zeros(0, 4), torch.tensor([[0.0, 0, 9, 9]])], [torch.zeros(0, dtype=torch.long), torch.tensor([3])]
    )
    targets = window_targets(torch.tensor([[0.0, 0, 9, 9]]), nothing, SIZE.expand(2, 2), REFERENCE)
    assert targets.is_object.tolist() == [[False], [True]]
    assert targets.is_background.tolist() == [[True], [False]]


@pytest.mark.parametrize(
    ("window", "is_object", "is_background"),
    [
        ([10.0, 10, 29, 29], True, False),  # the box itself
        ([10.0, 10, 29, 23], True, False),  # exactly 0.7
        ([10.0, 10, 29, 19], False, False),  # 0.5
        ([10.0, 10, 29, 14], False, True),  # 0.25
        ([60.0, 60, 79, 79], False, True),  # apart
        ([-1.0, 10, 29, 29], False, False),  # leaves the frame
        ([60.0, 60, 100, 79], False, False),
    ],
)
def test_what_a_window_is(window, is_object, is_background):
    windows = torch.tensor([[10.0, 10, 29, 29], window])
    targets = window_targets(windows, truth(([10.0, 10, 29, 29], 2)), SIZE, REFERENCE)
    assert (targets.is_object[0, 1].item(), targets.is_background[0, 1].item()) == (is_object, is_background)


def test_the_best_windows_of_a_box_are_objects_however_little_they_overlap():
    windows = torch.tensor([[0.0, 0, 9, 9], [0, 10, 9, 19], [0, 30, 9, 39], [50, 50, 59, 59]])
    targets = window_targets(windows, truth(([4.0, 0, 43, 19], 2), ([50.0, 55, 69, 64], 3)), SIZE, REFERENCE)
    assert targets.is_object.tolist() == [[True, True, False, True]]  # the first two tie
    assert targets.is_background.tolist() == [[False, False, True, False]]
    assert targets.match[0, 3] == 1


def test_a_box_that_no_window_meets_makes_no_object():
    targets = window_targets(torch.tensor([[0.0, 0, 9, 9]]), truth(([50.0, 50, 69, 69], 2)), SIZE, REFERENCE)
    assert not targets.is_object.any()


def test_regions_are_objects_from_half_and_rows_without_extent_are_nothing():
    regions = torch.tensor(
        [[[10.0, 10, 29, 29], [10, 10, 29, 19], [10, 10, 29, 18], [60, 60, 79, 79], [0, 0, 0, 0], [5, 5, 5, 30]]]
    )
    targets = region_targets(regions, truth(([60.0, 60, 75, 79], 3), ([10.0, 10, 29, 29], 2)))
    assert targets.is_object.tolist() == [[True, True, False, True, False, False]]
    assert targets.is_background.tolist() == [[False, False, True, False, False, False]]
    assert targets.match[0, :4].tolist() == [1, 1, 1, 0]


def test_a_sample_is_random_but_a_function_of_the_seed_and_background_fills_up():
    windows = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)).mul(80).repeat(1, 2) + torch.tensor(
        [0, 0, 10, 10]
    )
    everything = region_targets(windows[None].expand(2, -1, -1), truth(([20.0, 20, 40, 40], 1)))
    assert everything.is_object.sum(1).tolist() == [everything.is_object[0].sum()] * 2
    samples = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        samples.append(everything.sample(30, 4))
    first, again, other = samples
    assert torch.equal(first.is_object, again.is_object) and torch.equal(first.is_background, again.is_background)
    assert not torch.equal(first.is_background, other.is_background)
    for sample in samples:
        assert (sample.is_object <= everything.is_object).all() and (
            sample.is_background <= everything.is_background
        ).all()
        objects = min(4, int(everything.is_object[0].sum()))
        assert sample.is_object.sum(1).tolist() == [objects] * 2
        assert sample.is_background.sum(1).tolist() == [30 - objects] * 2
    assert not torch.equal(first.is_background[0], first.is_background[1])


def test_objects_are_sampled_from_all_boxes_in_turn():
    large, small = [10.0, 10, 69, 69], [80.0, 80, 89, 89]
    regions = torch.tensor([[small, small, *[large] * 50, [0, 80, 9, 89]]])
    targets = region_targets(regions, truth((large, 1), (small, 2)))
    for most, of_small in ((1, (0, 1)), (4, (2,)), (8, (2,))):
        sample = targets.sample(8, most)
        assert sample.is_object.sum() == most
        assert sample.is_object[0, :2].sum() in of_small
    torch.manual_seed(0)
    first = [targets.sample(8, 1).is_object[0, :2].any().item() for _ in range(40)]
    assert 8 < sum(first) < 32  # either box may be the first


def test_shaken_copies_stay_near_their_boxes_and_rows_that_fill_up_stay():
    boxes = [torch.tensor([[10.0, 20, 30, 60]]), torch.tensor([[0.0, 0, 9, 9], [20, 20, 29, 39]])]
    both = Truth.of(boxes, [torch.tensor([3]), torch.tensor([1, 2])])
    copies = both.shaken(5)
    assert copies.shape == (2, 10, 4)
    assert not copies[0, 1::2].any()
    assert ((copies[0, ::2] - boxes[0]).abs() <= torch.tensor([4.0, 8, 4, 8])).all()
    assert len(copies[0, ::2].unique(dim=0)) == 5
    assert both.shaken(0).shape == (2, 0, 4)
