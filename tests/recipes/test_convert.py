"""Data sets in the files of other formats, read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets.ag_files import small_set
from datasets.coco_sets import small_document, write_set
from datasets.test_vidvrd import small

from vidsgg.cli.main import main
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.registry import identify, open_whole_split
from vidsgg.structures.annotation import VideoAnnotation


def opened(root: Path, split: str = "train") -> VideoDataset:
    return open_whole_split(root, split, "predcls")


def same(one: VideoAnnotation, other: VideoAnnotation) -> bool:
    """Whether two annotations say the same, whatever the names of their data sets and frames."""
    return one == replace(other, schema=one.schema, source_id=one.source_id, fps=one.fps, frame_key=one.frame_key)


def test_own_data_reads_back_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = write_set(tmp_path / "own", pictures=False), tmp_path / "again"
    assert main(["data", "convert", str(root), str(out)]) == 0
    assert "2 files in" in capsys.readouterr().out
    for split in ("train", "test"):
        one, other = opened(root, split), opened(out, split)
        for i in range(len(one)):
            assert same(other.annotation(i), one.annotation(i)) and one.intervals(i) == other.intervals(i)
    document = json.loads((out / "train.json").read_text())
    assert sum("video_id" in relation for relation in document["relations"]) == 4  # intervals stay intervals
    assert main(["data", "convert", str(root), str(out)]) == 2  # nothing is overwritten
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["vidvrd", "vidor"])
def test_tracks_to_own_data_and_back(tmp_path: Path, form: str) -> None:
    root = small(tmp_path / "set", form=form)
    assert main(["data", "convert", str(root), str(tmp_path / "own")]) == 0
    one, other = opened(root, "test"), opened(tmp_path / "own", "test")
    assert identify(tmp_path / "own")[0] == "coco_video" and one.video_ids == other.video_ids
    for i in range(len(one)):
        assert one.intervals(i) == other.intervals(i)
        # Inclusive boxes end on their last pixel, COCO's behind it.
        assert np.array_equal(one.annotation(i).node_box + [0, 0, 1, 1], other.annotation(i).node_box)
    assert main(["data", "convert", str(root), str(tmp_path / "back"), "-format", form]) == 0
    back = opened(tmp_path / "back", "test")
    assert identify(tmp_path / "back")[0] == form
    truth, again = one.true_instances(), back.true_instances()
    assert {video: [r.triplet for r in listed] for video, listed in truth.items()} == {
        video: [r.triplet for r in listed] for video, listed in again.items()
    }
    assert all(
        np.array_equal(a.subject_box, b.subject_box) for v in truth for a, b in zip(truth[v], again[v], strict=True)
    )


def test_labels_of_frames_become_runs_where_tracks_are_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document: dict[str, Any] = small_document(1, 4)
    document["relations"] = [
        {"id": i, "image_id": 50 + i, "subject_id": a["id"], "object_id": b["id"], "predicate_id": 11}
        for i in (0, 1, 3)
        for a, b in [[x for x in document["annotations"] if x["image_id"] == 50 + i and x["track_id"] in (2, 3)]]
    ]
    root = write_set(tmp_path / "own", pictures=False, train=document)
    assert main(["data", "convert", str(root), str(tmp_path / "out"), "-format", "vidvrd"]) == 0
    assert "lost: fractions of pixels" in capsys.readouterr().out
    (file,) = (tmp_path / "out" / "train").iterdir()
    instances = json.loads(file.read_text())["relation_instances"]
    assert [(i["begin_fid"], i["end_fid"]) for i in instances] == [(0, 3), (6, 7)]  # frames 0, 2 and 6 are listed


def test_what_cannot_be_converted_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_set(tmp_path / "set")
    assert main(["data", "convert", str(root), str(tmp_path / "out"), "-format", "vidvrd"]) == 2
    assert "no ids over frames" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main(["data", "convert", str(root), str(tmp_path / "out")]) == 0
    one, other = opened(root), opened(tmp_path / "out")
    annotation, again = one.annotation(0), other.annotation(0)
    assert again.schema.vocabulary.subjects == annotation.schema.vocabulary.subjects
    assert all(np.array_equal(annotation.labels[name], again.labels[name]) for name in annotation.labels)
