"""The README of a model on the hub: what it is, how it is used, how good it is and on what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidsgg import __version__
from vidsgg.assembly.drawn import graph_notes
from vidsgg.assembly.saved_run import SavedRun
from vidsgg.errors import counted
from vidsgg.methods.registry import find_method

_SHOWN = 40  # names of classes


@dataclass(frozen=True)
class CardContent:
    """What a card says besides what the checkpoint tells."""

    license: str  # as the hub calls it
    repository: str | None  # ORG/NAME
    detector: str  # a sentence
    metrics: Mapping[str, Mapping[str, Any]]  # the evaluations, as 'vidsgg evaluate' writes them, by split
    files: Sequence[tuple[str, str]]  # name, and what is in it


def model_card(run: SavedRun, content: CardContent) -> str:
    """Markdown with the head that the hub reads."""
    method, schema = find_method(run.options.model), run.checkpoint.schema
    vocabulary, name = schema.vocabulary, content.repository or "ORG/NAME"
    source = f"hf://{name}" if content.repository else "FOLDER"
    head = [
        "---",
        f"license: {content.license}",
        "library_name: vidsgg",
        "tags:",
        *(f"- {tag}" for tag in ("video-scene-graph-generation", "scene-graph", method.name, run.options.mode)),
        "---",
    ]
    lines = [
        *head,
        "",
        f"# {_plain(name.split('/')[-1] if content.repository else method.name)}",
        "",
        f"{method.name} ({method.source}): {method.summary}. Trained with vidsgg on {_plain(schema.title)} for the task"
        f" `{run.options.mode}`.",
        *(f"\n**{note}**" for note in graph_notes(run)),
        "",
        "## Use",
        "",
        "```python",
        "import vidsgg",
        "",
        f'model = vidsgg.load("{source}")',
        'graph = model.predict("video.mp4")'
        if run.options.mode == "sgdet"
        else 'graph = model.predict("video.mp4", boxes="boxes.csv")',
        "graph.show()",
        "```",
        "",
        f"Or `vidsgg predict video.mp4 -checkpoint {source}`. `pip install 'vidsgg[hub]'` brings what this needs.",
        "",
        "## How good it is",
        "",
        *_scores(content.metrics),
        "",
        "## What it knows",
        "",
        f"{len(vocabulary.objects) - 1} classes of objects: {_names(vocabulary.objects[1:])}.",
        "",
        *(f"{group.name}, {len(group)} predicates: {_names(group.predicates)}.\n" for group in vocabulary.groups),
        f"Detector: {content.detector}",
        "",
        "## How it was trained",
        "",
        f"Epochs: {run.checkpoint.epoch}. Videos: {', '.join(f'{part} {text.split()[0]}' for part, text in run.made.videos.items()) or 'not recorded'}."
        f" Features: {_plain(run.made.features or 'not recorded')}. All options are in `config.json`.",
        *(
            [f"\nThe weights are the authors' ({_plain(run.made.imported_from)}), converted."]
            if run.made.imported_from
            else []
        ),
        "",
        "## Files",
        "",
        "| file | what is in it |",
        "|---|---|",
        *(f"| `{file}` | {text} |" for file, text in content.files),
        "",
        f"Written by `vidsgg push`, version {__version__}. There is no pickle and no code in these files.",
        "",
    ]
    return "\n".join(lines)


def _scores(metrics: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not metrics:
        return ["Not measured: `vidsgg evaluate` had not scored this checkpoint when it was pushed."]
    lines: list[str] = []
    for split, measured in metrics.items():
        columns = [(average, k) for average in ("R", "mR") for k in next(iter(measured["recall"].values()))["R"]]
        lines += [
            f"On {counted(measured['videos'], 'video')} of the split `{split}`, in percent. {_plain(measured['description'])}.",
            "",
            f"| constraint | {' | '.join(f'{average}@{k}' for average, k in columns)} |",
            f"|---|{'---:|' * len(columns)}",
            *(
                f"| {_plain(constraint)} | {' | '.join(_percent(values[average][k]) for average, k in columns)} |"
                for constraint, values in measured["recall"].items()
            ),
            "",
        ]
    return lines[:-1]


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.2f}"


def _names(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(map(_plain, words[:_SHOWN])) + more


def _plain(text: str) -> str:
    """Names are data: what Markdown would read as its own signs is escaped."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
