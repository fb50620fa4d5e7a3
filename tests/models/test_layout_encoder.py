"""What a layout model reads of boxes."""

from __future__ import annotations

from dataclasses import replace

import torch
from clips import ACTION, ENTITY, WIDTHS, entity_clip

from vidsgg.models.layers.layout_encoder import LayoutEncoder
from vidsgg.models.layers.pair_encoder import PairEncoder
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths


def encoder() -> LayoutEncoder:
    torch.manual_seed(0)
    return LayoutEncoder(16).eval()


def clip() -> Clip:
    made = entity_clip([2, 1], seed=4)
    return replace(made, node_box=made.node_box.round(), frame_size=torch.full_like(made.frame_size, 100.0))


def test_a_larger_picture_of_the_same_is_the_same() -> None:
    small = clip()
    large = replace(small, node_box=small.node_box * 7, frame_size=small.frame_size * 7)
    torch.testing.assert_close(encoder()(large), encoder()(small))


def test_the_last_digits_of_a_box_are_not_read() -> None:
    before = clip()
    after = replace(before, node_box=before.node_box + torch.rand_like(before.node_box) * 0.4)  # of 100 pixels
    torch.testing.assert_close(encoder()(after), encoder()(before))


def test_it_tells_who_is_where() -> None:
    given = clip()
    swapped = replace(given, pair_subject=given.pair_object, pair_object=given.pair_subject)
    aside = replace(given, node_box=given.node_box + torch.tensor([3.0, 0, 3, 0]))
    said = encoder()(given)
    assert said.shape == (given.pairs, 16)
    assert not torch.allclose(encoder()(swapped), said) and not torch.allclose(encoder()(aside), said)


def test_it_stands_in_for_the_union_where_subjects_have_boxes_and_nowhere_else() -> None:
    none = FeatureWidths()
    assert PairEncoder(ENTITY, none, 8, 4).layout is not None and PairEncoder(ENTITY, none, 8, 4).geometry is None
    assert PairEncoder(ENTITY, none, 8, 4).width == 8 + 2 * 4
    assert PairEncoder(ENTITY, WIDTHS, 8, 4).layout is None
    of_events = PairEncoder(ACTION, none, 8, 4)
    assert of_events.layout is None and of_events.geometry is not None
