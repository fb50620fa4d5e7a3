"""What every test may count on."""

from __future__ import annotations

import signal

# A shell starts its background jobs deaf to interrupts, and so are their children: then no test of
# Ctrl-C could be one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
