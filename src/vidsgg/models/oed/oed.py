"""OED: from the pictures of a clip to its graphs, without a detector (Wang et al., CVPR 2024)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.ops import box_convert

from vidsgg.errors import ConfigError, DataError
from vidsgg.models.configs import OedConfig
from vidsgg.models.oed.backbone import backbone_of
from vidsgg.models.oed.network import Encoded, GivenPairs, OedNetwork, PairLogits
from vidsgg.models.oed.pictures import drawn_references, padded, prepared_picture, scored_references
from vidsgg.models.oed.queries import PairQueries, merged_queries
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema

OedStage = Literal["spatial", "temporal"]
AT_ONCE = 4  # frames that are encoded together when a clip is scored


@dataclass(frozen=True, eq=False)
class ScoredFrames:
    """frames (k,): rows of the clip's frames. layers: what every layer with an output says of them;
    the last is the result. flipped (k,) bool: of which the picture was turned left to right."""

    frames: Tensor
    layers: Sequence[PairLogits]
    flipped: Tensor


@dataclass(frozen=True, eq=False)
class OedLogits(RelationLogits):
    """scored: of every video of the clip. With labels to learn from, groups are empty: what is
    learnt is said by ``scored``.
    """

    scored: Sequence[ScoredFrames] = ()


class Oed(nn.Module):
    """Pairs of a subject and an object with their predicates, of frames that are looked at as
    pictures.

    The stage "spatial" looks at every frame by itself. In the stage "temporal" a frame is refined
    by others of its video. The stage is a part of the weights.
    """

    in_temporal_stage: Tensor

    def __init__(
        self,
        schema: Schema,
        config: OedConfig,
        mode: str,
        *,
        temporal: bool,
        frames_per_video: int = 8,
        merge_queries: bool = False,
    ) -> None:
        """temporal: with the parts of the temporal stage. frames_per_video: of which a spatial step
        learns. merge_queries: in sgdet, let queries that say the same of the same boxes be one.
        Raises ConfigError if subjects are of more than one class, or if the heads do not divide the
        width."""
        super().__init__()
        if len(schema.vocabulary.subjects) != 1:
            raise ConfigError(
                f"OED supports subjects of one class only; data set {schema.name!r} has"
                f" {len(schema.vocabulary.subjects)}."
            )
        if config.hidden_dim % config.heads or config.hidden_dim % 4:
            raise ConfigError(
                f"option -hidden_dim: {config.hidden_dim} is no multiple of 4 and of -heads {config.heads}"
            )
        config.kept(config.num_queries)
        self.config, self.mode, self.given = config, mode, mode == "predcls"
        self.frames_per_video, self.merge_queries = frames_per_video, merge_queries
        self.subject_class = schema.vocabulary.objects.index(schema.vocabulary.subjects[0])
        self.one_subject = schema.one_subject
        self.single = {group.name: group.kind == "single" for group in schema.vocabulary.groups}
        self.backbone = backbone_of(config)
        self.network = OedNetwork(
            schema.vocabulary, config, channels=self.backbone.channels, given=self.given, temporal=temporal
        )
        self.register_buffer("in_temporal_stage", torch.tensor(False))

    @property
    def stage(self) -> OedStage:
        return "temporal" if bool(self.in_temporal_stage) else "spatial"

    def forward(self, clip: Clip) -> OedLogits:
        """What is said of all frames, or, where the model learns, of a few drawn ones.

        Raises DataError if the clip has no pictures.
        """
        if clip.pictures is None:
            raise DataError(
                f"clip of {', '.join(clip.video_ids[:3])}: OED reads pictures, which the clip does not have."
            )
        if self.training:
            return OedLogits({}, scored=[self._learn(clip, frames) for frames in _videos(clip)])
        scored = [self._score(clip, frames) for frames in _videos(clip)]
        if self.given:
            return OedLogits(self._groups_of_given(clip, scored), scored=scored)
        found = [self._queries(part, clip.schema) for part in scored]
        return OedLogits(*self._settled(clip, scored, found), scored=scored)

    def begin_temporal_stage(self) -> None:
        """Heads of the temporal stage start from those of the spatial one."""
        assert self.network.temporal_heads is not None
        self.network.temporal_heads.load_state_dict(self.network.heads.state_dict())
        self.in_temporal_stage.fill_(True)

    def learn(self, *, keep_stem: bool) -> None:
        """Which weights learn in the stage. keep_stem: not the backbone's first stages."""
        temporal = self.stage == "temporal"
        self.requires_grad_(not temporal)
        if not temporal:
            self.backbone.keep_stem(keep_stem)
        for part in (self.network.refiners, self.network.temporal_heads):
            if part is not None:
                part.requires_grad_(temporal)
        if self.network.class_vectors is not None:
            self.network.class_vectors.requires_grad_(False)

    def train(self, mode: bool = True) -> Oed:
        """In the temporal stage what does not learn has no dropout; in the reference it has."""
        super().train(mode)
        if mode and self.stage == "temporal" and not self.config.reference_compat:
            network = self.network
            for part in (self.backbone, network.encoder, network.instance_decoder, network.relation_decoder):
                part.eval()
        return self

    def look(self, clip: Clip, frames: Sequence[int], flip: Sequence[bool] = ()) -> tuple[Tensor, Tensor]:
        """Features of frames of the clip, and the padding of their batch in pixels."""
        assert clip.pictures is not None
        device = self.in_temporal_stage.device
        turned = list(flip) or [False] * len(frames)
        sides = (self.config.short_side, self.config.long_side)
        pictures = [
            prepared_picture(clip.pictures[i].numpy(), *sides, flip=back)
            for i, back in zip(frames, turned, strict=True)
        ]
        batch, padding = padded(pictures)
        return self.backbone(batch.to(device)), padding.to(device)

    def _learn(self, clip: Clip, frames: range) -> ScoredFrames:
        """A few frames of a video, drawn; in the temporal stage one, with its references."""
        device = clip.device
        if self.stage == "spatial":
            chosen = torch.randperm(len(frames))[: self.frames_per_video].sort().values + frames.start
            flip = (torch.rand(len(chosen)) < 0.5).tolist()
            encoded, pairs = self._encode(clip, chosen.tolist(), flip)
            layers = self.network.spatial(encoded)
            return ScoredFrames(chosen.to(device), layers, torch.tensor(flip, device=device))
        target = int(torch.randint(len(frames), ()))
        others = drawn_references(target, len(frames), self.config.ref_interval, self.config.num_ref_frames, None)
        rows = [frames.start + i for i in (target, *others)]
        encoded, pairs = self._encode(clip, rows)
        said = self.network.temporal(encoded.instance[-1], encoded.relation[-1], 0, pairs)[0]
        return ScoredFrames(
            torch.tensor(rows[:1], device=device), [said], torch.zeros(1, dtype=torch.bool, device=device)
        )

    def _score(self, clip: Clip, frames: range) -> ScoredFrames:
        """All frames of a video."""
        pairs = self._pairs(clip, frames)
        parts: list[list[PairLogits]] = []
        instance, relation = [], []
        for begin in range(0, len(frames), AT_ONCE):
            rows = slice(begin, begin + AT_ONCE)
            features, padding = self.look(clip, frames[rows])
            encoded = self.network.encode(features, padding, None if pairs is None else pairs.frames(rows))
            if self.stage == "spatial":
                parts.append(self.network.spatial(encoded)[-1:])
            instance.append(encoded.instance[-1])
            relation.append(encoded.relation[-1])
        if self.stage == "temporal":
            whole = (torch.cat(instance), torch.cat(relation))
            for target in range(len(frames)):
                others = scored_references(target, len(frames), self.config.ref_interval, self.config.num_ref_frames)
                rows_of = [target, *others]
                given = None if pairs is None else pairs.frames(rows_of)
                parts.append([self.network.temporal(whole[0][rows_of], whole[1][rows_of], 0, given)[0]])
        row = torch.arange(frames.start, frames.stop, device=clip.device)
        return ScoredFrames(
            row, [PairLogits.cat([part[-1] for part in parts])], torch.zeros_like(row, dtype=torch.bool)
        )

    def _encode(self, clip: Clip, rows: Sequence[int], flip: Sequence[bool] = ()) -> tuple[Encoded, GivenPairs | None]:
        pairs = self._pairs(clip, rows, flip)
        return self.network.encode(*self.look(clip, rows, flip), pairs), pairs

    def _pairs(self, clip: Clip, rows: Sequence[int], flip: Sequence[bool] = ()) -> GivenPairs | None:
        if not self.given:
            return None
        turned = list(flip) or [False] * len(rows)
        frames = []
        for row, back in zip(rows, turned, strict=True):
            subject, obj, _ = boxes_of_pairs(clip, row, flip=back)
            pairs = clip.pair_frame == row
            frames.append((clip.node_class[clip.pair_object[pairs]], subject, obj))
        return GivenPairs.of(frames)

    def _groups_of_given(self, clip: Clip, scored: Sequence[ScoredFrames]) -> dict[str, Tensor]:
        """(P, C) logits of the clip's pairs, query i of a frame being its pair i."""
        count = torch.bincount(clip.pair_frame, minlength=clip.frames)
        frame = torch.cat([part.frames for part in scored])
        most = int(count.max()) if len(count) else 0
        valid = torch.arange(most, device=clip.device) < count[frame][:, None]
        groups = {}
        for name, single in self.single.items():
            tables = [part.layers[-1].groups[name] for part in scored]
            width = max(table.shape[1] for table in tables)
            whole = torch.cat([nn.functional.pad(table, (0, 0, 0, width - table.shape[1])) for table in tables])
            rows = whole[:, :most][valid] if most else whole.flatten(0, 1)[:0]
            groups[name] = rows[:, :-1] if single else rows
        return groups

    def _queries(self, part: ScoredFrames, schema: Schema) -> Iterator[PairQueries]:
        said = part.layers[-1]
        for i in range(len(part.frames)):
            found = PairQueries.of(said.frame(i), self.single, any_class=self.config.reference_compat)
            yield merged_queries(found, one_subject=self.one_subject) if self.merge_queries else found

    def _settled(
        self, clip: Clip, scored: Sequence[ScoredFrames], found: Sequence[Iterator[PairQueries]]
    ) -> tuple[dict[str, Tensor], None, None, None, Clip]:
        """Groups and the clip whose nodes are the boxes of the queries: a frame's subjects, then
        its objects.
        """
        box, klass, score, node_frame, subject, obj, pair_frame = ([] for _ in range(7))
        tables: dict[str, list[Tensor]] = {name: [] for name in self.single}
        nodes = 0
        for part, queries in zip(scored, found, strict=True):
            for frame, q in zip(part.frames.tolist(), queries, strict=True):
                size = clip.frame_size[frame].repeat(2)
                both = box_convert(torch.cat([q.subject_box, q.object_box]).float(), "cxcywh", "xyxy") * size
                box.append(both)
                klass.append(
                    torch.cat(
                        [torch.full_like(q.object_class[: len(q.subject_box)], self.subject_class), q.object_class]
                    )
                )
                score.append(torch.cat([torch.ones_like(q.object_score[: len(q.subject_box)]), q.object_score]))
                node_frame.append(torch.full((len(both),), frame, device=clip.device))
                subject.append(nodes + q.subject)
                obj.append(nodes + len(q.subject_box) + torch.arange(len(q.object_box), device=clip.device))
                pair_frame.append(torch.full((len(q.object_box),), frame, device=clip.device))
                for name, table in q.groups.items():
                    tables[name].append(table)
                nodes += len(both)
        settled = replace(
            clip,
            node_box=torch.cat(box),
            node_class=torch.cat(klass),
            node_score=torch.cat(score),
            node_frame=torch.cat(node_frame),
            node_identity=torch.full((nodes,), -1, device=clip.device),
            pair_subject=torch.cat(subject),
            pair_object=torch.cat(obj),
            pair_frame=torch.cat(pair_frame),
            node_target=None,
            labels=None,
            label_use=None,
            classes_given=True,
            pairs_open=False,
        )
        return {name: torch.cat(rows) for name, rows in tables.items()}, None, None, None, settled


def boxes_of_pairs(clip: Clip, frame: int, *, flip: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Subject and object boxes (P, 4) of the pairs of a frame as centre and sides, 0..1 of the
    picture, within which they are clamped; and (P,) bool, whether both have an area."""
    pairs = clip.pair_frame == frame
    size = clip.frame_size[frame].repeat(2)
    found = []
    for nodes in (clip.pair_subject[pairs], clip.pair_object[pairs]):
        box = (clip.node_box[nodes].float() / size).clamp(0, 1)
        box = torch.stack([1 - box[:, 2], box[:, 1], 1 - box[:, 0], box[:, 3]], 1) if flip else box
        found.append(box_convert(box, "xyxy", "cxcywh"))
    subject, obj = found
    return subject, obj, (subject[:, 2:] > 0).all(1) & (obj[:, 2:] > 0).all(1)


def _videos(clip: Clip) -> Iterator[range]:
    """The frames of every video."""
    edges = torch.searchsorted(clip.frame_video, torch.arange(clip.videos + 1, device=clip.device)).tolist()
    for begin, end in pairwise(edges):
        yield range(begin, end)
