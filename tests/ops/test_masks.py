import numpy as np
import pytest
import torch
from golden.deterministic import cases_of, read_case
from golden.sttran.inputs import make_masks

from vidsgg.ops.masks import union_boxes, union_masks


def masks_of(subject, obj, size=27):
    return union_masks(torch.tensor([subject], dtype=torch.float32), torch.tensor([obj], dtype=torch.float32), size)[0]


@pytest.mark.parametrize("case", [case["id"] for case in cases_of("sttran", "masks")])
def test_equals_the_reference(case):
    config, recorded = read_case("sttran", case)
    pairs = torch.from_numpy(make_masks(config["seed"], config["n"]))
    np.testing.assert_array_equal(union_masks(pairs[:, :4], pairs[:, 4:]).numpy(), recorded["masks"])


def test_union_box_holds_both():
    first, second = torch.tensor([[0.0, 5.0, 10.0, 20.0]]), torch.tensor([[-3.0, 7.0, 4.0, 30.0]])
    assert union_boxes(first, second).tolist() == [[-3.0, 5.0, 10.0, 30.0]]


def test_counted_by_hand():
    """A union of 4 x 2 pixels cut into 2 x 2 cells of 2 x 1 pixels."""
    subject, obj = masks_of([0, 0, 4, 1], [3, 0, 4, 2], size=2)
    assert subject.tolist() == [[1, 1], [0, 0]]
    assert obj.tolist() == [[0, 0.5], [0, 0.5]]


def test_box_thinner_than_a_cell_follows_the_reference():
    """The thin box spans 0.25 to 0.5 of the first cell: (1 - 0.25) * 0.5, not the covered
    quarter."""
    _, thin = masks_of([0, 0, 2, 2], [0.25, 0, 0.5, 2], size=2)
    assert thin.tolist() == [[0.375, 0], [0.375, 0]]


@pytest.mark.parametrize(
    ("subject", "obj", "full"),
    [
        ([5, 0, 5, 10], [5, 0, 5, 10], True),
        ([0, 3, 10, 3], [0, 3, 10, 3], True),
        ([2, 2, 2, 2], [2, 2, 2, 2], True),
        ([5, 0, 5, 5], [5, 5, 5, 10], False),
    ],
    ids=["no width", "no height", "a point", "no width, one above the other"],
)
def test_degenerate_union_boxes_fill_the_axis_they_lack(subject, obj, full):
    masks = masks_of(subject, obj)
    assert masks.isfinite().all()
    if full:
        assert (masks == 1).all()
    else:  # upper half and lower half, along all columns
        assert (masks.sum(dim=(1, 2)) == 27 * 13.5).all()


def test_no_pairs():
    assert union_masks(torch.zeros(0, 4), torch.zeros(0, 4)).shape == (0, 2, 27, 27)


def test_half_precision_boxes_still_give_float32():
    assert union_masks(torch.tensor([[0, 0, 4, 4]]).half(), torch.tensor([[1, 1, 3, 3]]).half()).dtype == torch.float32
