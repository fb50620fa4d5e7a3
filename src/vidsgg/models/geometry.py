"""Relations guessed from boxes: how often a predicate holds for a class of things, times what the two boxes allow.

The first part is the frequency baseline (M-FREQ in the literature of Action Genome), the second is geometry. No weight is needed, and
no picture is seen. Letters: P pairs, O object classes, C predicates of a group, K cells (``ops.pair_geometry``).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vidsgg.errors import ConfigError
from vidsgg.ops.pair_geometry import CELLS, PairGeometry, geometry_cells, pair_geometry
from vidsgg.ops.pairing import settle
from vidsgg.structures.clip import Clip
from vidsgg.structures.geometry_rules import BEARING, HANDS, GeometryRules, Role
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import PredicateGroup

_NEVER = 1e-4  # the least factor: fitting could not bring back what the rules rule out
_LEAST = 1e-7  # probabilities are held above this and below 1 - _LEAST, so that logits are finite


class GeometryModel(nn.Module):
    """P(predicate | class of the thing) times a factor of the two boxes, by kind of group:

    * "single": the shares of a class times their factors, normalised.
    * "multi" with a negative predicate (contacts): the same; of several predicates that hold the likelier one weighs more.
    * "multi" without one: the share as odds times the factor.

    The factor is that of the predicate's role (``structures.geometry_rules``), times exp of a learnt sum over the cells that the pair's
    geometry falls into (``factors_<group>`` (K, C), zero at first). Then a thing is in one subject's hands, and a subject has two hands.
    All subjects of a frame are scored together.

    Built into the package it knows the counts of the data set that its rules were made for; trained, those of its training videos
    (``count``) and factors fitted on them.
    """

    def __init__(self, schema: Schema, rules: GeometryRules, shares: Mapping[str, Tensor]) -> None:
        """shares: (O, C) of every group: in what part of a class's pairs a predicate holds."""
        super().__init__()
        if not schema.subject_has_box:
            raise ConfigError(f"model 'geometry' compares boxes, and subjects of {schema.name!r} have none.")
        vocabulary = schema.vocabulary
        self.groups, self.constants = vocabulary.groups, rules.constants
        self.roles: dict[str, tuple[Role | None, ...]] = {
            group.name: tuple(rules.roles.get(name) for name in group.predicates) for group in self.groups
        }
        for name, classes in (("bears", rules.bearing), ("too_short", rules.too_short)):
            of_class = torch.tensor([label in classes for label in vocabulary.objects])
            self.register_buffer(f"_{name}", of_class, persistent=False)
        for group in self.groups:
            self.register_buffer(f"share_{group.name}", shares[group.name].float().clone())
            self.register_parameter(f"factors_{group.name}", nn.Parameter(torch.zeros(CELLS, len(group))))

    @property
    def knows(self) -> bool:
        """Whether it has counts."""
        return any(bool(self.get_buffer(f"share_{group.name}").any()) for group in self.groups)

    @torch.no_grad()
    def count(self, shares: Mapping[str, Tensor]) -> None:
        """Take the shares (O, C) of another data set."""
        for group in self.groups:
            self.get_buffer(f"share_{group.name}").copy_(shares[group.name])

    def forward(self, clip: Clip) -> RelationLogits:
        """Logits (P, C) per group: log P for "single" groups, log P / (1 - P) for "multi" groups.

        Open pairs are settled by ``node_distribution``, the detector's. Raises ConfigError if classes are hidden otherwise.
        """
        settled, given = None, clip.node_class if clip.classes_given else clip.node_target
        if clip.pairs_open and clip.node_distribution is not None:
            clip = settled = settle(clip, clip.node_distribution)
            given = clip.node_class
        if given is None or clip.pairs_open or (given < 0).any():
            raise ConfigError(
                f"model 'geometry' does not predict classes, and no detector did for {clip.video_ids[0]!r}."
            )
        klass = given[clip.pair_object]
        geometry = pair_geometry(
            clip.node_box[clip.pair_subject], clip.node_box[clip.pair_object], clip.frame_size[clip.pair_frame, 1]
        )
        cells = geometry_cells(geometry)
        chance = {}
        for group in self.groups:
            factor = self.factors(group.name, geometry, klass)
            factor = factor * (cells @ self.get_parameter(f"factors_{group.name}")).exp()
            share = self.get_buffer(f"share_{group.name}")[klass]
            chance[group.name] = _odds(share, factor) if _apart(group) else _normalised(share * factor)
        for group in self.groups:
            roles = self.roles[group.name]
            if any(role in HANDS for role in roles):
                chance[group.name] = self._hands(chance[group.name], roles, geometry, clip)
        self._sat_on(chance)
        logits = {}
        for group in self.groups:
            p = chance[group.name].clamp(_LEAST, 1 - _LEAST)
            logits[group.name] = p.log() if group.kind == "single" else p.logit()
        return RelationLogits(groups=logits, clip=settled)

    def touch(self, geometry: PairGeometry) -> Tensor:
        """(P,) 0..1: how much the boxes look as if subject and thing touched."""
        c = self.constants
        near = c.touch_near * torch.exp(-((geometry.gap / c.touch_reach) ** 2)) * (geometry.gap < c.touch_end)
        return torch.maximum((geometry.cover / c.touch_cover).clamp(max=1), near)

    def factors(self, group: str, geometry: PairGeometry, klass: Tensor) -> Tensor:
        """(P, C): what the boxes allow of the predicates of a group, by their roles. klass (P,):
        classes of the things."""
        roles = self.roles[group]
        known: dict[Role, Tensor] = {}
        for role in {role for role in roles if role is not None}:
            known[role] = self._factor(role, geometry, klass)
        one = torch.ones_like(geometry.gap)
        return torch.stack([one if role is None else known[role] for role in roles], 1).clamp(min=_NEVER)

    def _factor(self, role: Role, g: PairGeometry, klass: Tensor) -> Tensor:
        """(P,) of one role. klass (P,): classes of the things."""
        c, touch = self.constants, self.touch(g)
        if role == "apart":
            return 1 - c.apart_touched * touch
        if role == "touch":
            return touch
        if role in ("hand", "wear"):
            return touch * (c.hand_ratio - g.ratio).clamp(c.hand_least, 1)
        if role == "mouth":
            near = (
                ((g.u - 0.5).abs() < c.mouth_aside)
                & (g.v > c.mouth_top)
                & (g.v < c.mouth_bottom)
                & (g.cover > c.mouth_cover)
            )
            return torch.where(near, touch, c.mouth_not * touch)
        if role == "back":
            return touch * ((g.cover > c.back_cover) & (g.v < c.back_bottom))
        if role in BEARING:
            return self._borne(role, g, klass)
        if role == "look":
            apart = (touch <= 0) & (g.gap > c.look_gap)
            return torch.where(apart, c.look_apart, 1.0).to(touch)
        return self._place(role, g)

    def _borne(self, role: Role, g: PairGeometry, klass: Tensor) -> Tensor:
        c = self.constants
        borne = (
            self.get_buffer("_bears")[klass]
            & (g.foot > c.bear_foot)
            & (g.bottom > c.bear_below)
            & (g.width > c.bear_width)
        )
        borne = borne & (g.overlap > c.bear_overlap) & (g.covered > c.bear_covered)
        upright = (g.wide < c.stand_thin) & (g.feet > c.feet_margin)
        nothing = torch.full_like(g.gap, c.bear_not)
        if role == "sit":
            factor = torch.where(upright, c.sit_upright, c.sit).to(nothing)
        elif role == "lie":
            factor = torch.where((g.wide > c.lie_wide) & ~self.get_buffer("_too_short")[klass], c.lie, c.bear_not).to(
                nothing
            )
        elif role == "stand":
            factor = torch.where(upright, c.stand, c.bear_not).to(nothing)
        else:
            factor = torch.full_like(nothing, c.lean)
        return torch.where(borne, factor, nothing)

    def _place(self, role: Role, g: PairGeometry) -> Tensor:
        c, one = self.constants, torch.ones_like(g.gap)
        near = g.gap < c.beside_gap
        if role == "front":
            within = torch.where(g.cover > c.front_cover, c.front_covered, c.front_within).to(one)
            return torch.where(g.within, within, torch.where(near, c.front_beside, c.front_far).to(one))
        if role == "beside":
            return torch.where(g.within, c.side_within, torch.where(near, c.side_beside, c.side_far).to(one))
        if role == "below":
            return torch.where(g.top > c.beneath_from, c.beneath, 1.0).to(one)
        assert role == "above", role
        return torch.where(g.bottom < 0, c.above, c.above_not).to(one)

    def _hands(self, chance: Tensor, roles: tuple[Role | None, ...], g: PairGeometry, clip: Clip) -> Tensor:
        """Contacts (P, C) after each thing has found its holder and nobody has more than two hands."""
        c = self.constants
        uses = torch.tensor([role in HANDS for role in roles], device=chance.device)
        claim = (chance * uses).sum(1) * (c.holder_cover + g.cover) * torch.exp(-(g.u - 0.5).abs())
        loses = ~_first_largest(claim.detach(), clip.pair_object, clip.nodes)
        chance = torch.where(loses[:, None] & uses, chance * c.holder_loses, chance)
        held = (chance * uses).sum(1)
        busy = held > c.hands_from
        things = torch.zeros(clip.nodes, dtype=torch.long, device=chance.device).index_add(
            0, clip.pair_subject, busy.long()
        )
        total = chance.new_zeros(clip.nodes).index_add(0, clip.pair_subject, held * busy)
        scale = torch.where(things > c.hands, (c.hands / total.clamp(min=_LEAST)).clamp(max=1), 1.0)[clip.pair_subject]
        return torch.where(busy[:, None] & uses, chance * scale[:, None], chance)

    def _sat_on(self, chance: dict[str, Tensor]) -> None:
        """What is sat on is beneath."""
        column = {
            role: (name, i)
            for name, roles in self.roles.items()
            for i, role in enumerate(roles)
            if role in ("sit", "below")
        }
        if "sit" not in column or "below" not in column:
            return
        (contacts, sit), (places, beneath) = column["sit"], column["below"]
        sits, lies = chance[contacts][:, sit], chance[places][:, beneath]
        table = chance[places].clone()
        table[:, beneath] = torch.where(sits >= self.constants.sat_on, torch.maximum(lies, sits), lies)
        chance[places] = table


def _apart(group: PredicateGroup) -> bool:
    """Whether predicates of a group do not compete."""
    return group.kind == "multi" and group.negative is None


def _odds(share: Tensor, factor: Tensor) -> Tensor:
    """The probability whose odds are those of ``share`` times ``factor``."""
    weighed = share * factor
    return weighed / (weighed + 1 - share).clamp(min=_LEAST)


def _normalised(weight: Tensor) -> Tensor:
    """(P, C) so that rows add up to 1; rows of zeros stay."""
    total = weight.sum(1, keepdim=True)
    return weight / torch.where(total > 0, total, 1)


def _first_largest(value: Tensor, cell: Tensor, cells: int) -> Tensor:
    """(P,) bool: the row with the largest value of every cell, of equal ones the first."""
    best = value.new_full((cells,), -torch.inf).scatter_reduce(0, cell, value, "amax")
    row = torch.arange(len(value), device=value.device)
    first = row.new_full((cells,), len(value)).scatter_reduce(
        0, cell, torch.where(value == best[cell], row, len(value)), "amin"
    )
    return first[cell] == row
