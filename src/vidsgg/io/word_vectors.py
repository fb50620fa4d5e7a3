"""Word vectors from a text file such as ``glove.6B.200d.txt``: a word and its numbers on every
line."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vidsgg.errors import DataError, short
from vidsgg.io.files import not_utf8


def read_word_vectors(path: Path, words: Collection[str], dim: int) -> dict[str, npt.NDArray[np.float32]]:
    """The vectors of ``words`` that the file knows. Raises DataError if it cannot be read or its
    vectors are not ``dim`` wide."""
    wanted, found = set(words), {}
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                word, _, rest = line.partition(" ")
                if word not in wanted:
                    continue
                try:
                    vector = np.array(rest.split(), dtype=np.float32)
                except ValueError:
                    raise DataError(
                        f"{path}, line {number}: what follows {short(word)} are not numbers only."
                    ) from None
                if len(vector) != dim:
                    raise DataError(
                        f"{path}, line {number}: {short(word)} has {len(vector)} numbers, expected {dim}. Give a file"
                        f" of {dim}-wide vectors."
                    )
                found[word] = vector
    except OSError as error:
        raise DataError(f"word vectors: cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    return found
