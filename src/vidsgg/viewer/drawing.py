"""Draw the graph of a frame, or of a whole video, as one picture."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import repeat

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidsgg.errors import DataError, counted
from vidsgg.structures.graph import GraphFrame, GraphNode, VideoGraph
from vidsgg.viewer.graphs import SUBJECT_COLOUR, Colour, Picture, colours, is_subject, relations_of, words

_PAPER, _INK, _FAINT = (252, 252, 250), (34, 36, 42), (112, 116, 124)
_MIN_WIDTH = 640  # pictures narrower than this are enlarged, so that text and lines stay readable
_PANEL = 330
Names = Mapping[tuple[int | None, str], str]  # of things by track and label, see graphs.thing_names


def draw_frame(
    image: Picture | None, frame: GraphFrame, palette: Mapping[str, Colour], subjects: Collection[str] = ()
) -> Picture:
    """A frame with its boxes, and beside it what the graph says about every thing.

    image: RGB (H, W, 3), or None for an empty canvas of the frame's size. palette: colour per label
    (``graphs.colours``).
    subjects: classes whose relations are shown. Returns RGB. Raises DataError if the picture's size
    is not the frame's.
    """
    picture, scale = _enlarged(image, frame, _MIN_WIDTH)
    _draw_boxes(picture, frame, palette, scale)
    return _beside(picture, _panel(frame, palette, subjects, picture.height))


@dataclass(frozen=True)
class FilmLayout:
    """How the frames of one film are drawn: all of one size, with letters that fit it. width,
    height: of the picture, in pixels."""

    width: int
    height: int
    palette: Mapping[str, Colour]
    subjects: Collection[str] = ()
    names: Names = field(default_factory=dict)

    @staticmethod
    def of(
        width: float, height: float, palette: Mapping[str, Colour], subjects: Collection[str], most: int, names: Names
    ) -> FilmLayout:
        """For frames of that size: small ones are enlarged, those wider than ``most`` pixels
        reduced."""
        wide = max(min(width, most), min(_MIN_WIDTH, most))
        return FilmLayout(round(wide), max(1, round(height * wide / width)), palette, subjects, names)

    def draw(self, image: Picture, frame: GraphFrame, guessed: Collection[int] = ()) -> Picture:
        """As draw_frame, always of the same size: the panel ends where the picture does. guessed:
        nodes with a dashed box."""
        unit = max(0.75, min(self.width, self.height) / 480)
        picture = Image.fromarray(image).resize((self.width, self.height), Image.Resampling.BILINEAR)
        _draw_boxes(picture, frame, self.palette, self.width / frame.width, self.names, unit, guessed)
        return _beside(
            picture, _panel(frame, self.palette, self.subjects, picture.height, self.names, unit, grows=False)
        )


def draw_sheet(
    images: Iterable[Picture | None] | None,
    graph: VideoGraph,
    columns: int = 4,
    width: int = 420,
    subjects: Collection[str] = (),
    names: Names | None = None,
) -> Picture:
    """All frames of a video side by side, each with its boxes and a line of relations per thing.

    images: one per frame, or None; they are taken one by one. columns, width: of the sheet in
    frames, of a frame in pixels. names: of the things. Returns RGB.
    """
    palette = colours([graph], subjects)
    tiles = []
    for image, frame in zip(repeat(None, len(graph.frames)) if images is None else images, graph.frames, strict=True):
        picture, scale = _enlarged(image, frame, width, exactly=True)
        _draw_boxes(picture, frame, palette, scale, names)
        tiles.append((picture, _captions(frame, palette, subjects, picture.width, names)))
    columns = min(columns, len(tiles))
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    gap = 10
    heights = [max(p.height + c.height for p, c in row) for row in rows]
    sheet = Image.new("RGB", (columns * (width + gap) + gap, sum(heights) + gap * (len(rows) + 1)), (255, 255, 255))
    y = gap
    for row, height in zip(rows, heights, strict=True):
        for column, (picture, caption) in enumerate(row):
            x = gap + column * (width + gap)
            sheet.paste(picture, (x, y))
            sheet.paste(caption, (x, y + picture.height))
        y += height + gap
    return np.asarray(sheet)


@cache
def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(round(size))


def _beside(picture: Image.Image, panel: Image.Image) -> Picture:
    whole = Image.new("RGB", (picture.width + panel.width, max(picture.height, panel.height)), _PAPER)
    whole.paste(picture, (0, 0))
    whole.paste(panel, (picture.width, 0))
    return np.asarray(whole)


def _enlarged(
    image: Picture | None, frame: GraphFrame, width: int, *, exactly: bool = False
) -> tuple[Image.Image, float]:
    """The picture, made wide enough, and pixels of the result per pixel of the frame."""
    if image is None:
        picture = Image.new("RGB", (max(1, round(frame.width)), max(1, round(frame.height))), (228, 230, 233))
    else:
        if image.shape[:2] != (round(frame.height), round(frame.width)):
            have = f"{image.shape[1]}x{image.shape[0]}"
            raise DataError(
                f"frame {frame.key!r}: the picture has {have} pixels, the annotation {frame.width:g}x{frame.height:g}."
            )
        picture = Image.fromarray(image)
    scale = width / picture.width if exactly or picture.width < width else 1.0
    if scale != 1:
        picture = picture.resize(
            (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
        )
    return picture, scale


def _draw_boxes(
    picture: Image.Image,
    frame: GraphFrame,
    palette: Mapping[str, Colour],
    scale: float,
    names: Names | None = None,
    unit: float = 1.0,
    dashed: Collection[int] = (),
) -> None:
    """unit: size of letters and lines against that of small pictures. dashed: nodes with such a
    line."""
    draw = ImageDraw.Draw(picture)
    font, line = _font(14 * unit), max(2, round(2 * unit))
    boxed = [(i, node, [v * scale for v in node.box]) for i, node in enumerate(frame.nodes) if node.box is not None]
    for i, node, (x1, y1, x2, y2) in boxed:
        inner = (x1 + 1, y1 + 1, max(x2 - 1, x1 + 1), max(y2 - 1, y1 + 1))
        if i in dashed:
            _dashed(draw, inner, palette[node.label], line)
        else:
            draw.rectangle((x1, y1, x2, y2), outline=(255, 255, 255), width=line + 2)
            draw.rectangle(inner, outline=palette[node.label], width=line)
    taken: list[tuple[float, float, float, float]] = []
    # names last, so that no box crosses them, and moved down until they cover no other name
    for _, node, (x1, y1, _, _) in boxed:
        text = _name(node, names)
        left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
        w, h = right - left + 8 * unit, bottom - top + 6 * unit
        x = max(0.0, min(x1, picture.width - w))
        y = max(y1 - h, 0)
        while (
            any(x < q[2] and x + w > q[0] and y < q[3] and y + h > q[1] for q in taken) and y + 2 * h < picture.height
        ):
            y += h
        taken.append((x, y, x + w, y + h))
        draw.rectangle((x, y, x + w, y + h), fill=palette[node.label])
        draw.text((x + 4 * unit - left, y + 3 * unit - top), text, font=font, fill=(255, 255, 255))


def _name(node: GraphNode, names: Names | None) -> str:
    return (names or {}).get((node.track, node.label), words(node.label))


def _dashed(draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], colour: Colour, width: int) -> None:
    x1, y1, x2, y2 = box
    step = 4.0 * width
    for (ax, ay), (bx, by) in (((x1, y1), (x2, y1)), ((x1, y2), (x2, y2)), ((x1, y1), (x1, y2)), ((x2, y1), (x2, y2))):
        length = max(abs(bx - ax), abs(by - ay), 1e-6)
        for start in np.arange(0, length, 2 * step):
            a, b = start / length, min(length, start + step) / length
            ends = (ax + a * (bx - ax), ay + a * (by - ay), ax + b * (bx - ax), ay + b * (by - ay))
            draw.line(ends, fill=(255, 255, 255), width=width + 2)
            draw.line(ends, fill=colour, width=width)


def _grouped(frame: GraphFrame, thing: int, subjects: Collection[str], names: Names | None) -> dict[str, str]:
    """Predicates of a thing as text, by group; with scores where there are any. A relation between
    two things of which neither is of ``subjects`` stands at the first, with the name of the other."""
    texts: dict[str, list[str]] = {}
    for edge in relations_of(frame, thing):
        other = frame.nodes[edge.object if edge.subject == thing else edge.subject]
        apart = is_subject(other, subjects)
        if not apart and edge.subject != thing:
            continue
        score = "" if edge.score == 1 else f" {edge.score:.2f}"
        text = words(edge.predicate) + ("" if apart else f" {_name(other, names)}") + score
        texts.setdefault(edge.group, []).append(text)
    return {group: ", ".join(found) for group, found in texts.items()}


def _things(frame: GraphFrame, subjects: Collection[str]) -> list[int]:
    return [i for i, node in enumerate(frame.nodes) if not is_subject(node, subjects)]


def _wrapped(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float
) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font=font) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _panel(
    frame: GraphFrame,
    palette: Mapping[str, Colour],
    subjects: Collection[str],
    height: int,
    names: Names | None = None,
    unit: float = 1.0,
    grows: bool = True,
) -> Image.Image:
    """What the graph says, thing by thing. unit: as for boxes. grows: to be higher than ``height``
    where there is more to show; otherwise the last line says how many things are left out.
    """
    width = round(_PANEL * unit)
    panel = Image.new("RGB", (width, max(height, round(2000 * unit))), _PAPER)
    draw = ImageDraw.Draw(panel)
    title, body, small = _font(18 * unit), _font(15 * unit), _font(12 * unit)
    acting = [_name(node, names) for node in frame.nodes if is_subject(node, subjects)]
    heading = ", ".join(acting) or ("no subject" if subjects else counted(len(frame.nodes), "thing"))
    draw.text((16 * unit, 12 * unit), heading, font=title, fill=SUBJECT_COLOUR)
    draw.text((16 * unit, 36 * unit), frame.key, font=small, fill=_FAINT)
    y = 62 * unit
    things = _things(frame, subjects)
    for place, i in enumerate(things):
        node, begin = frame.nodes[i], y
        draw.rectangle((16 * unit, y + 3 * unit, 28 * unit, y + 17 * unit), fill=palette[node.label])
        score = "" if node.score == 1 else f"  {node.score:.2f}"
        draw.text((36 * unit, y), _name(node, names) + score, font=title, fill=palette[node.label])
        y += 26 * unit
        for group, text in _grouped(frame, i, subjects, names).items():
            draw.text((36 * unit, y + 2 * unit), words(group), font=small, fill=_FAINT)
            for line in _wrapped(draw, text, body, width - 124 * unit):
                draw.text((112 * unit, y), line, font=body, fill=_INK)
                y += 20 * unit
        y += 10 * unit
        rest = len(things) - place
        if not grows and y > height - (0 if rest == 1 else 24 * unit):
            draw.rectangle((0, begin, width, panel.height), fill=_PAPER)
            draw.text((36 * unit, min(begin, height - 22 * unit)), f"and {rest} more", font=body, fill=_FAINT)
            break
    return panel.crop((0, 0, width, max(height, math.ceil(y)) if grows else height))


def _captions(
    frame: GraphFrame, palette: Mapping[str, Colour], subjects: Collection[str], width: int, names: Names | None
) -> Image.Image:
    """Two or three lines under a small picture."""
    font = _font(13)
    lines: list[tuple[str, Colour]] = [(f"{frame.key}", _FAINT)]
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    for i in _things(frame, subjects):
        label, said = frame.nodes[i].label, _grouped(frame, i, subjects, names)
        if not said and not subjects:
            continue
        text = f"{_name(frame.nodes[i], names)}: " + "; ".join(said.values())
        lines += [(line, palette[label]) for line in _wrapped(draw, text, font, width - 8)]
    caption = Image.new("RGB", (width, 17 * len(lines) + 6), _PAPER)
    draw = ImageDraw.Draw(caption)
    for number, (line, colour) in enumerate(lines):
        draw.text((4, 3 + 17 * number), line, font=font, fill=colour)
    return caption
