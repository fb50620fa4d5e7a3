"""The feature store: clips come back as they were written, and what does not fit is refused with
the reason."""

from __future__ import annotations

import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from buckets import Buckets, upload
from clips import ACTION, ENTITY
from detectors.tiny import TINY, tiny_detector
from symlinks import link
from toys import PictureVideos, ToyVideos

from vidsgg.datasets.base import Subset
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.record import weights_digest
from vidsgg.errors import ConfigError, DataError
from vidsgg.features.key import StoreKey
from vidsgg.features.store import FeatureStore, default_folder, find_store
from vidsgg.features.stored_clip import RecordSource
from vidsgg.io import records
from vidsgg.io.atomic import left_behind, whole_file
from vidsgg.io.locations import Location, RemotePath
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

FORMS = [("predcls", True), ("sgcls", True), ("sgcls", False), ("sgdet", True), ("sgdet", False)]
VIDEOS = PictureVideos(4)


@pytest.fixture(scope="module")
def detector() -> FasterRCNN:
    return tiny_detector(ENTITY.vocabulary.objects)


def key_of(detector: FasterRCNN) -> StoreKey:
    return StoreKey.of(detector, ENTITY, "sgcls")


def store_in(
    folder: Location,
    detector: FasterRCNN,
    mode: str = "sgcls",
    dtype: str = "float32",
    learn: bool = True,
    count: int = 4,
) -> FeatureStore:
    """A store with the records of one form of the first videos."""
    widths = FeatureWidths(detector.node_width, detector.union_channels)
    with FeatureStore.to_write(folder, StoreKey.of(detector, ENTITY, mode), dtype, widths) as store:
        for index in range(count):
            store.write(extracted(detector, mode, learn, index), source(index), learn=learn)
    return store


def extracted(detector: FasterRCNN, mode: str, learn: bool, index: int = 0) -> Clip:
    clip = Clip.from_annotation(VIDEOS.annotation(index), mode)
    return ClipExtractor(detector, mode, learn=learn)(VIDEOS.images(index), clip)


def source(index: int = 0) -> RecordSource:
    return RecordSource.of(VIDEOS, index, VIDEOS.annotation(index))


def assert_same(one: Clip, other: Clip, tolerance: float = 0.0) -> None:
    """Equal in everything; features may differ by a share of their own size."""
    for field in fields(Clip):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name in ("node_feature", "pair_union") and tolerance:
            assert ((a - b).abs() <= tolerance * a.abs() + 1e-7).all(), field.name
            assert not torch.equal(a, b), f"{field.name} was not rounded"
        elif isinstance(a, torch.Tensor):
            assert a.dtype == b.dtype, field.name
            assert torch.equal(a, b), field.name
        elif field.name == "labels" and a is not None:
            assert all(torch.equal(a[name], b[name]) for name in a)
        else:
            assert a == b, field.name


@pytest.mark.parametrize(("mode", "learn"), FORMS)
def test_a_clip_comes_back_bit_for_bit(detector: FasterRCNN, tmp_path: Path, mode: str, learn: bool) -> None:
    store_in(tmp_path / "s", detector, mode, learn=learn)
    store = FeatureStore.open(tmp_path / "s")
    for index in range(4):
        clip = store.clip(store.open_record(source(index), learn=learn))
        assert clip.nodes > 0
        assert_same(extracted(detector, mode, learn, index), clip)
    assert (clip.pair_mask is None) == clip.pairs_open == (mode == "sgcls" and not learn)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_smaller_types_round_the_features_alone(
    detector: FasterRCNN, tmp_path: Path, dtype: str, tolerance: float
) -> None:
    store = store_in(tmp_path / "s", detector, "sgdet", dtype, learn=False)
    assert_same(extracted(detector, "sgdet", False), store.clip(store.open_record(source(), learn=False)), tolerance)


def test_a_video_in_which_nothing_is_found(tmp_path: Path) -> None:
    blind = FasterRCNN(TINY, ENTITY.vocabulary.objects)
    with torch.no_grad():
        blind.class_score.bias[0] = 100.0  # everything is background
    store = store_in(tmp_path / "s", blind, "sgdet", "float16", learn=False, count=1)
    clip = store.clip(store.open_record(source(), learn=False))
    assert (clip.nodes, clip.pairs, clip.frames) == (0, 0, VIDEOS.annotation(0).frames)
    assert_same(extracted(blind, "sgdet", False), clip)


def test_records_are_small_and_spread_over_folders(detector: FasterRCNN, tmp_path: Path) -> None:
    sizes = {}
    for dtype in ("float32", "float16"):
        store = store_in(tmp_path / dtype, detector, "predcls", dtype)
        sizes[dtype] = store.path_of("v0", learn=True).stat().st_size
    clip = extracted(detector, "predcls", True)
    saved = 2 * (clip.node_feature.numel() + clip.pair_union.numel())
    assert sizes["float32"] - sizes["float16"] == pytest.approx(saved, abs=64)
    assert {path.parent.parent for path in (tmp_path / "float16").rglob("*.safetensors")} == {tmp_path / "float16"}
    assert store.path_of("v0", learn=True) == store.path_of("v0", learn=False)  # predcls
    assert store.path_of("a/b:c", learn=True).name.startswith("a_b_c.")
    assert store.path_of("a/b:c", learn=True) != store.path_of("a_b_c", learn=True)
    assert store.path_of("NUL", learn=True).name.startswith("_NUL.")  # Windows has no file NUL.anything


def test_values_that_half_precision_cannot_hold_are_no_infinities(detector: FasterRCNN, tmp_path: Path) -> None:
    clip = extracted(detector, "sgcls", True)
    clip.pair_union[0, 0, 0, 0] = 7e4
    for dtype, fits in (("float16", False), ("bfloat16", True), ("float32", True)):
        store = store_in(tmp_path / dtype, detector, dtype=dtype, count=0)
        if fits:
            store.write(clip, source(), learn=True)
        else:
            with pytest.raises(
                ConfigError,
                match=r"'v0': pair_union reaches 7e\+04, but the largest value of float16 is 6.55e\+04; .* -dtype bfloat16",
            ):
                store.write(clip, source(), learn=True)
    clip.node_feature[0, 0] = torch.nan
    with pytest.raises(ConfigError, match="node_feature is not finite; the detector's weights are broken"):
        store.write(clip, source(), learn=True)


def test_what_does_not_fit_is_named(detector: FasterRCNN, tmp_path: Path) -> None:
    store, key = store_in(tmp_path / "s", detector, count=0), key_of(detector)
    store.require(key)
    other = tiny_detector(ENTITY.vocabulary.objects, seed=2)
    vocabulary = replace(ENTITY.vocabulary, objects=("__background__", "person", "cup", "sofa", "door"))
    for wanted, reason in (
        (key_of(other), "other weights of the detector"),
        (
            replace(key, detector={**key.detector, "short_side": 600}),
            "another detector or preprocessing: short_side 64 instead of 600",
        ),
        (
            replace(key, detector={**key.detector, "anchor_scales": [4, 8], "sizes": {"least": 1}}),
            (
                r"another detector or preprocessing: anchor_scales [\d .]+ instead of 4 8, sizes nothing instead of"
                r" least 1"
            ),
        ),
        (replace(key, mode="sgdet"), "mode sgcls, not sgdet"),
        (replace(key, reference_compat=True), "reference_compat False, not True"),
        (
            replace(key, schema=replace(ENTITY, vocabulary=vocabulary, often_wrong=())),
            "other classes: number 3 is chair, not sofa",
        ),
        (replace(key, schema=ACTION), "other classes: number 1 is person, not cup"),
        (replace(key, schema=replace(ENTITY, name="x")), "other data"),
    ):
        assert wanted.digest != key.digest
        with pytest.raises(DataError, match=reason):
            store.require(wanted)
        with (
            pytest.raises(ConfigError, match=reason),
            FeatureStore.to_write(tmp_path / "s", wanted, "float32", store.widths),
        ):
            pass
    with (
        pytest.raises(ConfigError, match="float32, not float16"),
        FeatureStore.to_write(tmp_path / "s", key, "float16", store.widths),
    ):
        pass


def test_the_reference_s_bugs_make_no_difference_outside_sgdet(detector: FasterRCNN) -> None:
    for mode, differs in (("predcls", False), ("sgcls", False), ("sgdet", True)):
        plain, compatible = (StoreKey.of(detector, ENTITY, mode, reference_compat=flag) for flag in (False, True))
        assert bool(plain.differences(compatible)) == differs


def test_every_weight_counts(detector: FasterRCNN) -> None:
    state = {name: value.clone() for name, value in detector.state_dict().items()}
    before = weights_digest(state)
    assert before == weights_digest(dict(reversed(state.items())))
    last = list(state)[-1]
    state[last].view(-1)[-1] += 1e-6
    assert weights_digest(state) != before


def test_other_formats_and_damaged_stores_are_refused(detector: FasterRCNN, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    store_in(folder, detector, count=0)
    good = json.loads((folder / "store.json").read_text(encoding="utf-8"))
    for change, message in (
        ({"format": 99}, "are of format 99, this version reads format 1"),
        ({"key": "0"}, "store.json: its values contradict each other. The feature store is damaged: remove its folder"),
        (
            {"dtype": "float8"},
            "store.json: dtype is 'float8', which is none of the values that it can have. The feature store is damaged",
        ),
        ({"made_from": {}}, "store.json: lacks 'detector'. The feature store is damaged: remove its folder"),
    ):
        (folder / "store.json").write_text(json.dumps({**good, **change}), encoding="utf-8")
        with pytest.raises(DataError, match=message):
            FeatureStore.open(folder)
    (folder / "store.json").write_bytes(b"{")
    with pytest.raises(
        DataError, match=r"store\.json: is not JSON.* The feature store is damaged: remove its folder"
    ) as damaged:
        FeatureStore.open(folder)
    assert str(damaged.value).count("store.json") == 1
    with pytest.raises(DataError, match="is no feature store"):
        FeatureStore.open(tmp_path)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x", encoding="utf-8")
    with (
        pytest.raises(ConfigError, match="not empty and no feature store"),
        FeatureStore.to_write(tmp_path / "other", key_of(detector), "float16", FeatureWidths()),
    ):
        pass
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["notes.txt"]


def test_a_record_is_refused_when_its_source_has_changed(detector: FasterRCNN, tmp_path: Path) -> None:
    store, annotation = store_in(tmp_path / "s", detector, count=2), VIDEOS.annotation(0)
    store.open_record(source(), learn=True)
    box = annotation.node_box.copy()
    box[0, 0] -= 0.5
    frame_key = ("x", *annotation.frame_key[1:])
    labels = {name: hot.copy() for name, hot in annotation.labels.items()}
    labels["spatial"][0] = ~labels["spatial"][0]
    for changed in (
        replace(annotation, node_box=box),
        replace(annotation, frame_key=frame_key),
        replace(annotation, labels=labels),
    ):
        with pytest.raises(DataError, match="the annotation of video 'v0' has changed since the features were written"):
            store.open_record(RecordSource.of(VIDEOS, 0, changed), learn=True)
    with pytest.raises(DataError, match=r"has no features of video 'v0' \(score\)"):
        store.open_record(source(), learn=False)
    with pytest.raises(DataError, match="has no features of video 'v3'"):
        store.open_record(source(3), learn=True)
    store.path_of("v1", learn=True).replace(store.path_of("v0", learn=True))
    with pytest.raises(DataError, match="is of another store or video"):
        store.open_record(source(), learn=True)


class WithFiles(PictureVideos):
    """Pictures as files, of which only names and sizes are looked at."""

    def __init__(self, root: Path) -> None:
        super().__init__(1)
        self.root = root

    def picture_files(self, index: int) -> list[Path]:
        return [self.root / f"{t}.png" for t in range(self.annotations[index].frames)]


def test_pictures_that_changed_are_noticed_and_may_be_away(detector: FasterRCNN, tmp_path: Path) -> None:
    data = WithFiles(tmp_path)
    for path in data.picture_files(0):
        path.write_bytes(b"12")
    made_from = RecordSource.of(data, 0, data.annotation(0))
    store = store_in(tmp_path / "s", detector, count=0)
    store.write(extracted(detector, "sgcls", True), made_from, learn=True)
    data.picture_files(0)[1].write_bytes(b"123")
    with pytest.raises(DataError, match="the pictures of video 'v0' have changed"):
        store.open_record(RecordSource.of(data, 0, data.annotation(0)), learn=True)
    data.picture_files(0)[1].unlink()
    with pytest.raises(DataError, match="the pictures of video 'v0' have changed"):
        store.open_record(RecordSource.of(data, 0, data.annotation(0)), learn=True)
    for path in data.picture_files(0):
        path.unlink(missing_ok=True)
    assert (
        store.open_record(RecordSource.of(data, 0, data.annotation(0)), learn=True).about["pictures"]
        == made_from.pictures
    )


def test_a_damaged_record_is_refused_by_name(detector: FasterRCNN, tmp_path: Path) -> None:
    store = store_in(tmp_path / "s", detector)
    path = store.path_of("v0", learn=True)
    good, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(50):
        data = bytearray(good)
        data[rng.integers(len(good))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        with pytest.raises(DataError, match=path.name):
            store.open_record(source(), learn=True)
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match=rf"{path.name}: is cut off"):
        store.open_record(source(), learn=True, verify=False)


def test_the_fitting_store_is_found(detector: FasterRCNN, tmp_path: Path) -> None:
    key = key_of(detector)
    assert find_store(tmp_path, key) == (None, [])
    half = default_folder(tmp_path, key, "float16")
    assert half == tmp_path / "features" / f"sgcls_faster-rcnn-c4_{key.digest[:12]}"
    store_in(half, detector, dtype="float16")
    other = tiny_detector(ENTITY.vocabulary.objects, seed=2)
    store_in(default_folder(tmp_path, key_of(other), "float16"), other, dtype="float16", count=0)
    found, reasons = find_store(tmp_path, key)
    assert found == FeatureStore.open(half)
    assert len(reasons) == 1
    assert reasons[0].startswith(
        f"the features in {default_folder(tmp_path, key_of(other), 'float16')} do not fit: other weights"
    )
    # An exact one is preferred, but not while it lacks what is needed.
    full = default_folder(tmp_path, key, "float32")
    assert full.name.endswith("_float32")
    store_in(full, detector, count=3)
    assert find_store(tmp_path, key)[0].dtype == "float32"
    found, reasons = find_store(tmp_path, key, [(VIDEOS, True)])
    assert found.dtype == "float16"
    assert any("lack 1 of 4 videos, 'v3' first" in reason for reason in reasons)
    assert find_store(tmp_path, key, [(Subset(VIDEOS, [0, 1, 2]), True)])[0].dtype == "float32"
    assert find_store(tmp_path, key, [(VIDEOS, False)])[0] is None
    with FeatureStore.to_write(full, key, "float32", found.widths) as store:
        store.note_left_out({"v3": "a.mp4: not a readable video"}, ["v3"])
    assert find_store(tmp_path, key, [(VIDEOS, True)])[0].dtype == "float32"
    with pytest.raises(DataError, match=r"'v3' was left out when features were written: a\.mp4: not a"):
        store.open_record(source(3), learn=True)


@pytest.mark.skipif(sys.platform == "win32", reason="files that somebody has open cannot be removed there")
def test_writers_remove_what_killed_ones_left_behind(detector: FasterRCNN, tmp_path: Path) -> None:
    store, key = store_in(tmp_path / "s", detector), key_of(detector)
    record = store.path_of("v0", learn=True)
    leftover = record.with_name(f".vidsgg-0123456789abcdef-{record.name}.tmp")
    foreign = record.with_name(f".{record.name}.tmp")
    for file in (leftover, foreign):
        file.write_bytes(b"half")
    with whole_file(record) as file:
        file.write(b"of a living writer")
        (living,) = set(left_behind(record.parent)) - {leftover}
        with FeatureStore.to_write(tmp_path / "s", key, "float32", store.widths):
            assert left_behind(record.parent) == [living]
    assert not left_behind(record.parent)
    assert foreign.exists()
    assert record.read_bytes() == b"of a living writer"


def test_a_link_in_a_store_is_not_followed(detector: FasterRCNN, tmp_path: Path) -> None:
    store, key = store_in(tmp_path / "s", detector, count=0), key_of(detector)
    (tmp_path / "elsewhere").mkdir()
    link(store.path_of("v0", learn=True).parent, tmp_path / "elsewhere")
    with (
        FeatureStore.to_write(tmp_path / "s", key, "float32", store.widths),
        pytest.raises(ConfigError, match="is a link"),
    ):
        store.write(extracted(detector, "sgcls", True), source(), learn=True)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_data_without_pictures_has_a_source_too() -> None:
    videos = ToyVideos(2, kind="action")
    one, two = (RecordSource.of(videos, i, videos.annotation(i)) for i in range(2))
    assert one.pictures is None
    assert one.annotation != two.annotation


def test_raw_detections_are_another_store(detector: FasterRCNN) -> None:
    for mode in ("predcls", "sgcls", "sgdet"):
        plain, raw = (StoreKey.of(detector, ENTITY, mode, raw_detections=flag) for flag in (False, True))
        assert StoreKey.from_json(raw.to_json()) == raw
        assert (plain == raw) == (plain.digest == raw.digest) == (mode != "sgdet")
    assert plain.differences(raw) == ["cleaned detections, not raw detections, for models that clean them themselves"]


def uploaded(folder: Path, there: RemotePath) -> None:
    for file in folder.rglob("*.*"):
        if file.is_file():
            upload(file, there, file.relative_to(folder).as_posix())


def test_a_store_in_object_storage_is_the_store_here(
    detector: FasterRCNN, buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = buckets.new() / "data" / "features" / "s", tmp_path / "s"
    store_in(here, detector)
    stored = store_in(there, detector)
    for file in (*here.glob("*.json"), *here.rglob("*.safetensors")):
        assert (there / file.relative_to(here).as_posix()).read_bytes() == file.read_bytes()
    assert find_store(there.parent.parent, key_of(detector), [(VIDEOS, True)]) == (FeatureStore.open(there), [])
    assert default_folder(there.parent.parent, key_of(detector), "float32") == there

    place = stored.path_of(VIDEOS.video_ids[0], learn=True)
    sent = buckets.sent[place.key]
    monkeypatch.setattr(records, "_BEGINNING", 64)
    size = stored.open_record(source(), learn=True, verify=False).size
    assert buckets.sent[place.key] - sent < size / 2  # the beginning alone
    begun = buckets.requests[place.key]
    record = stored.open_record(source(), learn=True)
    moved = pickle.loads(pickle.dumps(record))  # as from a worker
    assert_same(extracted(detector, "sgcls", True), stored.clip(moved))
    assert buckets.requests[place.key] - begun <= 2 and record.size == size  # s3fs asks for the size first

    place.unlink()
    with pytest.raises(DataError, match=f"{there} has no features of video"):
        stored.open_record(source(), learn=True)
    with pytest.raises(DataError, match="lack 1 of 4 videos"):
        stored.require(key_of(detector), [(VIDEOS, True)])
    content = bytearray(here.joinpath(*place.parts[-2:]).read_bytes())
    content[-1] ^= 1
    (tmp_path / "damaged").write_bytes(content)
    place.put(tmp_path / "damaged")
    with pytest.raises(DataError, match="wrong checksum"):
        stored.open_record(source(), learn=True)


def test_of_several_that_make_a_store_in_object_storage_all_get_the_first(
    detector: FasterRCNN, buckets: Buckets
) -> None:
    folder, key = buckets.new() / "s", key_of(detector)
    other = replace(key, mode="sgdet")

    def begin(key: StoreKey) -> str:
        try:
            with FeatureStore.to_write(folder, key, "float32", FeatureWidths(1, 1)) as store:
                return store.digest
        except ConfigError as error:
            return str(error)

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(begin, [key, other, key, other]))
    there = FeatureStore.open(folder)
    assert found.count(there.digest) == 2
    assert sum(f"{folder} holds other features" in text for text in found) == 2


def test_videos_left_out_are_noted_one_by_one_in_object_storage(
    detector: FasterRCNN, buckets: Buckets, tmp_path: Path
) -> None:
    folder, widths = buckets.new() / "s", FeatureWidths(1, 1)
    with FeatureStore.to_write(folder, key_of(detector), "float32", widths) as one:
        with FeatureStore.to_write(folder, key_of(detector), "float32", widths) as other:
            one.note_left_out({"a": "torn"}, ["a", "c"])
            other.note_left_out({"b": "no file"}, ["b"])
        assert one.left_out() == {"a": "torn", "b": "no file"}
        one.note_left_out({}, ["a"])  # it can be read now
        assert list(one.left_out()) == ["b"]
    here = tmp_path / "s"  # the store is copied to this machine
    for name in ("store.json", *(f"left_out/{path.name}" for path in (folder / "left_out").iterdir())):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_bytes((folder / name).read_bytes())
    with FeatureStore.to_write(here, key_of(detector), "float32", widths) as copy:
        assert list(copy.left_out()) == ["b"]
        copy.note_left_out({"c": "torn"}, ["b", "c"])
        assert copy.left_out() == {"c": "torn"}
    uploaded(here, folder.parent / "again")
    with FeatureStore.to_write(folder.parent / "again", key_of(detector), "float32", widths) as again:
        assert again.left_out() == {"c": "torn"}
        again.note_left_out({}, ["c"])
        assert again.left_out() == {}
