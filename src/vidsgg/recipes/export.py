"""Graph files in the formats of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.atomic import write_whole
from vidsgg.io.exporters.formats import FORMATS, ExportFormat
from vidsgg.io.graphs import SUFFIX, read_graph, stem_of
from vidsgg.io.locations import Location, location
from vidsgg.io.places import check_replaced
from vidsgg.options import option
from vidsgg.recipes.distinct import distinct, names_of
from vidsgg.structures.graph import VideoGraph

STDOUT = "-"


@dataclass(frozen=True)
class ExportOptions:
    """Options of ``vidsgg export``."""

    graphs: tuple[str, ...] = option(help="graph files, or folders of them", place="input", remote=True)
    format: str = option(
        help=f"what to write: {', '.join(FORMATS.names())}, or package.module:FORMAT of your own", plugin=True
    )
    out: str = option(
        help="file, or folder for formats with a file per video; - is standard output",
        aliases=["o"],
        place="new",
        takes_stream=True,
    )


@dataclass(frozen=True)
class Exported:
    """What was written."""

    files: list[Path]  # none if it is meant for standard output
    notes: list[str]  # what a reader should know, such as that a video got another name
    content: bytes | None = None  # what is meant for standard output


def run_export(options: ExportOptions) -> Exported:
    """Write graphs in another format. Nothing is written before all graphs have been read.

    Videos of different graphs that are called alike get names of their own. Raises ConfigError or
    DataError naming what is wrong.
    """
    form, notes = FORMATS.admit(options.format), list[str]()
    files = find_graphs(options.graphs)
    graphs = [_tracked(read_graph(file)) if form.tracked else read_graph(file) for file in files]
    if form.joint or form.by_id:
        graphs = _called_apart(graphs, files, form, notes)
    out = Path(options.out)
    if options.out == STDOUT:
        if len(graphs) > 1 and not form.joint:
            raise ConfigError(
                f"option -out: format {form.name} writes a file per video, so name a folder, or one graph for standard"
                " output."
            )
        return Exported([], notes, form.content(graphs))
    if form.joint or (len(graphs) == 1 and out.suffix.lower() == form.suffix):
        if out.is_dir():
            raise ConfigError(f"option -out: {out} is a folder; name a file, such as {out / ('graphs' + form.suffix)}.")
        check_replaced("option -out", out, form.suffix, files)
        return Exported([_write(out, form, graphs)], notes)
    if out.is_file():
        raise ConfigError(
            f"option -out: {out} is a file; format {form.name} writes a file per video, so name a folder."
        )
    names = (
        [form.called(graph) for graph in graphs]
        if form.by_id
        else distinct([names_of(file, stem_of(file)) for file in files])
    )
    written = [
        _write(out / form.folder / (name + form.suffix), form, [graph])
        for name, graph in zip(names, graphs, strict=True)
    ]
    return Exported(written, notes)


def _called_apart(
    graphs: Sequence[VideoGraph], files: Sequence[Location], form: ExportFormat, notes: list[str]
) -> list[VideoGraph]:
    """The graphs, with other names of their videos where these would be taken for one."""
    called = [form.called(graph) for graph in graphs]
    names = distinct([[own, *names_of(file, stem_of(file))] for own, file in zip(called, files, strict=True)])
    for file, own, name in zip(files, called, names, strict=True):
        if own != name:
            notes.append(f"{file}: its video is called {name!r} here: another one is called {own!r} too")
    changed = zip(graphs, called, names, strict=True)
    return [graph if own == name else replace(graph, video_id=name) for graph, own, name in changed]


def find_graphs(words: Sequence[str]) -> list[Location]:
    """Graph files, each once; a folder stands for those in it. Raises ConfigError naming what is
    not there."""
    found: list[Location] = []
    for path in map(location, words):
        if not path.exists():
            raise ConfigError(f"{path} does not exist.")
        if path.suffix.lower() != ".json" and path.is_file():
            from vidsgg.io.footage import VIDEOS  # FFmpeg

            if path.suffix.lower() in VIDEOS:
                raise ConfigError(f"{path} is a video, no graph file; 'vidsgg predict {path}' makes its graph.")
        inside = sorted(cast(Iterator[Location], path.glob("*" + SUFFIX))) if path.is_dir() else [path]
        if not inside:
            raise ConfigError(f"{path} holds no graph file (*{SUFFIX}) of 'vidsgg predict'.")
        found += inside
    return list({path.resolve(): path for path in reversed(found)}.values())[::-1]


def _tracked(graph: VideoGraph) -> VideoGraph:
    """Graphs of earlier versions have no tracks; these are found by boxes and classes."""
    from vidsgg.inference.graphs import lacks_ids, over_time

    return over_time(graph) if lacks_ids(graph) else graph


def _write(path: Path, form: ExportFormat, graphs: Sequence[VideoGraph]) -> Path:
    content = form.content(graphs)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}.") from error
    return path
