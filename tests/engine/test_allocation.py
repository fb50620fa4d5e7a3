"""Freed memory is used again by the next tensors."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own: one that has run many tests holds its memory in pieces.
FAULTS = """
import resource, torch
from vidsgg.engine.allocation import keep_freed_memory

MIB = 2**18  # float32 numbers

def faults_of_a_tensor(size):  # pages that the system had to fill for so many MiB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(size * MIB)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if keep_freed_memory():
    faults_of_a_tensor(64)
    print(faults_of_a_tensor(48))
"""


def test_the_pages_of_a_freed_tensor_are_not_asked_for_again() -> None:
    said = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True).stdout
    if not said:
        pytest.skip("not a system with glibc")
    assert int(said) < 1000  # of 12,288, which it is without
