"""Freed memory is used again by the next tensor of its size."""

from __future__ import annotations

import resource

import pytest
import torch

from vidsgg.engine.allocation import keep_freed_memory


def faults_of_a_large_tensor() -> int:
    """Pages that the system had to fill for 64 MiB."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 * 2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_the_pages_of_a_freed_tensor_are_not_asked_for_again() -> None:
    if not keep_freed_memory():
        pytest.skip("not a system with glibc")
    faults_of_a_large_tensor()
    assert faults_of_a_large_tensor() < 1000  # of 16,384, which it is without
