"""Whether a pickle asks for a larger memo than its file can need. Its operations are walked through
without running them, most of them by one regular expression: ``pickletools.genops`` takes a minute
for Action Genome's files."""

from __future__ import annotations

import pickletools
import re

_STORE, _STORE_LINE, _STOP = b"r", b"p", b"."
_LINES = {"c": 2, "i": 2}  # of text behind an operation; the others have one
_SHORT = range(256)  # counts that the regular expression knows
# Bytes of the count behind an operation by pickletools' sign for it, and whether it can be negative.
_COUNTS = {
    pickletools.TAKEN_FROM_ARGUMENT1: (1, False),
    pickletools.TAKEN_FROM_ARGUMENT4: (4, True),
    pickletools.TAKEN_FROM_ARGUMENT4U: (4, False),
    pickletools.TAKEN_FROM_ARGUMENT8U: (8, False),
}
_COUNTED = {
    known.code.encode("latin-1"): _COUNTS[known.arg.n]
    for known in pickletools.opcodes
    if known.arg is not None and known.arg.n in _COUNTS
}


def check_memo(content: bytes) -> None:
    """Raises ValueError for a place in the unpickler's memo that the file is too short to need: a
    table of that size would be made. Says nothing of files that the unpickler refuses itself."""
    size = len(content)
    after_store = re.compile(rb"(?=r(....))", re.DOTALL)
    suspicious = any(int.from_bytes(found[1], "little") > size for found in after_store.finditer(content))
    if not suspicious and not re.search(rb"p\s*[\d_+]{%d}" % len(str(size)), content):
        return
    run, at = _harmless(size), 0
    while (found := run.match(content, at)) is not None:
        at = found.end()
        code = content[at : at + 1]
        if code == _STORE:
            place, after = int.from_bytes(content[at + 1 : at + 5], "little"), at + 5
        elif code == _STORE_LINE:
            after = content.find(b"\n", at) + 1 or size
            place = int(content[at + 1 : after])
        elif code in _COUNTED:
            width, signed = _COUNTED[code]
            count = int.from_bytes(content[at + 1 : at + 1 + width], "little", signed=signed)
            place, after = 0, at + 1 + width + count
            if count < 0:
                return
        else:
            return  # the end, or what the unpickler does not know either
        if place > size:
            raise ValueError("a place in the memo beyond the size of the file")
        at = after


def _harmless(size: int) -> re.Pattern[bytes]:
    """As many operations as there are that store nothing far out in the memo of a file of ``size`` bytes."""
    fixed: dict[int, list[bytes]] = {}
    lines: dict[int, list[bytes]] = {}
    for known in pickletools.opcodes:
        code = known.code.encode("latin-1")
        if code in _COUNTED or code in (_STORE, _STORE_LINE, _STOP):
            continue
        if known.arg is not None and known.arg.n == pickletools.UP_TO_NEWLINE:
            lines.setdefault(_LINES.get(known.code, 1), []).append(code)
        else:
            fixed.setdefault(0 if known.arg is None else known.arg.n, []).append(code)
    parts = [_one_of(codes) + b".{%d}" % width for width, codes in sorted(fixed.items())]
    parts += [_one_of(codes) + rb"[^\n]*+\n" * count for count, codes in lines.items()]
    for width in {width for width, _ in _COUNTED.values()}:
        codes = [code for code, (count, _) in _COUNTED.items() if count == width]
        texts = b"|".join(re.escape(count.to_bytes(width, "little")) + b".{%d}" % count for count in _SHORT)
        parts.append(_one_of(codes) + b"(?:" + texts + b")")
    digits = len(str(size)) - 1
    if digits:
        parts.append(rb"p\d{1,%d}\n" % digits)
    for byte in range(4):  # places below the size, by its highest byte
        if 0 < (top := size >> 8 * byte) <= 256:
            below = b"[\\x00-" + re.escape(bytes([top - 1])) + b"]"
            parts.append(b"r" + b"." * byte + below + b"\\x00" * (3 - byte))
    return re.compile(b"(?:" + b"|".join(parts) + b")*+", re.DOTALL)


def _one_of(codes: list[bytes]) -> bytes:
    return b"[" + b"".join(map(re.escape, codes)) + b"]"
