"""STKET's histories as the reference keeps them: one video, a loop over its pairs in order, a
dictionary for each class of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Walked:
    """What every pair finds when it is its turn, as pairs counted through the video. transition:
    whose contacts it has as a pair of the
    earlier frame of a window. before: whose contacts come before it. chain: whose features the
    ensemble reads, the oldest first.
    """

    transition: list[int]
    before: list[int]
    chain: list[list[int]]


def walk(frame: Sequence[int], klass: Sequence[int], score: Sequence[float] | None, length: int) -> Walked:
    """frame, klass, score: of every pair of one video, frames never decreasing. score: None where
    the last of a class in a frame represents it (predcls, training), else the best one does, the
    first of equal ones. length: frames of the ensemble at most.
    """
    history: dict[int, dict[int, int]] = {}  # class -> frame -> the pair that represents it so far
    found = Walked([], [], [])
    for pair, (t, k) in enumerate(zip(frame, klass, strict=True)):
        seen = history.setdefault(k, {})
        if score is None or t not in seen or score[pair] > score[seen[t]]:
            seen[t] = pair
        found.transition.append(seen[t])

        earlier = [u for u in seen if u < t]
        latest = max(earlier, default=None)
        found.before.append(seen[latest if latest is not None and t - latest <= 2 else t])

        keys = [t]
        for u in sorted(earlier, reverse=True):
            if len(keys) == length or keys[-1] - u > 2:
                break
            keys.append(u)
        found.chain.append([seen[u] for u in reversed(keys)])
    return found
