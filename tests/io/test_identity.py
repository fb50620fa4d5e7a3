"""What tells one video from another: the whole content of usual ones, a sample of huge ones, names
and content of pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from vidsgg.errors import DataError
from vidsgg.io import identity
from vidsgg.io.identity import content_of


def test_a_videos_digest_is_that_of_its_bytes_wherever_it_lies(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000  # more than two blocks
    for name in ("a.mp4", "b.avi"):
        (tmp_path / name).write_bytes(content)
    found = content_of(tmp_path / "a.mp4")
    assert (found.size, found.digest) == (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
    assert content_of(tmp_path / "b.avi") == found
    (tmp_path / "b.avi").write_bytes(content[:-1] + b"x")
    assert content_of(tmp_path / "b.avi") != found


def test_of_huge_videos_evenly_spaced_blocks_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "WHOLE", 1000)
    monkeypatch.setattr(identity, "_BLOCK", 100)
    monkeypatch.setattr(identity, "_LEAST", 100)
    content = bytearray(5000)
    file = tmp_path / "a.mp4"
    file.write_bytes(content)
    before = content_of(file)
    assert before.digest.startswith("sha256-sampled:")
    for place in (0, 4999, 2750):  # the first block, the last, one in between
        changed = bytearray(content)
        changed[place] = 1
        file.write_bytes(changed)
        assert content_of(file) != before, place
    file.write_bytes(content + b"x")
    assert content_of(file) != before


def test_of_pictures_names_order_and_content_count(tmp_path: Path) -> None:
    def folder(name: str, **pictures: str) -> Path:
        (tmp_path / name).mkdir()
        for picture, text in pictures.items():
            (tmp_path / name / f"{picture}.png").write_text(text)
        return tmp_path / name

    first = content_of(folder("a", p1="one", p2="two"))
    assert content_of(folder("b", p1="one", p2="two")) == first
    others = [
        folder("c", p1="two", p2="one"),
        folder("d", p1="onet", p2="wo"),
        folder("e", p1="one", p3="two"),
        folder("f", p1="one"),
    ]
    assert len({content_of(other) for other in others} | {first}) == 5


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.mp4"):
        content_of(tmp_path / "none.mp4")
