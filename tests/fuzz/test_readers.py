"""Every reader of files meets damaged ones: it reads them, or ends in one message that names the file.

``VIDSGG_FUZZ=300`` damages every file so many times instead of a few, ``VIDSGG_FUZZ_SEED`` chooses other damage.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from clips import ENTITY, entity_annotation
from datasets.ag_files import small_set
from datasets.easg_files import write_easg
from detectors.tiny import tiny_detector
from fuzz.mutations import damaged, odd_part

from vidsgg.app.jobs import Asked, Job, JobFolder
from vidsgg.assembly.saved_run import read_run
from vidsgg.assembly.video_predictor import check_reads_videos
from vidsgg.cli.main import main
from vidsgg.cli.train import parse_train
from vidsgg.datasets.action_genome import OBJECTS, SCHEMA, ActionGenome
from vidsgg.datasets.easg import EASG
from vidsgg.datasets.priors import PredicatePriors, read_priors, write_priors
from vidsgg.detectors.feature_store import FeatureStore
from vidsgg.detectors.files import load_detector, save_detector
from vidsgg.detectors.store_key import StoreKey
from vidsgg.engine.checkpoint import Checkpoint
from vidsgg.errors import VidsggError
from vidsgg.inference.graphs import annotated_graph
from vidsgg.io.box_files import read_boxes
from vidsgg.io.boxes import GivenBoxes
from vidsgg.io.columns import AnnotationTable
from vidsgg.io.graphs import read_graph, write_graph
from vidsgg.io.records import Record, write_record
from vidsgg.io.word_vectors import read_word_vectors
from vidsgg.recipes.history import find_runs
from vidsgg.recipes.scored import ScoredVideos
from vidsgg.structures.widths import FeatureWidths

TIMES = int(os.environ.get("VIDSGG_FUZZ", "12"))
SEED = os.environ.get("VIDSGG_FUZZ_SEED", "0")
SECONDS = 60  # for one damaged file


@dataclass(frozen=True)
class Reader:
    """make: writes a good file into a folder and returns it. read: reads it, all of it."""

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    load: Callable[[bytes], Any] | None = None  # the file's content as plain values, to be damaged in one part, and back
    dump: Callable[[Any], bytes] | None = None


def _graph(folder: Path) -> Path:
    write_graph(folder / "a.graph.json", annotated_graph(entity_annotation([2, 1], name="v")))
    return folder / "a.graph.json"


def _csv(folder: Path) -> Path:
    (folder / "boxes.csv").write_text("video,frame,x1,y1,x2,y2,label,score,track\nv,1,2,3,40,50,person,0.5,1\nv,2,2,3,40,50,chair,1,2\n")
    return folder / "boxes.csv"


def _coco(folder: Path) -> Path:
    content = {
        "images": [{"id": 1, "file_name": "a.png", "frame_id": 1, "video_id": 5}],
        "videos": [{"id": 5, "name": "v"}],
        "categories": [{"id": 3, "name": "chair"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 30, 40], "score": 0.5, "track_id": 4}],
    }
    (folder / "coco.json").write_text(json.dumps(content))
    return folder / "coco.json"


def _boxes(path: Path, objects: Sequence[str] = OBJECTS) -> Any:
    found = read_boxes(path, objects, labelled=True)
    return [GivenBoxes(frames).within(frame, 96, 64) for frames in found.by_video.values() for frame in frames]


def _record(folder: Path) -> Path:
    write_record(folder / "r.safetensors", {"a": torch.arange(6.0).view(2, 3), "b": torch.zeros(0, 4)}, {"video_id": "v", "masks": True})
    return folder / "r.safetensors"


def _read_record(path: Path) -> Any:
    record = Record(path)
    record.verify()
    return [record[name].clone() for name in record]


def _table(folder: Path) -> Path:
    AnnotationTable.of(ENTITY, [entity_annotation([2, 1], name="v")]).save(folder / "t.npz")
    return folder / "t.npz"


def _store(folder: Path) -> Path:
    key = StoreKey.of(tiny_detector(OBJECTS), SCHEMA, "sgdet")
    with FeatureStore.to_write(folder / "store", key, "float16", FeatureWidths(8, 4, 0)):
        pass
    return folder / "store" / "store.json"


def _options(folder: Path) -> Path:
    (folder / "run.yaml").write_text("model: sttran\nlr: 1e-4\nepochs: 3\nmode: predcls\nbce_loss: true\ndropout: 0.1\n")
    return folder / "run.yaml"


def _run_folder(folder: Path) -> Path:
    (folder / "run").mkdir()
    (folder / "run" / "metrics.csv").write_text("epoch,step,name,value\n1,1,train/loss/total,0.5\n")
    (folder / "run" / "logfile.txt").write_text(
        "started: 2026-11-30 10:00:00 on host\ndata: x (toy), 5\nEpoch 1 - Time: 3s\nbest: epoch 1\n"
    )
    shutil.copy(_options(folder), folder / "run" / "config.yaml")
    return folder / "run" / "config.yaml"


def _priors(folder: Path) -> Path:
    groups = {group.name: len(group) for group in SCHEMA.vocabulary.groups}
    random = torch.Generator().manual_seed(0)
    classes, predicates, contacts = len(OBJECTS), sum(groups.values()), groups["contacting"]
    initial, transition = (
        torch.rand(shape, generator=random).numpy() for shape in ((classes, predicates), (classes, contacts, predicates))
    )
    initial[0], initial[5:] = 0, 0
    write_priors(folder / "p.json", PredicatePriors(initial, transition, transition[..., 0] > 0.8), SCHEMA)
    return folder / "p.json"


def _job(folder: Path) -> Path:
    job = Job("0123456789abcdef", "v.mp4", "STTran", Asked("c.tar"), 1.5, notes=("a",), files=("video.html",), state="done")
    (folder / job.id).mkdir()
    JobFolder(folder).save(job)
    return folder / job.id / "job.json"


def _checkpoint(folder: Path) -> Path:
    data = small_set(folder / "data")
    tiny = [
        "-hidden_dim",
        "8",
        "-temporal_layer",
        "1",
        "-embedding_dim",
        "4",
        "-feedforward_dim",
        "8",
        "-num_workers",
        "0",
        "-device",
        "cpu",
    ]
    assert main(["train", "-epochs", "0", "-mode", "sgdet", "-data_path", str(data), "-save_path", str(folder / "run"), *tiny]) == 0
    return shutil.copy(folder / "run" / "checkpoint_final.tar", folder / "c.tar")


def _read_checkpoint(path: Path) -> Any:
    Checkpoint.load(path, mmap=True)
    check_reads_videos(read_run(path))


def _detector(folder: Path) -> Path:
    save_detector(folder / "d.pth", tiny_detector(OBJECTS), {"epochs": 1})
    return folder / "d.pth"


def _action_genome(name: str) -> Callable[[Path], Path]:
    return lambda folder: small_set(folder / "ag") / "annotations" / name


def _read_action_genome(path: Path) -> Any:
    root = path.parents[1]
    shutil.rmtree(path.parent / ".vidsgg", ignore_errors=True)
    return [list(ActionGenome(root, split, "predcls")) for split in ("train",)]


def _cache(folder: Path) -> Path:
    ActionGenome(small_set(folder / "ag"), "train", "predcls")
    return folder / "ag" / "annotations" / ".vidsgg" / "columns.npz"


def _vectors(folder: Path) -> Path:
    (folder / "glove.txt").write_text("person 0.5 1 2\nchair 1 2 3e-1\n")
    return folder / "glove.txt"


def _torch_bytes(content: Any) -> bytes:
    import io

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _torch_values(data: bytes) -> Any:
    import io

    content = torch.load(io.BytesIO(data), weights_only=True)
    return {name: dict(part) if isinstance(part, dict) else part for name, part in content.items()}


AS_JSON = {"load": json.loads, "dump": lambda content: json.dumps(content, default=str).encode()}
AS_TORCH = {"load": _torch_values, "dump": _torch_bytes}
AS_PICKLE = {"load": pickle.loads, "dump": pickle.dumps}
READERS = {
    "graph": Reader(_graph, read_graph, **AS_JSON),
    "table of boxes": Reader(_csv, _boxes),
    "graph as boxes": Reader(_graph, lambda path: _boxes(path, ENTITY.vocabulary.objects), **AS_JSON),
    "COCO": Reader(_coco, _boxes, **AS_JSON),
    "record": Reader(_record, _read_record),
    "annotation table": Reader(_table, lambda path: list(AnnotationTable.load(path))),
    "scored videos": Reader(_table, ScoredVideos.load),
    "feature store": Reader(_store, lambda path: FeatureStore.open(path.parent), **AS_JSON),
    "options": Reader(_options, lambda path: parse_train(["-config", str(path)], "train.py")),
    "run's options": Reader(_run_folder, lambda path: find_runs(path.parents[1])),
    "priors": Reader(_priors, lambda path: read_priors(path, SCHEMA), **AS_JSON),
    "job": Reader(_job, lambda path: list(JobFolder(path.parents[1]).load()), **AS_JSON),
    "checkpoint": Reader(_checkpoint, _read_checkpoint, **AS_TORCH),
    "detector": Reader(_detector, lambda path: load_detector(path, OBJECTS), **AS_TORCH),
    "persons": Reader(_action_genome("person_bbox.pkl"), _read_action_genome, **AS_PICKLE),
    "objects": Reader(_action_genome("object_bbox_and_relationship.pkl"), _read_action_genome, **AS_PICKLE),
    "annotation cache": Reader(_cache, lambda path: list(ActionGenome(path.parents[2], "train", "predcls"))),
    "EASG": Reader(
        lambda folder: write_easg(folder / "easg", clips=2, graphs=2) / "easg_train.pkl",
        lambda path: list(EASG(path.parent, "train")),
        **AS_PICKLE,
    ),
    "word vectors": Reader(_vectors, lambda path: read_word_vectors(path, ["person", "chair"], 3)),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_read_or_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDSGG_CACHE", str(tmp_path / "cache"))
    reader = READERS[name]
    path = reader.make(tmp_path)
    good = path.read_bytes()
    reader.read(path) if name != "scored videos" else None
    refused = 0
    for number in range(TIMES):
        random = Random(f"{SEED}/{name}/{number}")
        if reader.load is not None and reader.dump is not None and number % 3:
            try:
                content = reader.dump(odd_part(reader.load(good), random))
            except (TypeError, ValueError, RecursionError, UnicodeError, MemoryError):  # the format cannot hold it
                continue
        else:
            content = damaged(good, random)
        path.write_bytes(content)
        begin = time.monotonic()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reader.read(path)
        except VidsggError as error:
            refused += 1
            assert len(str(error)) < 4000, f"{name} {number}"
        except Exception as error:
            raise AssertionError(f"{name}, damage {SEED}/{number}: {type(error).__name__}: {str(error)[:300]}") from error
        assert time.monotonic() - begin < SECONDS, f"{name}, damage {SEED}/{number}"
    assert refused or TIMES < 10 or name in ("run's options", "job", "annotation cache", "persons", "objects"), "no damage was noticed"
