"""Did you mean ...?"""

import difflib
from collections.abc import Sequence


def closest(name: str, known: Sequence[str]) -> str:
    """A hint such as ``; did you mean 'mode' or 'model'?``, or nothing when no known name is near."""
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
