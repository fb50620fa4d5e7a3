"""The two stages of OED's training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from vidsgg.engine.course import Begin, Course
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.run_folder import RunFolder
from vidsgg.engine.state import TrainingState
from vidsgg.methods.oed import OedOptions
from vidsgg.models.oed.oed import Oed

DROP = 0.1  # factor on the learning rate


@dataclass(frozen=True, kw_only=True)
class OedCourse(Course):
    """Stage 1 for ``spatial`` epochs: single frames. Stage 2, the rest: heads of their own start
    from those of stage 1, and they and the layers over other frames learn; all else stays.

    drop: epochs of each stage after which the rate is a tenth. backbone_lr: share of the rate.
    keep_stem: the backbone's first stages do not learn.
    """

    spatial: int
    drop: tuple[int, int]
    backbone_lr: float
    keep_stem: bool
    last_stage: int
    by_epoch: bool  # whether the rate follows ``drop``, instead of the schedule

    @staticmethod
    def of(options: OedOptions) -> OedCourse:
        spatial = options.epochs - options.temporal_epochs
        drop = options.lr_drop
        return OedCourse(
            spatial=spatial,
            drop=(drop or max(1, round(0.75 * spatial)), drop or max(1, options.temporal_epochs // 2)),
            backbone_lr=options.backbone_lr,
            keep_stem=options.start_weights is not None,
            last_stage=spatial + 1 if options.temporal_epochs else 1,
            by_epoch=options.scheduler == "step",
        )

    def groups(self, model: nn.Module, lr: float) -> list[dict[str, Any]]:
        assert isinstance(model, Oed)
        backbone, own = list(model.backbone.parameters()), list(model.network.parameters())
        return [
            {"params": own, "lr": lr, "name": "own"},
            {"params": backbone, "lr": lr * self.backbone_lr, "name": "backbone"},
        ]

    def factor(self, epoch: int, scheduled: float) -> float:
        if not self.by_epoch:
            return scheduled
        begun, drop = (epoch - 1, self.drop[0]) if epoch <= self.spatial else (epoch - 1 - self.spatial, self.drop[1])
        return float(DROP ** (begun // drop))

    def before_epoch(self, state: TrainingState, loader: ClipLoader) -> Begin:
        model, epoch = state.model, state.epoch
        assert isinstance(model, Oed)
        opens = state.batch == 0 and epoch == self.spatial + 1

        def begin(run: RunFolder) -> None:
            if opens:
                model.begin_temporal_stage()
                run.log(f"from epoch {epoch} on: stage 2, frames are refined by others of their video")
            model.learn(keep_stem=self.keep_stem)

        return begin
