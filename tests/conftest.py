"""What every test may count on."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from buckets import Buckets, serving

# A shell starts its background jobs deaf to interrupts, and so are their children: then no test of
# Ctrl-C could be one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def buckets() -> Iterator[Buckets]:
    """An object storage on this machine; see ``buckets.py``."""
    with serving() as started:
        yield started
