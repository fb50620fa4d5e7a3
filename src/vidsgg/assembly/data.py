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
    root: Location, mode: str, *, datasize: str, val: str, skip_bad: bool, max_pairs: int | None = None
) -> Splits:
    """val: "holdout", the data set's own validation videos, or where it has none a fixed tenth of
    the training videos; "test", the test split, and all training videos to learn from. max_pairs: as
    ``open_split``."""
    if val == "test":
        learn, held = (_open(root, split, mode, skip_bad, max_pairs) for split in ("train", "test"))
    else:
        learn, held = _learn_and_hold(root, mode, skip_bad, max_pairs)
    return Splits(take_datasize(learn, datasize), take_datasize(held, datasize))


def open_split(
    root: Location, mode: str, split: str, *, datasize: str, skip_bad: bool, max_pairs: int | None = None
) -> VideoDataset:
    """test, val (the data set's own validation videos, else the held-out tenth of the training
    videos) or train (the other training videos). max_pairs: of a frame that are looked at, 0 for
    all, None for what the data set says. Raises ConfigError where pairs are annotated one by one."""
    if split == "test":
        return take_datasize(_open(root, "test", mode, skip_bad, max_pairs), datasize)
    if has_validation(root):
        return take_datasize(_open(root, split, mode, skip_bad, max_pairs), datasize)
    learn, held_out = _learn_and_hold(root, mode, skip_bad, max_pairs)
    return take_datasize(held_out if split == "val" else learn, datasize)


def _learn_and_hold(
    root: Location, mode: str, skip_bad: bool, max_pairs: int | None
) -> tuple[VideoDataset, VideoDataset]:
    whole = _open(root, "train", mode, skip_bad, max_pairs)
    if has_validation(root):
        return whole, _open(root, "val", mode, skip_bad, max_pairs)
    return hold_out_validation(whole)


def _open(root: Location, split: str, mode: str, skip_bad: bool, max_pairs: int | None) -> VideoDataset:
    whole = open_whole_split(root, split, mode, skip_bad=skip_bad)
    return whole if max_pairs is None else LimitedPairs(whole, max_pairs)
