"""The film: every picture of the video at its time, boxes where things are, relations while they
hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numbered_video import HEIGHT, WIDTH, number_of, numbered, write
from PIL import Image, ImageDraw

from vidsgg.errors import DataError
from vidsgg.io.video import VideoReader
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, RelationInterval, VideoGraph
from vidsgg.viewer import overlay
from vidsgg.viewer.graphs import SUBJECT_COLOUR
from vidsgg.viewer.overlay import write_overlay

NUMBERS = [1, 13, 26, 38, 51]  # two frames a second of 60
STAMPS = [40 * i + 7 * (i % 3) for i in range(60)]


def graph_of(
    numbers: list[int] = NUMBERS, width: float = WIDTH, height: float = HEIGHT, relation: tuple[int, int] = (13, 38)
) -> VideoGraph:
    """A person that moves to the right below the squares of the number, and holds a cup for a
    while."""
    frames = []
    for i, number in enumerate(numbers):
        nodes = (
            GraphNode("person", 1.0, (10 + 10 * i, 40, 40 + 10 * i, 90), 1),
            GraphNode("cup", 0.9, (100, 60, 120, 80), 2),
        )
        frames.append(
            GraphFrame(
                f"v.mp4/{number:06d}",
                number,
                None,
                width,
                height,
                nodes,
                (GraphEdge(0, 1, "holding", "contacting", 0.8),),
            )
        )
    held = RelationInterval(1, 2, "person", "cup", "holding", "contacting", None, None, *relation, 0.8)
    return VideoGraph("v.mp4", "toy", tuple(frames), (held,))


def left_edge(picture: np.ndarray) -> float:
    """Where the person's box begins, in pixels of the video, by its colour at half its height."""
    row = picture[round(picture.shape[0] * 65 / HEIGHT), : round(picture.shape[0] * WIDTH / HEIGHT)]
    columns = np.flatnonzero(np.abs(row.astype(int) - SUBJECT_COLOUR).max(axis=1) < 40)
    return float(columns[0]) * HEIGHT / picture.shape[0]


def test_all_pictures_at_their_times_with_boxes_that_move(tmp_path: Path) -> None:
    video = write(tmp_path / "v.mp4", stamps=STAMPS)
    told = []
    write_overlay(tmp_path / "o" / "film.mp4", graph_of(), video, watch=lambda done, count: told.append((done, count)))
    film = VideoReader(tmp_path / "o" / "film.mp4")
    assert film.times == pytest.approx([t / 1000 for t in STAMPS], abs=1e-4)
    assert told == [(i + 1, 60) for i in range(60)]
    pictures = film.read([1, 7, 13, 60])
    assert {picture.shape for picture in pictures} == {(480, 970, 3)}
    small = [np.asarray(Image.fromarray(picture[:, :640]).resize((WIDTH, HEIGHT))) for picture in pictures]
    assert [number_of(picture) for picture in small] == [1, 7, 13, 60]
    assert [left_edge(picture) for picture in pictures[:3]] == pytest.approx([10, 15, 20], abs=0.8)


def test_a_relation_is_told_from_its_begin_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(
        overlay.FilmLayout,
        "draw",
        lambda self, image, frame, _: told.append((frame.key, [e.predicate for e in frame.edges])) or image,
    )
    write_overlay(tmp_path / "film.mp4", graph_of(), write(tmp_path / "v.mp4"))
    # until the next graph says no
    assert [i + 1 for i, (_, said) in enumerate(told) if said == ["holding"]] == list(range(13, 51))
    assert all(said in ([], ["holding"]) for _, said in told)
    assert told[0][0] == "0:00.0   frame 1" and told[59][0] == "0:02.3   frame 60"


@pytest.mark.parametrize(
    ("size", "most", "becomes"),
    [
        ((320, 240), 1280, (640, 480)),
        ((1920, 1080), 1280, (1280, 720)),
        ((1080, 1920), 1280, (1080, 1920)),
        ((640, 480), 320, (320, 240)),
    ],
)
def test_sizes(size: tuple[int, int], most: int, becomes: tuple[int, int]) -> None:
    layout = overlay.FilmLayout.of(*size, {}, (), most, {})
    assert (layout.width, layout.height) == becomes
    drawn = layout.draw(np.zeros((size[1], size[0], 3), np.uint8), GraphFrame("0", 1, 0, *size, (), ()))
    assert drawn.shape[0] == becomes[1] and drawn.shape[1] > becomes[0]


def test_of_a_folder_of_pictures_those_of_the_graph_are_shown(tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    folder.mkdir()
    for i in range(1, 7):
        Image.fromarray(numbered(i)).save(folder / f"{i:06d}.png")
    write_overlay(tmp_path / "film.mp4", graph_of([2, 4, 5], relation=(2, 4)), folder)
    film = VideoReader(tmp_path / "film.mp4")
    assert film.times == pytest.approx([0, 0.5, 1.0], abs=1e-4)
    small = [np.asarray(Image.fromarray(picture[:, :640]).resize((WIDTH, HEIGHT))) for picture in film.read([1, 2, 3])]
    assert [number_of(picture) for picture in small] == [2, 4, 5]


def test_another_video_is_refused_and_nothing_written(tmp_path: Path) -> None:
    video = write(tmp_path / "v.mp4", frames=30)
    with pytest.raises(DataError, match=r"v\.mp4: has 30 frames.*number 51"):
        write_overlay(tmp_path / "film.mp4", graph_of(), video)
    with pytest.raises(DataError, match="128 x 96 pixels, that of the graph 320 x 200"):
        write_overlay(tmp_path / "film.mp4", graph_of([1, 5], 320, 200, (1, 5)), video)
    with pytest.raises(DataError, match="no frame to draw"):
        write_overlay(tmp_path / "film.mp4", VideoGraph("v", "toy", ()), video)
    assert [file.name for file in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize("count", [4, 7, 8, 20])
def test_what_does_not_fit_beside_the_picture_is_counted(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = (
        GraphNode("person", 1.0, (1, 1, 9, 9), 0),
        *(GraphNode(f"thing {i}", 1.0, (1, 1, 9, 9), i + 1) for i in range(count)),
    )
    edges = tuple(GraphEdge(0, i + 1, "holding", "contacting", 0.5) for i in range(count))
    layout = overlay.FilmLayout.of(WIDTH, HEIGHT, {node.label: (0, 0, 0) for node in nodes}, ("person",), 640, {})
    said: list[tuple[float, str]] = []
    text = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda self, at, words, **how: said.append((at[1], words)) or text(self, at, words, **how),
    )
    drawn = layout.draw(numbered(1), GraphFrame("0", 1, 0, WIDTH, HEIGHT, nodes, edges))
    assert drawn.shape == (480, 970, 3)
    predicates = sum(words.startswith("holding") for _, words in said)
    (more,) = [(y, int(words.split()[1])) for y, words in said if words.startswith("and ")] or [(0, 0)]
    left_out = predicates if more[1] == 0 else predicates - 1  # the one that did not fit was drawn, and is covered
    assert left_out + more[1] == count
    assert (more[1] == 0) == (count <= 7) and more[0] <= 480 - 20


def test_the_notes_of_the_graph_stand_below_every_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    text = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw, "text", lambda self, at, words, **how: said.append(words) or text(self, at, words, **how)
    )
    note = "No model saw the picture."
    noted = replace(graph_of(), made_by=Origin("geometry", "sgdet", "geometry", "w", notes=(note,)))
    write_overlay(tmp_path / "film.mp4", noted, write(tmp_path / "v.mp4", frames=60))
    (picture,) = VideoReader(tmp_path / "film.mp4").read([60])
    assert picture.shape[1] == 970 and picture.shape[0] > 480 and said.count(note) == 1  # drawn once for all pictures
    ink = (picture[482:].astype(int).sum(axis=2) < 300).any(axis=0)
    assert ink[:200].any() and not ink[300:].any()
