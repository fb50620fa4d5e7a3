"""The parts of a run, made from its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.pair_limits import LimitedPairs
from vidsgg.datasets.registry import data_folder, has_validation, open_whole_split
from vidsgg.datasets.splits import hold_out_validation, take_datasize
from vidsgg.engine.distributed import ALONE, Team
from vidsgg.errors import ConfigError
from vidsgg.io.locations import Location

SYNTHETIC_FOLDER = Path("data") / "synthetic"


def choose_device(name: str, team: Team = ALONE) -> torch.device:
    """ "auto" is the first CUDA device, else the CPU. Raises ConfigError for a device that is not
    there.

    Of several processes each has the CUDA device of its number on its machine.
    """
    if team.size > 1 and (name == "cuda" or (name == "auto" and torch.cuda.is_available())):
        if team.local_size > torch.cuda.device_count():
            raise ConfigError(
                f"option -device: {team.local_size} processes were started on a machine with"
                f" {torch.cuda.device_count()} CUDA devices; start as many as there are (torchrun"
                f" --nproc_per_node={torch.cuda.device_count()}), or train with -device cpu."
            )
        torch.cuda.set_device(team.local_rank)
        return torch.device("cuda", team.local_rank)
    if team.size > 1 and name not in ("auto", "cpu"):
        raise ConfigError(f"option -device: {name!r} is one device for {team.size} processes; use auto, cuda or cpu.")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"option -device: cannot use {name!r}: {str(error).splitlines()[0]}") from error
    return torch.device(name)


def move_to(model: nn.Module, device: torch.device) -> None:
    """Raises ConfigError if the device's memory does not suffice."""
    try:
        model.to(device)
    except torch.OutOfMemoryError as error:
        size = sum(p.numel() * p.element_size() for p in model.parameters()) / 2**30
        raise ConfigError(
            f"option -device: the memory of {device} does not suffice for the {size:.1f} GiB of the model's weights:"
            f" {str(error).splitlines()[0]}"
        ) from error


def resolve_data_path(given: str | None) -> Location:
    """The data set's folder; for ``synthetic`` the folder of that name if there is one, else the
    built-in set, which is made. Raises ConfigError if nothing is given or found."""
    if given == "synthetic" and not Path(given).is_dir():
        from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate, is_complete

        if not is_complete(SYNTHETIC_FOLDER):
            generate(SYNTHETIC_FOLDER, SyntheticConfig())
        return SYNTHETIC_FOLDER
    return data_folder(given)


@dataclass(frozen=True)
class Splits:
    """Videos to learn from and videos to validate on, of one data set."""

    train: VideoDataset
    val: VideoDataset


def open_splits(
    root: Location,
    mode: str,
    *,
    datasize: str,
    val: str,
    skip_bad: bool,
    max_pairs: int | None = None,
    videos_path: Location | None = None,
) -> Splits:
    """val: "holdout", the data set's own validation videos, or where it has none a fixed tenth of
    the training videos; "test", the test split, and all training videos to learn from. max_pairs,
    videos_path: as ``open_split``."""
    opening = _Opening(root, mode, skip_bad, max_pairs, videos_path)
    if val == "test":
        learn, held = (opening.split(split) for split in ("train", "test"))
    else:
        learn, held = opening.learn_and_hold()
    return Splits(take_datasize(learn, datasize), take_datasize(held, datasize))


def open_split(
    root: Location,
    mode: str,
    split: str,
    *,
    datasize: str,
    skip_bad: bool,
    max_pairs: int | None = None,
    videos_path: Location | None = None,
) -> VideoDataset:
    """test, val (the data set's own validation videos, else the held-out tenth of the training
    videos) or train (the other training videos).

    max_pairs: of a frame that are looked at, 0 for all, None for what the data set says. videos_path:
    the folder with the videos or pictures, None if that is ``root``. Raises ConfigError where pairs are
    annotated one by one, or where there are no pictures.
    """
    opening = _Opening(root, mode, skip_bad, max_pairs, videos_path)
    if split == "test" or has_validation(root):
        return take_datasize(opening.split(split), datasize)
    learn, held_out = opening.learn_and_hold()
    return take_datasize(held_out if split == "val" else learn, datasize)


@dataclass(frozen=True)
class _Opening:
    """How the splits of a data set are opened."""

    root: Location
    mode: str
    skip_bad: bool
    max_pairs: int | None
    videos_path: Location | None

    def split(self, name: str) -> VideoDataset:
        whole = open_whole_split(self.root, name, self.mode, self.skip_bad, self.videos_path)
        return whole if self.max_pairs is None else LimitedPairs(whole, self.max_pairs)

    def learn_and_hold(self) -> tuple[VideoDataset, VideoDataset]:
        whole = self.split("train")
        return (whole, self.split("val")) if has_validation(self.root) else hold_out_validation(whole)
