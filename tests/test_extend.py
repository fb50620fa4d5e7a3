"""vidsgg.extend: every stable name is there, cheap to import, and documented."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vidsgg
import vidsgg.extend
from vidsgg.lazy import lazy_names

PACKAGE, DOCS = Path(vidsgg.__file__).parent, Path(__file__).parents[1] / "docs"
PLUGIN = Path(__file__).parent / "plugins" / "vidsgg_blocks"


@pytest.mark.parametrize("module", [vidsgg, vidsgg.extend], ids=lambda module: module.__name__)
def test_what_the_type_checker_reads_is_what_a_program_gets(module) -> None:
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    (checked,) = (node for node in tree.body if isinstance(node, ast.If))
    stated = {
        alias.asname or alias.name: getattr(importlib.import_module(node.module), alias.name)
        for node in checked.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert {name for name in module.__all__ if not name.startswith("_")} == set(stated) == set(module._HOMES)
    assert all(getattr(module, name) is thing for name, thing in stated.items())
    assert set(module.__all__) <= set(dir(module))


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match=r"module 'vidsgg\.extend' has no attribute 'Methd'"):
        vidsgg.extend.Methd  # noqa: B018
    get, _ = lazy_names("vidsgg", {"join": "os.path"})
    assert get("join") is __import__("os").path.join


def test_a_method_is_declared_without_torch() -> None:
    line = "from vidsgg.extend import Method, NeuralOptions, option, part_of; import sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n", done.stderr


def test_the_plugin_package_needs_stable_names_only() -> None:
    for path in PLUGIN.glob("*.py"):
        modules = re.findall(
            r"(?:from|import) (vidsgg(?:\.[\w.]+)?)(?= import|$)", path.read_text(encoding="utf-8"), re.M
        )
        assert set(modules) <= {"vidsgg", "vidsgg.extend"}, path.name


def test_the_pages_describe_every_stable_name() -> None:
    page = (DOCS / "extending.md").read_text(encoding="utf-8")
    table = page.partition("## Stable names")[2].partition("\n## ")[0]
    listed = re.findall(r"`(\w+)`", "".join(line.split("|")[2] for line in table.splitlines() if line.startswith("| ")))
    assert sorted(listed) == sorted(vidsgg.extend.__all__)
    reference = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("api.md", "api_extend.md"))
    described = re.findall(
        r"\.\. auto(?:function|class|exception):: vidsgg\.(?:extend\.|errors\.)?(\w+)(?:\(.*\))?$",
        reference,
        re.MULTILINE,
    )
    assert len(described) == len(set(described))
    assert set(vidsgg.extend.__all__) - set(described) == {"BACKGROUND", "MODES", "NO_LABELS", "Image"}


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (
            "vidsgg.models.nowhere:Net",
            "cannot be imported: ModuleNotFoundError: No module named 'vidsgg.models.nowhere'",
        ),
        ("vidsgg.models.sttran:Nothing", "cannot be imported: AttributeError"),
        ("vidsgg.structures.clip:Clip", "has an attribute 'capabilities'"),
    ],
)
def test_a_network_that_cannot_be_used_is_named(network: str, said: str) -> None:
    method = type("Mine", (vidsgg.extend.Method,), {"name": "mine", "network": network})()
    with pytest.raises(vidsgg.extend.ConfigError, match=f"model mine: .*its network '{network}' {said}"):
        method.capabilities  # noqa: B018
