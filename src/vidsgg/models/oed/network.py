"""OED's network on feature maps: from frames to pairs of a subject and an object with predicates.

A query stands for a pair. The instance decoder finds its two boxes and the object's class, the
relation decoder, whose queries are the instance decoder's outputs, its predicates. In the temporal
stage queries of the target frame are refined by those of reference frames.
Letters: F frames, Q queries, L layers with an output, O object classes with class 0, D width.
Source: guanw-pku/OED ``models/dsgg_*`` and ``cdn_*``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.models.configs import OedConfig
from vidsgg.models.layers.class_embedding import ClassEmbedding
from vidsgg.models.oed.transformer import OedDecoder, OedEncoder, QueryMlp, TemporalQueryLayer, sine_map
from vidsgg.structures.vocabulary import PredicateGroup, Vocabulary

TABLE = 200  # width of the word vectors


@dataclass(frozen=True, eq=False)
class PairLogits:
    """What is said of the queries of frames. Boxes are centre and sides, 0..1 of the picture."""

    objects: Tensor  # (F, Q, O + 1), the last: no object
    subject_box: Tensor  # (F, Q, 4)
    object_box: Tensor  # (F, Q, 4)
    groups: Mapping[str, Tensor]  # (F, Q, C), of single-label groups (F, Q, C + 1), whose last entry is unused

    def frame(self, index: int, queries: int | None = None) -> PairLogits:
        """Of one frame, and its first queries only."""
        rows = (slice(index, index + 1), slice(queries))
        return PairLogits(
            self.objects[rows],
            self.subject_box[rows],
            self.object_box[rows],
            {name: table[rows] for name, table in self.groups.items()},
        )

    @staticmethod
    def cat(parts: Sequence[PairLogits]) -> PairLogits:
        """Frames one after another, with as many queries."""
        first = parts[0]
        return PairLogits(
            torch.cat([part.objects for part in parts]),
            torch.cat([part.subject_box for part in parts]),
            torch.cat([part.object_box for part in parts]),
            {name: torch.cat([part.groups[name] for part in parts]) for name in first.groups},
        )


@dataclass(frozen=True, eq=False)
class GivenPairs:
    """The pairs of frames in predcls, padded. klass (F, Q) long: of the object. subject_box,
    object_box (F, Q, 4): centre and sides, 0..1. valid (F, Q) bool.
    """

    klass: Tensor
    subject_box: Tensor
    object_box: Tensor
    valid: Tensor

    @staticmethod
    def of(frames: Sequence[tuple[Tensor, Tensor, Tensor]]) -> GivenPairs:
        """frames: class (P,), subject box (P, 4) and object box (P, 4) of the pairs of each."""
        count = torch.tensor([len(klass) for klass, _, _ in frames], device=frames[0][0].device)
        columns = [nn.utils.rnn.pad_sequence(list(column), batch_first=True) for column in zip(*frames, strict=True)]
        if not columns[0].shape[1]:  # attention over nothing is no number
            columns = [torch.stack([column.new_zeros(1, *column.shape[2:]) for _ in frames]) for column in columns]
        klass, subject, obj = columns
        valid = torch.arange(klass.shape[1], device=klass.device) < count[:, None]
        return GivenPairs(klass, subject, obj, valid)

    def frames(self, rows: slice | Sequence[int]) -> GivenPairs:
        """Of some frames."""
        return GivenPairs(self.klass[rows], self.subject_box[rows], self.object_box[rows], self.valid[rows])


@dataclass(frozen=True, eq=False)
class Encoded:
    """Frames as both decoders leave them. instance, relation: outputs (F, Q, D) of their layers."""

    memory: Tensor  # (F, S, D), of the encoder
    placed: Tensor  # the same with positions
    padding: Tensor  # (F, S) bool
    instance: list[Tensor]
    relation: list[Tensor]
    asked: tuple[Tensor, Tensor]  # of the memory, by the last layers of both


@dataclass(frozen=True, eq=False)
class Refinement:
    """What the temporal layers saw of E reference queries, for those who look inside."""

    scores: Tensor | None  # (E,) by which sgdet chooses
    chosen: tuple[Tensor, ...]  # of every layer, rows of the references
    forbidden: Tensor | None  # (Q, E) of predcls


class OedHeads(nn.Module):
    """Class, boxes and predicates of queries."""

    def __init__(self, dim: int, objects: int, groups: Sequence[PredicateGroup]) -> None:
        super().__init__()
        self.object_class = nn.Linear(dim, objects + 1)
        self.subject_box, self.object_box = QueryMlp(dim, dim, dim, 4), QueryMlp(dim, dim, dim, 4)
        widths = {group.name: len(group) + (group.kind == "single") for group in groups}
        self.groups = nn.ModuleDict({name: nn.Linear(dim, width) for name, width in widths.items()})

    def forward(self, instance: Tensor, relation: Tensor) -> PairLogits:
        """(F, Q, D) each."""
        boxes = (self.subject_box(instance).sigmoid(), self.object_box(instance).sigmoid())
        return PairLogits(self.object_class(instance), *boxes, self.relations(relation))

    def relations(self, relation: Tensor) -> dict[str, Tensor]:
        return {name: head(relation) for name, head in self.groups.items()}


class OedNetwork(nn.Module):
    """All of OED but the backbone. channels: of the backbone's feature maps. given: predcls, where
    queries are the given pairs. temporal: with the parts of the temporal stage."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: OedConfig,
        *,
        channels: int = 2048,
        given: bool,
        temporal: bool,
    ) -> None:
        super().__init__()
        objects, groups = len(vocabulary.objects), vocabulary.groups
        dim, sizes = config.hidden_dim, (config.hidden_dim, config.heads, config.feedforward_dim, config.dropout)
        self.config, self.single = config, {group.name: group.kind == "single" for group in groups}
        self.input_proj = nn.Conv2d(channels, dim, 1)
        self.encoder = OedEncoder(config.enc_layers, *sizes)
        self.instance_decoder = OedDecoder(config.instance_layers, *sizes)
        self.relation_decoder = OedDecoder(config.relation_layers, *sizes)
        self.query_embed = self.query_content = self.query_spatial = self.class_vectors = None
        if given:
            self.class_vectors = ClassEmbedding(vocabulary.objects, TABLE).requires_grad_(False)
            self.query_content, self.query_spatial = QueryMlp(TABLE, dim, dim), QueryMlp(12, dim, dim)
        else:
            self.query_embed = nn.Embedding(config.num_queries, dim)
        self.heads = OedHeads(dim, objects, groups)
        self.refiners = nn.ModuleList()
        self.temporal_heads = None
        if temporal:
            wide = (2 * dim, config.heads, config.feedforward_dim, config.dropout)
            self.refiners = nn.ModuleList(TemporalQueryLayer(*wide) for _ in config.kept(config.num_queries))
            self.temporal_heads = OedHeads(dim, objects, groups)
        for parts in (self.encoder, self.instance_decoder, self.relation_decoder, self.refiners):
            for weight in parts.parameters():
                if weight.dim() > 1:
                    nn.init.xavier_uniform_(weight)
        for mlp in (self.query_content, self.query_spatial):
            for weight in () if mlp is None else mlp.parameters():
                if weight.dim() > 1:
                    nn.init.xavier_uniform_(weight)

    def encode(self, features: Tensor, padding: Tensor, pairs: GivenPairs | None = None) -> Encoded:
        """features (F, C, h, w): of the backbone. padding (F, H, W) bool: True where no picture
        lies, in pixels. pairs: those of every frame, in predcls.
        """
        small = F.interpolate(padding[None].float(), size=features.shape[-2:])[0].bool()
        position = sine_map(small, self.config.hidden_dim)
        hidden = small.flatten(1)
        memory = self.encoder(self.input_proj(features).flatten(2).transpose(1, 2), position, hidden)
        placed = memory + position
        content, query, unused = self._queries(len(features), pairs)
        seen = (memory, placed, hidden)
        instance, first = self.instance_decoder(content, query, *seen, unused)
        relation, second = self.relation_decoder(torch.zeros_like(content), instance[-1], *seen, unused)
        return Encoded(*seen, instance, relation, (first, second))

    def spatial(self, encoded: Encoded) -> list[PairLogits]:
        """Outputs of the last layers of both decoders, as many as the smaller has; the last is the
        result."""
        both = min(len(encoded.instance), len(encoded.relation))
        layers = zip(encoded.instance[-both:], encoded.relation[-both:], strict=True)
        return [self.heads(instance, relation) for instance, relation in layers]

    def temporal(
        self, instance: Tensor, relation: Tensor, target: int = 0, pairs: GivenPairs | None = None
    ) -> tuple[PairLogits, Refinement, Tensor]:
        """Queries of frame ``target`` refined by those of the others.

        instance, relation (F, Q, D): last outputs of the decoders for the target and its
        references. pairs: in predcls, of every frame. Returns the result, what was seen, and the
        refined relation features (1, Q, D).
        """
        assert self.temporal_heads is not None
        both = torch.cat([instance, relation], -1)
        if pairs is not None:
            x, seen = self._refined_by_class(both, target, pairs)
        else:
            x, seen = self._refined_by_score(both, target)
        fine_instance, fine_relation = x[None].chunk(2, -1)
        result: PairLogits = self.temporal_heads(fine_instance, fine_relation)
        if pairs is not None and self.config.oed_predcls_heads == "spatial":  # dsgg_multi_xcls.py:99-101
            result = replace(result, groups=self.heads.relations(fine_relation))
        return result, seen, fine_relation

    def _queries(self, frames: int, pairs: GivenPairs | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Content and positions (F, Q, D), and which are padding (F, Q)."""
        if pairs is None:
            assert self.query_embed is not None
            query = self.query_embed.weight.expand(frames, -1, -1)
            return torch.zeros_like(query), query, None
        assert self.query_content is not None and self.query_spatial is not None and self.class_vectors is not None
        subject, obj = pairs.subject_box, pairs.object_box
        areas = [subject[..., 2:].prod(-1, keepdim=True), obj[..., 2:].prod(-1, keepdim=True)]
        place = torch.cat([subject, obj, subject[..., :2] - obj[..., :2], *areas], -1)
        unused = ~pairs.valid
        # a frame without pairs has one query that nobody reads: attention over nothing is no number
        unused = unused & ~(unused.all(1)[:, None] & (torch.arange(unused.shape[1], device=unused.device) == 0))
        return self.query_content(self.class_vectors(pairs.klass)), self.query_spatial(place), unused

    def _refined_by_score(self, both: Tensor, target: int) -> tuple[Tensor, Refinement]:
        """The progressively refined module: every layer reads fewer and better references."""
        among = [i for i in range(min(len(both), self.config.num_ref_frames + 1)) if i != target]
        said = self.heads(*both[among].chunk(2, -1))
        scores = self._scores(said).flatten()
        references = both[among].flatten(0, 1)
        x, chosen = both[target], []
        for layer, k in zip(self.refiners, self.config.kept(both.shape[1]), strict=True):
            best = scores.topk(min(k * len(among), len(scores))).indices
            chosen.append(best)
            x = layer(x, references[best])
        return x, Refinement(scores, tuple(chosen), None)

    def _scores(self, said: PairLogits) -> Tensor:
        """(F, Q): products of the best probabilities of class and predicates, where the entries
        that mean nothing have their share but are not chosen."""
        score = said.objects.softmax(-1)[..., :-1].amax(-1)
        for name, table in said.groups.items():
            score = score * (table.softmax(-1)[..., :-1] if self.single[name] else table.sigmoid()).amax(-1)
        return score

    def _refined_by_class(self, both: Tensor, target: int, pairs: GivenPairs) -> tuple[Tensor, Refinement]:
        """A pair reads the pairs of the other frames whose object has its class; all where there
        are none."""
        frame = torch.arange(len(both), device=both.device)[:, None].expand_as(pairs.valid)
        others = pairs.valid & (frame != target)
        references, klass = both[others], pairs.klass[others]
        own = pairs.valid[target]
        x = both[target][own]
        if not len(x):
            return torch.zeros_like(both[target]), Refinement(None, (), None)
        forbidden = pairs.klass[target][own][:, None] != klass
        forbidden = forbidden & ~forbidden.all(1, keepdim=True)
        place = reference_place = None
        if self.config.seq_sort:
            table = _frame_codes(len(both), both.shape[-1], both.device)
            place, reference_place = table[target], table[frame[others]]
        for layer in self.refiners:
            x = layer(x, references, place=place, reference_place=reference_place, forbidden=forbidden)
        padded = both.new_zeros(both.shape[1:])
        padded[own] = x.to(padded.dtype)
        return padded, Refinement(None, (), forbidden)


def _frame_codes(frames: int, dim: int, device: torch.device) -> Tensor:
    """(frames, dim): sines and cosines of a frame's place in the clip, side by side."""
    rate = 10000.0 ** (-torch.arange(0, dim, 2, device=device, dtype=torch.float32) / dim)
    angle = torch.arange(frames, device=device)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)
