"""What a detector gives for every video, kept on disk: a record a video, from which the very clip
comes back that extraction made.

A store is a folder: ``store.json`` says what its numbers depend on, the records lie in sub-folders
by a hash of the video's name. In PredCLS a video has one record, elsewhere one to learn from and
one to be scored (see ``ClipExtractor``).

In object storage there are no locks. Of several writers that make a store, one succeeds, and the
others compare theirs with it. Records are uploaded whole; two writers of one record write the same
content. Each video that is left out has a file of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import msgspec
import torch
from torch import Tensor

from vidsgg.datasets.base import VideoDataset
from vidsgg.errors import ConfigError, DataError, short
from vidsgg.features.key import StoreKey, digest_of
from vidsgg.features.stored_clip import RecordSource, clip_of, columns_of
from vidsgg.io.atomic import is_temporary, remove_left_behind, write_whole
from vidsgg.io.folder_lock import folder_lock
from vidsgg.io.homes import unmarked_entries
from vidsgg.io.links import check_no_links, is_link
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location, RemotePath
from vidsgg.io.names import file_name
from vidsgg.io.records import NoRecord, Record, write_record
from vidsgg.io.untrusted import as_type, read_json
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

FORMAT = 1  # raised whenever records change, or the numbers that extraction writes into them
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}  # the most exact first
STORE_FILE, LEFT_OUT_FILE, _LOCK = "store.json", "left_out.json", ".lock"
_LEFT_OUT_FOLDER = "left_out"  # of a store in object storage: a file for each video
_RECORD_FOLDERS = "[0-9a-f][0-9a-f]"  # by the first digits of a hash of the video's name
_LARGEST = 100_000_000  # bytes of such a file; one that notes every video of a large data set has a few million
STORE_FILES = (STORE_FILE, LEFT_OUT_FILE, f"{_LEFT_OUT_FOLDER}/*.json", _LOCK, f"{_RECORD_FOLDERS}/*.safetensors")
_AGAIN = "run 'vidsgg features' again, it writes what is missing or no longer fits"
_REMOVE = "The feature store is damaged: remove its folder, then run 'vidsgg features' again."

Needed = tuple[VideoDataset, bool]  # videos, and whether they are to be learnt from


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """``store.json``."""

    format: int
    key: str
    dtype: Literal["float32", "float16", "bfloat16"]
    widths: FeatureWidths
    made_from: dict[str, Any]


@dataclass(frozen=True)
class FeatureStore:
    """A folder of records. dtype: of the features, a key of DTYPES. It holds no open file, so it
    goes to other processes as it is."""

    folder: Location
    key: StoreKey
    dtype: str
    widths: FeatureWidths
    digest: str  # stands in every record; that of the key as its version wrote it

    @staticmethod
    @contextlib.contextmanager
    def to_write(folder: Location, key: StoreKey, dtype: str, widths: FeatureWidths) -> Iterator[FeatureStore]:
        """The store in a folder, made if it is not there; others may write to it at the same time.

        Raises ConfigError if the folder holds another store or anything else, or if it cannot be
        written to.
        """
        if any(not entry.name.startswith(".") for entry in unmarked_entries(folder, folder / STORE_FILE)):
            raise ConfigError(f"{folder} is not empty and no feature store; name another folder.")
        store = FeatureStore(folder, key, dtype, widths, key.digest)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            document = {
                "format": FORMAT,
                "key": key.digest,
                "dtype": dtype,
                "widths": asdict(widths),
                "made_from": key.to_json(),
            }
            if not _made(folder / STORE_FILE, document):
                there = FeatureStore.open(folder)
                store._check_same(there)
                store = there
            store._clean()
        except OSError as error:
            raise ConfigError(f"cannot write to {folder}: {error.strerror}; name another folder.") from error
        try:
            yield store
        finally:
            store._clean()

    def _clean(self) -> None:
        """Remove what killed writers left in this folder, and in those of its records."""
        if isinstance(self.folder, RemotePath):
            return  # a killed upload leaves no file
        inside = (folder for folder in self.folder.glob(_RECORD_FOLDERS) if not is_link(folder))
        for folder in (self.folder, *inside):
            remove_left_behind(folder)

    def _check_same(self, there: FeatureStore) -> None:
        reasons = there.key.differences(self.key) + (
            [f"{there.dtype}, not {self.dtype}"] if there.dtype != self.dtype else []
        )
        if reasons:
            raise ConfigError(
                f"{self.folder} holds other features ({'; '.join(reasons)}); name another folder, or remove it."
            )

    @staticmethod
    def open(folder: Location) -> FeatureStore:
        """Raises DataError if there is no store that this version can read."""
        path = folder / STORE_FILE
        try:
            content = read_json(path, dict[str, Any], _LARGEST)
        except DataError as error:
            if not path.exists():
                raise DataError(f"{folder} is no feature store: it has no {STORE_FILE}.") from error
            raise DataError(f"{error} {_REMOVE}") from error
        if (version := content.get("format")) != FORMAT:
            raise DataError(
                f"{folder}: the features are of format {short(version)}, this version reads format {FORMAT}; write them"
                " again."
            )
        try:
            document = as_type(content, _Document)
            store = FeatureStore(
                folder, StoreKey.from_json(document.made_from), document.dtype, document.widths, document.key
            )
            if digest_of(document.made_from) != store.digest:
                raise DataError("its values contradict each other.")
        except DataError as error:
            raise DataError(f"{path}: {error} {_REMOVE}") from error
        return store

    def require(self, key: StoreKey, needed: Sequence[Needed] = ()) -> None:
        """Raises DataError saying what differs if the features were not made under ``key``, or how
        many of the needed videos they lack.

        A video that is noted as left out does not count as lacking: reading it says why it was.
        """
        if reasons := self.key.differences(key):
            raise DataError(
                f"the features in {self.folder} do not fit: {'; '.join(reasons)}. Write others with 'vidsgg features'."
            )
        left_out, listing = self.left_out(), Listing()
        for dataset, learn in needed:
            lacking = [
                v for v in dataset.video_ids if v not in left_out and not self.has_record(v, listing, learn=learn)
            ]
            if lacking:
                raise DataError(
                    f"the features in {self.folder} lack {len(lacking)} of {len(dataset)} videos, {short(lacking[0])}"
                    f" first; {_AGAIN}."
                )

    def left_out(self) -> dict[str, str]:
        """Videos that could not be read when features were written, and why."""
        path = self.folder / LEFT_OUT_FILE
        try:
            found: dict[str, str | None] = dict(read_json(path, dict[str, str], _LARGEST) if path.exists() else {})
            for note in self._notes():
                found |= read_json(note, dict[str, str | None], _LARGEST)
        except DataError as error:
            raise DataError(f"{error} Remove it, then {_AGAIN}.") from error
        return {video: why for video, why in found.items() if why is not None}

    def _notes(self) -> list[Location]:
        """The files that object storage has in place of one, in any order. They come along when a
        store is copied to a machine."""
        notes = (self.folder / _LEFT_OUT_FOLDER).glob("*.json")
        return [note for note in notes if not is_temporary(note.name)]

    def note_left_out(self, videos: Mapping[str, str], looked_at: Sequence[str]) -> None:
        """Note videos that cannot be read, and why; what was noted of others than those looked at
        stays. To be called while the store is open to write."""
        path, looked = self.folder / LEFT_OUT_FILE, set(looked_at)
        try:
            if isinstance(self.folder, RemotePath):
                before = self.left_out()
                for video in sorted(looked | set(videos)):
                    if (why := videos.get(video)) != before.get(video):
                        _write_json(self.folder / _LEFT_OUT_FOLDER / f"{_hash_of(video)}.json", {video: why})
                return
            with folder_lock(self.folder / _LOCK):  # others may have something to note too
                before = self.left_out()
                now = {name: why for name, why in before.items() if name not in looked} | dict(videos)
                if now != before:
                    _write_json(path, now)
                    for note in self._notes():
                        note.unlink(missing_ok=True)
        except OSError as error:
            raise _refused(path, error) from error

    def form(self, learn: bool) -> str:
        """Which of a video's records; PredCLS knows no difference."""
        return "both" if self.key.mode == "predcls" else "learn" if learn else "score"

    def has_record(self, video_id: str, listing: Listing, *, learn: bool) -> bool:
        """Whether there is a record of a video, whatever is in it. listing: keeps the answers of a
        storage for further videos."""
        return listing.is_file(self.path_of(video_id, learn=learn))

    def path_of(self, video_id: str, *, learn: bool) -> Location:
        name = _hash_of(video_id)
        readable = re.sub(r"[^A-Za-z0-9_-]+", "_", video_id)[:40]
        if readable != file_name(readable):  # a word that Windows reserves, whatever follows it
            readable = f"_{readable}"
        return self.folder / name[:2] / f"{readable}.{name}.{self.form(learn)}.safetensors"

    def content(self, clip: Clip, source: RecordSource, *, learn: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values of a video's record. Raises ConfigError if a feature does not
        fit the store's type."""
        columns, about = columns_of(clip, DTYPES[self.dtype])
        return columns, {**about, **source.to_dict(), "key": self.digest, "form": self.form(learn)}

    def write(self, clip: Clip, source: RecordSource, *, learn: bool) -> int:
        """Write the extracted clip of one video; returns the record's size in bytes. Raises
        ConfigError as ``content`` does, and if the disk refuses."""
        path, content = self.path_of(source.video_id, learn=learn), self.content(clip, source, learn=learn)
        try:
            check_no_links(path.parent, below=self.folder)
            path.parent.mkdir(exist_ok=True)
            return write_record(path, *content)
        except OSError as error:
            raise _refused(path, error) from error

    def open_record(self, source: RecordSource, *, learn: bool, verify: bool = True) -> Record:
        """The record of a video, if it was made from this very source; verify: also compare its
        checksum, reading all of it once.

        Raises DataError naming the file and what is wrong.
        """
        path = self.path_of(source.video_id, learn=learn)
        try:
            record = Record(path, whole=verify)
        except NoRecord:
            why = self.left_out().get(source.video_id)
            raise DataError(
                f"video {short(source.video_id)} was left out when features were written: {why}"
                if why
                else f"{self.folder} has no features of video {short(source.video_id)} ({self.form(learn)}); {_AGAIN}."
            ) from None
        expected = {"key": self.digest, "form": self.form(learn), "video_id": source.video_id}
        if any(record.about.get(name) != value for name, value in expected.items()):
            raise DataError(f"{path}: is of another store or video; remove it, then {_AGAIN}.")
        # Pictures may be away while features are read; those that are there must be the ones that
        # were looked at.
        for name in ("annotation", "pictures"):
            now, then = getattr(source, name), record.about.get(name)
            if now != then and None not in (now, then):
                verb = "has" if name == "annotation" else "have"
                raise DataError(
                    f"{path}: the {name} of video {short(source.video_id)} {verb} changed since the features were"
                    f" written; {_AGAIN}."
                )
        if "counting" not in record.about and (how := source.uneven()):
            raise DataError(
                f"{path}: was written when frames of uneven videos were counted otherwise ({how}); {_AGAIN}."
            )
        if verify:
            record.verify()
        return record

    def clip(self, record: Record, device: torch.device | str = "cpu") -> Clip:
        """The clip that was written, on a device; its features are float32 again, rounded to the
        store's type."""
        return clip_of(record, self.key.schema, torch.device(device))


def default_folder(root: Location, key: StoreKey, dtype: str) -> Location:
    """Where the features of a data set lie unless another place is named: where there are such
    already, else in a folder of their own."""
    for folder in _stores_below(root):
        with contextlib.suppress(DataError):
            there = FeatureStore.open(folder)
            if there.dtype == dtype and not there.key.differences(key):
                return there.folder
    kind = "" if dtype == "float16" else f"_{dtype}"
    return root / "features" / file_name(f"{key.mode}_{key.detector_name}_{key.digest[:12]}{kind}")


def find_store(root: Location, key: StoreKey, needed: Sequence[Needed] = ()) -> tuple[FeatureStore | None, list[str]]:
    """The features below a data set's folder that fit, the most exact ones; or None, and why each
    of those present does not."""
    fitting, reasons = [], []
    for folder in _stores_below(root):
        try:
            store = FeatureStore.open(folder)
            store.require(key, needed)
        except DataError as error:
            reasons.append(str(error))
        else:
            fitting.append(store)
    return (min(fitting, key=lambda store: list(DTYPES).index(store.dtype)) if fitting else None), reasons


def _stores_below(root: Location) -> list[Location]:
    """The folders below a data set's folder that hold features, in the order of their names."""
    folders = (folder for folder in (root / "features").glob("*") if (folder / STORE_FILE).exists())
    return sorted(folders, key=lambda folder: folder.name)


def _hash_of(video_id: str) -> str:
    return hashlib.sha256(video_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _made(path: Location, document: Mapping[str, object]) -> bool:
    """Whether the file was made now; it is not where it exists. Of several that try at one moment,
    one makes it."""
    if isinstance(path, RemotePath):
        try:
            path.create(_as_json(document))
        except FileExistsError:
            return False
        return True
    with folder_lock(path.parent / _LOCK):
        if path.exists():
            return False
        _write_json(path, document)
        return True


def _refused(path: Location, error: OSError) -> ConfigError:
    return ConfigError(
        f"cannot write {path}: {error.strerror}. Once it is writable, run the same command again to resume."
    )


def _write_json(path: Location, document: Mapping[str, object]) -> None:
    write_whole(path, _as_json(document))


def _as_json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, indent=1).encode()
