"""Draw the graph of a frame, or of a whole video, as one picture."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import repeat

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidsgg.errors import DataError, counted
from vidsgg.structures.graph import Box, GraphFrame, VideoGraph
from vidsgg.viewer.graphs import (
    SUBJECT_COLOUR,
    Colour,
    Names,
    Picture,
    colours,
    is_subject,
    node_names,
    relations_of,
    words,
)

_PAPER, _INK, _FAINT = (252, 252, 250), (34, 36, 42), (112, 116, 124)
_SHEET = (255, 255, 255)
_MIN_WIDTH = 640  # pictures narrower than this are enlarged, so that text and lines stay readable
_PANEL = 330
_NO_BREAK = "\N{NO-BREAK SPACE}"


def draw_frame(
    image: Picture | None,
    frame: GraphFrame,
    palette: Mapping[str, Colour],
    subjects: Collection[str] = (),
    names: Names | None = None,
) -> Picture:
    """A frame with its boxes, and beside it what the graph says about every thing.

    image: RGB (H, W, 3), or None for an empty canvas of the frame's size. palette: colour per label
    (``graphs.colours``).
    subjects: classes whose relations are shown. names: of the things. Returns RGB. Raises DataError
    if the picture's size is not the frame's.
    """
    picture, scale = _enlarged(image, frame, _MIN_WIDTH)
    called = node_names(frame, names)
    _draw_boxes(picture, frame, palette, scale, called)
    return _beside(picture, _panel(frame, palette, subjects, picture.height, called))


@dataclass(frozen=True)
class FilmLayout:
    """How the frames of one film are drawn: all of one size, with letters that fit it. width,
    height: of the picture, in pixels."""

    width: int
    height: int
    palette: Mapping[str, Colour]
    subjects: Collection[str] = ()
    names: Names = field(default_factory=dict)
    notes: Sequence[str] = ()  # of the graph; they stand below every picture

    @staticmethod
    def of(
        width: float,
        height: float,
        palette: Mapping[str, Colour],
        subjects: Collection[str],
        most: int,
        names: Names,
        notes: Sequence[str] = (),
    ) -> FilmLayout:
        """For frames of that size: small ones are enlarged, those wider than ``most`` pixels
        reduced."""
        wide = max(min(width, most), min(_MIN_WIDTH, most))
        return FilmLayout(round(wide), max(1, round(height * wide / width)), palette, subjects, names, notes)

    def draw(self, image: Picture, frame: GraphFrame, guessed: Collection[int] = ()) -> Picture:
        """As draw_frame, always of the same size: the panel ends where the picture does, and the notes
        follow below both. guessed: nodes with a dashed box."""
        unit = self._unit
        picture = Image.fromarray(image).resize((self.width, self.height), Image.Resampling.BILINEAR)
        called = node_names(frame, self.names)
        _draw_boxes(picture, frame, self.palette, self.width / frame.width, called, unit, guessed)
        panel = _panel(frame, self.palette, self.subjects, picture.height, called, unit, grows=False)
        drawn = _beside(picture, panel)
        return np.concatenate([drawn, self._strip]) if self.notes else drawn

    @property
    def _unit(self) -> float:
        """The size of letters and lines, relative to a picture of 480 pixels."""
        return max(0.75, min(self.width, self.height) / 480)

    @cached_property
    def _strip(self) -> Picture:
        return np.asarray(_notes(self.notes, self.width + _panel_width(self._unit), self._unit))


def draw_sheet(
    images: Iterable[Picture | None] | None,
    graph: VideoGraph,
    columns: int = 4,
    width: int = 420,
    subjects: Collection[str] = (),
    names: Names | None = None,
) -> Picture:
    """All frames of a video side by side, each with its boxes and a line of relations per thing, and
    below them the notes of the graph.

    images: one per frame, or None; they are taken one by one. columns, width: of the sheet in
    frames, of a frame in pixels. names: of the things. Returns RGB.
    """
    palette = colours([graph], subjects)
    tiles = []
    for image, frame in zip(repeat(None, len(graph.frames)) if images is None else images, graph.frames, strict=True):
        picture, scale = _enlarged(image, frame, width, exactly=True)
        called = node_names(frame, names)
        _draw_boxes(picture, frame, palette, scale, called)
        tiles.append((picture, _captions(frame, palette, subjects, picture.width, called)))
    columns = min(columns, len(tiles))
    rows = [tiles[i : i + columns] for i in range(0, len(tiles), columns)]
    gap = 10
    heights = [max(p.height + c.height for p, c in row) for row in rows]
    wide, high = columns * (width + gap) + gap, sum(heights) + gap * (len(rows) + 1)
    notes = _notes(graph.notes, wide, 1.0, _SHEET)
    sheet = Image.new("RGB", (wide, high + notes.height), _SHEET)
    sheet.paste(notes, (0, high))
    y = gap
    for row, height in zip(rows, heights, strict=True):
        for column, (picture, caption) in enumerate(row):
            x = gap + column * (width + gap)
            sheet.paste(picture, (x, y))
            sheet.paste(caption, (x, y + picture.height))
        y += height + gap
    return np.asarray(sheet)


def _notes(notes: Sequence[str], width: int, unit: float, ground: Colour = _PAPER) -> Image.Image:
    """The notes of a graph, of no height if there are none. unit: as for boxes."""
    font, margin, line = _font(13 * unit), round(10 * unit), round(17 * unit)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    lines = [text for note in notes for text in _wrapped(measure, note, font, width - 2 * margin)]
    strip = Image.new("RGB", (width, len(lines) * line + margin if lines else 0), ground)
    draw = ImageDraw.Draw(strip)
    for number, text in enumerate(lines):
        draw.text((margin, margin // 2 + line * number), text, font=font, fill=_INK)
    return strip


def _panel_width(unit: float) -> int:
    return round(_PANEL * unit)


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
    called: Sequence[str],
    unit: float = 1.0,
    dashed: Collection[int] = (),
) -> None:
    """called: names of the nodes. unit: size of letters and lines against that of small pictures.
    dashed: nodes with such a line."""
    draw = ImageDraw.Draw(picture)
    font, line = _font(14 * unit), max(2, round(2 * unit))
    boxes = {i: _scaled(node.box, scale) for i, node in enumerate(frame.nodes) if node.box is not None}
    for i, (x1, y1, x2, y2) in boxes.items():
        colour, inner = palette[frame.nodes[i].label], (x1 + 1, y1 + 1, max(x2 - 1, x1 + 1), max(y2 - 1, y1 + 1))
        if i in dashed:
            _dashed(draw, inner, colour, line)
        else:
            draw.rectangle((x1, y1, x2, y2), outline=(255, 255, 255), width=line + 2)
            draw.rectangle(inner, outline=colour, width=line)
    high = math.ceil(draw.textbbox((0, 0), "Ag", font=font)[3]) + 3 * unit
    tags = place_tags(
        {i: (_forms(called[i], words(frame.nodes[i].label)), box) for i, box in boxes.items()},
        picture.size,
        high,
        lambda text: draw.textlength(text, font=font) + 8 * unit,
    )
    # names last, so that no box crosses them, and the lines to their boxes below all names
    for i, (_, place) in tags.items():
        if (ends := _leader(place, boxes[i])) is not None:
            draw.line(ends, fill=palette[frame.nodes[i].label], width=max(1, line // 2))
    for i, (text, (x1, y1, x2, y2)) in tags.items():
        draw.rectangle((x1, y1, x2, y2), fill=palette[frame.nodes[i].label])
        draw.text((x1 + 4 * unit, (y1 + y2) / 2), text, font=font, fill=(255, 255, 255), anchor="lm")


def _scaled(box: Box, scale: float) -> Box:
    x1, y1, x2, y2 = box
    return x1 * scale, y1 * scale, x2 * scale, y2 * scale


def _forms(name: str, label: str) -> list[str]:
    """What a tag may say, the most telling first: the name, its class cut short or folded to its
    first letters, each with the number; nothing."""
    number = name.removeprefix(label)
    initials = "".join(word[0] for word in re.split("[ /-]+", label) if word)
    short = name if len(label) <= 9 else f"{label[:7].rstrip()}…{number}"
    return [name, short, initials[:4] + number, ""]


def place_tags(
    things: Mapping[int, tuple[Sequence[str], Box]],
    size: tuple[int, int],
    high: float,
    width_of: Callable[[str], float],
) -> dict[int, tuple[str, Box]]:
    """Where the names of a picture stand, so that none covers another: as on the page (page/picture.js).

    things: by number, forms of a name, the most telling first, and the thing's box in pixels. size:
    of the picture. high: pixels of a name. width_of: pixels of a text. Returns form and place by
    number. An empty form is a point; if there is no place for that either, it covers something.
    """
    taken: list[Box] = []
    found = {}
    for number, (forms, box) in things.items():
        for form in forms:
            wide, tall = (min(width_of(form), size[0]), high) if form else (high / 2, high / 2)
            places = [(x, y, x + wide, y + tall) for x, y in _spots(box, wide, tall, size)]
            place = next((place for place in places if not any(_meet(place, other) for other in taken)), None)
            if place is not None or form == forms[-1]:
                found[number] = form, place or places[0]
                break
        taken.append(found[number][1])
    return found


def _spots(box: Box, wide: float, tall: float, size: tuple[int, int]) -> Iterator[tuple[float, float]]:
    """Places for a name: above its box, in it, below it and beside it, then row by row further
    away."""
    (x1, y1, x2, y2), right, bottom = box, max(0.0, size[0] - wide), max(0.0, size[1] - tall)
    near = [(x1, y1 - tall), (x1, y1), (x2 - wide, y1 - tall), (x1, y2), (x2, y1), (x1 - wide, y1)]
    rows = [y1 + sign * step * tall for step in range(1, 10) for sign in (1, -1)]
    far = [(x, y) for y in rows for x in (x1, x2 - wide, x1 - wide, x2)]
    return ((min(max(x, 0.0), right), min(max(y, 0.0), bottom)) for x, y in (*near, *far))


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _leader(tag: Box, box: Box) -> tuple[float, float, float, float] | None:
    """Both ends of a line from a name to its box; None if they touch."""
    ends = []
    for low, high in ((0, 2), (1, 3)):
        begin, end = max(tag[low], box[low]), min(tag[high], box[high])
        ends.append(((begin + end) / 2,) * 2 if begin <= end else (begin, end) if tag[low] > box[low] else (end, begin))
    (x1, x2), (y1, y2) = ends
    return (x1, y1, x2, y2) if max(abs(x1 - x2), abs(y1 - y2)) > 3 else None


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


def _grouped(frame: GraphFrame, thing: int, subjects: Collection[str], called: Sequence[str]) -> dict[str, list[str]]:
    """Predicates of a thing as text, by group; with scores where there are any. Where a frame has
    several subjects, each has a text of its own, which begins with its name. A relation between two
    things of which neither is of ``subjects`` stands at the first, with the name of the other."""
    several = sum(is_subject(node, subjects) for node in frame.nodes) > 1
    texts: dict[str, dict[int, list[str]]] = {}
    for edge in relations_of(frame, thing):
        other = edge.object if edge.subject == thing else edge.subject
        apart = is_subject(frame.nodes[other], subjects)
        if not apart and edge.subject != thing:
            continue
        # in brackets, so that a number of a thing and a score never stand side by side
        score = "" if edge.score == 1 else f"{_NO_BREAK}({edge.score:.2f})"
        text = words(edge.predicate) + ("" if apart else f" {called[other]}") + score
        texts.setdefault(edge.group, {}).setdefault(other if apart and several else -1, []).append(text)
    return {
        group: [(f"{called[one]}: " if one >= 0 else "") + ", ".join(said) for one, said in sorted(found.items())]
        for group, found in texts.items()
    }


def _things(frame: GraphFrame, subjects: Collection[str]) -> list[int]:
    return [i for i, node in enumerate(frame.nodes) if not is_subject(node, subjects)]


def _wrapped(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float
) -> list[str]:
    """Lines of a text, broken behind spaces, hyphens and slashes; spaces that do not break come out as
    usual ones, since the font has no others."""
    lines = [""]
    for piece in (piece.replace(_NO_BREAK, " ") for piece in re.split(r"(?<=[ /-])", text)):
        if draw.textlength((lines[-1] + piece).rstrip(), font=font) <= width or not lines[-1]:
            lines[-1] += piece
        else:
            lines.append(piece)
    return [line.rstrip() for line in lines]


def _panel(
    frame: GraphFrame,
    palette: Mapping[str, Colour],
    subjects: Collection[str],
    height: int,
    called: Sequence[str],
    unit: float = 1.0,
    grows: bool = True,
) -> Image.Image:
    """What the graph says, thing by thing. unit: as for boxes. grows: to be higher than ``height``
    where there is more to show; otherwise the last line says how many things are left out.
    """
    width = _panel_width(unit)
    panel = Image.new("RGB", (width, max(height, round(2000 * unit))), _PAPER)
    draw = ImageDraw.Draw(panel)
    title, body, small = _font(18 * unit), _font(15 * unit), _font(12 * unit)
    acting = [name for name, node in zip(called, frame.nodes, strict=True) if is_subject(node, subjects)]
    heading = ", ".join(acting) or ("no subject" if subjects else counted(len(frame.nodes), "thing"))
    y = 12 * unit
    for text in _wrapped(draw, heading, title, width - 32 * unit):
        draw.text((16 * unit, y), text, font=title, fill=SUBJECT_COLOUR)
        y += 24 * unit
    draw.text((16 * unit, y), frame.key, font=small, fill=_FAINT)
    y += 26 * unit
    things = _things(frame, subjects)
    for place, i in enumerate(things):
        node, begin = frame.nodes[i], y
        draw.rectangle((16 * unit, y + 3 * unit, 28 * unit, y + 17 * unit), fill=palette[node.label])
        score = "" if node.score == 1 else f" ·{_NO_BREAK}{node.score:.2f}"
        for text in _wrapped(draw, called[i] + score, title, width - 44 * unit):
            draw.text((36 * unit, y), text, font=title, fill=palette[node.label])
            y += 23 * unit
        y += 3 * unit
        for group, texts in _grouped(frame, i, subjects, called).items():
            draw.text((36 * unit, y + 2 * unit), words(group), font=small, fill=_FAINT)
            for line in (line for text in texts for line in _wrapped(draw, text, body, width - 124 * unit)):
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
    frame: GraphFrame, palette: Mapping[str, Colour], subjects: Collection[str], width: int, called: Sequence[str]
) -> Image.Image:
    """Two or three lines under a small picture."""
    font = _font(13)
    lines: list[tuple[str, Colour]] = [(f"{frame.key}", _FAINT)]
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    for i in _things(frame, subjects):
        label, said = frame.nodes[i].label, _grouped(frame, i, subjects, called)
        if not said and not subjects:
            continue
        text = f"{called[i]}: " + "; ".join(text for texts in said.values() for text in texts)
        lines += [(line, palette[label]) for line in _wrapped(draw, text, font, width - 8)]
    caption = Image.new("RGB", (width, 17 * len(lines) + 6), _PAPER)
    draw = ImageDraw.Draw(caption)
    for number, (line, colour) in enumerate(lines):
        draw.text((4, 3 + 17 * number), line, font=font, fill=colour)
    return caption
