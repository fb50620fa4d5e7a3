"""benchmarks.counts on a package of a few lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.counts import count, main

CODE = """from dataclasses import dataclass
from typing import Any


@dataclass
class Options:
    width: int = option(8, "wide")
    depth: int = option(2, "deep")


@dataclass
class NetworkConfig:
    width: int = 8
    height: int = 9


def make(values: dict[str, Any], more: list[dict[str, Any]] | None = None) -> int:
    def inside(_values: int) -> None: ...

    return 1


def _own(values: dict[str, Any]) -> None: ...
"""


def test_a_small_package_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "code.py").write_text(CODE, encoding="utf-8")
    (tmp_path / "parts" / "empty.py").write_text("", encoding="utf-8")
    (tmp_path / "other.py").write_text("x = 1\n", encoding="utf-8")
    found = count(tmp_path)
    assert (found.modules, found.lines) == (3, CODE.count("\n") + 1)
    assert found.statements == 2 + 3 + 3 + 4 + 2 + 1
    assert found.largest_room == ("parts", 2)
    assert found.largest_function == ("parts/code.py:make", 4)
    assert (found.dict_parameters, found.public_dict_parameters) == (3, 2)
    assert found.stated_twice == ("width",)
    main(["-src", str(tmp_path)])
    assert "options stated twice            1: width" in capsys.readouterr().out
    with pytest.raises(ValueError, match="holds no Python file"):
        count(tmp_path / "nowhere")
