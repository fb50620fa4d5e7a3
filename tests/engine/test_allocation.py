"""Freed memory is used again by the next tensors."""

from __future__ import annotations

import resource

import pytest
import torch

from vidsgg.engine.allocation import keep_freed_memory

MIB = 2**18  # float32 numbers


def faults_of_a_tensor(size: int) -> int:
    """Pages that the system had to fill for so many MiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(size * MIB)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_the_pages_of_a_freed_tensor_are_not_asked_for_again() -> None:
    if not keep_freed_memory():
        pytest.skip("not a system with glibc")
    faults_of_a_tensor(64)
    assert faults_of_a_tensor(48) < 1000  # of 12,288, which it is without
