"""Loading from a feature store: the same batches and the same training as with the detector on the
fly."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
import torch
from clips import ENTITY
from detectors.tiny import tiny_detector
from toys import PictureVideos, ToyVideos

from vidsgg.datasets.base import Image
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.engine import loading
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.errors import DataError
from vidsgg.features.key import StoreKey
from vidsgg.features.store import FeatureStore
from vidsgg.features.stored_clip import RecordSource
from vidsgg.losses.relations import RelationCriterion
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

FORMS = [("predcls", True), ("sgcls", True), ("sgcls", False), ("sgdet", True), ("sgdet", False)]


class Unseen(PictureVideos):
    """Pictures that must not be looked at."""

    def images(self, index: int) -> list[Image]:
        raise AssertionError("a picture was read although its features are stored")


@pytest.fixture(scope="module")
def detector() -> FasterRCNN:
    return tiny_detector(ENTITY.vocabulary.objects)


@pytest.fixture(scope="module")
def stores(detector: FasterRCNN, tmp_path_factory: pytest.TempPathFactory) -> dict[str, FeatureStore]:
    """Complete float32 stores of six videos, by mode."""
    videos, stores = PictureVideos(), {}
    for mode in ("predcls", "sgcls", "sgdet"):
        folder, key = tmp_path_factory.mktemp("store") / mode, StoreKey.of(detector, ENTITY, mode)
        with FeatureStore.to_write(
            folder, key, "float32", FeatureWidths(detector.node_width, detector.union_channels)
        ) as store:
            for index in range(len(videos)):
                annotation = videos.annotation(index)
                for learn in (True, False):
                    clip = ClipExtractor(detector, mode, learn=learn)(
                        videos.images(index), Clip.from_annotation(annotation, mode)
                    )
                    store.write(clip, RecordSource.of(videos, index, annotation), learn=learn)
        stores[mode] = FeatureStore.open(folder)
    return stores


def assert_same(one: Clip, other: Clip) -> None:
    for field in fields(Clip):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, torch.Tensor):
            assert torch.equal(a, b), field.name
        elif field.name == "labels" and a is not None:
            assert all(torch.equal(a[name], b[name]) for name in a)
        else:
            assert a == b, field.name


@pytest.mark.parametrize(("mode", "learn"), FORMS)
def test_batches_are_those_of_the_detector_on_the_fly(
    detector: FasterRCNN, stores: dict[str, FeatureStore], mode: str, learn: bool
) -> None:
    extractor = ClipExtractor(detector, mode, learn=learn)
    computed = ClipLoader(PictureVideos(), mode, batch_size=4, shuffle=True, extractor=extractor)
    read = ClipLoader(Unseen(), mode, batch_size=4, shuffle=True, store=stores[mode], learn=learn)
    for a, b in zip(computed.batches(1), read.batches(1), strict=True):
        assert_same(a.clip, b.clip)
        assert a.annotations == b.annotations


@pytest.mark.parametrize(("method", "workers"), [(None, 2), ("spawn", 1)], ids=["default", "spawn"])
def test_worker_processes_read_the_same(
    stores: dict[str, FeatureStore], monkeypatch: pytest.MonkeyPatch, method: str | None, workers: int
) -> None:
    if method:
        monkeypatch.setattr(loading, "start_method", lambda: method)
    alone = list(ClipLoader(Unseen(), "sgdet", batch_size=2, store=stores["sgdet"]).batches())
    loader = ClipLoader(Unseen(), "sgdet", batch_size=2, workers=workers, store=stores["sgdet"])
    for _ in range(2):
        for a, b in zip(alone, loader.batches(), strict=True):
            assert_same(a.clip, b.clip)
            assert a.annotations == b.annotations


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_record_stops_the_run_or_is_counted(
    stores: dict[str, FeatureStore], tmp_path: Path, workers: int
) -> None:
    path = stores["sgcls"].path_of("v2", learn=True)
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    try:
        with pytest.raises(DataError, match=f"{path.name}: is damaged"):
            list(ClipLoader(Unseen(), "sgcls", workers=workers, store=stores["sgcls"], learn=True).batches())
        loader = ClipLoader(
            Unseen(), "sgcls", batch_size=2, workers=workers, store=stores["sgcls"], learn=True, skip_bad=True
        )
        assert [v for batch in loader.batches() for v in batch.clip.video_ids] == ["v0", "v1", "v3", "v4", "v5"]
        assert [path.name in message for message in loader.skipped] == [True]
    finally:
        path.write_bytes(good)


def losses(loader: ClipLoader, detector: FasterRCNN, mode: str) -> list[float]:
    """The loss of every step of three epochs."""
    torch.manual_seed(0)
    widths = FeatureWidths(detector.node_width, detector.union_channels)
    config = STTranConfig(hidden_dim=8, embedding_dim=4, heads=2, feedforward_dim=16, temporal_layer=1)
    model = STTran(ENTITY, widths, config, mode)
    optimizer, criterion = ReferenceAdamW(model.parameters(), lr=1e-2), RelationCriterion(ENTITY)
    values = []
    for epoch in range(3):
        for batch in loader.batches(epoch):
            loss = criterion(model(batch.clip), batch.clip)["total"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            values.append(loss.item())
    return values


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
def test_training_with_a_store_is_training_on_the_fly_bit_for_bit(
    detector: FasterRCNN, stores: dict[str, FeatureStore], mode: str
) -> None:
    extractor = ClipExtractor(detector, mode, learn=True)
    computed = losses(ClipLoader(PictureVideos(), mode, 2, True, extractor=extractor), detector, mode)
    read = losses(ClipLoader(Unseen(), mode, 2, True, store=stores[mode], learn=True), detector, mode)
    assert computed == read
    assert len(set(read)) == 9
    assert read[-1] < read[0]


def test_stages_decide_which_videos_an_epoch_reads() -> None:
    loader = ClipLoader(
        ToyVideos(6), "predcls", batch_size=2, shuffle=True, seed=3, stages=[(0, [1, 4]), (2, [0, 1, 4]), (3, range(6))]
    )
    assert [sorted(loader.order(epoch)) for epoch in range(6)] == [
        [*range(6)],
        [1, 4],
        [1, 4],
        [0, 1, 4],
        [*range(6)],
        [*range(6)],
    ]
    assert [loader.steps(epoch) for epoch in range(6)] == [3, 1, 1, 2, 3, 3]
    read = [sorted(name for batch in loader.batches(epoch) for name in batch.clip.video_ids) for epoch in (2, 3, 1)]
    assert read == [["v1", "v4"], ["v0", "v1", "v4"], ["v1", "v4"]]


def test_a_stage_of_which_nothing_can_be_read_is_an_error() -> None:
    loader = ClipLoader(ToyVideos(4, broken=("v1",)), "predcls", skip_bad=True, stages=[(0, [1]), (1, range(4))])
    with pytest.raises(DataError, match="no video could be read"):
        list(loader.batches(1))
    assert len(list(loader.batches(2))) == 3
