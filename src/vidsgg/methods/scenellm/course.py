"""The stages of SceneLLM's training."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from vidsgg.engine.course import Begin, Course
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.run_folder import RunFolder
from vidsgg.engine.state import TrainingState
from vidsgg.methods.scenellm import SceneLLMOptions
from vidsgg.models.scenellm.quantiser import CodeUse, VectorQuantiser
from vidsgg.models.scenellm.scenellm import SceneLLM, Stage
from vidsgg.models.scenellm.transport import FrameWords, find_frame_words
from vidsgg.ops.clusters import kmeans, nearest
from vidsgg.structures.clip import Clip

SAMPLE = 16  # features for each code, from which the codebook starts and by which its unused codes are found


@dataclass(frozen=True, kw_only=True)
class SceneLLMCourse(Course):
    """Stage 1 for ``lead`` epochs, stage 2a for ``frozen`` more, then the words, then stage 2b.
    word_step: see find_frame_words.

    What an epoch begins with is a function of the weights, the data, the seed and the epoch, so
    that a run that goes on comes to the same.
    """

    lead: int
    frozen: int
    epochs: int
    vq_lr: float
    llm_lr: float
    word_step: int
    seed: int

    @staticmethod
    def of(model: nn.Module, options: SceneLLMOptions) -> SceneLLMCourse:
        assert isinstance(model, SceneLLM)
        lead = options.vq_epochs if model.quantiser is not None else 0
        return SceneLLMCourse(
            lead=lead,
            frozen=options.freeze_llm_epochs,
            epochs=options.epochs,
            vq_lr=options.vq_lr,
            llm_lr=options.llm_lr,
            word_step=options.word_step,
            seed=options.seed,
        )

    def groups(self, model: nn.Module, lr: float) -> list[dict[str, Any]]:
        assert isinstance(model, SceneLLM)
        parts = (
            ("own", model.own_weights(), lr),
            ("codes", model.quantiser_weights(), self.vq_lr),
            ("llm", model.adapter_weights(), self.llm_lr),
        )
        return [{"params": params, "lr": rate, "name": name} for name, params, rate in parts if params]

    def stage(self, epoch: int) -> Stage:
        if epoch <= self.lead:
            return Stage.CODES
        return Stage.RELATIONS if epoch <= self.lead + self.frozen else Stage.LANGUAGE

    def before_epoch(self, state: TrainingState, loader: ClipLoader) -> Begin:
        model, epoch = state.model, state.epoch
        assert isinstance(model, SceneLLM)
        changes: list[Begin] = []
        if state.batch == 0:  # else the epoch has begun before
            model.eval()
            if epoch in (1, self.lead + 1, self._last_frozen + 1):
                changes.append(lambda run: self._announce(run, model, epoch))
            if model.quantiser is not None and epoch <= self.lead + 1:
                changes.append(self._codebook(model.quantiser, state, loader))
            if model.words.has_kinds and epoch == self._last_frozen + 1:
                changes.append(self._words(model, state, loader))

        def begin(run: RunFolder) -> None:
            for change in changes:
                change(run)
            model.learn(self.stage(epoch))

        return begin

    @property
    def _last_frozen(self) -> int:
        return self.lead + self.frozen

    def _announce(self, run: RunFolder, model: SceneLLM, epoch: int) -> None:
        stage = self.stage(epoch)
        first = {Stage.CODES: 1, Stage.RELATIONS: self.lead + 1, Stage.LANGUAGE: self._last_frozen + 1}[stage]
        last = min(
            {Stage.CODES: self.lead, Stage.RELATIONS: self._last_frozen, Stage.LANGUAGE: self.epochs}[stage],
            self.epochs,
        )
        epochs = f"epochs {first} to {last} are" if last > first else f"epoch {first} is"
        run.log(f"{epochs} stage {_what_learns(stage, model)}")
        if epoch == 1 and self.epochs <= self._last_frozen:
            run.log(
                f"warning: -epochs {self.epochs} ends before"
                f" {'any relation is learnt' if self.epochs <= self.lead else 'stage 2b'}"
            )

    def _codebook(self, quantiser: VectorQuantiser, state: TrainingState, loader: ClipLoader) -> Begin:
        """Put codes where features are, at first all of them, then those that none is near to;
        after stage 1, tell how they are used."""
        team, generator = loader.team, self._generator("codes", state.epoch)
        told = team.gather(_sample_of_features(loader, state.epoch, -(-SAMPLE * len(quantiser.codebook) // team.size)))

        def change() -> tuple[dict[str, Tensor], CodeUse]:
            sample = _joined(told, quantiser.codebook.device)
            fresh = copy.deepcopy(quantiser)
            if not quantiser.started:
                use = fresh.start_from(sample, generator)
            else:
                use = fresh.revive(sample, generator) if state.epoch <= self.lead else fresh.use_of(sample)
            return {name: value.cpu() for name, value in fresh.state_dict().items()}, use

        changed, use = team.made_by_first(change)

        def begin(run: RunFolder) -> None:
            quantiser.load_state_dict(changed)
            run.log(f"codes: {use.used} of {len(quantiser.codebook)} in use, perplexity {use.perplexity:.1f}")
            values = {"train/codes/used": float(use.used), "train/codes/perplexity": use.perplexity}
            run.scalars(values, epoch=state.epoch, step=state.step + 1)

        return begin

    def _words(self, model: SceneLLM, state: TrainingState, loader: ClipLoader) -> Begin:
        """Tell kinds of frames apart on the training videos, and find the words that they form."""
        team, generator = loader.team, self._generator("words", state.epoch)
        told = team.gather(list(_frame_tokens(model, loader)))

        def learn() -> tuple[Tensor, FrameWords | None]:
            token, video = _joined(told, model.words.kinds.device), _video_of_row(told)
            centres = kmeans(token, len(model.words.kinds), generator)
            if model.words.mode != "words":
                return centres.cpu(), None
            kind = nearest(token, centres)
            return centres.cpu(), find_frame_words(kind.cpu(), video, len(model.words.vocabulary), self.word_step)

        kinds, found = team.made_by_first(learn)

        def begin(run: RunFolder) -> None:
            model.words.learn(kinds, found.words if found else None)
            if found:
                run.log(
                    f"words: {len(found.words)} of several frames, of {found.offered} offered; entropy per frame"
                    f" {found.entropy:.3f} ({found.entropy_of_frames:.3f} without them), {found.mean_length:.2f} frames"
                    " a word"
                )
                run.scalars(
                    {f"train/{name}": value for name, value in found.scalars().items()},
                    epoch=state.epoch,
                    step=state.step + 1,
                )

        return begin

    def _generator(self, what: str, epoch: int) -> torch.Generator:
        return torch.Generator().manual_seed(random.Random(f"{self.seed}/{what}/{epoch}").getrandbits(31))


def _what_learns(stage: Stage, model: SceneLLM) -> str:
    if stage is Stage.CODES:
        return "1: the codebook learns to give back features; nothing is scored"
    codebook, language = (
        ["the codebook"] * (model.quantiser is not None),
        ["the language model"] * (model.language is not None),
    )
    if stage is Stage.RELATIONS:
        return f"2a: {_all_but([*codebook, *language])}"
    return f"2b: {_all_but(codebook)}{', the language model by its adapters' if language else ''}"


def _all_but(parts: list[str]) -> str:
    return f"all but {' and '.join(parts)} learns" if parts else "all learns"


Rows = list[tuple[str, Tensor]]  # of each video


def _sample_of_features(loader: ClipLoader, epoch: int, least: int) -> Rows:
    """RoI features of whole videos in the order of the epoch, until there are enough."""
    rows: Rows = []
    for batch in loader.batches(epoch):
        assert batch.clip.node_feature is not None  # else there is no codebook
        rows += _by_video(batch.clip, batch.clip.node_feature, batch.clip.node_frame)
        if sum(len(features) for _, features in rows) >= least:
            break
    return rows


@torch.no_grad()
def _frame_tokens(model: SceneLLM, loader: ClipLoader) -> Iterator[tuple[str, Tensor]]:
    """Frame tokens of all training videos, rounded to half precision: those of a large data set fit
    into memory so."""
    for batch in tqdm(
        loader.batches(), total=len(loader), desc="words", unit="batch", leave=False, disable=loader.team.hides_progress
    ):
        token = model.frame_tokens(batch.clip).half()
        yield from _by_video(batch.clip, token, torch.arange(batch.clip.frames, device=batch.clip.device))


def _by_video(clip: Clip, rows: Tensor, frame: Tensor) -> Rows:
    """rows (R, ...) of nodes or frames, frame (R,) their frames, never decreasing."""
    count = torch.bincount(clip.frame_video[frame], minlength=clip.videos).tolist()
    return list(zip(clip.video_ids, rows.cpu().split(count), strict=True))


def _joined(told: list[Rows], device: torch.device) -> Tensor:
    """The rows of all processes in the order of the videos' names, so that neither their number nor
    a shuffle changes it."""
    return torch.cat([rows for _, rows in sorted(chain(*told), key=lambda pair: pair[0])]).float().to(device)


def _video_of_row(told: list[Rows]) -> Tensor:
    lengths = [len(rows) for _, rows in sorted(chain(*told), key=lambda pair: pair[0])]
    return torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
