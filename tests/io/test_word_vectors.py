"""Files of word vectors that cannot be read: one message each, which names the file once."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidsgg.errors import DataError
from vidsgg.io.word_vectors import read_word_vectors


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cup 1 2 x\n", ", line 1: what follows 'cup' are not numbers only"),
        (b"chair 1 2 3\ncup 1 2\n", ", line 2: 'cup' has 2 numbers, expected 3. Give a file of 3-wide vectors"),
        (b"cup 1 2\xff 3\n", ": is not text in UTF-8; save it as UTF-8"),
    ],
    ids=["no number", "width", "encoding"],
)
def test_files_that_are_not_words_and_numbers(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "vectors.txt"
    file.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_word_vectors(file, ["cup"], 3)
    assert str(error.value) == f"{file}{message}."
