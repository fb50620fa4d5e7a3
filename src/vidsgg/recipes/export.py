"""Graph files in the formats of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.atomic import whole_file
from vidsgg.io.exporters.formats import FORMATS, Format
from vidsgg.io.graphs import SUFFIX, read_graph
from vidsgg.options import option
from vidsgg.structures.graph import VideoGraph


@dataclass(frozen=True)
class ExportOptions:
    """Options of ``vidsgg export``."""

    graphs: tuple[str, ...] = option(help="graph files, or folders of them")
    format: str = option(help="what to write", choices=tuple(FORMATS))
    out: str = option(help="file, or folder for formats with a file per video", aliases=["o"])


def run_export(options: ExportOptions) -> list[Path]:
    """The files that were written. Nothing is before all graphs have been read. Raises ConfigError or DataError naming what is wrong."""
    form = FORMATS[options.format]
    files = find_graphs(options.graphs)
    graphs = [_tracked(read_graph(file)) if form.tracked else read_graph(file) for file in files]
    out = Path(options.out)
    if form.joint or (len(graphs) == 1 and out.suffix.lower() == form.suffix):
        if out.is_dir():
            raise ConfigError(f"option -out: {out} is a folder; name a file, such as {out / ('graphs' + form.suffix)}.")
        return [_write(out, form, graphs)]
    if out.is_file():
        raise ConfigError(f"option -out: {out} is a file; format {form.name} writes a file per video, so name a folder.")
    stems = [file.name.removesuffix(SUFFIX) for file in files]
    if len(set(stems)) < len(stems):
        twice = next(stem for stem in stems if stems.count(stem) > 1)
        raise ConfigError(f"two graphs are called {twice!r} and would be written to one file; export them one by one.")
    return [_write(out / (stem + form.suffix), form, [graph]) for stem, graph in zip(stems, graphs, strict=True)]


def find_graphs(words: Sequence[str]) -> list[Path]:
    """Graph files, each once; a folder stands for those in it. Raises ConfigError naming what is not there."""
    found: list[Path] = []
    for path in map(Path, words):
        if not path.exists():
            raise ConfigError(f"{path} does not exist.")
        inside = sorted(path.glob("*" + SUFFIX)) if path.is_dir() else [path]
        if not inside:
            raise ConfigError(f"{path} holds no graph (*{SUFFIX}), as 'vidsgg predict' writes them.")
        found += inside
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def _tracked(graph: VideoGraph) -> VideoGraph:
    """Graphs of earlier versions have no tracks; these are found by boxes and classes."""
    from vidsgg.inference.graphs import lacks_ids, over_time

    return over_time(graph) if lacks_ids(graph) else graph


def _write(path: Path, form: Format, graphs: Sequence[VideoGraph]) -> Path:
    content = form.content(graphs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(content)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}.") from error
    return path
