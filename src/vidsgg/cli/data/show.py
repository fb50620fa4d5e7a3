"""``vidsgg data show``: look at annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidsgg.cli.command_line import parse
from vidsgg.cli.documents import STDOUT, folder_for_stdout
from vidsgg.datasets.format import VIDEOS_HELP
from vidsgg.errors import ConfigError, DataError, counted
from vidsgg.options import option
from vidsgg.status import say


@dataclass(frozen=True)
class ShowOptions:
    data_path: str | None = option(
        None, "folder of the data set; by default data/action_genome, if it exists", place="input", remote=True
    )
    videos_path: str | None = option(None, VIDEOS_HELP, place="input", remote=True)
    split: Literal["train", "test"] = option("test", "split of the video")
    video: str = option("0", "name of the video, or its number in the split, from 0")
    frame: str = option(
        "all", "position of an annotated frame in the video, from 0, or 'all' for a sheet of all of them"
    )
    out: Path = option(
        Path("scene.png"),
        "picture to write; - is standard output, as PNG",
        aliases=["o"],
        place="new file",
        takes_stream=True,
    )


def main(argv: Sequence[str]) -> int:
    options = parse(
        ShowOptions, argv, prog="vidsgg data show", description="Draw the annotations of a frame or of a whole video."
    )
    if options.frame != "all" and not options.frame.isdecimal():
        raise ConfigError(f"option -frame: expected a whole number or 'all', got {options.frame!r}")
    from PIL import Image

    from vidsgg.datasets.base import Subset
    from vidsgg.datasets.pictures import picture_notes
    from vidsgg.datasets.registry import data_folder, open_whole_split, videos_folder
    from vidsgg.inference.graphs import annotated_graph
    from vidsgg.io.atomic import whole_file
    from vidsgg.viewer.drawing import draw_frame, draw_sheet
    from vidsgg.viewer.graphs import colours, subjects_of, thing_names

    dataset = open_whole_split(
        data_folder(options.data_path),
        options.split,
        "predcls",
        videos_path=videos_folder(options.videos_path),
    )
    index = dataset.find(options.video)
    annotation = dataset.annotation(index)
    images = dataset.images(index) if dataset.schema.has_frames else None
    graph = annotated_graph(annotation)
    subjects = subjects_of(graph) if dataset.schema.subject_has_box else ()
    if options.frame == "all":
        picture = draw_sheet(images, graph, subjects=subjects, names=thing_names(graph.frames))
    else:
        number = int(options.frame)
        if number >= annotation.frames:
            raise ConfigError(
                f"option -frame: video {annotation.video_id!r} has the frames 0..{annotation.frames - 1}, not {number}"
            )
        picture = draw_frame(
            images[number] if images else None,
            graph.frames[number],
            colours([graph], subjects),
            subjects,
            thing_names(graph.frames),
        )
    notes = picture_notes([Subset(dataset, [index])])
    if str(options.out) == STDOUT:
        say("\n".join(notes))
        with folder_for_stdout() as folder:
            Image.fromarray(picture).save(folder / "scene.png")
        return 0
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(options.out) as file:
            Image.fromarray(picture).save(file, Image.registered_extensions()[options.out.suffix.lower()])
    except (OSError, ValueError, KeyError) as error:  # KeyError, ValueError: Pillow writes no format of that name
        said = getattr(error, "strerror", None) or error
        raise DataError(
            f"cannot write {options.out}: {said}. Use a name such as scene.png in a folder you may write to."
        ) from error
    for note in notes:
        say(note)
    print(
        f"video {annotation.video_id} ({options.split} {index}): {counted(annotation.frames, 'frame')}, {counted(annotation.pairs, 'pair')}"
        f" -> {options.out}"
    )
    return 0
