"""Good files of every kind that we read, and what reads them: the material of damage."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from clips import ENTITY, entity_annotation
from datasets import test_coco_relations, test_pvsg, test_vidvrd
from datasets.ag_files import dump_frames, small_set
from datasets.coco_sets import write_set as write_coco_video
from datasets.easg_files import write_easg, write_features
from datasets.vidvrd_coco_files import TRAIN as VIDVRD_COCO
from datasets.vidvrd_coco_files import made_up, write_coco_style
from detectors.onnx_files import write_network
from detectors.tiny import sighted_set, tiny_detector
from fuzz.mutations import damaged, odd_part
from fuzz.opens import check_whole
from fuzz.runner import Kind
from fuzz.watch import assert_same, listing, watched
from numbered_video import write as write_video
from PIL import Image as Pillow
from recipes.test_importing import under_their_names

from vidsgg.app.jobs import Asked, Job, JobFolder
from vidsgg.assembly.saved_run import read_run
from vidsgg.assembly.video_predictor import check_reads_videos
from vidsgg.cli.main import main, run
from vidsgg.cli.train import parse_train
from vidsgg.datasets.action_genome import OBJECTS, SCHEMA, ActionGenome
from vidsgg.datasets.easg import EASG
from vidsgg.datasets.easg_features import MADE, MadeFeatures, width_of
from vidsgg.datasets.prior_cache import known_priors
from vidsgg.datasets.priors import PredicatePriors, read_priors, write_priors
from vidsgg.datasets.registry import open_whole_split
from vidsgg.datasets.validation import check_dataset
from vidsgg.detectors.files import known_detector, load_detector, save_detector
from vidsgg.detectors.labels import map_labels, read_labels
from vidsgg.detectors.onnx_detector import OnnxDetector
from vidsgg.engine.checkpoint import Checkpoint
from vidsgg.features.key import StoreKey
from vidsgg.features.store import FeatureStore
from vidsgg.inference.graphs import annotated_graph
from vidsgg.io.box_files import read_boxes
from vidsgg.io.boxes import GivenBoxes
from vidsgg.io.columns import AnnotationTable
from vidsgg.io.footage import open_footage
from vidsgg.io.graphs import read_graph, write_graph
from vidsgg.io.images import read_image
from vidsgg.io.records import Record, write_record
from vidsgg.io.vidvrd_results import read_vidvrd_results
from vidsgg.io.word_vectors import read_word_vectors
from vidsgg.library.build import add_graphs
from vidsgg.library.folder import LibraryFolder
from vidsgg.library.search import Library
from vidsgg.methods.sttran.authors import sttran_state
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.recipes.history import find_runs
from vidsgg.recipes.scored import ScoredVideos
from vidsgg.structures.widths import FeatureWidths

SMALL = [
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


@dataclass(frozen=True)
class Reader:
    """make: writes a good file into a folder and returns it. read: reads it, all of it."""

    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    # the file's content as plain values, to be damaged in one part, and back
    load: Callable[[bytes], Any] | None = None
    dump: Callable[[Any], bytes] | None = None
    slow: bool = False  # a file takes more than a tenth of a second


def _graph(folder: Path) -> Path:
    write_graph(folder / "a.graph.json", annotated_graph(entity_annotation([2, 1], name="v")))
    return folder / "a.graph.json"


def _csv(folder: Path) -> Path:
    (folder / "boxes.csv").write_text(
        "video,frame,x1,y1,x2,y2,label,score,track\nv,1,2,3,40,50,person,0.5,1\nv,2,2,3,40,50,chair,1,2\n"
    )
    return folder / "boxes.csv"


def _coco(folder: Path) -> Path:
    content = {
        "images": [{"id": 1, "file_name": "a.png", "frame_id": 1, "video_id": 5}],
        "videos": [{"id": 5, "name": "v"}],
        "categories": [{"id": 3, "name": "chair"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 30, 40], "score": 0.5, "track_id": 4}
        ],
    }
    (folder / "coco.json").write_text(json.dumps(content))
    return folder / "coco.json"


def _boxes(path: Path, objects: Sequence[str] = OBJECTS) -> Any:
    found = read_boxes(path, objects, labelled=True)
    return [GivenBoxes(frames).within(frame, 96, 64) for frames in found.by_video.values() for frame in frames]


def _record(folder: Path) -> Path:
    write_record(
        folder / "r.safetensors",
        {"a": torch.arange(6.0).view(2, 3), "b": torch.zeros(0, 4)},
        {"video_id": "v", "masks": True},
    )
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
    (folder / "run.yaml").write_text(
        "model: sttran\nlr: 1e-4\nepochs: 3\nmode: predcls\nbce_loss: true\ndropout: 0.1\n"
    )
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
        torch.rand(shape, generator=random).numpy()
        for shape in ((classes, predicates), (classes, contacts, predicates))
    )
    initial[0], initial[5:] = 0, 0
    write_priors(folder / "p.json", PredicatePriors(initial, transition, transition[..., 0] > 0.8), SCHEMA)
    return folder / "p.json"


def _job(folder: Path) -> Path:
    job = Job(
        "0123456789abcdef", "v.mp4", "STTran", Asked("c.tar"), 1.5, notes=("a",), files=("video.html",), state="done"
    )
    (folder / job.id).mkdir()
    JobFolder(folder).save(job)
    return folder / job.id / "job.json"


def _checkpoint(folder: Path) -> Path:
    data = small_set(folder / "data")
    assert (
        main(
            [
                "train",
                "-epochs",
                "0",
                "-mode",
                "sgdet",
                "-data_path",
                str(data),
                "-save_path",
                str(folder / "run"),
                *SMALL,
            ]
        )
        == 0
    )
    return shutil.copy(folder / "run" / "checkpoint_final.tar", folder / "c.tar")


def _read_checkpoint(path: Path) -> Any:
    Checkpoint.load(path, mmap=True)
    check_reads_videos(read_run(path))


def _onnx(folder: Path) -> Path:
    box = np.array([[10, 8, 50, 60, 0.9, 0]], np.float32)
    return write_network(folder / "d.onnx", {"detections": box}, by_picture=["detections"])


def _read_onnx(path: Path) -> Any:
    return OnnxDetector(path, OBJECTS).find([np.zeros((64, 96, 3), np.uint8)])


def _transformers_detector(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from detectors.test_transformers_detector import yolos

        yolos(folder / "yolos")
        return folder / "yolos" / name

    return make


def _read_transformers_detector(path: Path) -> Any:
    from vidsgg.detectors.transformers_detector import TransformersDetector

    detector, _ = TransformersDetector.ready(str(path.parent), OBJECTS)
    return detector.find([np.zeros((48, 70, 3), np.uint8)])


def _labels(folder: Path) -> Path:
    (folder / "labels.txt").write_text("person\ncup\n")
    return folder / "labels.txt"


def _label_map(folder: Path) -> Path:
    (folder / "map.yaml").write_text("mug: cup/glass/bottle\nman: person\ndog: null\n")
    return folder / "map.yaml"


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
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _torch_values(data: bytes) -> Any:
    content = torch.load(io.BytesIO(data), weights_only=True)
    return {name: dict(part) if isinstance(part, dict) else part for name, part in content.items()}


def _video(folder: Path) -> Path:
    return write_video(folder / "film.mp4", frames=24, gop=8)


def _read_footage(path: Path) -> Any:
    footage = open_footage(path, 2.0)
    return list(footage.frames())


def _picture(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
        Pillow.fromarray(noise).save(folder / f"a{suffix}")
        return folder / f"a{suffix}"

    return make


def _frame_beside_a_video(folder: Path) -> Path:
    return dump_frames(small_set(folder / "ag"), "AAAAA") / "000002.png"


def _read_frames(path: Path) -> Any:
    data = ActionGenome(path.parents[2], "train", "predcls")
    check_dataset(path.parents[2], "all")
    return data.images(data.find("AAAAA"))


def _text_of_action_genome(name: str) -> Callable[[Path], Path]:
    return lambda folder: small_set(folder / "ag") / "annotations" / name


def _library(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        graphs = [annotated_graph(entity_annotation([2, 1, 2], name=video)) for video in ("v", "w")]
        add_graphs(LibraryFolder.create(folder / "lib"), graphs)
        return folder / "lib" / name

    return make


def _read_library(path: Path) -> Any:
    folder = next(parent for parent in path.parents if parent.name == "lib")
    library = Library(folder)
    found = library.search("* * *"), library.counts(), library.words.of_vocabularies, list(library.graphs())
    add_graphs(LibraryFolder(folder), [annotated_graph(entity_annotation([1], name="x"))])
    return found


def _coco_video(folder: Path) -> Path:
    return write_coco_video(folder / "set") / "train.json"


def _read_coco_video(path: Path) -> Any:
    check_dataset(path.parent)
    return list(open_whole_split(path.parent, "train", "predcls"))


def _authors_file(folder: Path) -> Path:
    """STTran as its authors would have saved it."""
    detector = tiny_detector(OBJECTS)
    widths = FeatureWidths(node=detector.node_width, union=detector.union_channels)
    sizes = {"spatial_layer": 1, "temporal_layer": 1, "hidden_dim": 8, "embedding_dim": 4, "feedforward_dim": 8}
    model = STTran(SCHEMA, widths, STTranConfig(**sizes, heads=8), "predcls")
    state = under_their_names(model.state_dict(), "sttran", lambda names: sttran_state(names, "predcls")[0])
    torch.save({"state_dict": state}, folder / "sttran.tar")
    return folder / "sttran.tar"


def _import(path: Path) -> Any:
    _command(["import-checkpoint", str(path), "-mode", "predcls", "-out", str(path.parents[1] / "out" / "c.tar")])


EASG_FEATURES = ("roi_feats_train.pkl", "verb_features.pt")


def _easg_with_features(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        root = write_easg(folder / "easg", clips=2, graphs=2)
        write_features(root)
        widths = {file: width_of("action" if file.endswith("pt") else "object", root / file) for file in EASG_FEATURES}
        MadeFeatures(widths, {"line": "a detector"}, {}).write(root)
        return root / name

    return make


def _read_easg(path: Path) -> Any:
    data = EASG(path.parent, "train")
    return [(annotation, data.features(i)) for i, annotation in enumerate(data)]


def _counted_run(folder: Path) -> Path:
    """A run that was scored."""
    root = write_easg(folder / "easg", clips=3, graphs=2)
    argv = [
        "train",
        "-model",
        "frequency",
        "-data_path",
        str(root),
        "-save_path",
        str(folder / "run"),
        "-device",
        "cpu",
        "-num_workers",
        "0",
    ]
    assert main([*argv, "-logger", "none"]) == 0
    assert main(["evaluate", "-checkpoint", str(folder / "run"), "-device", "cpu", "-num_workers", "0"]) == 0
    return folder / "run"


def _of_run(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (found,) = _counted_run(folder).glob(name)
        return found

    return make


def _study(storage: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:

        root = write_easg(folder / "easg", clips=3, graphs=2)
        with contextlib.chdir(folder):
            assert main(_tune(root, storage)) == 0
        return folder / storage.removeprefix("journal:")

    return make


def _tune(root: Path, storage: str) -> list[str]:
    counted = [
        "-model",
        "frequency",
        "-device",
        "cpu",
        "-num_workers",
        "0",
        "-logger",
        "none",
        "-search",
        "seed=0,1",
        "-sampler",
        "grid",
    ]
    return ["tune", "-data_path", str(root), *counted, "-storage", storage]


def _read_study(storage: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        with contextlib.chdir(path.parent):
            return _command(_tune(path.parent / "easg", storage))

    return read


def _features(folder: Path) -> Path:
    root = sighted_set(folder / "ag")
    argv = ["features", "-data_path", str(root), "-mode", "predcls", "-device", "cpu", "-num_workers", "0"]
    assert main(argv) == 0
    return min(root.glob("features/*/*/*.safetensors"))


def _language_model(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from vidsgg.models.scenellm.loading import LanguageSource, load_language_model

        tiny = "random:llama:hidden=8,layers=1,heads=2,vocabulary=16"
        load_language_model(LanguageSource(tiny)).save_pretrained(folder / "llm")
        return folder / "llm" / name

    return make


def _read_language_model(path: Path) -> Any:
    from vidsgg.models.scenellm.language import LanguageConfig, LanguageModel
    from vidsgg.models.scenellm.loading import LanguageSource

    model = LanguageModel(4, LanguageConfig(LanguageSource(str(path.parent)), rank=1, alpha=1, dropout=0))
    return model(torch.zeros(3, 4), torch.tensor([0, 0, 1])), model.state_dict()


def _predictable(folder: Path) -> tuple[Path, Path]:
    """A checkpoint that predicts, and a film."""
    data = sighted_set(folder / "data")
    assert (
        main(
            [
                "train",
                "-epochs",
                "0",
                "-mode",
                "sgdet",
                "-data_path",
                str(data),
                "-save_path",
                str(folder / "run"),
                *SMALL,
            ]
        )
        == 0
    )
    return folder / "run", write_video(folder / "film.mp4", frames=24, gop=8)


def _command(argv: Sequence[str]) -> int:
    """A command whose exit code counts, inside a reader."""
    code = main(list(argv))
    if code:
        raise _Refused(code)
    return code


class _Refused(Exception):
    """A command within a reader has ended with its message."""


def _predicted(path: Path) -> Any:
    out = path.parents[1] / "out"
    for argv in (
        [
            "predict",
            str(path.parent / "film.mp4"),
            "-checkpoint",
            str(path.parent / "run"),
            "-o",
            str(out),
            "-device",
            "cpu",
        ],
        ["view", str(out), "-overlay", "True", "-sheet", "True"],
    ):
        _command(argv)


def _exported(path: Path) -> Any:
    from vidsgg.io.exporters.formats import FORMATS

    out = path.parents[1] / "out"
    for form in map(FORMATS.get, FORMATS.names()):
        _command(["export", str(path), "-format", form.name, "-o", str(out / f"a{form.suffix}")])
    _command(["view", str(path), "-o", str(out / "view")])


def _videos_of(write: Callable[[Path], Path], file: str) -> Callable[[Path], Path]:
    """A data set of a file for each part or video, by the file that is damaged."""

    def make(folder: Path) -> Path:
        return write(folder / "set") / file

    return make


def _read_videos(path: Path) -> Any:
    """All of the training part, at the folder above that is a data set."""
    root = next(folder for folder in path.parents if folder.name == "set")
    return list(open_whole_split(root, "train", "predcls"))


def _vidvrd_results(folder: Path) -> Path:
    box = [[1, 2, 30, 40]] * 2
    entry = {"triplet": ["a", "on", "b"], "score": 0.5, "duration": [3, 5], "sub_traj": box, "obj_traj": box}
    (folder / "results.json").write_text(json.dumps({"version": "VERSION 1.0", "results": {"v": [entry]}}))
    return folder / "results.json"


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
    "ONNX detector": Reader(_onnx, _read_onnx),
    "labels": Reader(_labels, lambda path: map_labels(read_labels(path), OBJECTS)),
    "label map": Reader(_label_map, lambda path: map_labels(["mug", "man"], OBJECTS, path)),
    "detector": Reader(_detector, lambda path: load_detector(path, OBJECTS), **AS_TORCH),
    "what a detector's file says": Reader(_detector, known_detector, **AS_TORCH),
    "persons": Reader(_action_genome("person_bbox.pkl"), _read_action_genome, **AS_PICKLE),
    "objects": Reader(_action_genome("object_bbox_and_relationship.pkl"), _read_action_genome, **AS_PICKLE),
    "annotation cache": Reader(_cache, lambda path: list(ActionGenome(path.parents[2], "train", "predcls"))),
    "EASG": Reader(
        lambda folder: write_easg(folder / "easg", clips=2, graphs=2) / "easg_train.pkl",
        lambda path: list(EASG(path.parent, "train")),
        **AS_PICKLE,
    ),
    "VidVRD": Reader(_videos_of(test_vidvrd.small, "train/train000.json"), _read_videos, **AS_JSON),
    "VidVRD in COCO style": Reader(
        _videos_of(lambda folder: write_coco_style(folder, made_up()), VIDVRD_COCO), _read_videos, **AS_JSON
    ),
    "PVSG": Reader(_videos_of(lambda folder: test_pvsg.write(folder)[0], "pvsg.json"), _read_videos, **AS_JSON),
    "COCO with relations": Reader(
        _videos_of(
            lambda folder: test_coco_relations.write(folder, train=test_coco_relations.document()),
            "train/_annotations.coco.json",
        ),
        _read_videos,
        **AS_JSON,
    ),
    "VidVRD's results": Reader(_vidvrd_results, read_vidvrd_results, **AS_JSON),
    "word vectors": Reader(_vectors, lambda path: read_word_vectors(path, ["person", "chair"], 3)),
    "video": Reader(_video, _read_footage),
    "PNG": Reader(_picture(".png"), read_image),
    "JPEG": Reader(_picture(".jpg"), read_image),
    "frame beside a video": Reader(_frame_beside_a_video, _read_frames, slow=True),
    "list of frames": Reader(
        _text_of_action_genome("frame_list.txt"), lambda path: check_dataset(path.parents[1]), slow=True
    ),
    "class names": Reader(_text_of_action_genome("object_classes.txt"), _read_action_genome),
    "EASG class names": Reader(_easg_with_features("objects.txt"), _read_easg),
    "EASG features' note": Reader(_easg_with_features(MADE), _read_easg, **AS_JSON),
    "EASG boxes' features": Reader(_easg_with_features("roi_feats_train.pkl"), _read_easg, **AS_PICKLE),
    "EASG actions' features": Reader(_easg_with_features("verb_features.pt"), _read_easg, **AS_TORCH),
    "scored run": Reader(_of_run("per_video_*.npz"), ScoredVideos.load),
    "run's metrics": Reader(_of_run("metrics.csv"), lambda path: find_runs(path.parents[1])),
    "run's log": Reader(_of_run("logfile.txt"), lambda path: find_runs(path.parents[1])),
    "run's evaluation": Reader(_of_run("evaluation_*.json"), lambda path: find_runs(path.parents[1]), **AS_JSON),
    "SQLite study": Reader(_study("study.db"), _read_study("study.db"), slow=True),
    "journal study": Reader(_study("journal:study.log"), _read_study("journal:study.log"), slow=True),
    "prior cache": Reader(
        lambda folder: _known(folder), lambda path: known_priors(ActionGenome(path.parents[2], "train", "predcls"))
    ),
    "library's list": Reader(_library("library.json"), _read_library, **AS_JSON, slow=True),
    **{
        f"library's {table}": Reader(_library(f"{table}/000001.parquet"), _read_library, slow=True)
        for table in ("videos", "frames", "things", "edges", "relations")
    },
    **{
        f"transformers detector's {name}": Reader(
            _transformers_detector(name), _read_transformers_detector, **(AS_JSON if "json" in name else {}), slow=True
        )
        for name in ("config.json", "preprocessor_config.json", "model.safetensors")
    },
    "COCO-video": Reader(_coco_video, _read_coco_video, **AS_JSON, slow=True),
    "authors' file": Reader(_authors_file, _import, **AS_TORCH, slow=True),
    "language model": Reader(_language_model("config.json"), _read_language_model, **AS_JSON, slow=True),
    "language model's weights": Reader(_language_model("model.safetensors"), _read_language_model, slow=True),
    "graph, exported and shown": Reader(_graph, _exported, **AS_JSON, slow=True),
    "checkpoint, used": Reader(
        lambda folder: _predictable(folder)[0] / "checkpoint_final.tar",
        lambda path: _evaluated(path),
        **AS_TORCH,
        slow=True,
    ),
    "video, predicted": Reader(lambda folder: _predictable(folder)[1], _predicted, slow=True),
}


def _known(folder: Path) -> Path:
    known_priors(ActionGenome(small_set(folder / "ag"), "train", "predcls"))
    return next((folder / "ag" / "annotations" / ".vidsgg").glob("*priors*"))


def _evaluated(path: Path) -> Any:
    out, run_folder = path.parents[2] / "out", path.parent
    for file in run_folder.glob("checkpoint_[!f]*"):
        file.unlink()
    film = [
        "predict",
        str(path.parents[1] / "film.mp4"),
        "-checkpoint",
        str(path),
        "-o",
        str(out),
        "-device",
        "cpu",
        "-least_score",
        "0.9",
    ]
    evaluation = ["evaluate", "-checkpoint", str(path), "-device", "cpu", "-num_workers", "0", "-charts", "False"]
    resumed = ["train", "-resume_from", str(path), "-save_path", str(out / "run"), "-epochs", "0"]
    codes = [main(argv) for argv in (film, evaluation, resumed)]
    assert set(codes) <= {0, 2}, codes


def kind_of_damage(name: str) -> Kind:
    """Damage of one file and its reader as cases: whatever comes, it is read, or one message ends
    the program with exit code 2."""
    reader = READERS[name]

    def prepare(made: Path) -> tuple[Path, Path, dict[str, str]]:
        with _silent():
            path = reader.make(made)
            reader.read(path) if name != "scored videos" else None
        return made, path.relative_to(made), listing(made)

    def one(prepared: tuple[Path, Path, dict[str, str]], random: Random, place: Path) -> None:
        made, path, before = prepared
        shutil.copytree(made, place / "in", symlinks=True)
        (place / "out").mkdir()
        file = place / "in" / path
        file.write_bytes(_damage(reader, file.read_bytes(), random))
        there = listing(place / "in")
        _read(reader, file, place)
        assert_same(before, listing(made))
        assert_same(there, {n: d for n, d in listing(place / "in").items() if n in there}, _OURS)
        check_whole(place / "out")

    return Kind(name, prepare, one, 300)


# What is written beside the data that is read: caches, and what a run's folder gets when it goes
# on.
_OURS = (
    "lib/library.json",
    "ag/annotations/.vidsgg",
    "set/.vidsgg",
    "ag/features",
    "easg/.vidsgg",
    "data/annotations/.vidsgg",
    "run/",
    "output/",
    "study",
    "0123456789abcdef/job.json",
)


def _damage(reader: Reader, good: bytes, random: Random) -> bytes:
    if reader.load is not None and reader.dump is not None and random.random() < 0.67:
        # What the format cannot hold is not damaged so.
        with contextlib.suppress(TypeError, ValueError, RecursionError, UnicodeError, MemoryError):
            return reader.dump(odd_part(reader.load(good), random))
    return damaged(good, random)


def _read(reader: Reader, file: Path, place: Path) -> None:
    said = io.StringIO()

    def command(_: list[str]) -> int:
        try:
            reader.read(file)
        except _Refused as refused:
            return int(refused.args[0])
        return 0

    with (
        watched(place),
        contextlib.chdir(place),
        contextlib.redirect_stderr(said),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        code = run(command, [])
    assert_said(code, said.getvalue())


def assert_said(code: int, said: str) -> None:
    """How a command ends: with code 0, or with code 2 and a message of readable length. Never with
    a traceback."""
    assert "Traceback" not in said, said[-3000:]
    assert code in (0, 2), f"exit code {code}: {said[-500:]}"
    if code == 2:
        messages = [line for line in said.splitlines() if line.startswith("error: ")]
        assert messages and len(messages[-1]) < 4200, f"no message: {said[-500:]}"


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


if sys.platform != "win32":
    KINDS = {name: kind_of_damage(name) for name in READERS}
