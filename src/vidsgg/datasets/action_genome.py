"""Action Genome: its classes and predicates, and its videos as the published methods read them.

The rules of what is kept are those of yrcong/STTran ``dataloader/action_genome.py``, which
published results rest on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np

from vidsgg.datasets.action_genome_files import SPLITS, cache_places, load_records, split_key
from vidsgg.datasets.action_genome_layout import FRAMES, VIDEOS, find_layout, layout_with_videos
from vidsgg.datasets.action_genome_rules import select
from vidsgg.datasets.base import FrameSource, VideoDataset, count_triplets
from vidsgg.errors import ConfigError, DataError, counted, short
from vidsgg.io.files import read_text
from vidsgg.io.images import Image, read_image
from vidsgg.io.locations import Location, name_below
from vidsgg.io.names import is_one_name
from vidsgg.io.video import VideoReader, read_dumped_frames
from vidsgg.options import closest
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Schema
from vidsgg.structures.triplets import triplet_codes
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary

PERSON = 1

OBJECTS = (
    BACKGROUND, "person", "bag", "bed", "blanket", "book", "box", "broom", "chair", "closet/cabinet", "clothes",
    "cup/glass/bottle", "dish", "door", "doorknob", "doorway", "floor", "food", "groceries", "laptop", "light", "medicine",
    "mirror", "paper/notebook", "phone/camera", "picture", "pillow", "refrigerator", "sandwich", "shelf", "shoe", "sofa/couch",
    "table", "television", "towel", "vacuum", "window",
)  # fmt: skip
ATTENTION = ("looking_at", "not_looking_at", "unsure")
SPATIAL = ("above", "beneath", "in_front_of", "behind", "on_the_side_of", "in")
CONTACTING = (
    "carrying", "covered_by", "drinking_from", "eating", "have_it_on_the_back", "holding", "leaning_on", "lying_on",
    "not_contacting", "other_relationship", "sitting_on", "standing_on", "touching", "twisting", "wearing", "wiping", "writing_on",
)  # fmt: skip

VOCABULARY = Vocabulary(
    objects=OBJECTS,
    subjects=(OBJECTS[PERSON],),
    groups=(
        PredicateGroup("attention", ATTENTION, kind="single", shown_from=0.6, on_request=("not_looking_at", "unsure")),
        PredicateGroup("spatial", SPATIAL, kind="multi", direction="object->subject", shown_from=0.6),
        PredicateGroup(
            "contacting",
            CONTACTING,
            kind="multi",
            negative="not_contacting",
            on_request=("not_contacting", "other_relationship"),
        ),
    ),
)
SCHEMA = Schema(
    name="action_genome",
    title="Action Genome",
    vocabulary=VOCABULARY,
    subject_kind="entity",
    subject_given=("predcls",),
    one_subject=True,
    often_wrong=("book", "chair", "food"),
    once_per_frame=("person",),
)

_CLASS_FILE_SIZE = 1 << 16  # bytes at most; the originals have a few hundred
CLASS_FILES = {"object_classes.txt": OBJECTS[1:], "relationship_classes.txt": VOCABULARY.predicates}


def check_class_file(path: Location) -> None:
    """The names of a class file are Action Genome's, in order, with or without the separators that
    its text files lack.

    Raises DataError naming the file, the line and the expected name.
    """
    wanted = CLASS_FILES[path.name]
    try:
        lines = read_text(path, _CLASS_FILE_SIZE).rstrip().splitlines()
    except DataError as error:
        raise DataError(f"{error} Get it from Action Genome's annotations.") from error
    for i, (have, want) in enumerate(zip(lines, wanted, strict=False), 1):
        if compact_name(have) != compact_name(want):
            raise DataError(
                f"{path}: line {i} is {short(have)}, Action Genome has {short(compact_name(want))} there; use the"
                " original file."
            )
    if len(lines) != len(wanted):
        raise DataError(f"{path}: has {len(lines)} names, Action Genome has {len(wanted)}; use the original file.")


def compact_name(name: str) -> str:
    """A class name as the text files spell it: ``closetcabinet`` for ``closet/cabinet``."""
    return re.sub(r"[/_\s]", "", name).lower()


class ActionGenome(VideoDataset):
    """One split of Action Genome, as the reference loader keeps it for ``mode``.

    A frame is kept if its first object entry belongs to the split, a person box was found and an
    object is visible; a video if more than two of its frames are kept. Videos and frames follow
    person_bbox.pkl. In sgcls and sgdet objects with a side under 16 pixels count as invisible, as
    in the authors' separate file for these modes. Nodes of a frame: the person, then the objects in
    annotation order; one pair (person, object) for each object. Boxes are left as annotated, also
    where they leave the frame.

    The first opening reads the pickles, later ones a cache (see action_genome_files.load_records).
    The class files are compared with the known names if they are there; nothing else is taken from
    them. Entries that cannot be used raise DataError naming the key and the value, or are dropped
    and counted with ``skip_bad``: a frame for what is wrong with its key, split or person, else
    just the object.

    summary: what was kept and dropped. Raises ConfigError for an unknown split or mode and
    DataError naming the file.
    """

    schema = SCHEMA

    def __init__(self, root: Location, split: str, mode: str = "predcls", skip_bad: bool = False) -> None:
        if split not in SPLITS:
            raise ConfigError(
                f"Action Genome has no split {short(split)}, only 'train' and 'test'{closest(split, SPLITS)}"
            )
        if mode not in SCHEMA.modes:
            raise ConfigError(
                f"Action Genome has no mode {short(mode)}, only {', '.join(SCHEMA.modes)}{closest(mode, SCHEMA.modes)}"
            )
        self.root, self.split, self.mode, self._skip_bad = root, split, mode, skip_bad
        self.layout = find_layout(self.root)
        for name in CLASS_FILES:
            path = self.layout.annotations / name
            if path.exists():
                check_class_file(path)
        records = load_records(self.root, VOCABULARY)
        problems = records.problems(split)
        if problems and not skip_bad:
            first = next(iter(problems))
            more = sum(problems.values()) - 1
            hint = f" {counted(more, 'more entry', 'more entries')} cannot be used;" if more else ""
            text = next(iter(records.messages(first, split)), first)
            raise DataError(
                f"{self.layout.annotations}: {text}{hint} 'vidsgg data check' lists what is wrong, -skip_bad True"
                " leaves it out."
            )
        self.summary, self._table = select(records, split, SCHEMA, drop_small=mode != "predcls", skipped=problems)
        self.video_ids = list(self._table.video_id)
        self._uneven: dict[int, str | None] = {}  # what ``uneven`` has found
        if not self.video_ids:
            raise DataError(
                f"{self.root}: no video of split {short(split)} has more than two usable frames.\n{self.summary.text()}"
            )

    def in_mode(self, mode: str) -> ActionGenome:
        if mode == self.mode:
            return self
        other = ActionGenome(self.root, self.split, mode, self._skip_bad)
        return other if self.videos_path is None else other.with_videos_in(self.videos_path)

    def with_videos_in(self, folder: Location) -> ActionGenome:
        same = copy(self)
        same.videos_path, same.layout, same._uneven = folder, layout_with_videos(self.layout, folder), {}
        return same

    def annotation(self, index: int) -> VideoAnnotation:
        return self._table[index]

    def triplet_counts(self) -> tuple[Array, Array]:
        """As everywhere, but over whole columns."""
        table = self._table
        pair, predicate = np.nonzero(np.concatenate([table.labels[group.name] for group in VOCABULARY.groups], axis=1))
        first = np.repeat(table.start["node"][:-1], np.diff(table.start["pair"]))[pair]  # node of a pair's video
        subject, thing = (
            table.columns["node_class"][table.columns[f"pair_{end}"][pair] + first] for end in ("subject", "object")
        )
        return count_triplets([triplet_codes(VOCABULARY, subject, thing, predicate)])

    def fingerprint(self) -> str:
        table, digest = self._table, hashlib.sha256()
        for array in (table.video_id.data, *table.start.values(), *table.columns.values(), *table.labels.values()):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def cache_places(self) -> list[Path]:
        return cache_places(self.root)

    def picture_size(self, file: Location) -> int | None:
        return self.layout.listing.size(file)

    def frame_sources(self, index: int, frames: Sequence[int] | None = None) -> list[FrameSource]:
        """The dumped picture of each frame, ``frames/VIDEO.mp4/NNNNNN.png`` (or ``.jpg``), else its
        number in ``videos/VIDEO.mp4``.

        The authors dumped with ``ffmpeg -i VIDEO %06d.png`` (JingweiJ/ActionGenome
        ``tools/dump_frames.py``), and that is how frames are
        numbered: where a video's rate is uneven, frame N is not its N-th picture (see
        io/constant_rate.py).
        """
        video_id, (first, last) = self.video_ids[index], self._table.start["frame"][index : index + 2].tolist()
        keys = self._table.frame_key.span(first, last)
        numbers = self._table.columns["frame_number"][first:last].tolist()
        sources, plain = [], is_one_name(video_id)
        try:
            folders, video = self.layout.dumped(video_id), self.layout.video(video_id)
            for row in range(last - first) if frames is None else frames:
                key, number = keys[row], numbers[row]
                # Names out of a cache file are as foreign as those out of a pickle: they must not
                # leave the folder.
                usual = plain and key == f"{video_id}.mp4/{number:06d}.png"
                if not usual and split_key(key) != (video_id, number):
                    raise DataError(
                        f"{self.root}: frame key {short(key)} is not frame {number} of video {short(video_id)}."
                    )
                name = key.rpartition("/")[2]
                picture = self.layout.picture(folders, name.removesuffix(".png"))
                lacking = folders[0] / name if folders and picture is None else None
                if picture is not None:
                    sources.append(FrameSource(picture, name=self._name(picture)))
                elif video is not None:
                    sources.append(FrameSource(video, number, instead_of=lacking, name=self._name(video)))
                elif lacking is not None:
                    sources.append(FrameSource(lacking, there=False, instead_of=lacking))
                else:
                    sources.append(FrameSource(self.layout.videos[0] / f"{video_id}.mp4", number, there=False))
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions.") from error
        return sources

    def _name(self, file: Location) -> str:
        """See ``FrameSource.name``."""
        if self.videos_path is None:
            return ""
        name = name_below(file, self.videos_path)
        parts = name.split("/")
        direct = len(parts) == 1 or (len(parts) == 2 and parts[0].endswith(".mp4"))
        return f"{(VIDEOS, FRAMES)[len(parts) - 1]}/{name}" if direct else name

    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        """The annotated frames, each from where ``frame_sources`` finds it.

        RGB (H, W, 3) uint8. Raises DataError naming the file if one is missing, damaged or of
        another size than annotated.
        """
        sources, (first, last) = (
            self.frame_sources(index, frames),
            self._table.start["frame"][index : index + 2].tolist(),
        )
        sizes = self._table.columns["frame_size"][first:last][slice(None) if frames is None else list(frames)].tolist()
        if lacking := next((source for source in sources if not source.there), None):
            raise DataError(self._no_picture(self.video_ids[index], lacking))
        numbers = [source.number for source in sources if source.number is not None]
        decoded = iter(
            read_dumped_frames(next(s.file for s in sources if s.number is not None), numbers) if numbers else ()
        )
        pictures = [read_image(source.file) if source.number is None else next(decoded) for source in sources]
        for source, picture, (width, height) in zip(sources, pictures, sizes, strict=True):
            if picture.shape[:2] != (height, width):
                place = source.file if source.number is None else f"{source.file}, frame {source.number}"
                raise DataError(
                    f"{place}: is {picture.shape[1]} x {picture.shape[0]} pixels, annotated as {width:g} x {height:g};"
                    " use the videos scaled to 480p, which the boxes refer to."
                )
        return pictures

    def video_frames(self, index: int) -> list[int]:
        numbers, file = super().video_frames(index), self._video(index)
        return numbers if file is None else VideoReader(file).dumped_frames(numbers)

    def uneven(self, index: int) -> str | None:
        if index not in self._uneven:
            self._uneven[index] = self._difference(index)
        return self._uneven[index]

    def _difference(self, index: int) -> str | None:
        file = self._video(index)
        reader = None if file is None else VideoReader(file)
        dumped = None if reader is None else reader.dumped()
        if reader is None or dumped is None or dumped.even:
            return None
        return f"{reader.path}: {reader.count} pictures make {dumped.count} frames, {dumped.difference()}"

    def _video(self, index: int) -> Location | None:
        """The video file, if pictures are read from it."""
        return next(
            (source.file for source in self.frame_sources(index) if source.there and source.number is not None), None
        )

    def _no_picture(self, video: str, source: FrameSource) -> str:
        file = self.layout.videos[0] / f"{video}.mp4"
        if source.instead_of is not None:
            return (
                f"{source.file}: no such picture, and {file} is not there to take it from; dump the frames again, or"
                " add the video."
            )
        folder = self.layout.frames[0] / f"{video}.mp4"
        return f"{self.picture_root}: has no pictures of video {short(video)}: neither {folder} nor {file} is there."
