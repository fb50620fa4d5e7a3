"""Names for what is written about several files: those of the files where these differ, longer ones
where they do not."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence

from vidsgg.io.locations import Location
from vidsgg.io.names import file_name, folded

_LONGEST = 200  # bytes; file systems take 255


def names_of(path: Location, stem: str | None = None) -> list[str]:
    """Names under which something may be written about a file, the shortest first; the last one no
    other path has.

    They are short enough for the suffixes that follow. stem: the file's name without its suffix,
    where ``path.stem`` is not it.
    """
    whole = path.resolve()
    name, folder = whole.name, whole.parent.name
    stem = stem or (name if whole.is_dir() else whole.stem)
    digest = hashlib.sha256(os.fsencode(str(whole))).hexdigest()[:12]
    names = (stem, name, f"{folder}_{stem}", f"{folder}_{name}", f"{stem}_{digest}")
    return list(dict.fromkeys(name if len(os.fsencode(name)) <= _LONGEST else file_name(name) for name in names))


def distinct(choices: Sequence[Sequence[str]]) -> list[str]:
    """For every thing the first of its names that no other has. Those that share a name all take
    their next one."""
    used = [0] * len(choices)
    while True:
        names = [names[i] for names, i in zip(choices, used, strict=True)]
        uses = Counter(map(folded, names))
        shared = [thing for thing, name in enumerate(names) if uses[folded(name)] > 1]
        if not shared:
            return names
        for thing in shared:
            used[thing] += 1
