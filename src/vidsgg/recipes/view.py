"""Pages to look at graph files, with the videos that they were made from."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from tqdm import tqdm

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.graphs import SUFFIX, read_graph, stem_of
from vidsgg.io.locations import Location, location
from vidsgg.io.names import file_name
from vidsgg.recipes.distinct import distinct, names_of
from vidsgg.recipes.export import find_graphs
from vidsgg.recipes.graph_videos import check_truth, check_video, named_video, own_video
from vidsgg.recipes.view_options import ViewOptions
from vidsgg.status import hides_bars
from vidsgg.structures.graph import VideoGraph
from vidsgg.viewer import overlay, sheet
from vidsgg.viewer.media import LONGEST, Media, media_of, times_of
from vidsgg.viewer.page import has_truth, write_page

DEFAULTS = ViewOptions(graphs=())


@dataclass(frozen=True)
class Viewed:
    """What was written for a graph. notes: what a reader should know, such as that the page has no
    pictures."""

    graph: Location
    files: tuple[Path, ...]
    notes: tuple[str, ...]

    def text(self) -> str:
        return "\n".join([f"{self.graph} -> {', '.join(map(str, self.files))}", *(f"  {note}" for note in self.notes)])


def run_view(options: ViewOptions) -> Iterator[Viewed]:
    """Write a page for every graph. Raises ConfigError or DataError naming what is wrong with the
    options before anything is written."""
    files = find_graphs(options.graphs)
    if options.begin is not None and options.end is not None and options.end <= options.begin:
        raise ConfigError(
            f"options -begin and -end: the page would end at {options.end:g} seconds, before its begin at"
            f" {options.begin:g}."
        )
    folder = None if options.out is None else Path(options.out)
    names = [names_of(file, stem_of(file)) for file in files]
    places = [
        [str((folder or _beside(file)) / f"{name}.html") for name in own]
        for file, own in zip(files, names, strict=True)
    ]
    pages = [Path(place) for place in distinct(places)]
    videos = [None if options.video is None else named_video(location(options.video), file) for file in files]
    truths = [None if options.truth is None else _named_truth(location(options.truth), file) for file in files]
    for page, truth in zip(pages, truths, strict=True):
        if truth is None and has_truth(page):
            raise ConfigError(
                f"{page} is a page with ground truth, which would be lost; give the ground truth with -truth, or name"
                " another folder with -o."
            )
    for file, page, video, truth in zip(files, pages, videos, truths, strict=True):
        yield view_graph(file, page, video, truth, options)


def _beside(file: Location) -> Path:
    """Where the page of a graph lies by default: with it, or here if it is in object storage."""
    return file.parent if isinstance(file, Path) else Path()


def view_graph(
    file: Location,
    page: Path,
    video: Location | None = None,
    truth: Location | None = None,
    options: ViewOptions = DEFAULTS,
) -> Viewed:
    """Write the page of one graph, and what else the options ask for. video: by default where the
    graph says. Raises DataError."""
    graph, notes = read_graph(file), list[str]()
    known = None if truth is None else read_graph(truth)
    if known is not None:
        check_truth(graph, known)
    if video is None:
        video = own_video(graph, file, notes)
    else:
        notes += check_video(graph.video, str(file), video)
    notes += show(page, graph, known, video, options, notes)
    files = [page]
    if options.overlay and video is None:
        notes.append("There is no video to draw into, so there is no overlay.")
    elif options.overlay and video is not None:
        files.append(page.with_name(page.stem + overlay.SUFFIX))
        with tqdm(desc=files[-1].name, unit="frame", disable=hides_bars()) as bar:
            overlay.write_overlay(files[-1], graph.shown(), video, watch=lambda done, count: _advance(bar, done, count))
    if options.sheet:
        files.append(page.with_name(page.stem + sheet.SUFFIX))
        sheet.write_sheet(files[-1], graph.shown(), video)
    return Viewed(file, tuple(files), tuple(notes))


def show(
    page: Path,
    graph: VideoGraph,
    truth: VideoGraph | None,
    video: Location | None,
    options: ViewOptions = DEFAULTS,
    notes: Sequence[str] = (),
    opens: int | None = None,
) -> list[str]:
    """Write the page of a graph. opens: number of the frame that it shows first. Returns what a
    reader should know besides ``notes``, which are given. Raises DataError."""
    graph, times = _between(graph, times_of(graph, video), options)
    media, more = Media(), list[str]()
    if video is not None:
        media = media_of(graph, times, video, options.width, options.begin, options.end, more)
    write_page(page, prediction=graph, truth=truth, media=media, times=times, notes=[*notes, *more], opens=opens)
    return more


def show_graph(graph: VideoGraph, page: Path | None, video: Location | None, browser: bool) -> Path:
    """Write the page of a graph in memory, and open it. page: by default in a temporary folder.
    video: by default where the graph says.

    Raises DataError as ``show``, and if the video is another one.
    """
    if page is None:
        page = Path(mkdtemp(prefix="vidsgg-")) / f"{file_name(graph.video_id, [graph.video_id])}.html"
    notes = list[str]()
    if video is None:
        video = own_video(graph, page, notes)
    else:
        notes += check_video(graph.video, f"the graph of {graph.video_id}", video)
    show(page, graph, None, video, notes=notes)
    if browser:
        webbrowser.open(page.resolve().as_uri())
    return page


def _advance(bar: tqdm, done: int, count: int) -> None:
    bar.total = count
    bar.update(done - bar.n)


def _named_truth(given: Location, file: Location) -> Location:
    """The ground truth that is given for a graph: itself, or out of a folder what has the graph's
    name."""
    if not given.exists():
        raise ConfigError(f"option -truth: {given} does not exist.")
    if given.is_file():
        return given
    stem = stem_of(file)
    for suffix in (SUFFIX, f".truth{SUFFIX}"):
        if (path := given / f"{stem}{suffix}").is_file() and path.resolve() != file.resolve():
            return path
    raise ConfigError(f"option -truth: {given} holds nothing named {stem!r}, for {file}.")


def _between(
    graph: VideoGraph, times: Sequence[float] | None, options: ViewOptions
) -> tuple[VideoGraph, Sequence[float] | None]:
    """The frames from -begin to -end. Raises DataError if there is none, or if they are more than a
    page can hold."""
    if times is None:
        if options.begin is not None or options.end is not None:
            raise DataError(
                f"video {graph.video_id!r}: its frames have no times, and there is no video to get them from; leave"
                " out -begin and -end."
            )
        return graph, None
    begin, end = options.begin or 0.0, float("inf") if options.end is None else options.end
    kept = [i for i, time in enumerate(times) if begin <= time <= end]
    if not kept:
        last = times[-1] if times else 0
        raise DataError(
            f"video {graph.video_id!r}: has no frame between {begin:g} and {end:g} seconds; its frames lie between 0"
            f" and {last:g}."
        )
    length = times[kept[-1]] - times[kept[0]]
    if length > LONGEST:
        raise DataError(
            f"video {graph.video_id!r}: lasts for {length / 60:.0f} minutes; a page holds {LONGEST / 60:.0f}. Give"
            f" -begin and -end in seconds, such as -begin {begin:g} -end {begin + LONGEST:g}."
        )
    frames = tuple(graph.frames[i] for i in kept)
    tracks = {(node.track, node.label) for frame in frames for node in frame.nodes}
    relations = (
        r for r in graph.relations if (r.subject_track, r.subject) in tracks and (r.object_track, r.object) in tracks
    )
    return replace(graph, frames=frames, relations=tuple(relations)), [times[i] for i in kept]
