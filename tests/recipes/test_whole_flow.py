"""Every format that lists things and relations, from generated files through every command to a
file that reads back equal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from datasets import test_action_genome_coco, test_coco_relations, test_pvsg, test_vidvrd
from datasets.ag_files import small_set
from datasets.coco_sets import small_document, write_set
from datasets.vidvrd_coco_files import made_up, write_coco_style
from detectors.tiny import tiny_detector
from PIL import Image
from recipes.test_own_data import SMALL

from vidsgg.cli.main import main
from vidsgg.datasets.registry import identify, open_whole_split
from vidsgg.detectors.files import save_detector
from vidsgg.io.graphs import read_graph
from vidsgg.structures.graph import VideoGraph


def neutral(root: Path) -> Path:
    documents = {"train": small_document(2, 3), "test": small_document(1, 3, first="t")}
    for document in documents.values():  # what holds without a gap, so that its things have boxes wherever it does
        document["relations"] = [r for r in document["relations"] if r.get("subject_track_id") in (None, 2)]
    return write_set(root, **documents)


def vidvrd(root: Path) -> Path:
    return test_vidvrd.small(root)


def vidor(root: Path) -> Path:
    return test_vidvrd.small(root, form="vidor")


def vidvrd_in_coco_style(root: Path) -> Path:
    return write_coco_style(root, made_up())


def pvsg(root: Path) -> Path:
    root.mkdir()
    return test_pvsg.write(root)[0]


def in_coco_style(root: Path) -> Path:
    return test_action_genome_coco.write(root, small_set(root.parent / "pickles"))


def pictures_of_relations(root: Path) -> Path:
    parts = {part: test_coco_relations.document() for part in ("train", "test")}
    return test_coco_relations.write(root, **parts)


FORMATS: dict[str, Callable[[Path], Path]] = {
    "coco_video": neutral,
    "vidvrd": vidvrd,
    "vidor": vidor,
    "vidvrd_coco": vidvrd_in_coco_style,
    "pvsg": pvsg,
    "action_genome_coco": in_coco_style,
    "coco_relations": pictures_of_relations,
}
OVER_TRACKS = ("coco_video", "vidvrd", "vidor", "vidvrd_coco", "pvsg")


def add_pictures(root: Path) -> None:
    """A grey picture wherever a frame's own is missing."""
    for split in ("train", "test"):
        data = open_whole_split(root, split, "predcls").every_frame()
        for index in range(len(data)):
            sizes = data.annotation(index).frame_size.astype(int).tolist()
            for source, (width, height) in zip(data.frame_sources(index), sizes, strict=True):
                if not source.there:
                    source.file.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(np.full((height, width, 3), 120, np.uint8)).save(source.file)


def read_as_vidvrd_helper_does(file: Path, *, version: bool) -> int:
    """Look up what the official loader looks up; the number of relation instances."""
    document = json.loads(file.read_text(encoding="utf-8"))
    if version:
        assert document["version"] == "VERSION 1.0"
        assert document["video_path"].removesuffix(".mp4").endswith("/" + file.stem)
    else:
        assert "version" not in document
    assert document["video_id"] == file.stem and 0 < len(document["trajectories"]) <= document["frame_count"]
    known = {entry["tid"]: entry["category"] for entry in document["subject/objects"]}
    for relation in document["relation_instances"]:
        for frame in document["trajectories"][relation["begin_fid"] : relation["end_fid"]]:
            boxes = {entry["tid"]: entry["bbox"] for entry in frame}
            for end in (relation["subject_tid"], relation["object_tid"]):
                assert known[end] and boxes[end]["xmin"] <= boxes[end]["xmax"] < document["width"]
        assert relation["end_fid"] <= document["frame_count"]
    return len(document["relation_instances"])


def things(graph: VideoGraph) -> list[tuple[int, str, tuple[float, ...]]]:
    """Frame number, class and box of every thing, sorted."""
    return sorted(
        (frame.number, node.label, tuple(round(float(side), 2) for side in node.box))
        for frame in graph.frames
        for node in frame.nodes
        if node.box is not None
    )


@pytest.mark.parametrize("form", list(FORMATS))
def test_from_files_through_all_commands_and_back(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, run = FORMATS[form](tmp_path / "data"), tmp_path / "run"
    add_pictures(root)
    assert identify(root)[0] == form
    assert main(["data", "check", "-data_path", str(root), "-images", "all"]) == 0, capsys.readouterr().out
    assert main(["data", "stats", "-data_path", str(root)]) == 0
    assert main(["data", "show", "-data_path", str(root), "-out", str(tmp_path / "scene.png")]) == 0
    data = open_whole_split(root, "test", "predcls")
    save_detector(root / "detector.pth", tiny_detector(data.schema.vocabulary.objects))

    learn = [word for name, value in {**SMALL, "epochs": 2}.items() for word in (f"-{name}", str(value))]
    assert main(["train", "-data_path", str(root), "-save_path", str(run), "-val", "test", *learn]) == 0
    capsys.readouterr()
    assert main(["evaluate", "-checkpoint", str(run), "-num_workers", "0", "-charts", "False"]) == 0
    result = json.loads((run / "evaluation_test.json").read_text(encoding="utf-8"))
    assert result["frames"] > 0 and 0 <= result["recall"]["with"]["R"]["20"] <= 1
    if form in OVER_TRACKS:
        own = result["spans"] if form == "pvsg" else result["tracks"]
        assert own and "relations over " + ("spans" if form == "pvsg" else "tracks") in capsys.readouterr().out

    assert main(["predict", "-checkpoint", str(run), "-video", "0", "-o", str(tmp_path / "graphs")]) == 0
    (file,) = (tmp_path / "graphs").glob("*.graph.json")
    assert (tmp_path / "graphs" / f"{file.name.removesuffix('.graph.json')}.html").is_file()
    graph = read_graph(file)
    again = tmp_path / "again"
    again.mkdir()
    assert main(["export", str(file), "-format", "coco", "-o", str(again / "test.json")]) == 0
    assert main(["data", "check", "-data_path", str(again), "-images", "none"]) == 0, capsys.readouterr().out
    back = open_whole_split(again, "test", "predcls")
    (annotation,) = list(back)
    names = back.schema.vocabulary.objects
    assert things(graph) == sorted(
        (int(annotation.frame_number[f]), names[klass], tuple(round(side, 2) for side in box))
        for f, klass, box in zip(
            annotation.node_frame.tolist(), annotation.node_class.tolist(), annotation.node_box.tolist(), strict=True
        )
    )
    if form in OVER_TRACKS:
        ids = [(f.number, node.track) for f in graph.frames for node in f.nodes]
        truth = data.annotation(0)
        assert ids == list(
            zip(truth.frame_number[truth.node_frame].tolist(), truth.node_identity.tolist(), strict=True)
        )
        for name in ("vidvrd", "vidor"):
            out = tmp_path / name
            assert main(["export", str(file), "-format", name, "-o", str(out)]) == 0
            (written,) = out.rglob("*.json")
            assert read_as_vidvrd_helper_does(written, version=name == "vidor") > 0
    edges = sum(len(frame.edges) for frame in graph.frames)
    labels = sum(int(table.sum()) for table in annotation.labels.values())
    assert edges and labels >= edges  # an interval holds in a frame between two in which its edge is shown, too
    assert sorted((r.begin, r.end - 1) for r in back.intervals(0)) == sorted(
        (r.begin_frame, r.end_frame) for r in graph.relations
    )
