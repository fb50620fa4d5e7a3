"""Which labels take part: against recordings of ImparTail's code, and what must hold for any draw."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from clips import ENTITY, entity_annotation
from golden.deterministic import cases_of, read_case
from golden.impartail import inputs

from vidsgg.datasets.partial_labels import PartialLabels, draw_labels, parse_partial_labels
from vidsgg.errors import ConfigError
from vidsgg.structures.clip import Clip

VIDEOS = [entity_annotation([3, 0, 2, 4], seed, f"v{seed}") for seed in range(4)]


@pytest.mark.parametrize("case", cases_of("impartail", "mask"), ids=lambda case: case["id"])
def test_draws_equal_the_reference(case: dict[str, Any]) -> None:
    _, want = read_case("impartail", case["id"])
    videos = inputs.make_annotations(case)
    counts, places = np.random.RandomState(case["draw_seed"]), random.Random(case["draw_seed"])
    for group, predicates in inputs.GROUPS.items():
        label, frame, _ = inputs.flat(videos, group)
        keep = case.get("keep_distribution", False)
        drawn = draw_labels(
            label, frame, predicates, case["percent"], counts=counts, places=places, keep_distribution=keep
        )
        np.testing.assert_array_equal(drawn.order, want[f"{group}_order"])
        np.testing.assert_array_equal(drawn.asked, want[f"{group}_target"])
        np.testing.assert_array_equal(drawn.kept, want[f"{group}_kept"])
        np.testing.assert_array_equal(drawn.on, want[f"{group}_mask"])


def drawn(epoch: int, **changes: Any) -> list[np.ndarray]:
    partial = PartialLabels(VIDEOS, ENTITY.vocabulary, (40.0, 10.0), **{"seed": 1, **changes})
    return [table for video in VIDEOS for table in partial.of_video(video.video_id, epoch).values()]


def test_a_draw_is_a_function_of_seed_percent_and_epoch():
    assert all(map(np.array_equal, drawn(3), drawn(3)))
    assert not all(map(np.array_equal, drawn(3), drawn(3, seed=2)))
    assert not all(map(np.array_equal, drawn(3), drawn(4)))
    assert all(map(np.array_equal, drawn(3, redraw=False), drawn(4, redraw=False)))
    assert not all(map(np.array_equal, drawn(1, redraw=False), drawn(2, redraw=False)))
    few, many = (sum(table.sum() for table in drawn(epoch)) for epoch in (2, 1))
    assert 0 < few < many


def test_by_frame_no_fewer_labels_take_part_than_by_label():
    assert all((own <= frame).all() for own, frame in zip(drawn(1), drawn(1, scope="frame"), strict=True))


@pytest.mark.parametrize("masked", ["ignore", "negative"])
def test_clips_carry_the_labels_of_their_pairs_in_any_order(masked: str) -> None:
    video = VIDEOS[1]
    partial = PartialLabels(VIDEOS, ENTITY.vocabulary, (40.0,), 0, masked=masked)  # type: ignore[arg-type]
    clip = Clip.from_annotation(video)
    plain = partial.applied(clip, video, 1)
    turned = torch.tensor([2, 1, 0, 4, 3, 8, 5, 7, 6])  # within frames
    columns = ("pair_subject", "pair_object", "pair_frame")
    labels = {name: table[turned] for name, table in clip.labels.items()}
    shuffled = replace(clip, labels=labels, **{name: getattr(clip, name)[turned] for name in columns})
    other = partial.applied(shuffled, video, 1)
    for group in ENTITY.vocabulary.groups:
        on, whole = torch.from_numpy(partial.of_video("v1", 1)[group.name].copy()), clip.labels[group.name]
        assert torch.equal(plain.labels[group.name], on)
        assert torch.equal(other.labels[group.name].sum(0), on.sum(0))
        use = plain.label_use[group.name]
        lost = ~on.any(1) & whole.any(1)
        assert not use[lost].any()
        assert torch.equal(use[~lost], (~whole | on)[~lost] if masked == "ignore" else torch.ones_like(use[~lost]))


def test_percents_that_are_none_are_refused():
    assert parse_partial_labels("70, 40,10") == (70.0, 40.0, 10.0)
    for text, wrong in (("0", "'0'"), ("40,,10", "''"), ("101", "'101'"), ("x", "'x'"), ("nan", "'nan'")):
        with pytest.raises(ConfigError, match=f"-partial_labels: {wrong} is no percent"):
            parse_partial_labels(text)
