"""Draw the graph of a frame, or of a whole video, as one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vidsgg.errors import DataError
from vidsgg.structures.graph import GraphFrame, VideoGraph
from vidsgg.viewer.graphs import SUBJECT_COLOUR, Colour, Picture, colours, is_subject, relations_of, words

_PAPER, _INK, _FAINT = (252, 252, 250), (34, 36, 42), (112, 116, 124)
_MIN_WIDTH = 640  # pictures narrower than this are enlarged, so that text and lines stay readable
_PANEL = 330
_SUBJECTS = ("person",)


def draw_frame(image: Picture | None, frame: GraphFrame, palette: Mapping[str, Colour], subjects: Sequence[str] = _SUBJECTS) -> Picture:
    """A frame with its boxes, and beside it what the graph says about every thing.

    image: RGB (H, W, 3), or None for an empty canvas of the frame's size. palette: colour per label (``graphs.colours``).
    subjects: classes whose relations are told. Returns RGB. Raises DataError if the picture's size is not the frame's.
    """
    picture, scale = _enlarged(image, frame, _MIN_WIDTH)
    _draw_boxes(picture, frame, palette, scale)
    panel = _panel(frame, palette, subjects, picture.height)
    whole = Image.new("RGB", (picture.width + panel.width, max(picture.height, panel.height)), _PAPER)
    whole.paste(picture, (0, 0))
    whole.paste(panel, (picture.width, 0))
    return np.asarray(whole)


def draw_sheet(
    images: Sequence[Picture] | None, graph: VideoGraph, columns: int = 4, width: int = 420, subjects: Sequence[str] = _SUBJECTS
) -> Picture:
    """All frames of a video side by side, each with its boxes and a line of relations per thing.

    images: one per frame, or None. columns, width: of the sheet in frames, of a frame in pixels. Returns RGB.
    """
    palette = colours([graph], subjects)
    tiles = []
    for i, frame in enumerate(graph.frames):
        picture, scale = _enlarged(None if images is None else images[i], frame, width, exactly=True)
        _draw_boxes(picture, frame, palette, scale)
        tiles.append((picture, _captions(frame, palette, subjects, picture.width)))
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


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _enlarged(image: Picture | None, frame: GraphFrame, width: int, *, exactly: bool = False) -> tuple[Image.Image, float]:
    """The picture, made wide enough, and pixels of the result per pixel of the frame."""
    if image is None:
        picture = Image.new("RGB", (max(1, round(frame.width)), max(1, round(frame.height))), (228, 230, 233))
    else:
        if image.shape[:2] != (round(frame.height), round(frame.width)):
            have = f"{image.shape[1]}x{image.shape[0]}"
            raise DataError(f"frame {frame.key!r}: the picture has {have} pixels, the annotation {frame.width:g}x{frame.height:g}.")
        picture = Image.fromarray(image)
    scale = width / picture.width if exactly or picture.width < width else 1.0
    if scale != 1:
        picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    return picture, scale


def _draw_boxes(picture: Image.Image, frame: GraphFrame, palette: Mapping[str, Colour], scale: float) -> None:
    draw = ImageDraw.Draw(picture)
    font = _font(14)
    boxed = [(node.label, [v * scale for v in node.box]) for node in frame.nodes if node.box is not None]
    for label, box in boxed:
        draw.rectangle(box, outline=(255, 255, 255), width=4)
        draw.rectangle([box[0] + 1, box[1] + 1, max(box[2] - 1, box[0] + 1), max(box[3] - 1, box[1] + 1)], outline=palette[label], width=2)
    taken: list[tuple[float, float, float, float]] = []
    for label, box in boxed:  # names last, so that no box crosses them, and moved down until they cover no other name
        left, top, right, bottom = draw.textbbox((0, 0), words(label), font=font)
        w, h = right - left + 8, bottom - top + 6
        x = min(max(box[0], 0), picture.width - w)
        y = max(box[1] - h, 0)
        while any(x < q[2] and x + w > q[0] and y < q[3] and y + h > q[1] for q in taken) and y + 2 * h < picture.height:
            y += h
        taken.append((x, y, x + w, y + h))
        draw.rectangle((x, y, x + w, y + h), fill=palette[label])
        draw.text((x + 4 - left, y + 3 - top), words(label), font=font, fill=(255, 255, 255))


def _grouped(frame: GraphFrame, thing: int) -> dict[str, str]:
    """Predicates of a thing as text, by group; scores are told where there are any."""
    texts: dict[str, list[str]] = {}
    for edge in relations_of(frame, thing):
        score = "" if edge.score == 1 else f" {edge.score:.2f}"
        texts.setdefault(edge.group, []).append(words(edge.predicate) + score)
    return {group: ", ".join(found) for group, found in texts.items()}


def _things(frame: GraphFrame, subjects: Sequence[str]) -> list[int]:
    return [i for i, node in enumerate(frame.nodes) if not is_subject(node, subjects)]


def _wrapped(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font=font) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _panel(frame: GraphFrame, palette: Mapping[str, Colour], subjects: Sequence[str], height: int) -> Image.Image:
    """What the graph says, thing by thing."""
    panel = Image.new("RGB", (_PANEL, max(height, 2000)), _PAPER)
    draw = ImageDraw.Draw(panel)
    title, body, small = _font(18), _font(15), _font(12)
    names = [words(node.label) for node in frame.nodes if is_subject(node, subjects)]
    draw.text((16, 12), ", ".join(names) or "no subject", font=title, fill=SUBJECT_COLOUR)
    draw.text((16, 36), frame.key, font=small, fill=_FAINT)
    y = 62.0
    for i in _things(frame, subjects):
        node = frame.nodes[i]
        draw.rectangle((16, y + 3, 28, y + 17), fill=palette[node.label])
        score = "" if node.score == 1 else f"  {node.score:.2f}"
        draw.text((36, y), words(node.label) + score, font=title, fill=palette[node.label])
        y += 26
        for group, text in _grouped(frame, i).items():
            draw.text((36, y + 2), group, font=small, fill=_FAINT)
            for line in _wrapped(draw, text, body, _PANEL - 124):
                draw.text((112, y), line, font=body, fill=_INK)
                y += 20
        y += 10
    return panel.crop((0, 0, _PANEL, max(height, math.ceil(y))))


def _captions(frame: GraphFrame, palette: Mapping[str, Colour], subjects: Sequence[str], width: int) -> Image.Image:
    """Two or three lines under a small picture."""
    font = _font(13)
    lines: list[tuple[str, Colour]] = [(f"{frame.key}", _FAINT)]
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    for i in _things(frame, subjects):
        label = frame.nodes[i].label
        text = f"{words(label)}: " + "; ".join(_grouped(frame, i).values())
        lines += [(line, palette[label]) for line in _wrapped(draw, text, font, width - 8)]
    caption = Image.new("RGB", (width, 17 * len(lines) + 6), _PAPER)
    draw = ImageDraw.Draw(caption)
    for number, (line, colour) in enumerate(lines):
        draw.text((4, 3 + 17 * number), line, font=font, fill=colour)
    return caption
