"""The frequency baseline: how often a predicate holds for a subject class and an object class. It
sees no picture and learns no weight.

Zellers et al., "Neural Motifs" (CVPR 2018), section 3, showed how strong it is; any model should
beat it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidsgg.errors import ConfigError
from vidsgg.ops.pairing import settle
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import PredicateGroup

_LEAST = 1e-9  # probabilities are held above this and below 1 - _MOST, so that logits are finite
_MOST = 1e-7


class FrequencyModel(nn.Module):
    """P(predicate | subject class, object class), counted with ``observe`` over the training clips.

    Where classes are hidden, those to learn are counted, and those that the detector sees are
    scored.

    Rare pairs of classes lean on what is known of the object, rare objects on what is known overall
    (n: pairs seen; n_r: those with r):

        P(r)       = n_r / n
        P(r | o)   = (n_or + alpha P(r)) / (n_o + alpha)
        P(r | s,o) = (n_sor + beta P(r | o)) / (n_so + beta)

    alpha and beta: how many pairs the lean weighs. With 16 and 2 it has a recall of 81.21 on EASG
    (tests/models/test_frequency.py). With one subject class, as in Action Genome, it is P(predicate
    | object class). A pair that is seen in several frames of a label unit is counted once. Counts
    are buffers: they are saved with the state dict.

    Where subjects are actions no detector sees what is hidden, so that is counted too:

        P(o)       = n_o / n
        P(o | s)   = (n_so + alpha P(o)) / (n_s + alpha)
        P(r | s)   = sum over o of P(o | s) P(r | s,o)
        P(s)       = share of s among the events

    With a given action an object gets P(o | s) and P(r | s). With a hidden one it gets P(o) and
    P(r), and the event gets P(s).
    """

    # (S, O) long, pairs counted by class of subject and object; ``pairs_<group>`` (S, O, C), those
    # with a predicate
    pairs: Tensor
    events: Tensor  # (S,) long, events by class of their action; only where actions are hidden

    def __init__(self, schema: Schema, alpha: float = 16.0, beta: float = 2.0, mode: str = "predcls") -> None:
        super().__init__()
        if not (alpha > 0 and beta > 0):
            raise ConfigError(f"alpha and beta of the frequency model are {alpha} and {beta}; they must be positive.")
        self.alpha, self.beta = alpha, beta
        vocabulary = schema.vocabulary
        self.groups = vocabulary.groups
        objects = len(vocabulary.objects)
        subjects = objects if schema.subject_has_box else len(vocabulary.subjects)
        self.register_buffer("pairs", torch.zeros(subjects, objects, dtype=torch.int64))
        for group in self.groups:
            self.register_buffer(f"pairs_{group.name}", torch.zeros(subjects, objects, len(group), dtype=torch.int64))
        self.hides_actions = schema.hides_actions(mode)
        if self.hides_actions:
            self.register_buffer("events", torch.zeros(subjects, dtype=torch.int64))

    @torch.no_grad()
    def observe(self, clip: Clip) -> None:
        """Count the pairs of a clip. Raises ConfigError if it has no labels, or neither classes nor
        targets of its nodes."""
        if clip.labels is None:
            raise ConfigError(f"the frequency model counts labels, but the clip of {clip.video_ids[0]!r} has none.")
        action = _actions_to_learn(clip)
        subject, obj = _classes(clip, clip.node_class if clip.classes_given else clip.node_target, action)
        row = _once_per_unit(clip)
        cell = (subject * self.pairs.shape[1] + obj)[row]
        self.pairs.view(-1).index_add_(0, cell, torch.ones_like(cell))
        for group in self.groups:
            counts = self.get_buffer(f"pairs_{group.name}")
            counts.view(-1, len(group)).index_add_(0, cell, clip.labels[group.name][row].to(torch.int64))
        if self.hides_actions:
            self.events.index_add_(0, action, torch.ones_like(action))

    def forward(self, clip: Clip) -> RelationLogits:
        """Logits (P, C) per group: log P for "single" groups, log P / (1 - P) for "multi" groups.

        Open pairs are settled by ``node_distribution``, the detector's. Raises ConfigError if
        classes are hidden otherwise.
        """
        if not (clip.classes_given or clip.schema.subject_has_box):
            return self._of_hidden_objects(clip)
        settled = None
        if clip.pairs_open:
            if clip.node_distribution is None:
                raise ConfigError(
                    f"the frequency model does not predict classes, and no detector did for {clip.video_ids[0]!r}."
                )
            clip = settled = settle(clip, clip.node_distribution)
        subject, obj = _classes(clip, clip.node_class, clip.action_class)
        logits = {group.name: _logits(self._shares(group, subject, obj), group) for group in self.groups}
        return RelationLogits(groups=logits, clip=settled)

    def _shares(self, group: PredicateGroup, subject: Tensor, obj: Tensor) -> Tensor:
        """P(r | s,o) of classes (...) and (...), as (..., C)."""
        counts = self.get_buffer(f"pairs_{group.name}")
        overall = counts.sum((0, 1)) / self.pairs.sum().clamp(min=1)
        of_object = (counts.sum(0)[obj] + self.alpha * overall) / (self.pairs.sum(0)[obj, None] + self.alpha)
        return (counts[subject, obj] + self.beta * of_object) / (self.pairs[subject, obj, None] + self.beta)

    def _of_hidden_objects(self, clip: Clip) -> RelationLogits:
        """For events whose objects, and perhaps actions, are hidden: all objects of an action are alike."""
        total = self.pairs.sum().clamp(min=1)
        of_object = self.pairs.sum(0) / total  # (O,)
        event = clip.frame_unit[clip.node_frame]
        if self.hides_actions:
            objects = of_object.expand(clip.nodes, -1)
            overall = {g.name: self.get_buffer(f"pairs_{g.name}").sum((0, 1)) / total for g in self.groups}
            groups = {g.name: _logits(overall[g.name].expand(clip.pairs, -1), g) for g in self.groups}
            actions = (self.events / self.events.sum().clamp(min=1)).clamp(min=_LEAST).log().expand(clip.units, -1)
            return RelationLogits(groups, objects.clamp(min=_LEAST).log(), actions)
        subject, row = clip.action_class.unique(return_inverse=True)
        counts = self.pairs[subject]
        given = (counts + self.alpha * of_object) / (counts.sum(1, keepdim=True) + self.alpha)  # (K, O)
        every = torch.arange(given.shape[1], device=clip.device)
        groups = {}
        for group in self.groups:
            shares = (given[:, :, None] * self._shares(group, subject[:, None], every)).sum(1)
            groups[group.name] = _logits(shares[row[clip.pair_subject]], group)
        return RelationLogits(groups, given[row[event]].clamp(min=_LEAST).log())


def _logits(p: Tensor, group: PredicateGroup) -> Tensor:
    p = p.clamp(_LEAST, 1 - _MOST)
    return p.log() if group.kind == "single" else p.logit()


def _actions_to_learn(clip: Clip) -> Tensor:
    """(U,) the actions of events: those that are given, else those to learn."""
    if clip.action_target is not None and (clip.action_class < 0).any():
        return clip.action_target
    return clip.action_class


def _classes(clip: Clip, node_class: Tensor | None, action_class: Tensor) -> tuple[Tensor, Tensor]:
    """Classes of subject and object (P,): where a pair stands in the tables."""
    if node_class is not None:
        subject = (node_class if clip.schema.subject_has_box else action_class)[clip.pair_subject]
        obj = node_class[clip.pair_object]
        if (obj >= 0).all() and (subject >= 0).all():
            return subject, obj
    raise ConfigError(
        f"the frequency model needs classes, but those of {clip.video_ids[0]!r} are hidden; use mode predcls."
    )


def _once_per_unit(clip: Clip) -> Tensor:
    """One row of each pair that is repeated over the frames of its label unit: those of one subject
    and object identity."""
    identity = clip.node_identity[clip.pair_object]
    row = torch.arange(clip.pairs, device=clip.device)
    alone = identity < 0  # unknown: every row counts for itself
    key = torch.stack([clip.frame_unit[clip.pair_frame], torch.where(alone, -1 - row, identity)], 1)
    if clip.schema.subject_has_box:
        of_subject = clip.node_identity[clip.pair_subject]
        key = torch.cat([key, torch.where(of_subject < 0, -1 - row, of_subject)[:, None]], 1)
    groups, group = key.unique(dim=0, return_inverse=True)
    return torch.full((len(groups),), clip.pairs, dtype=torch.int64, device=clip.device).scatter_reduce(
        0, group, row, "amin"
    )
