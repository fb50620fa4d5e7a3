"""Which relation labels of a training set take part in the loss: a share of them, drawn so that all
predicates are asked for equally often (ImparTail, Peddi et al., CVPR 2025).

Source of the rules: rohithpeddi/ImparTail ``dataloader/partial/action_genome/ag_dataset.py``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from vidsgg.errors import ConfigError
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.clip import Clip
from vidsgg.structures.vocabulary import Vocabulary

Scope = Literal["label", "frame"]
Masked = Literal["ignore", "negative"]


def parse_partial_labels(text: str) -> tuple[float, ...]:
    """The percents of ``40,10``, one for every epoch, the last for all that follow. Raises
    ConfigError naming the one that is wrong."""
    percents = []
    for word in text.split(","):
        try:
            percent = float(word)
        except ValueError:
            percent = -1.0
        if not 0 < percent <= 100:
            raise ConfigError(
                f"option -partial_labels: {word.strip()!r} is no percent of labels to keep, above 0 and at most 100; write"
                " one, such as 10, or one for every epoch, such as 70,40,10"
            )
        percents.append(percent)
    return tuple(percents)


@dataclass(frozen=True, eq=False)
class LabelDraw:
    """What is drawn of the L labels of one predicate group. C predicates.

    order: predicates as they are first seen. asked (C,): labels asked for of every predicate, -1
    for one that is never seen. kept, on (L,) bool: the labels that are drawn, and those that take
    part in the end.
    """

    order: tuple[int, ...]
    asked: Array
    kept: Array
    on: Array


def draw_labels(
    label: Array,
    frame: Array,
    predicates: int,
    percent: float,
    *,
    counts: np.random.RandomState,
    places: random.Random,
    keep_distribution: bool = False,
    scope: Scope = "frame",
) -> LabelDraw:
    """label (L,) predicate and frame (L,) of every label of a group, in the order of videos, frames
    and pairs. percent: kept of them. counts draws how many labels of each predicate are asked for,
    places which ones.

    Of round(percent n / 100) labels every predicate that occurs is asked for equally often in
    expectation; with ``keep_distribution`` for its own share. What a rare predicate cannot supply
    is not given to others, so that fewer are kept. scope "frame": a label takes part if its
    predicate is kept anywhere in its frame, as in the reference; "label": if it is kept itself.
    """
    seen, first = np.unique(label, return_index=True)
    order = seen[np.argsort(first, kind="stable")]
    count = np.bincount(label, minlength=predicates)
    share = percent / 100
    asked = np.full(predicates, -1, np.int64)
    if keep_distribution:
        asked[order] = [round(share * int(count[predicate])) for predicate in order]
    elif len(order):
        asked[order] = counts.multinomial(round(share * len(label)), np.full(len(order), 1 / len(order)))
    kept = np.zeros(len(label), bool)
    for predicate in order:
        positions = np.flatnonzero(label == predicate).tolist()
        kept[places.sample(positions, min(int(asked[predicate]), len(positions)))] = True
    on = kept
    if scope == "frame":
        cell = frame.astype(np.int64) * predicates + label
        on = np.isin(cell, cell[kept])
    return LabelDraw(tuple(order.tolist()), asked, kept, on)


class PartialLabels:
    """Draws of the labels of a whole training set, one for every epoch. A draw is a function of the
    labels, the seed, the percent and the epoch alone, so that a run that goes on comes to the same.
    """

    def __init__(
        self,
        videos: Iterable[VideoAnnotation],
        vocabulary: Vocabulary,
        percents: tuple[float, ...],
        seed: int,
        *,
        keep_distribution: bool = False,
        scope: Scope = "label",
        redraw: bool = True,
        masked: Masked = "ignore",
    ) -> None:
        """percents: of every epoch, the last for all that follow. redraw: False: epochs of one
        percent have one draw, as in the reference. masked: see ``applied``."""
        self.percents, self.seed = percents, seed
        self.keep_distribution, self.scope, self.redraw, self.masked = keep_distribution, scope, redraw, masked
        self.sizes = {group.name: len(group) for group in vocabulary.groups}
        self._begin = {}  # the first pair of every video
        labels: dict[str, list[Array]] = {name: [] for name in self.sizes}
        frame, frames, pairs = [np.zeros(0, np.int64)], 0, 0
        for annotation in videos:
            self._begin[annotation.video_id] = slice(pairs, pairs + annotation.pairs)
            for name in labels:
                labels[name].append(annotation.labels[name])
            frame.append(annotation.pair_frame + frames)
            frames, pairs = frames + annotation.frames, pairs + annotation.pairs
        self._frame = np.concatenate(frame)
        empty = {name: np.zeros((0, size), bool) for name, size in self.sizes.items()}
        self._labels = {name: np.concatenate([empty[name], *tables]) for name, tables in labels.items()}
        self._drawn: tuple[tuple[float, int], dict[str, Array]] | None = None

    def percent(self, epoch: int) -> float:
        """epoch: from 1."""
        return self.percents[min(epoch, len(self.percents)) - 1]

    def of_video(self, video_id: str, epoch: int) -> Mapping[str, Array]:
        """(P, C) bool per group: the labels of a video that take part in an epoch (from 1), in the
        order of its annotation's pairs."""
        rows = self._begin[video_id]
        return {name: table[rows] for name, table in self._of_epoch(epoch).items()}

    def applied(self, clip: Clip, annotation: VideoAnnotation, epoch: int) -> Clip:
        """The clip of one video with the labels that take part, and label_use.

        A label that does not is not read by the loss; with ``masked`` "negative" it is read as if
        it were none. A pair without any label of a group that takes part, but with others, is not
        read by that group's loss.
        """
        assert clip.labels is not None
        if clip.schema.pairing == "ordered":
            raise ConfigError(
                f"data set {clip.schema.name!r}: pairs without a label are negatives there, so labels cannot be left out"
                " of an epoch; train without partial labels."
            )
        whole = {name: table.cpu().numpy() for name, table in clip.labels.items()}
        # Extraction may put pairs into another order; pairs of a frame with the same labels may
        # stand for each other.
        theirs = np.column_stack([annotation.pair_frame, *annotation.labels.values()])
        mine = np.column_stack([clip.pair_frame.cpu().numpy(), *(whole[name] for name in annotation.labels)])
        rows = in_order_of(theirs, mine)
        labels, use = {}, {}
        for name, on in self.of_video(annotation.video_id, epoch).items():
            taken = on[rows]
            off = whole[name] & ~taken
            left_out = np.asarray(off.any(1) & ~taken.any(1))
            read = ~np.repeat(left_out[:, None], off.shape[1], 1)
            if self.masked == "ignore":
                read &= ~off
            labels[name] = torch.from_numpy(taken).to(clip.device)
            use[name] = torch.from_numpy(read).to(clip.device)
        return replace(clip, labels=labels, label_use=use)

    def summary(self, epoch: int) -> str:
        """How many labels take part in an epoch, for the log."""
        on = self._of_epoch(epoch)
        told = ", ".join(f"{table.sum()} of {self._labels[name].sum()} {name}" for name, table in on.items())
        return f"{self.percent(epoch):g} % asked for: {told}"

    def _of_epoch(self, epoch: int) -> dict[str, Array]:
        key = (self.percent(epoch), epoch if self.redraw else 0)
        if self._drawn is None or self._drawn[0] != key:
            source = random.Random(f"{self.seed}/partial labels/{key[0]:g}/{key[1]}")
            counts, places = np.random.RandomState(source.getrandbits(32)), random.Random(source.getrandbits(32))
            self._drawn = key, {name: self._draw(name, key[0], counts, places) for name in self._labels}
        return self._drawn[1]

    def _draw(self, name: str, percent: float, counts: np.random.RandomState, places: random.Random) -> Array:
        table = self._labels[name]
        pair, label = np.nonzero(table)
        drawn = draw_labels(
            label,
            self._frame[pair],
            self.sizes[name],
            percent,
            counts=counts,
            places=places,
            keep_distribution=self.keep_distribution,
            scope=self.scope,
        )
        on = np.zeros_like(table)
        on[pair, label] = drawn.on
        return on


def in_order_of(keys: Array, wanted: Array) -> Array:
    """(P,) rows of ``keys`` in the order in which ``wanted`` has them: (P, K) tables of the same
    rows in another order. Equal rows keep theirs.
    """
    mine, theirs = (np.lexsort(table.T[::-1]) for table in (keys, wanted))
    assert np.array_equal(keys[mine], wanted[theirs]), "the pairs of a clip are not those of its annotation"
    rows = np.empty(len(keys), np.int64)
    rows[theirs] = mine
    return rows
