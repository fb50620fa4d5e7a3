"""``vidsgg data stats``: count what a data set holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidsgg.cli.command_line import parse
from vidsgg.options import option

if TYPE_CHECKING:
    from vidsgg.datasets.statistics import DatasetStatistics


@dataclass(frozen=True)
class StatsOptions:
    data_path: str | None = option(
        None, "folder of the data set; by default data/action_genome, if it exists", place="input", remote=True
    )
    split: Literal["train", "test"] = option("train", "videos to count")
    top: int = option(20, "rows of the longer tables", low=1, high=1_000_000)
    out: Path | None = option(None, "folder for charts (PNG); without it none are drawn", place="new folder")


def main(argv: Sequence[str]) -> int:
    options = parse(
        StatsOptions, argv, prog="vidsgg data stats", description="Count objects, predicates, frames and pairs."
    )
    from vidsgg.datasets.registry import data_folder, open_whole_split
    from vidsgg.datasets.statistics import dataset_statistics

    root = data_folder(options.data_path)
    statistics = dataset_statistics(open_whole_split(root, options.split, "predcls"))
    print(_report(statistics, f"{root}, {options.split}", options.top))
    if options.out is not None:
        from vidsgg.charts.dataset import write_charts

        for path in write_charts(options.out, statistics):
            print(path)
    return 0


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest entry; the first flush left, numbers flush right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in (head, *rows)
    ]
    return "\n".join([title, *(f"  {line.rstrip()}" for line in lines)])


def _report(statistics: DatasetStatistics, where: str, top: int) -> str:
    vocabulary = statistics.schema.vocabulary
    frames, pairs = statistics.frames_per_video, statistics.pairs_per_frame
    overview = _table(
        where,
        ("", "total", "mean", "min", "max"),
        (
            ("videos", f"{statistics.videos:,}", "", "", ""),
            ("frames per video", f"{frames.sum():,}", f"{frames.mean():.1f}", str(frames.min()), str(frames.max())),
            ("pairs per frame", f"{pairs.sum():,}", f"{pairs.mean():.2f}", str(pairs.min()), str(pairs.max())),
        ),
    )
    parts = [overview]
    present = sorted(
        (i for i in range(len(statistics.objects)) if statistics.objects[i]), key=lambda i: -statistics.objects[i]
    )
    total = int(statistics.objects.sum())
    parts.append(
        _table(
            f"objects ({min(top, len(present))} of {len(present)} classes)",
            ("class", "count", "share"),
            [
                (vocabulary.objects[i], f"{statistics.objects[i]:,}", f"{statistics.objects[i] / total:.1%}")
                for i in present[:top]
            ],
        )
    )
    every = max(int(statistics.pairs.sum()), 1)
    for group in vocabulary.groups:
        counts = statistics.predicates[group.name].sum(0)
        order = sorted(range(len(group)), key=lambda c: -counts[c])
        rows = [(group.predicates[c], f"{counts[c]:,}", f"{counts[c] / every:.1%}") for c in order]
        parts.append(_table(f"{group.name} predicates", ("predicate", "count", "of pairs"), rows))
    shares = {group.name: statistics.given_class(group.name) for group in vocabulary.groups}
    classes = sorted(
        (i for i in range(len(statistics.pairs)) if statistics.pairs[i]), key=lambda i: -statistics.pairs[i]
    )[:top]
    head = ("class", "pairs", *(group.name for group in vocabulary.groups))
    likeliest = [
        (
            vocabulary.objects[i],
            f"{statistics.pairs[i]:,}",
            *(_likeliest_text(shares[g.name][i], g.predicates) for g in vocabulary.groups),
        )
        for i in classes
    ]
    parts.append(_table("likeliest predicate given the class of the object", head, likeliest))
    return "\n\n".join(parts)


def _likeliest_text(shares: Sequence[float], names: Sequence[str]) -> str:
    best = max(range(len(names)), key=lambda c: shares[c])
    return f"{names[best]} {shares[best]:.0%}"
