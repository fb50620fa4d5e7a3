"""File names made of names that come from outside: the videos of an annotation file, the detector
of a weights file."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

# bytes in UTF-8. File systems take 255; the rest is for suffixes and for the decoration of
# temporary files
LONGEST = 128

_DIGITS = "0123456789¹²³"  # Windows reserves COM¹ as well as COM1
_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    "conin$",
    "conout$",
    *(f"{port}{digit}" for port in ("com", "lpt") for digit in _DIGITS),
}
_UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_MARKED = re.compile(r"~[0-9a-f]{16}")  # at the end of a name that stands for another one


def file_name(name: str, among: Iterable[str] = ()) -> str:
    """A name that stays inside its folder on every system, another one for every ``name``; suffixes
    may follow.

    An ordinary name stands for itself. Any other becomes what can be read of it and a hash of the
    whole: one with a path separator, a drive letter or a control character, one that begins with a
    dot or ends in a dot or a space, one that Windows reserves, one of more than LONGEST bytes. So
    does one that some file system takes for another of ``among``, names that share
    a folder with it: systems ignore upper and lower case, and how an accent is written.
    """
    if _is_ordinary(name) and not any(other != name and folded(other) == folded(name) for other in among):
        return name
    letters = unicodedata.normalize("NFC", name).replace(".", "_")
    readable = "".join(letter if _is_plain(letter) else "_" for letter in letters).strip(" _")
    readable = readable.encode()[:48].decode(errors="ignore")
    return f"{readable}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def is_one_name(name: object) -> bool:
    """Whether ``name`` is a text that can be one file's or folder's name and leads nowhere else, on
    any system.

    For loaders, which read files by names that others chose and so cannot change them.
    """
    if not isinstance(name, str) or not name or name.startswith(".") or re.search(r"[/\\:\x00-\x1f\x7f]", name):
        return False
    try:
        return len(name.encode()) <= 240
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _is_ordinary(name: str) -> bool:
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= LONGEST
        and all(map(_is_plain, name))
        and name == unicodedata.normalize("NFC", name)
        and name[0] not in ". "
        and name[-1] not in ". "
        and name.partition(".")[0].strip().lower() not in _RESERVED
        and not _MARKED.fullmatch(name[-17:])
    )


def _is_plain(letter: str) -> bool:
    if letter.isascii():
        return _UNSAFE.match(letter) is None
    # letters, accents and digits: no look-alikes of separators, nothing invisible
    return unicodedata.category(letter)[0] in "LMN"


def folded(name: str) -> str:
    """Equal for names that some file system takes for one: upper and lower case, an accent written
    in two ways."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
