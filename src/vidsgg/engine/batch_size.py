"""The largest batch that fits into the memory of a device (-batch_size auto)."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from vidsgg.engine.state import TrainingState
from vidsgg.io.memory import available_memory
from vidsgg.losses.criterion import Criterion
from vidsgg.structures.clip import Clip

MOST = 64  # videos that are ever taken
FEWEST_STEPS = 10  # that an epoch keeps
_SHARE = 0.8  # of what is free
# Bytes per parameter that learns: its gradient and two moments, float32. They do not exist before the first step.
_OF_LEARNING = 12
# Beside what a forward pass keeps, its backward pass needs the gradients of it, a part at a time.
_BACKWARD = 1.5


@dataclass(frozen=True)
class BatchSize:
    """videos: of a batch. why: what it was limited by, for the log."""

    videos: int
    why: str


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number from 1 to ``most`` that fits, if all below it do; 0 if not even 1 does."""
    good, bad = 0, most + 1
    size = 1
    while size < bad and fits(size):
        good, size = size, 2 * size
    bad = min(bad, size)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


def find_batch_size(state: TrainingState, criterion: Criterion, clip: Clip, *, videos: int, sharing: int) -> BatchSize:
    """How many times a clip, the largest video of the training set, fits into a batch.

    On a processor, what a forward pass of it keeps is counted and compared with the free memory. On a
    GPU, steps with more and more copies of it are made until memory runs out; they spoil the weights of
    ``state``, which is to be thrown away afterwards. videos: of the training set. sharing: processes
    that take their memory from the same main memory.
    """
    most = max(1, min(MOST, videos // FEWEST_STEPS))
    if clip.device.type != "cpu":
        found = largest(lambda size: _step_fits(state, criterion, Clip.cat([clip] * size)), most)
        limit = f"that fit into the memory of {clip.device}"
    else:
        free = _SHARE * available_memory() / sharing
        need = _need_of(state, criterion, clip)
        found = largest(lambda size: need(size) <= free, most)
        limit = f"that fit into {free / 2**30:.1f} GiB of memory, four fifths of what is free"
    if found == most:
        limit = f"that are taken (at most {MOST}, and an epoch keeps {FEWEST_STEPS} steps)"
    if found == 0:
        return BatchSize(1, "the least, and memory may not suffice for the largest video")
    return BatchSize(found, f"the most {limit}")


def _loss(state: TrainingState, criterion: Criterion, clip: Clip) -> dict[str, Tensor]:
    with state.update.precision.autocast():
        logits = state.model(clip)
    return dict(criterion(logits, clip))


def _need_of(state: TrainingState, criterion: Criterion, clip: Clip) -> Callable[[int], float]:
    """Bytes that training needs, beside the weights, by the number of videos in a batch."""
    state.model.train()
    one = kept_bytes(lambda: _loss(state, criterion, clip), state.model)
    two = kept_bytes(lambda: _loss(state, criterion, Clip.cat([clip, clip])), state.model)
    learning = _OF_LEARNING * sum(p.numel() for p in state.model.parameters() if p.requires_grad)
    of_video = _BACKWARD * (two - one) + 2 * _bytes_of(clip)  # the next batch is read while one is learnt from
    return lambda videos: learning + max(0, 2 * one - two) + videos * of_video


def kept_bytes(forward: Callable[[], object], model: nn.Module) -> int:
    """Bytes of the tensors that a forward pass keeps for its backward pass, but for the weights."""
    owned = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        graph = forward()  # as long as it lives, no storage takes the place of another
    del graph
    return sum(size for place, size in kept.items() if place not in owned)


def _bytes_of(clip: Clip) -> int:
    values = [getattr(clip, column.name) for column in fields(clip)]
    tensors = [value for value in values if isinstance(value, Tensor)]
    pictures = [picture for picture in clip.pictures or () if isinstance(picture, Tensor)]
    return sum(value.nbytes for value in (*tensors, *pictures))


def _step_fits(state: TrainingState, criterion: Criterion, clip: Clip) -> bool:
    state.model.train()
    try:
        state.update.add(_loss(state, criterion, clip), clip.videos)
        state.update.step(1.0)
        return True
    except torch.OutOfMemoryError:
        return False
    finally:
        state.update.forget()
        gc.collect()  # what a traceback held
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
