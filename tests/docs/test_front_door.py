"""The pages that a new user sees first are complete, their links lead somewhere, and their commands run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from commands import ROOT, SHORT, blocks, run_block

from vidsgg.cli.main import COMMANDS
from vidsgg.methods.registry import methods

README, DOCS = ROOT / "README.md", ROOT / "docs"
PAGES = [
    README,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted(DOCS.glob("*.md")),
]
LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")
HEADINGS = (
    "Install|Your own video|Python|Train and evaluate|Your own data|Models|Which recall?|Speed"
    "|Compared with other toolkits|Status and limits|Citation|Contributing|Licence"
)


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^(```|~~~).*?^\1", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What GitHub and the docs make of the headings of a page."""
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    }


def test_the_readme_is_short_and_has_what_a_reader_scans_for() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS.split("|")
    assert re.findall(r"^make \w+", text, re.MULTILINE) == ["make demo", "make test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere_and_have_words(page: Path) -> None:
    for words, target in LINK.findall(prose(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {target}"
        if path.startswith("docs/") or page.parent == DOCS:
            assert not words.strip("`").endswith(".md"), f"{page.name}: a link shows a file name: {words}"


def test_every_page_of_the_docs_is_in_the_index() -> None:
    listed = set(re.findall(r"^(\w+)$", (DOCS / "index.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} <= listed


def test_every_command_and_every_model_is_in_its_table() -> None:
    commands, models = ((DOCS / name).read_text(encoding="utf-8") for name in ("commands.md", "models.md"))
    assert [name for name in COMMANDS if f"`vidsgg {name}" not in commands] == []
    for text in (models, README.read_text(encoding="utf-8")):
        assert [name for name in methods() if f"`{name}`" not in text] == []


def test_every_extra_is_explained() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    told = set(re.findall(r"^\| `(\w+)` \|", (DOCS / "install.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert told == set(extras) - {"docs"}


def test_the_first_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDSGG_OPTIONS", SHORT)
    ran = run_block(blocks(DOCS / "install.md", "bash")[-1], tmp_path)
    (training,) = (text for text in blocks(DOCS / "quickstart.md", "bash") if "data synth" in text)
    (tmp_path / "output" / "first").rename(tmp_path / "output" / "counted")
    ran += run_block(training, tmp_path)
    assert len(ran) == 7
    assert list((tmp_path / "output" / "first" / "page").glob("*.html"))
