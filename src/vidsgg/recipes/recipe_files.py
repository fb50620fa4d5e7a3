"""Recipes that come with the package: YAML files of options with the settings that authors
published."""

from __future__ import annotations

from pathlib import Path

from vidsgg.errors import ConfigError
from vidsgg.io.places import check_place
from vidsgg.options import check_text, closest

PUBLISHED = Path(__file__).parent / "published"


def recipe_files() -> dict[str, Path]:
    """The files by name."""
    return {path.stem: path for path in sorted(PUBLISHED.glob("*.yaml"))}


def find_recipe(given: str) -> Path:
    """The file that -config means: a path, or else the name of a recipe. Raises ConfigError naming
    the closest recipe."""
    check_text("-config", given)
    path, ours = Path(given), recipe_files()
    check_place("option -config", path, "input")
    if path.exists():
        return path
    if given in ours:
        return ours[given]
    raise ConfigError(
        f"option -config: cannot read {given}: there is no such file, and no recipe of that"
        f" name{closest(given, list(ours))} (recipes: {', '.join(ours)})"
    )
